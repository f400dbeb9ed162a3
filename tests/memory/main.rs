//! The features that only the memory backend has: bounds, eviction, reports about itself, and
//! decoded values.

mod bounds;
mod changes_in_a_full_store;
mod clocks;
mod decoded_values;
mod eviction;
mod listener_and_stats;
mod moves_in_a_full_store;

use std::future::Future;
use std::time::{Duration, Instant};

use futures::FutureExt;

/// Returns the output of a future that is ready at once, as the futures of a memory backend are. It
/// can be called from anywhere.
#[track_caller]
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("memory answers at once")
}

/// Waits until something is so; fails when it isn't within a time that no machine needs.
#[track_caller]
fn wait_until(mut reached: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !reached() {
        assert!(Instant::now() < deadline, "not reached in 60 s");
        std::thread::sleep(Duration::from_millis(5));
    }
}
