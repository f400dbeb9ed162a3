//! A flaky backend fails, delays and loses what its rules say, and records what it was asked.

mod chance;
mod clones;
mod faults;
mod holds;
mod record;
mod rules;
mod scans;
mod time;

use reinhardt_backends::layer::Op;
use reinhardt_backends::testing::Flaky;
use reinhardt_backends::{Backend, BackendError, BackendResult, ErrorKind, MemoryBackend};

fn flaky() -> Flaky<MemoryBackend> {
    Flaky::new(MemoryBackend::new())
}

/// Writes so many values and says which writes failed.
async fn failed_writes(flaky: &Flaky<MemoryBackend>, count: usize) -> Vec<bool> {
    let mut failed = Vec::new();
    for _ in 0..count {
        failed.push(flaky.set("key", 1, None).await.is_err());
    }
    failed
}

/// Says whether a call failed with an error of this kind, and whether its outcome is unknown.
fn told<T: std::fmt::Debug>(answer: BackendResult<T>) -> (ErrorKind, bool) {
    let error: BackendError = answer.unwrap_err();
    (error.kind(), error.outcome_unknown())
}
