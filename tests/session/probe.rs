//! A backend in memory that notes its calls, and can say that a key is taken; and a backend that
//! takes its time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use reinhardt_backends::store::{NewEntry, Store, Touch};
use reinhardt_backends::{
    Backend, BackendResult, Condition, Counted, Expiry, KeyStream, Life, MemoryBackend, Stored,
    Write,
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
impl Store for Probe {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        self.note("read", key);
        self.inner.read(key).await
    }

    async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        self.note("put", key);
        if matches!(options.condition, Condition::Absent) && self.is_taken() {
            return Ok(false);
        }
        self.inner.put(key, value, options).await
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        self.note("remove", key);
        self.inner.remove(key, expected).await
    }

    async fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        self.note("add", key);
        self.inner.add(key, delta, ttl).await
    }

    async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool> {
        self.note("set_life", key);
        self.inner.set_life(key, life).await
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.note("keys", prefix);
        self.inner.keys(prefix)
    }

    async fn read_value(&self, key: &str, touch: Touch) -> BackendResult<Option<Stored>> {
        let name = match touch {
            Touch::Restart(_) => "read_value, restarting",
            _ => "read_value",
        };
        self.note(name, key);
        self.inner.read_value(key, touch).await
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

    async fn remove_prefix(&self, prefix: &str) -> BackendResult<u64> {
        self.note("remove_prefix", prefix);
        self.inner.remove_prefix(prefix).await
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
impl Store for Slow {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        slowly(self.0.read(key)).await
    }

    async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        slowly(self.0.put(key, value, options)).await
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        slowly(self.0.remove(key, expected)).await
    }

    async fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        slowly(self.0.add(key, delta, ttl)).await
    }

    async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool> {
        slowly(self.0.set_life(key, life)).await
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.0.keys(prefix)
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
