//! The Redis backend on servers that are down, stopped, cut off, full or foreign, and the commands
//! that it really sends.

mod credentials;
mod demoted_primary;
mod down;
mod handshake;
mod lost_answers;
mod merged_commands;
mod paused_writes;
mod permissions;
mod raw_commands;
mod reconnecting;
mod replicas;
mod runtimes;
mod sent_commands;
mod sentinel;
mod settings;
mod stand_in_scripts;
mod status;
mod tls;
mod write_operations;

use std::time::Duration;

use reinhardt_backends::RedisBackend;
use reinhardt_backends_tests::{eventually, patient as builder, recovered, said};
use tokio::runtime::{Builder, Runtime};

/// Long enough for every machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// The limit of calls that are expected to end by it.
const BRIEF: Duration = Duration::from_millis(400);

async fn connect(url: &str) -> RedisBackend {
    builder(url).build().await.unwrap()
}

/// Connects with a brief limit for calls. Calls that are expected to be answered go through
/// [`connect`]: on a slow machine an answer may take longer.
async fn impatient(url: &str) -> RedisBackend {
    builder(url).call_timeout(BRIEF).build().await.unwrap()
}

/// Makes a runtime that stands still unless a caller blocks on it.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}
