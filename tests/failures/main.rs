//! Every row of the page "When things break" is provoked, and the word of the row for the write is
//! checked in the store.
//!
//! A test claims by [`row!`] which row it provokes, by which kind, and what became of the write.
//! The page and the claims are compared as a whole: neither may have what the other hasn't.

mod before_sending;
mod cluster;
mod connecting;
mod credentials;
mod lost_answers;
mod page;
mod raw_commands;
mod refusals;
mod replicas;
mod runtimes;
mod sentinel;
mod tls;
mod typed;
mod witness;

use std::sync::Arc;
use std::time::Duration;

use reinhardt_backends::{Backend, BackendError, RedisBackend, RedisBackendBuilder};
use reinhardt_backends_tests::{Server, patient, recovered};

/// Long enough for every machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// The limit of calls that are expected to end by it.
const BRIEF: Duration = Duration::from_millis(400);

/// The settings of a server that still has its entries after it was killed.
const THAT_KEEPS: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

async fn connect(url: &str) -> RedisBackend {
    patient(url).build().await.unwrap()
}

/// Makes a backend that connects at its first call.
fn lazy(builder: RedisBackendBuilder) -> RedisBackend {
    builder.build_lazy().unwrap()
}

/// Tries to connect, in vain.
async fn refused(url: &str) -> BackendError {
    patient(url).build().await.unwrap_err()
}

/// Connects to a server as a user of some rights.
fn as_user(server: &Server, rights: &str) -> RedisBackend {
    let set = server.command(&format!("ACL SETUSER app reset on >pa55 {rights}"));
    assert!(!set.starts_with('-'), "{set}");
    lazy(patient(&format!(
        "redis://app:pa55@127.0.0.1:{}",
        server.port()
    )))
}

fn shared(backend: RedisBackend) -> Arc<dyn Backend> {
    Arc::new(backend)
}
