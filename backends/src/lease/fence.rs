//! Numbers that only grow, so that a resource can tell a newer holder of a lease from an older one.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::backend::{Backend, Condition, Life, Write};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The counter of a backend. One counter serves all leases, without an end: a counter for each name
/// would stay behind for each name.
///
/// No keyspace has this key: a prefix holds no `@`, and behind a prefix stands a version or a
/// colon.
pub(super) const COUNTER: &str = "lease@fence";
/// A counter that began at zero is below this number, and a counter that began at the time of day
/// is above it: microseconds up to September 2005.
const FLOOR: i64 = 1 << 50;

/// Returns a number that is greater than all that were returned before this call began.
///
/// A counter that isn't there is begun at the microseconds since 1970, not at zero. A store that
/// forgot everything (`clear`, an eviction, a restart without a file) therefore goes on with
/// greater numbers too, as long as fewer than a million leases a second were granted and the clocks
/// of the processes that begin the counter are right to within its age.
pub(super) async fn next<B: Backend>(backend: &B) -> BackendResult<u64> {
    loop {
        let number = backend.add(COUNTER, 1, None).await?.value;
        if number < 0 {
            return Err(foreign());
        }
        if number >= FLOOR {
            return Ok(number.unsigned_abs());
        }
        // Only ever lifted: the counter holds less than the floor when this happens, if it happens.
        // A caller that sees it lifted by somebody else counts again, as the caller that lifted it
        // does.
        let (low, lifted) = (number.to_string(), begin().to_string());
        let options = Write::new(Life::Keep).when(Condition::Equals(low.as_bytes()));
        (backend.put(COUNTER, lifted.as_bytes(), options)).await?;
    }
}

/// Returns the number at which a counter begins now.
fn begin() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = now.map_or(0, |now| i64::try_from(now.as_micros()).unwrap_or(FLOOR));
    micros.max(FLOOR)
}

fn foreign() -> BackendError {
    BackendError::new(
        ErrorKind::WrongType,
        "the counter of fencing numbers was changed by somebody else: it is below zero",
    )
}
