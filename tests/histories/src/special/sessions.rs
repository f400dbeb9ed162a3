//! Clients of sessions: one that was deleted stays deleted, and one whose id was changed has its
//! new id alone.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reinhardt_backends::Backend;
use reinhardt_backends::session::{SessionError, SessionStore};
use tokio::time::sleep;

use super::{Looks, Setup};
use crate::client::Planted;
use crate::judge::Violation;

/// The time for which a session is used after it was deleted.
const AFTERWARDS: Duration = Duration::from_millis(60);
/// The pause of a client whose store is away.
const PAUSE: Duration = Duration::from_millis(5);

type Sessions = SessionStore<u64, Arc<dyn Backend>>;

/// Returns the sessions as each of two processes has them.
fn stores(setup: &Setup) -> [Sessions; 2] {
    [&setup.backend, &setup.other].map(|backend| SessionStore::new(backend.clone()))
}

/// Creates sessions, and has each saved by one process and deleted by another at the same time,
/// until the time is over.
pub(super) async fn delete(setup: Setup) -> Looks {
    let [sessions, others] = stores(&setup);
    let Setup {
        mut rng,
        clock,
        planted,
        ..
    } = setup;
    let mut looks = Looks::default();
    while !clock.is_over() {
        let Ok(session) = sessions.create("ann", 0).await else {
            sleep(PAUSE).await;
            continue;
        };
        let id = session.id();
        // The times at which the deletion was begun and acknowledged.
        let deleted: OnceLock<[Duration; 2]> = OnceLock::new();
        let until = Duration::from_millis(rng.u64(0..60));
        let deleting = async {
            sleep(until).await;
            loop {
                let began = clock.now();
                let is_deleted = sessions.delete(id).await.is_ok();
                if is_deleted || planted == Some(Planted::ForgottenDeletion) {
                    break deleted.get_or_init(|| [began, clock.now()]);
                }
                sleep(PAUSE).await;
            }
        };
        let using = async {
            // Also if the deletion took as long as a fault.
            while deleted
                .get()
                .is_none_or(|[_, at]| clock.now() < *at + AFTERWARDS)
            {
                let before = deleted.get();
                let saved = others.update(id, |data| *data += 1).await;
                let loaded = others.load(id).await;
                let is_there = [
                    ("saved", saved.ok().map(|saved| saved.is_some())),
                    ("loaded", loaded.ok().map(|loaded| loaded.is_some())),
                ];
                for (how, is_there) in is_there {
                    let (Some([began, at]), Some(is_there)) = (before, is_there) else {
                        continue;
                    };
                    let now = clock.now();
                    let text = || format!("{how} before {now:?}, deleted at {at:?}");
                    let violation = is_there.then(|| Violation::Resurrected(text()));
                    looks.add([*began, now], violation);
                }
                sleep(Duration::from_millis(3)).await;
            }
        };
        tokio::join!(deleting, using);
    }
    looks
}

/// Changes the ids of sessions, and looks for the old and the new one from another process, until
/// the time is over.
pub(super) async fn cycle(setup: Setup) -> Looks {
    let [sessions, others] = stores(&setup);
    let Setup {
        mut rng,
        clock,
        planted,
        ..
    } = setup;
    let mut looks = Looks::default();
    while !clock.is_over() {
        let began = clock.now();
        let Ok(mut session) = sessions.create("ben", 7).await else {
            sleep(PAUSE).await;
            continue;
        };
        for _ in 0..rng.u8(1..6) {
            let old = session.id().clone();
            let cycled = match planted {
                Some(Planted::KeptId) if rng.u8(..10) == 0 => {
                    let new = sessions.create("ben", 7).await;
                    new.map(|new| session = new).map_err(SessionError::from)
                }
                Some(Planted::LostSession) => {
                    sessions.delete(&old).await.map(drop).map_err(Into::into)
                }
                _ => sessions.cycle_id(&mut session).await,
            };
            let (is_old, is_new) = match &cycled {
                Ok(()) => (Some(false), Some(true)),
                Err(error) if error.outcome_unknown() => break,
                Err(_) => (Some(true), None),
            };
            let changed = clock.now();
            for (which, id, expected) in [("old", &old, is_old), ("new", session.id(), is_new)] {
                let (Some(expected), Ok(loaded)) = (expected, others.load(id).await) else {
                    continue;
                };
                let now = clock.now();
                let text = || format!("by its {which} id at {now:?}, changed at {changed:?}");
                let violation = match (loaded.is_some(), expected) {
                    (true, false) => Some(Violation::Resurrected(text())),
                    (false, true) => Some(Violation::Vanished(text())),
                    _ => None,
                };
                looks.add([began, now], violation);
            }
            sleep(Duration::from_millis(rng.u64(0..10))).await;
        }
        let _ = sessions.delete(session.id()).await;
    }
    looks
}
