//! The clock that sessions end by.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall-clock time that follows tokio's paused clock.
///
/// It is the system's time when it was made and what tokio has counted since. If the system's clock
/// has gone further than a monotonic one, because the machine slept or it was set forward, that is
/// added; if it was set back, nothing is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WallClock {
    made_at: u64,
    made: tokio::time::Instant,
    /// The same moment on a clock that no test pauses: what passes there while tokio's stands still
    /// must not count.
    really_made: Instant,
}

/// Less than this, in milliseconds, is no sleep but the clock being adjusted, or the time between
/// two looks at two clocks.
const ADJUSTMENT: u64 = 1000;

impl WallClock {
    pub(crate) fn new() -> Self {
        // Before the system's time: what passes in between must not look like a sleep.
        let really_made = Instant::now();
        Self {
            made_at: system(),
            made: tokio::time::Instant::now(),
            really_made,
        }
    }

    /// Returns the time, in milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        // In this order, for the same reason.
        let system = system();
        self.at(system, self.really_made.elapsed())
    }

    /// Returns the time when the system says `system` and a monotonic clock has gone on by
    /// `really`.
    fn at(&self, system: u64, really: Duration) -> u64 {
        let counted = self.made_at.saturating_add(millis(self.made.elapsed()));
        let expected = self.made_at.saturating_add(millis(really));
        match system.saturating_sub(expected) {
            ..ADJUSTMENT => counted,
            skipped => counted.saturating_add(skipped),
        }
    }
}

/// Counts whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

/// Returns the system's time, in milliseconds since 1970.
pub(crate) fn system() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    millis(since.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn it_follows_the_paused_clock_and_nothing_else() {
        let clock = WallClock::new();
        let made_at = clock.made_at;
        // An hour passes on the machine, and none in the test.
        assert_eq!(clock.at(made_at + millis(HOUR), HOUR), made_at);
        // An hour passes in the test, and none on the machine.
        tokio::time::advance(HOUR).await;
        assert_eq!(clock.at(made_at, Duration::ZERO), made_at + millis(HOUR));
    }

    #[tokio::test(start_paused = true)]
    async fn a_system_clock_set_back_does_not_move_it() {
        let clock = WallClock::new();
        let made_at = clock.made_at;
        assert_eq!(clock.at(made_at - millis(HOUR), Duration::ZERO), made_at);
        assert_eq!(clock.at(0, HOUR), made_at);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_machine_slept_counts() {
        let clock = WallClock::new();
        let made_at = clock.made_at;
        for slept in [1000, 60_000, millis(HOUR)] {
            let system = made_at + millis(HOUR) + slept;
            assert_eq!(clock.at(system, HOUR), made_at + slept);
        }
        let system = made_at + millis(HOUR) + 999;
        assert_eq!(clock.at(system, HOUR), made_at, "adjusted");
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_is_the_systems() {
        let before = system();
        let clock = WallClock::new();
        let now = clock.now();
        assert!((before..=system()).contains(&now), "{now}");
    }
}
