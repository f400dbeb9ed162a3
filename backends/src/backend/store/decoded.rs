//! The decoded value that a store in this process attaches to its bytes.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

/// A decoded value that is attached to the bytes that it was decoded from.
#[derive(Clone)]
#[cfg_attr(
    not(feature = "memory"),
    expect(dead_code, reason = "the memory backend alone attaches decoded values")
)]
pub struct Decoded {
    value: Arc<dyn Any + Send + Sync>,
    /// Stands for its type and the codec that decoded it: another codec could read other things
    /// from the same bytes.
    decoded_as: TypeId,
    bytes: usize,
}

impl Decoded {
    pub(crate) fn new<T: Any + Send + Sync>(
        value: Arc<T>,
        decoded_as: TypeId,
        encoded: usize,
    ) -> Self {
        Self {
            value,
            decoded_as,
            bytes: OVERHEAD + size_of::<T>() + encoded,
        }
    }

    /// Returns how many bytes of memory the value counts for: the size of its type, its encoded
    /// length in place of its heap memory, and the overhead of attaching it.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the value, if it was decoded as `decoded_as`.
    #[cfg(feature = "memory")]
    #[inline]
    pub(crate) fn value(&self, decoded_as: TypeId) -> Option<&Arc<dyn Any + Send + Sync>> {
        (self.decoded_as == decoded_as).then_some(&self.value)
    }
}

/// Shows the size and nothing of the value.
impl fmt::Debug for Decoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decoded({} bytes)", self.bytes)
    }
}

/// The `Decoded` itself and the counts of its `Arc`.
const OVERHEAD: usize = size_of::<Decoded>() + 2 * size_of::<usize>();
