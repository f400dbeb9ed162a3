//! JSON text by serde_json.

use serde::Serialize;
use serde::de::{DeserializeOwned, Error};
use serde_json::error::Category;

use super::encoded::buffer;
use super::guard::findings::Findings;
use super::guard::format::{Format, Levels};
use super::guard::value::Guarded;
use super::reading::{Read, Reading, Scalar};
use super::{Codec, Encode, raw_api, read_back, read_by_anybody, refused, undecodable};
use crate::error::BackendResult;

/// JSON text; as a codec `codec = Json`, in the raw API a wrapper around the value.
///
/// A value that JSON has no word for is refused when it is written (`Encode`): NaN and the
/// infinities, map keys that are neither text nor numbers nor truth values, 128 and more levels of
/// arrays and objects. [The table](super#what-is-stored-can-be-read) has the rest.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::{Backend, MemoryBackend, codec::Json};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> reinhardt_backends::BackendResult<()> {
/// let backend = MemoryBackend::new();
/// backend.set("list", Json(vec![true, false]), None).await?;
/// let stored = backend.get_stored("list").await?;
/// assert_eq!(stored.unwrap().as_bytes(), b"[true,false]");
/// let Some(Json(list)) = backend.get::<Json<Vec<bool>>>("list").await? else { panic!() };
/// assert_eq!(list, [true, false]);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Json<T = ()>(pub T);

raw_api!(Json);

impl<T: Serialize> Encode for Json<T> {
    fn encode(&self) -> BackendResult<Vec<u8>> {
        <Json as Codec>::encode(&self.0)
    }
}

impl Codec for Json {
    const NAME: &'static str = "json";
    const HUMAN_READABLE: bool = true;
    const FIELDS_BY_NAME: bool = true;

    fn encode<T: Serialize + ?Sized>(value: &T) -> BackendResult<Vec<u8>> {
        let writing = JsonWriter::default();
        let encoded = encode(value, &writing)?;
        read_by_anybody::<T>(&writing.0, encoded)
    }

    fn encode_as<V, T>(value: &T) -> BackendResult<Vec<u8>>
    where
        V: Serialize + DeserializeOwned,
        T: Serialize + ?Sized,
    {
        let writing = JsonWriter::default();
        let encoded = encode(value, &writing)?;
        read_back::<Self, V>(&writing.0, encoded)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> BackendResult<T> {
        if is_cbor_text(bytes) {
            return Err(undecodable::<T>("white space behind a word", bytes.len()));
        }
        decode(bytes, Names::default()).or_else(|error| {
            // Keys of maps are text, which serde's buffers then take for text: a map in a tagged
            // enum, or a flattened one, doesn't find its numbers in there.
            let again = (error.classify() == Category::Data)
                .then(|| decode(bytes, Names::with_numbers()).ok())
                .flatten();
            again.ok_or_else(|| undecodable::<T>(describe(&error), offset(bytes, &error)))
        })
    }
}

fn encode<T: Serialize + ?Sized>(value: &T, writing: &JsonWriter) -> BackendResult<Vec<u8>> {
    let mut encoded = buffer();
    serde_json::to_writer(&mut encoded, &Guarded::new(value, writing))
        .map_err(|_| refused::<T>(&writing.0))?;
    Ok(encoded)
}

fn decode<T: DeserializeOwned>(bytes: &[u8], names: Names) -> serde_json::Result<T> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = T::deserialize(Read::new(&mut reader, names))?;
    reader.end()?;
    Ok(value)
}

fn describe(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        Category::Eof => "truncated JSON",
        Category::Data => "an unexpected value",
        // Its category is that of a mistake in the text; only its words tell it apart.
        _ if error.to_string().starts_with("recursion limit") => "JSON nested too deep",
        Category::Syntax | Category::Io => "malformed JSON",
    }
}

/// A value on its way into text.
#[derive(Default)]
struct JsonWriter(Findings);

impl Format for JsonWriter {
    /// As serde_json's reader.
    const DEEPEST: usize = 127;
    const LEVELS: Levels = Levels {
        some: 0,
        newtype: 0,
        unit_variant: 0,
        variant: 1,
    };
    const HAS_ALL_FLOATS: bool = false;
    const HAS_TEXT_KEYS_ALONE: bool = true;
    const WRITES_LENGTHS: bool = false;
    const WRITES_LENGTHS_OF_STRUCTS: bool = false;

    type Mark = ();
    type Place = ();

    fn findings(&self) -> &Findings {
        &self.0
    }
}

/// The way to read the keys of a map whose type asks the format what comes.
#[derive(Clone, Copy, Default)]
struct Names {
    /// Text that reads like a number, or a truth value, is one.
    may_be_numbers: bool,
    /// The keys of this map needn't be the names of fields.
    are_free: bool,
    is_key: bool,
}

impl Names {
    fn with_numbers() -> Self {
        Self {
            may_be_numbers: true,
            ..Self::default()
        }
    }
}

impl Reading for Names {
    fn below<E: Error>(self) -> Result<Self, E> {
        let is_key = false;
        Ok(Self { is_key, ..self })
    }

    fn any(self) -> Self {
        let are_free = true;
        Self { are_free, ..self }
    }

    fn name(self) -> Self {
        let are_free = false;
        Self { are_free, ..self }
    }

    fn typed(self) -> Self {
        Self {
            are_free: false,
            is_key: false,
            ..self
        }
    }

    fn map(self) -> Self {
        Self {
            are_free: true,
            is_key: false,
            ..self
        }
    }

    fn key(self) -> Self {
        let is_key = self.are_free;
        Self { is_key, ..self }
    }

    fn scalar(self, text: &str) -> Option<Scalar> {
        match self.may_be_numbers && self.is_key {
            true => scalar(text),
            false => None,
        }
    }
}

/// Reads a key that isn't text, as serde_json writes it.
fn scalar(text: &str) -> Option<Scalar> {
    let first = text.bytes().next()?;
    if !first.is_ascii_digit() && first != b'-' {
        return text.parse().ok().map(Scalar::Truth);
    }
    let positive = text.parse().ok().map(Scalar::Positive);
    positive
        .or_else(|| text.parse().ok().map(Scalar::Negative))
        .or_else(|| text.parse().ok().map(Scalar::Real))
}

/// Says whether bytes that read like `true`, `false` or `null` and white space are a CBOR text:
/// `t`, `f` and `n` begin one of 20, 6 and 14 bytes. This is the only JSON text that is a CBOR item
/// as well, besides whole numbers.
fn is_cbor_text(bytes: &[u8]) -> bool {
    let begins_a_word = matches!(bytes.first(), Some(b't' | b'f' | b'n'));
    begins_a_word && bytes.last().is_some_and(u8::is_ascii_whitespace)
}

/// serde_json counts lines and columns from 1.
fn offset(bytes: &[u8], error: &serde_json::Error) -> usize {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let before: usize = (lines.map(<[u8]>::len))
        .take(error.line().saturating_sub(1))
        .sum();
    before + error.column().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::codec::{Cbor, Decode, Encode};
    use crate::error::ErrorKind;

    #[test]
    fn values_are_compact_json_text() {
        let map = HashMap::from([("name", Some(7))]);
        assert_eq!(Json(&map).encode().unwrap(), br#"{"name":7}"#);
        let read = Json::<HashMap<String, Option<u8>>>::decode(br#"{"name":7}"#);
        assert_eq!(read.unwrap().0["name"], Some(7));
    }

    #[test]
    fn whole_numbers_are_decimal_as_counters_are() {
        assert_eq!(Json(i64::MIN).encode().unwrap(), i64::MIN.encode().unwrap());
        assert_eq!(
            Json::<u64>::decode(b"18446744073709551615").unwrap().0,
            u64::MAX
        );
    }

    #[test]
    fn hostile_text_names_category_offset_and_type() {
        let message = |text: &str| {
            Json::<Vec<u8>>::decode(text.as_bytes())
                .unwrap_err()
                .to_string()
        };
        assert!(message("[1,").contains("truncated JSON at byte 2, for `alloc::vec::Vec<u8>`"));
        assert!(message("[1,\n x]").contains("malformed JSON at byte 5"));
        assert!(message("[1,\"topsecret\"]").contains("an unexpected value at byte"));
        assert!(!message("[1,\"topsecret\"]").contains("topsecret"));
        assert!(message("[1] 2").contains("malformed JSON"));
        let nested = Json::<serde_json::Value>::decode("[".repeat(10_000).as_bytes());
        assert_eq!(nested.unwrap_err().kind(), ErrorKind::Decode);
    }

    #[test]
    fn what_json_cannot_express_is_an_encode_error() {
        let odd_keys = HashMap::from([((1, 2), 3)]);
        assert_eq!(
            Json(odd_keys).encode().unwrap_err().kind(),
            ErrorKind::Encode
        );
    }

    #[test]
    fn a_cbor_text_that_reads_like_a_word_is_refused() {
        for (text, length) in [("rue", 20), ("alse", 6), ("ull", 14)] {
            let encoded = Cbor::encode(&format!("{text:length$}")).unwrap();
            let read = <Json as Codec>::decode::<Option<bool>>(&encoded);
            assert_eq!(read.unwrap_err().kind(), ErrorKind::Decode);
        }
        assert_eq!(Json::<Option<bool>>::decode(b"true").unwrap().0, Some(true));
    }
}
