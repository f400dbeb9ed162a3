//! In a full memory store a user who has a session can go on.

use reinhardt_backends::session::SessionStore;
use reinhardt_backends::{Backend, ErrorKind, Eviction, MemoryBackend};

use crate::{Login, ann, sessions};

type Sessions = SessionStore<Login, MemoryBackend>;

/// A store that three sessions have filled, by entries and by bytes: owners as long as their ids
/// will need.
async fn filled(eviction: Eviction) -> [(MemoryBackend, Sessions); 2] {
    let open = MemoryBackend::new();
    fill(&sessions(open.clone())).await;
    let by_entries = MemoryBackend::builder().max_entries(3);
    let by_bytes = MemoryBackend::builder().max_bytes(open.stats().bytes);
    [by_entries, by_bytes].map(|builder| {
        let backend = builder.eviction(eviction).build();
        (backend.clone(), sessions(backend))
    })
}

async fn fill(sessions: &Sessions) -> Vec<reinhardt_backends::session::Session<Login>> {
    let mut all = Vec::new();
    for owner in ["ann", "bob", "cat"] {
        all.push(sessions.create(owner, ann()).await.unwrap());
    }
    all
}

#[tokio::test]
async fn every_session_of_a_full_store_goes_on() {
    for eviction in [Eviction::Off, Eviction::S3Fifo] {
        for (backend, sessions) in filled(eviction).await {
            let mut all = fill(&sessions).await;
            // As often as the version of a session is one byte long.
            for _ in 0..5 {
                for (owner, session) in ["ann", "bob", "cat"].into_iter().zip(&mut all) {
                    sessions.cycle(session, owner).await.unwrap();
                    sessions.cycle_id(session).await.unwrap();
                    session.visits = (session.visits + 1) % 20;
                    sessions.save(session).await.unwrap();
                    let changed = sessions
                        .update(session.id(), |login| login.visits = 7)
                        .await;
                    *session = changed.unwrap().unwrap();
                    assert!(sessions.touch(session.id()).await.unwrap());
                    assert!(sessions.load(session.id()).await.unwrap().is_some());
                }
            }
            let stats = backend.stats();
            assert_eq!((stats.entries, stats.evicted), (3, 0));
        }
    }
}

#[tokio::test]
async fn a_visitor_of_a_full_store_logs_in() {
    for eviction in [Eviction::Off, Eviction::S3Fifo] {
        let builder = MemoryBackend::builder().max_entries(3).eviction(eviction);
        let backend = builder.build();
        let sessions = sessions(backend.clone());
        let mut visitors = Vec::new();
        for _ in 0..3 {
            visitors.push(sessions.create_anonymous(ann()).await.unwrap());
        }
        for visitor in &mut visitors {
            sessions.cycle(visitor, &7u64).await.unwrap();
        }
        for visitor in &visitors {
            let loaded = sessions.load(visitor.id()).await.unwrap().unwrap();
            assert_eq!(loaded.owner_as::<u64>(), Some(7));
        }
        assert_eq!(backend.stats().evicted, 0);
    }
}

#[tokio::test]
async fn a_session_too_many_is_refused() {
    let [(backend, sessions), _] = filled(Eviction::Off).await;
    fill(&sessions).await;
    let error = sessions.create("dan", ann()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(backend.stats().entries, 3);
    backend.ping().await.unwrap();
}
