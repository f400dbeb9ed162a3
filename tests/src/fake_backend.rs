//! Test doubles of backends: one that follows a script, and one that makes every call in steps.

use std::any::TypeId;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{BoxFuture, FutureExt, ready};
use reinhardt_backends::store::{
    BoxedCall, Decoded, DecodedOrBytes, NewEntry, Store, StoreInfo, SyncStore, Touch,
};
use reinhardt_backends::{
    Backend, BackendResult, Condition, Counted, Expiry, KeyStream, Life, MemoryBackend, Stored,
    Write,
};

/// A call by its name in [`Store`], with its first key. Every read of one key is a `read`.
pub type Call = (&'static str, String);

/// A part of a script. It gets the name and the first key of a call.
type Step = Arc<dyn Fn(&'static str, &str) -> BoxFuture<'static, BackendResult<()>> + Send + Sync>;

/// A backend that records its calls, and whose script may fail or delay each of them, before or
/// after its effect.
#[derive(Clone)]
pub struct ScriptedBackend<B = MemoryBackend> {
    /// The backend that the calls have their effect on.
    pub inner: B,
    before: Step,
    after: Step,
    record: Arc<Record>,
    place: Place,
}

#[derive(Debug, Default)]
struct Record {
    calls: Mutex<Vec<Call>>,
    lost_races: AtomicU32,
}

/// The place where callers suppose the store.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    OfInner,
    AnotherProcess,
    SharedMemory,
}

impl<B> ScriptedBackend<B> {
    /// Wraps a backend. Without a script each call is the inner one.
    pub fn new(inner: B) -> Self {
        let nothing: Step = Arc::new(|_, _| ready(Ok(())).boxed());
        Self {
            inner,
            before: nothing.clone(),
            after: nothing,
            record: Arc::default(),
            place: Place::OfInner,
        }
    }

    /// Wraps a backend as one in another process: each clone seems to be a store of its own, known
    /// by its address.
    pub fn in_another_process(inner: B) -> Self {
        let place = Place::AnotherProcess;
        Self {
            place,
            ..Self::new(inner)
        }
    }

    /// Makes the store a memory that processes share: the calls of [`SyncStore`] are answered at
    /// once, past the script.
    #[must_use]
    pub fn in_shared_memory(self) -> Self {
        let place = Place::SharedMemory;
        Self { place, ..self }
    }

    /// Runs `step` before the effect of each call. A call whose step fails has none.
    #[must_use]
    pub fn before<F>(self, step: impl Fn(&'static str, &str) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = BackendResult<()>> + Send + 'static,
    {
        let before: Step = Arc::new(move |name, key| step(name, key).boxed());
        Self { before, ..self }
    }

    /// Runs `step` after the effect of each call, before it is answered. The error of a step is the
    /// answer.
    #[must_use]
    pub fn after<F>(self, step: impl Fn(&'static str, &str) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = BackendResult<()>> + Send + 'static,
    {
        let after: Step = Arc::new(move |name, key| step(name, key).boxed());
        Self { after, ..self }
    }

    /// Returns a backend of the same script and the same record over another backend.
    #[must_use]
    pub fn over(self, inner: B) -> Self {
        Self { inner, ..self }
    }

    /// Answers `false` to the next `count` moves and writes of absent entries, which have no
    /// effect: somebody else was faster.
    pub fn lose_races(&self, count: u32) {
        self.record.lost_races.store(count, SeqCst);
    }

    /// Returns the calls so far, without those that were answered past the script.
    pub fn calls(&self) -> Vec<Call> {
        self.record.calls().clone()
    }

    /// Returns the number of calls of this name so far.
    pub fn count(&self, name: &str) -> usize {
        let calls = self.record.calls();
        calls.iter().filter(|(called, _)| *called == name).count()
    }

    /// Returns the calls since the last time, and begins the record anew.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.record.calls())
    }

    async fn play<'a, T: Send>(
        &self,
        name: &'static str,
        key: &str,
        effect: impl FnOnce() -> BoxedCall<'a, T> + Send,
    ) -> BackendResult<T> {
        self.record.note(name, key);
        (self.before)(name, key).await?;
        let answer = effect().await;
        (self.after)(name, key).await?;
        answer
    }
}

impl Record {
    fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, name: &'static str, key: &str) {
        self.calls().push((name, key.to_string()));
    }

    fn is_race_lost(&self) -> bool {
        let fewer = |left: u32| left.checked_sub(1);
        self.lost_races.fetch_update(SeqCst, SeqCst, fewer).is_ok()
    }
}

impl<B> fmt::Debug for ScriptedBackend<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedBackend")
            .field("record", &self.record)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl<B: Backend> Store for ScriptedBackend<B> {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        self.play("read", key, || self.inner.read(key)).await
    }

    async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        let is_lost = matches!(options.condition, Condition::Absent) && self.record.is_race_lost();
        let put = || match is_lost {
            true => ready(Ok(false)).boxed(),
            false => self.inner.put(key, value, options),
        };
        self.play("put", key, put).await
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        let remove = || self.inner.remove(key, expected);
        self.play("remove", key, remove).await
    }

    async fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        self.play("add", key, || self.inner.add(key, delta, ttl))
            .await
    }

    async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool> {
        let set_life = || self.inner.set_life(key, life);
        self.play("set_life", key, set_life).await
    }

    /// Is recorded, and no part of the script.
    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.record.note("keys", prefix);
        self.inner.keys(prefix)
    }

    async fn read_values(&self, keys: &[&str], touch: Touch) -> BackendResult<Vec<Option<Stored>>> {
        let read = || self.inner.read_values(keys, touch);
        self.play("read_values", first(keys), read).await
    }

    async fn take_value(&self, key: &str) -> BackendResult<Option<Stored>> {
        let take = || self.inner.take_value(key);
        self.play("take_value", key, take).await
    }

    async fn put_many(&self, entries: &[NewEntry<'_>]) -> BackendResult<()> {
        let put = || self.inner.put_many(entries);
        let first = entries.first().map_or("", |entry| entry.key);
        self.play("put_many", first, put).await
    }

    async fn remove_many(&self, keys: &[&str]) -> BackendResult<u64> {
        let remove = || self.inner.remove_many(keys);
        self.play("remove_many", first(keys), remove).await
    }

    async fn remove_prefix(&self, prefix: &str) -> BackendResult<u64> {
        let remove = || self.inner.remove_prefix(prefix);
        self.play("remove_prefix", prefix, remove).await
    }

    async fn move_entry(
        &self,
        from: &str,
        expected: &[u8],
        to: NewEntry<'_>,
        over: Option<&[u8]>,
    ) -> BackendResult<bool> {
        let is_lost = self.record.is_race_lost();
        let move_entry = || match is_lost {
            true => ready(Ok(false)).boxed(),
            false => self.inner.move_entry(from, expected, to, over),
        };
        self.play("move_entry", from, move_entry).await
    }

    fn info(&self) -> StoreInfo {
        match self.place {
            Place::AnotherProcess => StoreInfo::of(self),
            Place::OfInner | Place::SharedMemory => self.inner.info(),
        }
    }

    fn as_sync(&self) -> Option<&dyn SyncStore> {
        (self.place == Place::SharedMemory).then_some(self)
    }
}

fn first<'a>(keys: &[&'a str]) -> &'a str {
    keys.first().copied().unwrap_or_default()
}

impl<B: Backend> ScriptedBackend<B> {
    fn sync(&self) -> &dyn SyncStore {
        self.inner.as_sync().expect("a store in this process")
    }
}

/// The memory that it stands for outlives the process, as the default says.
impl<B: Backend> SyncStore for ScriptedBackend<B> {
    fn read_value(&self, key: &str, touch: Touch) -> BackendResult<Option<Stored>> {
        self.sync().read_value(key, touch)
    }

    fn read_decoded(&self, key: &str, decoded_as: TypeId) -> BackendResult<Option<DecodedOrBytes>> {
        self.sync().read_decoded(key, decoded_as)
    }

    fn attach_decoded(&self, key: &str, stored: &Stored, decoded: Decoded) {
        self.sync().attach_decoded(key, stored, decoded);
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
