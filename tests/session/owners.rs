//! Logging out everywhere.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use reinhardt_backends::{Backend, ErrorKind};

use crate::probe::Probe;
use crate::{Login, ann, keys, on_both_backends, sessions};

on_both_backends! {
    logging_out_everywhere_takes_one_user_only
    nothing_outside_of_the_store_is_logged_out
    an_owner_that_cannot_be_one_is_refused
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

async fn nothing_outside_of_the_store_is_logged_out(backend: Arc<dyn Backend>) {
    for key in [
        "sessions",
        "sessions:1",
        "sessions1:1:x",
        "session:1:x",
        "1:1:1",
    ] {
        backend.set(key, 7, None).await.unwrap();
    }
    let sessions = sessions(backend.clone());
    sessions.create(&1u8, ann()).await.unwrap();
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    sessions.create(&address, ann()).await.unwrap();
    assert_eq!(sessions.delete_all(&1u8).await.unwrap(), 1);
    assert_eq!(sessions.delete_all(&address).await.unwrap(), 1);
    for key in [
        "sessions",
        "sessions:1",
        "sessions1:1:x",
        "session:1:x",
        "1:1:1",
    ] {
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

#[tokio::test]
async fn logging_out_everywhere_clears_below_the_owner_with_the_separator() {
    let probe = Probe::default();
    sessions(&probe).delete_all("1:*").await.unwrap();
    let cleared = ("clear_prefix", "sessions:1%3A%2A:".to_string());
    assert_eq!(probe.calls(), [cleared]);
}
