//! Enums and their variants.

use serde::Deserialize;

use super::{assert_shape, lines_of};

#[derive(Deserialize)]
enum Role {
    Admin,
    Guest(String),
    Nothing(()),
    Pair(u8, bool),
    Staff { level: u8, desk: Option<String> },
}

const ROLE: [&str; 11] = [
    "enum",
    ".Admin: unit",
    ".Guest: newtype string",
    ".Nothing: newtype unit",
    ".Pair: tuple 2",
    ".Pair.0: u8",
    ".Pair.1: bool",
    ".Staff: struct",
    ".Staff.level: u8",
    ".Staff.desk: option, default",
    ".Staff.desk?: string",
];

#[test]
fn an_enum_lists_its_variants() {
    let expected: Vec<_> = ROLE
        .iter()
        .map(|line| match line.strip_prefix('.') {
            Some(rest) => format!("value.{rest}"),
            None => format!("value: {line}"),
        })
        .collect();
    assert_eq!(lines_of::<Role>(false), expected);
}

#[test]
fn an_enum_is_found_inside_a_list_inside_a_struct() {
    #[derive(Deserialize)]
    struct User {
        id: String,
        roles: Vec<Role>,
        last: u8,
    }

    let lines = lines_of::<User>(false);
    let expected_start = ["value: struct", "value.id: string", "value.roles: seq"];
    assert_eq!(lines[..3], expected_start);
    assert_eq!(lines[3], "value.roles[]: enum");
    assert_eq!(lines[4], "value.roles[].Admin: unit");
    assert_eq!(lines[11], "value.roles[].Staff.level: u8");
    assert_eq!(lines[14..], ["value.last: u8"]);
}

#[test]
fn a_newtype_variant_says_so_before_its_content() {
    #[derive(Deserialize)]
    struct Meters(f64);
    #[derive(Deserialize)]
    struct Point {
        x: i32,
    }
    #[derive(Deserialize)]
    enum Shape {
        Wide(Meters),
        At(Point),
        Many(Vec<u8>),
        Inner(Switch),
    }
    #[derive(Deserialize)]
    enum Switch {
        On,
    }

    assert_shape::<Shape>(&[
        "value: enum",
        "value.Wide: newtype f64",
        "value.At: newtype struct",
        "value.At.x: i32",
        "value.Many: newtype seq",
        "value.Many[]: u8",
        "value.Inner: newtype enum",
        "value.Inner.On: unit",
    ]);
}

#[test]
fn an_adjacently_tagged_enum_shows_its_tags_and_hides_its_content() {
    #[derive(Deserialize)]
    #[serde(tag = "t", content = "c")]
    enum Adjacent {
        A { x: u8 },
        B,
    }

    assert_shape::<Adjacent>(&[
        "value: struct",
        "value.t: enum",
        "value.t.A: unit",
        "value.t.B: unit",
        "value.c: opaque (asks for any type)",
    ]);
}
