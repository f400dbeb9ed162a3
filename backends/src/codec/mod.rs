//! How values become stored bytes and back; the default format is [`Cbor`].
//!
//! # The stored format
//!
//! * A top-level integer that fits `i64` or `u64` is canonical decimal text, as Redis counters are. So `set`, `get` and
//!   `increment` speak of the same number, and an item that begins with `-` or a digit is always an integer.
//! * A top-level sequence of plain `u8` that isn't empty (`Vec<u8>`, `&[u8]`) is a CBOR byte string under tag 64
//!   (RFC 8746), so that it costs its length. Arrays of numbers are read as well. Inside of structs `serde_bytes` decides.
//! * Everything else is plain CBOR (RFC 8949) as ciborium writes it, readable by every CBOR library.
//!
//! As in every serde format of this kind an option directly inside of an option, and `Some(())`, collapse to `None`.

mod bytes;
mod cbor;
mod decimal;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::BackendResult;

pub use cbor::Cbor;
pub use decimal::parse_integer;

/// A format of stored values.
///
/// A codec runs before anything is sent and after the answer has arrived, never under a lock.
pub trait Codec: 'static {
    /// Encodes a value.
    ///
    /// # Errors
    ///
    /// `Encode`, which names the type and holds nothing of the value.
    fn encode<T: Serialize + ?Sized>(value: &T) -> BackendResult<Vec<u8>>;

    /// Decodes a value from the whole of `bytes`.
    ///
    /// # Errors
    ///
    /// `Decode`, which names the category, the offset and the type, and holds nothing of the value.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> BackendResult<T>;
}

/// A value that the raw API can write: everything that implements `serde::Serialize`, as [`Cbor`].
///
/// A sequence may be serialized twice, the first time to see whether it is bytes: a `Serialize` that can run only once
/// isn't for this.
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

/// A value that the raw API can read: everything that implements `serde::de::DeserializeOwned`, as [`Cbor`].
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
