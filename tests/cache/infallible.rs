//! `get_or_compute` leases and refreshes as `get_or_set_with` does, by closures that can't fail.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use reinhardt_backends::keyspace::Key;
use reinhardt_backends::{Backend, BackendResult, cache};

use crate::{NEWS, News, PAGE, Source, Two, age, on_every_store, until};

on_every_store! {
    a_leased_value_is_computed_once
    an_old_value_is_served_and_refreshed
    generic_code_refreshes_what_can_not_fail
}

async fn a_leased_value_is_computed_once(two: Two) {
    let source = Source::open();
    let compute = async || format!("page {}", source.begun.fetch_add(1, SeqCst));
    let (one, other) = tokio::join!(
        PAGE.get_or_compute(&two.one, compute),
        PAGE.get_or_compute(&two.other, compute),
    );
    assert_eq!([one.unwrap(), other.unwrap()], ["page 0", "page 0"]);
    assert_eq!(PAGE.get(&two.other).await.unwrap().unwrap(), "page 0");
    assert!(!two.one.exists("page@lease:1:2").await.unwrap());
}

async fn an_old_value_is_served_and_refreshed(two: Two) {
    NEWS.set(&two.one, "old").await.unwrap();
    age(&two.one, NEWS).await;
    let served = NEWS.get_or_compute(&two.one, async || "new".to_string());
    assert_eq!(served.await.unwrap(), "old");
    let new = Some("new".to_string());
    until("it is stored", async || {
        NEWS.get(&two.other).await.unwrap() == new
    })
    .await;
}

async fn generic_code_refreshes_what_can_not_fail(two: Two) {
    async fn news(backend: &Arc<dyn Backend>, key: Key) -> BackendResult<String> {
        cache::get_or_refresh::<News, _, _, _>(backend, key, async || "news".to_string()).await
    }
    assert_eq!(news(&two.one, NEWS.key()).await.unwrap(), "news");
    let task = tokio::spawn(async move { news(&two.other, NEWS.key()).await });
    assert_eq!(task.await.unwrap().unwrap(), "news");
}
