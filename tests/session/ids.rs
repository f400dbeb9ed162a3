//! Ids are unguessable and safe in a cookie, and any text that a client sends is harmless.

use std::collections::HashSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::executor::block_on;
use proptest::prelude::*;
use reinhardt_backends::layer::Op;
use reinhardt_backends::session::{SessionId, SessionStore};
use reinhardt_backends::testing::{Flaky, NewRule};
use reinhardt_backends::{Backend, ErrorKind, MemoryBackend};

use crate::{Login, ann, sessions};

/// Says what the client could send in a cookie, and is asked for, of a store with one session of
/// `ann`.
fn asked_for(text: &str) -> Vec<String> {
    let store = Flaky::new(MemoryBackend::new());
    let sessions = sessions(&store);
    let session = block_on(sessions.create("ann", ann())).unwrap();
    assert_ne!(session.id().as_str(), text);
    store.take_calls();
    assert!(block_on(sessions.load(text)).unwrap().is_none());
    assert!(block_on(sessions.update(text, |_| ())).unwrap().is_none());
    assert!(!block_on(sessions.touch(text)).unwrap());
    assert!(!block_on(sessions.delete(text)).unwrap());
    let asked = store.take_calls().into_iter();
    let asked = asked.flat_map(|call| call.keys).collect();
    assert!(block_on(sessions.load(session.id())).unwrap().is_some());
    asked
}

proptest! {
    #[test]
    fn whatever_text_a_client_sends_is_no_session(text in ".{0,500}") {
        for key in asked_for(&text) {
            prop_assert!(key.starts_with("session-store:"));
        }
    }

    #[test]
    fn whatever_owner_a_client_makes_up_stays_in_the_keyspace(
        head in prop::array::uniform24(any::<u8>()),
        owner in ".{0,80}",
    ) {
        let text = URL_SAFE_NO_PAD.encode([&head[..], owner.as_bytes()].concat());
        if owner.len() <= 256 {
            let id: SessionId = text.parse().unwrap();
            prop_assert_eq!(id.owner().unwrap_or_default(), owner);
        }
        for key in asked_for(&text) {
            prop_assert!(key.starts_with("session-store:"), "{}", key);
            prop_assert_eq!(key.matches(':').count(), 2, "{}", key);
            prop_assert!(!key.contains(['*', '?', '[', ' ', '{']), "{}", key);
        }
    }

    #[test]
    fn another_owner_or_end_in_an_id_finds_nothing(at in 0usize..36, to in "[A-Za-z0-9_-]") {
        let sessions = sessions(MemoryBackend::new());
        let session = block_on(sessions.create("ann", ann())).unwrap();
        let mut text = session.id().to_string();
        prop_assume!(text[at..=at] != to);
        text.replace_range(at..=at, &to);
        prop_assert!(block_on(sessions.load(&text)).unwrap().is_none());
        prop_assert!(block_on(sessions.load(session.id())).unwrap().is_some());
    }
}

#[test]
fn text_that_is_no_id_is_not_even_asked_for() {
    for text in [
        "",
        "abc",
        "../../etc/passwd",
        "session-store:ann:*",
        &"A".repeat(100_000),
    ] {
        assert_eq!(asked_for(text), [""; 0], "{text:.20}");
    }
}

#[test]
fn an_id_that_no_key_has_room_for_is_no_session() {
    let backend = MemoryBackend::builder().key_limit(60).build();
    let sessions = sessions(backend);
    let session = block_on(sessions.create("ann", ann())).unwrap();
    assert!(block_on(sessions.load(session.id())).unwrap().is_some());
    let text = URL_SAFE_NO_PAD.encode([b'x'; 100]);
    assert!(block_on(sessions.load(&text)).unwrap().is_none());
    assert!(!block_on(sessions.delete(&text)).unwrap());
}

#[test]
fn ids_are_fresh_and_safe_in_a_cookie() {
    let sessions = sessions(MemoryBackend::new());
    let ids: HashSet<String> = (0..1000)
        .map(|_| {
            block_on(sessions.create("ä;\"b", ann()))
                .unwrap()
                .id()
                .to_string()
        })
        .collect();
    assert_eq!(ids.len(), 1000);
    let safe = |char: char| char.is_ascii_alphanumeric() || "-_".contains(char);
    assert!(ids.iter().all(|id| id.chars().all(safe)));
    // No two of 24 random characters in one place are enough alike to be counted.
    for at in 0..24 {
        let there: HashSet<&str> = ids.iter().map(|id| &id[at..=at]).collect();
        assert!(there.len() > 32, "{there:?} at {at}");
    }
}

/// Lets others be faster at the calls of a rule: the key that is written is taken by then.
fn lose_races(rule: NewRule, store: &Flaky<MemoryBackend>) {
    let others = store.inner().clone();
    rule.run(move |call| {
        let others = others.clone();
        async move { others.set(&call.keys[call.keys.len() - 1], 0, None).await }
    });
}

#[test]
fn a_taken_id_is_not_given_out_and_another_one_is_tried() {
    let store = Flaky::new(MemoryBackend::new());
    let sessions = sessions(&store);
    lose_races(store.on(Op::Write).first(3), &store);
    let mut session = block_on(sessions.create("ann", ann())).unwrap();
    assert_eq!((store.count(Op::Write), store.calls().len()), (4, 4));
    assert!(block_on(sessions.load(session.id())).unwrap().is_some());
    lose_races(store.on(Op::Move).first(2), &store);
    block_on(sessions.cycle_id(&mut session)).unwrap();
    assert!(block_on(sessions.load(session.id())).unwrap().is_some());
}

#[test]
fn a_random_source_that_repeats_itself_is_an_error() {
    let store = Flaky::new(MemoryBackend::new());
    lose_races(store.on(Op::Write), &store);
    let error = block_on(sessions(&store).create("ann", ann())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    assert!(!error.is_transient());
    assert_eq!((store.count(Op::Write), store.calls().len()), (8, 8));
}

#[test]
fn debug_shows_no_id_no_owner_and_no_data() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let sessions: SessionStore<Login> = SessionStore::new(backend);
    let session = block_on(sessions.create("top-secret", ann())).unwrap();
    let shown = format!("{session:?} {:?} {sessions:?}", session.id());
    let id = session.id().as_str();
    for secret in [id, &id[..24], "top-secret", "ann"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
