//! The registry and the schema lock, in a program of their own: they know every keyspace that is linked.

mod model;

use std::path::Path;

use reinhardt_backends::keyspace::Kind;
use reinhardt_backends::{check_keyspaces, keyspaces};

#[test]
fn every_keyspace_of_the_program_is_listed() {
    let all = keyspaces();
    let names: Vec<&str> = all.iter().map(|keyspace| keyspace.name).collect();
    // By prefix and version; `Local` is declared inside of a function, `Generic` has no one type.
    assert_eq!(names, ["Hits", "Local", "Page", "SessionV1", "Session"]);
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
fn the_keyspaces_of_this_program_are_in_order() {
    check_keyspaces().unwrap();
}

#[test]
fn the_table_names_every_keyspace() {
    let table = keyspaces().to_string();
    assert_eq!(table.lines().count(), 6);
    assert!(table.contains("session@2"), "{table}");
    assert!(table.contains("{user}, id"), "{table}");
    assert!(table.contains("30m, sliding, jitter 5%"), "{table}");
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

/// What the lock file of this program says of another program, whose `Role` inside of a `Vec<Role>` was different.
#[test]
fn a_change_in_a_nested_type_is_seen_and_named() {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("registry/keyspaces.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("changed.lock");
    let level = "value.roles[].Staff.level: u8";
    assert!(lock.contains(level), "{lock}");
    std::fs::write(&file, lock.replace(level, "value.roles[].Staff.level: u16")).unwrap();
    let file = file.to_str().unwrap();
    let failure = std::panic::catch_unwind(|| reinhardt_backends::assert_schema_lock!(file));
    let failure = failure.unwrap_err();
    let text = failure.downcast_ref::<String>().unwrap();
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
