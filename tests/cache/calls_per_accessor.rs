//! An accessor makes as many calls of the backend as is documented, each of them a round trip to a
//! server.

use std::time::Duration;

use reinhardt_backends::testing::Flaky;
use reinhardt_backends::{BackendError, MemoryBackend};
use reinhardt_backends_tests::PosingBackend;

use crate::{NEWS, News, PAGE, Page, age, until};

/// Returns the number of calls of the backend that `work` makes.
async fn calls<T>(
    backend: &PosingBackend<Flaky<MemoryBackend>>,
    work: impl Future<Output = Result<T, BackendError>>,
) -> usize {
    backend.inner.clear_calls();
    work.await.unwrap();
    backend.inner.calls().len()
}

async fn compute() -> Result<String, BackendError> {
    Ok("computed".to_string())
}

#[tokio::test]
async fn the_documented_numbers_of_round_trips() {
    let backend = PosingBackend::in_another_process(Flaky::new(MemoryBackend::new()));
    let minute = Duration::from_secs(60);
    assert_eq!(
        calls(&backend, PAGE.get_or_set_with(&backend, compute)).await,
        4,
        "a look, the lease, a look, the value"
    );
    assert_eq!(
        calls(&backend, PAGE.get_or_set_with(&backend, compute)).await,
        1
    );
    for (calls, expected, name) in [
        (calls(&backend, PAGE.get(&backend)).await, 1, "get"),
        (calls(&backend, PAGE.exists(&backend)).await, 1, "exists"),
        (calls(&backend, PAGE.ttl(&backend)).await, 1, "ttl"),
        (calls(&backend, PAGE.touch(&backend)).await, 1, "touch"),
        (
            calls(&backend, Page::get_many(&backend, [PAGE])).await,
            1,
            "get_many",
        ),
        (calls(&backend, PAGE.set(&backend, "x")).await, 2, "set"),
        (
            calls(&backend, PAGE.set_for(&backend, "x", minute)).await,
            2,
            "set_for",
        ),
        (
            calls(&backend, PAGE.set_if_absent(&backend, "x")).await,
            2,
            "set_if_absent",
        ),
        (
            calls(&backend, PAGE.set_if_present(&backend, "x")).await,
            2,
            "set_if_present",
        ),
        (
            calls(&backend, Page::set_many(&backend, [(PAGE, "x")])).await,
            2,
            "set_many",
        ),
        (
            calls(&backend, PAGE.update(&backend, |_| ())).await,
            3,
            "update",
        ),
        (calls(&backend, PAGE.take(&backend)).await, 2, "take"),
        (calls(&backend, PAGE.delete(&backend)).await, 2, "delete"),
        (
            calls(&backend, Page::delete_many(&backend, [PAGE])).await,
            2,
            "delete_many",
        ),
        (calls(&backend, Page::clear(&backend)).await, 2, "clear"),
    ] {
        assert_eq!(calls, expected, "{name}");
    }
    let miss = calls(&backend, NEWS.get_or_set_with(&backend, compute));
    assert_eq!(miss.await, 4);
    let fresh = calls(&backend, NEWS.get_or_set_with(&backend, compute));
    assert_eq!(fresh.await, 1);
    age(backend.inner.inner(), NEWS).await;
    let old = calls(&backend, NEWS.get_or_set_with(&backend, compute));
    assert_eq!(old.await, 1, "the caller's own");
    until("it is refreshed", async || backend.inner.calls().len() == 4).await;
    News::clear(&backend).await.unwrap();
}
