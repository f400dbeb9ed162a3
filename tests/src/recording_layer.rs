//! A layer that records the calls that go through it.

use std::sync::{Arc, Mutex, PoisonError};

use reinhardt_backends::layer::{Answer, Intercept, Next, Op, Operation, Outcome};
use reinhardt_backends::{BackendResult, ErrorKind, KeyStream};

/// A call that went through a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The kind of the call.
    pub op: Op,
    /// The keys of the call, or its prefix.
    pub keys: Vec<String>,
    /// The outcome of the call; `None` for a scan, whose answer is a stream.
    pub outcome: Option<Result<Outcome, ErrorKind>>,
    /// True if the call was made on the fast path.
    pub is_fast: bool,
}

/// A layer that records the calls that go through it, and has a fast path or none.
#[derive(Debug, Clone, Default)]
pub struct Recording<const FAST_PATH: bool>(Arc<Mutex<Vec<Recorded>>>);

impl<const FAST_PATH: bool> Recording<FAST_PATH> {
    /// Returns the calls since the last time, and begins anew.
    pub fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note<T: Answer>(
        &self,
        operation: Operation<'_>,
        answer: Option<&BackendResult<T>>,
        is_fast: bool,
    ) {
        let outcome = answer.map(|answer| match answer {
            Ok(answer) => Ok(answer.outcome()),
            Err(error) => Err(error.kind()),
        });
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(Recorded {
            op: operation.op(),
            keys: operation.keys().map(str::to_string).collect(),
            outcome,
            is_fast,
        });
    }
}

impl<const FAST_PATH: bool> Intercept for Recording<FAST_PATH> {
    const FAST_PATH: bool = FAST_PATH;

    async fn call<T: Answer>(
        &self,
        operation: Operation<'_>,
        next: Next<'_, T>,
    ) -> BackendResult<T> {
        let answer = next.run().await;
        self.note(operation, Some(&answer), false);
        answer
    }

    fn call_now<T: Answer>(
        &self,
        operation: Operation<'_>,
        next: impl FnOnce() -> BackendResult<T>,
    ) -> BackendResult<T> {
        let answer = next();
        self.note(operation, Some(&answer), true);
        answer
    }

    fn keys<'a>(&'a self, operation: Operation<'_>, next: KeyStream<'a>) -> KeyStream<'a> {
        self.note::<bool>(operation, None, false);
        next
    }
}
