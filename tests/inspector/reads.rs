//! The layer that counts reads, and the hit ratios that the page shows.

use std::sync::Arc;

use reinhardt_backends::Backend;
use reinhardt_backends::inspector::{Inspector, Reads};
use reinhardt_backends_tests::on_every_backend;

use crate::model::{Page, cart, fill};
use crate::site::Site;

on_every_backend! {
    hits_and_misses_are_counted_and_the_inspectors_own_reads_are_not
}

async fn hits_and_misses_are_counted_and_the_inspectors_own_reads_are_not<B>(backend: Arc<B>)
where
    B: Backend + 'static,
{
    let reads = Reads::new();
    let backend = Arc::new(backend.layer(reads.clone()));
    fill(&backend).await;
    cart("north", 8).save(&backend).await.unwrap();
    let site = Site::with(Inspector::new(backend.clone(), |_| true).reads(&reads));
    for _ in 0..3 {
        site.page("").await;
        let list = site.page("/keyspaces/cart@2").await;
        site.page(&list.entries()[0]).await;
    }
    let none = site.page("").await;
    assert!(!none.has("%") && none.has("no reads"), "{}", none.text());

    let page = |path: &str| Page {
        path: path.to_string(),
    };
    for _ in 0..3 {
        page("/a:b").get(&backend).await.unwrap().unwrap();
    }
    assert_eq!(page("/none").get(&backend).await.unwrap(), None);
    crate::model::Cart::get_many(&backend, [("north", 7), ("north", 8), ("north", 9)])
        .await
        .unwrap();
    let text = site.page("").await.text();
    assert!(text.contains("75.0 % of 4"), "{text}");
    assert!(text.contains("66.7 % of 3"), "{text}");
    assert!(text.contains("is not read"), "a throttle");
}
