//! Layers: the calls that they see, and the things that they leave as they are.

mod calls;
mod events;
mod fast_path;
mod flaky;
mod metrics;
mod order;
mod tracing;

use std::sync::Arc;
use std::time::Duration;

use reinhardt_backends::layer::Op;
use reinhardt_backends::{Backend, Keyspace, MemoryBackend};
use reinhardt_backends_tests::{Recorded, Recording};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "layered-user", ttl = "10m", shared)]
struct User {
    #[keyspace(key)]
    id: u32,
    name: String,
}

#[derive(Keyspace)]
#[keyspace(prefix = "layered-login", limit = "2/1m")]
struct Login {
    client: String,
}

fn ann() -> User {
    User {
        id: 7,
        name: "ann".to_string(),
    }
}

/// The kinds and keys of calls.
fn seen(calls: Vec<Recorded>) -> Vec<(Op, Vec<String>)> {
    calls.into_iter().map(|call| (call.op, call.keys)).collect()
}

fn call(op: Op, keys: &[&str]) -> (Op, Vec<String>) {
    (op, keys.iter().map(|key| key.to_string()).collect())
}
