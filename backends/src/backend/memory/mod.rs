//! The in-process backend.

mod bounds;
mod builder;
mod calls;
mod ends;
pub(super) mod entry;
#[cfg(feature = "derive")]
mod examined;
#[cfg(interleavings)]
pub mod interleavings;
mod ledger;
mod make_room;
mod operations;
mod pair_lock;
mod queues;
mod removal;
mod scan;
mod shard;
mod shards;
mod stats;
mod step;
mod sweep;
mod worker;

use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use self::bounds::Eviction;
pub use self::builder::MemoryBackendBuilder;
pub use self::removal::{Cause, Removal};
use self::shards::Shards;
pub use self::stats::MemoryStats;
use super::life::{Expiry, Life};
use super::store::{Decoded, DecodedOrBytes, NewEntry, Store, StoreInfo, SyncStore, Touch};
use super::stored::Stored;
use super::{Counted, KeyStream, Write};
use crate::error::BackendResult;
use crate::quota::{Attempt, Decision};

/// Keeps entries in the memory of this process; the default backend, which needs no set-up.
///
/// # Guarantees
///
/// * Clones share one store.
/// * Every operation is atomic: it holds the lock of the shard that its key is in (`move_entry` of
///   two), and never while an `.await` or code of yours runs. Entries hold encoded bytes, so
///   readers see what they would see of a Redis server.
/// * An entry is absent from the instant of its deadline on, by the caller's [clock](#time).
///   Expired entries give their memory back without being read: every write looks at a few of its
///   shard's entries once one is due, and on a tokio runtime a task looks through all of them every
///   second, or as often as half a percent of a core allows. The task is started by the first write
///   that sets an end, started anew when its runtime has ended, and gone with the last clone. While
///   its runtime exists and nobody drives it, only writes look for expired entries.
/// * `new` and every operation work without a runtime too, on any executor.
/// * Without bounds the store grows as the process does. With
///   [`max_entries`](MemoryBackendBuilder::max_entries) or
///   [`max_bytes`](MemoryBackendBuilder::max_bytes) it never holds more, and either refuses new
///   entries ([`Full`](crate::ErrorKind::Full)) or evicts those that are used least: see
///   [`Eviction`].
///
/// # Time
///
/// Deadlines follow [`tokio::time::Instant`], so `#[tokio::test(start_paused = true)]` with
/// `tokio::time::advance` expires entries without waiting.
///
/// Each call, and each step of the sweep, goes by the clock of the runtime that it runs on; on a
/// plain thread that is the real one. An entry that has ended by that clock is absent for that
/// call, and may be removed for everybody: by a write, by the sweep. An entry that wasn't removed
/// is still there for callers by whose clock it hasn't ended. An end is set by the clock of the
/// caller that writes it.
///
/// All these clocks are the same unless a test pauses them. So a test that advances a paused clock
/// needs a store of its own, or shares it only with code on the same runtime.
///
/// The pace of the sweep is in real time. Nothing in here sets a timer on tokio's clock, so a
/// paused clock never jumps on account of a backend.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::{Backend, MemoryBackend};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> reinhardt_backends::BackendResult<()> {
/// let backend = MemoryBackend::new();
/// backend.set("user:123", "active", Some(Duration::from_secs(3600))).await?;
/// assert_eq!(backend.get::<String>("user:123").await?.as_deref(), Some("active"));
/// assert_eq!(backend.len(), 1);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
#[doc(alias("in-memory", "moka"))]
pub struct MemoryBackend {
    shards: Arc<Shards>,
}

impl MemoryBackend {
    /// Makes an empty store without bounds; works in and out of a runtime.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins to set up a store with bounds, or with other limits than the default ones.
    pub fn builder() -> MemoryBackendBuilder {
        MemoryBackendBuilder::default()
    }

    /// Returns how many live entries there are.
    ///
    /// The call looks at every entry, some ten nanoseconds each: meant for tests and occasional
    /// looks. [`stats`](Self::stats) counts entries at no cost.
    pub fn len(&self) -> usize {
        self.shards.len()
    }

    /// Says whether there is no live entry.
    pub fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }

    /// Returns the counts of the store so far; takes some microseconds, however much it holds.
    pub fn stats(&self) -> MemoryStats {
        self.shards.stats()
    }
}

/// Implemented by the shards and not by the backend, on which the methods of `Store` by the same
/// names would be ambiguous.
impl SyncStore for Arc<Shards> {
    #[inline]
    fn read_value(&self, key: &str, touch: Touch) -> BackendResult<Option<Stored>> {
        Shards::read_value(self, key, touch)
    }

    fn read_decoded(&self, key: &str, decoded_as: TypeId) -> BackendResult<Option<DecodedOrBytes>> {
        Shards::read_decoded(self, key, decoded_as)
    }

    fn attach_decoded(&self, key: &str, stored: &Stored, decoded: Decoded) {
        if let Some(entry) = stored.entry() {
            Shards::attach(self, key, entry, decoded);
        }
    }

    fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        Shards::write(self, key, value, options)
    }

    fn put_from(&self, key: &str, buffer: &mut Vec<u8>, options: Write<'_>) -> BackendResult<bool> {
        Shards::write_from(self, key, buffer, options)
    }

    fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        Shards::increment_by(self, key, delta, ttl)
    }

    fn ends_with_the_process(&self) -> bool {
        true
    }
}

#[async_trait]
impl Store for MemoryBackend {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        self.shards.read(key)
    }

    async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        self.shards.write(key, value, options)
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        self.shards.remove(key, expected)
    }

    async fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        self.shards.increment_by(key, delta, ttl)
    }

    async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool> {
        self.shards.expire(key, life)
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.shards.scan(prefix)
    }

    async fn read_value(&self, key: &str, touch: Touch) -> BackendResult<Option<Stored>> {
        self.shards.read_value(key, touch)
    }

    async fn read_values(&self, keys: &[&str], touch: Touch) -> BackendResult<Vec<Option<Stored>>> {
        let touch = touch.checked()?;
        self.shards.limits().check_keys(keys)?;
        let values = keys.iter().map(|key| self.shards.read_value(key, touch));
        values.collect()
    }

    async fn read_life(&self, key: &str) -> BackendResult<Option<Expiry>> {
        self.shards.expiry(key)
    }

    async fn take_value(&self, key: &str) -> BackendResult<Option<Stored>> {
        self.shards.take(key)
    }

    async fn put_many(&self, entries: &[NewEntry<'_>]) -> BackendResult<()> {
        self.shards.write_many(entries)
    }

    async fn remove_many(&self, keys: &[&str]) -> BackendResult<u64> {
        self.shards.remove_many(keys)
    }

    async fn remove_prefix(&self, prefix: &str) -> BackendResult<u64> {
        self.shards.clear_prefix(prefix).await
    }

    async fn move_entry(
        &self,
        from: &str,
        expected: &[u8],
        to: NewEntry<'_>,
        over: Option<&[u8]>,
    ) -> BackendResult<bool> {
        self.shards.move_entry(from, expected, to, over)
    }

    async fn throttle(&self, key: &str, attempt: Attempt<'_>) -> BackendResult<Decision> {
        self.shards.throttle(key, attempt)
    }

    async fn probe(&self) -> BackendResult<()> {
        Ok(())
    }

    #[inline]
    fn info(&self) -> StoreInfo {
        StoreInfo::of(self)
            .with_limits(self.shards.limits())
            .with_instance(self.shards.instance)
    }

    #[inline]
    fn as_sync(&self) -> Option<&dyn SyncStore> {
        Some(&self.shards)
    }
}
