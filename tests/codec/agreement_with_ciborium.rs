//! Our reader and ciborium's give the same answers, on whatever bytes.
//!
//! Items stand in an array of one, because [`Cbor`] has rules of its own for the top level.

use std::collections::BTreeMap;
use std::fmt::Debug;

use ciborium::Value;
use ciborium::tag::{Accepted, Captured, Required};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use reinhardt_backends::codec::{Cbor, Codec};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::visitor_trace::{ASKS, First, Lenient, Trace};

fn array_of_one(item: &[u8]) -> Vec<u8> {
    [&[0x81], item].concat()
}

fn ours<T: DeserializeOwned>(array: &[u8]) -> Option<T> {
    Cbor::decode::<(T,)>(array).ok().map(|(value,)| value)
}

fn theirs<T: DeserializeOwned>(array: &[u8]) -> Option<T> {
    let mut rest = array;
    // ciborium refuses a `str` that is longer than its buffer.
    let mut buffer = vec![0; array.len()];
    let (value,) = ciborium::de::from_reader_with_buffer::<(T,), _>(&mut rest, &mut buffer).ok()?;
    rest.is_empty().then_some(value)
}

#[track_caller]
fn agree<T: DeserializeOwned + Debug>(item: &[u8]) {
    let array = array_of_one(item);
    let (ours, theirs) = (ours::<T>(&array), theirs::<T>(&array));
    // As text, because NaN isn't equal to itself; `Trace` compares its bits.
    assert_eq!(
        format!("{ours:?}"),
        format!("{theirs:?}"),
        "{} from {array:02x?}",
        std::any::type_name::<T>()
    );
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Newtype(Vec<u8>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Pair(char, Option<i8>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Plain {
    Unit,
    Newtype(Newtype),
    Tuple(u8, String),
    Struct { a: u64, b: Option<f32> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Internal {
    Unit,
    Newtype(BTreeMap<String, f64>),
    Struct { a: u64, b: Option<i64> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "content")]
enum Adjacent {
    Unit,
    Newtype(String),
    Tuple(i16, ByteBuf),
    Struct { a: u64 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u64),
    Signed(i64),
    Real(f64),
    Text(String),
    Bytes(ByteBuf),
    Pair(Pair),
    List(Vec<Untagged>),
    Struct { a: Option<bool>, b: u8 },
    Unit,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Flat {
    a: u64,
    #[serde(flatten)]
    rest: BTreeMap<String, Untagged>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    flag: bool,
    small: (u8, i8, u16, i16),
    large: (u64, i64, u128, i128),
    real: (f32, f64),
    text: (String, char),
    bytes: (ByteBuf, Newtype),
    units: (Unit, (), Option<u8>),
    pair: Pair,
    plain: Vec<Plain>,
    internal: Internal,
    adjacent: Adjacent,
    untagged: Untagged,
    flat: Flat,
    keys: BTreeMap<(i32, char), Option<String>>,
    captured: Captured<String>,
    required: Required<u8, 40>,
    accepted: Accepted<Vec<u8>, 41>,
}

/// Values of the enums for which serde's derives have several forms.
#[rustfmt::skip]
fn forms() -> impl Strategy<Value = (Plain, Internal, Adjacent, Untagged)> {
    let number = prop_oneof![any::<u64>(), 0..30u64];
    let plain = prop_oneof![
        Just(Plain::Unit),
        any::<Vec<u8>>().prop_map(|bytes| Plain::Newtype(Newtype(bytes))),
        any::<(u8, String)>().prop_map(|(a, b)| Plain::Tuple(a, b)),
        any::<(u64, Option<f32>)>().prop_map(|(a, b)| Plain::Struct { a, b }),
    ];
    let internal = prop_oneof![
        Just(Internal::Unit),
        any::<BTreeMap<String, f64>>().prop_map(Internal::Newtype),
        any::<(u64, Option<i64>)>().prop_map(|(a, b)| Internal::Struct { a, b }),
    ];
    let adjacent = prop_oneof![
        Just(Adjacent::Unit),
        any::<String>().prop_map(Adjacent::Newtype),
        any::<(i16, Vec<u8>)>().prop_map(|(a, b)| Adjacent::Tuple(a, ByteBuf::from(b))),
        any::<u64>().prop_map(|a| Adjacent::Struct { a }),
    ];
    let untagged = prop_oneof![
        number.prop_map(Untagged::Number),
        any::<i64>().prop_map(Untagged::Signed),
        any::<f64>().prop_map(Untagged::Real),
        any::<String>().prop_map(Untagged::Text),
        any::<Vec<u8>>().prop_map(|bytes| Untagged::Bytes(ByteBuf::from(bytes))),
        any::<(char, Option<i8>)>().prop_map(|(a, b)| Untagged::Pair(Pair(a, b))),
        any::<(Option<bool>, u8)>().prop_map(|(a, b)| Untagged::Struct { a, b }),
        Just(Untagged::Unit),
    ];
    let untagged = untagged.prop_recursive(3, 12, 4, |inner| vec(inner, 0..4).prop_map(Untagged::List));
    (plain, internal, adjacent, untagged)
}

fn everything() -> impl Strategy<Value = Everything> {
    let numbers = any::<((u8, i8, u16, i16), (u64, i64, u128, i128), (f32, f64))>();
    let others = any::<(bool, String, char, Vec<u8>, Option<u8>, Option<u64>)>();
    let keys = any::<BTreeMap<(i32, char), Option<String>>>();
    (numbers, others, keys, forms(), forms()).prop_map(|(numbers, others, keys, a, b)| {
        let (small, large, real) = numbers;
        let (flag, text, letter, bytes, maybe, tag) = others;
        Everything {
            flag,
            small,
            large,
            real,
            text: (text.clone(), letter),
            bytes: (ByteBuf::from(bytes.clone()), Newtype(bytes.clone())),
            units: (Unit, (), maybe),
            pair: Pair(letter, None),
            plain: vec![a.0, b.0],
            internal: a.1,
            adjacent: a.2,
            untagged: a.3,
            flat: Flat {
                a: large.0,
                rest: [("b".to_string(), b.3)].into(),
            },
            keys,
            captured: Captured(tag, text),
            required: Required(small.0),
            accepted: Accepted(bytes),
        }
    })
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<i128>().prop_map(Value::from),
        any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
        any::<f32>().prop_map(Value::from),
        any::<String>().prop_map(Value::Text),
        any::<Vec<u8>>().prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        let entry = (inner.clone(), inner.clone());
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            vec(entry, 0..6).prop_map(Value::Map),
            (any::<u64>(), inner).prop_map(|(tag, value)| Value::Tag(tag, Box::new(value))),
        ]
    })
}

/// A head, with its argument as short as it may be or longer.
fn head(major: u8, argument: u64, longer: u8) -> Vec<u8> {
    let shortest = match argument {
        0..24 => 0,
        24..0x100 => 1,
        0x100..0x1_0000 => 2,
        0x1_0000..0x1_0000_0000 => 3,
        _ => 4,
    };
    let bytes = argument.to_be_bytes();
    match shortest.max(longer) {
        0 => vec![major << 5 | argument as u8],
        size => [&[major << 5 | (23 + size)], &bytes[8 - (1 << (size - 1))..]].concat(),
    }
}

/// `parts` with their number in front, or without and with a break behind.
fn composite(major: u8, parts: &[Vec<u8>], count: usize, longer: u8) -> Vec<u8> {
    let content = parts.concat();
    match longer {
        5 => [&[major << 5 | 31][..], &content, &[0xff]].concat(),
        _ => [head(major, count as u64, longer), content].concat(),
    }
}

/// Items as nobody writes them: every form that the RFC has, and some that it hasn't.
fn odd_item() -> impl Strategy<Value = Vec<u8>> {
    let argument = prop_oneof![0..24u64, any::<u64>(), any::<u16>().prop_map(u64::from)];
    let longer = 0..6u8;
    let text = prop_oneof![
        select(vec![
            "", "a", "b", "type", "content", "Unit", "Newtype", "Tuple", "Struct", "é", "日本"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        vec(any::<u8>(), 0..6),
    ];
    let string = (2..4u8, text, longer.clone()).prop_map(|(major, text, longer)| match longer {
        5 => composite(major, &[head(major, text.len() as u64, 0), text], 0, 5),
        _ => [head(major, text.len() as u64, longer), text].concat(),
    });
    let bignum = (2..4u64, 0..4usize, vec(any::<u8>(), 0..18), longer.clone()).prop_map(
        |(tag, zeros, digits, longer)| {
            let bytes = [vec![0; zeros], digits].concat();
            let bytes = [head(2, bytes.len() as u64, 0), bytes].concat();
            match longer {
                5 => [head(6, tag, 0), composite(2, &[bytes], 0, 5)].concat(),
                _ => [head(6, tag, longer), bytes].concat(),
            }
        },
    );
    let leaf = prop_oneof![
        4 => (0..2u8, argument, 0..5u8).prop_map(|(major, argument, longer)| head(major, argument, longer)),
        6 => string,
        2 => bignum,
        2 => (select(vec![20, 21, 22, 23]), 0..2u8).prop_map(|(simple, longer)| head(7, simple, longer)),
        1 => any::<u8>().prop_map(|simple| vec![0xf8, simple]),
        1 => any::<[u8; 2]>().prop_map(|half| [&[0xf9][..], &half].concat()),
        1 => any::<[u8; 4]>().prop_map(|single| [&[0xfa][..], &single].concat()),
        1 => any::<[u8; 8]>().prop_map(|double| [&[0xfb][..], &double].concat()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let longer = 0..6u8;
        prop_oneof![
            3 => (vec(inner.clone(), 0..4), longer.clone())
                .prop_map(|(parts, longer)| composite(4, &parts, parts.len(), longer)),
            3 => (vec((inner.clone(), inner.clone()), 0..4), longer.clone()).prop_map(|(entries, longer)| {
                let count = entries.len();
                let parts: Vec<_> = entries.into_iter().flat_map(|(key, value)| [key, value]).collect();
                composite(5, &parts, count, longer)
            }),
            2 => (select(vec![0, 2, 3, 40, 41, 64, 1 << 40]), inner.clone(), 0..5u8)
                .prop_map(|(tag, item, longer)| [head(6, tag, longer), item].concat()),
            1 => (2..4u8, vec(inner, 0..3)).prop_map(|(major, parts)| composite(major, &parts, 0, 5)),
        ]
    })
}

/// The bytes of a value with one byte changed, removed or added, or with all bytes behind one cut
/// off.
fn damaged(whole: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (whole, any::<Index>(), any::<u8>(), 0..5u8).prop_map(|(mut bytes, at, byte, damage)| {
        let at = at.index(bytes.len());
        match damage {
            0 => bytes[at] = byte,
            1 => bytes[at] ^= 1 << (byte % 8),
            2 => bytes.truncate(at),
            3 => bytes.insert(at, byte),
            _ => drop(bytes.remove(at)),
        }
        bytes
    })
}

fn encoded<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

/// Asks by every method of serde's, and for every kind of type.
fn agree_on_everything(item: &[u8]) {
    macro_rules! traces {
        ($($ask:literal)*) => {
            const { assert!([$($ask),*].len() == ASKS as usize) };
            $(agree::<Trace<$ask>>(item);)*
        };
    }
    traces! {
        0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34
    }
    agree::<Value>(item);
    agree::<IgnoredAny>(item);
    agree::<(u64, i128, f32, f64)>(item);
    agree::<(char, bool, u8)>(item);
    agree::<String>(item);
    agree::<Vec<u8>>(item);
    agree::<ByteBuf>(item);
    agree::<Option<(u8, String)>>(item);
    agree::<BTreeMap<String, i64>>(item);
    agree::<Vec<(Unit, Newtype)>>(item);
    agree::<Pair>(item);
    agree::<Plain>(item);
    agree::<Vec<Plain>>(item);
    agree::<Internal>(item);
    agree::<Adjacent>(item);
    agree::<Untagged>(item);
    agree::<Flat>(item);
    agree::<Everything>(item);
    agree::<Captured<Trace<0>>>(item);
    agree::<Required<Captured<u64>, 2>>(item);
    agree::<Accepted<Option<Untagged>, 40>>(item);
    agree::<First>(item);
    agree::<Vec<First>>(item);
}

proptest! {
    #[test]
    fn values_of_every_form(value in everything()) {
        let item = encoded(&value);
        prop_assert!(theirs::<Everything>(&array_of_one(&item)).is_some());
        agree::<Everything>(&item);
        agree::<Trace<0>>(&item);
        agree::<Value>(&item);
        agree::<IgnoredAny>(&item);
    }

    #[test]
    fn trees(value in tree()) {
        let item = encoded(&value);
        agree_on_everything(&item);
    }

    #[test]
    fn odd_items(item in odd_item()) {
        agree_on_everything(&item);
    }

    #[test]
    fn damaged_items(item in prop_oneof![
        damaged(odd_item()),
        damaged(tree().prop_map(|value| encoded(&value))),
        damaged(forms().prop_map(|forms| encoded(&forms))),
        damaged(everything().prop_map(|value| encoded(&value))),
    ]) {
        agree_on_everything(&item);
    }

    #[test]
    fn any_bytes(item in vec(any::<u8>(), 0..24)) {
        agree_on_everything(&item);
    }

    /// ciborium may get by with fewer bytes than were declared; other than that an error in between
    /// changes nothing. Of a bignum that is too large, and of a `str` longer than its buffer,
    /// ciborium reads only a part.
    #[test]
    fn what_follows_a_swallowed_error(item in prop_oneof![odd_item(), damaged(odd_item())]) {
        fn check<T: DeserializeOwned + Debug>(item: &[u8]) {
            let array = array_of_one(item);
            if let Some(ours) = ours::<T>(&array) {
                let theirs = theirs::<T>(&array);
                assert_eq!(format!("{:?}", Some(ours)), format!("{theirs:?}"), "{array:02x?}");
            }
        }
        check::<Vec<Lenient<bool>>>(&item);
        check::<Vec<Lenient<f64>>>(&item);
        check::<Vec<Lenient<char>>>(&item);
        check::<Vec<Lenient<String>>>(&item);
        check::<BTreeMap<String, Lenient<Option<char>>>>(&item);
    }
}

/// A level of nesting ends with its item.
#[test]
fn breadth() {
    for element in [
        &[0x80][..],
        &[0xa0],
        &[0xc5, 0x01],
        &[0x64, b'U', b'n', b'i', b't'],
        &[0xa1, 0x01, 0x80],
    ] {
        let item = [&head(4, 300, 0)[..], &element.repeat(300)].concat();
        agree_on_everything(&item);
    }
    let item = [&head(4, 300, 0)[..], &b"\x64Unit".repeat(300)].concat();
    assert_eq!(ours(&array_of_one(&item)), Some(vec![Plain::Unit; 300]));
}

/// Only a map of one entry is an enum.
#[test]
fn longer_maps_than_an_enum_has() {
    for item in [
        &b"\xa0"[..],
        b"\xa1\x64Unit\xf6",
        b"\xa2\x64Unit\x64Unit",
        b"\xbf\x64Unit\xff",
    ] {
        agree_on_everything(item);
    }
}

/// Up to 256 levels of nesting, whatever they are made of.
#[test]
fn depth() {
    for level in [&[0x81][..], &[0x9f], &[0xa1, 0x01], &[0xc1], &[0xd8, 0x40]] {
        for levels in [254, 255, 256, 257] {
            let item = [&level.repeat(levels)[..], &[0x05]].concat();
            agree_on_everything(&item);
        }
    }
}
