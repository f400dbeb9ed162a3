//! The behaviour of a reader where ciborium gives no answer, or one that costs too much.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::{Failure, Reader};

fn read<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, (Failure, usize)> {
    let mut reader = Reader::new(bytes);
    T::deserialize(&mut reader).map_err(|failure| (failure, bytes.len() - reader.wire.0.len()))
}

/// An array of `2^63 - 1` elements, so it says.
const HUGE_ARRAY: [u8; 9] = [0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

#[test]
fn a_failure_names_where_reading_stopped() {
    assert_eq!(read::<u8>(b""), Err((Failure::Truncated, 0)));
    assert_eq!(read::<u8>(b"\x19\x01"), Err((Failure::Truncated, 2)));
    assert_eq!(read::<u8>(b"\x60"), Err((Failure::Unexpected, 1)));
    assert_eq!(read::<u8>(b"\x19\x01\x00"), Err((Failure::Unexpected, 3)));
    assert_eq!(
        read::<Vec<u8>>(b"\x82\x00\x1c"),
        Err((Failure::Malformed, 3))
    );
    assert_eq!(
        read::<String>(b"\x62\xc3\x28"),
        Err((Failure::Malformed, 3))
    );
    assert_eq!(
        read::<String>(b"\x7f\x01\xff"),
        Err((Failure::Malformed, 2))
    );
    assert_eq!(
        read::<IgnoredAny>(&[0x81; 300]).unwrap_err(),
        (Failure::TooDeep, 257)
    );
}

#[test]
fn heads_that_the_format_has_not_are_malformed() {
    for major in 0..8u8 {
        for minor in 28..31 {
            let item = [major << 5 | minor, 0, 0];
            let failure = read::<IgnoredAny>(&item).unwrap_err();
            assert_eq!(failure, (Failure::Malformed, 1));
        }
    }
    for item in [b"\x1f\x00", b"\x3f\x00", b"\xdf\x00"] {
        let failure = read::<IgnoredAny>(item).unwrap_err();
        assert_eq!(failure, (Failure::Malformed, 1));
    }
}

#[test]
fn segments_are_text_one_by_one() {
    assert_eq!(
        read(b"\x7f\x61a\x7f\x60\x62bc\xff\xff"),
        Ok("abc".to_string())
    );
    assert!(read::<String>(b"\x7f\x61\xc3\x61\xa9\xff").is_err());
}

#[test]
fn a_bignum_may_begin_with_any_number_of_zeros() {
    let zeros = [0; 20];
    let bignum = |digits: &[u8]| {
        let length = (zeros.len() + digits.len()) as u8;
        [&[0xc2, 0x58, length], &zeros[..], digits].concat()
    };
    assert_eq!(read(&bignum(&[1, 0])), Ok(256u64));
    assert_eq!(read(&bignum(&[0xff; 16])), Ok(u128::MAX));
    assert!(read::<u128>(&bignum(&[1; 17])).is_err());
}

#[test]
fn nothing_is_reserved_beyond_the_bytes_that_are_left() {
    #[derive(Debug, PartialEq)]
    struct Hint(Option<usize>);
    impl<'de> Deserialize<'de> for Hint {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Asks;
            impl<'de> Visitor<'de> for Asks {
                type Value = Hint;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an array")
                }

                fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<Hint, A::Error> {
                    Ok(Hint(access.size_hint()))
                }
            }
            deserializer.deserialize_seq(Asks)
        }
    }
    assert_eq!(
        read(&[&HUGE_ARRAY[..], &[0; 5]].concat()),
        Ok(Hint(Some(5)))
    );
    assert_eq!(read(b"\x82\x00\x00\x00"), Ok(Hint(Some(2))));
    assert_eq!(read(b"\x9f\x00\xff"), Ok(Hint(None)));
}

#[test]
fn swallowed_errors_come_to_an_end() {
    #[derive(Debug)]
    struct Lenient;
    impl<'de> Deserialize<'de> for Lenient {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let _ = IgnoredAny::deserialize(deserializer);
            Ok(Self)
        }
    }
    let huge_array = [&HUGE_ARRAY[..], &[0xff, 0xf8, 0x20]].concat();
    let failure = read::<Vec<Lenient>>(&huge_array).unwrap_err();
    assert_eq!(failure, (Failure::Truncated, huge_array.len()));
    let failure = read::<Vec<Lenient>>(b"\x9f\xf8\x20\xf8\x20").unwrap_err();
    assert_eq!(failure, (Failure::Truncated, 5));
    let failure = read::<BTreeMap<u8, Lenient>>(b"\xbf\x00\xff\x01").unwrap_err();
    assert_eq!(failure, (Failure::Truncated, 4));
}

#[test]
fn a_tag_that_is_not_there_is_no_tuple() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename = "@@TAG@@")]
    enum Odd {
        #[serde(rename = "@@UNTAGGED@@")]
        Untagged(u8, #[serde(default)] u8),
        #[serde(rename = "@@TAGGED@@")]
        Tagged(u64, u8),
    }
    assert_eq!(read(b"\xc5\x07"), Ok(Odd::Tagged(5, 7)));
    assert!(read::<Odd>(b"\x07").is_err());
}
