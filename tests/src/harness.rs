//! The harnesses under which backends are held against the contract.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reinhardt_backends::conformance::{Harness, Server as Breakable};
use reinhardt_backends::inspector::Reads;
use reinhardt_backends::layer::{Intercepted, Observe};
use reinhardt_backends::{Backend, Eviction, MemoryBackend, RedisBackend, Tls};

use crate::{Authority, Cluster, Recording, Server};

/// `RedisBackend` on a private server, each backend in a namespace of its own.
#[derive(Debug)]
pub struct Redis {
    server: Mutex<Server>,
    url: String,
    tls: Option<Tls>,
    namespaces: AtomicUsize,
    namespace: &'static str,
}

impl Default for Redis {
    fn default() -> Self {
        Self::in_namespaces_like("conformance", &[])
    }
}

impl Redis {
    fn in_namespaces_like(namespace: &'static str, settings: &[&str]) -> Self {
        Self::on(Server::with_settings(settings), None, namespace)
    }

    fn on(server: Server, tls: Option<Tls>, namespace: &'static str) -> Self {
        Self {
            url: server.url(),
            tls,
            server: Mutex::new(server),
            namespaces: AtomicUsize::new(0),
            namespace,
        }
    }
}

impl Harness for Redis {
    type Backend = RedisBackend;

    async fn backend(&self) -> RedisBackend {
        let index = self.namespaces.fetch_add(1, Ordering::SeqCst);
        let mut builder = RedisBackend::builder()
            .url(&self.url)
            .namespace(&format!("{}{index}", self.namespace));
        if let Some(tls) = &self.tls {
            builder = builder.tls(tls.clone());
        }
        builder.build().await.expect("the server answers")
    }

    fn server(&self) -> Option<&dyn Breakable> {
        Some(self)
    }
}

impl Breakable for Redis {
    fn pause(&self) {
        self.server.lock().unwrap().pause();
    }

    fn resume(&self) {
        self.server.lock().unwrap().resume();
    }

    fn kill(&self) {
        self.server.lock().unwrap().kill();
    }

    fn restart(&self) {
        self.server.lock().unwrap().restart();
    }
}

/// Implements `Harness` for types that hold the harness `Redis`.
macro_rules! harnesses_around_redis {
    ($($name:ident),*) => {$(
        impl Harness for $name {
            type Backend = RedisBackend;

            async fn backend(&self) -> RedisBackend {
                self.0.backend().await
            }

            fn server(&self) -> Option<&dyn Breakable> {
                self.0.server()
            }
        }
    )*};
}

harnesses_around_redis!(OddNamespace, OldServer, RedisByTls);

/// `RedisBackend` in namespaces with all characters that mean something to Redis.
#[derive(Debug)]
pub struct OddNamespace(Redis);

impl Default for OddNamespace {
    fn default() -> Self {
        Self(Redis::in_namespaces_like("team:a {x}*[^é]%\\", &[]))
    }
}

/// `RedisBackend` on a server that knows no more than an old server or a proxy does: no RESP3, no
/// `INFO` that says what it is, and no `UNLINK`, `GETDEL` and `GETEX`.
#[derive(Debug)]
pub struct OldServer(Redis);

impl Default for OldServer {
    fn default() -> Self {
        let unknown = ["HELLO", "INFO", "UNLINK", "GETDEL", "GETEX"];
        let settings = unknown.map(|command| ["--rename-command", command, ""]);
        Self(Redis::in_namespaces_like("old", settings.as_flattened()))
    }
}

/// `RedisBackend` on a server that is reached by TLS.
#[derive(Debug)]
pub struct RedisByTls(Redis);

impl Default for RedisByTls {
    fn default() -> Self {
        let authority = Authority::new();
        let certificate = authority.certify(&["127.0.0.1"]);
        let tls = Tls::ca_pem(authority.pem()).expect("a certificate");
        let server = Server::on_tls(&authority, &certificate, &[]);
        Self(Redis::on(server, Some(tls), "conformance"))
    }
}

/// `RedisBackend` on a cluster that all tests of a process share.
#[derive(Debug)]
pub struct RedisCluster(Arc<Cluster>);

impl Default for RedisCluster {
    fn default() -> Self {
        Self(Cluster::shared())
    }
}

impl Harness for RedisCluster {
    type Backend = RedisBackend;

    async fn backend(&self) -> RedisBackend {
        static NAMESPACES: AtomicUsize = AtomicUsize::new(0);
        let index = NAMESPACES.fetch_add(1, Ordering::SeqCst);
        let builder = RedisBackend::builder()
            .url(&self.0.url(index % self.0.count()))
            .namespace(&format!("conformance{index}"));
        builder.build().await.expect("the cluster answers")
    }
}

/// `RedisBackend` on a cluster of its own. All nodes of the cluster are broken at once.
#[derive(Debug)]
pub struct RedisClusterAlone(Cluster);

impl Default for RedisClusterAlone {
    fn default() -> Self {
        Self(Cluster::of_primaries(3, &[]))
    }
}

impl Harness for RedisClusterAlone {
    type Backend = RedisBackend;

    async fn backend(&self) -> RedisBackend {
        let builder = RedisBackend::builder().url(&self.0.url_of_all());
        builder.build().await.expect("the cluster answers")
    }

    fn server(&self) -> Option<&dyn Breakable> {
        Some(self)
    }
}

impl Breakable for RedisClusterAlone {
    fn pause(&self) {
        (0..self.0.count()).for_each(|node| self.0.pause(node));
    }

    fn resume(&self) {
        (0..self.0.count()).for_each(|node| self.0.resume(node));
    }

    fn kill(&self) {
        (0..self.0.count()).for_each(|node| self.0.kill(node));
    }

    fn restart(&self) {
        (0..self.0.count()).for_each(|node| self.0.restart(node));
        self.0.await_ok();
    }
}

/// Declares a harness whose backends are made of those of another harness `H`.
macro_rules! harness_around {
    (
        $(#[$docs:meta])*
        $name:ident<H $(, const $flag:ident: bool)?>: $backend:ty, |$inner:ident| $made:expr
    ) => {
        $(#[$docs])*
        #[derive(Debug, Default)]
        pub struct $name<H $(, const $flag: bool)?>(H);

        impl<H: Harness $(, const $flag: bool)?> Harness for $name<H $(, $flag)?> {
            type Backend = $backend;

            async fn backend(&self) -> Self::Backend {
                let $inner = self.0.backend().await;
                $made
            }

            fn run(clause: impl Future<Output = ()>) {
                H::run(clause);
            }

            fn grace(&self) -> Duration {
                self.0.grace()
            }

            fn server(&self) -> Option<&dyn Breakable> {
                self.0.server()
            }
        }
    };
}

harness_around! {
    /// The backends of another harness as `Arc<dyn Backend>`.
    Shared<H>: Arc<dyn Backend>, |backend| Arc::new(backend)
}

harness_around! {
    /// The backends of another harness as `Box<dyn Backend>`.
    Boxed<H>: Box<dyn Backend>, |backend| Box::new(backend)
}

harness_around! {
    /// The backends of another harness in two layers that do nothing but record.
    Layered<H, const FAST_PATH: bool>:
        Intercepted<Recording<FAST_PATH>, Intercepted<Recording<FAST_PATH>, H::Backend>>,
    |backend| backend.layer(Recording::default()).layer(Recording::default())
}

harness_around! {
    /// The backends of another harness, observed by metrics and traces, with their reads counted.
    Observed<H>: Intercepted<Reads, Intercepted<Observe, H::Backend>>,
    |backend| {
        let observed = backend.layer(Observe::new().with_metrics().with_tracing());
        observed.layer(Reads::new())
    }
}

/// A backend that needs nothing but `Default`, in paused time, where entries are absent at their
/// deadline.
#[derive(Debug, Default)]
pub struct InProcess<B>(PhantomData<fn() -> B>);

impl<B: Backend + Default + 'static> Harness for InProcess<B> {
    type Backend = B;

    async fn backend(&self) -> B {
        B::default()
    }

    fn run(clause: impl Future<Output = ()>) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build();
        runtime.expect("a runtime can be built").block_on(clause);
    }

    fn grace(&self) -> Duration {
        Duration::ZERO
    }
}

/// `MemoryBackend` with bounds that no clause reaches, in paused time.
#[derive(Debug, Default)]
pub struct Bounded<const EVICTS: bool>;

impl<const EVICTS: bool> Harness for Bounded<EVICTS> {
    type Backend = MemoryBackend;

    async fn backend(&self) -> MemoryBackend {
        let builder = MemoryBackend::builder()
            .max_entries(1 << 20)
            .max_bytes(1 << 30);
        let eviction = if EVICTS {
            Eviction::S3Fifo
        } else {
            Eviction::Off
        };
        builder.eviction(eviction).build()
    }

    fn run(clause: impl Future<Output = ()>) {
        InProcess::<MemoryBackend>::run(clause);
    }

    fn grace(&self) -> Duration {
        Duration::ZERO
    }
}
