//! The exact bytes of an entry, as a backend holds them.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "memory")]
use super::memory::entry::Entry;
use crate::codec::Decode;
use crate::error::BackendResult;

/// The bytes that a backend holds under a key, exactly as they were read; cheap to clone.
///
/// [`compare_and_set`](crate::Backend::compare_and_set) and
/// [`compare_and_delete`](crate::Backend::compare_and_delete) compare with these bytes and not with
/// an encoding made anew, because equal values need not encode to equal bytes (two equal
/// `HashMap`s, say).
#[derive(Clone)]
pub struct Stored(Repr);

#[derive(Clone)]
enum Repr {
    Short(Short),
    Shared(Arc<[u8]>),
    /// The bytes of an entry in the memory of this process, which it keeps for as long.
    #[cfg(feature = "memory")]
    Entry(Entry),
}

/// Aligned, so that it is moved in whole words: a read of bytes that were written in pieces has to
/// wait for the pieces.
#[derive(Clone)]
#[repr(align(8))]
struct Short {
    bytes: [u8; SHORT],
    length: u8,
}

/// Long enough for every decimal `i64` and `u64`, so that reading a counter allocates nothing.
const SHORT: usize = 22;

impl Stored {
    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Short(short) => &short.bytes[..usize::from(short.length)],
            Repr::Shared(bytes) => bytes,
            #[cfg(feature = "memory")]
            Repr::Entry(entry) => entry.bytes(),
        }
    }

    /// Returns the entry in memory that these are the bytes of.
    #[cfg(feature = "memory")]
    pub(super) fn entry(&self) -> Option<&Entry> {
        match &self.0 {
            Repr::Entry(entry) => Some(entry),
            _ => None,
        }
    }

    /// Decodes the value.
    ///
    /// # Errors
    ///
    /// `Decode` if the bytes are not a `V`.
    pub fn decode<V: Decode>(&self) -> BackendResult<V> {
        V::decode(self.as_bytes())
    }
}

impl From<&[u8]> for Stored {
    fn from(bytes: &[u8]) -> Self {
        if bytes.len() > SHORT {
            return Self(Repr::Shared(bytes.into()));
        }
        let mut short = [0; SHORT];
        short[..bytes.len()].copy_from_slice(bytes);
        Self(Repr::Short(Short {
            bytes: short,
            length: bytes.len() as u8,
        }))
    }
}

impl From<Arc<[u8]>> for Stored {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self(Repr::Shared(bytes))
    }
}

#[cfg(feature = "memory")]
impl From<Entry> for Stored {
    fn from(entry: Entry) -> Self {
        match entry.integer() {
            Some(integer) => itoa::Buffer::new().format(integer).as_bytes().into(),
            None => Self(Repr::Entry(entry)),
        }
    }
}

impl From<Vec<u8>> for Stored {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Stored {}

/// Shows the length and never the bytes, which may be a secret.
impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stored({} bytes)", self.as_bytes().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_bytes_come_back_as_they_were() {
        for length in [0, 1, SHORT - 1, SHORT, SHORT + 1, 1000] {
            let bytes: Vec<u8> = (0..length).map(|i| i as u8).collect();
            assert_eq!(Stored::from(bytes.as_slice()).as_bytes(), bytes);
            assert_eq!(
                Stored::from(Arc::<[u8]>::from(bytes.as_slice())),
                Stored::from(bytes)
            );
        }
    }

    #[test]
    fn debug_shows_no_byte() {
        assert_eq!(
            format!("{:?}", Stored::from(&b"secret"[..])),
            "Stored(6 bytes)"
        );
    }
}
