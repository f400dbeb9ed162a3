//! The time of a schedule, and when its clients stop.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Clients go on for so long after the last fault was mended.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// The time since a schedule began.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    began: Instant,
    time: Duration,
    /// The time at which the last fault was mended.
    mended: Arc<OnceLock<Duration>>,
}

impl Clock {
    /// Begins now; clients go on for `time`, or for as long as there are faults.
    pub(super) fn new(time: Duration) -> Self {
        Self {
            began: Instant::now(),
            time,
            mended: Arc::default(),
        }
    }

    /// Returns the time since the schedule began.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Returns the same in nanoseconds.
    pub(super) fn nanos(&self) -> u64 {
        nanos(self.now())
    }

    /// Notes that all faults are mended.
    pub(super) fn mended(&self) {
        self.mended.get_or_init(|| self.now());
    }

    /// Says whether clients stop.
    pub(super) fn is_over(&self) -> bool {
        let mended = self.mended.get();
        mended.is_some_and(|mended| self.now() >= self.time.max(*mended + AFTERWARDS))
    }
}

/// Returns a time in nanoseconds, as calls have it.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("some minutes")
}
