//! Points in time that fit one word, so that an entry keeps its deadline in an atomic.

use std::time::Duration;

use crate::sync::Instant;

/// Measures time from a point of its own; follows [`Instant`](tokio::time::Instant), and so the
/// clock of the runtime that the call is made on, which differs from the clocks of other runtimes
/// where it was paused.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
}

/// A point in time, in ticks of 100 ns: 10,000 years fit, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

/// The start of every clock. A runtime whose clock was moved may make a store that other runtimes
/// use before that time.
const START: u64 = 1 << 62;
const TICKS_PER_SECOND: u64 = 10_000_000;
const TICKS_PER_MICRO: u64 = 10;
const NANOS_PER_TICK: u32 = 100;

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Moment {
        let now = Instant::now();
        match now.checked_duration_since(self.start) {
            Some(since) => Moment(START + ticks(since)),
            None => Moment(START - ticks(self.start - now)),
        }
    }
}

impl Moment {
    /// The end of an entry that has no end.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// `ttl` is checked: whole milliseconds, 10,000 years at most.
    pub(crate) fn after(self, ttl: Duration) -> Self {
        Self(self.0 + ticks(ttl))
    }

    /// Returns how much later this is than `now`.
    pub(crate) fn since(self, now: Self) -> Duration {
        let ticks = self.0.saturating_sub(now.0);
        let nanos = (ticks % TICKS_PER_SECOND) as u32 * NANOS_PER_TICK;
        Duration::new(ticks / TICKS_PER_SECOND, nanos)
    }

    /// Returns the whole microseconds since 35 years before the start of the clock: numbers of the
    /// size of a server's time.
    pub(crate) fn micros(self) -> u64 {
        (self.0 / TICKS_PER_MICRO).saturating_sub(START / TICKS_PER_MICRO - (1 << 50))
    }

    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

fn ticks(duration: Duration) -> u64 {
    duration.as_secs() * TICKS_PER_SECOND + u64::from(duration.subsec_nanos() / NANOS_PER_TICK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::store::MAX_TTL;

    #[test]
    fn the_longest_life_has_an_end() {
        let now = Clock::new().now();
        let end = now.after(MAX_TTL);
        assert!(end < Moment::NEVER);
        assert_eq!(end.since(now), MAX_TTL);
        assert_eq!(now.since(end), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_moved_clock_moves_by_as_much() {
        let clock = Clock::new();
        let before = clock.now();
        tokio::time::advance(Duration::from_nanos(1_000_100)).await;
        assert_eq!(clock.now().since(before), Duration::from_nanos(1_000_100));
    }

    #[test]
    fn a_clock_works_before_its_start() {
        let clock = Clock {
            start: Instant::now() + Duration::from_secs(3600),
        };
        let now = clock.now();
        assert!(now < Moment(START));
        assert!(now.after(Duration::from_secs(3700)) > Moment(START));
    }
}
