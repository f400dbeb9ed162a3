//! A session is loaded as it was saved, and no save or update is lost.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::join_all;
use reinhardt_backends::codec::{Json, Postcard};
use reinhardt_backends::session::{Session, SessionError, SessionStore};
use reinhardt_backends::{Backend, ErrorKind, MemoryBackend};
use serde::{Deserialize, Serialize};

use crate::{Login, ann, keys, on_every_backend, sessions};

on_every_backend! {
    a_session_is_loaded_as_it_was_saved
    a_deleted_session_stays_deleted
    a_save_over_somebody_elses_is_a_conflict_and_stores_nothing
    parallel_saves_lose_no_update
    parallel_updates_lose_no_update
    the_version_grows_with_every_save
    a_touch_leaves_the_data_alone
    what_is_no_session_of_this_type_is_a_decode_error_and_stays
    every_codec_keeps_sessions
    every_kind_of_backend_keeps_sessions
}

async fn a_session_is_loaded_as_it_was_saved(backend: Arc<dyn Backend>) {
    let sessions = sessions(backend);
    let mut session = sessions.create(&7u64, ann()).await.unwrap();
    session.visits = 3;
    assert_eq!(*sessions.load(session.id()).await.unwrap().unwrap(), ann());
    sessions.save(&mut session).await.unwrap();
    let cookie = session.id().to_string();
    let loaded = sessions.load(&cookie).await.unwrap().unwrap();
    assert_eq!((loaded.owner(), loaded.visits), (Some("7"), 3));
    assert_eq!(loaded.owner_as::<u64>(), Some(7));
    assert_eq!(loaded.owner_as::<std::net::IpAddr>(), None);
    assert_eq!(loaded.into_data(), *session);
    let visitor = sessions.create_anonymous(Login::default()).await.unwrap();
    let visitor = sessions.load(visitor.id()).await.unwrap().unwrap();
    assert_eq!((visitor.owner(), visitor.owner_as::<str>()), (None, None));
}

async fn a_deleted_session_stays_deleted(backend: Arc<dyn Backend>) {
    let sessions = sessions(backend.clone());
    let mut session = sessions.create("ann", ann()).await.unwrap();
    let mut late = sessions.load(session.id()).await.unwrap().unwrap();
    assert!(sessions.delete(session.id()).await.unwrap());
    assert!(!sessions.delete(session.id()).await.unwrap());
    late.visits += 1;
    let saved = sessions.save(&mut late).await;
    assert!(matches!(saved, Err(SessionError::Gone)), "{saved:?}");
    let cycled = sessions.cycle(&mut session, "ann").await;
    assert!(matches!(cycled, Err(SessionError::Gone)), "{cycled:?}");
    assert!(!sessions.touch(session.id()).await.unwrap());
    let updated = sessions.update(session.id(), |_| ()).await.unwrap();
    assert!(updated.is_none());
    assert!(sessions.load(session.id()).await.unwrap().is_none());
    assert_eq!(keys(&backend).await, [""; 0]);
}

async fn a_save_over_somebody_elses_is_a_conflict_and_stores_nothing(backend: Arc<dyn Backend>) {
    let sessions = sessions(backend);
    let mut one = sessions.create("ann", ann()).await.unwrap();
    let mut two = sessions.load(one.id()).await.unwrap().unwrap();
    one.visits = 1;
    two.visits = 2;
    sessions.save(&mut one).await.unwrap();
    let saved = sessions.save(&mut two).await;
    assert!(matches!(saved, Err(SessionError::Conflict)), "{saved:?}");
    assert_eq!((two.version(), two.visits), (1, 2));
    let loaded = sessions.load(one.id()).await.unwrap().unwrap();
    assert_eq!((loaded.version(), loaded.visits), (2, 1));
    // The same data make other bytes the next time, so bytes that were read long ago never fit
    // again.
    one.visits = 0;
    sessions.save(&mut one).await.unwrap();
    let saved = sessions.save(&mut two).await;
    assert!(matches!(saved, Err(SessionError::Conflict)), "{saved:?}");
}

async fn parallel_saves_lose_no_update(backend: Arc<dyn Backend>) {
    let sessions = sessions(backend);
    let session = sessions.create("ann", ann()).await.unwrap();
    let tasks = (0..8).map(|_| {
        let (sessions, id) = (sessions.clone(), session.id().clone());
        tokio::spawn(async move {
            let mut saved = 0;
            while saved < 25 {
                let mut session = sessions.load(&id).await.unwrap().unwrap();
                session.visits += 1;
                match sessions.save(&mut session).await {
                    Ok(()) => saved += 1,
                    Err(SessionError::Conflict) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    let session = sessions.load(session.id()).await.unwrap().unwrap();
    assert_eq!((session.visits, session.version()), (200, 201));
}

async fn parallel_updates_lose_no_update(backend: Arc<dyn Backend>) {
    let sessions = sessions(backend);
    let session = sessions.create("ann", ann()).await.unwrap();
    let tasks = (0..8).map(|_| {
        let (sessions, id) = (sessions.clone(), session.id().clone());
        tokio::spawn(async move {
            for _ in 0..50 {
                let updated = sessions.update(&id, |login| login.visits += 1).await;
                assert!(updated.unwrap().is_some());
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    let session = sessions.load(session.id()).await.unwrap().unwrap();
    assert_eq!((session.visits, session.version()), (400, 401));
}

async fn the_version_grows_with_every_save(backend: Arc<dyn Backend>) {
    let sessions = sessions(backend);
    let mut session = sessions.create("ann", ann()).await.unwrap();
    assert_eq!(session.version(), 1);
    sessions.save(&mut session).await.unwrap();
    sessions.save(&mut session).await.unwrap();
    assert_eq!(session.version(), 3);
    let mut session = sessions
        .update(session.id(), |_| ())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(session.version(), 4);
    sessions.cycle_id(&mut session).await.unwrap();
    sessions.touch(session.id()).await.unwrap();
    let loaded = sessions.load(session.id()).await.unwrap().unwrap();
    assert_eq!((session.version(), loaded.version()), (5, 5));
}

async fn a_touch_leaves_the_data_alone(backend: Arc<dyn Backend>) {
    let sessions = sessions(backend);
    let mut session = sessions.create("ann", ann()).await.unwrap();
    assert!(sessions.touch(session.id()).await.unwrap());
    // No other caller has written, so this is no conflict.
    sessions.save(&mut session).await.unwrap();
}

async fn what_is_no_session_of_this_type_is_a_decode_error_and_stays(backend: Arc<dyn Backend>) {
    let numbers = SessionStore::<u64, _>::new(backend.clone());
    let session = numbers.create("ann", 7).await.unwrap();
    let logins = sessions(backend);
    let error = logins.load(session.id()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!(*numbers.load(session.id()).await.unwrap().unwrap(), 7);
}

async fn every_codec_keeps_sessions(backend: Arc<dyn Backend>) {
    let json = SessionStore::builder(backend.clone()).codec::<Json>();
    let json = json.prefix("json").build().unwrap();
    let mut session = json.create("ann", ann()).await.unwrap();
    session.visits = 5;
    json.save(&mut session).await.unwrap();
    let loaded: Session<Login> = json.load(session.id()).await.unwrap().unwrap();
    assert_eq!(loaded.visits, 5);
    let postcard = SessionStore::builder(backend).codec::<Postcard>();
    let postcard = postcard.prefix("postcard").build().unwrap();
    let session = postcard.create("ann", ann()).await.unwrap();
    let loaded: Session<Login> = postcard.load(session.id()).await.unwrap().unwrap();
    assert_eq!(*loaded, ann());
}

async fn every_kind_of_backend_keeps_sessions(backend: Arc<dyn Backend>) {
    let by_reference: SessionStore<Login, &dyn Backend> = SessionStore::new(&*backend);
    let boxed: Box<dyn Backend> = Box::new(backend.clone());
    let boxed: SessionStore<Login, Box<dyn Backend>> = SessionStore::new(boxed);
    let shared: SessionStore<Login> = SessionStore::new(backend.clone());
    let session = by_reference.create("ann", ann()).await.unwrap();
    let mut session = boxed.load(session.id()).await.unwrap().unwrap();
    shared.save(&mut session).await.unwrap();
    assert_eq!(by_reference.delete_all("ann").await.unwrap(), 1);
}

#[tokio::test]
async fn maps_that_are_equal_and_encode_differently_are_no_conflict() {
    let sessions = SessionStore::<HashMap<String, u32>, _>::new(MemoryBackend::new());
    let data: HashMap<String, u32> = (0..50).map(|n| (n.to_string(), n)).collect();
    let session = sessions.create("ann", data).await.unwrap();
    for _ in 0..10 {
        let mut session = sessions.load(session.id()).await.unwrap().unwrap();
        sessions.save(&mut session).await.unwrap();
    }
}

#[tokio::test]
async fn fields_of_the_data_with_the_names_of_the_session_are_reached() {
    #[derive(Serialize, Deserialize)]
    struct Odd {
        id: u32,
        data: u32,
        version: u32,
    }
    let sessions = SessionStore::<Odd, _>::new(MemoryBackend::new());
    let odd = Odd {
        id: 1,
        data: 2,
        version: 3,
    };
    let mut session = sessions.create("ann", odd).await.unwrap();
    session.data += 1;
    assert_eq!((session.id, session.data, session.version), (1, 3, 3));
}

#[test]
fn every_future_is_send() {
    fn check<F: Future + Send>(_: F) {}
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let sessions: SessionStore<Login> = SessionStore::new(backend);
    check(sessions.create("ann", ann()));
    check(sessions.create_anonymous(ann()));
    check(sessions.load("id"));
    check(sessions.update("id", |_| ()));
    check(sessions.touch("id"));
    check(sessions.delete("id"));
    check(sessions.delete_all(&7u64));
    let mut session = futures::executor::block_on(sessions.create("ann", ann())).unwrap();
    check(sessions.save(&mut session));
    check(sessions.cycle(&mut session, "ann"));
    check(sessions.delete_others(&session));
    check(sessions.cycle_id(&mut session));
}

#[test]
fn a_value_that_does_not_encode_stores_nothing() {
    struct Refuses;
    impl Serialize for Refuses {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("secret"))
        }
    }
    impl<'de> Deserialize<'de> for Refuses {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Ok(Self)
        }
    }
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let sessions = SessionStore::<Refuses, _>::new(backend.clone());
    let created = futures::executor::block_on(sessions.create("ann", Refuses));
    assert_eq!(created.unwrap_err().kind(), ErrorKind::Encode);
    assert_eq!(futures::executor::block_on(keys(&backend)), [""; 0]);
}
