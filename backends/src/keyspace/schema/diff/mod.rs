//! The difference between a snapshot and the keyspaces of a program.

mod changes;
#[cfg(test)]
mod tests;

use super::snapshot::{KeyspaceSnapshot, TTL, one_line};
use super::ttl::is_same_life;
use changes::Changes;

/// The difference between a program's keyspaces and those of the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Diff {
    /// One text for each keyspace that has changed so that bytes already stored may be misread.
    pub(crate) failures: Vec<String>,
    pub(crate) notes: Vec<String>,
    /// The names of the keyspaces that the file doesn't hold yet.
    pub(crate) missing: Vec<String>,
}

/// Compares the keyspaces of a program with those of its file, each under its name.
pub(crate) fn compare(locked: &[KeyspaceSnapshot], now: &[KeyspaceSnapshot]) -> Diff {
    let mut diff = Diff::default();
    for keyspace in now {
        match locked.iter().find(|old| old.is_named(&keyspace.name)) {
            Some(old) => diff.compare_one(old, keyspace),
            None => diff.missing.push(keyspace.name.clone()),
        }
        diff.note_opaque(keyspace);
    }
    for old in locked {
        if !now.iter().any(|keyspace| keyspace.is_named(&old.name)) {
            diff.notes.push(format!(
                "{}: in the lock file and not in the program",
                old.name
            ));
        }
    }
    diff
}

impl Diff {
    fn compare_one(&mut self, old: &KeyspaceSnapshot, new: &KeyspaceSnapshot) {
        let mut changes = Changes::default();
        for ((property, before), (_, after)) in old.properties().into_iter().zip(new.properties()) {
            let (before, after) = (one_line(before), one_line(after));
            if before == after || property == TTL && is_same_life(&before, &after) {
                continue;
            }
            let text = format!("{property} was `{before}` and is `{after}`");
            // A life is given to entries that are written from now on; stored entries are read
            // either way.
            if property == TTL {
                changes.harmless.push(text);
            } else {
                changes.harmful.push(text);
            }
        }
        if new.layout.by_name {
            changes.compare_by_name(&old.layout.nodes, &new.layout.nodes);
        } else {
            changes.compare_by_position(&old.layout.nodes, &new.layout.nodes, &new.codec);
        }
        self.take(new, changes);
    }

    fn take(&mut self, keyspace: &KeyspaceSnapshot, changes: Changes) {
        let name = &keyspace.name;
        let named = |text: &String| format!("{name}: {text}");
        self.notes.extend(changes.harmless.iter().map(named));
        if changes.harmful.is_empty() {
            return;
        }
        let mut lines: Vec<_> = changes.harmful.iter().map(named).collect();
        lines.push(remedy(keyspace).to_string());
        self.failures.push(lines.join("\n"));
    }

    fn note_opaque(&mut self, keyspace: &KeyspaceSnapshot) {
        for node in keyspace.layout.nodes.iter().filter(|node| node.is_opaque()) {
            let what = match node.is_flattened() {
                true => "is flattened: changes of fields with a default aren't seen",
                false => "is opaque: changes in it aren't seen",
            };
            let KeyspaceSnapshot { name, .. } = keyspace;
            self.notes.push(format!("{name}: `{}` {what}", node.path));
        }
    }
}

/// Sessions have no version: another prefix tells new sessions from old ones.
fn remedy(keyspace: &KeyspaceSnapshot) -> &'static str {
    match keyspace.kind.ends_with("sessions") {
        true => REMEDY_OF_SESSIONS,
        false => REMEDY,
    }
}

const REMEDY: &str = "raise `version` in its `#[keyspace(..)]`, \
    or accept the change by running the test with REINHARDT_SCHEMA_LOCK=accept";
const REMEDY_OF_SESSIONS: &str = "give new sessions another prefix, which ends the old ones, \
    or accept the change by running the test with REINHARDT_SCHEMA_LOCK=accept";
