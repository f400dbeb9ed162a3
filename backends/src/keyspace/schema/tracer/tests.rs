//! The layouts that a trace finds in each kind of type.

#![allow(dead_code)]

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::trace;

fn lines_of<T: DeserializeOwned>(human_readable: bool) -> Vec<String> {
    let lines = trace::<T>(human_readable);
    let mut paths: Vec<_> = lines.iter().map(|line| &line.path).collect();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), lines.len(), "a path has one line");
    lines
        .into_iter()
        .map(|line| {
            let default = if line.default { ", default" } else { "" };
            format!("{}: {}{default}", line.path, line.kind)
        })
        .collect()
}

#[track_caller]
fn assert_shape<T: DeserializeOwned>(expected: &[&str]) {
    assert_eq!(lines_of::<T>(false), expected);
}

#[test]
fn a_primitive_is_one_line() {
    assert_shape::<bool>(&["value: bool"]);
    assert_shape::<i8>(&["value: i8"]);
    assert_shape::<i16>(&["value: i16"]);
    assert_shape::<i32>(&["value: i32"]);
    assert_shape::<i64>(&["value: i64"]);
    assert_shape::<i128>(&["value: i128"]);
    assert_shape::<u8>(&["value: u8"]);
    assert_shape::<u16>(&["value: u16"]);
    assert_shape::<u32>(&["value: u32"]);
    assert_shape::<u64>(&["value: u64"]);
    assert_shape::<u128>(&["value: u128"]);
    assert_shape::<f32>(&["value: f32"]);
    assert_shape::<f64>(&["value: f64"]);
    assert_shape::<char>(&["value: char"]);
    assert_shape::<String>(&["value: string"]);
    assert_shape::<Cow<'static, str>>(&["value: string"]);
    assert_shape::<serde_bytes::ByteBuf>(&["value: bytes"]);
    assert_shape::<()>(&["value: unit"]);
}

#[test]
fn types_without_data_are_units() {
    #[derive(Deserialize)]
    struct Marker;
    #[derive(Deserialize)]
    struct Empty {}

    assert_shape::<Marker>(&["value: unit"]);
    assert_shape::<PhantomData<u8>>(&["value: unit"]);
    assert_shape::<Empty>(&["value: struct"]);
}

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
fn a_field_that_may_be_missing_has_a_default() {
    fn three() -> u8 {
        3
    }
    #[derive(Deserialize)]
    struct Session {
        id: String,
        nick: Option<String>,
        #[serde(default)]
        visits: u32,
        #[serde(default = "three")]
        tries: u8,
        seen: u64,
        #[serde(skip)]
        cached: u8,
    }

    assert_shape::<Session>(&[
        "value: struct",
        "value.id: string",
        "value.nick: option, default",
        "value.nick?: string",
        "value.visits: u32, default",
        "value.tries: u8, default",
        "value.seen: u64",
    ]);
}

#[test]
fn a_container_default_is_a_default_of_every_field() {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Settings {
        dark: bool,
        size: u8,
    }

    assert_shape::<Settings>(&[
        "value: struct",
        "value.dark: bool, default",
        "value.size: u8, default",
    ]);
}

#[test]
fn an_alias_names_its_field() {
    #[derive(Deserialize)]
    struct User {
        #[serde(alias = "id", alias = "zid")]
        key: u64,
        #[serde(default, alias = "b")]
        admin: bool,
        name: String,
    }

    assert_shape::<User>(&[
        "value: struct",
        "value.key: u64",
        "value.id: alias key",
        "value.zid: alias key",
        "value.admin: bool, default",
        "value.b: alias admin",
        "value.name: string",
    ]);
}

#[test]
fn a_type_inside_of_itself_is_recursive() {
    #[derive(Deserialize)]
    struct Tree {
        children: Vec<Tree>,
        name: String,
    }
    #[derive(Deserialize)]
    struct Wrapped(Vec<Wrapped>);
    #[derive(Deserialize)]
    struct Chain {
        next: Option<Box<Chain>>,
    }

    assert_shape::<Tree>(&[
        "value: struct",
        "value.children: seq",
        "value.children[]: recursive into value",
        "value.name: string",
    ]);
    assert_shape::<Wrapped>(&["value: seq", "value[]: recursive into value"]);
    assert_shape::<Chain>(&[
        "value: struct",
        "value.next: option, default",
        "value.next?: recursive into value",
    ]);
}

#[test]
fn a_recursive_line_says_into_what() {
    #[derive(Deserialize)]
    struct Order {
        items: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        within: Vec<Order>,
    }
    mod other {
        use serde::Deserialize;

        #[derive(Deserialize)]
        pub(super) struct Order {
            pub(super) items: Vec<Item>,
        }
        #[derive(Deserialize)]
        pub(super) struct Item {
            pub(super) within: Vec<Item>,
        }
    }

    let shape = |into: &str| {
        let last = format!("value.items[].within[]: recursive into {into}");
        let lines = [
            "value: struct",
            "value.items: seq",
            "value.items[]: struct",
            "value.items[].within: seq",
        ];
        [&lines.map(str::to_string)[..], &[last]].concat()
    };
    assert_eq!(lines_of::<Order>(false), shape("value"));
    assert_eq!(lines_of::<other::Order>(false), shape("value.items[]"));
}

#[test]
fn a_recursive_value_is_made_up_from_the_variant_that_ends() {
    #[derive(Deserialize)]
    enum Expr {
        Add(Box<Expr>, Box<Expr>, u8),
        Literal(i64),
    }

    assert_shape::<Expr>(&[
        "value: enum",
        "value.Add: tuple 3",
        "value.Add.0: recursive into value",
        "value.Add.1: recursive into value",
        "value.Add.2: u8",
        "value.Literal: newtype i64",
    ]);
}

#[test]
fn a_generic_type_inside_of_its_kind_is_not_recursive() {
    #[derive(Deserialize)]
    struct Page<T> {
        item: T,
    }

    assert_shape::<Page<Page<u8>>>(&["value: struct", "value.item: struct", "value.item.item: u8"]);
}

#[test]
fn a_type_that_never_ends_is_cut_off() {
    struct Endless;
    impl<'de> Deserialize<'de> for Endless {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            Option::<Box<Endless>>::deserialize(deserializer).map(|_| Endless)
        }
    }

    let lines = lines_of::<Endless>(false);
    let last = lines.last().unwrap();
    assert!(last.ends_with("?: opaque (nested too deep)"), "{last}");
}

#[test]
fn a_map_has_a_key_and_a_value() {
    #[derive(Deserialize, PartialEq, Eq, Hash)]
    struct UserId(u64);
    #[derive(Deserialize)]
    struct Scores {
        by_user: HashMap<UserId, BTreeMap<String, Vec<i8>>>,
    }

    assert_shape::<Scores>(&[
        "value: struct",
        "value.by_user: map",
        "value.by_user[key]: u64",
        "value.by_user[value]: map",
        "value.by_user[value][key]: string",
        "value.by_user[value][value]: seq",
        "value.by_user[value][value][]: i8",
    ]);
}

#[test]
fn a_tuple_is_looked_at_behind_what_is_made_up() {
    assert_shape::<(NonZeroU32, String, [u8; 2])>(&[
        "value: tuple 3",
        "value.0: u32",
        "value.1: string",
        "value.2: tuple 2",
        "value.2.0: u8",
        "value.2.1: u8",
    ]);
}

#[test]
fn what_asks_for_any_type_is_opaque_and_hides_no_default_behind_it() {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(u8),
        Text(String),
    }
    #[derive(Deserialize)]
    #[serde(tag = "type")]
    enum Internal {
        A {
            x: u8,
            color: Color,
            names: Vec<String>,
        },
    }
    #[derive(Deserialize)]
    enum Color {
        Red,
    }
    #[derive(Deserialize)]
    struct Inner {
        x: u8,
    }
    #[derive(Deserialize)]
    struct Flat {
        id: u8,
        #[serde(flatten)]
        inner: Inner,
    }
    #[derive(Deserialize)]
    struct All {
        untagged: Untagged,
        internal: Internal,
        flat: Flat,
        ignored: IgnoredAny,
        last: Option<u8>,
    }

    assert_shape::<All>(&[
        "value: struct",
        "value.untagged: opaque (asks for any type)",
        "value.internal: opaque (asks for any type)",
        "value.flat: opaque (a flattened struct, but for its required fields)",
        "value.flat.id: u8",
        "value.flat.x: opaque (asks for any type)",
        "value.ignored: opaque (read and ignored)",
        "value.last: option, default",
        "value.last?: u8",
    ]);
}

#[derive(Deserialize)]
struct Inner {
    x: u8,
    point: Option<u8>,
}

#[test]
fn a_flattened_struct_shows_the_fields_that_it_cannot_be_read_without() {
    #[derive(Deserialize)]
    struct Flat {
        id: Vec<Part>,
        #[serde(flatten)]
        inner: Inner,
        #[serde(flatten)]
        deeper: Deeper,
        #[serde(flatten)]
        rest: HashMap<String, String>,
        optional: Option<u8>,
        last: (u8, bool),
    }
    #[derive(Deserialize)]
    struct Part {
        size: u16,
    }
    #[derive(Deserialize)]
    struct Deeper {
        name: String,
        #[serde(flatten)]
        inner: Deepest,
    }
    #[derive(Deserialize)]
    struct Deepest {
        at: Part,
    }
    #[derive(Deserialize)]
    struct Around(Option<Flat>, u8);

    let flat = "opaque (a flattened struct, but for its required fields)";
    let any = "opaque (asks for any type)";
    assert_shape::<Around>(&[
        "value: tuple 2",
        "value.0: option",
        &format!("value.0?: {flat}"),
        "value.0?.id: seq",
        "value.0?.id[]: struct",
        "value.0?.id[].size: u16",
        "value.0?.last: tuple 2",
        "value.0?.last.0: u8",
        "value.0?.last.1: bool",
        &format!("value.0?.x: {any}"),
        &format!("value.0?.name: {any}"),
        &format!("value.0?.at: {any}"),
        "value.1: u8",
    ]);
}

#[test]
fn a_flattened_struct_without_a_required_field_is_opaque() {
    #[derive(Deserialize)]
    struct Flat {
        optional: Option<u8>,
        #[serde(flatten)]
        rest: HashMap<String, u8>,
    }

    assert_shape::<(Flat, u8)>(&[
        "value: tuple 2",
        "value.0: opaque (a flattened struct, but for its required fields)",
        "value.1: u8",
    ]);
}

#[test]
fn a_flattened_struct_inside_of_itself_is_recursive() {
    #[derive(Deserialize)]
    struct Tree {
        children: Vec<Tree>,
        #[serde(flatten)]
        inner: Inner,
    }

    assert_shape::<Tree>(&[
        "value: opaque (a flattened struct, but for its required fields)",
        "value.children: seq",
        "value.children[]: recursive into value",
        "value.x: opaque (asks for any type)",
    ]);
}

#[test]
fn a_variant_with_flattened_fields_shows_those_that_are_required() {
    #[derive(Deserialize)]
    enum Event {
        Made {
            by: String,
            #[serde(flatten)]
            inner: Inner,
        },
        Gone,
    }

    assert_shape::<Event>(&[
        "value: enum",
        "value.Made: newtype opaque (a flattened struct, but for its required fields)",
        "value.Made.by: string",
        "value.Made.x: opaque (asks for any type)",
        "value.Gone: unit",
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

#[test]
fn an_address_is_text_only_to_people() {
    assert_eq!(lines_of::<IpAddr>(true), ["value: string"]);
    let lines = lines_of::<IpAddr>(false);
    assert_eq!(
        lines[..3],
        ["value: enum", "value.V4: newtype tuple 4", "value.V4.0: u8"]
    );
    assert_eq!(lines[6], "value.V6: newtype tuple 16");
    assert_eq!(lines.len(), 23);
}

#[test]
fn a_duration_has_two_fields() {
    assert_shape::<Duration>(&["value: struct", "value.secs: u64", "value.nanos: u32"]);
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Time(String);

impl TryFrom<String> for Time {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "1970-01-01T00:00:00Z" => Ok(Self(text)),
            _ => Err("no time"),
        }
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Never(String);

impl TryFrom<String> for Never {
    type Error = &'static str;

    fn try_from(_: String) -> Result<Self, Self::Error> {
        Err("never")
    }
}

#[test]
fn a_type_that_checks_its_text_is_made_up_by_trying() {
    #[derive(Deserialize)]
    struct Visit {
        at: Time,
        until: Option<Time>,
        pair: (Time, u8),
    }

    assert_shape::<Visit>(&[
        "value: struct",
        "value.at: string",
        "value.until: option, default",
        "value.until?: string",
        "value.pair: tuple 2",
        "value.pair.0: string",
        "value.pair.1: u8",
    ]);
}

#[test]
fn what_lies_behind_a_value_that_cannot_be_made_up_is_opaque() {
    #[derive(Deserialize)]
    struct Locked {
        early: Option<u8>,
        never: Never,
        late: Option<u8>,
        pair: (Never, u8),
    }
    #[derive(Deserialize)]
    struct Table(HashMap<String, Never>, Never);

    assert_shape::<Locked>(&[
        "value: struct",
        "value.early: option, default",
        "value.early?: u8",
        "value.never: string",
        "value.late: option",
        "value.late?: u8",
        "value.pair: tuple 2",
        "value.pair.0: string",
        "value.pair.1: opaque (behind a value that can't be made up)",
    ]);
    assert_eq!(lines_of::<Table>(false).len(), 5);
}

#[test]
fn odd_names_stay_apart_from_separators() {
    #[derive(Deserialize)]
    struct Odd {
        #[serde(rename = "a.b")]
        dot: u8,
        #[serde(rename = "c[]: ?,\\\n")]
        rest: u8,
        #[serde(rename = "ünï-code_1$")]
        fine: u8,
        #[serde(rename = "\u{200b}")]
        hidden: u8,
        #[serde(rename = "")]
        empty: u8,
    }

    assert_shape::<Odd>(&[
        "value: struct",
        "value.a\\u{2e}b: u8",
        "value.c\\u{5b}\\u{5d}\\u{3a}\\u{20}\\u{3f}\\u{2c}\\u{5c}\\u{a}: u8",
        "value.ünï-code_1$: u8",
        "value.\\u{200b}: u8",
        "value.: u8",
    ]);
}

#[test]
fn twelve_levels_are_followed() {
    #[derive(Deserialize)]
    struct Level<T> {
        below: T,
        beside: Option<u8>,
    }
    type Three<T> = Level<Level<Level<T>>>;

    let lines = lines_of::<Three<Three<Three<Three<String>>>>>(false);
    assert_eq!(lines.len(), 12 * 3 + 1);
    assert_eq!(lines[12], format!("value{}: string", ".below".repeat(12)));
    assert_eq!(lines.last().unwrap(), "value.beside?: u8");
}

macro_rules! wide_enum {
    ($($variant:ident)*) => {
        #[derive(Deserialize)]
        enum Wide {
            $($variant {
                a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8,
                k: String, l: String, m: String, n: String, o: String,
                p: Option<u8>, q: Option<u8>, r: Vec<u8>, s: bool, t: char,
            },)*
        }
    };
}

wide_enum! {
    A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 B0 B1 B2 B3 B4 B5 B6 B7 B8 B9 C0 C1 C2 C3 C4 C5 C6 C7 C8 C9
    D0 D1 D2 D3 D4 D5 D6 D7 D8 D9 E0 E1 E2 E3 E4 E5 E6 E7 E8 E9
}

#[test]
fn a_wide_enum_is_listed_whole() {
    // Each variant: itself, 20 fields, two contents of options and one of a list.
    assert_eq!(lines_of::<Wide>(false).len(), 1 + 50 * 24);
}

#[test]
fn a_type_that_is_too_large_says_that_it_is_cut_off() {
    #[derive(Deserialize)]
    struct Twice<T> {
        a: Box<T>,
        b: Box<T>,
        c: Box<T>,
        d: Box<T>,
    }
    type Four<T> = Twice<Twice<Twice<Twice<T>>>>;

    let lines = lines_of::<Four<Four<Four<u8>>>>(false);
    assert_eq!(
        lines.last().unwrap(),
        "rest: opaque (too large to be traced whole)"
    );
}

#[test]
fn a_type_that_goes_on_after_errors_comes_to_an_end() {
    struct Lenient;
    impl<'de> Deserialize<'de> for Lenient {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_seq(Lenient)
        }
    }
    impl<'de> Visitor<'de> for Lenient {
        type Value = Self;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
            while !matches!(seq.next_element::<u8>(), Ok(None)) {}
            Ok(self)
        }
    }

    assert_shape::<(Lenient, u8)>(&[
        "value: tuple 2",
        "value.0: seq",
        "value.0[]: u8",
        "value.1: u8",
    ]);
}

#[test]
fn a_type_that_asks_for_nothing_is_opaque() {
    struct Silent;
    impl<'de> Deserialize<'de> for Silent {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Ok(Silent)
        }
    }

    assert_shape::<Silent>(&["value: opaque (not asked for)"]);
}

#[test]
fn a_trace_finds_the_same_each_time() {
    #[derive(Deserialize, Serialize)]
    struct Point {
        x: HashMap<String, (u8, Option<i32>)>,
    }

    assert_eq!(trace::<Point>(false), trace::<Point>(false));
}
