//! A session ends after its idle life, and at its absolute end at the latest.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use reinhardt_backends::session::{SessionError, SessionStore};
use reinhardt_backends::testing::Flaky;
use reinhardt_backends::{Backend, Expiry, MemoryBackend};
use reinhardt_backends_tests::Server;
use tokio::time::advance;

use crate::{Login, ann, keys};

const MINUTE: Duration = Duration::from_secs(60);

/// Sessions of 10 minutes, and of 25 at most.
fn brief<B: Backend>(backend: B) -> SessionStore<Login, B> {
    let builder = SessionStore::builder(backend).idle(10 * MINUTE);
    builder.absolute(25 * MINUTE).build().unwrap()
}

/// Returns the time that is left of the life of the only session.
async fn left(backend: &Arc<dyn Backend>) -> Option<Duration> {
    let keys = keys(backend).await;
    assert!(keys.len() <= 1, "{keys:?}");
    match backend.ttl(keys.first()?).await.unwrap()? {
        Expiry::In(left) => Some(left),
        Expiry::Never => panic!("a session without an end"),
    }
}

fn memory() -> Arc<dyn Backend> {
    Arc::new(MemoryBackend::new())
}

#[tokio::test(start_paused = true)]
async fn a_session_that_nobody_uses_ends_after_its_idle_life() {
    let sessions = brief(memory());
    let session = sessions.create("ann", ann()).await.unwrap();
    advance(10 * MINUTE - Duration::from_millis(1)).await;
    assert!(sessions.load(session.id()).await.unwrap().is_some());
    advance(10 * MINUTE).await;
    assert!(sessions.load(session.id()).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_read_a_touch_a_save_and_an_update_start_the_idle_life_over() {
    let backend = memory();
    let sessions = brief(backend.clone());
    let mut session = sessions.create("ann", ann()).await.unwrap();
    let id = session.id().clone();
    for call in 0..4 {
        advance(3 * MINUTE).await;
        assert_eq!(left(&backend).await, Some(7 * MINUTE));
        match call {
            0 => assert!(sessions.load(&id).await.unwrap().is_some()),
            1 => assert!(sessions.touch(&id).await.unwrap()),
            2 => sessions.save(&mut session).await.unwrap(),
            _ => assert!(sessions.update(&id, |_| ()).await.unwrap().is_some()),
        }
        assert_eq!(left(&backend).await, Some(10 * MINUTE), "call {call}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_idle_life_holds_from_the_next_use_on() {
    for call in 0..5 {
        for idle in [4 * MINUTE, 20 * MINUTE] {
            let backend = memory();
            let mut session = brief(backend.clone()).create("ann", ann()).await.unwrap();
            let builder = SessionStore::<Login, _>::builder(backend.clone()).idle(idle);
            let deployed = builder.absolute(25 * MINUTE).build().unwrap();
            assert_eq!(left(&backend).await, Some(10 * MINUTE), "nobody used it");
            let id = session.id().clone();
            match call {
                0 => assert!(deployed.load(&id).await.unwrap().is_some()),
                1 => assert!(deployed.touch(&id).await.unwrap()),
                2 => deployed.save(&mut session).await.unwrap(),
                3 => assert!(deployed.update(&id, |_| ()).await.unwrap().is_some()),
                _ => deployed.cycle(&mut session, "ann").await.unwrap(),
            }
            assert_eq!(left(&backend).await, Some(idle), "call {call}");
        }
    }
}

#[tokio::test]
async fn on_a_server_a_shorter_idle_life_holds_from_the_next_read_on() {
    let server = Server::start();
    let backend: Arc<dyn Backend> = Arc::new(server.connect().await);
    let session = brief(backend.clone()).create("ann", ann()).await.unwrap();
    let builder = SessionStore::<Login, _>::builder(backend.clone()).idle(MINUTE);
    let deployed = builder.build().unwrap();
    assert!(deployed.load(session.id()).await.unwrap().is_some());
    assert!(left(&backend).await.unwrap() <= MINUTE);
}

#[tokio::test(start_paused = true)]
async fn the_absolute_end_is_kept_although_it_is_read_all_the_time() {
    let backend = memory();
    let sessions = brief(backend.clone());
    let session = sessions.create("ann", ann()).await.unwrap();
    for _ in 0..24 {
        advance(MINUTE).await;
        assert!(sessions.load(session.id()).await.unwrap().is_some());
    }
    advance(MINUTE).await;
    assert!(sessions.load(session.id()).await.unwrap().is_none());
    assert_eq!(keys(&backend).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn no_call_gives_a_life_that_reaches_beyond_the_absolute_end() {
    let backend = memory();
    let sessions = brief(backend.clone());
    let mut session = sessions.create("ann", ann()).await.unwrap();
    for _ in 0..2 {
        advance(9 * MINUTE).await;
        sessions.load(session.id()).await.unwrap().unwrap();
    }
    for call in 0..5 {
        advance(MINUTE).await;
        match call {
            0 => assert!(sessions.load(session.id()).await.unwrap().is_some()),
            1 => assert!(sessions.touch(session.id()).await.unwrap()),
            2 => sessions.save(&mut session).await.unwrap(),
            3 => {
                let updated = sessions.update(session.id(), |_| ()).await.unwrap();
                session = updated.unwrap();
            }
            _ => sessions.cycle(&mut session, "ann").await.unwrap(),
        }
        let end = (25 - 19 - call) * MINUTE;
        assert_eq!(left(&backend).await, Some(end), "call {call}");
    }
    let end = session.ends_at().duration_since(SystemTime::now()).unwrap();
    assert!(end <= 25 * MINUTE && end > 24 * MINUTE, "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn past_the_absolute_end_nothing_brings_a_session_back() {
    // A store that keeps its entries for longer, as one with a slow clock would.
    let store = Flaky::new(MemoryBackend::new());
    let sessions = brief(&store);
    for call in 0..5 {
        let mut session = sessions.create("ann", ann()).await.unwrap();
        let key = store.take_calls().remove(0).keys.remove(0);
        let life = reinhardt_backends::Life::Never;
        assert!(store.expire(&key, life).await.unwrap());
        advance(26 * MINUTE).await;
        assert!(store.exists(&key).await.unwrap());
        store.take_calls();
        let id = session.id().clone();
        match call {
            0 => assert!(sessions.load(&id).await.unwrap().is_none()),
            1 => assert!(!sessions.touch(&id).await.unwrap()),
            2 => assert!(sessions.update(&id, |_| ()).await.unwrap().is_none()),
            3 => {
                let saved = sessions.save(&mut session).await;
                assert!(matches!(saved, Err(SessionError::Gone)));
            }
            _ => {
                let cycled = sessions.cycle(&mut session, "ann").await;
                assert!(matches!(cycled, Err(SessionError::Gone)));
            }
        }
        // The clock may be the one that is wrong, and anybody can send an id with an end that is
        // past.
        assert!(store.take_calls().is_empty(), "nothing is asked or removed");
        assert!(store.exists(&key).await.unwrap());
        store.take_calls();
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_whose_clock_is_ahead_ends_no_session_for_the_others() {
    let backend = memory();
    let ahead = brief(backend.clone());
    // A store counts on from when it was made.
    advance(60 * MINUTE).await;
    let right = brief(backend);
    let mut session = right.create("ann", ann()).await.unwrap();
    assert!(ahead.load(session.id()).await.unwrap().is_none());
    assert!(!ahead.touch(session.id()).await.unwrap());
    let updated = ahead.update(session.id(), |_| ()).await.unwrap();
    assert!(updated.is_none());
    let saved = ahead.save(&mut session).await;
    assert!(matches!(saved, Err(SessionError::Gone)), "{saved:?}");
    let cycled = ahead.cycle_id(&mut session).await;
    assert!(matches!(cycled, Err(SessionError::Gone)), "{cycled:?}");
    assert!(right.load(session.id()).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn as_long_as_the_idle_life_the_absolute_one_is_all_there_is() {
    let builder = SessionStore::<Login, _>::builder(memory()).idle(10 * MINUTE);
    let sessions = builder.absolute(10 * MINUTE).build().unwrap();
    let session = sessions.create("ann", ann()).await.unwrap();
    advance(9 * MINUTE).await;
    assert!(sessions.load(session.id()).await.unwrap().is_some());
    advance(MINUTE).await;
    assert!(sessions.load(session.id()).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn another_process_keeps_the_end_that_a_session_was_created_with() {
    let backend = memory();
    let session = brief(backend.clone()).create("ann", ann()).await.unwrap();
    let longer = SessionStore::<Login, _>::new(backend.clone());
    advance(5 * MINUTE).await;
    let loaded = longer.load(session.id()).await.unwrap().unwrap();
    assert_eq!(loaded.ends_at(), session.ends_at());
    let left = left(&backend).await.unwrap();
    assert!(left <= 20 * MINUTE && left > 19 * MINUTE, "{left:?}");
}

#[tokio::test]
async fn on_a_server_sessions_end_too_however_often_they_are_read() {
    let server = Server::start();
    let backend: Arc<dyn Backend> = Arc::new(server.connect().await);
    let begun = Instant::now();
    let life = Duration::from_millis(1500);
    let builder = SessionStore::<Login, _>::builder(backend.clone()).idle(life);
    let sessions = builder.absolute(life).build().unwrap();
    let session = sessions.create("ann", ann()).await.unwrap();
    let idle = sessions.create("ann", ann()).await.unwrap();
    while sessions.load(session.id()).await.unwrap().is_some() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never ends");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(begun.elapsed() + Duration::from_millis(10) >= life);
    while !keys(&backend).await.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it stays");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!sessions.touch(idle.id()).await.unwrap());
}
