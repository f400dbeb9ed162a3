//! Pages take a bounded time and a bounded memory, however much is stored.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use futures::future::join_all;
use http::StatusCode;
use reinhardt_backends::inspector::Inspector;
use reinhardt_backends::layer::Op;
use reinhardt_backends::testing::Flaky;
use reinhardt_backends::{Backend, MemoryBackend};

use crate::model::{self, Page, Slow, cart, fill, put};
use crate::site::Site;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_keys_are_not_looked_at_for_a_page() {
    let backend = MemoryBackend::new();
    for number in 0..1_000_000_u32 {
        backend
            .set(&format!("other:{number}"), number, None)
            .await
            .unwrap();
    }
    for number in 0..2_000 {
        cart("north", number).save(&backend).await.unwrap();
    }
    let site = Site::of(backend);
    let begun = Instant::now();
    let list = site.page("").await;
    assert!(
        list.has("may have more than the 100,000 keys that were looked at"),
        "{}",
        list.text()
    );
    assert!(list.has("at least"), "{}", list.html);
    let entries = site.page("/keyspaces/cart@2?more").await;
    assert_eq!(entries.entries().len(), 1_000);
    assert!(entries.has("No more are listed."));
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn all_who_look_at_once_share_one_survey() {
    let flaky = Flaky::new(MemoryBackend::new());
    fill(&flaky).await;
    let site = Site::of(flaky.clone());
    let before = flaky
        .calls()
        .iter()
        .filter(|call| call.op == Op::Scan)
        .count();
    let pages = join_all((0..50).map(|_| site.page(""))).await;
    site.page("").await;
    assert_eq!(pages.len(), 50);
    let scans = flaky
        .calls()
        .iter()
        .filter(|call| call.op == Op::Scan)
        .count();
    assert_eq!(scans - before, 1);
}

#[tokio::test]
async fn the_oldest_handles_end() {
    let backend = MemoryBackend::new();
    let site = Site::of(backend.clone());
    let list = async |shop: &str| {
        backend.clear().await.unwrap();
        for number in 0..1_000 {
            cart(shop, number).save(&backend).await.unwrap();
        }
        site.page("/keyspaces/cart@2?more").await.entries()
    };
    let first = list("shop 0").await;
    assert_eq!(first.len(), 1_000);
    // A page that is loaded again has the handles that it had.
    for _ in 0..20 {
        let again = site.page("/keyspaces/cart@2?more").await.entries();
        assert_eq!(again, first);
    }
    for round in 1..8 {
        list(&format!("shop {round}")).await;
    }
    let gone = site.get(&first[0]).await;
    assert!(
        gone.has("There is no entry under this key."),
        "{}",
        gone.html
    );
    list("shop 8").await;
    let ended = site.get(&first[0]).await;
    assert_eq!(ended.status, StatusCode::NOT_FOUND);
    assert!(ended.has("Go back to the list"), "{}", ended.html);
}

/// Whoever left before their page was there has left no work behind without a bound.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_than_four_entries_are_decoded_at_once() {
    let backend = MemoryBackend::new();
    put(&backend, &Slow { id: 1 }.key(), b"1").await;
    let site = Arc::new(Site::of(backend));
    let entry = site.handle("slow", &["1"]).await;
    for _ in 0..30 {
        let asked = site.get(&entry);
        let _ = tokio::time::timeout(Duration::from_millis(5), asked).await;
    }
    assert!(
        model::MOST_SLOW.load(SeqCst) <= 4,
        "{}",
        model::MOST_SLOW.load(SeqCst)
    );
    model::LET_GO.store(true, SeqCst);
    assert_eq!(site.get(&entry).await.status, StatusCode::OK);
}

/// It learns nothing, not even that there is an inspector.
#[tokio::test(start_paused = true)]
async fn a_check_that_never_answers_refuses() {
    let site = Site::with(Inspector::new(MemoryBackend::new(), |_| {
        Box::pin(std::future::pending::<bool>())
    }));
    let answer = site.get("").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.text(), "Forbidden Forbidden");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_is_given_up() {
    let flaky = Flaky::new(MemoryBackend::new());
    let path = "/a".to_string();
    Page { path }.set(&flaky, "x").await.unwrap();
    let site = Site::of(Arc::new(flaky.clone()));
    let entry = site.handle("page", &["/a"]).await;
    flaky.on(Op::Read).delay(Duration::from_secs(3_600));
    let answer = site.get(&entry).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        answer.has("The store didn't answer in time."),
        "{}",
        answer.html
    );
}
