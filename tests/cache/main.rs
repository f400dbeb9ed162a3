//! Values that are computed once across processes, and old values that are served while they are
//! refreshed.

/// Declares a keyspace of values that goes on while its store is away; each test has its own.
macro_rules! goes_on {
    ($name:ident, $prefix:literal $(, $word:ident)?) => {
        #[derive(Debug, Clone, Copy, Keyspace)]
        #[keyspace(prefix = $prefix, ttl = "5m", value = u32, on_unavailable = "miss" $(, $word)?)]
        struct $name {
            article: u32,
        }
    };
}

mod bounded_harm;
mod calls_per_accessor;
mod dead_servers;
mod expiry_boundaries;
mod infallible;
mod invalidation_races;
mod lease_keys;
mod lease_lives;
mod leases_in_a_full_store;
mod lost_writes;
mod missing_values;
mod processes;
mod removal_history;
mod shared_results;
mod spawned_computations;
mod stale_values;
mod stalled_runtimes;
mod unstored_values;
mod without_a_store;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use reinhardt_backends::testing::Flaky;
use reinhardt_backends::{Backend, BackendError, ErrorKind, Keyspace, Life, MemoryBackend};
use reinhardt_backends_tests::{Cluster, PosingBackend, Server};
use tokio::sync::Semaphore;

/// A time that no machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A page that is computed once across processes.
#[derive(Debug, Clone, Copy, PartialEq, Keyspace)]
#[keyspace(prefix = "page", ttl = "5m", value = String, lease = "10s")]
struct Page {
    site: u32,
    page: u32,
}

/// A page that is computed once in a process.
#[derive(Debug, Clone, Copy, PartialEq, Keyspace)]
#[keyspace(prefix = "plain", ttl = "5m", value = String)]
struct Plain {
    page: u32,
}

/// News that are served for ten minutes after their minute is over.
#[derive(Debug, Clone, Copy, PartialEq, Keyspace)]
#[keyspace(prefix = "news", ttl = "1m", value = String, stale = "10m")]
struct News {
    site: u32,
    page: u32,
}

const PAGE: Page = Page { site: 1, page: 2 };
const PLAIN: Plain = Plain { page: 2 };
const NEWS: News = News { site: 1, page: 2 };

/// Two backends of one store, as two processes have them.
struct Two {
    one: Arc<dyn Backend>,
    other: Arc<dyn Backend>,
    _server: Option<Server>,
    _cluster: Option<Arc<Cluster>>,
}

impl Two {
    /// One knows that the store is in this process, the other doesn't.
    fn in_memory() -> Self {
        let memory = MemoryBackend::new();
        Self {
            one: lasting(memory.clone()),
            other: lasting(PosingBackend::in_another_process(memory)),
            _server: None,
            _cluster: None,
        }
    }

    async fn on_a_cluster() -> Self {
        let cluster = Cluster::shared();
        let [one, other] = cluster.connect_several().await;
        Self {
            one: lasting(one),
            other: lasting(other),
            _server: None,
            _cluster: Some(cluster),
        }
    }

    async fn on_a_server() -> Self {
        let server = Server::start();
        Self {
            one: lasting(server.connect().await),
            other: lasting(server.connect().await),
            _server: Some(server),
            _cluster: None,
        }
    }
}

/// A backend that is never freed: a [`PosingBackend`] is known by its address, and the next test's
/// would be taken for this one while that pauses between refreshes.
fn lasting(backend: impl Backend + 'static) -> Arc<dyn Backend> {
    let backend: Arc<dyn Backend> = Arc::new(backend);
    std::mem::forget(backend.clone());
    backend
}

fn flaky() -> Flaky<MemoryBackend> {
    Flaky::new(MemoryBackend::new())
}

/// Makes two tests of each function: on a memory store, and on a private server.
macro_rules! on_both_stores {
    ($($test:ident)*) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(crate::Two::in_memory()).await;
            })*
        }

        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(crate::Two::on_a_server().await).await;
            })*
        }
    };
}
use on_both_stores;

/// Makes three tests of each function: as `on_both_stores`, and on a cluster.
macro_rules! on_every_store {
    ($($test:ident)*) => {
        crate::on_both_stores! { $($test)* }

        mod cluster {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(crate::Two::on_a_cluster().await).await;
            })*
        }
    };
}
use on_every_store;

/// The source of cached values. Each computation has another number, begins at once and ends when
/// the test lets it.
#[derive(Debug)]
struct Source {
    begun: AtomicUsize,
    may_end: Semaphore,
}

impl Source {
    /// Returns a source whose computations end at once.
    fn open() -> Arc<Self> {
        let source = Self::closed();
        source.open_for(1_000_000);
        source
    }

    fn closed() -> Arc<Self> {
        Arc::new(Self {
            begun: AtomicUsize::new(0),
            may_end: Semaphore::new(0),
        })
    }

    fn open_for(&self, computations: usize) {
        self.may_end.add_permits(computations);
    }

    fn begun(&self) -> usize {
        self.begun.load(SeqCst)
    }

    async fn compute(&self) -> Result<String, BackendError> {
        let number = self.begun.fetch_add(1, SeqCst);
        self.may_end.acquire().await.unwrap().forget();
        Ok(format!("computed {number}"))
    }

    /// Gets a page, in a task of its own.
    fn page(self: &Arc<Self>, backend: &Arc<dyn Backend>) -> tokio::task::JoinHandle<String> {
        let (source, backend) = (self.clone(), backend.clone());
        tokio::spawn(async move {
            let page = PAGE.get_or_set_with(&backend, || source.compute()).await;
            page.unwrap()
        })
    }

    /// Gets news.
    async fn news(self: &Arc<Self>, backend: &Arc<dyn Backend>) -> String {
        let source = self.clone();
        let compute = || async move { source.compute().await };
        NEWS.get_or_set_with(backend, compute).await.unwrap()
    }
}

fn failure() -> BackendError {
    BackendError::new(ErrorKind::Other, "no template")
}

/// Waits until a condition holds. Fails if it doesn't within a time that no machine needs.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let reached = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let reached = tokio::time::timeout(PATIENCE, reached).await;
    assert!(reached.is_ok(), "never: {what}");
}

/// Makes news that have a second of their minute, and then more of their ten minutes, behind them.
async fn age(backend: &dyn Backend, news: News) {
    let left = Life::In(Duration::from_secs(9 * 60));
    assert!(backend.expire(&news.key(), left).await.unwrap());
}
