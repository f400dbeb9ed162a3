//! The clock that sessions end by.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Wall-clock time that never goes back and follows tokio's paused clock.
///
/// The later of two clocks: the system's, which counts while the machine sleeps, and the one that has run since the clock was
/// made, which setting the system's back doesn't move.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    made: Instant,
    made_at: u64,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self {
            made: Instant::now(),
            made_at: system(),
        }
    }

    /// Returns the time, in milliseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        let counted = self.made_at.saturating_add(millis(self.made.elapsed()));
        counted.max(system())
    }
}

/// Counts whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

/// Returns the system's time, in milliseconds since 1970.
pub(super) fn system() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    millis(since.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_follows_the_paused_clock() {
        let clock = Clock::new();
        let before = clock.now();
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert!(clock.now() >= before + 3_600_000);
    }

    #[test]
    fn a_system_clock_set_back_does_not_move_it() {
        let hour = 3_600_000;
        let clock = Clock {
            made: Instant::now(),
            made_at: system() + hour,
        };
        assert!(clock.now() >= system() + hour - 1000);
    }

    #[test]
    fn what_the_machine_slept_counts() {
        let hour = 3_600_000;
        let clock = Clock {
            made: Instant::now(),
            made_at: system() - hour,
        };
        assert!(clock.now() >= clock.made_at + hour);
    }
}
