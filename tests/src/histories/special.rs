//! Clients of throttles and sessions, and what is promised to them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use reinhardt_backends::Backend;
use reinhardt_backends::session::SessionStore;
use reinhardt_backends::throttle::{Quota, Throttle};
use tokio::time::sleep;

use super::judge::Violation;

/// So many attempts are let through at once, and as many in a second.
const LIMIT: u32 = 20;
/// The time for which a session is used after it was deleted.
const AFTERWARDS: Duration = Duration::from_millis(60);

/// An attempt that was let through: when it began and when its answer came, since the schedule
/// began.
type Allowed = (Duration, Duration);

/// What these clients saw.
#[derive(Debug, Default)]
pub(super) struct Special {
    allowed: Vec<Allowed>,
    /// The uses of sessions that succeeded after the deletion was acknowledged.
    resurrected: Vec<String>,
    /// The number of sessions that were deleted.
    pub(super) deleted: usize,
}

impl Special {
    /// Takes in what another client saw.
    pub(super) fn add(&mut self, other: Self) {
        self.allowed.extend(other.allowed);
        self.resurrected.extend(other.resurrected);
        self.deleted += other.deleted;
    }

    /// Makes sure that a throttle let no more through than its quota, and that what was deleted
    /// stayed deleted.
    pub(super) fn judge(&self) -> Result<(), Violation> {
        if let Some(text) = self.resurrected.first() {
            return Err(Violation::Resurrected(text.clone()));
        }
        let mut allowed = self.allowed.clone();
        allowed.sort_unstable();
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
}

/// Makes attempts at a throttle until the time is over.
pub(super) async fn attempt(
    backend: Arc<dyn Backend>,
    seed: u64,
    began: Instant,
    time: Duration,
) -> Special {
    let mut rng = Rng::with_seed(seed);
    let quota = Quota::gcra(LIMIT, Duration::from_secs(1));
    let throttle = Throttle::new("histories-limit", [quota]).expect("a quota that can be");
    let mut special = Special::default();
    while began.elapsed() < time {
        let from = began.elapsed();
        let decision = throttle.check(&backend, "everybody").await;
        if decision.is_ok_and(|decision| decision.allowed) {
            special.allowed.push((from, began.elapsed()));
        }
        sleep(Duration::from_millis(rng.u64(0..6))).await;
    }
    special
}

/// Creates sessions, and has each saved and deleted at the same time, until the time is over.
pub(super) async fn use_sessions(
    backend: Arc<dyn Backend>,
    seed: u64,
    began: Instant,
    time: Duration,
) -> Special {
    let mut rng = Rng::with_seed(seed);
    let sessions: SessionStore<u64, _> = SessionStore::new(backend);
    let mut special = Special::default();
    while began.elapsed() < time {
        let Ok(session) = sessions.create("ann", 0).await else {
            sleep(Duration::from_millis(5)).await;
            continue;
        };
        let id = session.id().clone();
        let until = Duration::from_millis(rng.u64(0..60));
        let deleting = async {
            sleep(until).await;
            while sessions.delete(&id).await.is_err() {
                sleep(Duration::from_millis(5)).await;
            }
            began.elapsed()
        };
        let saving = async {
            let mut uses = Vec::new();
            let end = began.elapsed() + until + AFTERWARDS;
            while began.elapsed() < end {
                let from = began.elapsed();
                let saved = sessions.update(&id, |data| *data += 1).await;
                uses.push((from, "saved", saved.is_ok_and(|saved| saved.is_some())));
                let from = began.elapsed();
                let loaded = sessions.load(&id).await;
                uses.push((from, "loaded", loaded.is_ok_and(|loaded| loaded.is_some())));
                sleep(Duration::from_millis(3)).await;
            }
            uses
        };
        let (deleted, uses) = tokio::join!(deleting, saving);
        special.deleted += 1;
        for (from, how, is_there) in uses {
            if is_there && from > deleted {
                let text = format!("{how} at {from:?}, and deleted since {deleted:?}");
                special.resurrected.push(text);
            }
        }
    }
    special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(count: u32, every: Duration) -> Special {
        let allowed = (0..count).map(|attempt| (every * attempt, every * attempt + every));
        Special {
            allowed: allowed.collect(),
            ..Special::default()
        }
    }

    #[test]
    fn a_throttle_that_lets_more_through_than_its_quota_is_found() {
        assert_eq!(allowed(21, Duration::from_micros(10)).judge(), Ok(()));
        let burst = allowed(23, Duration::from_micros(10)).judge();
        assert!(matches!(burst, Err(Violation::TooMany(..))), "{burst:?}");
        assert_eq!(allowed(300, Duration::from_millis(50)).judge(), Ok(()));
        // A tenth too fast.
        let steady = allowed(300, Duration::from_millis(45)).judge();
        assert!(matches!(steady, Err(Violation::TooMany(..))), "{steady:?}");
    }

    #[test]
    fn a_session_that_is_there_again_is_found() {
        let special = Special {
            resurrected: vec!["loaded".to_string()],
            ..Special::default()
        };
        assert!(matches!(special.judge(), Err(Violation::Resurrected(_))));
    }
}
