//! The limits of a store on entries and bytes, and the room that is taken.

use std::sync::Arc;

use crate::error::{BackendError, ErrorKind};
use crate::sync::atomic::{AtomicUsize, Ordering};

/// The behaviour of a full memory backend when a write needs room.
///
/// Room is needed for new entries and for growth, and for the difference alone. A write takes the
/// room of the entry that it replaces, live or ended. A
/// [`move_entry`](crate::store::Store::move_entry) takes the room of the entry that it removes as
/// well. So a session is cycled and saved, a counter is counted on, and a value is compared and set
/// in a store that is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Eviction {
    /// Refuses new entries ([`Full`](crate::ErrorKind::Full)), and never loses an entry before its
    /// end: for sessions, limits and leases.
    #[default]
    Off,
    /// Evicts the entries that are used least, by S3-FIFO, which a scan doesn't flush: for caches.
    /// Only the listener is told of an eviction: a counter, a limit or a lease in the same store
    /// can be evicted too, and starts over.
    ///
    /// The algorithm is that of Yang et al., "FIFO queues are all you need for cache eviction",
    /// SOSP 2023.
    S3Fifo,
}

/// The room is counted for the store as a whole, so that a limit means what it says. There are few
/// entries to a shard: a write reserves room for its entry here first, under the shard's lock,
/// without waiting.
#[derive(Debug)]
pub(super) struct Bounds {
    max_entries: usize,
    max_bytes: usize,
    pub(super) eviction: Eviction,
    entries: AtomicUsize,
    bytes: AtomicUsize,
}

/// The room that an entry needs and that there isn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoRoom {
    pub(super) entries: usize,
    pub(super) bytes: usize,
    /// The weight of the entry as a whole; `bytes` is only its growth.
    pub(super) weight: usize,
}

impl NoRoom {
    /// The same room, for an entry that weighs so much as a whole.
    pub(super) fn of(self, weight: usize) -> Self {
        Self { weight, ..self }
    }
}

impl Bounds {
    pub(super) fn new(max_entries: usize, max_bytes: usize, eviction: Eviction) -> Self {
        Self {
            max_entries,
            max_bytes,
            eviction,
            entries: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    /// Takes room, or nothing.
    pub(super) fn reserve(&self, entries: usize, bytes: usize) -> Result<(), NoRoom> {
        let no_room = NoRoom {
            entries,
            bytes,
            weight: bytes,
        };
        take(&self.entries, entries, self.max_entries).ok_or(no_room)?;
        if take(&self.bytes, bytes, self.max_bytes).is_none() {
            self.release(entries, 0);
            return Err(no_room);
        }
        Ok(())
    }

    pub(super) fn release(&self, entries: usize, bytes: usize) {
        self.entries.fetch_sub(entries, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Returns the limit on bytes; `None` where there is none.
    #[cfg(feature = "derive")]
    pub(super) fn max_bytes(&self) -> Option<usize> {
        (self.max_bytes < usize::MAX).then_some(self.max_bytes)
    }

    pub(super) fn entries(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    pub(super) fn has_room(&self, needed: NoRoom) -> bool {
        let fits = |taken: &AtomicUsize, more: usize, most: usize| {
            taken.load(Ordering::Relaxed).saturating_add(more) <= most
        };
        fits(&self.entries, needed.entries, self.max_entries)
            && fits(&self.bytes, needed.bytes, self.max_bytes)
    }

    /// Says whether an empty store would have the room.
    pub(super) fn could_have_room(&self, needed: NoRoom) -> bool {
        needed.entries <= self.max_entries && needed.weight <= self.max_bytes
    }

    /// Names the limits that are set.
    pub(super) fn full(&self) -> BackendError {
        let entries =
            (self.max_entries < usize::MAX).then(|| format!("{} entries", self.max_entries));
        let bytes = (self.max_bytes < usize::MAX).then(|| format!("{} bytes", self.max_bytes));
        let limits: Vec<String> = entries.into_iter().chain(bytes).collect();
        BackendError::new(
            ErrorKind::Full,
            format!("the limit is {}", limits.join(" and ")),
        )
    }

    /// Returns the number of entries that there can be, as far as the limits tell.
    pub(super) fn most_entries(&self) -> usize {
        self.max_entries.min(self.max_bytes / USUAL_ENTRY)
    }
}

/// A shard's access to the bounds of its store, if the store has any.
#[derive(Debug, Clone)]
pub(super) struct Room(pub(super) Option<Arc<Bounds>>);

impl Room {
    /// Takes room, or nothing.
    pub(super) fn reserve(&self, entries: usize, bytes: usize) -> Result<(), NoRoom> {
        match &self.0 {
            Some(bounds) => bounds.reserve(entries, bytes),
            None => Ok(()),
        }
    }

    pub(super) fn release(&self, entries: usize, bytes: usize) {
        if let Some(bounds) = &self.0 {
            bounds.release(entries, bytes);
        }
    }

    pub(super) fn evicts(&self) -> bool {
        let bounds = self.0.as_ref();
        bounds.is_some_and(|bounds| bounds.eviction == Eviction::S3Fifo)
    }
}

/// The assumed size of an entry where only bytes are bounded: with many more shards than large
/// entries fill, each shard would hold too few entries to tell which are used.
const USUAL_ENTRY: usize = 4096;

fn take(taken: &AtomicUsize, more: usize, most: usize) -> Option<usize> {
    if more == 0 {
        return Some(0);
    }
    let add = |taken: usize| taken.checked_add(more).filter(|sum| *sum <= most);
    taken
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_names_the_limits_that_are_set() {
        let text = |entries, bytes| {
            Bounds::new(entries, bytes, Eviction::Off)
                .full()
                .to_string()
        };
        assert!(text(7, usize::MAX).ends_with("the limit is 7 entries"));
        assert!(text(usize::MAX, 9).ends_with("the limit is 9 bytes"));
        assert!(text(7, 9).ends_with("the limit is 7 entries and 9 bytes"));
    }

    #[test]
    fn room_is_taken_as_a_whole_or_not_at_all() {
        let bounds = Bounds::new(2, 100, Eviction::Off);
        assert_eq!(bounds.reserve(1, 60), Ok(()));
        let too_much = NoRoom {
            entries: 1,
            bytes: 41,
            weight: 41,
        };
        assert_eq!(bounds.reserve(1, 41), Err(too_much));
        assert!(!bounds.has_room(too_much));
        assert_eq!(bounds.reserve(1, 40), Ok(()));
        assert_eq!(bounds.reserve(1, 0).unwrap_err().entries, 1);
        assert_eq!(bounds.reserve(0, 0), Ok(()));
        bounds.release(1, 60);
        assert_eq!(bounds.entries(), 1);
        assert_eq!(bounds.reserve(1, 60), Ok(()));
    }
}
