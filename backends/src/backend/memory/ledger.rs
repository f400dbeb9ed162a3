//! The bookkeeping of a shard: the weight of its entries, and the entries that have left.

use super::bounds::{NoRoom, Room};
use super::entry::Entry;
use super::removal::Cause;
use super::step::Step;

/// Every entry that comes into a shard or leaves it is entered here, and so are decoded values.
#[derive(Debug)]
pub(super) struct Ledger {
    /// The weight of all entries.
    bytes: usize,
    room: Room,
    expired: u64,
    evicted: u64,
}

impl Ledger {
    pub(super) fn new(room: Room) -> Self {
        Self {
            bytes: 0,
            room,
            expired: 0,
            evicted: 0,
        }
    }

    /// Takes the room for an entry under a key that has none, or nothing. The room of `leaving`
    /// counts as given up.
    pub(super) fn insert(&mut self, weight: usize, leaving: Option<&Entry>) -> Result<(), NoRoom> {
        let (spare_entries, spare_bytes) = spare(leaving);
        let more = weight.saturating_sub(spare_bytes);
        let reserved = self.room.reserve(1 - spare_entries, more);
        reserved.map_err(|no_room| no_room.of(weight))?;
        if leaving.is_some() {
            self.room.release(0, spare_bytes.saturating_sub(weight));
        }
        self.bytes += weight;
        Ok(())
    }

    /// Takes the room that an entry needs beyond that of the one it replaces and of `leaving`, or
    /// nothing.
    #[inline(always)]
    pub(super) fn replace(
        &mut self,
        old_weight: usize,
        weight: usize,
        leaving: Option<&Entry>,
    ) -> Result<(), NoRoom> {
        let (spare_entries, spare_bytes) = spare(leaving);
        let given_back = old_weight + spare_bytes;
        let reserved = self.room.reserve(0, weight.saturating_sub(given_back));
        reserved.map_err(|no_room| no_room.of(weight))?;
        let surplus = given_back.saturating_sub(weight);
        self.room.release(spare_entries, surplus);
        self.bytes = self.bytes + weight - old_weight;
        Ok(())
    }

    /// Takes the room by which an entry grows, or nothing.
    pub(super) fn grow(&mut self, entry: &Entry, bytes: usize) -> Result<(), NoRoom> {
        let reserved = self.room.reserve(0, bytes);
        reserved.map_err(|no_room| no_room.of(entry.weight() + bytes))?;
        self.bytes += bytes;
        Ok(())
    }

    /// Gives back the room by which an entry was to grow.
    pub(super) fn shrink(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.room.release(0, bytes);
    }

    /// Gives back the room of an entry that has left the table, and tells of the entry.
    pub(super) fn left(&mut self, entry: Entry, cause: Cause, step: &mut Step<'_>) {
        let weight = entry.weight();
        self.bytes -= weight;
        self.room.release(1, weight);
        self.tell(entry, cause, step);
    }

    /// Tells of an entry that has left the table and whose room another entry has by now.
    pub(super) fn gave_way(&mut self, entry: Entry, step: &mut Step<'_>) {
        self.bytes -= entry.weight();
        self.tell(entry, Cause::Removed, step);
    }

    /// Counts and hands out an entry that has left. An entry past its end has expired, whatever
    /// took it away.
    ///
    /// Inlined, as each write that replaces an entry tells of one.
    #[inline(always)]
    pub(super) fn tell(&mut self, entry: Entry, cause: Cause, step: &mut Step<'_>) {
        let cause = if entry.is_live(|| step.now) {
            cause
        } else {
            Cause::Expired
        };
        match cause {
            Cause::Expired => self.expired += 1,
            Cause::Evicted => self.evicted += 1,
            Cause::Replaced | Cause::Removed => {}
        }
        step.removed.push(entry, cause);
    }

    /// Returns how many bytes of memory the entries count for.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns how many entries have left because they ended, and how many because the store was
    /// full.
    pub(super) fn gone(&self) -> (u64, u64) {
        (self.expired, self.evicted)
    }
}

/// Returns the entries and the bytes whose room `leaving` gives up.
#[inline]
fn spare(leaving: Option<&Entry>) -> (usize, usize) {
    leaving.map_or((0, 0), |leaving| (1, leaving.weight()))
}
