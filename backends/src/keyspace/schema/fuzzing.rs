//! The fuzz target of the file that the schema lock keeps.

use super::diff::{Diff, compare};
use super::snapshot::{KeyspaceSnapshot, parse, render};

/// Reads a text as two files, with a line `%%` between them: a file that is read is written so that
/// it is read again as the same, and no difference between two layouts that go by positions stays
/// unsaid.
///
/// In place of the second file may stand the number of a line of the first, and below it what the
/// second one has there instead.
pub fn lock_files(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (one, other) = text.split_once("\n%%\n").unwrap_or((&text, ""));
    let other = with_another_line(one, other).unwrap_or_else(|| other.to_string());
    let (one, other) = (file(one), file(&other));
    every_difference_is_told(&one, &other);
    for by_name in [false, true] {
        let [one, other] = [&one, &other].map(|file| with(file, by_name));
        let _ = compare(&one, &other);
        let same = compare(&one, &one);
        assert!(same.failures.is_empty(), "{:?}", same.failures);
        assert!(same.missing.is_empty(), "{:?}", same.missing);
    }
}

fn with_another_line(file: &str, change: &str) -> Option<String> {
    let (number, line) = change.split_once('\n').unwrap_or((change, ""));
    let number: usize = number.parse().ok()?;
    let mut lines: Vec<&str> = file.lines().collect();
    *lines.get_mut(number)? = line;
    Some(lines.join("\n"))
}

/// Where a codec goes by positions every change of a layout fails, but for aliases and for what an
/// older file leaves open.
fn every_difference_is_told(one: &[KeyspaceSnapshot], other: &[KeyspaceSnapshot]) {
    let (one, other) = (by_position(one), by_position(other));
    for locked in &one {
        let Some(now) = other.iter().find(|now| now.name == locked.name) else {
            continue;
        };
        let mut now = now.clone();
        now.ttl.clone_from(&locked.ttl);
        let [locked, now] = [[locked.clone()], [now]];
        let Diff {
            failures, notes, ..
        } = compare(&locked, &now);
        let is_open = |note: &String| note.ends_with("write it anew to have the rest held");
        let was_open = notes.iter().any(is_open);
        let differs = render(&locked) != render(&now);
        assert_eq!(!failures.is_empty() || was_open, differs, "{notes:?}");
    }
}

fn by_position(file: &[KeyspaceSnapshot]) -> Vec<KeyspaceSnapshot> {
    let mut all = with(file, false);
    for keyspace in &mut all {
        let nodes = &mut keyspace.layout.nodes;
        nodes.retain(|node| node.alias_of().is_none());
    }
    all
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
