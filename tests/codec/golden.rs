//! A later release writes and reads the bytes of every kind of value as they stand in `golden.txt`.
//!
//! A line is a name, the bytes in hex, and what minicbor, a CBOR library that shares no code with
//! ours, reads in them (decimal integers stand as they are). `BLESS=1` adds lines for new samples
//! and never changes one that stands.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use reinhardt_backends::codec::{Cbor, Codec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Session {
    id: String,
    user_id: u64,
    roles: Vec<String>,
    #[serde(with = "serde_bytes")]
    token: Vec<u8>,
    raw: Vec<u8>,
    note: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(u32);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair(i8, String);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(u8),
    Tuple(u8, u8),
    Struct { a: u8 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Blob { bytes: Vec<u8> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "content")]
enum Adjacent {
    Number(i32),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Bytes(Vec<u8>),
    Text(String),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flattened {
    id: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

struct Golden(Vec<(String, String, String)>);

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/codec/golden.txt");

impl Golden {
    fn read() -> Self {
        let text = std::fs::read_to_string(PATH).unwrap_or_default();
        let line = |line: &str| {
            let mut parts = line.splitn(3, " | ").map(str::to_string);
            (
                parts.next().unwrap(),
                parts.next().unwrap(),
                parts.next().unwrap(),
            )
        };
        Self(text.lines().map(line).collect())
    }

    fn line(&mut self, name: &str, bytes: &[u8]) -> (String, String) {
        if let Some((_, hex, shown)) = self.0.iter().find(|line| line.0 == name) {
            return (hex.clone(), shown.clone());
        }
        assert!(
            std::env::var_os("BLESS").is_some(),
            "`{name}` has no golden line"
        );
        let line = (name.to_string(), to_hex(bytes), shown(bytes));
        self.0.push(line.clone());
        (line.1, line.2)
    }

    #[track_caller]
    fn holds<T: Serialize + DeserializeOwned + PartialEq + Debug>(&mut self, name: &str, value: T) {
        let encoded = Cbor::encode(&value).unwrap();
        let (hex, meaning) = self.line(name, &encoded);
        assert_eq!(to_hex(&encoded), hex, "`{name}` is written in another way");
        assert_eq!(
            Cbor::decode::<T>(&from_hex(&hex)).unwrap(),
            value,
            "`{name}` is read in another way"
        );
        assert_eq!(shown(&encoded), meaning, "`{name}` is other CBOR to others");
    }
}

fn shown(bytes: &[u8]) -> String {
    if is_decimal(bytes) {
        return String::from_utf8(bytes.to_vec()).unwrap();
    }
    minicbor::display(bytes).to_string()
}

fn is_decimal(bytes: &[u8]) -> bool {
    bytes[0] == b'-' || bytes[0].is_ascii_digit()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

#[test]
fn the_stored_format_stands() {
    let mut golden = Golden::read();
    golden.holds("zero", 0u8);
    golden.holds("i8", -14i8);
    golden.holds("i64 min", i64::MIN);
    golden.holds("i64 max", i64::MAX);
    golden.holds("u64 max", u64::MAX);
    golden.holds("i128 below i64", i128::from(i64::MIN) - 1);
    golden.holds("i128 min", i128::MIN);
    golden.holds("u128 max", u128::MAX);
    golden.holds("newtype of an integer", Newtype(7));
    golden.holds("true", true);
    golden.holds("char", 'ü');
    golden.holds("unit", ());
    golden.holds("unit struct", Unit);
    golden.holds("none", None::<u8>);
    golden.holds("some text", Some("x".to_string()));
    golden.holds("empty text", String::new());
    golden.holds("text", "héllo".to_string());
    golden.holds("text like an integer", "5".to_string());
    golden.holds("f32", 1.5f32);
    golden.holds("f64", 0.1f64);
    golden.holds("f64 of an integer", 5.0f64);
    golden.holds("infinity", f64::INFINITY);
    golden.holds("empty bytes", Vec::<u8>::new());
    golden.holds("bytes", vec![0u8, 24, 255]);
    golden.holds("300 bytes", vec![7u8; 300]);
    golden.holds("array of bytes", [1u8, 2, 255]);
    golden.holds("numbers", vec![1u32, 2, 70_000]);
    golden.holds("tuple", (1u8, "a".to_string(), false));
    golden.holds("tuple struct", Pair(-1, "b".to_string()));
    golden.holds(
        "map with integer keys",
        BTreeMap::from([(1u8, "a".to_string()), (2, "b".to_string())]),
    );
    golden.holds("hash map", HashMap::from([("k".to_string(), 1u8)]));
    golden.holds("duration", Duration::new(1, 5));
    golden.holds("ip address", IpAddr::V6(Ipv6Addr::LOCALHOST));
    golden.holds("unit variant", Shape::Unit);
    golden.holds("newtype variant", Shape::Newtype(1));
    golden.holds("tuple variant", Shape::Tuple(1, 2));
    golden.holds("struct variant", Shape::Struct { a: 1 });
    golden.holds("internally tagged", Tagged::Blob { bytes: vec![1, 2] });
    golden.holds("adjacently tagged", Adjacent::Number(-5));
    golden.holds("untagged bytes", Untagged::Bytes(vec![97, 98]));
    golden.holds("untagged text", Untagged::Text("ab".to_string()));
    golden.holds(
        "flattened",
        Flattened {
            id: 1,
            rest: BTreeMap::from([("x".to_string(), 2)]),
        },
    );
    golden.holds(
        "session",
        Session {
            id: "abc".to_string(),
            user_id: 7,
            roles: vec!["admin".to_string()],
            token: vec![1, 2, 3],
            raw: vec![1, 2, 30],
            note: None,
        },
    );
    if std::env::var_os("BLESS").is_some() {
        let line =
            |(name, hex, shown): &(String, String, String)| format!("{name} | {hex} | {shown}\n");
        std::fs::write(PATH, golden.0.iter().map(line).collect::<String>()).unwrap();
    }
}

#[test]
fn what_is_not_a_decimal_integer_is_one_item_of_cbor_to_another_library() {
    for (name, hex, _) in Golden::read().0 {
        let bytes = from_hex(&hex);
        if is_decimal(&bytes) {
            assert!(
                std::str::from_utf8(&bytes).unwrap().parse::<i128>().is_ok(),
                "{name}"
            );
            continue;
        }
        let mut decoder = minicbor::Decoder::new(&bytes);
        decoder
            .skip()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(decoder.position(), bytes.len(), "{name}");
    }
}

#[test]
fn numbers_that_are_not_equal_to_themselves_stand_too() {
    assert_eq!(to_hex(&Cbor::encode(&f64::NAN).unwrap()), "f97e00");
    assert!(Cbor::decode::<f64>(&from_hex("f97e00")).unwrap().is_nan());
    assert_eq!(to_hex(&Cbor::encode(&-0.0f64).unwrap()), "f98000");
    assert!(
        Cbor::decode::<f64>(&from_hex("f98000"))
            .unwrap()
            .is_sign_negative()
    );
}

#[test]
fn what_other_writers_of_cbor_may_choose_is_read() {
    let read = |hex| Cbor::decode::<Vec<u8>>(&from_hex(hex)).unwrap();
    assert_eq!(read("9f0102ff"), [1, 2], "an array of indefinite length");
    assert_eq!(read("d8405f41014102ff"), [1, 2], "a typed array in chunks");
    assert_eq!(
        Cbor::decode::<String>(&from_hex("7f61616162ff")).unwrap(),
        "ab"
    );
    assert_eq!(
        Cbor::decode::<u64>(&from_hex("c24105")).unwrap(),
        5,
        "a bignum"
    );
    assert_eq!(
        Cbor::decode::<f64>(&from_hex("fb3ff8000000000000")).unwrap(),
        1.5
    );
}
