//! A backend for which a test decides what calls do, and what becomes of their callers.

use std::any::TypeId;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use reinhardt_backends::store::{
    Decoded, DecodedOrBytes, NewEntry, Store, StoreInfo, SyncStore, Touch,
};
use reinhardt_backends::{
    Backend, BackendError, BackendResult, Counted, ErrorKind, Expiry, KeyStream, Life,
    MemoryBackend, Stored, Write,
};

use crate::{PAGE, Source, until};

/// A function that runs before or after a call. It gets the name and the first key of the call.
type Aside = Arc<dyn Fn(&'static str, &str) -> BoxFuture<'static, BackendResult<()>> + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Odd {
    pub(crate) inner: MemoryBackend,
    before: Aside,
    /// Runs before a read or a write is answered.
    after: Aside,
    is_in_process: bool,
    has_room: bool,
}

/// A store that is never freed, as [`lasting`](crate::lasting) ones are.
fn store() -> MemoryBackend {
    let store = MemoryBackend::new();
    std::mem::forget(store.clone());
    store
}

impl Odd {
    pub(crate) fn new<F>(before: impl Fn(&'static str, &str) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = BackendResult<()>> + Send + 'static,
    {
        Self {
            inner: store(),
            before: Arc::new(move |name, key| Box::pin(before(name, key))),
            after: Arc::new(|_, _| Box::pin(async { Ok(()) })),
            is_in_process: false,
            has_room: true,
        }
    }

    /// Returns a backend that reads and writes at once, and gives each answer after this function.
    pub(crate) fn answering_after<F>(
        after: impl Fn(&'static str, &str) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = BackendResult<()>> + Send + 'static,
    {
        Self {
            after: Arc::new(move |name, key| Box::pin(after(name, key))),
            ..Self::new(|_, _| async { Ok(()) })
        }
    }

    /// Returns a backend of the same behaviour, over another store.
    pub(crate) fn emptied(self) -> Self {
        Self {
            inner: store(),
            ..self
        }
    }

    /// Returns this backend as one that stores nothing.
    pub(crate) fn without_room(self) -> Self {
        Self {
            has_room: false,
            ..self
        }
    }

    /// One that some of its calls could be answered at once by, as a memory that processes share.
    fn in_process(self) -> Self {
        Self {
            is_in_process: true,
            ..self
        }
    }
}

#[async_trait]
impl Store for Odd {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        (self.before)("read", key).await?;
        let read = self.inner.read(key).await;
        (self.after)("read", key).await?;
        read
    }

    async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        (self.before)("put", key).await?;
        if !self.has_room {
            return Err(BackendError::new(ErrorKind::Full, "no room"));
        }
        let written = self.inner.put(key, value, options).await;
        (self.after)("put", key).await?;
        written
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        (self.before)("remove", key).await?;
        self.inner.remove(key, expected).await
    }

    async fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        (self.before)("add", key).await?;
        self.inner.add(key, delta, ttl).await
    }

    async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool> {
        (self.before)("set_life", key).await?;
        self.inner.set_life(key, life).await
    }

    async fn read_values(&self, keys: &[&str], touch: Touch) -> BackendResult<Vec<Option<Stored>>> {
        (self.before)("read_values", keys[0]).await?;
        self.inner.read_values(keys, touch).await
    }

    async fn take_value(&self, key: &str) -> BackendResult<Option<Stored>> {
        (self.before)("take_value", key).await?;
        self.inner.take_value(key).await
    }

    async fn move_entry(
        &self,
        from: &str,
        expected: &[u8],
        to: NewEntry<'_>,
        over: Option<&[u8]>,
    ) -> BackendResult<bool> {
        (self.before)("move_entry", from).await?;
        self.inner.move_entry(from, expected, to, over).await
    }

    async fn put_many(&self, entries: &[NewEntry<'_>]) -> BackendResult<()> {
        (self.before)("put_many", entries[0].key).await?;
        self.inner.put_many(entries).await
    }

    async fn remove_many(&self, keys: &[&str]) -> BackendResult<u64> {
        (self.before)("remove_many", keys[0]).await?;
        self.inner.remove_many(keys).await
    }

    async fn remove_prefix(&self, prefix: &str) -> BackendResult<u64> {
        (self.before)("remove_prefix", prefix).await?;
        self.inner.remove_prefix(prefix).await
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.inner.keys(prefix)
    }

    fn info(&self) -> StoreInfo {
        self.inner.info()
    }

    fn as_sync(&self) -> Option<&dyn SyncStore> {
        self.is_in_process.then_some(self)
    }
}

impl SyncStore for Odd {
    fn read_value(&self, key: &str, touch: Touch) -> BackendResult<Option<Stored>> {
        self.inner.as_sync().unwrap().read_value(key, touch)
    }

    fn read_decoded(&self, key: &str, of: TypeId) -> BackendResult<Option<DecodedOrBytes>> {
        self.inner.as_sync().unwrap().read_decoded(key, of)
    }

    fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        self.inner.as_sync().unwrap().put(key, value, options)
    }

    fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        let inner = self.inner.as_sync().unwrap();
        inner.add(key, delta, ttl)
    }

    fn attach_decoded(&self, key: &str, stored: &Stored, value: Decoded) {
        self.inner
            .as_sync()
            .unwrap()
            .attach_decoded(key, stored, value);
    }
}

const LEASE: &str = "page@lease:1:2";

async fn left_of_the_lease(memory: &MemoryBackend) -> Duration {
    match memory.ttl(LEASE).await.unwrap() {
        Some(Expiry::In(left)) => left,
        other => panic!("no lease with an end: {other:?}"),
    }
}

#[tokio::test]
async fn what_may_outlive_the_process_is_leased_for_as_long_as_declared() {
    let odd = Odd::new(|_, _| async { Ok(()) });
    for backend in [odd.clone(), odd.in_process()] {
        let source = Source::closed();
        let shared: Arc<dyn Backend> = Arc::new(backend.clone());
        let page = source.page(&shared);
        until("it computes", async || source.begun() == 1).await;
        let left = left_of_the_lease(&backend.inner).await;
        let declared = Duration::from_secs(10);
        assert!(left <= declared && left > declared / 2, "{left:?}");
        source.open_for(1);
        page.await.unwrap();
        PAGE.delete(&shared).await.unwrap();
    }
}

#[tokio::test]
async fn a_lease_is_given_back_by_a_backend_in_this_process_that_takes_its_time() {
    let removals = Arc::new(AtomicUsize::new(0));
    let counted = removals.clone();
    let backend = Odd::new(move |name, _| {
        let counted = counted.clone();
        async move {
            if name == "remove" {
                tokio::task::yield_now().await;
                counted.fetch_add(1, SeqCst);
            }
            Ok(())
        }
    });
    let backend = backend.in_process();
    let shared: Arc<dyn Backend> = Arc::new(backend.clone());
    let source = Source::closed();
    let leader = source.page(&shared);
    until("it computes", async || source.begun() == 1).await;
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    until("it is removed", async || removals.load(SeqCst) == 1).await;
    until("it is gone", async || {
        !backend.inner.exists(LEASE).await.unwrap()
    })
    .await;
}
