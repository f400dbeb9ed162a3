//! A backend in memory that notes what it is asked, and can say that a key is taken; and one that takes its time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use reinhardt_backends::{
    Backend, BackendResult, Condition, Counted, Expiry, KeyStream, Life, MemoryBackend, NewEntry,
    Stored, Write,
};
use tokio::task::yield_now;

#[derive(Debug, Default)]
pub(crate) struct Probe {
    inner: MemoryBackend,
    calls: Mutex<Vec<(&'static str, String)>>,
    taken: AtomicU32,
}

impl Probe {
    /// Says of the next `count` new keys that they are taken.
    pub(crate) fn take_next(&self, count: u32) {
        self.taken.store(count, Ordering::SeqCst);
    }

    /// Returns the calls since the last time, by name and key.
    pub(crate) fn calls(&self) -> Vec<(&'static str, String)> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// Returns the names of the calls since the last time.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.calls().into_iter().map(|(name, _)| name).collect()
    }

    fn note(&self, name: &'static str, key: &str) {
        self.calls.lock().unwrap().push((name, key.to_string()));
    }

    fn is_taken(&self) -> bool {
        let taken = |left: u32| left.checked_sub(1);
        let order = Ordering::SeqCst;
        self.taken.fetch_update(order, order, taken).is_ok()
    }
}

#[async_trait]
impl Backend for Probe {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        self.note("read", key);
        self.inner.read(key).await
    }

    async fn write(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        self.note("write", key);
        if matches!(options.condition, Condition::Absent) && self.is_taken() {
            return Ok(false);
        }
        self.inner.write(key, value, options).await
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        self.note("remove", key);
        self.inner.remove(key, expected).await
    }

    async fn increment_by(
        &self,
        key: &str,
        delta: i64,
        ttl: Option<Duration>,
    ) -> BackendResult<Counted> {
        self.note("increment_by", key);
        self.inner.increment_by(key, delta, ttl).await
    }

    async fn expire(&self, key: &str, life: Life) -> BackendResult<bool> {
        self.note("expire", key);
        self.inner.expire(key, life).await
    }

    fn scan<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.note("scan", prefix);
        self.inner.scan(prefix)
    }

    async fn get_stored(&self, key: &str) -> BackendResult<Option<Stored>> {
        self.note("get_stored", key);
        self.inner.get_stored(key).await
    }

    async fn touch_stored(&self, key: &str, ttl: Duration) -> BackendResult<Option<Stored>> {
        self.note("touch_stored", key);
        self.inner.touch_stored(key, ttl).await
    }

    async fn move_entry(
        &self,
        from: &str,
        expected: &[u8],
        to: NewEntry<'_>,
        over: Option<&[u8]>,
    ) -> BackendResult<bool> {
        self.note("move_entry", from);
        if self.is_taken() {
            return Ok(false);
        }
        self.inner.move_entry(from, expected, to, over).await
    }

    async fn clear_prefix(&self, prefix: &str) -> BackendResult<u64> {
        self.note("clear_prefix", prefix);
        self.inner.clear_prefix(prefix).await
    }
}

/// Waits before and after each call of a backend.
pub(crate) struct Slow(pub(crate) Arc<dyn Backend>);

async fn slowly<T>(call: impl Future<Output = T>) -> T {
    yield_now().await;
    let answer = call.await;
    yield_now().await;
    answer
}

#[async_trait]
impl Backend for Slow {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        slowly(self.0.read(key)).await
    }

    async fn write(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        slowly(self.0.write(key, value, options)).await
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        slowly(self.0.remove(key, expected)).await
    }

    async fn increment_by(
        &self,
        key: &str,
        delta: i64,
        ttl: Option<Duration>,
    ) -> BackendResult<Counted> {
        slowly(self.0.increment_by(key, delta, ttl)).await
    }

    async fn expire(&self, key: &str, life: Life) -> BackendResult<bool> {
        slowly(self.0.expire(key, life)).await
    }

    fn scan<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.0.scan(prefix)
    }

    async fn move_entry(
        &self,
        from: &str,
        expected: &[u8],
        to: NewEntry<'_>,
        over: Option<&[u8]>,
    ) -> BackendResult<bool> {
        slowly(self.0.move_entry(from, expected, to, over)).await
    }
}
