//! The shards of a memory backend, their locks and their sweeper.
//!
//! Not a `DashMap`: its shards can be swept only all in one go, which holds a thread for as long as the whole store
//! takes and leaves no room for what a shard knows of itself (when its next entry ends, how much was written). The
//! table is the same hashbrown and the lock is of the same kind.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, Weak};
use std::time::Duration;

use foldhash::quality::RandomState;
use futures_timer::Delay;
use futures_util::{StreamExt, stream};
use parking_lot::RwLock;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::shard::{Place, Shard, Value};
use super::worker::Worker;
use crate::backend::life::{Expiry, Life};
use crate::backend::limits::Limits;
use crate::backend::stored::Stored;
use crate::backend::{Condition, Counted, KeyStream, NewEntry, Write};
use crate::error::BackendResult;

/// Enough that a million entries are swept in steps of some 4,000, well below a millisecond each.
const SHARDS: usize = 256;
/// How often the sweeper looks at all shards, in real time.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);
/// Work on shards with more entries than this gives way to other tasks after each shard.
const MANY: usize = 256;

pub(super) struct Store {
    shards: Box<[Padded]>,
    hasher: RandomState,
    limits: Limits,
    sweeper: Worker,
}

/// A lock with a cache line of its own, so that neighbours don't slow each other.
#[repr(align(128))]
#[derive(Default)]
struct Padded {
    /// Held for one operation on one key, or one shard's sweep; never across an `.await`, never while foreign code runs.
    shard: RwLock<Shard>,
}

impl Default for Store {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

/// Shows how much there is and nothing of it.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Store {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Padded::default()).collect(),
            hasher: RandomState::default(),
            limits,
            sweeper: Worker::default(),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    pub(super) fn get(&self, key: &str) -> BackendResult<Option<Stored>> {
        let (shard, place) = self.find(key)?;
        let value = shard.read().get(place, Instant::now());
        Ok(value.map(Stored::from))
    }

    pub(super) fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        let (shard, place) = self.find(key)?;
        let read = shard.read().read(place, Instant::now());
        Ok(read.map(|(value, expiry)| (value.into(), expiry)))
    }

    pub(super) fn expiry(&self, key: &str) -> BackendResult<Option<Expiry>> {
        let (shard, place) = self.find(key)?;
        let expiry = shard.read().expiry(place, Instant::now());
        Ok(expiry)
    }

    pub(super) fn write(
        self: &Arc<Self>,
        key: &str,
        value: &[u8],
        mut options: Write<'_>,
    ) -> BackendResult<bool> {
        options.life = options.life.checked()?;
        self.limits.check_value(value)?;
        let (shard, place) = self.find(key)?;
        self.sweep_later(options.life);
        let value = Value::from(value);
        let rehash = |key: &str| self.hash(key);
        let (written, _garbage) =
            shard
                .write()
                .write(place, value, options, Instant::now(), rehash);
        Ok(written)
    }

    pub(super) fn move_entry(
        self: &Arc<Self>,
        from: &str,
        expected: &[u8],
        to: NewEntry<'_>,
    ) -> BackendResult<bool> {
        let options = Write::new(to.life.checked()?).when(Condition::Absent);
        self.limits.check_value(to.value)?;
        let (old_shard, old) = self.find(from)?;
        let (new_shard, new) = self.find(to.key)?;
        self.sweep_later(options.life);
        let value = Value::from(to.value);
        let rehash = |key: &str| self.hash(key);
        let now = Instant::now();
        // Two locks are always taken in the order of their addresses, so that two moves never wait for each other.
        let same = std::ptr::eq(old_shard, new_shard);
        let old_first = std::ptr::from_ref(old_shard) < std::ptr::from_ref(new_shard);
        let mut first = if old_first || same {
            old_shard
        } else {
            new_shard
        }
        .write();
        let mut second = (!same).then(|| if old_first { new_shard } else { old_shard }.write());
        let (old_shard, new_shard) = match &mut second {
            None => (None, &mut *first),
            Some(second) if old_first => (Some(&mut *first), &mut **second),
            Some(second) => (Some(&mut **second), &mut *first),
        };
        let holds = old_shard
            .as_deref()
            .unwrap_or(new_shard)
            .holds(old, expected, now);
        if !holds {
            return Ok(false);
        }
        let (written, _garbage) = new_shard.write(new, value, options, now, rehash);
        if written {
            old_shard.unwrap_or(new_shard).remove(old, None, now);
        }
        Ok(written)
    }

    pub(super) fn write_many(self: &Arc<Self>, entries: &[NewEntry<'_>]) -> BackendResult<()> {
        self.limits.check_entries(entries)?;
        for entry in entries {
            self.write(entry.key, entry.value, Write::new(entry.life))?;
        }
        Ok(())
    }

    /// `ttl` is checked.
    pub(super) fn renew(
        self: &Arc<Self>,
        key: &str,
        ttl: Duration,
    ) -> BackendResult<Option<Stored>> {
        let (shard, place) = self.find(key)?;
        self.sweep_later(Life::In(ttl));
        let value = shard.write().renew(place, ttl, Instant::now());
        Ok(value.map(Stored::from))
    }

    pub(super) fn increment_by(
        self: &Arc<Self>,
        key: &str,
        delta: i64,
        ttl: Option<Duration>,
    ) -> BackendResult<Counted> {
        let window = Life::from(ttl).checked()?;
        let (shard, place) = self.find(key)?;
        self.sweep_later(window);
        let rehash = |key: &str| self.hash(key);
        shard
            .write()
            .increment_by(place, delta, window, Instant::now(), rehash)
    }

    pub(super) fn expire(self: &Arc<Self>, key: &str, life: Life) -> BackendResult<bool> {
        let life = life.checked()?;
        let (shard, place) = self.find(key)?;
        self.sweep_later(life);
        let expired = shard.write().expire(place, life, Instant::now());
        Ok(expired)
    }

    pub(super) fn remove(
        &self,
        key: &str,
        expected: Option<&[u8]>,
    ) -> BackendResult<Option<Stored>> {
        let (shard, place) = self.find(key)?;
        let removed = shard.write().remove(place, expected, Instant::now());
        Ok(removed.map(Stored::from))
    }

    pub(super) fn remove_many(&self, keys: &[&str]) -> BackendResult<u64> {
        self.limits.check_keys(keys)?;
        keys.iter().try_fold(0, |removed, key| {
            Ok(removed + u64::from(self.remove(key, None)?.is_some()))
        })
    }

    pub(super) fn scan(&self, prefix: &str) -> KeyStream<'_> {
        if let Err(error) = self.limits.check_prefix(prefix) {
            return stream::iter([Err(error)]).boxed();
        }
        let prefix = prefix.to_string();
        let batches = stream::iter(&self.shards).then(move |padded| {
            let shard = padded.shard.read();
            let keys = shard.live_keys(Instant::now());
            let keys = keys.filter(|key| key.starts_with(&prefix));
            let keys: Vec<_> = keys.map(|key| Ok(key.to_string())).collect();
            let held = shard.held();
            async move {
                give_way(held).await;
                keys
            }
        });
        batches.flat_map(stream::iter).boxed()
    }

    pub(super) async fn clear_prefix(&self, prefix: &str) -> BackendResult<u64> {
        self.limits.check_prefix(prefix)?;
        let mut removed = 0;
        for Padded { shard } in &self.shards {
            let held = {
                let mut shard = shard.write();
                let held = shard.held();
                removed += shard.clear_prefix(prefix, Instant::now());
                shard.shrink(|key| self.hash(key));
                held
            };
            give_way(held).await;
        }
        Ok(removed)
    }

    pub(super) fn len(&self) -> usize {
        let now = Instant::now();
        let live = |padded: &Padded| padded.shard.read().live_keys(now).count();
        self.shards.iter().map(live).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        let now = Instant::now();
        let empty = |padded: &Padded| padded.shard.read().live_keys(now).next().is_none();
        self.shards.iter().all(empty)
    }

    fn find<'k>(&self, key: &'k str) -> BackendResult<(&RwLock<Shard>, Place<'k>)> {
        self.limits.check_key(key)?;
        let hash = self.hash(key);
        // hashbrown tells entries apart by the top bits and places them by the low ones: these are neither.
        let index = (hash >> 40) as usize % SHARDS;
        Ok((&self.shards[index].shard, Place { key, hash }))
    }

    fn hash(&self, key: &str) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Makes sure that a sweeper runs when something is about to end, if there is a runtime to run it.
    fn sweep_later(self: &Arc<Self>, life: Life) {
        if let Life::In(_) = life {
            self.sweeper.ensure(|| sweep_for_ever(Arc::downgrade(self)));
        }
    }
}

/// Sweeps all shards again and again.
///
/// Paced by real time, because a timer on a clock that is paused would make it jump. The runtime that this task runs on
/// decides what has ended: from outside, a paused clock can't be seen.
async fn sweep_for_ever(store: Weak<Store>) {
    loop {
        Delay::new(SWEEP_PAUSE).await;
        for index in 0..SHARDS {
            // Held only for one shard, so that the last handle frees the store.
            let Some(store) = store.upgrade() else { return };
            let held = {
                let mut shard = store.shards[index].shard.write();
                let held = shard.held();
                shard.sweep(Instant::now());
                shard.shrink(|key| store.hash(key));
                held
            };
            drop(store);
            give_way(held).await;
        }
    }
}

async fn give_way(work: usize) {
    if work > MANY {
        yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    const MOMENT: Life = Life::In(Duration::from_millis(1));

    fn held(store: &Store) -> usize {
        let held = |padded: &Padded| padded.shard.read().held();
        store.shards.iter().map(held).sum()
    }

    fn fill(store: &Arc<Store>, name: &str, entries: usize, life: Life) {
        for index in 0..entries {
            let key = format!("{name}:{index}");
            assert!(store.write(&key, b"value", Write::new(life)).unwrap());
        }
    }

    #[track_caller]
    fn wait_until(mut reached: impl FnMut() -> bool) {
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while !reached() {
            assert!(std::time::Instant::now() < deadline, "not reached in 30 s");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn writes_sweep_where_there_is_no_runtime() {
        let store = Arc::new(Store::default());
        fill(&store, "first", 50_000, MOMENT);
        wait_until(|| store.is_empty());
        fill(&store, "second", 50_000, Life::Never);
        assert!(held(&store) < 80_000, "{}", held(&store));
        assert_eq!(store.len(), 50_000);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_ended_leaves_without_being_read() {
        let store = Arc::new(Store::default());
        fill(&store, "hour", 100_000, Life::In(Duration::from_secs(3600)));
        fill(&store, "ever", 10, Life::Never);
        tokio::time::advance(Duration::from_secs(3600)).await;
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while held(&store) > 10 {
            assert!(std::time::Instant::now() < deadline, "{}", held(&store));
            yield_now().await;
        }
        let capacity: usize = store.shards.iter().map(|p| p.shard.read().capacity()).sum();
        assert!(capacity < 10_000, "{capacity}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_clock_stands_still_while_the_sweeper_waits() {
        let before = Instant::now();
        let store = Arc::new(Store::default());
        fill(&store, "key", 1, Life::In(Duration::from_secs(1)));
        let (done, waits) = tokio::sync::oneshot::channel();
        thread::spawn(move || {
            thread::sleep(2 * SWEEP_PAUSE);
            done.send(())
        });
        waits.await.unwrap();
        assert_eq!(Instant::now(), before);
        assert_eq!(store.len(), 1);
    }

    #[test]
    fn the_sweeper_moves_to_the_runtime_in_use() {
        let store = Arc::new(Store::default());
        for round in 0..2 {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            runtime.block_on(async {
                fill(&store, "key", 100, MOMENT);
                let deadline = std::time::Instant::now() + Duration::from_secs(30);
                while held(&store) > 0 {
                    assert!(std::time::Instant::now() < deadline, "round {round}");
                    yield_now().await;
                }
            });
        }
    }

    #[test]
    fn the_store_is_freed_with_its_last_handle() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let _context = runtime.enter();
        let store = Arc::new(Store::default());
        fill(&store, "key", 1, Life::In(Duration::from_secs(3600)));
        let weak = Arc::downgrade(&store);
        drop(store);
        assert_eq!(weak.strong_count(), 0);
    }

    #[test]
    fn other_shards_are_open_while_one_is_locked() {
        let store = Arc::new(Store::default());
        fill(&store, "key", 1_000, Life::Never);
        let (locked, _) = store.find("key:0").unwrap();
        let guard = locked.write();
        let (send, receive) = mpsc::channel();
        let reader = store.clone();
        thread::spawn(move || {
            for index in 1..1_000 {
                let key = format!("key:{index}");
                if !std::ptr::eq(
                    reader.find(&key).unwrap().0,
                    reader.find("key:0").unwrap().0,
                ) {
                    send.send(reader.get(&key).unwrap().is_some()).unwrap();
                }
            }
        });
        let answers = receive.iter().inspect(|found| assert!(found)).count();
        assert!(answers > 900, "{answers}");
        drop(guard);
    }
}
