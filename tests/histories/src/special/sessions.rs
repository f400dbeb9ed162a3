//! Clients of sessions: one that was deleted stays deleted.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fastrand::Rng;
use reinhardt_backends::Backend;
use reinhardt_backends::session::SessionStore;
use tokio::time::sleep;

use super::Removed;
use crate::client::Planted;
use crate::clock::Clock;
use crate::judge::Violation;

/// The time for which a session is used after it was deleted.
const AFTERWARDS: Duration = Duration::from_millis(60);

/// Creates sessions, and has each saved and deleted at the same time, until the time is over.
pub(super) async fn use_sessions(
    backend: Arc<dyn Backend>,
    seed: u64,
    clock: Clock,
    planted: Option<Planted>,
) -> Removed {
    let mut rng = Rng::with_seed(seed);
    let sessions: SessionStore<u64, _> = SessionStore::new(backend);
    let mut seen = Removed::default();
    while !clock.is_over() {
        let Ok(session) = sessions.create("ann", 0).await else {
            sleep(Duration::from_millis(5)).await;
            continue;
        };
        let id = session.id();
        // The time at which the deletion was acknowledged.
        let deleted: OnceLock<Duration> = OnceLock::new();
        let until = Duration::from_millis(rng.u64(0..60));
        let deleting = async {
            sleep(until).await;
            while sessions.delete(id).await.is_err() && planted != Some(Planted::ForgottenDeletion)
            {
                sleep(Duration::from_millis(5)).await;
            }
            deleted.get_or_init(|| clock.now());
        };
        let using = async {
            let mut answers = 0;
            // Also if the deletion took as long as a fault.
            while deleted
                .get()
                .is_none_or(|at| clock.now() < *at + AFTERWARDS)
            {
                let is_deleted = deleted.get().is_some();
                let saved = sessions.update(id, |data| *data += 1).await;
                let loaded = sessions.load(id).await;
                let is_there = [
                    ("saved", saved.ok().map(|saved| saved.is_some())),
                    ("loaded", loaded.ok().map(|loaded| loaded.is_some())),
                ];
                for (how, is_there) in is_there {
                    answers += usize::from(is_deleted && is_there.is_some());
                    if is_deleted && is_there == Some(true) {
                        let text = format!("{how} before {:?}, deleted {deleted:?}", clock.now());
                        seen.broken.push(Violation::Resurrected(text));
                    }
                }
                sleep(Duration::from_millis(3)).await;
            }
            seen.count += usize::from(answers > 0);
        };
        tokio::join!(deleting, using);
    }
    seen
}
