//! A login gives a session a fresh id, and the old one is dead.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use reinhardt_backends::layer::Op;
use reinhardt_backends::session::SessionError;
use reinhardt_backends::testing::{Flaky, RecordedCall};
use reinhardt_backends::{Backend, BackendResult, MemoryBackend};
use serde::Deserialize;
use tokio::task::yield_now;

use crate::{Login, ann, keys, on_every_backend, sessions};

on_every_backend! {
    after_a_login_the_old_id_is_dead_and_the_new_one_has_data_and_owner
    of_two_logins_with_one_session_one_wins
    a_login_over_a_save_by_somebody_else_is_a_conflict
    a_session_can_be_saved_after_its_id_was_cycled
    a_session_of_one_owner_is_not_given_to_another
}

async fn after_a_login_the_old_id_is_dead_and_the_new_one_has_data_and_owner(
    backend: Arc<dyn Backend>,
) {
    let sessions = sessions(backend.clone());
    let mut session = sessions.create_anonymous(ann()).await.unwrap();
    let planted = session.id().to_string();
    session.visits = 4;
    sessions.cycle(&mut session, &7u64).await.unwrap();
    assert_ne!(session.id().as_str(), planted);
    assert!(sessions.load(&planted).await.unwrap().is_none());
    let loaded = sessions.load(session.id()).await.unwrap().unwrap();
    assert_eq!((loaded.owner_as::<u64>(), loaded.visits), (Some(7), 4));
    assert_eq!(loaded.ends_at(), session.ends_at());
    assert_eq!(keys(&backend).await.len(), 1);
    sessions.cycle_id(&mut session).await.unwrap();
    assert_eq!(session.owner(), Some("7"));
    assert!(sessions.load(loaded.id()).await.unwrap().is_none());
    assert_eq!(keys(&backend).await.len(), 1);
}

// On a cluster the two sessions may be on two nodes, and a login isn't one step.
mod in_one_step {
    use super::a_login_that_is_cut_off_leaves_one_whole_session;

    reinhardt_backends_tests::on_both_backends! { a_login_that_is_cut_off_leaves_one_whole_session }
}

async fn waits(_: RecordedCall) -> BackendResult<()> {
    yield_now().await;
    Ok(())
}

/// Cuts a login off after each poll that it takes, on a backend that waits before and after each
/// call.
async fn a_login_that_is_cut_off_leaves_one_whole_session(backend: Arc<dyn Backend>) {
    let answering = Flaky::new(backend.clone());
    answering.on_any().run_after(waits);
    let slow = Flaky::new(answering);
    slow.on_any().run(waits);
    let slow = sessions(slow);
    let data = Login {
        visits: 3,
        ..Login::default()
    };
    // The number of polls that a call to a server takes differs from one call to the next.
    let deadline = Instant::now() + Duration::from_secs(60);
    let (mut cut_before, mut cut_after, mut polls) = (false, false, 0);
    while !(cut_before && cut_after) {
        assert!(
            Instant::now() < deadline,
            "{cut_before} before the move, {cut_after} after it"
        );
        polls += 1;
        let mut session = slow.create_anonymous(data.clone()).await.unwrap();
        let before = session.id().clone();
        let is_done = poll_times(polls, slow.cycle(&mut session, "ann")).await;
        // A command that was sent before the ping is done before the ping.
        backend.ping().await.unwrap();
        let keys = keys(&backend).await;
        assert_eq!(keys.len(), 1, "{keys:?}");
        let is_old = match slow.load(&before).await.unwrap() {
            Some(old) => {
                assert_eq!((old.owner(), old.version(), &*old), (None, 1, &data));
                true
            }
            // Nobody knows its id.
            None => {
                assert!(keys[0].contains(":ann:"), "{keys:?}");
                let moved: Stored = backend.get(&keys[0]).await.unwrap().unwrap();
                assert_eq!((moved.version, &moved.data), (2, &data));
                false
            }
        };
        backend.clear_prefix("").await.unwrap();
        match (is_done, is_old) {
            (true, true) => panic!("a login that is done has left the old session"),
            // From the first poll again.
            (true, false) => polls = 0,
            (false, true) => cut_before = true,
            (false, false) => cut_after = true,
        }
    }
}

#[derive(Deserialize)]
struct Stored {
    version: u64,
    data: Login,
}

/// Polls a future so many times, whenever it is woken, and drops it. Says whether the future was
/// done.
async fn poll_times(times: u32, future: impl Future) -> bool {
    let mut future = Box::pin(future);
    let mut left = times;
    poll_fn(|context| {
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

async fn of_two_logins_with_one_session_one_wins(backend: Arc<dyn Backend>) {
    let sessions = sessions(backend.clone());
    let session = sessions.create_anonymous(ann()).await.unwrap();
    let mut one = sessions.load(session.id()).await.unwrap().unwrap();
    let mut two = sessions.load(session.id()).await.unwrap().unwrap();
    let (first, second) = tokio::join!(
        sessions.cycle(&mut one, "ann"),
        sessions.cycle(&mut two, "bob"),
    );
    let lost = match (first, second) {
        (Ok(()), Err(error)) | (Err(error), Ok(())) => error,
        both => panic!("{both:?}"),
    };
    assert!(matches!(lost, SessionError::Gone), "{lost:?}");
    assert_eq!(keys(&backend).await.len(), 1);
}

async fn a_login_over_a_save_by_somebody_else_is_a_conflict(backend: Arc<dyn Backend>) {
    let sessions = sessions(backend.clone());
    let mut session = sessions.create_anonymous(ann()).await.unwrap();
    let other = sessions
        .update(session.id(), |login| login.visits = 9)
        .await;
    let old = session.id().clone();
    let cycled = sessions.cycle(&mut session, "ann").await;
    assert!(matches!(cycled, Err(SessionError::Conflict)), "{cycled:?}");
    assert_eq!((session.id(), session.owner()), (&old, None));
    let loaded = sessions.load(&old).await.unwrap().unwrap();
    assert_eq!(*loaded, *other.unwrap().unwrap());
    assert_eq!(keys(&backend).await.len(), 1);
}

async fn a_session_can_be_saved_after_its_id_was_cycled(backend: Arc<dyn Backend>) {
    let sessions = sessions(backend);
    let mut session = sessions.create_anonymous(ann()).await.unwrap();
    sessions.cycle(&mut session, "ann").await.unwrap();
    session.visits = 2;
    sessions.save(&mut session).await.unwrap();
    let loaded = sessions.load(session.id()).await.unwrap().unwrap();
    assert_eq!((loaded.visits, loaded.version()), (2, 3));
}

async fn a_session_of_one_owner_is_not_given_to_another(backend: Arc<dyn Backend>) {
    let sessions = sessions(backend.clone());
    let mut session = sessions.create("ann", ann()).await.unwrap();
    let id = session.id().clone();
    let cycled = sessions.cycle(&mut session, "bob").await;
    assert!(
        matches!(cycled, Err(SessionError::OtherOwner)),
        "{cycled:?}"
    );
    assert_eq!((session.id(), session.version()), (&id, 1));
    assert!(sessions.load(&id).await.unwrap().is_some());
    assert_eq!(keys(&backend).await.len(), 1);
    sessions.cycle(&mut session, "ann").await.unwrap();
    assert_eq!((session.owner(), session.version()), (Some("ann"), 2));
}

/// Returns the kinds of the calls since the last time.
fn kinds(store: &Flaky<MemoryBackend>) -> Vec<Op> {
    store.take_calls().into_iter().map(|call| call.op).collect()
}

#[tokio::test]
async fn an_id_is_cycled_in_one_step() {
    let store = Flaky::new(MemoryBackend::new());
    let sessions = sessions(&store);
    let mut session = sessions.create_anonymous(ann()).await.unwrap();
    store.take_calls();
    sessions.cycle(&mut session, "ann").await.unwrap();
    assert_eq!(kinds(&store), [Op::Move]);
    sessions.cycle_id(&mut session).await.unwrap();
    assert_eq!(kinds(&store), [Op::Move]);
}
