//! Logging out everywhere ends all sessions of one owner, and those of nobody else.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use reinhardt_backends::layer::Op;
use reinhardt_backends::testing::Flaky;
use reinhardt_backends::{Backend, ErrorKind, MemoryBackend};

use crate::{Login, ann, keys, on_every_backend, sessions};

on_every_backend! {
    logging_out_everywhere_takes_one_user_only
    nothing_outside_of_the_store_is_logged_out
    an_owner_that_cannot_be_one_is_refused
    logging_out_everywhere_else_leaves_this_session_and_other_owners
    logging_out_everywhere_else_with_a_session_that_is_gone_brings_nothing_back
    visitors_are_not_logged_out_as_if_they_were_one
    logging_out_everywhere_else_leaves_a_session_that_others_save
}

const OWNERS: [&str; 14] = [
    "1",
    "12",
    "1:",
    "1:2",
    "*",
    "?",
    "[1]",
    "{1}",
    "%31",
    "é",
    "ünï\u{2003}",
    " ",
    "\u{10ffff}",
    "\0",
];

async fn logging_out_everywhere_takes_one_user_only(backend: Arc<dyn Backend>) {
    let sessions = sessions(backend.clone());
    let visitor = sessions.create_anonymous(Login::default()).await.unwrap();
    let mut all = Vec::new();
    for owner in OWNERS {
        for _ in 0..3 {
            all.push(sessions.create(owner, ann()).await.unwrap());
        }
    }
    for owner in OWNERS {
        assert_eq!(sessions.delete_all(owner).await.unwrap(), 3, "{owner:?}");
        assert_eq!(sessions.delete_all(owner).await.unwrap(), 0, "{owner:?}");
        all.retain(|session| session.owner() != Some(owner));
        assert_eq!(keys(&backend).await.len(), all.len() + 1, "{owner:?}");
        for session in &all {
            assert!(sessions.load(session.id()).await.unwrap().is_some());
        }
    }
    assert!(sessions.load(visitor.id()).await.unwrap().is_some());
}

/// Keys that are almost those of the sessions of 1.
const NEIGHBOURS: [&str; 5] = [
    "session-store",
    "session-store:1",
    "session-store1:1:x",
    "session:1:x",
    "1:1:1",
];

async fn nothing_outside_of_the_store_is_logged_out(backend: Arc<dyn Backend>) {
    for key in NEIGHBOURS {
        backend.set(key, 7, None).await.unwrap();
    }
    let sessions = sessions(backend.clone());
    sessions.create(&1u8, ann()).await.unwrap();
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    sessions.create(&address, ann()).await.unwrap();
    assert_eq!(sessions.delete_all(&1u8).await.unwrap(), 1);
    assert_eq!(sessions.delete_all(&address).await.unwrap(), 1);
    for key in NEIGHBOURS {
        assert!(backend.exists(key).await.unwrap(), "{key}");
    }
}

async fn an_owner_that_cannot_be_one_is_refused(backend: Arc<dyn Backend>) {
    let sessions = sessions(backend.clone());
    let mut session = sessions.create_anonymous(ann()).await.unwrap();
    for owner in ["", &"x".repeat(257)] {
        let error = sessions.create(owner, ann()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey);
        let error = sessions.delete_all(owner).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey);
        sessions.cycle(&mut session, owner).await.unwrap_err();
    }
    assert!(sessions.load(session.id()).await.unwrap().is_some());
    // The longest and most escaped one still makes a key.
    let longest = "\u{10ffff}".repeat(64);
    let session = sessions.create(&longest, ann()).await.unwrap();
    let loaded = sessions.load(session.id()).await.unwrap().unwrap();
    assert_eq!(loaded.owner(), Some(longest.as_str()));
    assert_eq!(sessions.delete_all(&longest).await.unwrap(), 1);
}

async fn logging_out_everywhere_else_leaves_this_session_and_other_owners(
    backend: Arc<dyn Backend>,
) {
    let sessions = sessions(backend.clone());
    let visitor = sessions.create_anonymous(ann()).await.unwrap();
    let mut others = Vec::new();
    for owner in OWNERS {
        for _ in 0..3 {
            others.push(sessions.create(owner, ann()).await.unwrap());
        }
    }
    for owner in OWNERS {
        let this = others
            .iter()
            .rposition(|session| session.owner() == Some(owner));
        let this = others.remove(this.unwrap());
        let count = sessions.delete_others(&this).await.unwrap();
        assert_eq!(count, 2, "{owner:?}");
        assert_eq!(sessions.delete_others(&this).await.unwrap(), 0, "{owner:?}");
        for session in &others {
            let is_there = sessions.load(session.id()).await.unwrap().is_some();
            assert_eq!(is_there, session.owner() != Some(owner), "{owner:?}");
        }
        assert!(sessions.load(this.id()).await.unwrap().is_some());
        others.retain(|session| session.owner() != Some(owner));
    }
    assert_eq!(keys(&backend).await.len(), OWNERS.len() + 1);
    assert!(sessions.load(visitor.id()).await.unwrap().is_some());
}

async fn logging_out_everywhere_else_with_a_session_that_is_gone_brings_nothing_back(
    backend: Arc<dyn Backend>,
) {
    let sessions = sessions(backend.clone());
    let this = sessions.create("ann", ann()).await.unwrap();
    sessions.create("ann", ann()).await.unwrap();
    sessions.delete(this.id()).await.unwrap();
    assert_eq!(sessions.delete_others(&this).await.unwrap(), 1);
    assert_eq!(keys(&backend).await, [""; 0]);
}

async fn visitors_are_not_logged_out_as_if_they_were_one(backend: Arc<dyn Backend>) {
    let sessions = sessions(backend.clone());
    let visitor = sessions.create_anonymous(ann()).await.unwrap();
    sessions.create_anonymous(ann()).await.unwrap();
    let error = sessions.delete_others(&visitor).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidKey);
    assert_eq!(keys(&backend).await.len(), 2);
}

async fn logging_out_everywhere_else_leaves_a_session_that_others_save(backend: Arc<dyn Backend>) {
    let sessions = sessions(backend.clone());
    let this = sessions.create("ann", ann()).await.unwrap();
    for _ in 0..50 {
        sessions.create("ann", ann()).await.unwrap();
    }
    let saves = async {
        for _ in 0..50 {
            let saved = sessions.update(this.id(), |login| login.visits += 1).await;
            assert!(saved.unwrap().is_some());
        }
    };
    let (deleted, ()) = tokio::join!(sessions.delete_others(&this), saves);
    assert_eq!(deleted.unwrap(), 50);
    let loaded = sessions.load(this.id()).await.unwrap().unwrap();
    assert_eq!(loaded.visits, 50);
    assert_eq!(keys(&backend).await.len(), 1);
}

#[tokio::test]
async fn logging_out_everywhere_clears_below_the_owner_with_the_separator() {
    let store = Flaky::new(MemoryBackend::new());
    sessions(&store).delete_all("1:*").await.unwrap();
    assert_eq!(store.calls(), [(Op::Clear, "session-store:1%3A%2A:")]);
}
