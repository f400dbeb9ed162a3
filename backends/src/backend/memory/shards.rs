//! The shards of a memory backend and their locks.
//!
//! Not a `DashMap`: its shards can be swept only all in one go, which holds a thread for as long as
//! the whole store takes and leaves no room for what a shard knows of itself (when its next entry
//! ends, how much it holds). The table is the same hashbrown and the lock is of the same kind.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use tokio::task::yield_now;

use super::bounds::{Bounds, Room};
use super::removal::{Listener, Removed};
use super::shard::Shard;
use super::stats::HitCounters;
use super::step::{KeyHash, KeyHasher, Step};
use super::worker::Worker;
use crate::backend::store::Instance;
use crate::backend::store::limits::Limits;
use crate::error::BackendResult;
use crate::time::clock::Clock;

pub(super) struct Shards {
    pub(super) shards: Box<[Padded]>,
    pub(super) hasher: KeyHasher,
    pub(super) clock: Clock,
    pub(super) limits: Limits,
    pub(super) instance: Instance,
    pub(super) room: Room,
    pub(super) listener: Option<Listener>,
    pub(super) reads: HitCounters,
    pub(super) sweeper: Worker,
    /// The shard at which the next search for room begins.
    next_in_turn: AtomicUsize,
}

/// A shard with cache lines of its own, so that neighbours don't slow each other.
#[repr(align(128))]
pub(super) struct Padded {
    /// Held for one operation on one key, or one step of a sweep; never across an `.await`, never
    /// while foreign code runs.
    pub(super) shard: RwLock<Shard>,
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
            hasher: KeyHasher::default(),
            clock: Clock::new(),
            limits,
            instance: Instance::unique(),
            room,
            listener,
            reads: HitCounters::default(),
            sweeper: Worker::default(),
            next_in_turn: AtomicUsize::new(0),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Returns the numbers of all shards, starting with another shard at each call.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = usize> {
        let count = self.shards.len();
        let next = self.next_in_turn.fetch_add(1, Ordering::Relaxed);
        (0..count).map(move |index| next.wrapping_add(index) % count)
    }

    /// Returns the circumstances of a step that begins now; to be called under the lock.
    ///
    /// By a time from before the lock an entry could be live that has ended meanwhile and that
    /// others have found absent, and a write would bring it back.
    #[inline]
    pub(super) fn step<'a>(&'a self, removed: &'a mut Removed) -> Step<'a> {
        Step {
            now: self.clock.now(),
            hasher: &self.hasher,
            removed,
        }
    }

    /// Runs `work`, which takes locks and releases them, and then drops the entries that have left
    /// and tells the listener of them.
    #[inline]
    pub(super) fn dispose_after<T>(&self, work: impl FnOnce(&mut Removed) -> T) -> T {
        let mut removed = Removed::default();
        let done = work(&mut removed);
        if let Some(listener) = &self.listener {
            removed.tell(listener);
        }
        done
    }

    /// Inlined, or else the result would go through memory, at the price of a look-up's comparison.
    #[inline(always)]
    pub(super) fn find<'k>(&self, key: &'k str) -> BackendResult<(&Padded, KeyHash<'k>)> {
        self.limits.check_key(key)?;
        let hash = self.hasher.hash(key.as_bytes());
        Ok((self.shard(hash), KeyHash { key, hash }))
    }

    #[inline(always)]
    pub(super) fn shard(&self, hash: u64) -> &Padded {
        // hashbrown tells entries apart by the top bits and places them by the low ones: the bits
        // here are neither. The number of shards is a power of two.
        &self.shards[(hash >> 40) as usize & (self.shards.len() - 1)]
    }
}

pub(super) async fn give_way(work: usize) {
    if work > MANY {
        yield_now().await;
    }
}

/// Enough shards that a million entries are swept in short steps and that threads seldom meet.
pub(super) const SHARDS: usize = 256;
/// A bounded store has so few shards that each holds about this many entries, or one shard: the
/// order of eviction is a shard's own.
const ENTRIES_A_SHARD: usize = 512;
/// Work on shards with more entries than this gives way to other tasks after each shard.
pub(super) const MANY: usize = 256;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;
    use crate::backend::Life;

    #[test]
    fn other_shards_are_open_while_one_is_locked() {
        let store = Arc::new(Shards::default());
        store.fill("key", 1_000, Life::Never);
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
