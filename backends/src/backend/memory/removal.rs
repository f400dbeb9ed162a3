//! The entries that leave a store, and the listener that is told of them.

use std::fmt;
use std::sync::Arc;

use super::entry::Entry;
use crate::backend::stored::Stored;

/// The reason why an entry has left a memory backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The entry came to its end. The store notices this when it sweeps, or at a write under the
    /// key.
    Expired,
    /// The store was full.
    Evicted,
    /// Another value was written under the entry's key.
    Replaced,
    /// The entry was deleted, taken, cleared or moved to another key.
    Removed,
}

/// An entry that has left a memory backend, as
/// [`on_removal`](super::MemoryBackendBuilder::on_removal) is told of it.
#[non_exhaustive]
pub struct Removal<'a> {
    /// The key.
    pub key: &'a str,
    /// The reason why the entry left.
    pub cause: Cause,
    entry: &'a Entry,
}

/// Called for every entry that leaves.
pub(super) type Listener = Arc<dyn Fn(&Removal<'_>) + Send + Sync>;

/// Entries that have left a shard, to be dropped after its lock is released: dropping their decoded
/// values runs code of the user.
#[derive(Debug, Default)]
pub(super) struct Removed {
    /// The only entry that most calls remove; it needs no room on the heap.
    first: Option<(Entry, Cause)>,
    others: Vec<(Entry, Cause)>,
}

impl Removed {
    #[inline]
    pub(super) fn push(&mut self, entry: Entry, cause: Cause) {
        match self.first {
            None => self.first = Some((entry, cause)),
            Some(_) => self.others.push((entry, cause)),
        }
    }
}

impl Removal<'_> {
    /// Returns the bytes that the entry held.
    pub fn stored(&self) -> Stored {
        self.entry.clone().into()
    }
}

/// Shows the cause and never the key or the bytes, which may be secrets.
impl fmt::Debug for Removal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Removal")
            .field("cause", &self.cause)
            .finish_non_exhaustive()
    }
}

/// Tells the listener, if there is one, of the entries that have left, and drops them.
#[inline]
pub(super) fn dispose(removed: Removed, listener: Option<&Listener>) {
    if let Some(listener) = listener {
        tell(removed, listener);
    }
}

fn tell(removed: Removed, listener: &Listener) {
    for (entry, cause) in removed.first.into_iter().chain(removed.others) {
        // Keys are made of `str`, and checking that costs little beside a listener.
        if let Ok(key) = std::str::from_utf8(entry.key()) {
            let entry = &entry;
            listener(&Removal { key, cause, entry });
        }
    }
}
