//! The registry and the schema lock know every keyspace that is linked into their program.

mod model;

use std::path::Path;
use std::time::Duration;

use model::made::{STAFF, Visit};
use reinhardt_backends::codec::Json;
use reinhardt_backends::keyspace::Kind;
use reinhardt_backends::session::{SessionStore, TowerSessions};
use reinhardt_backends::throttle::{Quota, Throttle};
use reinhardt_backends::{Life, MemoryBackend, check_keyspaces, keyspaces};

#[test]
fn every_keyspace_of_the_program_is_listed() {
    let all = keyspaces();
    let names: Vec<&str> = all.iter().map(|keyspace| keyspace.name).collect();
    // By prefix and version; `Local` is declared inside of a function, no type of `Generic` is
    // registered.
    assert_eq!(
        names,
        [
            "Throttle",
            "Cached<Shop>",
            "Cached<User>",
            "Hits",
            "Local",
            "Page",
            "SessionV1",
            "Session",
            "Visit",
            "TowerSessions"
        ]
    );
}

#[test]
fn a_keyspace_is_listed_with_all_that_it_declares() {
    let all = keyspaces();
    let session = all.iter().find(|keyspace| keyspace.name == "Session");
    let session = session.unwrap();
    assert_eq!((session.prefix, session.version), ("session", 2));
    assert_eq!(session.kind, Kind::Entry);
    assert_eq!(session.key_fields, ["user", "id"]);
    assert_eq!(session.tag, Some(0));
    assert_eq!((session.value, session.codec), ("Session", "cbor"));
    assert!(session.sliding);
    assert_eq!(session.jitter, 5);
    assert_eq!(session.migrates.unwrap().name, "SessionV1");
    assert_eq!(session.location.module, "registry::model");
    assert!(session.location.file.ends_with("model.rs"));
    let source = include_str!("model.rs");
    let line = source.lines().nth(session.location.line as usize - 1);
    assert!(line.unwrap().contains("struct Session {"), "{line:?}");

    let page = all.iter().find(|keyspace| keyspace.name == "Page").unwrap();
    assert_eq!((page.value, page.codec), ("Vec<Option<String>>", "json"));
}

#[test]
fn a_registered_type_of_a_generic_keyspace_is_listed_with_its_own_prefix() {
    let all = keyspaces();
    let cached = all.iter().find(|it| it.prefix == "cached.user").unwrap();
    assert_eq!(
        (cached.name, cached.value),
        ("Cached<User>", "Cached<User>")
    );
    assert_eq!((cached.version, cached.kind), (2, Kind::Entry));
    let source = include_str!("model.rs");
    let line = source.lines().nth(cached.location.line as usize - 1);
    assert!(line.unwrap().contains("Cached<User>"), "{line:?}");
}

#[test]
fn what_the_program_makes_under_a_prefix_is_listed() {
    let all = keyspaces();
    let of = |prefix: &str| **all.iter().find(|it| it.prefix == prefix).unwrap();
    let staff = of("staff");
    assert_eq!(staff.kind, Kind::Sessions);
    assert_eq!((staff.value, staff.codec), ("Visit", "json"));
    assert_eq!(staff.key_fields, ["owner", "id"]);
    assert_eq!(staff.life, Life::Keep);
    assert_eq!(staff.location.module, "registry::model::made");
    assert_eq!(
        (of("web").kind, of("web").codec),
        (Kind::TowerSessions, "cbor")
    );
    assert_eq!(
        (of("api").kind, of("api").codec),
        (Kind::Throttles, "throttle")
    );
}

#[test]
fn stores_and_throttles_have_the_prefixes_that_are_declared_for_them() {
    let backend = MemoryBackend::new();
    let sessions = SessionStore::<Visit, _>::builder(&backend).prefix(STAFF);
    assert!(sessions.codec::<Json>().build().is_ok());
    assert!(TowerSessions::with_prefix(&backend, "web").is_ok());
    let minute = Duration::from_secs(60);
    for limit in [10, 20] {
        assert!(Throttle::new("api", [Quota::gcra(limit, minute)]).is_ok());
    }
}

#[test]
fn the_keyspaces_of_this_program_are_in_order() {
    check_keyspaces().unwrap();
}

#[test]
fn the_table_names_every_keyspace() {
    let table = keyspaces().to_string();
    assert_eq!(table.lines().count(), 11);
    assert!(table.contains("session@2"), "{table}");
    assert!(table.contains("{user}, id"), "{table}");
    assert!(table.contains("30m, sliding, jitter 5%"), "{table}");
    let staff = table.lines().find(|line| line.starts_with("staff"));
    let staff: Vec<&str> = staff
        .unwrap()
        .split("  ")
        .filter(|cell| !cell.is_empty())
        .collect();
    let cells = staff.iter().map(|cell| cell.trim());
    let expected = [
        "staff",
        "sessions",
        "owner, id",
        "Visit",
        "json",
        "set at run time",
        "Visit",
    ];
    assert!(cells.take(7).eq(expected), "{staff:?}");
}

#[test]
fn lives_are_printed_as_they_are_written() {
    let table = keyspaces().to_string();
    let cached = table.lines().find(|line| line.starts_with("cached.user@2"));
    assert!(cached.unwrap().contains("  90d  "), "{table}");
}

#[test]
fn no_layout_changes_by_accident() {
    reinhardt_backends::assert_schema_lock!("registry/keyspaces.lock");
}

#[test]
#[should_panic(expected = "REINHARDT_SCHEMA_LOCK=accept")]
fn a_missing_lock_says_how_to_write_it() {
    reinhardt_backends::assert_schema_lock!("registry/missing.lock");
}

#[test]
fn a_change_in_the_data_of_sessions_is_seen_and_named() {
    let basket = "value.data.basket[]: u64";
    let failure = failure_against("sessions.lock", basket, "value.data.basket[]: u32");
    for part in ["staff", "`value.data.basket[]`", "u32", "another prefix"] {
        assert!(failure.contains(part), "{part} in {failure}");
    }
}

/// Compares this program with the lock file of another program, whose `Role` inside of a
/// `Vec<Role>` was different.
#[test]
fn a_change_in_a_nested_type_is_seen_and_named() {
    let level = "value.roles[].Staff.level: u8";
    let text = failure_against("nested.lock", level, "value.roles[].Staff.level: u16");
    for part in [
        "session@2",
        "value.roles[].Staff.level",
        "u16",
        "u8",
        "version",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

/// Returns the failure of the schema lock if the file has `old` in place of `line`.
fn failure_against(name: &str, line: &str, old: &str) -> String {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("registry/keyspaces.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    assert!(lock.contains(line), "{lock}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    std::fs::write(&file, lock.replace(line, old)).unwrap();
    let file = file.to_str().unwrap();
    let failure = std::panic::catch_unwind(|| reinhardt_backends::assert_schema_lock!(file));
    failure
        .unwrap_err()
        .downcast_ref::<String>()
        .unwrap()
        .clone()
}
