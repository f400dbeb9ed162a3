//! Stores that answer without waiting.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::decoded::Decoded;
use super::options::Touch;
use crate::backend::answers::Counted;
use crate::backend::stored::Stored;
use crate::backend::write::Write;
use crate::error::BackendResult;

/// The part of a store in this process that answers at once, without a future and its allocation.
///
/// Accessors of keyspaces and the raw API ask a store for this part
/// ([`Store::as_sync`](super::Store::as_sync)) before they make a call. Each method does exactly
/// what the method of the same name of [`Store`](super::Store) does. No method may block for longer
/// than a short lock.
///
/// A backend implements it on the value that its clones share, and `Store` on itself: on one type
/// the methods of both would be ambiguous.
pub trait SyncStore: Send + Sync {
    /// Returns the bytes under `key`, with the given effect on their life.
    ///
    /// # Errors
    ///
    /// As [`Store::read_value`](super::Store::read_value).
    fn read_value(&self, key: &str, touch: Touch) -> BackendResult<Option<Stored>>;

    /// Returns the decoded value that is attached to the entry, if it was decoded as `decoded_as`,
    /// or else the bytes.
    ///
    /// # Errors
    ///
    /// As [`Store::read_value`](super::Store::read_value).
    fn read_decoded(&self, key: &str, decoded_as: TypeId) -> BackendResult<Option<DecodedOrBytes>> {
        let stored = self.read_value(key, Touch::Keep)?;
        Ok(stored.map(|stored| DecodedOrBytes::of(stored, decoded_as)))
    }

    /// Attaches the decoded value of `stored` to the entry, for as long as the entry holds these
    /// bytes; does nothing where there is no room or the entry has changed.
    ///
    /// The default attaches nothing: each read decodes.
    fn attach_decoded(&self, key: &str, stored: &Stored, decoded: Decoded) {
        let _ = (key, stored, decoded);
    }

    /// Writes `value` with the given life if the condition holds, and says whether it did.
    ///
    /// # Errors
    ///
    /// As [`Store::put`](super::Store::put).
    fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool>;

    /// Does what [`put`](Self::put) does with the value in `buffer`, and may leave anything in
    /// there: a store can put its entry together in it.
    ///
    /// # Errors
    ///
    /// As [`Store::put`](super::Store::put).
    fn put_from(&self, key: &str, buffer: &mut Vec<u8>, options: Write<'_>) -> BackendResult<bool> {
        self.put(key, buffer, options)
    }

    /// Adds `delta` to the counter under `key`.
    ///
    /// # Errors
    ///
    /// As [`Store::add`](super::Store::add).
    fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted>;

    /// Says whether all that this holds ends with this process, so that no other process can die
    /// and leave something behind in it.
    ///
    /// `false` by default, which is right for a memory that processes share, and for a store that
    /// writes to a file.
    fn ends_with_the_process(&self) -> bool {
        false
    }
}

/// The decoded value of an entry, or its bytes where no decoded value is attached.
#[derive(Clone)]
#[non_exhaustive]
pub enum DecodedOrBytes {
    /// The value, decoded by an earlier read.
    Decoded(Arc<dyn Any + Send + Sync>),
    /// The bytes, to be decoded.
    Bytes(Stored),
}

impl DecodedOrBytes {
    /// Returns the decoded value that is attached to these bytes, if it was decoded as
    /// `decoded_as`, or else the bytes.
    #[inline]
    pub(crate) fn of(stored: Stored, decoded_as: TypeId) -> Self {
        #[cfg(feature = "memory")]
        if let Some(entry) = stored.entry()
            && let Some(value) = entry.decoded().and_then(|it| it.value(decoded_as))
        {
            return Self::Decoded(value.clone());
        }
        let _ = decoded_as;
        Self::Bytes(stored)
    }
}

/// Shows nothing of the value.
impl fmt::Debug for DecodedOrBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Decoded(_) => "Decoded(..)",
            Self::Bytes(_) => "Bytes(..)",
        })
    }
}
