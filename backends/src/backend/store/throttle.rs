//! Throttling in terms of the required methods, for stores that have no step of their own for it.

use super::Store;
use crate::backend::life::{Expiry, Life};
use crate::backend::write::{Condition, Write};
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::quota::{Attempt, Decided, Decision, decide, record_end};
use crate::time::back_off::{MAX_TRIES, back_off};

/// Decides by the stored state and writes the new one, if the stored one hasn't changed meanwhile.
///
/// The entry is its own clock: it holds the time at which it ends, and the store tells the time
/// that is left until then. Time between a look and its write is not seen, so that the clock falls
/// behind by as much at each call that is allowed: it errs on the side of refusing. A caller that
/// gives the entry more time sets that clock back.
pub(super) async fn by_comparing<S: Store + ?Sized>(
    store: &S,
    key: &str,
    attempt: Attempt<'_>,
) -> BackendResult<Decision> {
    attempt.check()?;
    for lost in 0..MAX_TRIES {
        back_off(lost).await;
        let stored = store.read(key).await?;
        let now = match &stored {
            Some((stored, expiry)) => {
                let left = match expiry {
                    Expiry::In(left) => left.as_nanos().div_ceil(1000),
                    // Another caller has taken the end away: it counts from now.
                    Expiry::Never => 0,
                };
                record_end(stored.as_bytes())?
                    .saturating_sub(u64::try_from(left).unwrap_or(u64::MAX))
            }
            None => START,
        };
        let stored = stored.as_ref().map(|(stored, _)| stored.as_bytes());
        let Decided { decision, spent } = decide(&attempt, stored, now)?;
        let Some(spent) = spent else {
            return Ok(decision);
        };
        let condition = stored.map_or(Condition::Absent, Condition::Equals);
        let options = Write::new(Life::In(spent.life)).when(condition);
        if store.put(key, &spent.bytes, options).await? {
            return Ok(decision);
        }
    }
    Err(BackendError::new(
        ErrorKind::Conflict,
        "other attempts were faster every time",
    ))
}

/// The time at which such a clock begins: far enough from zero to be set back.
const START: u64 = 1 << 50;
