//! The calls on single keys, as `Store` and `SyncStore` ask for them.

use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

use super::ends::expiry;
use super::entry::Entry;
use super::operations::Move;
use super::pair_lock::with_both;
use super::shards::{Padded, Shards};
use super::step::KeyHash;
use crate::backend::distinct::Distinct;
use crate::backend::life::{Expiry, Life};
use crate::backend::store::decoded::Decoded;
use crate::backend::store::options::{NewEntry, Touch};
use crate::backend::store::sync::DecodedOrBytes;
use crate::backend::stored::Stored;
use crate::backend::{Condition, Counted, Write};
use crate::error::{BackendResult, Failures};
use crate::quota::{Attempt, Decision};
use crate::time::clock::Moment;

impl Shards {
    #[inline]
    pub(super) fn read_value(
        self: &Arc<Self>,
        key: &str,
        touch: Touch,
    ) -> BackendResult<Option<Stored>> {
        match touch.checked()? {
            Touch::Keep => self.get(key),
            Touch::Restart(ttl) => self.touch(key, ttl),
            Touch::Extend(ttl) => self.renew(key, ttl),
        }
    }

    pub(super) fn get(&self, key: &str) -> BackendResult<Option<Stored>> {
        let (padded, key_hash) = self.find(key)?;
        let found = padded.shard.read().find_to_use(key_hash).cloned();
        // The clock is read after the lock, and only for an entry that ends.
        match found {
            Some(entry) if entry.is_live(|| self.clock.now()) => {
                self.reads.count(true);
                Ok(Some(entry.into()))
            }
            _ => {
                self.reads.count(false);
                Ok(None)
            }
        }
    }

    pub(super) fn read_decoded(
        &self,
        key: &str,
        decoded_as: TypeId,
    ) -> BackendResult<Option<DecodedOrBytes>> {
        let (padded, key_hash) = self.find(key)?;
        let shard = padded.shard.read();
        let decoded = shard.find_to_use(key_hash).and_then(|entry| {
            Some((
                entry.deadline(),
                entry.decoded()?.value(decoded_as)?.clone(),
            ))
        });
        drop(shard);
        match decoded {
            Some((end, value)) if end == Moment::NEVER || self.clock.now() < end => {
                self.reads.count(true);
                Ok(Some(DecodedOrBytes::Decoded(value)))
            }
            // Dropping a value that has ended runs code of the user, and so comes after the lock.
            Some(_) => {
                self.reads.count(false);
                Ok(None)
            }
            None => Ok(self.get(key)?.map(DecodedOrBytes::Bytes)),
        }
    }

    pub(super) fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        let (padded, key_hash) = self.find(key)?;
        let now = self.clock.now();
        // Both are read under the lock: a counter and its window are changed together.
        let found = {
            let shard = padded.shard.read();
            let entry = shard.find_to_use(key_hash);
            entry.map(|entry| (entry.deadline(), Stored::from(entry.clone())))
        };
        let live = found.filter(|(end, _)| now < *end);
        self.reads.count(live.is_some());
        Ok(live.map(|(end, stored)| (stored, expiry(end, now))))
    }

    pub(super) fn expiry(&self, key: &str) -> BackendResult<Option<Expiry>> {
        let (padded, key_hash) = self.find(key)?;
        let end = padded.shard.read().find(key_hash).map(Entry::deadline);
        let now = self.clock.now();
        Ok(end.filter(|end| now < *end).map(|end| expiry(end, now)))
    }

    pub(super) fn write(
        self: &Arc<Self>,
        key: &str,
        value: &[u8],
        options: Write<'_>,
    ) -> BackendResult<bool> {
        self.limits.check_value(value)?;
        self.put(key, options, || Entry::new(key, value))
    }

    /// Writes the value in a buffer, and leaves something else in it.
    pub(super) fn write_from(
        self: &Arc<Self>,
        key: &str,
        buffer: &mut Vec<u8>,
        options: Write<'_>,
    ) -> BackendResult<bool> {
        self.limits.check_value(buffer)?;
        self.put(key, options, || Entry::from_buffer(key, buffer))
    }

    #[inline]
    fn put(
        self: &Arc<Self>,
        key: &str,
        mut options: Write<'_>,
        entry: impl FnOnce() -> Entry,
    ) -> BackendResult<bool> {
        options.life = options.life.checked()?;
        let (padded, key_hash) = self.find(key)?;
        self.sweep_later(options.life);
        let now = self.clock.now();
        self.with_room(&[key_hash], entry(), |entry, removed| {
            let mut shard = padded.shard.write();
            shard.write(key_hash, entry, options, &mut self.step(now, removed))
        })
    }

    pub(super) fn move_entry(
        self: &Arc<Self>,
        from: &str,
        expected: &[u8],
        to: NewEntry<'_>,
        over: Option<&[u8]>,
    ) -> BackendResult<bool> {
        let condition = over.map_or(Condition::Absent, Condition::Equals);
        let options = Write::new(to.life.checked()?).when(condition);
        self.limits.check_value(to.value)?;
        let (old_shard, old) = self.find(from)?;
        let (new_shard, new) = self.find(to.key)?;
        if from == to.key {
            return Ok(false);
        }
        self.sweep_later(options.life);
        let now = self.clock.now();
        let moving = Move {
            from: old,
            expected,
            to: new,
            options,
        };
        let entry = Entry::new(to.key, to.value);
        self.with_room(&[new, old], entry, |entry, removed| {
            with_both(&old_shard.shard, &new_shard.shard, |other, shard| {
                shard.move_in(other, moving, entry, &mut self.step(now, removed))
            })
        })
    }

    pub(super) fn write_many(self: &Arc<Self>, entries: &[NewEntry<'_>]) -> BackendResult<()> {
        self.limits.check_entries(entries)?;
        if self.room.0.is_none() {
            return self.write_each(entries);
        }
        let distinct = Distinct::new(entries);
        distinct.name(self.write_each(&distinct.entries))
    }

    fn write_each(self: &Arc<Self>, entries: &[NewEntry<'_>]) -> BackendResult<()> {
        let mut failures = Failures::default();
        for (index, entry) in entries.iter().enumerate() {
            if let Err(error) = self.write(entry.key, entry.value, Write::new(entry.life)) {
                failures.add([index], error);
            }
        }
        failures.into_result()
    }

    /// `ttl` is checked.
    pub(super) fn renew(
        self: &Arc<Self>,
        key: &str,
        ttl: Duration,
    ) -> BackendResult<Option<Stored>> {
        let (padded, key_hash) = self.find(key)?;
        self.sweep_later(Life::In(ttl));
        let now = self.clock.now();
        let renewed = {
            // The lock is shared with other readers: an end is only ever moved on here, and every
            // other change of an end holds the lock exclusively.
            let shard = padded.shard.read();
            let live = shard
                .find_to_use(key_hash)
                .filter(|entry| entry.is_live(|| now));
            live.map(|entry| {
                // Later than before: the shard's earliest end stays true.
                entry.extend_deadline(now.after(ttl));
                entry.clone()
            })
        };
        self.reads.count(renewed.is_some());
        Ok(renewed.map(Stored::from))
    }

    pub(super) fn increment_by(
        self: &Arc<Self>,
        key: &str,
        delta: i64,
        ttl: Option<Duration>,
    ) -> BackendResult<Counted> {
        let window = Life::from(ttl).checked()?;
        let (padded, key_hash) = self.find(key)?;
        self.sweep_later(window);
        let now = self.clock.now();
        self.with_room(&[key_hash], (), |(), removed| {
            let mut shard = padded.shard.write();
            let step = &mut self.step(now, removed);
            let counted = shard.increment_by(key_hash, delta, window, step);
            counted.map_err(|no_room| (no_room, ()))
        })?
    }

    pub(super) fn throttle(
        self: &Arc<Self>,
        key: &str,
        attempt: Attempt<'_>,
    ) -> BackendResult<Decision> {
        attempt.check()?;
        let (padded, key_hash) = self.find(key)?;
        if let Some(quota) = attempt.quotas.first() {
            self.sweep_later(Life::In(quota.period()));
        }
        self.with_room(&[key_hash], (), |(), removed| {
            let mut shard = padded.shard.write();
            // The clock is read after the lock is taken, so that of two attempts the later one
            // doesn't go by an earlier time.
            let step = &mut self.step(self.clock.now(), removed);
            let decided = shard.throttle(key_hash, attempt, step);
            decided.map_err(|no_room| (no_room, ()))
        })?
    }

    pub(super) fn expire(self: &Arc<Self>, key: &str, life: Life) -> BackendResult<bool> {
        let life = life.checked()?;
        let (padded, key_hash) = self.find(key)?;
        self.sweep_later(life);
        let now = self.clock.now();
        Ok(self.dispose_after(|removed| {
            let mut shard = padded.shard.write();
            shard.expire(key_hash, life, &mut self.step(now, removed))
        }))
    }

    /// `ttl` is checked.
    pub(super) fn touch(
        self: &Arc<Self>,
        key: &str,
        ttl: Duration,
    ) -> BackendResult<Option<Stored>> {
        let (padded, key_hash) = self.find(key)?;
        let life = Life::In(ttl);
        self.sweep_later(life);
        let now = self.clock.now();
        let end = now.after(ttl);
        {
            // The lock is shared with other readers, as in `renew`, where the end only moves on.
            let shard = padded.shard.read();
            let live = shard
                .find_to_use(key_hash)
                .filter(|entry| entry.is_live(|| now) && entry.deadline() <= end);
            if let Some(entry) = live {
                entry.extend_deadline(end);
                self.reads.count(true);
                return Ok(Some(Stored::from(entry.clone())));
            }
        }
        let touched = self.dispose_after(|removed| {
            let mut shard = padded.shard.write();
            let is_live = shard.expire(key_hash, life, &mut self.step(now, removed));
            let entry = is_live.then(|| shard.find_to_use(key_hash)).flatten();
            entry.cloned()
        });
        self.reads.count(touched.is_some());
        Ok(touched.map(Stored::from))
    }

    pub(super) fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        let (padded, key_hash) = self.find(key)?;
        Ok(self.take_if(padded, key_hash, expected).is_some())
    }

    pub(super) fn take(&self, key: &str) -> BackendResult<Option<Stored>> {
        let (padded, key_hash) = self.find(key)?;
        let taken = self.take_if(padded, key_hash, None);
        self.reads.count(taken.is_some());
        Ok(taken.map(Stored::from))
    }

    pub(super) fn remove_many(&self, keys: &[&str]) -> BackendResult<u64> {
        self.limits.check_keys(keys)?;
        keys.iter()
            .try_fold(0, |sum, key| Ok(sum + u64::from(self.remove(key, None)?)))
    }

    /// Attaches a decoded value to an entry, if the entry is still there and there is room.
    pub(super) fn attach(&self, key: &str, entry: &Entry, value: Decoded) {
        let Ok((padded, key_hash)) = self.find(key) else {
            return;
        };
        if entry.decoded().is_some() {
            // Of another type or codec: the first one stays.
            return;
        }
        let refused = self.with_room(&[key_hash], Box::new(value), |value, _| {
            padded.shard.write().attach(key_hash, entry, value)
        });
        // Dropping the value runs code of the user, and so comes after the lock.
        drop(refused);
    }

    fn take_if(
        &self,
        padded: &Padded,
        key_hash: KeyHash<'_>,
        expected: Option<&[u8]>,
    ) -> Option<Entry> {
        let now = self.clock.now();
        self.dispose_after(|removed| {
            let mut shard = padded.shard.write();
            shard.remove(key_hash, expected, &mut self.step(now, removed))
        })
    }
}

#[cfg(test)]
impl Shards {
    pub(super) fn fill(self: &Arc<Self>, name: &str, entries: usize, life: Life) {
        for index in 0..entries {
            let key = format!("{name}:{index}");
            assert!(self.write(&key, b"value", Write::new(life)).unwrap());
        }
    }
}
