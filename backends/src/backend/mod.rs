//! The contract between users and stores: the [`Backend`] trait and the types in its signatures.

pub(crate) mod direct;
pub(crate) mod distinct;
mod forward;
mod in_process;
mod instance;
mod life;
mod limits;
#[cfg(feature = "memory")]
pub(crate) mod memory;
#[cfg(feature = "redis-backend")]
pub(crate) mod redis;
pub(crate) mod retry;
mod stored;
pub(crate) mod throttle;
pub(crate) mod typed;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use futures_core::Stream;
use futures_util::TryStreamExt;

use crate::codec::{Decode, Encode};
use crate::error::{BackendResult, Failures};

pub use in_process::{InProcess, Kept, Shared};
pub use instance::Instance;
pub use life::{Expiry, Life, MAX_TTL, check_ttl};
pub use limits::Limits;
pub use stored::Stored;
use throttle::{Attempt, Decision};

/// The keys that [`Backend::scan`] yields, in no order; a key may come more than once.
pub type KeyStream<'a> = Pin<Box<dyn Stream<Item = BackendResult<String>> + Send + 'a>>;

/// What must be true of an entry for a write to happen.
#[derive(Clone, Copy)]
pub enum Condition<'a> {
    /// Nothing: the write always happens.
    Always,
    /// There is no live entry.
    Absent,
    /// There is a live entry.
    Present,
    /// There is a live entry and it holds exactly these bytes.
    Equals(&'a [u8]),
}

/// How [`Backend::write`] writes.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Write<'a> {
    /// What must be true of the entry.
    pub condition: Condition<'a>,
    /// What becomes of its life.
    pub life: Life,
}

impl<'a> Write<'a> {
    /// Writes whatever was there.
    pub fn new(life: Life) -> Self {
        Self {
            condition: Condition::Always,
            life,
        }
    }

    /// Writes only if `condition` holds.
    #[must_use]
    pub fn when(mut self, condition: Condition<'a>) -> Self {
        self.condition = condition;
        self
    }
}

/// An entry for [`Backend::write_many`].
#[derive(Clone, Copy)]
pub struct NewEntry<'a> {
    /// The key.
    pub key: &'a str,
    /// The bytes.
    pub value: &'a [u8],
    /// What becomes of the life of the entry.
    pub life: Life,
}

/// Hides the key and the bytes, which may be secrets.
impl std::fmt::Debug for NewEntry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewEntry")
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}

/// Hides the bytes, which may be a secret.
impl std::fmt::Debug for Condition<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Always => "Always",
            Self::Absent => "Absent",
            Self::Present => "Present",
            Self::Equals(_) => "Equals(..)",
        })
    }
}

/// A counter after it was added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// The sum.
    pub value: i64,
    /// What is left of the counter's window.
    pub expiry: Expiry,
}

#[doc = include_str!("contract.md")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a backend",
    label = "expected a backend, such as `MemoryBackend`, `RedisBackend` or `Arc<dyn Backend>`"
)]
#[async_trait]
pub trait Backend: Send + Sync {
    // What an author writes.

    /// Returns the bytes under `key` and what is left of their life.
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>>;

    /// Writes `value` with the given life if the condition holds, in one atomic step, and says whether it did.
    ///
    /// `Life::Keep` without a live entry to keep the life of means no end.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has written everything or nothing.
    async fn write(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool>;

    /// Removes the entry, if `expected` is given only while it holds exactly these bytes, in one atomic step, and says
    /// whether there was a live entry to remove.
    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool>;

    /// Adds `delta` to the counter under `key` in one atomic step and returns the sum and what is left of the window.
    ///
    /// A missing counter starts at zero. `ttl` is given to a counter that has no end, whether it is new or not, and
    /// never moves an end that is there.
    ///
    /// # Errors
    ///
    /// `Overflow` if the sum leaves the range of `i64`, `WrongType` if the bytes aren't an integer in that range; both
    /// change nothing.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has had its whole effect or none; there never is a counter without its TTL.
    ///
    /// # Examples
    ///
    /// ```
    /// # use reinhardt_backends::{Backend, Expiry, MemoryBackend};
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> reinhardt_backends::BackendResult<()> {
    /// let backend = MemoryBackend::new();
    /// let counted = backend.increment_by("uploads", 5, Some(Duration::from_secs(60))).await?;
    /// assert_eq!(counted.value, 5);
    /// assert!(matches!(counted.expiry, Expiry::In(left) if left <= Duration::from_secs(60)));
    /// # Ok(()) }
    /// ```
    async fn increment_by(
        &self,
        key: &str,
        delta: i64,
        ttl: Option<Duration>,
    ) -> BackendResult<Counted>;

    /// Gives the entry another life, leaves its value alone, and says whether there was a live entry.
    async fn expire(&self, key: &str, life: Life) -> BackendResult<bool>;

    /// Streams the keys that begin with `prefix`; the empty prefix means all of this backend's.
    ///
    /// Every key that is there from the first poll to the last is yielded at least once; one that comes or goes
    /// meanwhile may be. The characters of `prefix` mean themselves.
    ///
    /// It looks through all keys of the store, those of others too: see
    /// [what a prefix costs](Self#what-a-prefix-costs).
    fn scan<'a>(&'a self, prefix: &str) -> KeyStream<'a>;

    // What an author overrides where the backend does it in one step or one round trip.

    /// Returns the bytes under `key`, for [`compare_and_set`](Self::compare_and_set) and
    /// [`compare_and_delete`](Self::compare_and_delete).
    async fn get_stored(&self, key: &str) -> BackendResult<Option<Stored>> {
        Ok(self.read(key).await?.map(|(stored, _)| stored))
    }

    /// Returns the bytes under each key, in the order of `keys`.
    async fn get_many_stored(&self, keys: &[&str]) -> BackendResult<Vec<Option<Stored>>> {
        let mut all = Vec::with_capacity(keys.len());
        for key in keys {
            all.push(self.get_stored(key).await?);
        }
        Ok(all)
    }

    /// Removes the entry and returns its bytes, to at most one caller.
    async fn take_stored(&self, key: &str) -> BackendResult<Option<Stored>> {
        loop {
            let Some(stored) = self.get_stored(key).await? else {
                return Ok(None);
            };
            if self.remove(key, Some(stored.as_bytes())).await? {
                return Ok(Some(stored));
            }
        }
    }

    /// Returns the bytes under `key` and gives the entry `ttl` to live from now on, whatever it had.
    ///
    /// Where a longer life is to stay, [`renew_stored`](Self::renew_stored) leaves it alone. The
    /// default takes two calls, and may return the bytes that another writer replaces in between.
    ///
    /// # Errors
    ///
    /// `InvalidTtl` for zero and for more than 10,000 years, before anything is sent; and what the
    /// backend fails with.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has set the life or left it alone.
    async fn touch_stored(&self, key: &str, ttl: Duration) -> BackendResult<Option<Stored>> {
        let ttl = check_ttl(ttl)?;
        let Some(stored) = self.get_stored(key).await? else {
            return Ok(None);
        };
        let is_live = self.expire(key, Life::In(ttl)).await?;
        Ok(is_live.then_some(stored))
    }

    /// Returns the bytes under `key` and gives the entry `ttl` to live if it would end sooner; never shortens a life.
    ///
    /// The default takes two or three calls: an entry that ends between them may be returned all the same.
    async fn renew_stored(&self, key: &str, ttl: Duration) -> BackendResult<Option<Stored>> {
        let ttl = check_ttl(ttl)?;
        let Some((stored, expiry)) = self.read(key).await? else {
            return Ok(None);
        };
        if matches!(expiry, Expiry::In(left) if left < ttl) {
            self.expire(key, Life::In(ttl)).await?;
        }
        Ok(Some(stored))
    }

    /// Does what [`renew_stored`](Self::renew_stored) does for each key, in the order of `keys`.
    async fn renew_many_stored(
        &self,
        keys: &[&str],
        ttl: Duration,
    ) -> BackendResult<Vec<Option<Stored>>> {
        let ttl = check_ttl(ttl)?;
        self.limits().check_keys(keys)?;
        let mut all = Vec::with_capacity(keys.len());
        for key in keys {
            all.push(self.renew_stored(key, ttl).await?);
        }
        Ok(all)
    }

    /// Removes the entry under `from` while it holds exactly the bytes `expected`, writes `to` in the place of nothing, or, if
    /// `over` is given, of exactly these bytes, and says whether it did: both or nothing.
    ///
    /// An entry is never moved to its own key: that is `false`.
    ///
    /// Memory and a single Redis server do it in one step. A memory with bounds needs room for what
    /// the new entry weighs more than all that goes, and `Full` has changed nothing. The default
    /// writes the new entry, removes the old one, and takes the new one back if the old one was
    /// removed or changed meanwhile; what that replaced is put back with what was left of its life.
    /// Until then others may see both, and a call that ends half-way (an error with an unknown
    /// outcome, a dropped future) may leave both.
    ///
    /// The default can't tell its own entry from one with the same bytes that somebody else writes meanwhile, and takes that
    /// back too, although it was acknowledged. If the process dies half-way the new entry stays, also where `from` was
    /// removed so that it shouldn't come. So where a value must not return, have no `lease` and no `stale` on a backend
    /// with the default.
    async fn move_entry(
        &self,
        from: &str,
        expected: &[u8],
        to: NewEntry<'_>,
        over: Option<&[u8]>,
    ) -> BackendResult<bool> {
        self.limits().check_key(from)?;
        let life = to.life.checked()?;
        if from == to.key {
            return Ok(false);
        }
        let (condition, replaced) = match over {
            None => (Condition::Absent, None),
            Some(over) => match self.read(to.key).await? {
                Some((stored, expiry)) if stored.as_bytes() == over => {
                    (Condition::Equals(over), Some((stored, expiry)))
                }
                _ => return Ok(false),
            },
        };
        let options = Write::new(life).when(condition);
        if !self.write(to.key, to.value, options).await? {
            return Ok(false);
        }
        let removed = self.remove(from, Some(expected)).await;
        if removed.map_err(|error| error.after(true))? {
            return Ok(true);
        }
        let taken_back = match &replaced {
            None => self.remove(to.key, Some(to.value)).await,
            Some((stored, expiry)) => {
                let options = Write::new((*expiry).into()).when(Condition::Equals(to.value));
                self.write(to.key, stored.as_bytes(), options).await
            }
        };
        taken_back.map(|_| false).map_err(|error| error.after(true))
    }

    /// Uses up the attempt's cost of each of its quotas if all of them have room for it, and says whether they had.
    ///
    /// One atomic step, by the store's own clock. A refused attempt, a peek and a cost of zero use
    /// nothing up, and what other quotas have counted under `key` stays as it is. The entry lives
    /// for as long as it matters what was used up; [`delete`](Self::delete) forgets it.
    ///
    /// The default looks and then writes if nothing has changed, as often as it takes: two calls an attempt, or more where
    /// many meet on one key. What passes between the look and the write isn't counted as time, so a quota lets fewer through than it
    /// says: each call that is allowed takes a round trip from the time in which tokens come back.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` and `TooLarge` as [`Attempt::check`], before anything is sent; `WrongType` if something else is stored
    /// under `key`, and it stays; `InvalidConfig` too if more than 32 different quotas were in use
    /// under `key` at once, and nothing is used up; of the default also `Conflict`.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has used up the whole cost or nothing.
    async fn throttle(&self, key: &str, attempt: Attempt<'_>) -> BackendResult<Decision> {
        throttle::throttle(self, key, attempt).await
    }

    /// Writes all entries, each for its own life; each one is atomic, all together are not.
    ///
    /// # Errors
    ///
    /// The first failure, with the positions of all entries that were not written or not acknowledged.
    async fn write_many(&self, entries: &[NewEntry<'_>]) -> BackendResult<()> {
        self.limits().check_entries(entries)?;
        let mut failures = Failures::default();
        for (index, entry) in entries.iter().enumerate() {
            let write = self.write(entry.key, entry.value, Write::new(entry.life));
            let Err(error) = write.await else {
                continue;
            };
            if error.is_transient() {
                // What follows would most likely fail the same way, after as long a wait.
                failures.add(index..entries.len(), error);
                break;
            }
            failures.add([index], error);
        }
        failures.into_result()
    }

    /// Removes the entry and says whether there was a live one.
    async fn delete(&self, key: &str) -> BackendResult<bool> {
        self.remove(key, None).await
    }

    /// Removes the entries and returns how many live ones there were.
    ///
    /// # Errors
    ///
    /// What the backend fails with; [`outcome_unknown`](crate::BackendError::outcome_unknown) if a part may have been removed.
    async fn delete_many(&self, keys: &[&str]) -> BackendResult<u64> {
        self.limits().check_keys(keys)?;
        let mut removed = 0;
        for key in keys {
            let done = self.remove(key, None).await;
            removed += u64::from(done.map_err(|error| error.after(removed > 0))?);
        }
        Ok(removed)
    }

    /// Removes the entry if it still holds the bytes that were read, and says whether it did.
    async fn compare_and_delete(&self, key: &str, expected: &Stored) -> BackendResult<bool> {
        self.remove(key, Some(expected.as_bytes())).await
    }

    /// Says whether there is a live entry.
    async fn exists(&self, key: &str) -> BackendResult<bool> {
        Ok(self.read(key).await?.is_some())
    }

    /// Returns what is left of the entry's life; `None` if there is no live entry.
    async fn ttl(&self, key: &str) -> BackendResult<Option<Expiry>> {
        Ok(self.read(key).await?.map(|(_, expiry)| expiry))
    }

    /// Adds one to the counter under `key` and returns the sum; see [`increment_by`](Self::increment_by).
    async fn increment(&self, key: &str, ttl: Option<Duration>) -> BackendResult<i64> {
        Ok(self.increment_by(key, 1, ttl).await?.value)
    }

    /// Removes every entry of this backend's that was there when the call began.
    ///
    /// It looks through all keys of the store, those of others too, twice on a server: see
    /// [what a prefix costs](Self#what-a-prefix-costs).
    ///
    /// # Errors
    ///
    /// `Unsupported` where nothing says which keys are this backend's (Redis without a namespace).
    async fn clear(&self) -> BackendResult<()> {
        self.clear_prefix("").await.map(drop)
    }

    /// Removes every entry whose key begins with `prefix` and that was there when the call began; returns how many were
    /// removed.
    ///
    /// Entries that are written meanwhile may be removed or stay. It looks through all keys of the
    /// store, those of others too, twice on a server: see
    /// [what a prefix costs](Self#what-a-prefix-costs).
    async fn clear_prefix(&self, prefix: &str) -> BackendResult<u64> {
        let keys: Vec<String> = self.scan(prefix).try_collect().await?;
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        self.delete_many(&keys).await
    }

    /// Makes sure that the backend answers.
    async fn ping(&self) -> BackendResult<()> {
        self.read("ping").await.map(drop)
    }

    /// Gives back what the backend holds outside of this process, such as a connection; without
    /// anything there it does nothing.
    ///
    /// For the end of a program, after its last call. A `RedisBackend` refuses calls from then on
    /// (`Unavailable`), also those of its clones, and waits for those under way. A `MemoryBackend`
    /// goes on answering. A wrapper closes the backend within, after its own last call of that.
    ///
    /// # Cancel safety
    ///
    /// A dropped future may have closed the backend to further calls. Closing twice does no harm.
    async fn close(&self) {}

    /// Returns how long a key and how large a value may be.
    ///
    /// For the methods that handle many entries and refuse bad input before they handle the first one.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// Tells one store from another, so that [`get_or_set_with`](crate::keyspace::get_or_set_with) computes once a store.
    ///
    /// Clones that share a store return the same instance: override this if clones of the backend have addresses of
    /// their own.
    fn instance(&self) -> Instance {
        Instance::of(self)
    }

    /// Returns the part of a backend in this process that answers at once; none unless overridden.
    ///
    /// Accessors use it in place of the methods of the same names. A wrapper that does something of its own in one of these
    /// leaves it at none, or its own part is passed by. One that forwards this method forwards
    /// [`instance`](Self::instance) too: what answers is the store of the wrapped one.
    fn in_process(&self) -> Option<&dyn InProcess> {
        None
    }

    // What users call: generic, in terms of the above.

    /// Stores `value` under `key` for `ttl`, or for ever; replaces the value and the life that were there.
    ///
    /// # Errors
    ///
    /// `InvalidKey`, `InvalidTtl`, `TooLarge` and `Encode`, before anything is sent; and what the backend fails with.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has stored everything or nothing.
    fn set<V>(
        &self,
        key: &str,
        value: V,
        ttl: Option<Duration>,
    ) -> impl Future<Output = BackendResult<()>> + Send
    where
        Self: Sized,
        V: Encode,
    {
        let written = typed::write(self, key, &value, Condition::Always, ttl.into());
        async move { written.await.map(drop) }
    }

    /// Returns the live value under `key`.
    ///
    /// # Errors
    ///
    /// `Decode` if the bytes are not a `V`; they stay.
    fn get<V>(&self, key: &str) -> impl Future<Output = BackendResult<Option<V>>> + Send
    where
        Self: Sized,
        V: Decode,
    {
        typed::get(self, key)
    }

    /// Stores `value` if there is no live entry, and says whether it did; of several callers one wins.
    fn set_if_absent<V>(
        &self,
        key: &str,
        value: V,
        ttl: Option<Duration>,
    ) -> impl Future<Output = BackendResult<bool>> + Send
    where
        Self: Sized,
        V: Encode,
    {
        typed::write(self, key, &value, Condition::Absent, ttl.into())
    }

    /// Stores `value` if there is a live entry, and says whether it did; never brings a deleted entry back.
    fn set_if_present<V>(
        &self,
        key: &str,
        value: V,
        ttl: Option<Duration>,
    ) -> impl Future<Output = BackendResult<bool>> + Send
    where
        Self: Sized,
        V: Encode,
    {
        typed::write(self, key, &value, Condition::Present, ttl.into())
    }

    /// Removes the entry and returns its value, to at most one caller.
    ///
    /// # Errors
    ///
    /// `Decode` if the bytes are not a `V`; they are gone then. With `outcome_unknown` the entry may be gone too.
    fn take<V>(&self, key: &str) -> impl Future<Output = BackendResult<Option<V>>> + Send
    where
        Self: Sized,
        V: Decode,
    {
        typed::take(self, key)
    }

    /// Returns the live value under `key` and what is left of its life, as one moment saw them.
    fn get_with_ttl<V>(
        &self,
        key: &str,
    ) -> impl Future<Output = BackendResult<Option<(V, Expiry)>>> + Send
    where
        Self: Sized,
        V: Decode,
    {
        typed::get_with_ttl(self, key)
    }

    /// Returns the live values, in the order of `keys`; a key may be named more than once.
    ///
    /// A key that holds a foreign Redis type is `None` here, where `get` fails with `WrongType`.
    ///
    /// # Errors
    ///
    /// `Decode` if one of them is not a `V`.
    fn get_many<V>(
        &self,
        keys: &[&str],
    ) -> impl Future<Output = BackendResult<Vec<Option<V>>>> + Send
    where
        Self: Sized,
        V: Decode,
    {
        typed::get_many(self, keys)
    }

    /// Stores all entries for `ttl`, or for ever. Each one is atomic, all together are not; of equal keys the last wins.
    ///
    /// # Errors
    ///
    /// Bad input (`InvalidKey`, `TooLarge`, `Encode`, `InvalidTtl`) is refused as a whole before anything is sent: nothing is
    /// stored, and [`failed_indices`](crate::BackendError::failed_indices) names the entries at fault. For later failures it
    /// names the entries that were not stored or not acknowledged; the others are stored.
    fn set_many<V>(
        &self,
        entries: &[(&str, V)],
        ttl: Option<Duration>,
    ) -> impl Future<Output = BackendResult<()>> + Send
    where
        Self: Sized,
        V: Encode,
    {
        typed::set_many(self, entries, ttl)
    }

    /// Stores `value` if the entry still holds the bytes that were read, and says whether it did.
    ///
    /// With [`Life::Keep`] the entry ends when it would have ended.
    fn compare_and_set<V>(
        &self,
        key: &str,
        expected: &Stored,
        value: V,
        life: Life,
    ) -> impl Future<Output = BackendResult<bool>> + Send
    where
        Self: Sized,
        V: Encode,
    {
        let condition = Condition::Equals(expected.as_bytes());
        typed::write(self, key, &value, condition, life)
    }
}
