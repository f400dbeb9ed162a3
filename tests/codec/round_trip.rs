//! All values that are written are read back, and only integers look like integers.

use std::collections::BTreeMap;

use proptest::prelude::*;
use reinhardt_backends::codec::{Cbor, Codec, parse_integer};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Value {
    Nothing,
    Flag(bool),
    Number(i64),
    Large(i128),
    Real(f64),
    Text(String),
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
    Small(Vec<u8>),
    Maybe(Option<Box<Value>>),
    List(Vec<Value>),
    Map(BTreeMap<i32, Value>),
    Fields { a: char, b: (u8, Box<Value>) },
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nothing),
        any::<bool>().prop_map(Value::Flag),
        any::<i64>().prop_map(Value::Number),
        any::<i128>().prop_map(Value::Large),
        any::<f64>().prop_map(Value::Real),
        any::<String>().prop_map(Value::Text),
        any::<Vec<u8>>().prop_map(Value::Bytes),
        any::<Vec<u8>>().prop_map(Value::Small),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::option::of(inner.clone()).prop_map(|value| Value::Maybe(value.map(Box::new))),
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::List),
            prop::collection::btree_map(any::<i32>(), inner.clone(), 0..8).prop_map(Value::Map),
            (any::<char>(), any::<u8>(), inner).prop_map(|(a, b, c)| Value::Fields {
                a,
                b: (b, Box::new(c))
            }),
        ]
    })
}

fn begins_like_an_integer(bytes: &[u8]) -> bool {
    bytes[0] == b'-' || bytes[0].is_ascii_digit()
}

proptest! {
    #[test]
    fn nested_values(value in value()) {
        let bytes = Cbor::encode(&value).unwrap();
        prop_assert!(!begins_like_an_integer(&bytes));
        prop_assert_eq!(Cbor::decode::<Value>(&bytes).unwrap(), value);
    }

    #[test]
    fn signed_integers(value: i64) {
        let bytes = Cbor::encode(&value).unwrap();
        prop_assert_eq!(value.to_string().into_bytes(), bytes.clone());
        prop_assert_eq!(parse_integer(&bytes), Some(value));
        prop_assert_eq!(Cbor::decode::<i64>(&bytes).unwrap(), value);
        prop_assert_eq!(Cbor::decode::<u8>(&bytes).ok(), u8::try_from(value).ok());
        prop_assert_eq!(Cbor::decode::<u128>(&bytes).ok(), u128::try_from(value).ok());
    }

    #[test]
    fn wide_integers(value: i128) {
        let bytes = Cbor::encode(&value).unwrap();
        let fits = i64::try_from(value).is_ok() || u64::try_from(value).is_ok();
        prop_assert_eq!(begins_like_an_integer(&bytes), fits);
        prop_assert_eq!(Cbor::decode::<i128>(&bytes).unwrap(), value);
    }

    #[test]
    fn byte_vectors(value: Vec<u8>) {
        let bytes = Cbor::encode(&value).unwrap();
        prop_assert!(bytes.len() <= value.len() + 11);
        prop_assert_eq!(&Cbor::decode::<Vec<u8>>(&bytes).unwrap(), &value);
        prop_assert_eq!(Cbor::decode::<Option<Vec<u16>>>(&bytes).unwrap().unwrap(), value.into_iter().map(u16::from).collect::<Vec<_>>());
    }

    #[test]
    fn texts(value: String) {
        let bytes = Cbor::encode(&value).unwrap();
        prop_assert!(!begins_like_an_integer(&bytes));
        prop_assert_eq!(Cbor::decode::<String>(&bytes).unwrap(), value);
    }
}
