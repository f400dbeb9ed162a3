//! The calls on single keys, as `Store` and `SyncStore` ask for them.

use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

use super::ends::expiry;
use super::entry::Entry;
use super::operations::Move;
use super::pair_lock::with_both;
use super::shard::Shard;
use super::shards::{Padded, Shards};
use super::step::{KeyHash, Step};
use crate::backend::distinct::Distinct;
use crate::backend::life::{Expiry, Life};
use crate::backend::store::decoded::Decoded;
use crate::backend::store::options::{NewEntry, Touch};
use crate::backend::store::sync::DecodedOrBytes;
use crate::backend::stored::Stored;
use crate::backend::{Condition, Counted, Write};
use crate::error::{BackendResult, Failures};
use crate::quota::{Attempt, Decision};

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
        let live = {
            let shard = padded.shard.read();
            let found = shard.find_to_use(key_hash);
            // The clock is read under the lock, and only for an entry that ends: after it another
            // entry could be there by the time that this one has ended.
            let live = found.filter(|entry| entry.is_live(|| self.clock.now()));
            live.cloned()
        };
        match live {
            Some(entry) => {
                self.reads.count(true);
                Ok(Some(entry.into()))
            }
            None => {
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
            let value = entry.decoded()?.value(decoded_as)?;
            // As in `get`.
            let live = entry.is_live(|| self.clock.now());
            Some(live.then(|| value.clone()))
        });
        drop(shard);
        match decoded {
            Some(live) => {
                self.reads.count(live.is_some());
                Ok(live.map(DecodedOrBytes::Decoded))
            }
            None => Ok(self.get(key)?.map(DecodedOrBytes::Bytes)),
        }
    }

    pub(super) fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        let (padded, key_hash) = self.find(key)?;
        // All three are read under the lock: a counter and its window are changed together.
        let live = {
            let shard = padded.shard.read();
            let now = self.clock.now();
            let found = shard.find_to_use(key_hash);
            let live = found.filter(|entry| entry.is_live(|| now));
            live.map(|entry| (Stored::from(entry.clone()), expiry(entry.deadline(), now)))
        };
        self.reads.count(live.is_some());
        Ok(live)
    }

    pub(super) fn expiry(&self, key: &str) -> BackendResult<Option<Expiry>> {
        let (padded, key_hash) = self.find(key)?;
        let shard = padded.shard.read();
        let now = self.clock.now();
        let live = shard.live(key_hash, now);
        Ok(live.map(|entry| expiry(entry.deadline(), now)))
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
        self.with_room(&[key_hash], entry(), |entry, removed| {
            let mut shard = padded.shard.write();
            shard.write(key_hash, entry, options, &mut self.step(removed))
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
        let moving = Move {
            from: old,
            expected,
            to: new,
            options,
        };
        let entry = Entry::new(to.key, to.value);
        self.with_room(&[new, old], entry, |entry, removed| {
            with_both(&old_shard.shard, &new_shard.shard, |other, shard| {
                shard.move_in(other, moving, entry, &mut self.step(removed))
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
        self.read_and_renew(key, ttl, |shard, key_hash, step| {
            shard.extend(key_hash, ttl, step)
        })
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
        self.with_room(&[key_hash], (), |(), removed| {
            let mut shard = padded.shard.write();
            let step = &mut self.step(removed);
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
            let step = &mut self.step(removed);
            let decided = shard.throttle(key_hash, attempt, step);
            decided.map_err(|no_room| (no_room, ()))
        })?
    }

    pub(super) fn expire(self: &Arc<Self>, key: &str, life: Life) -> BackendResult<bool> {
        let life = life.checked()?;
        let (padded, key_hash) = self.find(key)?;
        self.sweep_later(life);
        Ok(self.dispose_after(|removed| {
            let mut shard = padded.shard.write();
            shard.expire(key_hash, life, &mut self.step(removed))
        }))
    }

    /// `ttl` is checked.
    pub(super) fn touch(
        self: &Arc<Self>,
        key: &str,
        ttl: Duration,
    ) -> BackendResult<Option<Stored>> {
        self.read_and_renew(key, ttl, |shard, key_hash, step| {
            shard.expire(key_hash, Life::In(ttl), step)
        })
    }

    /// Gives a live entry another end, and reads it.
    ///
    /// The lock is exclusive. Under a shared one a reader could find between the look at the clock
    /// and the change that the entry has ended, and the change would bring it back.
    fn read_and_renew(
        self: &Arc<Self>,
        key: &str,
        ttl: Duration,
        renew: impl FnOnce(&mut Shard, KeyHash<'_>, &mut Step<'_>) -> bool,
    ) -> BackendResult<Option<Stored>> {
        let (padded, key_hash) = self.find(key)?;
        self.sweep_later(Life::In(ttl));
        let renewed = self.dispose_after(|removed| {
            let mut shard = padded.shard.write();
            let is_live = renew(&mut shard, key_hash, &mut self.step(removed));
            let entry = is_live.then(|| shard.find_to_use(key_hash)).flatten();
            entry.cloned()
        });
        self.reads.count(renewed.is_some());
        Ok(renewed.map(Stored::from))
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
        self.dispose_after(|removed| {
            let mut shard = padded.shard.write();
            shard.remove(key_hash, expected, &mut self.step(removed))
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

/// Waits until something is so.
#[cfg(test)]
#[track_caller]
pub(super) fn wait_until(mut reached: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !reached() {
        assert!(std::time::Instant::now() < deadline, "not reached in 30 s");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const BRIEF: Duration = Duration::from_millis(50);
    const HOUR: Life = Life::In(Duration::from_secs(3600));

    /// Makes a call that waits for the lock of its key's shard until the entry there has ended.
    fn held_up<T: Send>(value: &[u8], call: impl FnOnce(&Arc<Shards>) -> T + Send) -> T {
        let store = Arc::new(Shards::default());
        let written = store.write("key", value, Write::new(Life::In(BRIEF)));
        assert!(written.unwrap());
        let (padded, key_hash) = store.find("key").unwrap();
        thread::scope(|scope| {
            let guard = padded.shard.read();
            let caller = scope.spawn(|| call(&store));
            // A writer that waits keeps further readers out.
            wait_until(|| padded.shard.try_read().is_none());
            wait_until(|| guard.live(key_hash, store.clock.now()).is_none());
            drop(guard);
            caller.join().unwrap()
        })
    }

    /// Others may have found it absent meanwhile: it must not come back.
    #[test]
    fn an_entry_that_ended_while_a_call_waited_for_the_lock_is_absent() {
        let conditions = [
            (Condition::Present, false),
            (Condition::Equals(b"value"), false),
            (Condition::Absent, true),
        ];
        for (condition, expected) in conditions {
            let options = Write::new(Life::Never).when(condition);
            let written = held_up(b"value", |store| store.write("key", b"new", options));
            assert_eq!(written.unwrap(), expected, "{condition:?}");
        }
        for life in [Life::Never, HOUR] {
            let is_live = held_up(b"value", |store| store.expire("key", life));
            assert!(!is_live.unwrap(), "{life:?}");
        }
        for touch in [
            Touch::Restart(Duration::from_secs(1)),
            Touch::Extend(Duration::from_secs(1)),
        ] {
            let touched = held_up(b"value", |store| store.read_value("key", touch));
            assert!(touched.unwrap().is_none(), "{touch:?}");
        }
        let counted = held_up(b"41", |store| store.increment_by("key", 1, None));
        assert_eq!(counted.unwrap().value, 1);
        let moved = held_up(b"value", |store| {
            let to = NewEntry {
                key: "other",
                value: b"new",
                life: Life::Never,
            };
            store.move_entry("key", b"value", to, None)
        });
        assert!(!moved.unwrap());
        assert!(!held_up(b"value", |store| store.remove("key", None)).unwrap());
        assert!(
            held_up(b"value", |store| store.take("key"))
                .unwrap()
                .is_none()
        );
    }
}
