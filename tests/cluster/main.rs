//! The Redis backend on a cluster: the contract, slots that move, primaries that fail, and what is
//! asked of several nodes at once.

mod conformance;
mod failover;
mod many;
mod moved;
mod settings;

use std::time::Duration;

use reinhardt_backends::{RedisBackend, RedisBackendBuilder};

/// Long enough for every machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn builder(url: &str) -> RedisBackendBuilder {
    RedisBackend::builder()
        .url(url)
        .call_timeout(PATIENCE)
        .connect_timeout(PATIENCE)
}
