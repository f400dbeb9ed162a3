//! Types without members of their own, and those of std.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;

use super::{assert_shape, lines_of};

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
