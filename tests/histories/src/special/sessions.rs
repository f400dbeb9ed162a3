//! Clients of sessions: one that was deleted stays deleted.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use reinhardt_backends::Backend;
use reinhardt_backends::session::SessionStore;
use tokio::time::sleep;

use super::Clock;
use crate::judge::Violation;

/// The time for which a session is used after it was deleted.
const AFTERWARDS: Duration = Duration::from_millis(60);

/// The sessions that were deleted.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    deleted: usize,
    /// The uses that succeeded after the deletion was acknowledged.
    resurrected: Vec<String>,
}

/// Creates sessions, and has each saved and deleted at the same time, until the time is over.
pub(super) async fn use_sessions(backend: Arc<dyn Backend>, seed: u64, clock: Clock) -> Sessions {
    let mut rng = Rng::with_seed(seed);
    let sessions: SessionStore<u64, _> = SessionStore::new(backend);
    let mut seen = Sessions::default();
    while !clock.is_over() {
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
            clock.now()
        };
        let saving = async {
            let mut uses = Vec::new();
            let end = clock.now() + until + AFTERWARDS;
            while clock.now() < end {
                let from = clock.now();
                let saved = sessions.update(&id, |data| *data += 1).await;
                uses.push((from, "saved", saved.is_ok_and(|saved| saved.is_some())));
                let from = clock.now();
                let loaded = sessions.load(&id).await;
                uses.push((from, "loaded", loaded.is_ok_and(|loaded| loaded.is_some())));
                sleep(Duration::from_millis(3)).await;
            }
            uses
        };
        let (deleted, uses) = tokio::join!(deleting, saving);
        seen.deleted += 1;
        for (from, how, is_there) in uses {
            if is_there && from > deleted {
                let text = format!("{how} at {from:?}, and deleted since {deleted:?}");
                seen.resurrected.push(text);
            }
        }
    }
    seen
}

impl Sessions {
    pub(super) fn add(&mut self, other: Self) {
        self.deleted += other.deleted;
        self.resurrected.extend(other.resurrected);
    }

    pub(super) fn count(&self) -> usize {
        self.deleted
    }

    pub(super) fn judge(&self) -> Result<(), Violation> {
        let first = self.resurrected.first();
        first.map_or(Ok(()), |text| Err(Violation::Resurrected(text.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_is_there_again_is_found() {
        let seen = Sessions {
            deleted: 1,
            resurrected: vec!["loaded".to_string()],
        };
        assert!(matches!(seen.judge(), Err(Violation::Resurrected(_))));
    }
}
