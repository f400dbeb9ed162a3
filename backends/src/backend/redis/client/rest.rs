//! The rest of a replica that is up and does not serve.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The rest of a replica that is up and doesn't serve: it loads its data, has none, or stands
/// still.
#[derive(Default)]
pub(super) struct Rest(Mutex<Option<Resting>>);

struct Resting {
    failures: u32,
    until: Instant,
    /// True while one caller tries the replica.
    is_tried: bool,
}

impl Rest {
    /// Says whether the replica is to be asked. At the end of a rest one caller tries it, within
    /// `limit`.
    pub(super) fn may_ask(&self, limit: Duration) -> bool {
        let mut resting = self.0.lock();
        let Some(resting) = &mut *resting else {
            return true;
        };
        let now = Instant::now();
        if now < resting.until {
            return false;
        }
        resting.until = now + limit;
        resting.is_tried = true;
        true
    }

    pub(super) fn is_resting(&self) -> bool {
        let resting = self.0.lock();
        resting
            .as_ref()
            .is_some_and(|resting| Instant::now() < resting.until)
    }

    /// Notes that the replica doesn't serve. Calls that were under way together count as one.
    pub(super) fn begin(&self) {
        let mut resting = self.0.lock();
        let now = Instant::now();
        let failures = match &*resting {
            Some(last) if now < last.until && !last.is_tried => return,
            Some(last) => last.failures + 1,
            None => 0,
        };
        let rest = FIRST_REST * (1 << failures.min(4));
        *resting = Some(Resting {
            failures,
            until: now + rest.min(LONGEST_REST),
            is_tried: false,
        });
    }

    /// Notes that the replica serves.
    pub(super) fn end(&self) {
        *self.0.lock() = None;
    }
}

/// The rests of a replica that refused or was silent, the longest after many failures.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_that_fails_rests_and_is_tried_by_one() {
        let (rest, limit) = (Rest::default(), Duration::from_secs(60));
        assert!(rest.may_ask(limit) && rest.may_ask(limit));
        rest.begin();
        assert!(!rest.may_ask(limit));
        // Calls that were under way together are one failure.
        rest.begin();
        let failures = |rest: &Rest| rest.0.lock().as_ref().map(|resting| resting.failures);
        assert_eq!(failures(&rest), Some(0));
        let end = |rest: &Rest| {
            let mut resting = rest.0.lock();
            resting.as_mut().unwrap().until = Instant::now();
        };
        end(&rest);
        assert!(rest.may_ask(limit) && !rest.may_ask(limit));
        rest.begin();
        assert_eq!(failures(&rest), Some(1));
        end(&rest);
        assert!(rest.may_ask(limit));
        rest.end();
        assert!(rest.may_ask(limit) && !rest.is_resting());
    }
}
