//! The comparison of a program's keyspaces with a file, and the file's writing.

use std::path::{Path, PathBuf};
use std::{env, fs};

use super::diff::{Diff, compare};
use super::snapshot::{KeyspaceSnapshot, parse, render};
use crate::keyspace::info::KeyspaceInfo;
use crate::keyspace::lives::life;
use crate::keyspace::registration::Registration;
use crate::keyspace::registry::{key, registrations, versioned};

/// Set to `accept`, it has the file written anew.
const VARIABLE: &str = "REINHARDT_SCHEMA_LOCK";

/// Holds the keyspaces of the program against `file`, for `assert_schema_lock!`.
#[track_caller]
pub fn assert_schema_lock(manifest_dir: &str, file: &str) {
    let mode = match env::var(VARIABLE) {
        Ok(value) if value == "accept" => Mode::Accept,
        _ if env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false") => {
            Mode::Check
        }
        _ => Mode::Add,
    };
    // The variable tells where the crate is now, if tests run on another machine than the one that
    // built them.
    let manifest_dir = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| manifest_dir.into());
    let file = PathBuf::from(manifest_dir).join(file);
    match program().and_then(|now| check(&file, &now, mode)) {
        Ok(notes) => notes.iter().for_each(|note| println!("{note}")),
        Err(failure) => panic!("{failure}"),
    }
}

/// The treatment of keyspaces that aren't as the file has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Fail.
    Check,
    /// Fail if a keyspace has changed, and add those that the file doesn't have.
    Add,
    /// Write the file anew.
    Accept,
}

/// The keyspaces of this program.
fn program() -> Result<Vec<KeyspaceSnapshot>, String> {
    let mut all: Vec<KeyspaceSnapshot> = registrations().into_iter().map(snapshot).collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    if let Some(pair) = all.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(format!(
            "two keyspaces have the keys `{}:..`: `check_keyspaces()` tells which",
            pair[0].name
        ));
    }
    match all.iter().find_map(KeyspaceSnapshot::unreadable) {
        Some(why) => Err(why),
        None => Ok(all),
    }
}

fn snapshot(registration: &Registration) -> KeyspaceSnapshot {
    let info: &KeyspaceInfo = &registration.info;
    KeyspaceSnapshot {
        name: versioned(info),
        kind: info.kind.as_str().to_string(),
        key: key(info),
        codec: info.codec.to_string(),
        ttl: life(info),
        layout: (registration.vtable.layout)(),
    }
}

/// Compares, writes the file if it is to be written, and returns the notes that are to be printed.
fn check(file: &Path, now: &[KeyspaceSnapshot], mode: Mode) -> Result<Vec<String>, String> {
    let place = file.display();
    if mode == Mode::Accept {
        write(file, now)?;
        return Ok(vec![format!("{place}: written anew")]);
    }
    let text = fs::read_to_string(file).map_err(|error| {
        format!("{place}: {error}; run the test with {VARIABLE}=accept to write the file")
    })?;
    let mut known = parse(&text).map_err(|problem| format!("{place}: {problem}"))?;
    let Diff {
        failures,
        mut notes,
        missing,
    } = compare(&known, now);
    if !failures.is_empty() {
        return Err(format!("{place}:\n{}", failures.join("\n")));
    }
    if missing.is_empty() {
        return Ok(notes);
    }
    let missing_names = missing.join(", ");
    if mode == Mode::Check {
        return Err(format!(
            "{place}: not in the file yet: {missing_names}; run the test where `CI` isn't set, which adds them, and \
             commit the file"
        ));
    }
    known.extend(
        now.iter()
            .filter(|one| missing.contains(&one.name))
            .cloned(),
    );
    write(file, &known)?;
    notes.push(format!("{place}: added {missing_names}"));
    Ok(notes)
}

fn write(file: &Path, all: &[KeyspaceSnapshot]) -> Result<(), String> {
    fs::write(file, render(all)).map_err(|error| format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::schema::snapshot::tests::session;

    fn keyspace(name: &str, kind_of_id: &str) -> KeyspaceSnapshot {
        KeyspaceSnapshot {
            name: name.to_string(),
            ..session(&["value: struct", &format!("value.id: {kind_of_id}")])
        }
    }

    /// A file that is gone when the test is over.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            Self(env::temp_dir().join(format!("{name}-{}.lock", std::process::id())))
        }

        fn text(&self) -> String {
            fs::read_to_string(&self.0).unwrap()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[test]
    fn a_missing_file_says_how_to_write_it() {
        let file = Scratch::new("missing");
        let failure = check(&file.0, &[keyspace("session", "u64")], Mode::Add).unwrap_err();
        assert!(
            failure.contains("REINHARDT_SCHEMA_LOCK=accept"),
            "{failure}"
        );
        assert!(!file.0.exists());
    }

    #[test]
    fn a_changed_layout_fails_until_it_is_accepted_or_has_a_new_version() {
        let file = Scratch::new("changed");
        check(&file.0, &[keyspace("session", "u64")], Mode::Accept).unwrap();
        check(&file.0, &[keyspace("session", "u64")], Mode::Check).unwrap();
        let before = file.text();
        let failure = check(&file.0, &[keyspace("session", "string")], Mode::Add).unwrap_err();
        for part in [
            "session",
            "value.id",
            "u64",
            "string",
            "version",
            "REINHARDT_SCHEMA_LOCK=accept",
        ] {
            assert!(failure.contains(part), "{part} in {failure}");
        }
        assert_eq!(file.text(), before);
        check(&file.0, &[keyspace("session@2", "string")], Mode::Add).unwrap();
        check(&file.0, &[keyspace("session", "string")], Mode::Accept).unwrap();
        check(&file.0, &[keyspace("session", "string")], Mode::Check).unwrap();
    }

    #[test]
    fn a_keyspace_that_is_not_in_the_file_is_added_and_in_ci_missed() {
        let file = Scratch::new("added");
        check(&file.0, &[keyspace("session", "u64")], Mode::Accept).unwrap();
        let both = [keyspace("session", "u64"), keyspace("session@2", "string")];
        let failure = check(&file.0, &both, Mode::Check).unwrap_err();
        assert!(
            failure.contains("not in the file yet: session@2"),
            "{failure}"
        );
        assert_eq!(check(&file.0, &both, Mode::Add).unwrap().len(), 1);
        assert!(file.text().contains("[session]") && file.text().contains("[session@2]"));
        check(&file.0, &both, Mode::Check).unwrap();
    }
}
