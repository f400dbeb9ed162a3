//! A step: one hold of a shard's lock, and the things that all methods of a shard need in it.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;

use super::entry::Entry;
use super::removal::Removed;
use crate::time::clock::Moment;

/// The circumstances of one step.
pub(super) struct Step<'a> {
    /// The time by the clock of the caller.
    pub(super) now: Moment,
    /// The hasher of the store, for a table that grows or shrinks.
    pub(super) hasher: &'a KeyHasher,
    /// Takes the entries that leave, until the lock is released.
    pub(super) removed: &'a mut Removed,
}

/// A key's place: its text and the hash of it.
#[derive(Clone, Copy)]
pub(super) struct KeyHash<'a> {
    pub(super) key: &'a str,
    pub(super) hash: u64,
}

impl KeyHash<'_> {
    pub(super) fn is_of(&self, entry: &Entry) -> bool {
        entry.key() == self.key.as_bytes()
    }
}

/// Hashes the keys of one store.
#[derive(Default)]
pub(super) struct KeyHasher(RandomState);

impl KeyHasher {
    /// Hashes the bytes alone, without their length, which the hasher mixes in itself.
    #[inline]
    pub(super) fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(key);
        hasher.finish()
    }
}
