//! Clients of a throttle: it lets no more through than its quota.

use std::time::Duration;

use reinhardt_backends::throttle::{Quota, Throttle};
use tokio::time::sleep;

use super::Setup;
use crate::client::Planted;
use crate::judge::Violation;
use crate::loss::Loss;

/// So many attempts are let through at once, and as many in a second.
const LIMIT: u32 = 20;

/// The attempts that were let through: when each began and when its answer came, since the
/// schedule began.
#[derive(Debug, Default)]
pub(super) struct Throttles(Vec<(Duration, Duration)>);

/// Makes attempts until the time is over.
pub(super) async fn attempt(mut setup: Setup) -> Throttles {
    let quota = Quota::gcra(LIMIT, Duration::from_secs(1));
    let throttle = Throttle::new("histories-limit", [quota]).expect("a quota that can be");
    let mut allowed = Vec::new();
    while !setup.clock.is_over() {
        let from = setup.clock.now();
        let decision = throttle.check(&setup.backend, "everybody").await;
        let is_free = setup.is_planted(Planted::FreeAttempt) && setup.rng.u8(..10) == 0;
        if is_free || decision.is_ok_and(|decision| decision.allowed) {
            allowed.push((from, setup.clock.now()));
        }
        sleep(Duration::from_millis(setup.rng.u64(0..6))).await;
    }
    Throttles(allowed)
}

impl Throttles {
    pub(super) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) fn count(&self, loss: Option<Loss>) -> usize {
        self.parts(loss).iter().map(Vec::len).sum()
    }

    /// Returns the attempts before and after the loss of writes: after it a throttle may have
    /// forgotten those before.
    fn parts(&self, loss: Option<Loss>) -> [Vec<(Duration, Duration)>; 2] {
        let mut allowed = self.0.clone();
        allowed.retain(|(from, to)| !loss.is_some_and(|loss| loss.may_touch([*from, *to])));
        allowed.sort_unstable();
        let is_before = |(_, to): &(Duration, Duration)| loss.is_none_or(|loss| *to < loss.from);
        let (before, after) = allowed.into_iter().partition(is_before);
        [before, after]
    }

    pub(super) fn judge(&self, loss: Option<Loss>) -> Result<(), Violation> {
        self.parts(loss).iter().try_for_each(|part| judge(part))
    }
}

/// Judges attempts in the order of their beginnings.
fn judge(allowed: &[(Duration, Duration)]) -> Result<(), Violation> {
    for (position, (from, _)) in allowed.iter().enumerate() {
        let mut within: Vec<Duration> = allowed[position..].iter().map(|it| it.1).collect();
        within.sort_unstable();
        for (before, to) in within.iter().enumerate() {
            let time = to.saturating_sub(*from);
            let most = f64::from(LIMIT) * (1.0 + time.as_secs_f64()) + 1.0;
            if (before + 1) as f64 > most {
                return Err(Violation::TooMany(before + 1, time));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(count: u32, every: Duration) -> Throttles {
        let allowed = (0..count).map(|attempt| (every * attempt, every * attempt + every));
        Throttles(allowed.collect())
    }

    #[test]
    fn a_throttle_that_lets_more_through_than_its_quota_is_found() {
        assert_eq!(allowed(21, Duration::from_micros(10)).judge(None), Ok(()));
        let burst = allowed(23, Duration::from_micros(10)).judge(None);
        assert!(matches!(burst, Err(Violation::TooMany(..))), "{burst:?}");
        assert_eq!(allowed(300, Duration::from_millis(50)).judge(None), Ok(()));
        // A tenth too fast.
        let steady = allowed(300, Duration::from_millis(45)).judge(None);
        assert!(matches!(steady, Err(Violation::TooMany(..))), "{steady:?}");
    }
}
