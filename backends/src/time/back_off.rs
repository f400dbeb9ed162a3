//! The retries of a step when another writer was faster.

use std::time::Duration;

use futures_timer::Delay;

use crate::error::{BackendError, ErrorKind};

/// The number of times that other writers may be faster before a call gives up.
pub(crate) const MAX_TRIES: u32 = 128;

/// Waits for a random time below 0.25 ms doubled with every lost race, 16 ms at most ("full
/// jitter").
///
/// The timer isn't on tokio's clock, which a test with paused time would see jump.
pub(crate) async fn back_off(lost: u32) {
    if lost == 0 {
        return;
    }
    let most = Duration::from_micros(250) * (1 << lost.min(6));
    Delay::new(most.mul_f64(fastrand::f64())).await;
}

/// The error of a call when other writers were faster at each of its tries.
pub(crate) fn gave_up() -> BackendError {
    BackendError::new(
        ErrorKind::Conflict,
        format!("gave up after {MAX_TRIES} tries: another writer was faster each time"),
    )
}
