//! The tools that the tests of reinhardt-backends share: private servers that can be broken, cables
//! that can be cut, and measuring.

mod certificates;
mod cluster;
mod fake_backend;
mod fake_server;
mod harness;
pub mod measure;
mod peer_process;
mod proxy;
mod recording_layer;
mod sentinel;
mod server;
mod traffic;

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use reinhardt_backends::Backend;
use reinhardt_backends::redis::Cmd;

pub use certificates::{Authority, Certificate};
pub use cluster::Cluster;
pub use fake_backend::{PosingBackend, StepwiseBackend};
pub use fake_server::{Answer, FakeServer};
pub use harness::{
    Bounded, Boxed, InProcess, Layered, Observed, OddNamespace, OldServer, Redis, RedisByTls,
    RedisCluster, RedisClusterAlone, Shared,
};
pub use peer_process::PeerProcess;
pub use proxy::Proxy;
pub use recording_layer::{Recorded, Recording};
pub use sentinel::{Service, watching};
pub use server::{Server, patient};
pub use traffic::{Outcome, Traffic};

/// The code of the README, compiled and run with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// The code of the guide's pages; they need more crates than the library has.
#[cfg(doctest)]
pub mod guide {
    #[doc = include_str!("../../backends/docs/testing.md")]
    pub struct Testing;

    #[doc = include_str!("../../backends/docs/starting.md")]
    pub struct Starting;

    #[doc = include_str!("../../backends/docs/health.md")]
    pub struct Health;

    #[doc = include_str!("../../backends/docs/redis.md")]
    pub struct Redis;

    #[doc = include_str!("../../backends/docs/failures.md")]
    pub struct Failures;

    #[doc = include_str!("../../backends/docs/production.md")]
    pub struct Production;

    #[doc = include_str!("../../backends/docs/scope.md")]
    pub struct Scope;

    #[doc = include_str!("../../backends/docs/coming-from.md")]
    pub struct ComingFrom;

    #[doc = include_str!("../../backends/docs/observing.md")]
    pub struct Observing;

    #[doc = include_str!("../../backends/docs/inspecting.md")]
    pub struct Inspecting;
}

/// Makes three tests of each function: the two of `on_both_backends`, and one on a cluster. All
/// tests of a process share the cluster; each has a namespace of its own.
#[macro_export]
macro_rules! on_every_backend {
    ($($test:ident)*) => {
        $crate::on_both_backends! { $($test)* }

        mod cluster {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                let cluster = $crate::Cluster::shared();
                super::$test(::std::sync::Arc::new(cluster.connect().await)).await;
            })*
        }
    };
}

/// Makes two tests of each function: on a memory backend, and on a private server.
#[macro_export]
macro_rules! on_both_backends {
    ($($test:ident)*) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                super::$test(::std::sync::Arc::new(::reinhardt_backends::MemoryBackend::new())).await;
            })*
        }

        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                let server = $crate::Server::start();
                super::$test(::std::sync::Arc::new(server.connect().await)).await;
            })*
        }
    };
}

/// Waits until `reached` holds.
///
/// # Panics
///
/// If that takes more than half a minute.
pub async fn eventually(mut reached: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !reached().await {
        assert!(Instant::now() < deadline, "not reached");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until a backend answers again.
///
/// # Panics
///
/// If that takes more than half a minute.
pub async fn recovered(backend: &impl Backend) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while let Err(error) = backend.ping().await {
        assert!(Instant::now() < deadline, "{error}");
    }
}

/// Returns everything that an error says, its causes included.
pub fn said(error: &dyn Error) -> String {
    let mut said = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        said += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    said
}

/// Returns the command of a line, whose words stand one space apart.
pub fn command(line: &str) -> Cmd {
    let mut command = Cmd::new();
    line.split(' ').for_each(|word| {
        command.arg(word);
    });
    command
}

/// Waits until a condition holds on which servers have to agree.
///
/// # Panics
///
/// If that takes more than a minute.
fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
