//! Throttling in terms of the required methods, for backends that have no step of their own for it.

use super::attempt::{Attempt, Decision};
use super::standing::{Outcome, decide, end};
use crate::backend::{Backend, Condition, Expiry, Life, Write};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// How often others may be faster before a call gives up.
const TRIES: usize = 1000;

/// Decides by what is stored and writes what is spent, if that hasn't changed meanwhile.
///
/// The entry is its own clock: it holds when it ends, and the store says how long that is from now. What passes between
/// the look and the write is not seen, so that the clock falls behind by as much: it errs on the side of refusing.
pub(crate) async fn throttle<B: Backend + ?Sized>(
    backend: &B,
    key: &str,
    attempt: Attempt<'_>,
) -> BackendResult<Decision> {
    attempt.check()?;
    for _ in 0..TRIES {
        let stored = backend.read(key).await?;
        let now = match &stored {
            Some((stored, expiry)) => {
                let left = match expiry {
                    Expiry::In(left) => left.as_nanos().div_ceil(1000),
                    // Somebody has taken the end away: it counts from now.
                    Expiry::Never => 0,
                };
                end(stored.as_bytes())?.saturating_sub(u64::try_from(left).unwrap_or(u64::MAX))
            }
            None => 0,
        };
        let stored = stored.as_ref().map(|(stored, _)| stored.as_bytes());
        let Outcome { decision, spent } = decide(&attempt, stored, now)?;
        let Some(spent) = spent else {
            return Ok(decision);
        };
        let condition = stored.map_or(Condition::Absent, Condition::Equals);
        let options = Write::new(Life::In(spent.life)).when(condition);
        if backend.write(key, &spent.bytes, options).await? {
            return Ok(decision);
        }
    }
    Err(BackendError::new(
        ErrorKind::Conflict,
        "other attempts were faster every time",
    ))
}
