//! An entry in one allocation: its key, its bytes, and the fields that may change while readers
//! hold it.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use once_cell::race::OnceBox;
use triomphe::ThinArc;

use crate::backend::store::decoded::Decoded;
use crate::codec::parse_integer;
use crate::time::clock::Moment;

/// A shared handle of one entry. Key and bytes never change: a write puts another entry in its
/// place.
///
/// The key stands behind the bytes, so that an entry is copied from the buffer that the value was
/// encoded into.
///
/// One word in a table and one block on the heap, so that a look-up touches few cache lines.
#[derive(Clone)]
pub(crate) struct Entry(ThinArc<Header, u8>);

struct Header {
    /// Changed under the lock of the shard, read by anybody.
    deadline: AtomicU64,
    content: Content,
    key_length: u32,
    /// The number of uses of late, and the entry's place in the order of eviction; changed under
    /// the lock of the shard.
    mark: AtomicU32,
}

/// The content of an entry: a counter or bytes.
enum Content {
    /// A counter, which is changed in place, under the lock of the shard.
    Integer(AtomicI64),
    /// The bytes behind the key, and the decoded value that is attached to them.
    Bytes(OnceBox<Decoded>),
}

/// The memory of an entry besides its key and its bytes: the header, the place in the table, and
/// the allocator's share.
const OVERHEAD: usize = 72;
/// The bits of a mark that count uses.
const USES: u32 = 0b11;

impl Entry {
    /// Makes an entry; bytes that are a counter to `increment_by` become one.
    pub(super) fn new(key: &str, value: &[u8]) -> Self {
        match parse_integer(value) {
            Some(integer) => Self::counter(key, integer),
            None => Self::of_bytes(key, &[value, key.as_bytes()].concat()),
        }
    }

    /// Makes an entry of the value in a buffer, to which it adds the key.
    pub(super) fn from_buffer(key: &str, buffer: &mut Vec<u8>) -> Self {
        if let Some(integer) = parse_integer(buffer) {
            return Self::counter(key, integer);
        }
        buffer.extend_from_slice(key.as_bytes());
        Self::of_bytes(key, buffer)
    }

    fn of_bytes(key: &str, bytes: &[u8]) -> Self {
        Self::build(key, Content::Bytes(OnceBox::new()), bytes)
    }

    pub(super) fn counter(key: &str, integer: i64) -> Self {
        Self::build(key, Content::Integer(integer.into()), key.as_bytes())
    }

    fn build(key: &str, content: Content, bytes: &[u8]) -> Self {
        let header = Header {
            deadline: Moment::NEVER.to_bits().into(),
            content,
            key_length: u32::try_from(key.len()).expect("keys are shorter than 4 GiB"),
            mark: AtomicU32::new(0),
        };
        Self(ThinArc::from_header_and_slice(header, bytes))
    }

    #[inline]
    pub(super) fn key(&self) -> &[u8] {
        self.parts().1
    }

    /// Returns the bytes of the entry; none if it is a counter.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.parts().0
    }

    /// The bytes and the key.
    #[inline]
    fn parts(&self) -> (&[u8], &[u8]) {
        let key = self.header().key_length as usize;
        self.0.slice.split_at(self.0.slice.len() - key)
    }

    /// Returns the counter, if the entry is one.
    pub(crate) fn integer(&self) -> Option<i64> {
        match &self.header().content {
            Content::Integer(integer) => Some(integer.load(Ordering::Relaxed)),
            Content::Bytes(_) => None,
        }
    }

    /// Changes a counter; under the lock of the shard.
    pub(super) fn set_integer(&self, sum: i64) {
        if let Content::Integer(integer) = &self.header().content {
            integer.store(sum, Ordering::Relaxed);
        }
    }

    /// Says whether the entry holds exactly these bytes.
    pub(super) fn holds(&self, bytes: &[u8]) -> bool {
        match self.integer() {
            Some(integer) => itoa::Buffer::new().format(integer).as_bytes() == bytes,
            None => self.bytes() == bytes,
        }
    }

    pub(super) fn deadline(&self) -> Moment {
        Moment::from_bits(self.header().deadline.load(Ordering::Relaxed))
    }

    /// Changes the deadline; under the exclusive lock of the shard, or before others see the entry.
    pub(super) fn set_deadline(&self, deadline: Moment) {
        let bits = deadline.to_bits();
        self.header().deadline.store(bits, Ordering::Relaxed);
    }

    /// Says whether the entry is live at `now`, which is called only if the entry ends at all.
    pub(super) fn is_live(&self, now: impl FnOnce() -> Moment) -> bool {
        let deadline = self.deadline();
        deadline == Moment::NEVER || now() < deadline
    }

    /// Returns the number of bytes of memory that the entry counts for.
    pub(super) fn weight(&self) -> usize {
        OVERHEAD + self.0.slice.len() + self.decoded().map_or(0, Decoded::bytes)
    }

    /// Returns the decoded value that is attached to the bytes.
    pub(crate) fn decoded(&self) -> Option<&Decoded> {
        match &self.header().content {
            Content::Integer(_) => None,
            Content::Bytes(decoded) => decoded.get(),
        }
    }

    /// Attaches a decoded value, or gives it back if there is one already. Under the lock of the
    /// shard.
    pub(super) fn attach(&self, value: Box<Decoded>) -> Result<(), Box<Decoded>> {
        match &self.header().content {
            Content::Integer(_) => Err(value),
            Content::Bytes(decoded) => decoded.set(value),
        }
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.as_ptr() == other.0.as_ptr()
    }

    /// Notes a use. One of several uses at the same time may be lost, which only makes the estimate
    /// a little lower.
    pub(super) fn note_use(&self) {
        let mark = self.header().mark.load(Ordering::Relaxed);
        if mark & USES < USES {
            self.header().mark.store(mark + 1, Ordering::Relaxed);
        }
    }

    /// Returns the number of uses since it was last set, up to 3.
    pub(super) fn uses(&self) -> u32 {
        self.header().mark.load(Ordering::Relaxed) & USES
    }

    /// Returns the number of the entry's place in the order of eviction.
    pub(super) fn ticket(&self) -> u32 {
        self.header().mark.load(Ordering::Relaxed) / (USES + 1)
    }

    /// Sets the number of the entry's place and the number of its uses; under the lock of the
    /// shard.
    pub(super) fn set_mark(&self, ticket: u32, uses: u32) {
        let mark = ticket * (USES + 1) + uses;
        self.header().mark.store(mark, Ordering::Relaxed);
    }

    fn header(&self) -> &Header {
        &self.0.header.header
    }
}

/// Shows lengths and never key or bytes, which may be secrets.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("key", &self.key().len())
            .field("bytes", &self.bytes().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_reads_as_a_counter_is_one() {
        let entry = Entry::new("k", b"-42");
        assert_eq!((entry.key(), entry.integer()), (&b"k"[..], Some(-42)));
        assert!(entry.holds(b"-42") && !entry.holds(b"-4"));
        for other in [&b"042"[..], b"", b"text", b"18446744073709551615"] {
            let entry = Entry::new("key", other);
            assert_eq!(entry.integer(), None);
            assert_eq!((entry.key(), entry.bytes()), (&b"key"[..], other));
            assert!(entry.holds(other));
        }
    }

    #[test]
    fn uses_are_counted_up_to_three_and_leave_the_ticket_alone() {
        let entry = Entry::new("k", b"v");
        entry.set_mark(1 << 29, 0);
        for uses in [1, 2, 3, 3, 3] {
            entry.note_use();
            assert_eq!((entry.uses(), entry.ticket()), (uses, 1 << 29));
        }
    }

    #[test]
    fn a_decoded_value_is_attached_once_and_counted() {
        let entry = Entry::new("k", b"v");
        let before = entry.weight();
        let (of, other) = (TypeId::of::<u8>(), TypeId::of::<u16>());
        let decoded = |value: u8| Box::new(Decoded::new(Arc::new(value), of, 100));
        assert!(entry.attach(decoded(1)).is_ok());
        assert!(entry.attach(decoded(2)).is_err());
        assert_eq!(entry.weight(), before + decoded(1).bytes());
        let found = entry.decoded().unwrap();
        let value = found.value(of).unwrap().downcast_ref::<u8>();
        assert_eq!(value, Some(&1));
        assert!(found.value(other).is_none());
        assert!(Entry::new("k", b"1").attach(decoded(1)).is_err());
    }
}
