#![doc = include_str!("../store.md")]

pub(super) mod decoded;
pub(crate) mod forward;
mod info;
mod instance;
pub(crate) mod layer;
pub(super) mod limits;
mod observer;
pub(super) mod options;
mod pointers;
mod replica_reads;
mod steps;
pub(super) mod sync;
mod throttle;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt;

use super::answers::{Counted, KeyStream};
use super::life::{Expiry, Life};
use super::stored::Stored;
use super::write::Write;
use crate::error::{BackendResult, Failures};
use crate::quota::{Attempt, Decision};

pub use self::decoded::Decoded;
pub use self::info::StoreInfo;
pub use self::instance::Instance;
pub(crate) use self::layer::Layer;
pub use self::limits::Limits;
pub use self::observer::{Event, Observer};
pub(crate) use self::observer::{ObservedTime, tell, tell_if_refused, tell_if_undecodable};
pub use self::options::{NewEntry, Touch};
pub use self::replica_reads::ReplicaReads;
pub(crate) use self::steps::move_in_steps;
pub use self::sync::{DecodedOrBytes, SyncStore};
pub use super::life::{MAX_TTL, check_ttl};

/// The boxed future of a call of [`Store`], as `#[async_trait]` makes it.
pub type BoxedCall<'a, T> = Pin<Box<dyn Future<Output = BackendResult<T>> + Send + 'a>>;

/// The authors' half of the contract: byte-level steps, each of them atomic on its key.
///
/// A type that implements it is a [`Backend`](crate::Backend). [The module](self) tells how to
/// write one, and how to write a wrapper.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a backend",
    label = "expected a backend, such as `MemoryBackend`, `RedisBackend` or `Arc<dyn Backend>`",
    note = "a backend of your own implements `reinhardt_backends::store::Store`, and `Backend` comes with it"
)]
#[async_trait]
pub trait Store: Send + Sync {
    // Required.

    /// Returns the live bytes under `key` and what is left of their life, which is never zero.
    ///
    /// # Errors
    ///
    /// `InvalidKey`, before anything is sent; `WrongType` for a key of a foreign type; and the
    /// errors of the store itself.
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>>;

    /// Writes `value` with the given life if the condition holds, in one atomic step, and says
    /// whether it did.
    ///
    /// `Life::Keep` without a live entry to keep the life of means no end.
    ///
    /// # Errors
    ///
    /// `InvalidKey`, `InvalidTtl` and `TooLarge`, before anything is sent; and the errors of the
    /// store itself. A write that failed has changed nothing, or says that its outcome is unknown.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has written everything or nothing.
    async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool>;

    /// Removes the entry, if `expected` is given only while it holds exactly these bytes, in one
    /// atomic step, and says whether there was a live entry to remove.
    ///
    /// # Errors
    ///
    /// `InvalidKey`, before anything is sent; and the errors of the store itself.
    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool>;

    /// Adds `delta` to the counter under `key` in one atomic step and returns the sum and what is
    /// left of the window.
    ///
    /// A missing counter starts at zero. `ttl` is given to a counter that has no end, whether it is
    /// new or not, and never moves an end that is there.
    ///
    /// # Errors
    ///
    /// `InvalidKey` and `InvalidTtl`, before anything is sent; `Overflow` if the sum leaves the
    /// range of `i64`, `WrongType` if the bytes aren't an integer in that range; these change
    /// nothing.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has had its whole effect or none; there never is a counter without its TTL.
    async fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted>;

    /// Gives the entry another life, leaves its value alone, and says whether there was a live
    /// entry.
    ///
    /// # Errors
    ///
    /// `InvalidKey` and `InvalidTtl`, before anything is sent; and the errors of the store itself.
    async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool>;

    /// Streams the keys that begin with `prefix`; the empty prefix means all of this store's.
    ///
    /// Every key that is there from the first poll to the last is yielded at least once; a key that
    /// comes or goes meanwhile may be yielded or not. The characters of `prefix` mean themselves.
    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a>;

    // Provided, and overridden where the store does it in one step or one round trip.

    /// Returns the bytes under `key`, with the given effect on their life.
    ///
    /// The default takes a second call where the life changes. The default may return bytes that
    /// another writer replaces in between, and with [`Touch::Extend`] an entry that ends in
    /// between.
    ///
    /// # Errors
    ///
    /// `InvalidTtl` for a life of zero or of more than 10,000 years, before anything is sent; and
    /// the errors of the store itself.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has set the life or left it alone.
    async fn read_value(&self, key: &str, touch: Touch) -> BackendResult<Option<Stored>> {
        let touch = touch.checked()?;
        let Some((stored, expiry)) = self.read(key).await? else {
            return Ok(None);
        };
        match touch {
            Touch::Restart(ttl) => {
                let is_live = self.set_life(key, Life::In(ttl)).await?;
                return Ok(is_live.then_some(stored));
            }
            Touch::Extend(ttl) if matches!(expiry, Expiry::In(left) if left < ttl) => {
                self.set_life(key, Life::In(ttl)).await?;
            }
            Touch::Extend(_) | Touch::Keep => {}
        }
        Ok(Some(stored))
    }

    /// Does what [`read_value`](Self::read_value) does for each key, in the order of `keys`.
    ///
    /// A server may say that a key of a foreign type is absent among many, where it is `WrongType`
    /// by itself.
    ///
    /// # Errors
    ///
    /// As [`read_value`](Self::read_value);
    /// [`outcome_unknown`](crate::BackendError::outcome_unknown) if the lives of some may have
    /// changed.
    async fn read_values(&self, keys: &[&str], touch: Touch) -> BackendResult<Vec<Option<Stored>>> {
        let touch = touch.checked()?;
        self.info().limits.check_keys(keys)?;
        let mut all = Vec::with_capacity(keys.len());
        for key in keys {
            let value = self.read_value(key, touch).await;
            let has_touched = touch != Touch::Keep && !all.is_empty();
            all.push(value.map_err(|error| error.after(has_touched))?);
        }
        Ok(all)
    }

    /// Returns what is left of the entry's life; `None` if there is no live entry.
    async fn read_life(&self, key: &str) -> BackendResult<Option<Expiry>> {
        Ok(self.read(key).await?.map(|(_, expiry)| expiry))
    }

    /// Removes the entry and returns its bytes, to at most one caller.
    async fn take_value(&self, key: &str) -> BackendResult<Option<Stored>> {
        loop {
            let Some(stored) = self.read_value(key, Touch::Keep).await? else {
                return Ok(None);
            };
            if self.remove(key, Some(stored.as_bytes())).await? {
                return Ok(Some(stored));
            }
        }
    }

    /// Writes all entries, each with its own life; each one is atomic, all together are not.
    ///
    /// # Errors
    ///
    /// The first failure, with the positions of all entries that were not written or not
    /// acknowledged.
    async fn put_many(&self, entries: &[NewEntry<'_>]) -> BackendResult<()> {
        self.info().limits.check_entries(entries)?;
        let mut failures = Failures::default();
        for (index, entry) in entries.iter().enumerate() {
            let put = self.put(entry.key, entry.value, Write::new(entry.life));
            let Err(error) = put.await else {
                continue;
            };
            if error.is_transient() {
                // The entries that follow would most likely fail the same way, after as long a
                // wait.
                failures.add(index..entries.len(), error);
                break;
            }
            failures.add([index], error);
        }
        failures.into_result()
    }

    /// Removes the entries and returns the number of live ones among them.
    ///
    /// # Errors
    ///
    /// The errors of the store itself; [`outcome_unknown`](crate::BackendError::outcome_unknown) if
    /// a part may have been removed.
    async fn remove_many(&self, keys: &[&str]) -> BackendResult<u64> {
        self.info().limits.check_keys(keys)?;
        let mut removed = 0;
        for key in keys {
            let done = self.remove(key, None).await;
            removed += u64::from(done.map_err(|error| error.after(removed > 0))?);
        }
        Ok(removed)
    }

    /// Removes every entry whose key begins with `prefix` and that was there when the call began;
    /// returns the number of entries that were removed. Entries that are written meanwhile may be
    /// removed or stay.
    ///
    /// # Errors
    ///
    /// `Unsupported` for the empty prefix where nothing says which keys are this store's (Redis
    /// without a namespace).
    async fn remove_prefix(&self, prefix: &str) -> BackendResult<u64> {
        let keys: Vec<String> = self.keys(prefix).try_collect().await?;
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        self.remove_many(&keys).await
    }

    /// Removes the entry under `from` while it holds exactly the bytes `expected`, writes `to` in
    /// the place of nothing, or, if `over` is given, of exactly these bytes, and says whether it
    /// did: both or nothing.
    ///
    /// An entry is never moved to its own key: that is `false`.
    ///
    /// Memory and a single Redis server move an entry in one step. A memory with bounds needs room
    /// for the weight of the new entry beyond that of the entries that go, and `Full` has changed
    /// nothing. The default writes the new entry, removes the old one, and takes the new one back
    /// if the old one was removed or changed meanwhile, or can't be removed; an entry that the new
    /// one replaced is put back with what was left of its life. Until then other callers may see
    /// both entries, and a call that ends half-way (an error with an unknown outcome, a dropped
    /// future) may leave both.
    ///
    /// If other callers change the old entry and then the new one too, there is nothing to take
    /// back: that is a `Conflict` with an unknown outcome.
    ///
    /// The default can't tell its own entry from one with the same bytes that another caller writes
    /// meanwhile, and takes that entry back too, although its write was acknowledged. If the
    /// process dies half-way the new entry stays, also where `from` was removed so that it
    /// shouldn't come. So if a value must not return, use no `lease` and no `stale` on a store with
    /// the default.
    async fn move_entry(
        &self,
        from: &str,
        expected: &[u8],
        to: NewEntry<'_>,
        over: Option<&[u8]>,
    ) -> BackendResult<bool> {
        move_in_steps(self, from, expected, to, over).await
    }

    /// Uses up the attempt's cost of each of its quotas if all of them have room for it, and says
    /// whether they had.
    ///
    /// The call is one atomic step, by the store's own clock. A refused attempt, a peek and a cost
    /// of zero use nothing up, and the counts of other quotas under `key` stay as they are. The
    /// entry lives for as long as its counts matter; [`remove`](Self::remove) forgets it.
    ///
    /// The default looks and then writes if nothing has changed, as often as it takes: two calls an
    /// attempt, or more where many meet on one key. The time between the look and the write isn't
    /// counted, so a quota lets fewer calls through than it says: each call that is allowed takes a
    /// round trip from the time in which tokens come back.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` and `TooLarge` as [`Attempt::check`], before anything is sent; `WrongType`
    /// if something else is stored under `key`, and it stays; `InvalidConfig` too if more than 32
    /// different quotas were in use under `key` at once, and nothing is used up; of the default
    /// also `Conflict`.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has used up the whole cost or nothing.
    async fn throttle(&self, key: &str, attempt: Attempt<'_>) -> BackendResult<Decision> {
        throttle::by_comparing(self, key, attempt).await
    }

    /// Makes sure that the store answers.
    async fn probe(&self) -> BackendResult<()> {
        self.read("ping").await.map(drop)
    }

    /// Gives back the resources that the store holds outside of this process, such as a connection;
    /// the default holds none there and does nothing.
    ///
    /// A wrapper closes the inner store, after its own last call of it.
    ///
    /// # Cancel safety
    ///
    /// A dropped future may have closed the store to further calls. Closing twice does no harm.
    async fn shut_down(&self) {}

    /// Describes the store: its limits and its identity.
    ///
    /// Override it if clones of the backend have addresses of their own but share a store, or if
    /// the limits aren't the default ones.
    fn info(&self) -> StoreInfo {
        StoreInfo::of(self)
    }

    /// Returns the part of a store in this process that answers without a future; `None` unless
    /// overridden.
    ///
    /// If there is such a part, it is asked in place of the methods of the same names. A wrapper
    /// that does something of its own in one of these methods returns `None` here, or the wrapper
    /// is passed by. A wrapper that hands this part on hands on the
    /// [`instance`](StoreInfo::instance) too.
    fn as_sync(&self) -> Option<&dyn SyncStore> {
        None
    }

    /// Returns the part of the store that answers plain reads from replicas, which may be behind;
    /// `None` unless overridden.
    ///
    /// If there is such a part, plain reads ask it in place of the methods of the same names;
    /// [`ReplicaReads`] says which these are. A wrapper that does something of its own in one of
    /// these methods returns `None` here, or the wrapper is passed by: every read then sees the
    /// last write.
    fn replica_reads(&self) -> Option<&dyn ReplicaReads> {
        None
    }

    /// Returns the part of the store that has the entry under `key`: a number of the store's own.
    ///
    /// A part is away by itself, such as one node of a cluster. A keyspace with
    /// [`OnUnavailable::Miss`](crate::keyspace::OnUnavailable::Miss) goes on without that part
    /// alone. The default is one part. A wrapper that changes keys asks the store inside for the
    /// key that it makes.
    ///
    /// It is called when a call of such a keyspace fails and while anything is away, and may not
    /// block. A number that no key has any more is forgotten.
    fn part_of(&self, key: &str) -> u64 {
        let _ = key;
        0
    }

    /// Returns the observer that is told of what the calls of the store don't show, such as values
    /// that don't decode; `None` unless overridden.
    ///
    /// A wrapper hands on the observer of the store inside. One that has an observer of its own
    /// tells both.
    fn observer(&self) -> Option<&dyn Observer> {
        None
    }
}
