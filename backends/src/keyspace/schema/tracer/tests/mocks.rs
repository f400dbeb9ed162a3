//! Members behind values that a trace has to make up.

use std::collections::HashMap;
use std::num::NonZeroU32;

use serde::Deserialize;

use super::{assert_shape, lines_of};

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
