//! A memory backend that is called as if it was in another process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use reinhardt_backends::store::Store;
use reinhardt_backends::{
    BackendResult, Counted, Expiry, KeyStream, Life, MemoryBackend, Stored, Write,
};

/// A memory backend that its callers take for another process's. Each clone has an address of its
/// own. All calls are counted.
#[derive(Debug, Clone)]
pub struct Elsewhere {
    inner: MemoryBackend,
    calls: Arc<AtomicUsize>,
}

impl Elsewhere {
    /// Wraps a memory backend, so that it seems to be in another process.
    pub fn new(inner: MemoryBackend) -> Self {
        let calls = Arc::default();
        Self { inner, calls }
    }

    /// Returns the number of calls so far.
    pub fn calls(&self) -> usize {
        self.calls.load(SeqCst)
    }

    fn inner(&self) -> &MemoryBackend {
        self.calls.fetch_add(1, SeqCst);
        &self.inner
    }
}

#[async_trait]
impl Store for Elsewhere {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        self.inner().read(key).await
    }

    async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        self.inner().put(key, value, options).await
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        self.inner().remove(key, expected).await
    }

    async fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        self.inner().add(key, delta, ttl).await
    }

    async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool> {
        self.inner().set_life(key, life).await
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.inner().keys(prefix)
    }
}
