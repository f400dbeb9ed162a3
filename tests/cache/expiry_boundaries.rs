//! A value is fresh, stale and gone to the millisecond.

use std::time::Duration;

use reinhardt_backends::{BackendError, Expiry, MemoryBackend};
use tokio::time::{advance, sleep};

use crate::{NEWS, PAGE, Source, lasting, until};

const MOMENT: Duration = Duration::from_millis(1);
const FRESH: Duration = Duration::from_secs(60);
const STALE: Duration = Duration::from_secs(600);

#[tokio::test(start_paused = true)]
async fn a_value_is_fresh_until_its_ttl_is_over() {
    let backend = lasting(MemoryBackend::new());
    let source = Source::open();
    NEWS.set(&backend, "first").await.unwrap();
    advance(FRESH - MOMENT).await;
    assert_eq!(source.news(&backend).await, "first");
    tokio::task::yield_now().await;
    assert_eq!(source.begun(), 0);
    advance(MOMENT).await;
    assert_eq!(source.news(&backend).await, "first");
    until("it is refreshed", async || source.begun() == 1).await;
    until("it is stored", async || {
        NEWS.get(&backend).await.unwrap().unwrap() == "computed 0"
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_old_value_is_served_until_its_stale_time_is_over_too() {
    let backend = lasting(MemoryBackend::new());
    NEWS.set(&backend, "first").await.unwrap();
    assert_eq!(
        NEWS.ttl(&backend).await.unwrap(),
        Some(Expiry::In(FRESH + STALE))
    );
    advance(FRESH + STALE - MOMENT).await;
    let closed = Source::closed();
    assert_eq!(closed.news(&backend).await, "first");
    NEWS.set(&backend, "first").await.unwrap();
    advance(FRESH + STALE).await;
    let open = Source::open();
    // The refresh from before holds the turn in this process. The value that it computes would be
    // from before the `set`.
    closed.open_for(1);
    assert_eq!(open.news(&backend).await, "computed 0");
    assert_eq!(open.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_computation_of_hours_on_the_paused_clock_is_stored() {
    let backend = lasting(MemoryBackend::new());
    let compute = || async {
        sleep(Duration::from_secs(23 * 3600)).await;
        Ok::<_, BackendError>("late".to_string())
    };
    let page = PAGE.get_or_set_with(&backend, compute).await;
    assert_eq!(page.unwrap(), "late");
    assert_eq!(PAGE.get(&backend).await.unwrap().unwrap(), "late");
}
