//! The in-process backend.

mod shard;
mod store;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::store::Store;
use super::life::{Expiry, Life, check_ttl};
use super::limits::Limits;
use super::stored::Stored;
use super::{Backend, Counted, Instance, KeyStream, NewEntry, Write};
use crate::error::BackendResult;

/// Keeps entries in the memory of this process; the default backend, which needs no set-up.
///
/// # Guarantees
///
/// * Clones share one store.
/// * Every operation is atomic: it holds the lock of the shard that its key is in (`move_entry` of two), and never while
///   an `.await` or code of yours runs. Entries hold encoded bytes, so readers see what they would see of a Redis server.
/// * An entry is absent from the instant of its deadline on. Expired entries give their memory back without being
///   read: a write sweeps its shard when as many writes as half of its entries have passed, and on a tokio runtime a
///   task sweeps all shards every second, one after the other. The task is started by the first write that sets an end,
///   started anew when its runtime has ended, and gone with the last clone.
/// * `new` and every operation work without a runtime too, on any executor.
///
/// # Time
///
/// Deadlines follow [`tokio::time::Instant`], so `#[tokio::test(start_paused = true)]` with `tokio::time::advance` expires
/// entries without waiting. Only the runtime whose clock is paused sees that time: a plain thread, or another runtime,
/// that uses the same store in such a test goes by the real clock, and so does the pace of the sweep. Nothing in here
/// sets a timer on tokio's clock, so a paused clock never jumps on account of a backend.
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

/// Sets up a [`MemoryBackend`].
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct MemoryBackendBuilder {
    limits: Limits,
}

impl MemoryBackend {
    /// Makes an empty store; works in and out of a runtime.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins to set up a store with other limits than the default ones.
    pub fn builder() -> MemoryBackendBuilder {
        MemoryBackendBuilder::default()
    }

    /// Returns how many live entries there are.
    ///
    /// It looks at every entry, some ten nanoseconds each: meant for tests and occasional looks.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Says whether there is no live entry.
    pub fn is_empty(&self) -> bool {
        self.store.is_empty()
    }
}

impl MemoryBackendBuilder {
    /// Sets the longest key, in bytes; 1 KiB unless set.
    pub fn key_limit(mut self, bytes: usize) -> Self {
        self.limits.key = bytes;
        self
    }

    /// Sets the largest encoded value, in bytes; 16 MiB unless set.
    pub fn value_limit(mut self, bytes: usize) -> Self {
        self.limits.value = bytes;
        self
    }

    /// Makes the empty store.
    pub fn build(self) -> MemoryBackend {
        MemoryBackend {
            store: Arc::new(Store::new(self.limits)),
        }
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
        Ok(self.store.remove(key, expected)?.is_some())
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
        self.store.remove(key, None)
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
    ) -> BackendResult<bool> {
        self.store.move_entry(from, expected, to)
    }

    async fn write_many(&self, entries: &[NewEntry<'_>]) -> BackendResult<()> {
        self.store.write_many(entries)
    }

    async fn delete(&self, key: &str) -> BackendResult<bool> {
        Ok(self.store.remove(key, None)?.is_some())
    }

    async fn delete_many(&self, keys: &[&str]) -> BackendResult<u64> {
        self.store.remove_many(keys)
    }

    async fn compare_and_delete(&self, key: &str, expected: &Stored) -> BackendResult<bool> {
        Ok(self.store.remove(key, Some(expected.as_bytes()))?.is_some())
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
}
