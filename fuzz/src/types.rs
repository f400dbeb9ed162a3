//! The types that the codecs' targets read: one of each form that serde's derives have.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::IpAddr;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// A check that is made for one of the types.
pub trait Check {
    /// Makes the check for `T`.
    fn of<T: Sample>(&self);
}

/// A type that is read and written.
pub trait Sample: Serialize + DeserializeOwned + Debug + 'static {
    /// Every value that is read can be written again: nothing in the type is of those that a codec
    /// refuses.
    const IS_ALWAYS_WRITTEN: bool;
    /// The bytes of a value bound its depth and its elements, so that a reader without limits may
    /// read them.
    const IS_BOUNDED: bool;
}

macro_rules! samples {
    ($($number:literal: $type:ty, $written:literal, $bounded:literal;)*) => {
        $(impl Sample for $type {
            const IS_ALWAYS_WRITTEN: bool = $written;
            const IS_BOUNDED: bool = $bounded;
        })*

        /// Makes a check for the type of a number.
        pub fn check(number: u8, check: &impl Check) {
            match number % TYPES {
                $($number => check.of::<$type>(),)*
                _ => unreachable!("each number has its type"),
            }
        }

        const TYPES: u8 = [$($number),*].len() as u8;
    };
}

samples! {
    0: u64, true, true;
    1: i128, true, true;
    2: (u8, i16, u32, i64, u128), true, true;
    3: (f32, f64, bool, char), false, true;
    4: String, true, true;
    5: Vec<u8>, true, true;
    6: ByteBuf, true, true;
    7: Vec<Option<String>>, true, true;
    8: BTreeMap<u64, String>, true, true;
    9: BTreeMap<String, Vec<i64>>, true, true;
    10: BTreeMap<(i32, char), Option<bool>>, false, true;
    11: Vec<Plain>, false, true;
    12: Internal, false, true;
    13: Vec<Adjacent>, false, true;
    14: Untagged, false, false;
    15: Flat, false, false;
    16: Record, true, true;
    17: Tree, false, false;
    18: Strict, true, true;
    19: Vec<Unit>, false, false;
    20: Everything, false, false;
    21: (IpAddr, Duration, Result<u8, String>), true, true;
    22: Option<Option<[u16; 3]>>, true, true;
    23: Numbers, false, false;
    24: BTreeMap<bool, BTreeMap<i8, ByteBuf>>, true, true;
    25: Vec<Vec<Vec<u16>>>, true, true;
    26: Vec<Skipping>, false, true;
    27: Vec<Omitting>, false, true;
    28: Wide, false, false;
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Unit;

#[derive(Debug, Serialize, Deserialize)]
pub struct Newtype(Vec<u8>);

#[derive(Debug, Serialize, Deserialize)]
pub struct Pair(bool, Option<i8>);

#[derive(Debug, Serialize, Deserialize)]
pub enum Plain {
    Unit,
    Newtype(Newtype),
    Tuple(u8, String),
    Struct { a: u64, b: Option<f32> },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Internal {
    Unit,
    Newtype(BTreeMap<String, f64>),
    Struct { a: u64, b: Option<i64> },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "content")]
pub enum Adjacent {
    Unit,
    Newtype(String),
    Tuple(i16, ByteBuf),
    Struct { a: u64 },
}

/// No value fits two variants: serde takes the first that fits, and a byte string that is text fits
/// a `String`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Untagged {
    Number(u64),
    Signed(i64),
    Real(f64),
    Text(String),
    Pair(Pair),
    List(Vec<Untagged>),
    Struct { a: Option<bool>, b: u8 },
    Unit,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Flat {
    a: u64,
    #[serde(flatten)]
    rest: BTreeMap<String, Untagged>,
}

/// A flattened map whose keys are numbers, in a tagged enum.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Numbers {
    By { scores: BTreeMap<i32, u8> },
    Flat(FlatNumbers),
}

#[derive(Debug, Serialize, Deserialize)]
pub struct FlatNumbers {
    name: String,
    #[serde(flatten)]
    scores: BTreeMap<u8, bool>,
}

/// An entry as services have it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    id: String,
    #[serde(alias = "user")]
    user_id: u64,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(rename = "seen")]
    last_seen: Option<i64>,
    state: State,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    #[default]
    New,
    LoggedIn,
    #[serde(other)]
    Other,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Strict {
    a: u8,
    #[serde(default)]
    b: Option<i32>,
}

/// A variant in the middle is neither written nor read.
#[derive(Debug, Serialize, Deserialize)]
pub enum Skipping {
    Free,
    #[serde(skip)]
    #[allow(dead_code)]
    Internal,
    Team,
    Company(u8),
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Omitting {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roles: Vec<u8>,
    #[serde(skip)]
    #[allow(dead_code)]
    cached: u8,
    last: i8,
}

/// The buffers of serde have no room for such numbers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Wide {
    Number(u128),
    Negative(i128),
    Text(String),
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Tree {
    Leaf(u64),
    Node(Box<Tree>, Vec<Tree>),
    Some(Option<Box<Tree>>),
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Everything {
    small: (u8, i8, u16, i16),
    large: (u64, i64, u128, i128),
    real: (f32, f64),
    text: (String, char),
    bytes: (ByteBuf, Newtype),
    units: (Unit, (), Option<u8>),
    plain: Vec<Plain>,
    internal: Internal,
    adjacent: Adjacent,
    untagged: Untagged,
    flat: Flat,
    keys: BTreeMap<(i32, char), Option<String>>,
}
