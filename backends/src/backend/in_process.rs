//! Backends that answer without waiting.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::stored::Stored;
use super::{Counted, Write};
use crate::error::BackendResult;

/// What a backend in this process answers at once, without a future and its allocation.
///
/// Accessors of keyspaces and the raw API ask a backend for this ([`Backend::in_process`](super::Backend::in_process)) before
/// they call it; each method does exactly what the method of the same name of [`Backend`](super::Backend) does. None may
/// block for longer than a short lock.
pub trait InProcess: Send + Sync {
    /// Returns the bytes under `key`.
    ///
    /// # Errors
    ///
    /// As [`Backend::get_stored`](super::Backend::get_stored).
    fn get_stored(&self, key: &str) -> BackendResult<Option<Stored>>;

    /// Returns what [`keep`](Self::keep) has kept under `key` if that was decoded as what `of` stands for, or else the bytes.
    ///
    /// # Errors
    ///
    /// As [`Backend::get_stored`](super::Backend::get_stored).
    fn get_kept(&self, key: &str, of: TypeId) -> BackendResult<Option<Shared>> {
        Ok(self.get_stored(key)?.map(|stored| stored.shared(of)))
    }

    /// Writes `value` with the given life if the condition holds, and says whether it did.
    ///
    /// # Errors
    ///
    /// As [`Backend::write`](super::Backend::write).
    fn write(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool>;

    /// Does what [`write`](Self::write) does with the value in `buffer`, and may leave anything in there: what is kept can
    /// be put together in it.
    ///
    /// # Errors
    ///
    /// As [`Backend::write`](super::Backend::write).
    fn write_from(
        &self,
        key: &str,
        buffer: &mut Vec<u8>,
        options: Write<'_>,
    ) -> BackendResult<bool> {
        self.write(key, buffer, options)
    }

    /// Adds `delta` to the counter under `key`.
    ///
    /// # Errors
    ///
    /// As [`Backend::increment_by`](super::Backend::increment_by).
    fn increment_by(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted>;

    /// Returns the bytes under `key` and gives the entry `ttl` to live if it would end sooner.
    ///
    /// # Errors
    ///
    /// As [`Backend::renew_stored`](super::Backend::renew_stored).
    fn renew_stored(&self, key: &str, ttl: Duration) -> BackendResult<Option<Stored>>;

    /// Keeps what `stored` decodes to beside the entry, for as long as the entry holds these bytes; does nothing where there
    /// is no room or the entry has changed.
    fn keep(&self, key: &str, stored: &Stored, value: Kept);

    /// Says whether all that this holds ends with this process, so that nobody can die and leave something behind in it.
    ///
    /// `false` by default, which is right for a memory that processes share, and for what writes to a file.
    fn ends_with_the_process(&self) -> bool {
        false
    }
}

/// What is read to be shared.
#[derive(Clone)]
#[non_exhaustive]
pub enum Shared {
    /// The value, decoded earlier and kept since.
    Value(Arc<dyn Any + Send + Sync>),
    /// The bytes, to be decoded.
    Bytes(Stored),
}

/// Shows nothing of the value.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value(_) => "Value(..)",
            Self::Bytes(_) => "Bytes(..)",
        })
    }
}

/// A decoded value that is kept beside the bytes that it was decoded from.
#[derive(Clone)]
#[cfg_attr(
    not(feature = "memory"),
    expect(dead_code, reason = "the memory backend alone keeps values")
)]
pub struct Kept {
    value: Arc<dyn Any + Send + Sync>,
    /// Stands for its type and the codec that decoded it: another one could read other things from the same bytes.
    of: TypeId,
    bytes: usize,
}

impl Kept {
    pub(crate) fn new<T: Any + Send + Sync>(value: Arc<T>, of: TypeId, encoded: usize) -> Self {
        Self {
            value,
            of,
            bytes: OVERHEAD + size_of::<T>() + encoded,
        }
    }

    /// Returns how many bytes of memory it counts for: the size of its type, its encoded length in place of what it holds
    /// on the heap, and what it takes to keep it.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the value, if it was decoded as what `of` stands for.
    #[cfg(feature = "memory")]
    #[inline]
    pub(crate) fn value(&self, of: TypeId) -> Option<&Arc<dyn Any + Send + Sync>> {
        (self.of == of).then_some(&self.value)
    }
}

/// Shows the size and nothing of the value.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({} bytes)", self.bytes)
    }
}

/// The `Kept` itself and the counts of its `Arc`.
const OVERHEAD: usize = size_of::<Kept>() + 2 * size_of::<usize>();
