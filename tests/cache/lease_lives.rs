//! A lease in a store that outlives the process ends when it was declared to, or is given back.

use std::sync::Arc;
use std::time::Duration;

use reinhardt_backends::{Backend, Expiry, MemoryBackend};

use crate::{PAGE, Source, scripted, until};

const LEASE: &str = "page@lease:1:2";

async fn left_of_the_lease(memory: &MemoryBackend) -> Duration {
    match memory.ttl(LEASE).await.unwrap() {
        Some(Expiry::In(left)) => left,
        other => panic!("no lease with an end: {other:?}"),
    }
}

#[tokio::test]
async fn what_may_outlive_the_process_is_leased_for_as_long_as_declared() {
    let backend = scripted();
    for backend in [backend.clone(), backend.in_shared_memory()] {
        let source = Source::closed();
        let shared: Arc<dyn Backend> = Arc::new(backend.clone());
        let page = source.page(&shared);
        until("it computes", async || source.begun() == 1).await;
        let left = left_of_the_lease(&backend.inner).await;
        let declared = Duration::from_secs(10);
        assert!(left <= declared && left > declared / 2, "{left:?}");
        source.open_for(1);
        page.await.unwrap();
        PAGE.delete(&shared).await.unwrap();
    }
}

#[tokio::test]
async fn a_lease_is_given_back_by_a_backend_in_this_process_that_takes_its_time() {
    let backend = scripted().in_shared_memory().before(|name, _| async move {
        if name == "remove" {
            tokio::task::yield_now().await;
        }
        Ok(())
    });
    let shared: Arc<dyn Backend> = Arc::new(backend.clone());
    let source = Source::closed();
    let leader = source.page(&shared);
    until("it computes", async || source.begun() == 1).await;
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    until("it is removed", async || backend.count("remove") == 1).await;
    until("it is gone", async || {
        !backend.inner.exists(LEASE).await.unwrap()
    })
    .await;
}
