//! Cache-aside: a slow page is computed once, however many callers ask for it at the same time, and
//! an old page is served while it is refreshed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reinhardt_backends::{BackendError, BackendResult, Keyspace, MemoryBackend};

#[derive(Keyspace)]
#[keyspace(prefix = "page", ttl = "5m", value = String)]
struct Page<'a> {
    locale: &'a str,
    path: &'a str,
}

/// News that are fresh for a fifth of a second, and good enough for an hour more. They are computed
/// once across processes.
#[derive(Keyspace)]
#[keyspace(prefix = "news", ttl = "200ms", value = String, stale = "1h")]
struct News;

#[tokio::main]
async fn main() -> BackendResult<()> {
    let backend = MemoryBackend::new();
    let renders = Arc::new(AtomicUsize::new(0));

    let readers = (0..100).map(|_| {
        let (backend, renders) = (backend.clone(), renders.clone());
        tokio::spawn(async move {
            let page = Page {
                locale: "en",
                path: "/",
            };
            page.get_or_set_with(&backend, || render("en", "/", &renders))
                .await
        })
    });
    for reader in readers.collect::<Vec<_>>() {
        reader.await.expect("no reader panics")?;
    }
    println!(
        "100 readers at once, rendered {} time(s)",
        renders.load(Ordering::SeqCst)
    );

    let page = Page {
        locale: "en",
        path: "/",
    };
    let failing = Page {
        locale: "de",
        path: "/",
    };
    let failed: Result<String, Failed> = failing
        .get_or_set_with(&backend, || async { Err(Failed) })
        .await;
    println!(
        "a failure is not stored: {}, there: {}",
        failed.is_err(),
        failing.exists(&backend).await?
    );

    println!("after an edit it goes: {}", page.delete(&backend).await?);
    page.get_or_set_with(&backend, || render("en", "/", &renders))
        .await?;
    println!(
        "and is rendered anew: {} times",
        renders.load(Ordering::SeqCst)
    );

    let count = Arc::new(AtomicUsize::new(0));
    let news = || {
        let count = count.clone();
        // The closure owns its captures, because a refresh goes on when its caller has gone.
        News.get_or_compute(&backend, async move || {
            format!("news {}", count.fetch_add(1, Ordering::SeqCst))
        })
    };
    println!("first: {}", news().await?);
    tokio::time::sleep(Duration::from_millis(300)).await;
    println!("old, and refreshed in the background: {}", news().await?);
    tokio::time::sleep(Duration::from_millis(50)).await;
    println!("refreshed: {}", news().await?);
    Ok(())
}

async fn render(locale: &str, path: &str, renders: &AtomicUsize) -> BackendResult<String> {
    renders.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok(format!("<h1>{path} in {locale}</h1>"))
}

/// An error type of the service's own. It must convert from the library's error.
#[derive(Debug)]
struct Failed;

impl From<BackendError> for Failed {
    fn from(_: BackendError) -> Self {
        Self
    }
}
