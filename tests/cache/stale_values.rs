//! Old values are served while one caller refreshes them.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use reinhardt_backends::{Backend, BackendError, Expiry, Life};

use crate::{NEWS, News, PATIENCE, Source, Two, age, failure, on_every_store, until};

on_every_store! {
    a_fresh_value_is_not_refreshed
    an_old_value_is_served_while_it_is_refreshed_once
    an_old_value_is_refreshed_once_in_two_processes
    what_is_missing_is_computed
    what_is_written_or_removed_beats_a_refresh_that_began_before
    a_failed_refresh_leaves_the_old_value_and_the_next_caller_refreshes
    a_panicking_refresh_leaves_the_old_value_and_the_next_caller_refreshes
    a_refresh_goes_on_without_its_caller
    a_value_that_ends_while_it_is_refreshed_is_stored_all_the_same
    who_misses_while_it_is_refreshed_gets_what_the_refresh_stores
    old_values_are_alive
    a_time_of_ones_own_is_fresh_for_as_long
}

/// Stores `value`, and makes it old.
async fn old(two: &Two, value: &str) {
    NEWS.set(&two.one, value).await.unwrap();
    age(&two.one, NEWS).await;
}

async fn stored(two: &Two) -> Option<String> {
    NEWS.get(&two.other).await.unwrap()
}

async fn is_free(two: &Two) -> bool {
    !two.one.exists("news@lease:1:2").await.unwrap()
}

async fn a_fresh_value_is_not_refreshed(two: Two) {
    NEWS.set(&two.one, "fresh").await.unwrap();
    let source = Source::open();
    assert_eq!(source.news(&two.one).await, "fresh");
    assert_eq!(source.news(&two.other).await, "fresh");
    assert_eq!(source.begun(), 0);
}

async fn an_old_value_is_served_while_it_is_refreshed_once(two: Two) {
    old(&two, "old").await;
    let source = Source::closed();
    let readers = (0..1000).map(|_| {
        let (source, backend) = (source.clone(), two.one.clone());
        tokio::spawn(async move { source.news(&backend).await })
    });
    // All readers return, although the refresh can't end.
    for news in join_all(readers).await {
        assert_eq!(news.unwrap(), "old");
    }
    until("a refresh begins", async || source.begun() == 1).await;
    source.open_for(1000);
    let refreshed = Some("computed 0".to_string());
    until("it is stored", async || stored(&two).await == refreshed).await;
    assert_eq!(source.news(&two.one).await, "computed 0");
    let left = NEWS.ttl(&two.one).await.unwrap();
    assert!(matches!(left, Some(Expiry::In(left)) if left > Duration::from_secs(10 * 60)));
    assert_eq!(source.begun(), 1);
    assert!(is_free(&two).await);
}

async fn an_old_value_is_refreshed_once_in_two_processes(two: Two) {
    old(&two, "old").await;
    let source = Source::closed();
    for _ in 0..50 {
        assert_eq!(source.news(&two.one).await, "old");
        assert_eq!(source.news(&two.other).await, "old");
        until("a refresh begins", async || source.begun() == 1).await;
    }
    source.open_for(1000);
    until("it is stored", async || {
        stored(&two).await.unwrap() == "computed 0"
    })
    .await;
    assert_eq!(source.news(&two.other).await, "computed 0");
    assert_eq!(source.begun(), 1);
}

async fn what_is_missing_is_computed(two: Two) {
    let source = Source::closed();
    let readers = (0..1000).map(|index| {
        let backend = if index % 2 == 0 { &two.one } else { &two.other };
        let (source, backend) = (source.clone(), backend.clone());
        tokio::spawn(async move { source.news(&backend).await })
    });
    let readers: Vec<_> = readers.collect();
    until("it is computed", async || source.begun() == 1).await;
    source.open_for(1000);
    for news in join_all(readers).await {
        assert_eq!(news.unwrap(), "computed 0");
    }
    assert_eq!(source.begun(), 1);
    assert!(is_free(&two).await);
}

/// Returns the news after another process made `change` while old news were being refreshed.
async fn changed_meanwhile<F: Future>(
    two: &Two,
    change: impl FnOnce(Arc<dyn Backend>) -> F,
) -> Option<String> {
    old(two, "old").await;
    // A refresh and its task in the background have clones of the backend.
    let handles = Arc::strong_count(&two.one);
    let source = Source::closed();
    assert_eq!(source.news(&two.one).await, "old");
    until("it is refreshed", async || source.begun() == 1).await;
    assert!(Arc::strong_count(&two.one) > handles);
    change(two.other.clone()).await;
    source.open_for(1);
    until("its task has ended", async || {
        Arc::strong_count(&two.one) == handles
    })
    .await;
    stored(two).await
}

async fn what_is_written_or_removed_beats_a_refresh_that_began_before(two: Two) {
    macro_rules! after {
        (|$backend:ident| $change:expr) => {
            changed_meanwhile(&two, |$backend: Arc<dyn Backend>| async move {
                let _ = $change.await.unwrap();
            })
            .await
        };
    }
    assert_eq!(after!(|backend| NEWS.delete(&backend)), None);
    assert_eq!(after!(|backend| NEWS.take(&backend)), None);
    assert_eq!(after!(|b| News::delete_many(&b, [NEWS])), None);
    assert_eq!(after!(|backend| News::clear(&backend)), None);
    assert_eq!(after!(|backend| News::clear_under(&backend, 1)), None);

    let new = Some("new".to_string());
    let same = Some("old".to_string());
    assert_eq!(after!(|backend| NEWS.set(&backend, "new")), new);
    assert_eq!(after!(|backend| NEWS.set(&backend, "old")), same);
    assert_eq!(after!(|b| NEWS.set_for(&b, "old", PATIENCE)), same);
    assert_eq!(after!(|b| NEWS.set_if_present(&b, "old")), same);
    assert_eq!(after!(|b| News::set_many(&b, [(NEWS, "old")])), same);
    assert_eq!(after!(|b| NEWS.update(&b, |n| n.push_str(""))), same);
    let removed_and_set = changed_meanwhile(&two, |backend| async move {
        assert!(NEWS.delete(&backend).await.unwrap());
        NEWS.set(&backend, "old").await.unwrap();
    });
    assert_eq!(removed_and_set.await, same);

    let computed = Some("computed 0".to_string());
    assert_eq!(after!(|backend| NEWS.get(&backend)), computed);
    assert_eq!(after!(|backend| News::clear_under(&backend, 2)), computed);
    // A write that bypasses the accessors is noticed by the bytes.
    let raw = changed_meanwhile(&two, |backend| async move {
        backend.set(&NEWS.key(), "raw", None).await.unwrap();
    });
    assert_eq!(raw.await, Some("raw".to_string()));
}

async fn a_failed_refresh_leaves_the_old_value_and_the_next_caller_refreshes(two: Two) {
    old(&two, "old").await;
    let failing = NEWS.get_or_set_with(&two.one, || async { Err::<String, _>(failure()) });
    assert_eq!(failing.await.unwrap(), "old");
    refreshed_at_last(&two).await;
}

async fn a_panicking_refresh_leaves_the_old_value_and_the_next_caller_refreshes(two: Two) {
    old(&two, "old").await;
    let panicking = NEWS.get_or_set_with(&two.one, || async {
        if true {
            panic!("the refresh panics");
        }
        Err::<String, _>(failure())
    });
    assert_eq!(panicking.await.unwrap(), "old");
    refreshed_at_last(&two).await;
}

async fn refreshed_at_last(two: &Two) {
    let source = Source::open();
    until("the next caller refreshes", async || {
        source.news(&two.one).await == "computed 0"
    })
    .await;
    assert_eq!(source.begun(), 1);
}

async fn a_refresh_goes_on_without_its_caller(two: Two) {
    old(&two, "old").await;
    let source = Source::closed();
    let (backend, reader) = (two.one.clone(), source.clone());
    let caller = tokio::spawn(async move { reader.news(&backend).await });
    assert_eq!(caller.await.unwrap(), "old");
    until("it is refreshed", async || source.begun() == 1).await;
    source.open_for(1);
    let refreshed = Some("computed 0".to_string());
    until("it is stored", async || stored(&two).await == refreshed).await;
}

async fn a_value_that_ends_while_it_is_refreshed_is_stored_all_the_same(two: Two) {
    old(&two, "old").await;
    let source = Source::closed();
    assert_eq!(source.news(&two.one).await, "old");
    until("it is refreshed", async || source.begun() == 1).await;
    let moment = Life::In(Duration::from_millis(1));
    assert!(two.one.expire(&NEWS.key(), moment).await.unwrap());
    until("it ends", async || stored(&two).await.is_none()).await;
    source.open_for(1);
    let refreshed = Some("computed 0".to_string());
    until("it is stored", async || stored(&two).await == refreshed).await;
}

async fn who_misses_while_it_is_refreshed_gets_what_the_refresh_stores(two: Two) {
    old(&two, "old").await;
    let source = Source::closed();
    assert_eq!(source.news(&two.one).await, "old");
    until("it is refreshed", async || source.begun() == 1).await;
    // As at its end.
    assert!(two.other.delete(&NEWS.key()).await.unwrap());
    let readers = (0..100).map(|index| {
        let backend = if index % 2 == 0 { &two.one } else { &two.other };
        let (source, backend) = (source.clone(), backend.clone());
        tokio::spawn(async move { source.news(&backend).await })
    });
    let readers: Vec<_> = readers.collect();
    source.open_for(1000);
    for news in join_all(readers).await {
        assert_eq!(news.unwrap(), "computed 0");
    }
    assert_eq!(source.begun(), 1);
}

async fn old_values_are_alive(two: Two) {
    old(&two, "old").await;
    assert_eq!(NEWS.get(&two.one).await.unwrap().unwrap(), "old");
    assert!(NEWS.exists(&two.one).await.unwrap());
    let left = NEWS.ttl(&two.one).await.unwrap();
    assert!(matches!(left, Some(Expiry::In(left)) if left <= Duration::from_secs(9 * 60)));
    // Fresh again.
    assert!(NEWS.touch(&two.one).await.unwrap());
    let source = Source::open();
    assert_eq!(source.news(&two.one).await, "old");
    assert_eq!(source.begun(), 0);
}

async fn a_time_of_ones_own_is_fresh_for_as_long(two: Two) {
    let hour = Duration::from_secs(3600);
    NEWS.set_for(&two.one, "kept", hour).await.unwrap();
    let left = NEWS.ttl(&two.one).await.unwrap();
    assert!(matches!(left, Some(Expiry::In(left)) if left > hour && left <= hour + 10 * PATIENCE));
    let zero = NEWS.set_for(&two.one, "never", Duration::ZERO).await;
    assert_eq!(
        zero.unwrap_err().kind(),
        reinhardt_backends::ErrorKind::InvalidTtl
    );
    assert_eq!(stored(&two).await.unwrap(), "kept");
}

#[tokio::test]
async fn what_was_refreshed_meanwhile_is_not_refreshed_again() {
    let two = Two::in_memory();
    old(&two, "old").await;
    let source = Source::open();
    // A refresh and its task in the background have clones of the backend.
    let handles = Arc::strong_count(&two.one);
    assert_eq!(source.news(&two.one).await, "old");
    // On this thread the refresh begins when this test waits for something.
    assert!(Arc::strong_count(&two.one) > handles);
    let refreshed = NEWS.set(&two.other, "newer").now_or_never();
    refreshed.expect("memory answers at once").unwrap();
    until("its task has ended", async || {
        Arc::strong_count(&two.one) == handles
    })
    .await;
    assert_eq!(source.begun(), 0);
    assert_eq!(stored(&two).await.unwrap(), "newer");
    assert!(is_free(&two).await);
}

#[test]
fn without_a_runtime_the_caller_refreshes() {
    let two = Two::in_memory();
    futures::executor::block_on(async {
        old(&two, "old").await;
        let failing = NEWS.get_or_set_with(&two.one, || async { Err::<String, _>(failure()) });
        assert_eq!(failing.await.unwrap(), "old");
        let compute = || async { Ok::<_, BackendError>("new".to_string()) };
        // After a pause.
        let began = std::time::Instant::now();
        while NEWS.get_or_set_with(&two.one, compute).await.unwrap() == "old" {
            assert!(began.elapsed() < PATIENCE, "it never refreshes");
        }
        assert_eq!(stored(&two).await.unwrap(), "new");
    });
}
