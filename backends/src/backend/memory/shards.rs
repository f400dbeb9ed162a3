//! The shards of a memory backend, their locks and their sweeper.
//!
//! Not a `DashMap`: its shards can be swept only all in one go, which holds a thread for as long as
//! the whole store takes and leaves no room for what a shard knows of itself (when its next entry
//! ends, how much it holds). The table is the same hashbrown and the lock is of the same kind.

use std::any::TypeId;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use futures_timer::Delay;
use futures_util::{StreamExt, stream};
use parking_lot::RwLock;
use tokio::task::yield_now;

use super::bounds::{Bounds, Eviction, NoRoom, Room};
use super::clock::{Clock, Moment};
use super::entry::Entry;
use super::removal::{Listener, Removed, dispose};
use super::shard::{KeyHash, Move, Shard, expiry};
use super::stats::{HitCounters, MemoryStats};
use super::worker::Worker;
use crate::backend::distinct::Distinct;

use crate::backend::life::{Expiry, Life};
use crate::backend::store::decoded::Decoded;
use crate::backend::store::limits::Limits;
use crate::backend::store::options::{NewEntry, Touch};
use crate::backend::store::sync::DecodedOrBytes;
use crate::backend::stored::Stored;

use crate::backend::{Condition, Counted, KeyStream, Write};
use crate::error::{BackendResult, Failures};
use crate::quota::{Attempt, Decision};

/// Enough shards that a million entries are swept in short steps and that threads seldom meet.
const SHARDS: usize = 256;
/// A bounded store has so few shards that each holds about this many entries, or one shard: the
/// order of eviction is a shard's own.
const ENTRIES_A_SHARD: usize = 512;
/// The pause of the sweeper between two looks at all shards, in real time.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);
/// The sweeper pauses for this many times as long as it worked, so that it takes less than a
/// percent of a core.
const SWEEP_REST: u32 = 200;
/// The number of buckets that the sweeper looks at before it lets others have the lock.
const SWEEP_BUCKETS: usize = 2048;
/// The number of times that a store looks for an entry to evict before it says that there is none.
const TRIES: usize = 8;
/// The number of times that `clear` looks again for entries that came while it ran.
const PASSES: usize = 16;
/// Work on shards with more entries than this gives way to other tasks after each shard.
const MANY: usize = 256;

pub(super) struct Shards {
    shards: Box<[Padded]>,
    hasher: RandomState,
    clock: Clock,
    limits: Limits,
    room: Room,
    listener: Option<Listener>,
    reads: HitCounters,
    sweeper: Worker,
    /// The shard that evicts an entry next in place of a shard with too few of its own.
    next_to_evict: AtomicUsize,
}

/// A shard with cache lines of its own, so that neighbours don't slow each other.
#[repr(align(128))]
struct Padded {
    /// Held for one operation on one key, or one step of a sweep; never across an `.await`, never
    /// while foreign code runs.
    shard: RwLock<Shard>,
}

impl Default for Shards {
    fn default() -> Self {
        Self::new(Limits::default(), None, None)
    }
}

/// Shows the limits and the bounds, and nothing of the entries.
impl fmt::Debug for Shards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shards")
            .field("limits", &self.limits)
            .field("bounds", &self.room.0)
            .finish_non_exhaustive()
    }
}

impl Shards {
    pub(super) fn new(limits: Limits, bounds: Option<Bounds>, listener: Option<Listener>) -> Self {
        let shards = bounds.as_ref().map_or(SHARDS, |bounds| {
            let shards = bounds.most_entries() / ENTRIES_A_SHARD;
            shards.clamp(1, SHARDS).next_power_of_two()
        });
        let room = Room(bounds.map(Arc::new));
        let padded = |_| Padded {
            shard: RwLock::new(Shard::new(room.clone())),
        };
        Self {
            shards: (0..shards).map(padded).collect(),
            hasher: RandomState::default(),
            clock: Clock::new(),
            limits,
            room,
            listener,
            reads: HitCounters::default(),
            sweeper: Worker::default(),
            next_to_evict: AtomicUsize::new(0),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

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
        let rehash = |key: &[u8]| self.hash(key);
        self.with_room(&[key_hash], entry(), |entry, removed| {
            let mut shard = padded.shard.write();
            shard.write(key_hash, entry, options, now, rehash, removed)
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
        let rehash = |key: &[u8]| self.hash(key);
        let now = self.clock.now();
        let step = Move {
            from: old,
            expected,
            to: new,
            options,
        };
        let entry = Entry::new(to.key, to.value);
        self.with_room(&[new, old], entry, |entry, removed| {
            with_both(&old_shard.shard, &new_shard.shard, |other, shard| {
                shard.move_in(other, step, entry, now, rehash, removed)
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
        let rehash = |key: &[u8]| self.hash(key);
        self.with_room(&[key_hash], (), |(), removed| {
            let mut shard = padded.shard.write();
            let counted = shard.increment_by(key_hash, delta, window, now, rehash, removed);
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
        let rehash = |key: &[u8]| self.hash(key);
        self.with_room(&[key_hash], (), |(), removed| {
            let mut shard = padded.shard.write();
            // The clock is read after the lock is taken, so that of two attempts the later one
            // doesn't go by an earlier time.
            let now = self.clock.now();
            let decided = shard.throttle(key_hash, attempt, now, rehash, removed);
            decided.map_err(|no_room| (no_room, ()))
        })?
    }

    pub(super) fn expire(self: &Arc<Self>, key: &str, life: Life) -> BackendResult<bool> {
        let life = life.checked()?;
        let (padded, key_hash) = self.find(key)?;
        self.sweep_later(life);
        let now = self.clock.now();
        let mut removed = Removed::default();
        let expired = padded
            .shard
            .write()
            .expire(key_hash, life, now, &mut removed);
        self.dispose(removed);
        Ok(expired)
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
        let mut removed = Removed::default();
        let touched = {
            let mut shard = padded.shard.write();
            let is_live = shard.expire(key_hash, life, now, &mut removed);
            let entry = is_live.then(|| shard.find_to_use(key_hash)).flatten();
            entry.cloned()
        };
        self.dispose(removed);
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

    pub(super) fn scan(&self, prefix: &str) -> KeyStream<'_> {
        if let Err(error) = self.limits.check_prefix(prefix) {
            return stream::iter([Err(error)]).boxed();
        }
        let prefix = prefix.as_bytes().to_vec();
        let batches = stream::iter(&self.shards).then(move |padded| {
            let shard = padded.shard.read();
            let keys = shard.live_keys(self.clock.now());
            let keys = keys.filter(|key| key.starts_with(&prefix));
            let keys: Vec<_> = keys
                .filter_map(|key| Some(Ok(str::from_utf8(key).ok()?.to_string())))
                .collect();
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
        let mut cleared = 0;
        for _ in 0..PASSES {
            let found = self.clear_once(prefix).await;
            cleared += found;
            if found == 0 {
                break;
            }
        }
        Ok(cleared)
    }

    /// Looks through all shards once. An entry that moves from one shard to another meanwhile can
    /// be missed.
    async fn clear_once(&self, prefix: &str) -> u64 {
        let mut cleared = 0;
        for Padded { shard, .. } in &self.shards {
            let mut removed = Removed::default();
            let held = {
                let mut shard = shard.write();
                let held = shard.held();
                cleared += shard.clear_prefix(prefix, self.clock.now(), &mut removed);
                shard.shrink(|key| self.hash(key));
                held
            };
            self.dispose(removed);
            give_way(held).await;
        }
        cleared
    }

    pub(super) fn len(&self) -> usize {
        let now = self.clock.now();
        let live = |padded: &Padded| padded.shard.read().live_keys(now).count();
        self.shards.iter().map(live).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        let now = self.clock.now();
        let empty = |padded: &Padded| padded.shard.read().live_keys(now).next().is_none();
        self.shards.iter().all(empty)
    }

    pub(super) fn stats(&self) -> MemoryStats {
        let (hits, misses) = self.reads.sum();
        let mut stats = MemoryStats {
            hits,
            misses,
            ..MemoryStats::default()
        };
        for padded in &self.shards {
            let shard = padded.shard.read();
            stats.entries += shard.held();
            stats.bytes += shard.bytes();
            let (expired, evicted) = shard.gone();
            stats.expired += expired;
            stats.evicted += evicted;
        }
        stats
    }

    fn take_if(
        &self,
        padded: &Padded,
        key_hash: KeyHash<'_>,
        expected: Option<&[u8]>,
    ) -> Option<Entry> {
        let now = self.clock.now();
        let mut removed = Removed::default();
        let taken = padded
            .shard
            .write()
            .remove(key_hash, expected, now, &mut removed);
        self.dispose(removed);
        taken
    }

    /// Tries until there is room for the value, or none can be made. The first of `places` is to be
    /// written. The entries at `places` aren't evicted for it: the next try is to find the entries
    /// that this one found.
    #[inline]
    fn with_room<V, T>(
        &self,
        key_hashes: &[KeyHash<'_>],
        mut value: V,
        mut attempt: impl FnMut(V, &mut Removed) -> Result<T, (NoRoom, V)>,
    ) -> BackendResult<T> {
        loop {
            let mut removed = Removed::default();
            let tried = attempt(value, &mut removed);
            self.dispose(removed);
            match tried {
                Ok(done) => return Ok(done),
                Err((no_room, refused)) => {
                    self.make_room(key_hashes, no_room)?;
                    value = refused;
                }
            }
        }
    }

    /// Makes room, or says that the store is full. Other writers may take the room that was made.
    #[cold]
    fn make_room(&self, key_hashes: &[KeyHash<'_>], needed: NoRoom) -> BackendResult<()> {
        let Some(bounds) = &self.room.0 else {
            return Ok(());
        };
        if !bounds.could_have_room(needed) {
            return Err(bounds.full());
        }
        for _ in 0..TRIES {
            if bounds.has_room(needed) {
                // Another call has given some room back meanwhile.
                return Ok(());
            }
            let has_made = match bounds.eviction {
                Eviction::Off => self.sweep_until(|| bounds.has_room(needed)),
                Eviction::S3Fifo => self.evict(key_hashes, bounds),
            };
            if has_made || bounds.has_room(needed) {
                return Ok(());
            }
            if bounds.eviction == Eviction::Off {
                break;
            }
            // Other writers may have put in entries that can be evicted now.
        }
        Err(bounds.full())
    }

    /// Evicts one entry, and says whether there was one. The entry is of the shard that needs the
    /// room, unless that shard holds less than its share.
    fn evict(&self, key_hashes: &[KeyHash<'_>], bounds: &Bounds) -> bool {
        let share = bounds.entries() / self.shards.len();
        let evict = |padded: &Padded, least: usize| {
            let mut removed = Removed::default();
            let evicted = {
                let mut shard = padded.shard.write();
                shard.held() >= least.max(1)
                    && shard.evict(key_hashes, self.clock.now(), &mut removed)
            };
            self.dispose(removed);
            evicted
        };
        key_hashes
            .first()
            .is_some_and(|key_hash| evict(self.shard(key_hash.hash), share))
            || self.in_turn().any(|index| evict(&self.shards[index], 1))
    }

    /// Removes entries that have ended until `is_enough` holds, and says whether it did.
    fn sweep_until(&self, is_enough: impl Fn() -> bool) -> bool {
        for index in self.in_turn() {
            // Twice: a pass that began earlier may have gone by entries that have ended since. Most
            // often nothing is due, and the check keeps no reader out.
            for _ in 0..2 {
                let mut may_have_more = self.shards[index].shard.read().is_due(self.clock.now());
                while may_have_more {
                    may_have_more = self.sweep_step(index).0;
                    if is_enough() {
                        return true;
                    }
                }
            }
        }
        false
    }

    /// Returns the numbers of all shards, starting with another shard at each call.
    fn in_turn(&self) -> impl Iterator<Item = usize> {
        let count = self.shards.len();
        let next = self.next_to_evict.fetch_add(1, Ordering::Relaxed);
        (0..count).map(move |index| next.wrapping_add(index) % count)
    }

    /// Removes entries that have ended from a part of a shard. Says whether there may be more, and
    /// how many entries the shard held.
    fn sweep_step(&self, index: usize) -> (bool, usize) {
        let mut removed = Removed::default();
        let swept = {
            let mut shard = self.shards[index].shard.write();
            let held = shard.held();
            let more = shard.sweep(SWEEP_BUCKETS, self.clock.now(), &mut removed);
            if !more {
                shard.shrink(|key| self.hash(key));
            }
            (more, held)
        };
        self.dispose(removed);
        swept
    }

    #[inline]
    fn dispose(&self, removed: Removed) {
        dispose(removed, self.listener.as_ref());
    }

    /// Inlined, or else the result would go through memory, at the price of a look-up's comparison.
    #[inline(always)]
    fn find<'k>(&self, key: &'k str) -> BackendResult<(&Padded, KeyHash<'k>)> {
        self.limits.check_key(key)?;
        let hash = self.hash(key.as_bytes());
        Ok((self.shard(hash), KeyHash { key, hash }))
    }

    #[inline(always)]
    fn shard(&self, hash: u64) -> &Padded {
        // hashbrown tells entries apart by the top bits and places them by the low ones: the bits
        // here are neither. The number of shards is a power of two.
        &self.shards[(hash >> 40) as usize & (self.shards.len() - 1)]
    }

    /// Hashes the bytes alone, without their length, which the hasher mixes in itself.
    #[inline]
    fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    /// Makes sure that a sweeper runs when something is about to end, if there is a runtime to run
    /// it.
    #[inline]
    fn sweep_later(self: &Arc<Self>, life: Life) {
        if let Life::In(_) = life
            && !self.sweeper.is_running()
        {
            self.sweeper.ensure(|| sweep_for_ever(Arc::downgrade(self)));
        }
    }
}

/// Runs `work` under the locks of two shards. If both are the same shard, it is locked once and
/// passed as the second, and there is no first one.
///
/// Two locks are always taken in the order of their addresses, so that two moves never wait for
/// each other.
fn with_both<T>(
    first: &RwLock<Shard>,
    second: &RwLock<Shard>,
    work: impl FnOnce(Option<&mut Shard>, &mut Shard) -> T,
) -> T {
    if std::ptr::eq(first, second) {
        return work(None, &mut second.write());
    }
    if std::ptr::from_ref(first) < std::ptr::from_ref(second) {
        let mut first = first.write();
        return work(Some(&mut first), &mut second.write());
    }
    let mut second = second.write();
    work(Some(&mut first.write()), &mut second)
}

/// Sweeps all shards again and again.
///
/// Paced by real time, because a timer on a paused clock would make that clock jump. The end of an
/// entry goes by the clock of the runtime that this task runs on. An entry that has ended is
/// removed for everybody, also for callers by whose clock it hasn't ended: from outside, a paused
/// clock can't be seen.
async fn sweep_for_ever(store: Weak<Shards>) {
    let mut worked = Duration::ZERO;
    loop {
        Delay::new(SWEEP_PAUSE.max(worked * SWEEP_REST)).await;
        worked = Duration::ZERO;
        let mut index = 0;
        loop {
            // Held only for one step, so that the last handle frees the store.
            let Some(store) = store.upgrade() else { return };
            if index == store.shards.len() {
                break;
            }
            let begun = Instant::now();
            let (more, held) = store.sweep_step(index);
            worked += begun.elapsed();
            index += usize::from(!more);
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

    fn held(store: &Shards) -> usize {
        let held = |padded: &Padded| padded.shard.read().held();
        store.shards.iter().map(held).sum()
    }

    fn fill(store: &Arc<Shards>, name: &str, entries: usize, life: Life) {
        for index in 0..entries {
            let key = format!("{name}:{index}");
            assert!(store.write(&key, b"value", Write::new(life)).unwrap());
        }
    }

    #[track_caller]
    fn wait_until(mut reached: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !reached() {
            assert!(Instant::now() < deadline, "not reached in 30 s");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn writes_sweep_where_there_is_no_runtime() {
        let store = Arc::new(Shards::default());
        fill(&store, "first", 50_000, MOMENT);
        wait_until(|| store.is_empty());
        fill(&store, "second", 50_000, Life::Never);
        assert!(held(&store) < 80_000, "{}", held(&store));
        assert_eq!(store.len(), 50_000);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_ended_leaves_without_being_read() {
        let store = Arc::new(Shards::default());
        fill(&store, "hour", 100_000, Life::In(Duration::from_secs(3600)));
        fill(&store, "ever", 10, Life::Never);
        tokio::time::advance(Duration::from_secs(3600)).await;
        let deadline = Instant::now() + Duration::from_secs(30);
        while held(&store) > 10 {
            assert!(Instant::now() < deadline, "{}", held(&store));
            yield_now().await;
        }
        let capacity: usize = store.shards.iter().map(|p| p.shard.read().capacity()).sum();
        assert!(capacity < 10_000, "{capacity}");
    }

    #[tokio::test]
    async fn what_comes_into_a_shard_that_was_cleared_is_cleared_too() {
        let store = Arc::new(Shards::default());
        fill(&store, "key", SHARDS * (MANY + 100), Life::Never);
        let cleared = store.clear_prefix("key");
        let come = async {
            // A shard or two have been looked at by then.
            yield_now().await;
            fill(&store, "key:new", 1_000, Life::Never);
        };
        let (cleared, ()) = futures_util::future::join(cleared, come).await;
        assert_eq!(cleared.unwrap() as usize, SHARDS * (MANY + 100) + 1_000);
        assert_eq!(store.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_clock_stands_still_while_the_sweeper_waits() {
        let before = tokio::time::Instant::now();
        let store = Arc::new(Shards::default());
        fill(&store, "key", 1, Life::In(Duration::from_secs(1)));
        let (done, waits) = tokio::sync::oneshot::channel();
        thread::spawn(move || {
            thread::sleep(2 * SWEEP_PAUSE);
            done.send(())
        });
        waits.await.unwrap();
        assert_eq!(tokio::time::Instant::now(), before);
        assert_eq!(store.len(), 1);
    }

    #[test]
    fn the_sweeper_moves_to_the_runtime_in_use() {
        let store = Arc::new(Shards::default());
        for round in 0..2 {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            runtime.block_on(async {
                fill(&store, "key", 100, MOMENT);
                let deadline = Instant::now() + Duration::from_secs(30);
                while held(&store) > 0 {
                    assert!(Instant::now() < deadline, "round {round}");
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
        let store = Arc::new(Shards::default());
        fill(&store, "key", 1, Life::In(Duration::from_secs(3600)));
        let weak = Arc::downgrade(&store);
        drop(store);
        assert_eq!(weak.strong_count(), 0);
    }

    #[test]
    fn room_that_was_given_back_meanwhile_is_not_made_once_more() {
        let bounds = Bounds::new(2, usize::MAX, Eviction::S3Fifo);
        let store = Arc::new(Shards::new(Limits::default(), Some(bounds), None));
        fill(&store, "key", 1, Life::Never);
        let needed = NoRoom {
            entries: 1,
            bytes: 100,
            weight: 100,
        };
        let (_, key_hash) = store.find("other").unwrap();
        store.make_room(&[key_hash], needed).unwrap();
        assert_eq!(store.stats().evicted, 0);
    }

    #[test]
    fn other_shards_are_open_while_one_is_locked() {
        let store = Arc::new(Shards::default());
        fill(&store, "key", 1_000, Life::Never);
        let (locked, _) = store.find("key:0").unwrap();
        let guard = locked.shard.write();
        let (send, receive) = mpsc::channel();
        let reader = store.clone();
        thread::spawn(move || {
            for index in 1..1_000 {
                let key = format!("key:{index}");
                let shard = |key| reader.find(key).unwrap().0;
                if !std::ptr::eq(shard(&key), shard("key:0")) {
                    send.send(reader.get(&key).unwrap().is_some()).unwrap();
                }
            }
        });
        let answers = receive.iter().inspect(|found| assert!(found)).count();
        assert!(answers > 900, "{answers}");
        drop(guard);
    }
}
