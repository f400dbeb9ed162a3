//! Test doubles of backends: one that seems to be elsewhere, and one that makes calls in steps.

use std::time::Duration;

use async_trait::async_trait;
use reinhardt_backends::store::{
    NewEntry, Observer, ReplicaReads, Store, StoreInfo, SyncStore, Touch,
};
use reinhardt_backends::throttle::{Attempt, Decision};
use reinhardt_backends::{
    Backend, BackendResult, Counted, Expiry, KeyStream, Life, MemoryBackend, Stored, Write,
};

/// A backend that hands on all calls and seems to be elsewhere.
#[derive(Debug, Clone)]
pub struct PosingBackend<B> {
    /// The backend that the calls have their effect on.
    pub inner: B,
    place: Place,
}

/// The place where callers suppose the store.
#[derive(Debug, Clone)]
enum Place {
    AnotherProcess,
    SharedMemory(SharedMemory),
}

/// The part of a memory that answers at once. The memory outlives the process, as the default says.
#[derive(Debug, Clone)]
struct SharedMemory(MemoryBackend);

impl<B> PosingBackend<B> {
    /// Wraps a backend as one in another process: each clone seems to be a store of its own, known
    /// by its address.
    pub fn in_another_process(inner: B) -> Self {
        let place = Place::AnotherProcess;
        Self { inner, place }
    }

    /// Wraps a backend around `memory` as a memory that processes share: the calls of [`SyncStore`]
    /// are answered by `memory` at once.
    pub fn in_shared_memory(inner: B, memory: MemoryBackend) -> Self {
        let place = Place::SharedMemory(SharedMemory(memory));
        Self { inner, place }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: Backend> Store for PosingBackend<B> {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        self.inner.read(key).await
    }

    async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        self.inner.put(key, value, options).await
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        self.inner.remove(key, expected).await
    }

    async fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        self.inner.add(key, delta, ttl).await
    }

    async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool> {
        self.inner.set_life(key, life).await
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.inner.keys(prefix)
    }

    async fn read_value(&self, key: &str, touch: Touch) -> BackendResult<Option<Stored>> {
        self.inner.read_value(key, touch).await
    }

    async fn read_values(&self, keys: &[&str], touch: Touch) -> BackendResult<Vec<Option<Stored>>> {
        self.inner.read_values(keys, touch).await
    }

    async fn read_life(&self, key: &str) -> BackendResult<Option<Expiry>> {
        self.inner.read_life(key).await
    }

    async fn take_value(&self, key: &str) -> BackendResult<Option<Stored>> {
        self.inner.take_value(key).await
    }

    async fn put_many(&self, entries: &[NewEntry<'_>]) -> BackendResult<()> {
        self.inner.put_many(entries).await
    }

    async fn remove_many(&self, keys: &[&str]) -> BackendResult<u64> {
        self.inner.remove_many(keys).await
    }

    async fn remove_prefix(&self, prefix: &str) -> BackendResult<u64> {
        self.inner.remove_prefix(prefix).await
    }

    async fn move_entry(
        &self,
        from: &str,
        expected: &[u8],
        to: NewEntry<'_>,
        over: Option<&[u8]>,
    ) -> BackendResult<bool> {
        self.inner.move_entry(from, expected, to, over).await
    }

    async fn throttle(&self, key: &str, attempt: Attempt<'_>) -> BackendResult<Decision> {
        self.inner.throttle(key, attempt).await
    }

    async fn probe(&self) -> BackendResult<()> {
        self.inner.probe().await
    }

    async fn shut_down(&self) {
        self.inner.shut_down().await;
    }

    fn info(&self) -> StoreInfo {
        match self.place {
            Place::AnotherProcess => StoreInfo::of(self),
            Place::SharedMemory(_) => self.inner.info(),
        }
    }

    fn as_sync(&self) -> Option<&dyn SyncStore> {
        match &self.place {
            Place::AnotherProcess => None,
            Place::SharedMemory(memory) => Some(memory),
        }
    }

    fn replica_reads(&self) -> Option<&dyn ReplicaReads> {
        self.inner.replica_reads()
    }

    fn part_of(&self, key: &str) -> u64 {
        self.inner.part_of(key)
    }

    fn observer(&self) -> Option<&dyn Observer> {
        self.inner.observer()
    }
}

impl SharedMemory {
    fn sync(&self) -> &dyn SyncStore {
        self.0.as_sync().expect("a store in this process")
    }
}

impl SyncStore for SharedMemory {
    fn read_value(&self, key: &str, touch: Touch) -> BackendResult<Option<Stored>> {
        self.sync().read_value(key, touch)
    }

    fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        self.sync().put(key, value, options)
    }

    fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        self.sync().add(key, delta, ttl)
    }
}

/// A backend that hands on the required calls alone: the others take the steps of the default.
#[derive(Debug, Clone)]
pub struct StepwiseBackend<B>(pub B);

#[async_trait]
impl<B: Backend> Store for StepwiseBackend<B> {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        self.0.read(key).await
    }

    async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        self.0.put(key, value, options).await
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        self.0.remove(key, expected).await
    }

    async fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        self.0.add(key, delta, ttl).await
    }

    async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool> {
        self.0.set_life(key, life).await
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.0.keys(prefix)
    }
}
