//! The entries that leave a store, and the listener that is told of them.

use std::fmt;
use std::mem;
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
pub(super) enum Removed {
    #[default]
    Nothing,
    /// The only entry that most calls remove; it needs no room on the heap.
    One(Entry, Cause),
    Many(Vec<(Entry, Cause)>),
}

impl Removed {
    #[inline]
    pub(super) fn push(&mut self, entry: Entry, cause: Cause) {
        match self {
            Self::Nothing => *self = Self::One(entry, cause),
            Self::One(..) | Self::Many(_) => self.push_more(entry, cause),
        }
    }

    #[cold]
    fn push_more(&mut self, entry: Entry, cause: Cause) {
        let mut all = match mem::take(self) {
            Self::Nothing => Vec::new(),
            Self::One(entry, cause) => vec![(entry, cause)],
            Self::Many(all) => all,
        };
        all.push((entry, cause));
        *self = Self::Many(all);
    }

    /// Tells the listener of the entries, and drops them.
    pub(super) fn tell(self, listener: &Listener) {
        match self {
            Self::Nothing => {}
            Self::One(entry, cause) => tell_of(&entry, cause, listener),
            Self::Many(all) => {
                for (entry, cause) in all {
                    tell_of(&entry, cause, listener);
                }
            }
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

fn tell_of(entry: &Entry, cause: Cause, listener: &Listener) {
    // Keys are made of `str`, and checking that costs little beside a listener.
    if let Ok(key) = std::str::from_utf8(entry.key()) {
        listener(&Removal { key, cause, entry });
    }
}
