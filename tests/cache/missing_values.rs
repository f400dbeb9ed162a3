//! A missing value is computed by one of all callers that ask for it.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use reinhardt_backends::layer::Op;
use reinhardt_backends::testing::Flaky;
use reinhardt_backends::{Backend, BackendError, Expiry, Life, MemoryBackend};
use reinhardt_backends_tests::PosingBackend;

use crate::{PAGE, PATIENCE, Page, Source, Two, failure, on_every_store, until};

on_every_store! {
    a_hit_computes_nothing
    a_thousand_misses_compute_once_in_one_process
    a_thousand_misses_compute_once_in_two
    different_keys_compute_at_the_same_time
    a_failure_is_not_stored_and_the_next_one_computes
    a_dropped_leader_frees_who_waits
    a_panicking_leader_frees_who_waits
    a_dead_leader_frees_who_waits_at_the_end_of_its_lease
    what_is_written_or_removed_beats_a_computation_that_began_before
    a_computation_that_began_after_a_delete_is_stored
    a_computation_whose_lease_is_lost_is_its_callers_alone
    a_long_computation_keeps_its_lease
    bytes_that_do_not_decode_are_replaced
}

async fn a_hit_computes_nothing(two: Two) {
    PAGE.set(&two.one, "there").await.unwrap();
    let source = Source::open();
    assert_eq!(source.page(&two.other).await.unwrap(), "there");
    assert_eq!(source.begun(), 0);
}

async fn all_get_the_first(source: &Source, pages: Vec<tokio::task::JoinHandle<String>>) {
    until("a computation begins", async || source.begun() > 0).await;
    source.open_for(1000);
    for page in join_all(pages).await {
        assert_eq!(page.unwrap(), "computed 0");
    }
    assert_eq!(source.begun(), 1);
}

async fn a_thousand_misses_compute_once_in_one_process(two: Two) {
    let source = Source::closed();
    let pages = (0..1000).map(|_| source.page(&two.one)).collect();
    all_get_the_first(&source, pages).await;
    let left = PAGE.ttl(&two.other).await.unwrap();
    assert!(matches!(left, Some(Expiry::In(left)) if left <= Duration::from_secs(300)));
    assert_eq!(two.one.clear_prefix("page@lease:").await.unwrap(), 0);
}

async fn a_thousand_misses_compute_once_in_two(two: Two) {
    let source = Source::closed();
    let backends = [&two.one, &two.other].into_iter().cycle();
    let pages = backends.take(1000).map(|backend| source.page(backend));
    let pages = pages.collect();
    all_get_the_first(&source, pages).await;
}

async fn different_keys_compute_at_the_same_time(two: Two) {
    let source = Source::closed();
    let pages = (0..10).map(|page| {
        let (source, backend) = (source.clone(), two.one.clone());
        tokio::spawn(async move {
            let page = Page { page, ..PAGE };
            page.get_or_set_with(&backend, || source.compute()).await
        })
    });
    let pages: Vec<_> = pages.collect();
    until("all compute", async || source.begun() == 10).await;
    source.open_for(10);
    for page in join_all(pages).await {
        assert!(page.unwrap().unwrap().starts_with("computed"));
    }
}

async fn a_failure_is_not_stored_and_the_next_one_computes(two: Two) {
    let source = Source::closed();
    let failing = PAGE.get_or_set_with(&two.one, || async {
        source.compute().await?;
        Err::<String, _>(failure())
    });
    let mut failing = Box::pin(failing);
    assert!((&mut failing).now_or_never().is_none());
    until("it computes", async || {
        assert!((&mut failing).now_or_never().is_none());
        source.begun() == 1
    })
    .await;
    let waiting = [source.page(&two.one), source.page(&two.other)];
    source.open_for(2);
    assert!(failing.await.is_err());
    for page in waiting {
        assert_eq!(page.await.unwrap(), "computed 1");
    }
    assert_eq!(source.begun(), 2);
}

/// Returns the task of a leader that computes for ever.
async fn stuck(two: &Two) -> tokio::task::JoinHandle<String> {
    let source = Source::closed();
    let leader = source.page(&two.one);
    until("it computes", async || source.begun() == 1).await;
    leader
}

async fn a_dropped_leader_frees_who_waits(two: Two) {
    let leader = stuck(&two).await;
    let source = Source::open();
    let waiting = [source.page(&two.one), source.page(&two.other)];
    leader.abort();
    for page in waiting {
        assert_eq!(page.await.unwrap(), "computed 0");
    }
    assert_eq!(source.begun(), 1);
}

async fn a_panicking_leader_frees_who_waits(two: Two) {
    let backend = two.one.clone();
    let leader = tokio::spawn(async move {
        let page = PAGE.get_or_set_with(&backend, || async {
            if true {
                panic!("the leader panics");
            }
            Err::<String, _>(failure())
        });
        page.await
    });
    assert!(leader.await.unwrap_err().is_panic());
    let source = Source::open();
    assert_eq!(source.page(&two.other).await.unwrap(), "computed 0");
}

async fn a_dead_leader_frees_who_waits_at_the_end_of_its_lease(two: Two) {
    let dead = "page@lease:1:2";
    two.one.set(dead, "its token", None).await.unwrap();
    let source = Source::open();
    let waiting = [source.page(&two.one), source.page(&two.other)];
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(source.begun(), 0, "it may be alive");
    let moment = Life::In(Duration::from_millis(50));
    assert!(two.one.expire(dead, moment).await.unwrap());
    for page in waiting {
        assert_eq!(page.await.unwrap(), "computed 0");
    }
}

/// Returns the page after another process made `change` while the missing page was being computed,
/// and the value that the computing caller got.
async fn changed_meanwhile<F: Future>(
    two: &Two,
    change: impl FnOnce(Arc<dyn Backend>) -> F,
) -> (Option<String>, String) {
    PAGE.delete(&two.one).await.unwrap();
    let source = Source::closed();
    let computing = source.page(&two.one);
    until("it computes", async || source.begun() == 1).await;
    change(two.other.clone()).await;
    source.open_for(1);
    let got = computing.await.unwrap();
    (PAGE.get(&two.one).await.unwrap(), got)
}

async fn what_is_written_or_removed_beats_a_computation_that_began_before(two: Two) {
    macro_rules! after {
        (|$backend:ident| $change:expr) => {
            changed_meanwhile(&two, |$backend: Arc<dyn Backend>| async move {
                let _ = $change.await.unwrap();
            })
            .await
        };
    }
    let removed = (None, "computed 0".to_string());
    assert_eq!(after!(|backend| PAGE.delete(&backend)), removed);
    assert_eq!(after!(|backend| PAGE.take(&backend)), removed);
    assert_eq!(after!(|b| Page::delete_many(&b, [PAGE])), removed);
    assert_eq!(after!(|backend| Page::clear(&backend)), removed);
    assert_eq!(after!(|backend| Page::clear_under(&backend, 1)), removed);
    assert_eq!(after!(|b| PAGE.set_if_present(&b, "new")), removed);
    // The page is gone again when the computation ends.
    let gone = changed_meanwhile(&two, |backend| async move {
        PAGE.set(&backend, "new").await.unwrap();
        assert!(PAGE.delete(&backend).await.unwrap());
    });
    assert_eq!(gone.await, removed);

    let written = (Some("new".to_string()), "new".to_string());
    assert_eq!(after!(|backend| PAGE.set(&backend, "new")), written);
    assert_eq!(after!(|b| PAGE.set_for(&b, "new", PATIENCE)), written);
    assert_eq!(after!(|b| PAGE.set_if_absent(&b, "new")), written);
    assert_eq!(after!(|b| Page::set_many(&b, [(PAGE, "new")])), written);
    let insert = || "new".to_string();
    assert_eq!(
        after!(|b| PAGE.update_or_insert_with(&b, |_| (), insert)),
        written
    );
    // A change of another page, or of another site, doesn't matter to the computation.
    let other = Page { page: 3, ..PAGE };
    let computed = (Some("computed 0".to_string()), "computed 0".to_string());
    assert_eq!(after!(|backend| other.set(&backend, "new")), computed);
    assert_eq!(after!(|backend| Page::clear_under(&backend, 2)), computed);
    assert_eq!(after!(|backend| PAGE.touch(&backend)), computed);
}

async fn a_computation_that_began_after_a_delete_is_stored(two: Two) {
    let first = Source::closed();
    let early = first.page(&two.one);
    until("it computes", async || first.begun() == 1).await;
    PAGE.delete(&two.other).await.unwrap();
    let second = Source::open();
    assert_eq!(second.page(&two.other).await.unwrap(), "computed 0");
    PAGE.set(&two.other, "later").await.unwrap();
    first.open_for(1);
    // The earlier one's value is no good any more.
    assert_eq!(early.await.unwrap(), "later");
    assert_eq!(PAGE.get(&two.one).await.unwrap().unwrap(), "later");
}

async fn a_computation_whose_lease_is_lost_is_its_callers_alone(two: Two) {
    let source = Source::closed();
    let early = source.page(&two.one);
    until("it computes", async || source.begun() == 1).await;
    assert!(two.other.delete("page@lease:1:2").await.unwrap());
    source.open_for(1);
    assert_eq!(early.await.unwrap(), "computed 0");
    assert!(!PAGE.exists(&two.one).await.unwrap());
}

async fn a_long_computation_keeps_its_lease(two: Two) {
    let source = Source::closed();
    // In this process nobody can die without giving it back, so it isn't renewed.
    let computing = source.page(&two.other);
    until("it computes", async || source.begun() == 1).await;
    let lease = Duration::from_secs(10);
    let left = async || match two.one.ttl("page@lease:1:2").await.unwrap() {
        Some(Expiry::In(left)) => left,
        other => panic!("the lease is lost: {other:?}"),
    };
    assert!(left().await <= lease);
    let mut least = lease;
    until("it is renewed", async || {
        let now = left().await;
        let is_renewed = now > least + Duration::from_secs(1);
        least = least.min(now);
        is_renewed
    })
    .await;
    source.open_for(1);
    assert_eq!(computing.await.unwrap(), "computed 0");
    assert!(PAGE.exists(&two.one).await.unwrap());
}

// On a cluster the lease and the value may be on two nodes, and a move isn't one step.
mod stored_in_one_step {
    use super::who_asks_after_a_delete_gets_nothing_from_before_it;

    crate::on_both_stores! { who_asks_after_a_delete_gets_nothing_from_before_it }
}

async fn who_asks_after_a_delete_gets_nothing_from_before_it(two: Two) {
    let source = Source::closed();
    let early = source.page(&two.one);
    until("it computes", async || source.begun() == 1).await;
    PAGE.delete(&two.other).await.unwrap();
    let late = [source.page(&two.one), source.page(&two.other)];
    source.open_for(1000);
    early.await.unwrap();
    for page in late {
        assert_eq!(page.await.unwrap(), "computed 1");
    }
}

async fn bytes_that_do_not_decode_are_replaced(two: Two) {
    #[derive(reinhardt_backends::Keyspace)]
    #[keyspace(prefix = "price", ttl = "1h", value = u32, lease = "10s", on_decode_error = "miss")]
    struct Price {
        article: u32,
    }
    let price = Price { article: 7 };
    two.one.set(&price.key(), "text", None).await.unwrap();
    let compute = || async { Ok::<_, BackendError>(5) };
    assert_eq!(price.get_or_set_with(&two.other, compute).await.unwrap(), 5);
    assert_eq!(price.get(&two.one).await.unwrap(), Some(5));
}

#[tokio::test]
async fn who_asks_after_a_delete_waits_for_no_value_that_is_gone() {
    let flaky = Flaky::new(MemoryBackend::new());
    let stored = flaky.on(Op::Move).hold_after();
    let remote = PosingBackend::in_another_process(flaky.clone());
    let backend: Arc<dyn Backend> = Arc::new(remote);
    let source = Source::open();
    let early = source.page(&backend);
    // The page is stored, but its leader hasn't got the answer yet.
    until("it is stored", async || {
        PAGE.exists(&backend).await.unwrap()
    })
    .await;
    assert!(PAGE.delete(&backend).await.unwrap());
    let calls = flaky.calls().len();
    let late = source.page(&backend);
    until("it has looked", async || flaky.calls().len() > calls).await;
    stored.open();
    assert_eq!(early.await.unwrap(), "computed 0");
    assert_eq!(late.await.unwrap(), "computed 1");
}
