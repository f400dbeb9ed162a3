//! One shard of a store: a hash table of entries that end, to be used under its lock.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashTable;
use hashbrown::hash_table::{self, OccupiedEntry};
use tokio::time::Instant;

use crate::backend::life::{Expiry, Life};
use crate::backend::stored::Stored;
use crate::backend::{Condition, Counted, Write};
use crate::codec::parse_integer;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The entries whose keys hash to one shard. Entries past their deadline may still be here; no method shows them.
#[derive(Debug, Default)]
pub(super) struct Shard {
    entries: HashTable<Entry>,
    /// No entry ends before this instant; `None` if no entry ends.
    earliest: Option<Instant>,
    /// Writes since the last sweep.
    writes: usize,
}

/// A key's place: its text and the hash of it.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) key: &'a str,
    pub(super) hash: u64,
}

#[derive(Debug)]
struct Entry {
    key: Box<str>,
    value: Value,
    deadline: Option<Instant>,
}

/// What an entry holds: the bytes as they were written, counters as what they say.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Integer(i64),
    Bytes(Arc<[u8]>),
}

/// A shard this small isn't worth sweeping on a write, nor worth shrinking.
const SMALL: usize = 64;

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        match parse_integer(bytes) {
            Some(integer) => Self::Integer(integer),
            None => Self::Bytes(bytes.into()),
        }
    }
}

impl Value {
    fn holds(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Integer(integer) => itoa::Buffer::new().format(*integer).as_bytes() == bytes,
            Self::Bytes(own) => **own == *bytes,
        }
    }
}

impl From<Value> for Stored {
    fn from(value: Value) -> Self {
        match value {
            Value::Integer(integer) => itoa::Buffer::new().format(integer).as_bytes().into(),
            Value::Bytes(bytes) => bytes.into(),
        }
    }
}

impl Entry {
    fn is_live(&self, now: Instant) -> bool {
        self.deadline.is_none_or(|deadline| now < deadline)
    }

    fn expiry(&self, now: Instant) -> Expiry {
        expiry(self.deadline, now)
    }
}

impl Shard {
    pub(super) fn get(&self, place: Place<'_>, now: Instant) -> Option<Value> {
        Some(self.live(place, now)?.value.clone())
    }

    pub(super) fn read(&self, place: Place<'_>, now: Instant) -> Option<(Value, Expiry)> {
        let entry = self.live(place, now)?;
        Some((entry.value.clone(), entry.expiry(now)))
    }

    pub(super) fn expiry(&self, place: Place<'_>, now: Instant) -> Option<Expiry> {
        Some(self.live(place, now)?.expiry(now))
    }

    /// Writes if the condition holds. Gives the value that was replaced back, or the new one if it wasn't written, so
    /// that it is freed after the lock.
    pub(super) fn write(
        &mut self,
        place: Place<'_>,
        value: Value,
        options: Write<'_>,
        now: Instant,
        rehash: impl Fn(&str) -> u64,
    ) -> (bool, Option<Value>) {
        let found = self.entry(place, rehash);
        let live = match &found {
            hash_table::Entry::Occupied(found) => Some(found.get()).filter(|e| e.is_live(now)),
            hash_table::Entry::Vacant(_) => None,
        };
        let holds = match options.condition {
            Condition::Always => true,
            Condition::Absent => live.is_none(),
            Condition::Present => live.is_some(),
            Condition::Equals(bytes) => live.is_some_and(|entry| entry.value.holds(bytes)),
        };
        if !holds {
            return (false, Some(value));
        }
        let present = live.and_then(|entry| entry.deadline);
        let deadline = deadline(options.life, present, now);
        let replaced = put(found, place, value, deadline);
        self.wrote(deadline, now);
        (true, replaced)
    }

    pub(super) fn increment_by(
        &mut self,
        place: Place<'_>,
        delta: i64,
        window: Life,
        now: Instant,
        rehash: impl Fn(&str) -> u64,
    ) -> BackendResult<Counted> {
        let found = self.entry(place, rehash);
        let (present, end) = match &found {
            hash_table::Entry::Occupied(found) if found.get().is_live(now) => {
                let Value::Integer(present) = found.get().value else {
                    return Err(BackendError::new(
                        ErrorKind::WrongType,
                        "the stored value is not an integer in the range of i64",
                    ));
                };
                (present, found.get().deadline)
            }
            _ => (0, None),
        };
        let sum = present.checked_add(delta).ok_or_else(|| {
            BackendError::new(ErrorKind::Overflow, "the sum leaves the range of i64")
        })?;
        let end = end.or_else(|| deadline(window, None, now));
        put(found, place, Value::Integer(sum), end);
        self.wrote(end, now);
        Ok(Counted {
            value: sum,
            expiry: expiry(end, now),
        })
    }

    pub(super) fn expire(&mut self, place: Place<'_>, life: Life, now: Instant) -> bool {
        let Ok(mut found) = self.occupied(place) else {
            return false;
        };
        let entry = found.get_mut();
        if !entry.is_live(now) {
            return false;
        }
        let end = deadline(life, entry.deadline, now);
        entry.deadline = end;
        self.wrote(end, now);
        true
    }

    /// Returns the value and gives the entry `ttl` to live if it would end sooner.
    pub(super) fn renew(&mut self, place: Place<'_>, ttl: Duration, now: Instant) -> Option<Value> {
        let mut found = self.occupied(place).ok()?;
        let entry = found.get_mut();
        if !entry.is_live(now) {
            return None;
        }
        let value = entry.value.clone();
        let renewed = now.checked_add(ttl);
        if let (Some(present), Some(renewed)) = (entry.deadline, renewed) {
            // Later than before: `earliest` stays true.
            entry.deadline = Some(present.max(renewed));
        }
        Some(value)
    }

    /// Removes the live entry, if `expected` is given only while it holds these bytes.
    pub(super) fn remove(
        &mut self,
        place: Place<'_>,
        expected: Option<&[u8]>,
        now: Instant,
    ) -> Option<Value> {
        let found = self.occupied(place).ok()?;
        if !found.get().is_live(now) {
            return None;
        }
        if expected.is_some_and(|expected| !found.get().value.holds(expected)) {
            return None;
        }
        Some(found.remove().0.value)
    }

    /// Says whether a live entry holds exactly these bytes.
    pub(super) fn holds(&self, place: Place<'_>, expected: &[u8], now: Instant) -> bool {
        let entry = self.live(place, now);
        entry.is_some_and(|entry| entry.value.holds(expected))
    }

    /// Removes the entries whose keys begin with `prefix` and returns how many live ones there were.
    pub(super) fn clear_prefix(&mut self, prefix: &str, now: Instant) -> u64 {
        let mut removed = 0;
        self.retain(|entry| {
            let keep = !entry.key.starts_with(prefix);
            removed += u64::from(!keep && entry.is_live(now));
            keep
        });
        removed
    }

    /// Removes the entries that have ended, if one may have.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.writes = 0;
        if self.earliest.is_some_and(|earliest| earliest <= now) {
            self.retain(|entry| entry.is_live(now));
        }
    }

    pub(super) fn live_keys(&self, now: Instant) -> impl Iterator<Item = &str> {
        let live = self.entries.iter().filter(move |entry| entry.is_live(now));
        live.map(|entry| &*entry.key)
    }

    /// Returns how many entries take up memory, live or not.
    pub(super) fn held(&self) -> usize {
        self.entries.len()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    fn live(&self, place: Place<'_>, now: Instant) -> Option<&Entry> {
        let same_key = |entry: &Entry| *entry.key == *place.key;
        let entry = self.entries.find(place.hash, same_key)?;
        entry.is_live(now).then_some(entry)
    }

    fn occupied(&mut self, place: Place<'_>) -> Result<OccupiedEntry<'_, Entry>, ()> {
        let same_key = |entry: &Entry| *entry.key == *place.key;
        self.entries
            .find_entry(place.hash, same_key)
            .map_err(|_| ())
    }

    fn entry(
        &mut self,
        place: Place<'_>,
        rehash: impl Fn(&str) -> u64,
    ) -> hash_table::Entry<'_, Entry> {
        let same_key = |entry: &Entry| *entry.key == *place.key;
        let rehash = |entry: &Entry| rehash(&entry.key);
        self.entries.entry(place.hash, same_key, rehash)
    }

    /// Notes a write: work in proportion to the writes keeps the entries that have ended below half of all.
    fn wrote(&mut self, deadline: Option<Instant>, now: Instant) {
        if let Some(deadline) = deadline {
            self.earliest = Some(self.earliest.map_or(deadline, |e| e.min(deadline)));
        }
        self.writes += 1;
        if self.writes > SMALL.max(self.entries.len() / 2) {
            self.sweep(now);
        }
    }

    fn retain(&mut self, mut keep: impl FnMut(&Entry) -> bool) {
        let mut earliest: Option<Instant> = None;
        self.entries.retain(|entry| {
            let keep = keep(entry);
            if keep && let Some(deadline) = entry.deadline {
                earliest = Some(earliest.map_or(deadline, |e| e.min(deadline)));
            }
            keep
        });
        self.earliest = earliest;
    }

    /// Gives memory back that the entries no longer need.
    pub(super) fn shrink(&mut self, rehash: impl Fn(&str) -> u64) {
        let needed = self.entries.len();
        if self.entries.capacity() > SMALL.max(needed * 4) {
            self.entries
                .shrink_to(needed * 2, |entry| rehash(&entry.key));
        }
    }
}

fn put(
    found: hash_table::Entry<'_, Entry>,
    place: Place<'_>,
    value: Value,
    deadline: Option<Instant>,
) -> Option<Value> {
    match found {
        hash_table::Entry::Occupied(mut found) => {
            let entry = found.get_mut();
            entry.deadline = deadline;
            Some(std::mem::replace(&mut entry.value, value))
        }
        hash_table::Entry::Vacant(vacant) => {
            vacant.insert(Entry {
                key: place.key.into(),
                value,
                deadline,
            });
            None
        }
    }
}

/// `life` is checked: 10,000 years fit every clock, and a clock that they don't fit never gets to the end of one.
fn deadline(life: Life, present: Option<Instant>, now: Instant) -> Option<Instant> {
    match life {
        Life::Keep => present,
        Life::Never => None,
        Life::In(ttl) => now.checked_add(ttl),
    }
}

fn expiry(deadline: Option<Instant>, now: Instant) -> Expiry {
    deadline.map_or(Expiry::Never, |deadline| Expiry::In(deadline - now))
}
