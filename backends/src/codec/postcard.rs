//! The postcard wire format behind a byte of our own.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, raw_api, refused, undecodable};
use crate::error::BackendResult;

/// The postcard wire format; as a codec `codec = Postcard`, in the raw API a wrapper around the value.
///
/// It isn't self-describing: fields are found by their position, so every change of a type needs a new `version`, and
/// types that ask the format what comes (untagged and internally tagged enums, flattened fields) can't be read back.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::{Backend, MemoryBackend, codec::Postcard};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> reinhardt_backends::BackendResult<()> {
/// let backend = MemoryBackend::new();
/// backend.set("pair", Postcard(("ann", 7)), None).await?;
/// let pair = backend.get::<Postcard<(String, i32)>>("pair").await?;
/// assert_eq!(pair, Some(Postcard(("ann".to_string(), 7))));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Postcard<T = ()>(pub T);

raw_api!(Postcard);

/// CBOR reserves it as a first byte, and no JSON text begins with it.
const MARKER: u8 = 0xfc;

impl Codec for Postcard {
    const NAME: &'static str = "postcard";

    fn encode<T: Serialize + ?Sized>(value: &T) -> BackendResult<Vec<u8>> {
        postcard::to_extend(value, vec![MARKER]).map_err(|_| refused::<T>())
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> BackendResult<T> {
        let content = (bytes.strip_prefix(&[MARKER]))
            .ok_or_else(|| undecodable::<T>("no postcard marker", 0))?;
        match postcard::take_from_bytes(content) {
            Ok((value, [])) => Ok(value),
            Ok((_, rest)) => Err(undecodable::<T>("trailing bytes", bytes.len() - rest.len())),
            Err(error) => Err(undecodable::<T>(describe(&error), 1)),
        }
    }
}

/// Keeps the category of postcard's error, which tells no offset.
fn describe(error: &postcard::Error) -> &'static str {
    match error {
        postcard::Error::DeserializeUnexpectedEnd => "truncated postcard data",
        postcard::Error::WontImplement => "a type that isn't for postcard",
        _ => "malformed postcard data",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Decode, Encode};

    #[test]
    fn values_are_the_marker_and_postcard_data() {
        assert_eq!(Postcard((1u8, "ab")).encode().unwrap(), b"\xfc\x01\x02ab");
    }

    #[test]
    fn hostile_bytes_are_named_without_their_content() {
        let message = |bytes: &[u8]| Postcard::<String>::decode(bytes).unwrap_err().to_string();
        assert!(message(b"").contains("no postcard marker at byte 0, for `alloc::string::String`"));
        assert!(message(b"\x01a").contains("no postcard marker"));
        assert!(message(b"\xfc\x05ab").contains("truncated"));
        assert!(message(b"\xfc\x01ab").contains("trailing bytes at byte 3"));
        assert!(message(b"\xfc\x01\xff").contains("malformed"));
        assert!(message(b"\xfc\xff\xff\xff\xff\xff\xff\xff\xff\x01").contains("truncated"));
    }
}
