//! Clients of caches: what is older than a removal that was acknowledged is never served.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;
use reinhardt_backends::{Backend, BackendResult, Keyspace};
use tokio::time::sleep;

use super::{Looks, Setup};
use crate::client::Planted;
use crate::clock::Clock;
use crate::judge::Violation;

/// So long an article is edited, then another one.
const GENERATION: Duration = Duration::from_millis(200);

/// It is read for so long after the last edit.
const AFTERWARDS: Duration = Duration::from_millis(60);

/// Goes on while its store is away.
#[derive(Debug, Keyspace, Clone, Copy)]
#[keyspace(prefix = "teaser", ttl = "1m", value = u64, on_unavailable = "miss")]
struct Teaser {
    article: u64,
}

/// Is computed by one at a time.
#[derive(Debug, Keyspace, Clone, Copy)]
#[keyspace(prefix = "page", ttl = "1m", value = u64, lease = "1s")]
struct Page {
    #[keyspace(tag)]
    article: u64,
}

/// The source that is cached, and what is known of its cache.
#[derive(Default)]
struct Source {
    /// The version of the article, one higher with each edit.
    version: AtomicU64,
    /// Older versions were removed for certain, by a removal that began at this time.
    removed: Mutex<Option<(u64, Duration)>>,
    is_over: AtomicBool,
}

impl Source {
    fn removed(&self) -> MutexGuard<'_, Option<(u64, Duration)>> {
        self.removed.lock().expect("nobody panics under it")
    }
}

/// An article in one of the two caches.
#[derive(Debug, Clone, Copy)]
enum Article {
    Teaser(Teaser),
    Page(Page),
}

/// Edits articles and removes them from their caches, which others fill and read, in this process
/// or in another one, until the time is over.
pub(super) async fn use_caches(setup: Setup) -> Looks {
    let Setup {
        backend,
        other,
        mut rng,
        clock,
        planted,
    } = setup;
    let mut looks = Looks::default();
    let mut article = 0;
    while !clock.is_over() {
        article += 1;
        let end = clock.now() + GENERATION;
        let mut use_one = |article: Article| {
            let readers = if rng.bool() { &other } else { &backend };
            let client = Client {
                article,
                backend: backend.clone(),
                readers: readers.clone(),
                source: Source::default(),
                clock: clock.clone(),
            };
            let (editor, reader) = (rng.fork(), rng.fork());
            async move {
                let editing = client.edit(end, editor, planted);
                tokio::join!(editing, client.read(reader)).1
            }
        };
        let teaser = use_one(Article::Teaser(Teaser { article }));
        let page = use_one(Article::Page(Page { article }));
        let (teaser, page) = tokio::join!(teaser, page);
        looks.join(teaser);
        looks.join(page);
    }
    looks
}

struct Client {
    article: Article,
    backend: Arc<dyn Backend>,
    /// The store of those who read, which may be that of another process.
    readers: Arc<dyn Backend>,
    source: Source,
    clock: Clock,
}

impl Client {
    /// Edits the article and removes it from its cache.
    async fn edit(&self, end: Duration, mut rng: Rng, planted: Option<Planted>) {
        let source = &self.source;
        while self.clock.now() < end {
            // First the source, then the cache.
            let version = source.version.fetch_add(1, SeqCst) + 1;
            let began = self.clock.now();
            let removed = self.remove(version - 1).await;
            if removed.is_ok() || planted == Some(Planted::ForgottenRemoval) {
                *source.removed() = Some((version, began));
            }
            sleep(Duration::from_millis(rng.u64(0..8))).await;
        }
        // Also the removal that has waited for the end of a fault is read after.
        sleep(AFTERWARDS).await;
        source.is_over.store(true, SeqCst);
    }

    async fn remove(&self, version: u64) -> BackendResult<bool> {
        match self.article {
            Article::Teaser(teaser) => {
                // The one who removes writes as well: without a lease a write that began before a
                // removal of somebody else may come after it.
                // As long as the outcome of that isn't known no removal is acknowledged.
                let _ = teaser.set(&self.backend, version).await;
                sleep(Duration::from_millis(2)).await;
                teaser.delete(&self.backend).await
            }
            Article::Page(page) => page.delete(&self.backend).await,
        }
    }

    /// Reads the article from its cache, and fills that.
    async fn read(&self, mut rng: Rng) -> Looks {
        let mut looks = Looks::default();
        let source = &self.source;
        while !source.is_over.load(SeqCst) {
            let removed = *source.removed();
            let from = self.clock.now();
            if let Ok(Some(version)) = self.get(rng.bool()).await
                && let Some((removed, began)) = removed
            {
                let article = self.article;
                let text = || format!("{article:?} at {from:?}: {version} after {removed}");
                let violation = (version < removed).then(|| Violation::Outdated(text()));
                looks.add([began, self.clock.now()], violation);
            }
            sleep(Duration::from_millis(rng.u64(0..4))).await;
        }
        looks
    }

    async fn get(&self, computes: bool) -> BackendResult<Option<u64>> {
        match self.article {
            Article::Teaser(teaser) => teaser.get(&self.readers).await,
            // Who asks after a removal gets what is stored, or what is computed later.
            Article::Page(page) if computes => {
                let computed = page.get_or_compute(&self.readers, async || {
                    let version = self.source.version.load(SeqCst);
                    sleep(Duration::from_millis(version % 4)).await;
                    version
                });
                computed.await.map(Some)
            }
            Article::Page(page) => page.get(&self.readers).await,
        }
    }
}
