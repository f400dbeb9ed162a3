//! Changes that fail, changes that are noted, and those that nobody is told of.

use super::{Diff, REMEDY, REMEDY_OF_SESSIONS, compare};
use crate::keyspace::schema::snapshot::KeyspaceSnapshot;
use crate::keyspace::schema::snapshot::tests::{by_position, session};

fn compared(old: KeyspaceSnapshot, new: KeyspaceSnapshot) -> Diff {
    compare(&[old], &[new])
}

/// The changes that one keyspace fails for, without its name and the remedy.
#[track_caller]
fn failed(old: KeyspaceSnapshot, new: KeyspaceSnapshot) -> Vec<String> {
    let diff = compared(old, new);
    assert_eq!(diff.failures.len(), 1, "{diff:?}");
    let mut lines: Vec<_> = diff.failures[0].lines().collect();
    assert_eq!(lines.pop(), Some(REMEDY));
    let changes = lines.iter().map(|line| line.strip_prefix("session@2: "));
    changes.map(|line| line.unwrap().to_string()).collect()
}

#[track_caller]
fn noted(old: KeyspaceSnapshot, new: KeyspaceSnapshot) -> Vec<String> {
    let diff = compared(old, new);
    assert_eq!(diff.failures, [""; 0]);
    diff.notes
}

#[test]
fn nothing_is_said_where_nothing_has_changed() {
    let keyspace = session(&["value: struct", "value.id: string"]);
    assert_eq!(compared(keyspace.clone(), keyspace), Diff::default());
}

#[test]
fn another_kind_key_or_codec_fails() {
    let old = session(&["value: u8"]);
    let new = KeyspaceSnapshot {
        kind: "value".to_string(),
        key: "id, tenant".to_string(),
        codec: "json".to_string(),
        ..old.clone()
    };
    assert_eq!(
        failed(old, new),
        [
            "kind was `entry` and is `value`",
            "key was `id` and is `id, tenant`",
            "codec was `cbor` and is `json`",
        ]
    );
}

#[test]
fn the_required_fields_of_a_flattened_struct_are_held() {
    let flat = "value: opaque (a flattened struct, but for its required fields)";
    let note = "session@2: `value` is flattened: changes of fields with a default aren't seen";
    let old = session(&[flat, "value.a: u8"]);
    assert_eq!(noted(old.clone(), old.clone()), [note]);
    assert_eq!(
        failed(old.clone(), session(&[flat, "value.a: u8", "value.b: u8"])),
        ["`value.b` is new, `u8` without a default: values stored without it can't be read"]
    );
    assert_eq!(
        failed(old.clone(), session(&[flat])),
        ["`value.a` was `u8` and is gone, or has a default now"]
    );
    let before = session(&["value: opaque (a flattened struct)"]);
    let written_anew = "session@2: `value` is `opaque (a flattened struct, but for its required fields)`, \
        and the file says `opaque (a flattened struct)` alone: write it anew to have the rest held";
    assert_eq!(noted(before, old), [written_anew, note]);
}

#[test]
fn another_ttl_is_only_noted() {
    let old = session(&["value: u8"]);
    let new = KeyspaceSnapshot {
        ttl: "1h".to_string(),
        ..old.clone()
    };
    assert_eq!(noted(old, new), ["session@2: ttl was `30m` and is `1h`"]);
}

#[test]
fn the_same_ttl_in_other_words_is_not_noted() {
    let old = KeyspaceSnapshot {
        ttl: "2months 29days 2h 52m 48s, lease 10s, stale 1h 30m".to_string(),
        ..session(&["value: u8"])
    };
    let new = KeyspaceSnapshot {
        ttl: "90d, lease 10s, stale 90m".to_string(),
        ..old.clone()
    };
    assert_eq!(noted(old, new), [""; 0]);
}

#[test]
fn another_target_of_a_recursion_fails() {
    let old = session(&["value: struct", "value.a: newtype recursive into value"]);
    let new = session(&["value: struct", "value.a: newtype recursive into value.b"]);
    assert_eq!(
        failed(old, new),
        ["`value.a` was `newtype recursive into value` and is `newtype recursive into value.b`"]
    );
}

#[test]
fn a_recursion_of_which_the_file_does_not_say_into_what_is_noted() {
    let old = session(&[
        "value: struct",
        "value.a: newtype recursive",
        "value.b: recursive",
    ]);
    let new = session(&[
        "value: struct",
        "value.a: newtype recursive into value",
        "value.b: u8",
    ]);
    let diff = compared(old, new);
    assert_eq!(
        diff.notes,
        [
            "session@2: `value.a` is `newtype recursive into value`, and the file says \
            `newtype recursive` alone: write it anew to have the rest held"
        ]
    );
    assert!(diff.failures[0].contains("`value.b` was `recursive` and is `u8`"));
}

#[test]
fn a_recursion_into_a_field_that_was_renamed_with_an_alias_passes() {
    let old = session(&[
        "value: struct",
        "value.a: seq",
        "value.a[]: struct",
        "value.a[].a: recursive into value.a[]",
        "value.ab: recursive into value",
    ]);
    let new = session(&[
        "value: struct",
        "value.as: seq",
        "value.as[]: struct",
        "value.as[].a: recursive into value.as[]",
        "value.a: alias as",
        "value.ab: recursive into value",
    ]);
    assert_eq!(
        noted(old, new),
        ["session@2: `value.a` is now `value.as` and still read under its old name"]
    );
}

#[test]
fn sessions_are_told_what_they_can_do() {
    let old = KeyspaceSnapshot {
        kind: "sessions".to_string(),
        ..session(&["value: u8"])
    };
    let new = KeyspaceSnapshot {
        layout: session(&["value: u16"]).layout,
        ..old.clone()
    };
    let failure = &compared(old, new).failures[0];
    assert!(failure.ends_with(REMEDY_OF_SESSIONS), "{failure}");
}

#[test]
fn another_type_fails_and_hides_what_lies_inside() {
    let old = session(&[
        "value: struct",
        "value.a: seq",
        "value.a[]: u8",
        "value.ab: u8",
    ]);
    let new = session(&[
        "value: struct",
        "value.a: option",
        "value.a?: u8",
        "value.ab: u16",
    ]);
    assert_eq!(
        failed(old, new),
        [
            "`value.a` was `seq` and is `option`",
            "`value.ab` was `u8` and is `u16`",
        ]
    );
}

#[test]
fn a_removed_field_fails_once() {
    let old = session(&["value: struct", "value.a: struct", "value.a.b: u8"]);
    let new = session(&["value: struct"]);
    assert_eq!(failed(old, new), ["`value.a` was `struct` and is gone"]);
}

#[test]
fn an_added_field_fails_without_a_default() {
    let old = session(&["value: struct"]);
    let new = session(&["value: struct", "value.a: struct", "value.a.b: u8"]);
    let expected =
        ["`value.a` is new, `struct` without a default: values stored without it can't be read"];
    assert_eq!(failed(old, new), expected);
}

#[test]
fn an_added_field_with_a_default_passes_with_all_that_lies_inside() {
    let old = session(&["value: struct"]);
    let new = session(&["value: struct", "value.a: struct, default", "value.a.b: u8"]);
    assert_eq!(noted(old, new), [""; 0]);
}

#[test]
fn an_added_variant_fails() {
    let old = session(&["value: newtype enum"]);
    let new = session(&["value: newtype enum", "value.A: unit"]);
    let expected = ["`value.A` is a new variant: what still runs with the old type can't read it"];
    assert_eq!(failed(old, new), expected);
}

#[test]
fn a_lost_default_fails_and_a_gained_one_is_noted() {
    let without = session(&["value: struct", "value.a: u8"]);
    let with = session(&["value: struct", "value.a: u8, default"]);
    assert_eq!(
        failed(with.clone(), without.clone()),
        ["`value.a` had a default and has none: values stored without it can't be read"]
    );
    assert_eq!(
        noted(without, with),
        ["session@2: `value.a` has a default now"]
    );
}

#[test]
fn the_order_of_fields_counts_only_by_position() {
    let old = ["value: struct", "value.a: u8", "value.b: u8"];
    let new = ["value: struct", "value.b: u8", "value.a: u8"];
    assert_eq!(noted(session(&old), session(&new)), [""; 0]);
    assert_eq!(
        failed(by_position(&old), by_position(&new)),
        ["the order has changed from `value.b` on, and postcard goes by the order"]
    );
}

#[test]
fn an_added_field_with_a_default_fails_by_position() {
    let old = by_position(&["value: struct"]);
    let new = by_position(&["value: struct", "value.a: option, default", "value.a?: u8"]);
    assert_eq!(failed(old, new), ["`value.a` is new, `option`"]);
}

#[test]
fn a_gained_default_fails_by_position() {
    let old = by_position(&["value: struct", "value.a: u8"]);
    let new = by_position(&["value: struct", "value.a: u8, default"]);
    assert_eq!(failed(old, new), ["`value.a` had no default and has one"]);
}

#[test]
fn an_added_alias_passes_and_a_removed_one_fails() {
    let without = ["value: struct", "value.key: u8"];
    let with = ["value: struct", "value.key: u8", "value.id: alias key"];
    assert_eq!(noted(session(&without), session(&with)), [""; 0]);
    assert_eq!(
        failed(session(&with), session(&without)),
        ["`value.id` was `alias key` and is gone"]
    );
    assert_eq!(noted(by_position(&with), by_position(&without)), [""; 0]);
}

#[test]
fn a_field_renamed_with_an_alias_passes() {
    let old = session(&["value: struct", "value.a: seq", "value.a[]: u8"]);
    let new = session(&[
        "value: struct",
        "value.as: seq",
        "value.as[]: u8",
        "value.a: alias as",
    ]);
    let note = "session@2: `value.a` is now `value.as` and still read under its old name";
    assert_eq!(noted(old.clone(), new.clone()), [note]);
    let back = "session@2: `value.as` is now `value.a` and still read under its old name";
    let alias = session(&["value.as: alias a"]);
    let mut renamed_back = old;
    renamed_back.layout.nodes.extend(alias.layout.nodes);
    assert_eq!(noted(new, renamed_back), [back]);
}

#[test]
fn two_fields_that_become_one_fail() {
    let old = session(&["value: struct", "value.a: u8", "value.b: u8"]);
    let new = session(&["value: struct", "value.b: u8", "value.a: alias b"]);
    assert_eq!(failed(old, new), ["`value.a` was `u8` and is `alias b`"]);
}

#[test]
fn a_renamed_field_of_another_type_fails() {
    let old = session(&["value: struct", "value.a: u8"]);
    let new = session(&["value: struct", "value.b: u16", "value.a: alias b"]);
    assert_eq!(failed(old, new), ["`value.a` was `u8` and is `u16`"]);
}

#[test]
fn what_is_opaque_is_noted_once_and_fails_where_it_was_traced() {
    let opaque = session(&["value: opaque (asks for any type)"]);
    assert_eq!(
        noted(opaque.clone(), opaque.clone()),
        ["session@2: `value` is opaque: changes in it aren't seen"]
    );
    assert_eq!(
        failed(session(&["value: u8"]), opaque),
        ["`value` was `u8` and is `opaque (asks for any type)`"]
    );
}

#[test]
fn a_keyspace_that_only_one_side_has_is_missing_or_noted() {
    let old = session(&["value: u8"]);
    let new = KeyspaceSnapshot {
        name: "session@3".to_string(),
        ..old.clone()
    };
    let diff = compared(old, new);
    assert_eq!(diff.failures, [""; 0]);
    assert_eq!(diff.missing, ["session@3"]);
    assert_eq!(
        diff.notes,
        ["session@2: in the lock file and not in the program"]
    );
}

#[test]
fn the_remedy_is_named_once_a_keyspace() {
    let old = session(&["value: struct", "value.a: u8", "value.b: u8"]);
    let new = session(&["value: struct"]);
    let diff = compared(old, new);
    assert_eq!(diff.failures[0].matches("REINHARDT_SCHEMA_LOCK").count(), 1);
}
