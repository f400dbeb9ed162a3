//! Clients of a lease: it has one owner at a time, and its fencing numbers grow.

use std::time::Duration;

use reinhardt_backends::lease::{Lease, Renewal};
use tokio::time::sleep;

use super::Setup;
use crate::client::Planted;
use crate::judge::Violation;
use crate::loss::Loss;

/// The time that a lease lasts.
const TTL: Duration = Duration::from_millis(100);

/// A time for which somebody was told that he holds the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Grant {
    from: Duration,
    /// The time at which he had asked for it.
    asked: Duration,
    until: Duration,
    number: u64,
}

/// The grants of a lease.
#[derive(Debug, Default)]
pub(super) struct Leases(Vec<Grant>);

/// Acquires the lease, holds it for a while and gives it back or doesn't, until the time is over.
pub(super) async fn hold(setup: Setup) -> Leases {
    let Setup {
        backend,
        mut rng,
        clock,
        planted,
        ..
    } = setup;
    let lease = Lease::new(backend, "histories", TTL).expect("a name that can be");
    let mut grants = Vec::new();
    while !clock.is_over() {
        let asked = clock.now();
        let Ok(Some(mut guard)) = lease.acquire().await else {
            sleep(Duration::from_millis(rng.u64(0..10))).await;
            continue;
        };
        // From the first look at which it was held: the answer may have come after its end.
        let mut grant: Option<Grant> = None;
        let end = clock.now() + Duration::from_millis(rng.u64(0..150));
        loop {
            let now = clock.now();
            let is_held = guard.is_held() || planted == Some(Planted::EndlessLease);
            if !is_held || now >= end {
                break;
            }
            let first = Grant {
                from: now,
                asked,
                until: now,
                number: guard.fencing_number(),
            };
            grant.get_or_insert(first).until = now;
            if rng.u8(..8) == 0 && matches!(guard.renew().await, Ok(Renewal::Lost)) {
                break;
            }
            sleep(Duration::from_millis(rng.u64(1..6))).await;
        }
        grants.extend(grant);
        match rng.u8(..4) {
            // As by an owner that dies.
            0 => std::mem::forget(guard),
            1 => drop(guard),
            _ => drop(guard.release().await),
        }
    }
    Leases(grants)
}

impl Leases {
    pub(super) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) fn count(&self, loss: Option<Loss>) -> usize {
        self.judged(loss).len()
    }

    /// Returns the grants that no loss of writes was between, in their order.
    fn judged(&self, loss: Option<Loss>) -> Vec<Grant> {
        let grants = self.0.iter().copied();
        let mut grants: Vec<Grant> = grants
            .filter(|grant| !loss.is_some_and(|loss| loss.may_touch([grant.asked, grant.until])))
            .collect();
        grants.sort_unstable();
        grants
    }

    pub(super) fn judge(&self, loss: Option<Loss>) -> Result<(), Violation> {
        for pair in self.judged(loss).windows(2) {
            let [before, after] = [pair[0], pair[1]];
            if loss.is_some_and(|loss| loss.may_touch([before.asked, after.until])) {
                continue;
            }
            if before.until > after.from {
                let text = format!("{before:?} and {after:?}");
                return Err(Violation::TwoOwners(text));
            }
            if before.number >= after.number {
                let text = format!("{before:?} before {after:?}");
                return Err(Violation::FencingNumber(text));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(grants: [(u64, u64, u64); 2]) -> Leases {
        let grants = grants.map(|(from, until, number)| Grant {
            from: Duration::from_millis(from),
            asked: Duration::from_millis(from),
            until: Duration::from_millis(until),
            number,
        });
        Leases(grants.to_vec())
    }

    #[test]
    fn two_owners_at_once_are_found() {
        assert_eq!(grants([(0, 5, 1), (6, 9, 2)]).judge(None), Ok(()));
        let both = grants([(0, 7, 1), (6, 9, 2)]).judge(None);
        assert!(matches!(both, Err(Violation::TwoOwners(_))), "{both:?}");
    }

    #[test]
    fn a_loss_parts_what_was_before_from_what_comes_after() {
        let time = Duration::from_millis;
        let loss = |from, until| {
            let (from, until) = (time(from), time(until));
            Some(Loss { from, until })
        };
        let both = grants([(0, 20, 2), (30, 50, 1)]);
        assert!(both.judge(None).is_err());
        assert_eq!(both.judge(loss(22, 28)), Ok(()));
        assert_eq!(both.count(loss(22, 28)), 2);
        assert!(both.judge(loss(60, 70)).is_err());
        assert_eq!(both.count(loss(40, 45)), 1);
    }

    #[test]
    fn numbers_that_do_not_grow_are_found() {
        for second in [1, 2] {
            let judged = grants([(0, 5, 2), (6, 9, second)]).judge(None);
            assert!(
                matches!(judged, Err(Violation::FencingNumber(_))),
                "{judged:?}"
            );
        }
    }
}
