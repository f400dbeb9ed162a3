//! The pauses between attempts to reach a store that is away.
//!
//! A pause is a tenth of the time that the store has been away, 25 ms at least and 1 s at most. So
//! a store that is back is found soon, and a store that stays away is asked less and less. Pauses
//! are up to a fifth shorter, by chance: clients that lost a store together come back one by one.

use std::time::Duration;

/// The shortest pause.
pub(crate) const SHORTEST: Duration = Duration::from_millis(25);
/// The longest pause.
pub(crate) const LONGEST: Duration = Duration::from_secs(1);

/// Returns the pause after attempts have brought nothing for so long.
pub(crate) fn pause(away: Duration) -> Duration {
    shortened((away / 10).min(LONGEST)).max(SHORTEST)
}

/// Returns the time, or up to a fifth less, by chance.
pub(crate) fn shortened(time: Duration) -> Duration {
    time.mul_f64(1.0 - fastrand::f64() / 5.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_a_tenth_of_the_time_or_up_to_a_fifth_less() {
        for _ in 0..1000 {
            assert_eq!(pause(Duration::ZERO), SHORTEST);
            let second = pause(Duration::from_secs(1));
            assert!(second <= Duration::from_millis(100) && second >= Duration::from_millis(80));
            let hour = pause(Duration::from_secs(3600));
            assert!(hour <= LONGEST && hour >= LONGEST * 4 / 5);
        }
    }
}
