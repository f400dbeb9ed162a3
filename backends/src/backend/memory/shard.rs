//! One shard of a store: a hash table of entries that end, to be used under its lock.

use std::mem::offset_of;

use hashbrown::HashTable;

use super::bounds::{NoRoom, Room};
use super::ends::Ends;
use super::entry::Entry;
use super::ledger::Ledger;
use super::queues::Queues;
use super::removal::Cause;
use super::step::{KeyHash, KeyHasher, Step};
use crate::backend::store::decoded::Decoded;
use crate::time::clock::Moment;

/// The entries whose keys hash to one shard. Entries past their deadline may still be here; no
/// method shows them.
///
/// Entries that leave are handed out, to be dropped after the lock is released.
///
/// The fields are in this order so that a look-up touches the first cache line, which the lock is
/// in, and no other.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Shard {
    entries: HashTable<Entry>,
    /// The order of eviction, where there is one.
    pub(super) queues: Option<Box<Queues>>,
    ends: Ends,
    ledger: Ledger,
}

impl Shard {
    pub(super) fn new(room: Room) -> Self {
        Self {
            entries: HashTable::new(),
            queues: room.evicts().then(Box::default),
            ends: Ends::new(),
            ledger: Ledger::new(room),
        }
    }

    /// Returns the entry under a key, which may have ended.
    #[inline]
    pub(super) fn find(&self, key_hash: KeyHash<'_>) -> Option<&Entry> {
        self.entries
            .find(key_hash.hash, |entry| key_hash.is_of(entry))
    }

    /// Returns the entry under a key, which may have ended, and notes that it was used.
    #[inline(always)]
    pub(super) fn find_to_use(&self, key_hash: KeyHash<'_>) -> Option<&Entry> {
        let entry = self.find(key_hash)?;
        if self.queues.is_some() {
            entry.note_use();
        }
        Some(entry)
    }

    /// Removes the live entry; if `expected` is given, only while the entry holds these bytes.
    pub(super) fn remove(
        &mut self,
        key_hash: KeyHash<'_>,
        expected: Option<&[u8]>,
        step: &mut Step<'_>,
    ) -> Option<Entry> {
        let entry = self.live(key_hash, step.now)?;
        if expected.is_some_and(|expected| !entry.holds(expected)) {
            return None;
        }
        let found = self
            .entries
            .find_entry(key_hash.hash, |entry| key_hash.is_of(entry));
        let entry = found.ok()?.remove().0;
        self.ledger.left(entry.clone(), Cause::Removed, step);
        Some(entry)
    }

    /// Attaches a decoded value to `entry` if that entry is in the table and has none yet; gives
    /// the value back otherwise.
    pub(super) fn attach(
        &mut self,
        key_hash: KeyHash<'_>,
        entry: &Entry,
        value: Box<Decoded>,
    ) -> Result<Option<Box<Decoded>>, (NoRoom, Box<Decoded>)> {
        let is_there = self.find(key_hash).is_some_and(|found| found.is(entry));
        if !is_there || entry.decoded().is_some() {
            return Ok(Some(value));
        }
        let bytes = value.bytes();
        if let Err(no_room) = self.ledger.grow(entry, bytes) {
            return Err((no_room, value));
        }
        let Err(refused) = entry.attach(value) else {
            return Ok(None);
        };
        self.ledger.shrink(bytes);
        Ok(Some(refused))
    }

    /// Removes the entries whose keys begin with `prefix` and returns the number of live ones among
    /// them.
    pub(super) fn clear_prefix(&mut self, prefix: &str, step: &mut Step<'_>) -> u64 {
        let in_prefix = |entry: &mut Entry| entry.key().starts_with(prefix.as_bytes());
        let cleared: Vec<Entry> = self.entries.extract_if(in_prefix).collect();
        let mut live = 0;
        for entry in cleared {
            live += u64::from(entry.is_live(|| step.now));
            self.ledger.left(entry, Cause::Removed, step);
        }
        live
    }

    /// Evicts one entry, but none at a spared place, and says whether there was one to evict.
    pub(super) fn evict(&mut self, spared: &[KeyHash<'_>], step: &mut Step<'_>) -> bool {
        let Some(queues) = &mut self.queues else {
            return false;
        };
        let Some((hash, entry)) = queues.choose(&self.entries, step.now, |entry| {
            spared.iter().any(|key_hash| key_hash.is_of(entry))
        }) else {
            return false;
        };
        if let Ok(found) = self.entries.find_entry(hash, |other| other.is(&entry)) {
            found.remove();
        }
        self.ledger.left(entry, Cause::Evicted, step);
        true
    }

    /// Removes the entries that have ended from the next `buckets`, and says whether there may be
    /// more.
    pub(super) fn sweep(&mut self, buckets: usize, step: &mut Step<'_>) -> bool {
        let Self {
            entries,
            ends,
            ledger,
            ..
        } = self;
        ends.sweep(entries, buckets, step.now, |entry| {
            ledger.left(entry, Cause::Expired, step);
        })
    }

    /// Says whether an entry may have ended.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        self.ends.is_due(now)
    }

    pub(super) fn live_keys(&self, now: Moment) -> impl Iterator<Item = &[u8]> {
        let live = self
            .entries
            .iter()
            .filter(move |entry| entry.is_live(|| now));
        live.map(Entry::key)
    }

    /// Returns how many entries take up memory, live or not.
    pub(super) fn held(&self) -> usize {
        self.entries.len()
    }

    /// Returns how many bytes of memory the entries count for.
    pub(super) fn bytes(&self) -> usize {
        self.ledger.bytes()
    }

    /// Returns how many entries have left because they ended, and how many because the store was
    /// full.
    pub(super) fn gone(&self) -> (u64, u64) {
        self.ledger.gone()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    /// Gives memory back that the entries no longer need.
    pub(super) fn shrink(&mut self, hasher: &KeyHasher) {
        let needed = self.entries.len();
        if self.entries.capacity() > SMALL.max(needed * 4) {
            self.entries
                .shrink_to(needed * 2, |entry| hasher.hash(entry.key()));
        }
    }

    #[inline]
    pub(super) fn live(&self, key_hash: KeyHash<'_>, now: Moment) -> Option<&Entry> {
        self.find(key_hash).filter(|entry| entry.is_live(|| now))
    }

    /// Puts an entry in the place of the one that is there, live or not.
    ///
    /// Inlined, as a call would cost a write a thirtieth of its instructions.
    #[inline(always)]
    pub(super) fn put(
        &mut self,
        key_hash: KeyHash<'_>,
        entry: Entry,
        step: &mut Step<'_>,
    ) -> Result<(), (NoRoom, Entry)> {
        self.put_for(key_hash, entry, None, step)
    }

    /// Puts an entry in the place of the one that is there, live or not, and in the room of
    /// `leaving` too, which the caller takes out under the same locks.
    ///
    /// Inlined, so that plain writes, for which nothing leaves, don't check `leaving`.
    #[inline(always)]
    pub(super) fn put_for(
        &mut self,
        key_hash: KeyHash<'_>,
        entry: Entry,
        leaving: Option<&Entry>,
        step: &mut Step<'_>,
    ) -> Result<(), (NoRoom, Entry)> {
        let end = entry.deadline();
        let is_of_place = |entry: &Entry| key_hash.is_of(entry);
        if let Some(found) = self.entries.find_mut(key_hash.hash, is_of_place) {
            let replaced = (self.ledger).replace(found.weight(), entry.weight(), leaving);
            if let Err(no_room) = replaced {
                return Err((no_room, entry));
            }
            if self.queues.is_some() {
                Queues::replace(found, &entry);
            }
            let old = std::mem::replace(found, entry);
            self.ledger.tell(old, Cause::Replaced, step);
        } else {
            self.insert(key_hash, entry, leaving, step.hasher)?;
        }
        self.wrote(end, step);
        Ok(())
    }

    /// Puts in an entry under a key that has none, in the room of `leaving` too.
    fn insert(
        &mut self,
        key_hash: KeyHash<'_>,
        entry: Entry,
        leaving: Option<&Entry>,
        hasher: &KeyHasher,
    ) -> Result<(), (NoRoom, Entry)> {
        if let Err(no_room) = self.ledger.insert(entry.weight(), leaving) {
            return Err((no_room, entry));
        }
        if self.entries.len() == self.entries.capacity() {
            // A table without room for one more may be arranged anew in as many buckets as before,
            // and move entries behind the pass.
            self.ends.restart();
        }
        let rehash = |other: &Entry| hasher.hash(other.key());
        let inserted = self.entries.insert_unique(key_hash.hash, entry, rehash);
        if let Some(queues) = &mut self.queues {
            let entry = inserted.get().clone();
            queues.admit(key_hash.hash, &entry, leaving, &self.entries);
        }
        Ok(())
    }

    /// Notes that an entry's end was set, and does its share of looking for entries that have
    /// ended: so these leave where no task sweeps, too.
    #[inline]
    pub(super) fn wrote(&mut self, end: Moment, step: &mut Step<'_>) {
        self.ends.note(end);
        if self.ends.is_due(step.now) {
            self.sweep(BUCKETS_A_WRITE, step);
        }
    }

    /// Takes out an entry whose room another entry has by now, and tells of it.
    pub(super) fn give_way(&mut self, key_hash: KeyHash<'_>, entry: Entry, step: &mut Step<'_>) {
        if let Ok(found) = (self.entries).find_entry(key_hash.hash, |other| other.is(&entry)) {
            found.remove();
        }
        self.ledger.gave_way(entry, step);
    }
}

/// A look-up asks whether there is an order of eviction. A cache line has eight words, of which the
/// lock is the first.
const _: () = assert!(offset_of!(Shard, queues) <= 6 * size_of::<usize>());
/// The number of buckets that a write looks at while something is due: enough that ended entries
/// leave sooner than writes bring new ones.
const BUCKETS_A_WRITE: usize = 8;
/// A shard this small isn't worth shrinking.
const SMALL: usize = 64;
