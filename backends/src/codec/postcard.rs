//! The postcard wire format behind a byte of our own.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::depth::Limited;
use super::encoded::buffer;
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
        let mut encoded = buffer();
        encoded.push(MARKER);
        postcard::to_extend(value, encoded).map_err(|_| refused::<T>())
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> BackendResult<T> {
        let content = (bytes.strip_prefix(&[MARKER]))
            .ok_or_else(|| undecodable::<T>("no postcard marker", 0))?;
        let mut reader = postcard::Deserializer::from_bytes(content);
        let value = T::deserialize(Limited::new(&mut reader))
            .map_err(|error| undecodable::<T>(describe(&error), 1))?;
        match reader.finalize() {
            Ok([]) => Ok(value),
            Ok(rest) => Err(undecodable::<T>("trailing bytes", bytes.len() - rest.len())),
            Err(error) => Err(undecodable::<T>(describe(&error), bytes.len())),
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
    use serde::Deserialize;

    use super::*;
    use crate::codec::depth::DEEPEST;
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

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Tree(Vec<Tree>);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Chain {
        End,
        Link { next: Option<Box<Chain>> },
    }

    fn tree(levels: usize) -> Tree {
        (1..levels).fold(Tree(Vec::new()), |tree, _| Tree(vec![tree]))
    }

    #[test]
    fn a_value_that_is_nested_too_deep_is_refused() {
        // Each level is a newtype and a sequence.
        let deepest = tree(DEEPEST / 2);
        let read = Postcard::<Tree>::decode(&Postcard(&deepest).encode().unwrap());
        assert_eq!(read.unwrap().0, deepest);
        let bytes = Postcard(&tree(DEEPEST / 2 + 1)).encode().unwrap();
        assert!(Postcard::<Tree>::decode(&bytes).is_err());
        let hostile = [&[MARKER][..], &[1; 1_000_000]].concat();
        assert!(Postcard::<Tree>::decode(&hostile).is_err());
        assert!(Postcard::<Chain>::decode(&hostile).is_err());
    }

    #[test]
    fn every_form_is_read_through_the_limit() {
        let chain = Chain::Link {
            next: Some(Box::new(Chain::Link {
                next: Some(Box::new(Chain::End)),
            })),
        };
        let value = (chain, Some('x'), -1i128, 1.5f32, "text".to_string(), ());
        let bytes = Postcard(&value).encode().unwrap();
        type Value = (Chain, Option<char>, i128, f32, String, ());
        assert_eq!(Postcard::<Value>::decode(&bytes).unwrap().0, value);
    }
}
