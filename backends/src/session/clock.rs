//! The clock that sessions end by.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall-clock time that follows tokio's paused clock.
///
/// It is the system's time when it was made and what tokio has counted since. If the system's clock has gone further than a
/// monotonic one, because the machine slept or it was set forward, that is added; if it was set back, nothing is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    made_at: u64,
    made: tokio::time::Instant,
    /// The same moment on a clock that no test pauses: what passes there while tokio's stands still must not count.
    really_made: Instant,
}

/// Less than this is no sleep but the time between two looks at two clocks, in milliseconds.
const NOTHING: u64 = 1000;

impl Clock {
    pub(super) fn new() -> Self {
        Self {
            made_at: system(),
            made: tokio::time::Instant::now(),
            really_made: Instant::now(),
        }
    }

    /// Returns the time, in milliseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        let counted = self.made_at.saturating_add(millis(self.made.elapsed()));
        counted.saturating_add(self.skipped())
    }

    /// Returns how much further the system's clock has gone than a monotonic one.
    fn skipped(&self) -> u64 {
        let really = millis(self.really_made.elapsed());
        let expected = self.made_at.saturating_add(really);
        match system().saturating_sub(expected) {
            ..NOTHING => 0,
            skipped => skipped,
        }
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

    const HOUR: u64 = 3_600_000;

    #[tokio::test(start_paused = true)]
    async fn it_follows_the_paused_clock_and_nothing_else() {
        let clock = Clock::new();
        let before = clock.now();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(clock.now(), before);
        tokio::time::advance(Duration::from_millis(HOUR)).await;
        assert_eq!(clock.now(), before + HOUR);
    }

    #[test]
    fn a_system_clock_set_back_does_not_move_it() {
        let made_at = system() + HOUR;
        let clock = Clock {
            made_at,
            ..Clock::new()
        };
        assert!(clock.now() >= made_at);
    }

    #[test]
    fn what_the_machine_slept_counts() {
        let made_at = system() - HOUR;
        let clock = Clock {
            made_at,
            ..Clock::new()
        };
        assert!(clock.now() >= made_at + HOUR);
    }
}
