//! Types that a trace sees only a part of, or nothing.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::{assert_shape, lines_of};

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

#[test]
fn a_wide_enum_is_listed_whole() {
    // Each variant: itself, 20 fields, two contents of options and one of a list.
    assert_eq!(lines_of::<Wide>(false).len(), 1 + 50 * 24);
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
