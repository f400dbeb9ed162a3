//! Moving an entry where no step of a store can do it.

use std::time::Duration;

use super::{NewEntry, Store};
use crate::backend::life::Life;
use crate::backend::write::{Condition, Write};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// Moves an entry in several calls: other callers may see both entries meanwhile.
pub(crate) async fn move_in_steps<S: Store + ?Sized>(
    store: &S,
    from: &str,
    expected: &[u8],
    to: NewEntry<'_>,
    over: Option<&[u8]>,
) -> BackendResult<bool> {
    store.info().limits.check_key(from)?;
    let life = to.life.checked()?;
    if from == to.key {
        return Ok(false);
    }
    let (condition, replaced) = match over {
        None => (Condition::Absent, None),
        Some(over) => match store.read(to.key).await? {
            Some((stored, expiry)) if stored.as_bytes() == over => {
                (Condition::Equals(over), Some((stored, expiry)))
            }
            _ => return Ok(false),
        },
    };
    let options = Write::new(life).when(condition);
    if !store.put(to.key, to.value, options).await? {
        return Ok(false);
    }
    let outcome = match store.remove(from, Some(expected)).await {
        Ok(true) => return Ok(true),
        Ok(false) => Ok(false),
        // The old entry may be gone, and the new one all that is left.
        Err(error) if error.outcome_unknown() => return Err(error),
        Err(error) => Err(error),
    };
    let is_ours = Condition::Equals(to.value);
    let taken_back = match &replaced {
        Some((stored, expiry)) => {
            let options = Write::new((*expiry).into()).when(is_ours);
            store.put(to.key, stored.as_bytes(), options).await
        }
        None if outcome.is_ok() => store.remove(to.key, Some(to.value)).await,
        // Removing has just failed, writing has not.
        None => {
            let soon = Life::In(Duration::from_millis(1));
            let options = Write::new(soon).when(is_ours);
            store.put(to.key, to.value, options).await
        }
    };
    match taken_back {
        Ok(true) => outcome,
        Ok(false) => match store.read(to.key).await {
            // It has ended, or was removed, and nothing is left of it.
            Ok(None) => outcome,
            // Another caller may have made something of it.
            Ok(Some(_)) => Err(outcome.err().unwrap_or_else(used).with_outcome_unknown()),
            Err(error) => Err(outcome.err().unwrap_or(error).with_outcome_unknown()),
        },
        Err(error) => Err(outcome.err().unwrap_or(error).with_outcome_unknown()),
    }
}

fn used() -> BackendError {
    BackendError::new(
        ErrorKind::Conflict,
        "other callers have changed both entries of a move that is made in steps",
    )
}
