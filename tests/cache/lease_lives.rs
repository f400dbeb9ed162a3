//! A lease in a store that outlives the process ends when it was declared to, or is given back.

use std::sync::Arc;
use std::time::Duration;

use reinhardt_backends::layer::Op;
use reinhardt_backends::{Backend, Expiry, MemoryBackend};
use reinhardt_backends_tests::PosingBackend;

use crate::{PAGE, Source, flaky, until};

const LEASE: &str = "page@lease:1:2";

async fn left_of_the_lease(memory: &MemoryBackend) -> Duration {
    match memory.ttl(LEASE).await.unwrap() {
        Some(Expiry::In(left)) => left,
        other => panic!("no lease with an end: {other:?}"),
    }
}

#[tokio::test]
async fn what_may_outlive_the_process_is_leased_for_as_long_as_declared() {
    let flaky = flaky();
    let memory = flaky.inner().clone();
    let posing = PosingBackend::in_shared_memory(flaky.clone(), memory.clone());
    let both: [Arc<dyn Backend>; 2] = [Arc::new(flaky), Arc::new(posing)];
    for shared in both {
        let source = Source::closed();
        let page = source.page(&shared);
        until("it computes", async || source.begun() == 1).await;
        let left = left_of_the_lease(&memory).await;
        let declared = Duration::from_secs(10);
        assert!(left <= declared && left > declared / 2, "{left:?}");
        source.open_for(1);
        page.await.unwrap();
        PAGE.delete(&shared).await.unwrap();
    }
}

#[tokio::test]
async fn a_lease_is_given_back_by_a_backend_in_this_process_that_takes_its_time() {
    let flaky = flaky();
    let memory = flaky.inner().clone();
    flaky.on(Op::Remove).run(|_| async {
        tokio::task::yield_now().await;
        Ok(())
    });
    let posing = PosingBackend::in_shared_memory(flaky.clone(), memory.clone());
    let shared: Arc<dyn Backend> = Arc::new(posing);
    let source = Source::closed();
    let leader = source.page(&shared);
    until("it computes", async || source.begun() == 1).await;
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    until("it is removed", async || flaky.count(Op::Remove) == 1).await;
    until("it is gone", async || !memory.exists(LEASE).await.unwrap()).await;
}
