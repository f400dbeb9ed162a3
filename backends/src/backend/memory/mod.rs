//! The in-process backend.

mod bounds;
mod builder;
mod clock;
mod entry;
mod queues;
mod reads;
mod removal;
mod shard;
mod stats;
mod store;
mod worker;

use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use self::bounds::Eviction;
pub use self::builder::MemoryBackendBuilder;
pub(super) use self::entry::Entry;
pub use self::removal::{Cause, Removal};
pub use self::stats::MemoryStats;
use self::store::Store;
use super::in_process::{InProcess, Kept, Shared};
use super::life::{Expiry, Life, check_ttl};
use super::limits::Limits;
use super::stored::Stored;
use super::throttle::{Attempt, Decision};
use super::{Backend, Counted, Instance, KeyStream, NewEntry, Write};
use crate::error::BackendResult;

/// Keeps entries in the memory of this process; the default backend, which needs no set-up.
///
/// # Guarantees
///
/// * Clones share one store.
/// * Every operation is atomic: it holds the lock of the shard that its key is in (`move_entry` of two), and never while
///   an `.await` or code of yours runs. Entries hold encoded bytes, so readers see what they would see of a Redis server.
/// * An entry is absent from the instant of its deadline on, by the caller's [clock](#time).
///   Expired entries give their memory back without being read: every write looks at a few of its
///   shard's entries once one is due, and on a tokio runtime a task looks through all of them every
///   second, or as often as half a percent of a core allows. The task is started by the first write
///   that sets an end, started anew when its runtime has ended, and gone with the last clone. While
///   its runtime exists and nobody drives it, writes alone look.
/// * `new` and every operation work without a runtime too, on any executor.
/// * Without bounds it grows as the process does. With [`max_entries`](MemoryBackendBuilder::max_entries) or
///   [`max_bytes`](MemoryBackendBuilder::max_bytes) it never holds more, and either refuses what is new
///   ([`Full`](crate::ErrorKind::Full)) or gives up what is used least: see [`Eviction`].
///
/// # Time
///
/// Deadlines follow [`tokio::time::Instant`], so `#[tokio::test(start_paused = true)]` with `tokio::time::advance` expires
/// entries without waiting.
///
/// Each call, and each step of the sweep, goes by the clock of the runtime that it runs on; on a
/// plain thread that is the real one. What has ended by that clock is absent for that call, and may
/// be removed for everybody: by a write, by the sweep. What wasn't removed is still there for those
/// by whose clock it hasn't ended. An end is set by the clock of who writes it.
///
/// The clocks are one unless a test pauses them. So a test that advances a paused clock needs a
/// store of its own, or shares it only with code on the same runtime.
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
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> reinhardt_backends::BackendResult<()> {
/// let backend = MemoryBackend::new();
/// backend.set("user:123", "active", Some(Duration::from_secs(3600))).await?;
/// assert_eq!(backend.get::<String>("user:123").await?.as_deref(), Some("active"));
/// assert_eq!(backend.len(), 1);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryBackend {
    store: Arc<Store>,
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
    /// It looks at every entry, some ten nanoseconds each: meant for tests and occasional looks. [`stats`](Self::stats)
    /// counts entries at no cost.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Says whether there is no live entry.
    pub fn is_empty(&self) -> bool {
        self.store.is_empty()
    }

    /// Returns what the store holds and has done so far; takes some microseconds, however much it holds.
    pub fn stats(&self) -> MemoryStats {
        self.store.stats()
    }
}

/// Of the store and not of the backend, on which the methods of `Backend` by the same names would be ambiguous.
impl InProcess for Arc<Store> {
    fn get_stored(&self, key: &str) -> BackendResult<Option<Stored>> {
        Store::get(self, key)
    }

    fn write(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        Store::write(self, key, value, options)
    }

    fn write_from(
        &self,
        key: &str,
        buffer: &mut Vec<u8>,
        options: Write<'_>,
    ) -> BackendResult<bool> {
        Store::write_from(self, key, buffer, options)
    }

    fn increment_by(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        Store::increment_by(self, key, delta, ttl)
    }

    fn get_kept(&self, key: &str, of: TypeId) -> BackendResult<Option<Shared>> {
        Store::get_shared(self, key, of)
    }

    fn renew_stored(&self, key: &str, ttl: Duration) -> BackendResult<Option<Stored>> {
        Store::renew(self, key, check_ttl(ttl)?)
    }

    fn keep(&self, key: &str, stored: &Stored, value: Kept) {
        if let Some(entry) = stored.entry() {
            Store::keep(self, key, entry, value);
        }
    }

    fn ends_with_the_process(&self) -> bool {
        true
    }
}

#[async_trait]
impl Backend for MemoryBackend {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        self.store.read(key)
    }

    async fn write(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        self.store.write(key, value, options)
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        self.store.remove(key, expected)
    }

    async fn increment_by(
        &self,
        key: &str,
        delta: i64,
        ttl: Option<Duration>,
    ) -> BackendResult<Counted> {
        self.store.increment_by(key, delta, ttl)
    }

    async fn expire(&self, key: &str, life: Life) -> BackendResult<bool> {
        self.store.expire(key, life)
    }

    fn scan<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.store.scan(prefix)
    }

    async fn get_stored(&self, key: &str) -> BackendResult<Option<Stored>> {
        self.store.get(key)
    }

    async fn get_many_stored(&self, keys: &[&str]) -> BackendResult<Vec<Option<Stored>>> {
        keys.iter().map(|key| self.store.get(key)).collect()
    }

    async fn take_stored(&self, key: &str) -> BackendResult<Option<Stored>> {
        self.store.take(key)
    }

    async fn touch_stored(&self, key: &str, ttl: Duration) -> BackendResult<Option<Stored>> {
        self.store.touch(key, check_ttl(ttl)?)
    }

    async fn renew_stored(&self, key: &str, ttl: Duration) -> BackendResult<Option<Stored>> {
        self.store.renew(key, check_ttl(ttl)?)
    }

    async fn renew_many_stored(
        &self,
        keys: &[&str],
        ttl: Duration,
    ) -> BackendResult<Vec<Option<Stored>>> {
        let ttl = check_ttl(ttl)?;
        self.store.limits().check_keys(keys)?;
        keys.iter().map(|key| self.store.renew(key, ttl)).collect()
    }

    async fn move_entry(
        &self,
        from: &str,
        expected: &[u8],
        to: NewEntry<'_>,
        over: Option<&[u8]>,
    ) -> BackendResult<bool> {
        self.store.move_entry(from, expected, to, over)
    }

    async fn throttle(&self, key: &str, attempt: Attempt<'_>) -> BackendResult<Decision> {
        self.store.throttle(key, attempt)
    }

    async fn write_many(&self, entries: &[NewEntry<'_>]) -> BackendResult<()> {
        self.store.write_many(entries)
    }

    async fn delete(&self, key: &str) -> BackendResult<bool> {
        self.store.remove(key, None)
    }

    async fn delete_many(&self, keys: &[&str]) -> BackendResult<u64> {
        self.store.remove_many(keys)
    }

    async fn compare_and_delete(&self, key: &str, expected: &Stored) -> BackendResult<bool> {
        self.store.remove(key, Some(expected.as_bytes()))
    }

    async fn exists(&self, key: &str) -> BackendResult<bool> {
        Ok(self.store.expiry(key)?.is_some())
    }

    async fn ttl(&self, key: &str) -> BackendResult<Option<Expiry>> {
        self.store.expiry(key)
    }

    async fn increment(&self, key: &str, ttl: Option<Duration>) -> BackendResult<i64> {
        Ok(self.store.increment_by(key, 1, ttl)?.value)
    }

    async fn clear_prefix(&self, prefix: &str) -> BackendResult<u64> {
        self.store.clear_prefix(prefix).await
    }

    async fn clear(&self) -> BackendResult<()> {
        self.store.clear_prefix("").await.map(drop)
    }

    async fn ping(&self) -> BackendResult<()> {
        Ok(())
    }

    fn limits(&self) -> Limits {
        self.store.limits()
    }

    fn instance(&self) -> Instance {
        Instance::of(&*self.store)
    }

    fn in_process(&self) -> Option<&dyn InProcess> {
        Some(&self.store)
    }
}
