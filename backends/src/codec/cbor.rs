//! CBOR as ciborium writes it, with decimal integers and cheap byte vectors at the top level.

use std::io::Write;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::bytes::{self, Bytes};
use super::encoded::buffer;
use super::guard::findings::Findings;
use super::guard::format::{Format, Levels};
use super::guard::value::Guarded;
use super::reader::{BYTES, DEEPEST, NEGATIVE, POSITIVE, Reader, Wire};
use super::{Codec, decimal, read_back, read_by_anybody, refused, undecodable};
use crate::error::BackendResult;

/// The default codec: the stored format that the [module](super) describes.
#[derive(Debug, Clone, Copy)]
pub struct Cbor;

impl Codec for Cbor {
    const NAME: &'static str = "cbor";
    const FIELDS_BY_NAME: bool = true;

    fn encode<T: Serialize + ?Sized>(value: &T) -> BackendResult<Vec<u8>> {
        let writing = CborWriter::default();
        let encoded = encode(value, &writing)?;
        read_by_anybody::<T>(&writing.0, encoded)
    }

    fn encode_as<V, T>(value: &T) -> BackendResult<Vec<u8>>
    where
        V: Serialize + DeserializeOwned,
        T: Serialize + ?Sized,
    {
        let writing = CborWriter::default();
        let encoded = encode(value, &writing)?;
        read_back::<Self, V>(&writing.0, encoded)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> BackendResult<T> {
        decode(bytes).map_err(|(what, offset)| undecodable::<T>(what, offset))
    }
}

/// Tag 64, "uint8 typed array" (RFC 8746): the two bytes of its header.
const TYPED_ARRAY: [u8; 2] = [0xd8, 64];
/// The same tag in a longer head.
const OWN_TAG: [u8; 3] = [0xd9, 0, 64];
/// The first byte of a byte string is this plus how its length is written.
const BYTE_STRING: u8 = BYTES << 5;

/// The bytes of a CBOR integer that fits `i64` or `u64`: a header and eight bytes.
const LONGEST_INTEGER: usize = 9;

/// The fault of stored bytes, and its offset.
type Refusal = (&'static str, usize);

/// A value on its way into bytes.
#[derive(Default)]
struct CborWriter(Findings);

impl Format for CborWriter {
    const DEEPEST: usize = DEEPEST;
    /// The levels that the reader goes down. The reader takes the text of a unit variant for a
    /// level, as ciborium's does.
    const LEVELS: Levels = Levels {
        some: 0,
        newtype: 0,
        unit_variant: 1,
        variant: 1,
    };
    const HAS_TAGS: bool = true;

    type Mark = ();
    type Place = ();

    fn findings(&self) -> &Findings {
        &self.0
    }
}

fn encode<T: Serialize + ?Sized>(value: &T, writing: &CborWriter) -> BackendResult<Vec<u8>> {
    if let Some(bytes) = bytes::collect(value) {
        return Ok(encode_bytes(&bytes));
    }
    let mut encoded = buffer();
    ciborium::into_writer(&Guarded::new(value, writing), &mut encoded)
        .map_err(|_| refused::<T>(&writing.0))?;
    if encoded.starts_with(&TYPED_ARRAY) {
        // The value's own tag, which stays one: its head is a byte longer than that of a byte
        // vector.
        encoded.splice(..TYPED_ARRAY.len(), OWN_TAG);
    }
    if let Some(integer) = as_integer(&encoded) {
        encoded.clear();
        // Writing to a vector doesn't fail.
        let _ = write!(encoded, "{integer}");
    }
    Ok(encoded)
}

fn encode_bytes(bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len() as u64;
    let mut encoded = Vec::with_capacity(bytes.len() + 11);
    encoded.extend(TYPED_ARRAY);
    match length {
        0..24 => encoded.push(BYTE_STRING + length as u8),
        24..0x100 => encoded.extend([BYTE_STRING + 24, length as u8]),
        0x100..0x1_0000 => {
            encoded.push(BYTE_STRING + 25);
            encoded.extend((length as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            encoded.push(BYTE_STRING + 26);
            encoded.extend((length as u32).to_be_bytes());
        }
        _ => {
            encoded.push(BYTE_STRING + 27);
            encoded.extend(length.to_be_bytes());
        }
    }
    encoded.extend(bytes);
    encoded
}

/// Returns the integer if this is an item of major type 0 or 1 that fits `i64` or `u64`.
///
/// Decided on the bytes, because serde calls don't show it: ciborium's captured tags arrive as
/// newtype variants and are written as bare integers all the same.
fn as_integer(encoded: &[u8]) -> Option<i128> {
    if encoded.len() > LONGEST_INTEGER {
        return None;
    }
    let mut wire = Wire(encoded);
    let head = wire.head().ok().filter(|_| wire.0.is_empty())?;
    match head.major {
        POSITIVE => Some(head.argument.into()),
        NEGATIVE => Some((!i64::try_from(head.argument).ok()?).into()),
        _ => None,
    }
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let Some(&first) = bytes.first() else {
        return Err(("nothing", 0));
    };
    if decimal::begins_integer(first) {
        let value = decimal::parse(bytes).ok_or(("an integer that isn't canonical", 0))?;
        let mut item = [0; LONGEST_INTEGER];
        let mut rest = &mut item[..];
        ciborium::into_writer(&value, &mut rest).map_err(|_| ("an integer", 0))?;
        let length = LONGEST_INTEGER - rest.len();
        return decode_item(&item[..length]);
    }
    match typed_array(bytes) {
        Some(content) => T::deserialize(Bytes::new(bytes, content))
            .map_err(|failure| (failure.category(), bytes.len())),
        None => decode_item(bytes),
    }
}

/// Returns the content if `bytes` are exactly one byte string under tag 64.
fn typed_array(bytes: &[u8]) -> Option<&[u8]> {
    let mut wire = Wire(bytes.strip_prefix(&TYPED_ARRAY)?);
    let head = wire.head().ok().filter(|head| head.major == BYTES)?;
    let content = wire.bytes(head).ok()?;
    wire.0.is_empty().then_some(content)
}

/// Reads an item as ciborium would, but fast. The offset of a failure is where reading stopped.
fn decode_item<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let mut reader = Reader::new(bytes);
    let result = T::deserialize(&mut reader);
    let rest = reader.wire.0;
    let offset = bytes.len() - rest.len();
    match result {
        Ok(value) if rest.is_empty() => Ok(value),
        Ok(_) => Err(("trailing bytes", offset)),
        Err(failure) => Err((failure.category(), offset)),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::error::ErrorKind;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[track_caller]
    fn round_trip<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
        value: T,
    ) -> Vec<u8> {
        let encoded = Cbor::encode(&value).unwrap();
        assert_eq!(
            Cbor::decode::<T>(&encoded).unwrap(),
            value,
            "{}",
            hex(&encoded)
        );
        encoded
    }

    #[test]
    fn integers_are_decimal_text() {
        assert_eq!(round_trip(0u8), b"0");
        assert_eq!(round_trip(-14i8), b"-14");
        assert_eq!(round_trip(i64::MIN), b"-9223372036854775808");
        assert_eq!(round_trip(u64::MAX), b"18446744073709551615");
        assert_eq!(round_trip(Some(7u16)), b"7");
        assert_eq!(round_trip(-1i128), b"-1");
    }

    #[test]
    fn integers_beyond_64_bits_are_cbor() {
        assert_eq!(
            hex(&round_trip(i128::from(i64::MIN) - 1)),
            "3b8000000000000000"
        );
        assert_eq!(hex(&round_trip(i128::from(u64::MAX) + 1))[..2], *"c2");
        round_trip(i128::MIN);
        round_trip(u128::MAX);
    }

    #[test]
    fn a_captured_tag_that_is_written_as_an_integer_is_decimal() {
        let value = ciborium::tag::Captured(None, -14);
        assert_eq!(Cbor::encode(&value).unwrap(), b"-14");
    }

    #[test]
    fn bytes_cost_their_length_and_a_header() {
        for (length, overhead) in [
            (1, 3),
            (23, 3),
            (24, 4),
            (255, 4),
            (256, 5),
            (65_535, 5),
            (65_536, 7),
        ] {
            assert_eq!(round_trip(vec![200u8; length]).len(), length + overhead);
        }
        assert_eq!(hex(&round_trip(Vec::<u8>::new())), "80");
        assert_eq!(hex(&round_trip(Some(vec![1u8, 2]))), "d840420102");
    }

    #[test]
    fn bytes_are_read_as_whatever_a_sequence_of_numbers_may_be() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Small(u8);
        let encoded = Cbor::encode(&[1u8, 2, 3][..]).unwrap();
        assert_eq!(Cbor::decode::<[u8; 3]>(&encoded).unwrap(), [1, 2, 3]);
        assert_eq!(Cbor::decode::<Vec<u64>>(&encoded).unwrap(), [1, 2, 3]);
        assert_eq!(
            Cbor::decode::<Vec<Small>>(&encoded).unwrap(),
            [Small(1), Small(2), Small(3)]
        );
        assert_eq!(
            Cbor::decode::<Option<Vec<u8>>>(&encoded).unwrap(),
            Some(vec![1, 2, 3])
        );
        assert_eq!(
            Cbor::decode::<serde_bytes::ByteBuf>(&encoded)
                .unwrap()
                .as_slice(),
            [1, 2, 3]
        );
        let array = Cbor::encode(&[1u64, 2, 3][..]).unwrap();
        assert_eq!(Cbor::decode::<Vec<u8>>(&array).unwrap(), [1, 2, 3]);
        type Tagged = ciborium::tag::Required<serde_bytes::ByteBuf, 64>;
        assert_eq!(
            Cbor::decode::<Tagged>(&encoded).unwrap().0.as_slice(),
            [1, 2, 3]
        );
    }

    #[test]
    fn an_untagged_enum_does_not_mistake_bytes() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        #[serde(untagged)]
        enum Blob {
            Bytes(Vec<u8>),
            Text(String),
        }
        round_trip(Blob::Bytes(b"abc".to_vec()));
        round_trip(Blob::Text("abc".to_string()));
    }

    #[test]
    fn a_string_of_any_length_is_read_through_str() {
        struct Text(String);
        impl<'de> Deserialize<'de> for Text {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = Text;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("text")
                    }
                    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                        Ok(Text(text.to_string()))
                    }
                }
                deserializer.deserialize_str(Visitor)
            }
        }
        for length in [0, 253, 254, 255, 256, 257, 5_000, 65_536, 65_537, 200_000] {
            let text = "x".repeat(length);
            let encoded = Cbor::encode(&text).unwrap();
            assert_eq!(Cbor::decode::<Text>(&encoded).unwrap().0, text);
        }
    }

    #[test]
    fn hostile_bytes_name_category_offset_and_type() {
        let message = |bytes: &[u8]| Cbor::decode::<Vec<String>>(bytes).unwrap_err().to_string();
        let expected = |what| {
            format!(
                "stored bytes do not decode: {what}, for `alloc::vec::Vec<alloc::string::String>`"
            )
        };
        assert_eq!(message(b""), expected("nothing at byte 0"));
        assert_eq!(message(b"\x80\x00"), expected("trailing bytes at byte 1"));
        assert_eq!(
            message(b"\x81\x63ab"),
            expected("a truncated item at byte 4")
        );
        assert_eq!(
            message(b"05"),
            expected("an integer that isn't canonical at byte 0")
        );
        assert!(message(b"\xff").contains("an unexpected item"));
        assert!(message(b"\x1c").contains("malformed CBOR"));
        assert!(
            Cbor::decode::<ciborium::Value>(&[0x81; 10_000])
                .unwrap_err()
                .to_string()
                .contains("nested too deep")
        );
    }

    #[test]
    fn an_error_does_not_quote_the_value() {
        #[derive(Debug, Deserialize)]
        enum Choice {
            #[allow(dead_code)]
            Known,
        }
        let error = Cbor::decode::<Choice>(&Cbor::encode("topsecret").unwrap()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("topsecret"));
    }

    #[test]
    fn a_refusal_to_serialize_does_not_quote_the_value() {
        struct Refuses;
        impl Serialize for Refuses {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("topsecret"))
            }
        }
        let error = Cbor::encode(&Refuses).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Encode);
        assert!(!format!("{error} {error:?}").contains("topsecret"));
    }
}
