//! Keyspaces, sessions and throttles of a program that are in each other's way are named.
#![allow(dead_code)]

use std::sync::LazyLock;
use std::time::Duration;

use reinhardt_backends::codec::Json;
use reinhardt_backends::session::{SessionStore, TowerSessions};
use reinhardt_backends::throttle::{Quota, Throttle};
use reinhardt_backends::{
    BackendError, BackendResult, ErrorKind, Keyspace, MemoryBackend, check_keyspaces, keyspaces,
    register_keyspace, register_sessions, register_throttle, register_tower_sessions,
};
use serde::{Deserialize, Serialize};

#[derive(Keyspace)]
#[keyspace(prefix = "session-store", ttl = "1m", counter)]
struct Logins;

#[derive(Keyspace)]
#[keyspace(prefix = "tower-sessions", ttl = "1m", value = String)]
struct Towers;

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter)]
struct Hits {
    route: String,
}

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = "5/min")]
struct Attempts {
    user: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Visit {
    basket: Vec<u64>,
}

register_sessions!("staff", Visit);
register_sessions!("both", Visit);
register_sessions!("both", String);
register_throttle!("hits");
register_tower_sessions!("staff");

trait Named {
    const NAME: &'static str;
}

impl Named for Visit {
    const NAME: &'static str = "same";
}

impl Named for String {
    const NAME: &'static str = "same";
}

#[derive(Debug, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = ["cached", T::NAME], ttl = "1m")]
struct Cached<T: Named> {
    #[keyspace(key)]
    id: u64,
    value: T,
}

register_keyspace!(Cached<Visit>);
register_keyspace!(Cached<String>);

#[derive(Debug, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "shared", ttl = "1m")]
struct Shared<T> {
    #[keyspace(key)]
    id: u64,
    value: T,
}

#[derive(Debug, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = ["part", T::NAME], ttl = "1m")]
struct Part<T: Named, const SHARD: usize> {
    #[keyspace(key)]
    id: u64,
    value: T,
}

/// The conflicts, each as one text.
static CONFLICTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let error = check_keyspaces().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    error.to_string().split("; ").map(str::to_string).collect()
});

/// The only conflict that holds all of `parts`.
#[track_caller]
fn conflict(parts: &[&str]) -> &'static str {
    let all = |conflict: &&String| parts.iter().all(|part| conflict.contains(part));
    let found: Vec<_> = CONFLICTS.iter().filter(all).collect();
    assert_eq!(found.len(), 1, "{parts:?} in {CONFLICTS:#?}");
    found[0]
}

#[track_caller]
fn refused<T>(made: BackendResult<T>) -> String {
    let error: BackendError = made.err().expect("the prefix is taken");
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    error.to_string()
}

fn quota() -> [Quota; 1] {
    [Quota::gcra(5, Duration::from_secs(60))]
}

#[test]
fn declarations_of_one_prefix_are_a_conflict_that_names_both_places() {
    for parts in [
        ["`registry_clashes::Hits`", "the throttles"],
        [
            "the sessions of `Visit` with the codec `cbor`",
            "the sessions of tower-sessions",
        ],
        ["the sessions of `Visit`", "the sessions of `String`"],
        [
            "`registry_clashes::Cached<Visit>`",
            "`registry_clashes::Cached<String>`",
        ],
    ] {
        let text = conflict(&parts);
        assert!(text.contains("two keyspaces have the keys"), "{text}");
        assert_eq!(text.matches("clashes.rs:").count(), 2, "{text}");
    }
}

/// Nothing declares these two prefixes for sessions: a store that is given no prefix has one of
/// them.
#[test]
fn a_keyspace_under_the_prefix_of_sessions_that_are_given_none_is_a_conflict() {
    for parts in [
        ["`registry_clashes::Logins`", "`SessionStore`"],
        ["`registry_clashes::Towers`", "`TowerSessions`"],
    ] {
        let text = conflict(&parts);
        assert!(text.contains("clashes.rs:"), "{text}");
    }
}

#[test]
fn a_generic_keyspace_whose_prefix_names_no_parameter_is_a_conflict() {
    let text = conflict(&["registry_clashes::Shared"]);
    assert!(text.contains("clashes.rs:"), "{text}");
    assert!(text.contains("`shared:..`"), "{text}");
    assert!(text.contains("`prefix = [\"shared\", T::NAME]`"), "{text}");
}

#[test]
fn each_parameter_has_a_part_in_the_prefix() {
    let text = conflict(&["registry_clashes::Part"]);
    assert!(text.contains("differ in `SHARD`"), "{text}");
    let remedy = "`prefix = [\"part\", T::NAME, Name::<SHARD>::NAME]`";
    assert!(text.contains(remedy), "{text}");
}

#[test]
fn an_ambiguous_keyspace_is_not_listed() {
    assert!(keyspaces().iter().all(|it| it.prefix != "shared"));
}

#[test]
fn a_store_is_refused_the_prefix_of_a_keyspace() {
    let backend = MemoryBackend::new();
    let text = refused(SessionStore::<Visit, _>::builder(&backend).build());
    assert!(
        text.contains("`SessionStore` of `registry_clashes::Visit`"),
        "{text}"
    );
    assert!(text.contains("`session-store`"), "{text}");
    assert!(
        text.contains("`registry_clashes::Logins` (tests/registry/clashes.rs:"),
        "{text}"
    );

    let text = refused(TowerSessions::with_prefix(&backend, "tower-sessions"));
    assert!(text.contains("`registry_clashes::Towers`"), "{text}");
    let text = refused(TowerSessions::with_prefix(&backend, "login"));
    assert!(text.contains("`registry_clashes::Attempts`"), "{text}");
    let text = refused(
        SessionStore::<Visit, _>::builder(&backend)
            .prefix("shared")
            .build(),
    );
    assert!(text.contains("`registry_clashes::Shared`"), "{text}");
}

#[test]
#[should_panic(expected = "`registry_clashes::Logins`")]
fn a_store_with_the_default_prefix_panics_with_both_names() {
    let _ = SessionStore::<Visit, _>::new(MemoryBackend::new());
}

#[test]
fn a_store_of_other_data_is_refused_the_prefix_of_sessions() {
    let backend = MemoryBackend::new();
    let text = refused(
        SessionStore::<u64, _>::builder(&backend)
            .prefix("both")
            .build(),
    );
    assert!(text.contains("`SessionStore` of `u64`"), "{text}");
    assert!(text.contains("the sessions of `"), "{text}");
}

#[test]
fn a_store_with_another_codec_is_refused_the_prefix_of_sessions() {
    let backend = MemoryBackend::new();
    let store = SessionStore::<Visit, _>::builder(&backend).prefix("both");
    let text = refused(store.codec::<Json>().build());
    assert!(text.contains("::Json`"), "{text}");
}

#[test]
fn a_throttle_is_refused_the_prefix_of_something_else() {
    let text = refused(Throttle::new("hits", quota()));
    assert!(
        text.contains("a `Throttle` can't have the prefix `hits`"),
        "{text}"
    );
    assert!(refused(Throttle::new("staff", quota())).contains("the sessions of"));
    // Also where throttles are declared there, beside a counter.
    assert!(refused(Throttle::new("hits", quota())).contains("`registry_clashes::Hits`"));
}

#[test]
fn throttles_share_a_prefix_with_typed_ones() {
    assert!(Throttle::new("login", quota()).is_ok());
}

/// Stores that are given no prefix have these, whether something is declared under them or not.
#[test]
fn the_prefix_of_sessions_that_are_given_none_is_theirs_alone() {
    let backend = MemoryBackend::new();
    let throttle = refused(Throttle::new("session-store", quota()));
    assert!(
        throttle.contains("a `SessionStore` that is given none"),
        "{throttle}"
    );
    let tower = refused(TowerSessions::with_prefix(&backend, "session-store"));
    assert!(
        tower.contains("a `SessionStore` that is given none"),
        "{tower}"
    );
    let store = SessionStore::<Visit, _>::builder(&backend).prefix("tower-sessions");
    let store = refused(store.build());
    assert!(
        store.contains("a `TowerSessions` that is given none"),
        "{store}"
    );
}

#[test]
fn a_prefix_that_nobody_declares_is_free() {
    let backend = MemoryBackend::new();
    assert!(
        SessionStore::<Visit, _>::builder(&backend)
            .prefix("free")
            .build()
            .is_ok()
    );
    assert!(
        SessionStore::<u64, _>::builder(&backend)
            .prefix("free")
            .build()
            .is_ok()
    );
    assert!(TowerSessions::with_prefix(&backend, "free").is_ok());
    assert!(Throttle::new("free", quota()).is_ok());
}
