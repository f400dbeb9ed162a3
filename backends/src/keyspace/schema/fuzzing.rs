//! The fuzz target of the file that the schema lock keeps.

use super::diff::compare;
use super::snapshot::{KeyspaceSnapshot, parse, render};

/// Reads a text as two files, with a line `%%` between them: a file that is read is written so that
/// it is read again as the same, and two files can be compared.
pub fn lock_files(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (one, other) = text.split_once("\n%%\n").unwrap_or((&text, ""));
    let (one, other) = (file(one), file(other));
    for by_name in [false, true] {
        let [one, other] = [&one, &other].map(|file| with(file, by_name));
        let _ = compare(&one, &other);
        let same = compare(&one, &one);
        assert!(same.failures.is_empty(), "{:?}", same.failures);
        assert!(same.missing.is_empty(), "{:?}", same.missing);
    }
}

/// Returns the keyspaces of a file, none if it can't be read.
fn file(text: &str) -> Vec<KeyspaceSnapshot> {
    let read = match parse(text) {
        Ok(read) => read,
        Err(error) => {
            assert!(error.starts_with("line "), "{error}");
            return Vec::new();
        }
    };
    let written = render(&read);
    let again = parse(&written).unwrap_or_else(|error| panic!("{error} in\n{written}"));
    assert_eq!(again.len(), read.len());
    assert_eq!(render(&again), written);
    for (now, locked) in [(&read, &again), (&again, &read)] {
        let diff = compare(locked, now);
        assert!(diff.failures.is_empty(), "{:?}", diff.failures);
        assert!(diff.missing.is_empty(), "{:?}", diff.missing);
    }
    for keyspace in &read {
        let _ = keyspace.unreadable();
    }
    read
}

/// Returns the keyspaces as a program has them, whose codec finds fields by their names or not.
fn with(file: &[KeyspaceSnapshot], by_name: bool) -> Vec<KeyspaceSnapshot> {
    let mut all = file.to_vec();
    for keyspace in &mut all {
        keyspace.layout.by_name = by_name;
    }
    all
}
