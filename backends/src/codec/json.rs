//! JSON text by serde_json.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::encoded::buffer;
use super::{Codec, raw_api, refused, undecodable};
use crate::error::BackendResult;

/// JSON text; as a codec `codec = Json`, in the raw API a wrapper around the value.
///
/// What JSON can't express can't be stored, or comes back as something else: map keys must be text or numbers, and
/// infinite numbers and NaN become `null`.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::{Backend, MemoryBackend, codec::Json};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> reinhardt_backends::BackendResult<()> {
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

impl Codec for Json {
    const NAME: &'static str = "json";
    const HUMAN_READABLE: bool = true;
    const FIELDS_BY_NAME: bool = true;

    fn encode<T: Serialize + ?Sized>(value: &T) -> BackendResult<Vec<u8>> {
        let mut encoded = buffer();
        serde_json::to_writer(&mut encoded, value).map_err(|_| refused::<T>())?;
        Ok(encoded)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> BackendResult<T> {
        if is_cbor_text(bytes) {
            return Err(undecodable::<T>("white space behind a word", bytes.len()));
        }
        serde_json::from_slice(bytes).map_err(|error| {
            let what = match error.classify() {
                Category::Eof => "truncated JSON",
                Category::Data => "an unexpected value",
                Category::Syntax | Category::Io => "malformed JSON",
            };
            undecodable::<T>(what, offset(bytes, &error))
        })
    }
}

/// Says whether bytes that read like `true`, `false` or `null` and white space are a CBOR text: `t`, `f` and `n` begin one of
/// 20, 6 and 14 bytes. It is the only JSON text that is a CBOR item as well, besides whole numbers.
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
