//! The translation between values and stored bytes; the default format is [`Cbor`].
//!
//! # The stored format
//!
//! * A top-level integer that fits `i64` or `u64` is canonical decimal text, as Redis counters are.
//!   So `set`, `get` and `increment` speak of the same number, and an item that begins with `-` or
//!   a digit is always an integer.
//! * A top-level sequence of plain `u8` that isn't empty (`Vec<u8>`, `&[u8]`) is a CBOR byte string
//!   under tag 64 (RFC 8746), so that it costs its length. Arrays of numbers are read as well.
//!   Inside of structs `serde_bytes` decides.
//! * Everything else is plain CBOR (RFC 8949) as ciborium writes it, readable by every CBOR
//!   library.
//!
//! As in every serde format of this kind an option directly inside of an option, and `Some(())`,
//! collapse to `None`.
//!
//! A byte vector is read as bytes and as a sequence of integers, and as nothing else. (Behind
//! `untagged` and `tag` serde itself takes every sequence for a struct too.) A tag 64 that a value
//! writes itself, such as a `ciborium::Value`, is written in a longer head (0xD9 0x00 0x40), so
//! that it comes back as the tag. A bignum's tag comes back as the integer.
//!
//! # Other codecs
//!
//! | codec | feature | format | good for |
//! |---|---|---|---|
//! | [`Cbor`] | | as above | the default: compact, self-describing, all that serde can express |
//! | `Json` | `json` | JSON text (RFC 8259) without white space around it | values that other programs or people read |
//! | `Postcard` | `postcard` | the byte 0xFC, then the postcard wire format 1 | small and fast; finds fields by their position, so *every* change of a type needs a new version |
//!
//! A keyspace names its codec with `codec = Json`; the raw API reads and writes the same bytes
//! through the wrapper of that name, `backend.get::<codec::Json<Session>>(key)`. Bytes of one codec
//! are `Decode` to another, and never a wrong value: CBOR reserves the byte that Postcard begins
//! with, JSON text is no CBOR item, and whole numbers, which CBOR and JSON store as the same
//! decimal text, mean the same in both. Counters are decimal text under every codec.
//!
//! # What is stored can be read
//!
//! A value that its own reader would refuse is refused when it is written: the error is `Encode`,
//! and nothing is stored. These things can go wrong with a value, and with a type:
//!
//! | value, attribute or type | Cbor | Json | Postcard |
//! |---|---|---|---|
//! | nested deeper than the reader goes (levels: see below) | 256 levels, then `Encode` | 127 levels, then `Encode` | 128 levels, then `Encode` |
//! | NaN and the infinities | come back | `Encode` | come back |
//! | map keys that are numbers or truth values | come back | come back | come back |
//! | numbers and truth values as keys in a tagged enum or a flattened map | come back, where serde's buffers hold them: `Encode`¹ for others, such as negative numbers two `flatten` deep | as Cbor, and not beside text keys that read like numbers: `Encode`¹ | see `tag` and `flatten` |
//! | other map keys (structs, sequences) | come back | `Encode` | come back |
//! | `flatten` | comes back; `Encode` if two fields have one name; of two flattened maps each gets the entries of both | as Cbor | `Encode` |
//! | `untagged`, `tag = ".."` | come back; `Encode`¹ for a map that has the tag's name for a key. serde takes the first variant that fits | as Cbor; to serde numbers as keys fit text | `Encode`¹ |
//! | tags of ciborium | come back; `Encode`¹ inside of `untagged`, `tag` and `flatten` | are maps | are enums |
//! | a type whose `Deserialize` refuses the value (`try_from`, `deny_unknown_fields`) | stored, and `Decode` | stored, and `Decode` | `Encode`¹ when a form is first written |
//! | `i128` and `u128` | come back | come back | come back |
//! | `i128` and `u128` in `untagged`, in `tag = ".."` or behind `flatten`: serde's buffers have no room for them | `Encode`¹ | `Encode`¹ | see `untagged` |
//! | a variant behind one with `skip` | comes back | comes back | `Encode`¹: it would come back as another |
//! | `skip_serializing_if` | comes back with `default`; without it `Encode`¹ whenever the field is left out, unless it is an `Option` | as Cbor | `Encode` whenever the field is left out |
//! | `skip_serializing` without `skip_deserializing` | comes back with `default`; without it the derive refuses it on an entry's own field, and elsewhere it is stored, and `Decode` | as Cbor | `Encode`¹ |
//! | `skip_deserializing` without `skip_serializing` | a field comes back as its default; a variant is stored, and `Decode` | as Cbor | `Encode`¹ |
//! | `rename` with another name to write than to read | the derive refuses it on an entry's own field; elsewhere it is stored, and `Decode` | as Cbor | comes back |
//! | an entry of a keyspace that loses a key field on the way (`from` and `into` by a type without it) | stored, and `Decode` | stored, and `Decode` | stored, and `Decode` |
//! | `alias`, `rename`, `other`, `skip` on both sides | come back | come back | come back |
//! | more than 65,536 elements that take no bytes, such as `()` | come back | come back | `Encode` |
//! | a `Serialize` that declares another length than it writes | `Encode` | comes back | `Encode` |
//!
//! ¹ Known from the type that reads. Keyspaces, sessions and caches know it, and so does the raw
//! API for `Postcard<T>`, which asks for `Serialize` and `DeserializeOwned`. The raw API for other
//! values knows the type that writes alone: such a value is stored, and is `Decode` when it is
//! read.
//!
//! A level is an array, a map, a tuple, a struct, or an enum's variant with content, whose own
//! tuple or struct is one more. To Cbor a variant without content is one as well and so is a tag,
//! to Postcard every variant, `Some` and newtype.
//!
//! To find out, some values are read back when they are written: those with a form marked ¹, and
//! under Postcard the first of each form of a type.
//!
//! The derive refuses `flatten`, `tag` and fields that are skipped on one side alone on an entry
//! with `codec = Postcard`, and `skip_serializing` without `default` and two names for one field on
//! others. It refuses a key field that is skipped on one side alone with every codec. The [schema
//! lock](crate::assert_schema_lock) refuses types under Postcard that ask the format what comes.
//!
//! # Codecs of your own
//!
//! A codec of your own implements [`Codec`]. If its bytes could be mistaken for another format's,
//! let them begin with a byte that CBOR reserves: 0x1C to 0x1E, 0x3C to 0x3E, 0x5C to 0x5E, 0x7C to
//! 0x7E, 0x9C to 0x9E, 0xBC to 0xBE or 0xDC to 0xDE. 0xFC to 0xFE are this library's.

mod bytes;
mod cbor;
mod decimal;
mod encoded;
mod guard;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "postcard")]
mod postcard;
mod reader;
#[cfg(any(feature = "json", feature = "postcard"))]
mod reading;
mod room;
#[cfg(feature = "postcard")]
mod shape;

use std::any::type_name;

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::guard::findings::Findings;
use crate::error::{BackendError, BackendResult, ErrorKind};

pub use cbor::Cbor;
pub use decimal::parse_integer;
pub(crate) use encoded::Encoded;
#[cfg(feature = "json")]
pub use json::Json;
#[cfg(feature = "postcard")]
pub use postcard::Postcard;

/// A format of stored values.
///
/// A codec runs before anything is sent and after the answer has arrived, never under a lock.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a codec",
    note = "`Cbor`, `Json` and `Postcard` are; implement `Codec` for a format of your own"
)]
pub trait Codec: 'static {
    /// The name of the format, by which the registry and the schema lock know it.
    const NAME: &'static str;

    /// The answer of the format's serializer and deserializer to `is_human_readable`.
    const HUMAN_READABLE: bool = false;

    /// True if a reader finds the fields of a struct by their names, and takes missing fields from
    /// their defaults. The schema lock lets such a format reorder fields and add fields with a
    /// default.
    const FIELDS_BY_NAME: bool = false;

    /// Encodes a value.
    ///
    /// # Errors
    ///
    /// `Encode`, which names the type and holds nothing of the value.
    fn encode<T: Serialize + ?Sized>(value: &T) -> BackendResult<Vec<u8>>;

    /// Encodes a value that will be read as a `V`, and refuses one that no `V` could be read back
    /// from; keyspaces, sessions and caches write by it.
    ///
    /// For a codec whose limits depend on the type that reads; by default it is
    /// [`encode`](Self::encode). The codecs of this library read some values back to find out,
    /// which runs the `Deserialize` of `V`: always before anything is sent, never under a lock.
    ///
    /// # Errors
    ///
    /// `Encode`, which names the type and holds nothing of the value.
    fn encode_as<V, T>(value: &T) -> BackendResult<Vec<u8>>
    where
        V: Serialize + DeserializeOwned,
        T: Serialize + ?Sized,
    {
        Self::encode(value)
    }

    /// Decodes a value from the whole of `bytes`.
    ///
    /// # Errors
    ///
    /// `Decode`, which names the category, the offset and the type, and holds nothing of the value.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> BackendResult<T>;
}

/// A value that the raw API can write: everything that implements `serde::Serialize`, as [`Cbor`].
///
/// A sequence may be serialized twice, the first time to see whether it is bytes: a `Serialize`
/// that can run only once isn't for this.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored in a backend",
    label = "derive or implement `serde::Serialize` for it"
)]
pub trait Encode {
    /// Encodes the value.
    ///
    /// # Errors
    ///
    /// `Encode`.
    fn encode(&self) -> BackendResult<Vec<u8>>;
}

impl<T: Serialize + ?Sized> Encode for T {
    fn encode(&self) -> BackendResult<Vec<u8>> {
        Cbor::encode(self)
    }
}

/// A value that the raw API can read: everything that implements `serde::de::DeserializeOwned`, as
/// [`Cbor`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be read from a backend",
    label = "derive or implement `serde::Deserialize` for it, without borrowed fields"
)]
pub trait Decode: Sized {
    /// Decodes a value from the whole of `bytes`.
    ///
    /// # Errors
    ///
    /// `Decode`.
    fn decode(bytes: &[u8]) -> BackendResult<Self>;
}

impl<T: DeserializeOwned> Decode for T {
    fn decode(bytes: &[u8]) -> BackendResult<Self> {
        Cbor::decode(bytes)
    }
}

/// Lets the raw API read the values that a keyspace with the codec `$codec` holds.
#[cfg(any(feature = "json", feature = "postcard"))]
macro_rules! raw_api {
    ($codec:ident) => {
        impl<T: ::serde::de::DeserializeOwned> $crate::codec::Decode for $codec<T> {
            fn decode(bytes: &[u8]) -> $crate::error::BackendResult<Self> {
                <$codec as $crate::codec::Codec>::decode(bytes).map(Self)
            }
        }
    };
}
#[cfg(any(feature = "json", feature = "postcard"))]
use raw_api;

/// Returns the bytes of a value. If the value has a form that not every type can be read back from,
/// returns them only if a `V` can.
fn read_back<C: Codec, V: DeserializeOwned>(
    findings: &Findings,
    encoded: Vec<u8>,
) -> BackendResult<Vec<u8>> {
    if findings.is_suspect() && C::decode::<V>(&encoded).is_err() {
        return Err(unreadable::<V>(REFUSED));
    }
    Ok(encoded)
}

/// Returns the bytes of a value whose type at the read isn't known.
fn read_by_anybody<T: ?Sized>(findings: &Findings, encoded: Vec<u8>) -> BackendResult<Vec<u8>> {
    match findings.repeated() {
        Some(why) => Err(unreadable::<T>(why)),
        None => Ok(encoded),
    }
}

const REFUSED: &str = "its own `Deserialize` would refuse the bytes";

/// The error of a value whose `Serialize` failed, or was stopped. The text of its own error may
/// quote the value.
fn refused<T: ?Sized>(findings: &Findings) -> BackendError {
    refused_as(type_name::<T>(), findings)
}

/// The error of a value that would be written and never read.
fn unreadable<T: ?Sized>(why: &str) -> BackendError {
    unreadable_as(type_name::<T>(), why)
}

/// The error of bytes that aren't a `T`.
fn undecodable<T>(what: &str, offset: usize) -> BackendError {
    undecodable_as(type_name::<T>(), what, offset)
}

// Not generic: a program has the texts of these once, and not once a type.

#[cold]
fn refused_as(name: &str, findings: &Findings) -> BackendError {
    match findings.refusal() {
        Some(why) => unreadable_as(name, why),
        None => BackendError::new(
            ErrorKind::Encode,
            format!("`{name}` refused to be serialized"),
        ),
    }
}

#[cold]
fn unreadable_as(name: &str, why: &str) -> BackendError {
    BackendError::new(ErrorKind::Encode, format!("`{name}` isn't stored: {why}"))
}

#[cold]
fn undecodable_as(name: &str, what: &str, offset: usize) -> BackendError {
    BackendError::new(
        ErrorKind::Decode,
        format!("{what} at byte {offset}, for `{name}`"),
    )
}
