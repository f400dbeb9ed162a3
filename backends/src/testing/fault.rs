//! The faults that a rule brings about, and the errors that callers get.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::hold_gate::HoldGate;
use super::record::RecordedCall;
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::layer::Op;
use crate::time::back_off;
use crate::time::sleep::sleep;

/// A call that is under way.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) call: RecordedCall,
    pub(super) is_read: bool,
}

/// Something that happens to a call, and when.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) when: When,
    pub(super) effect: Effect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Before the call has its effect. A fault that is an error keeps the call from having it.
    Before,
    /// After the call had its effect, before the caller gets the answer.
    After,
}

#[derive(Clone)]
pub(super) enum Effect {
    Pass,
    Fail(ErrorKind),
    FailWith(BackendError),
    Lose,
    TimeOut(Duration),
    Delay(Duration),
    Hang,
    Hold(Arc<HoldGate>),
    Run(Hook),
}

/// Code of a test that runs at a call.
#[derive(Clone)]
pub(super) struct Hook(Arc<Run>);

type Run = dyn Fn(RecordedCall) -> BoxFuture<'static, BackendResult<()>> + Send + Sync;

impl Fault {
    pub(super) fn before(effect: Effect) -> Self {
        let when = When::Before;
        Self { when, effect }
    }

    pub(super) fn after(effect: Effect) -> Self {
        let when = When::After;
        Self { when, effect }
    }

    /// Lets the fault happen to a call.
    ///
    /// # Errors
    ///
    /// The error that the caller gets.
    pub(super) async fn happen(&self, asked: &Asked) -> BackendResult<()> {
        let error = match &self.effect {
            Effect::Pass => return Ok(()),
            Effect::Fail(kind) => failure(*kind),
            Effect::FailWith(error) => return Err(error.clone()),
            Effect::Lose => asked.unanswered(lost()),
            Effect::TimeOut(limit) => {
                pause(*limit).await;
                asked.unanswered(timed_out(*limit))
            }
            Effect::Delay(time) => {
                pause(*time).await;
                return Ok(());
            }
            Effect::Hang => return std::future::pending().await,
            Effect::Hold(gate) => {
                gate.pass().await;
                return Ok(());
            }
            Effect::Run(hook) => return (hook.0)(asked.call.clone()).await,
        };
        Err(asked.failed(error))
    }
}

impl Asked {
    /// Marks the error of a call that was sent and not answered.
    fn unanswered(&self, error: BackendError) -> BackendError {
        match self.is_read {
            true => error,
            false => error.with_outcome_unknown(),
        }
    }

    /// Names the entries of a call that writes several: none of them is acknowledged.
    fn failed(&self, error: BackendError) -> BackendError {
        match self.call.op {
            Op::WriteMany => error.with_failed_indices((0..self.call.keys.len()).collect()),
            _ => error,
        }
    }
}

impl Hook {
    pub(super) fn new<F, Fut>(hook: F) -> Self
    where
        F: Fn(RecordedCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = BackendResult<()>> + Send + 'static,
    {
        Self(Arc::new(move |call| Box::pin(hook(call))))
    }
}

/// Leaves out what is a test's own: hooks, and all but the kind of an error.
impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("pass"),
            Self::Fail(kind) => write!(f, "fail({kind:?})"),
            Self::FailWith(error) => write!(f, "fail_with({:?}, ..)", error.kind()),
            Self::Lose => f.write_str("lose"),
            Self::TimeOut(limit) => write!(f, "time_out({limit:?})"),
            Self::Delay(time) => write!(f, "delay({time:?})"),
            Self::Hang => f.write_str("hang"),
            Self::Hold(_) => f.write_str("hold"),
            Self::Run(_) => f.write_str("run(..)"),
        }
    }
}

/// Says whether a call was refused for what it was given. A call with bad input is never sent, so
/// its answer can't be lost.
pub(super) fn was_not_sent<T>(answer: &BackendResult<T>) -> bool {
    let kind = answer.as_ref().err().map(BackendError::kind);
    matches!(
        kind,
        Some(
            ErrorKind::InvalidKey
                | ErrorKind::InvalidTtl
                | ErrorKind::InvalidConfig
                | ErrorKind::TooLarge
                | ErrorKind::Unsupported
        )
    )
}

/// Returns an error as the Redis backend words it.
fn failure(kind: ErrorKind) -> BackendError {
    let said = |code: &str| BackendError::new(kind, format!("the server answered {code}"));
    match kind {
        ErrorKind::Unavailable => refused(),
        ErrorKind::Timeout => timed_out(LIMIT),
        ErrorKind::Conflict => back_off::gave_up(),
        ErrorKind::Denied => said("NOPERM"),
        ErrorKind::WrongType => said("WRONGTYPE"),
        ErrorKind::Overflow => said("OVERFLOW"),
        ErrorKind::Full => said("OOM"),
        ErrorKind::Unsupported => {
            BackendError::new(kind, "the server doesn't know a command (ERR)")
        }
        ErrorKind::Other => said("ERR"),
        _ => BackendError::new(kind, "a rule of the test says so"),
    }
}

/// Returns the error of a call while nobody listens at the server's address.
fn refused() -> BackendError {
    let cause = io::Error::from(io::ErrorKind::ConnectionRefused);
    unavailable(format!("{SERVER} refused the connection"), cause)
}

/// Returns the error of a call whose connection broke before the answer came.
fn lost() -> BackendError {
    let cause = io::Error::from(io::ErrorKind::ConnectionAborted);
    unavailable(format!("the connection to {SERVER} was lost"), cause)
}

fn unavailable(message: String, cause: io::Error) -> BackendError {
    BackendError::new(ErrorKind::Unavailable, message).with_source(cause)
}

fn timed_out(limit: Duration) -> BackendError {
    BackendError::new(ErrorKind::Timeout, format!("no answer within {limit:?}"))
}

async fn pause(time: Duration) {
    sleep(time.min(FOR_EVER)).await;
}

/// The address of the server that errors speak of.
const SERVER: &str = "flaky:6379";

/// The limit of time that an error names where a rule names none.
const LIMIT: Duration = Duration::from_secs(1);

/// A time that every timer can wait for.
const FOR_EVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
