//! The number of calls of the backend that an accessor makes. Each call is a round trip where there
//! is a server.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use reinhardt_backends::{BackendError, MemoryBackend};

use crate::{NEWS, News, PAGE, Page, Remote, age, until};

impl Remote {
    async fn calls<T>(&self, work: impl Future<Output = Result<T, BackendError>>) -> usize {
        self.calls.store(0, SeqCst);
        work.await.unwrap();
        self.calls.load(SeqCst)
    }
}

async fn compute() -> Result<String, BackendError> {
    Ok("computed".to_string())
}

#[tokio::test]
async fn the_documented_numbers_of_round_trips() {
    let backend = Remote::new(MemoryBackend::new());
    let memory = backend.inner.clone();
    let minute = Duration::from_secs(60);
    assert_eq!(
        backend.calls(PAGE.get_or_set_with(&backend, compute)).await,
        4,
        "a look, the lease, a look, the value"
    );
    assert_eq!(
        backend.calls(PAGE.get_or_set_with(&backend, compute)).await,
        1
    );
    for (calls, expected, name) in [
        (backend.calls(PAGE.get(&backend)).await, 1, "get"),
        (backend.calls(PAGE.exists(&backend)).await, 1, "exists"),
        (backend.calls(PAGE.ttl(&backend)).await, 1, "ttl"),
        (backend.calls(PAGE.touch(&backend)).await, 1, "touch"),
        (
            backend.calls(Page::get_many(&backend, [PAGE])).await,
            1,
            "get_many",
        ),
        (backend.calls(PAGE.set(&backend, "x")).await, 2, "set"),
        (
            backend.calls(PAGE.set_for(&backend, "x", minute)).await,
            2,
            "set_for",
        ),
        (
            backend.calls(PAGE.set_if_absent(&backend, "x")).await,
            2,
            "set_if_absent",
        ),
        (
            backend.calls(PAGE.set_if_present(&backend, "x")).await,
            2,
            "set_if_present",
        ),
        (
            backend.calls(Page::set_many(&backend, [(PAGE, "x")])).await,
            2,
            "set_many",
        ),
        (
            backend.calls(PAGE.update(&backend, |_| ())).await,
            3,
            "update",
        ),
        (backend.calls(PAGE.take(&backend)).await, 2, "take"),
        (backend.calls(PAGE.delete(&backend)).await, 2, "delete"),
        (
            backend.calls(Page::delete_many(&backend, [PAGE])).await,
            2,
            "delete_many",
        ),
        (backend.calls(Page::clear(&backend)).await, 2, "clear"),
    ] {
        assert_eq!(calls, expected, "{name}");
    }
    let miss = backend.calls(NEWS.get_or_set_with(&backend, compute));
    assert_eq!(miss.await, 4);
    let fresh = backend.calls(NEWS.get_or_set_with(&backend, compute));
    assert_eq!(fresh.await, 1);
    age(&memory, NEWS).await;
    let old = backend.calls(NEWS.get_or_set_with(&backend, compute));
    assert_eq!(old.await, 1, "the caller's own");
    until("it is refreshed", async || backend.calls.load(SeqCst) == 4).await;
    News::clear(&backend).await.unwrap();
}
