//! The contract between users and stores: the [`Backend`] trait that users call, over the
//! [`store`] that authors write.

mod answers;
mod call;
pub(crate) mod distinct;
#[cfg(feature = "derive")]
pub(crate) mod examined;
pub(crate) mod fast_path;
mod life;
#[cfg(feature = "memory")]
pub(crate) mod memory;
pub(crate) mod plain;
#[cfg(feature = "redis-backend")]
pub(crate) mod redis;
pub mod store;
mod stored;
pub(crate) mod values;
mod write;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::codec::{Decode, Encode};
use crate::error::BackendResult;

pub use answers::{Counted, KeyStream};
pub use call::Call;
pub use life::{Expiry, Life};
use store::{Layer, Store};
pub use stored::Stored;
pub use write::{Condition, Write};

#[doc = include_str!("contract.md")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a backend",
    label = "expected a backend, such as `MemoryBackend`, `RedisBackend` or `Arc<dyn Backend>`",
    note = "a backend of your own implements `reinhardt_backends::store::Store`, and `Backend` comes with it"
)]
pub trait Backend: Store {
    // Values of any type.

    /// Stores `value` under `key` for `ttl`, or for ever; replaces the value and the life that were
    /// there.
    ///
    /// # Errors
    ///
    /// `InvalidKey`, `InvalidTtl`, `TooLarge` and `Encode`, before anything is sent; and the errors
    /// of the backend itself.
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
        let written = values::write(self, key, &value, Condition::Always, ttl.into());
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
        values::get(self, key)
    }

    /// Stores `value` if there is no live entry, and says whether it did; of several callers one
    /// wins.
    #[doc(alias("setnx", "nx", "lock"))]
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
        values::write(self, key, &value, Condition::Absent, ttl.into())
    }

    /// Stores `value` if there is a live entry, and says whether it did; never brings a deleted
    /// entry back.
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
        values::write(self, key, &value, Condition::Present, ttl.into())
    }

    /// Removes the entry and returns its value, to at most one caller.
    ///
    /// # Errors
    ///
    /// `Decode` if the bytes are not a `V`; they are gone then. With `outcome_unknown` the entry
    /// may be gone too.
    #[doc(alias("getdel", "pop"))]
    fn take<V>(&self, key: &str) -> impl Future<Output = BackendResult<Option<V>>> + Send
    where
        Self: Sized,
        V: Decode,
    {
        values::take(self, key)
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
        values::get_with_ttl(self, key)
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
        values::get_many(self, keys)
    }

    /// Stores all entries for `ttl`, or for ever. Each one is atomic, all together are not; of
    /// equal keys the last wins.
    ///
    /// # Errors
    ///
    /// Bad input (`InvalidKey`, `TooLarge`, `Encode`, `InvalidTtl`) is refused as a whole before
    /// anything is sent: nothing is stored, and
    /// [`failed_indices`](crate::BackendError::failed_indices) names the entries at fault. For
    /// later failures `failed_indices` names the entries that were not stored or not acknowledged;
    /// the others are stored.
    fn set_many<V>(
        &self,
        entries: &[(&str, V)],
        ttl: Option<Duration>,
    ) -> impl Future<Output = BackendResult<()>> + Send
    where
        Self: Sized,
        V: Encode,
    {
        values::set_many(self, entries, ttl)
    }

    /// Stores `value` if the entry still holds the bytes that were read, and says whether it did.
    ///
    /// With [`Life::Keep`] the entry ends when it would have ended.
    #[doc(alias("cas"))]
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
        values::write(self, key, &value, condition, life)
    }

    // Entries, whatever their type.

    /// Removes the entry and says whether there was a live one.
    #[doc(alias("del", "unlink", "remove"))]
    fn delete<'a>(&'a self, key: &'a str) -> Call<'a, bool> {
        Call::same(self.remove(key, None))
    }

    /// Removes the entries and returns the number of live ones among them.
    ///
    /// # Errors
    ///
    /// The errors of the backend itself; [`outcome_unknown`](crate::BackendError::outcome_unknown)
    /// if a part may have been removed.
    fn delete_many<'a>(&'a self, keys: &'a [&'a str]) -> Call<'a, u64> {
        Call::same(self.remove_many(keys))
    }

    /// Says whether there is a live entry.
    fn exists<'a>(&'a self, key: &'a str) -> Call<'a, bool> {
        Call::of_life(plain::read_life(self, key, true), |life| life.is_some())
    }

    /// Returns what is left of the entry's life; `None` if there is no live entry.
    fn ttl<'a>(&'a self, key: &'a str) -> Call<'a, Option<Expiry>> {
        Call::same(plain::read_life(self, key, true))
    }

    /// Gives the entry another life, leaves its value alone, and says whether there was a live
    /// entry.
    ///
    /// # Errors
    ///
    /// `InvalidTtl` for a life of zero or of more than 10,000 years, before anything is sent; and
    /// the errors of the backend itself.
    #[doc(alias("pexpire", "persist"))]
    fn expire<'a>(&'a self, key: &'a str, life: Life) -> Call<'a, bool> {
        Call::same(self.set_life(key, life))
    }

    /// Adds one to the counter under `key` and returns the sum; see
    /// [`increment_by`](Self::increment_by).
    #[doc(alias("incr", "counter"))]
    fn increment<'a>(&'a self, key: &'a str, ttl: Option<Duration>) -> Call<'a, i64> {
        Call::add(self, key, 1, ttl, |counted| counted.value)
    }

    /// Adds `delta` to the counter under `key` in one atomic step and returns the sum and what is
    /// left of the window.
    ///
    /// A missing counter starts at zero. `ttl` is given to a counter that has no end, whether it is
    /// new or not, and never moves an end that is there.
    ///
    /// # Errors
    ///
    /// `Overflow` if the sum leaves the range of `i64`, `WrongType` if the bytes aren't an integer
    /// in that range; both change nothing.
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
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> reinhardt_backends::BackendResult<()> {
    /// let backend = MemoryBackend::new();
    /// let counted = backend.increment_by("uploads", 5, Some(Duration::from_secs(60))).await?;
    /// assert_eq!(counted.value, 5);
    /// assert!(matches!(counted.expiry, Expiry::In(left) if left <= Duration::from_secs(60)));
    /// # Ok(()) }
    /// ```
    fn increment_by<'a>(
        &'a self,
        key: &'a str,
        delta: i64,
        ttl: Option<Duration>,
    ) -> Call<'a, Counted> {
        Call::add(self, key, delta, ttl, |counted| counted)
    }

    // The stored bytes.

    /// Returns the bytes under `key`, for [`compare_and_set`](Self::compare_and_set) and
    /// [`compare_and_delete`](Self::compare_and_delete).
    fn get_stored<'a>(&'a self, key: &'a str) -> Call<'a, Option<Stored>> {
        Call::read(self, key)
    }

    /// Stores these bytes as they are, without a codec, if the condition of `options` holds, and
    /// says whether it did.
    ///
    /// The counterpart of [`get_stored`](Self::get_stored). [`get`](Self::get) reads the bytes if
    /// they are CBOR or the decimal text of an integer.
    ///
    /// # Errors
    ///
    /// `InvalidKey`, `InvalidTtl` and `TooLarge`, before anything is sent; and the errors of the
    /// backend itself.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has stored everything or nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # use reinhardt_backends::{Backend, Condition, Life, MemoryBackend, Write};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> reinhardt_backends::BackendResult<()> {
    /// let backend = MemoryBackend::new();
    /// let once = Write::new(Life::Never).when(Condition::Absent);
    /// assert!(backend.write("icon", b"\x89PNG", once).await?);
    /// assert!(!backend.write("icon", b"GIF89a", once).await?);
    /// let stored = backend.get_stored("icon").await?;
    /// assert_eq!(stored.unwrap().as_bytes(), b"\x89PNG");
    /// # Ok(()) }
    /// ```
    fn write<'a>(&'a self, key: &'a str, value: &'a [u8], options: Write<'a>) -> Call<'a, bool> {
        Call::put(self, key, value, options)
    }

    /// Removes the entry if it still holds the bytes that were read, and says whether it did.
    fn compare_and_delete<'a>(&'a self, key: &'a str, expected: &'a Stored) -> Call<'a, bool> {
        Call::same(self.remove(key, Some(expected.as_bytes())))
    }

    // All keys.

    /// Streams the keys that begin with `prefix`; the empty prefix means all of this backend's.
    ///
    /// Every key that is there from the first poll to the last is yielded at least once; a key that
    /// comes or goes meanwhile may be yielded or not. The characters of `prefix` mean themselves.
    ///
    /// The scan looks through all keys of the store, those of others too: see [what a prefix
    /// costs](Self#what-a-prefix-costs).
    #[doc(alias("keys"))]
    fn scan<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        plain::keys(self, prefix, true)
    }

    /// Removes every entry whose key begins with `prefix` and that was there when the call began;
    /// returns the number of entries that were removed.
    ///
    /// Entries that are written meanwhile may be removed or stay. The call looks through all keys
    /// of the store, those of others too, twice on a server: see [what a prefix
    /// costs](Self#what-a-prefix-costs).
    fn clear_prefix<'a>(&'a self, prefix: &'a str) -> Call<'a, u64> {
        Call::same(self.remove_prefix(prefix))
    }

    /// Removes every entry of this backend's that was there when the call began.
    ///
    /// The call looks through all keys of the store, those of others too, twice on a server: see
    /// [what a prefix costs](Self#what-a-prefix-costs).
    ///
    /// # Errors
    ///
    /// `Unsupported` where nothing says which keys are this backend's (Redis without a namespace).
    fn clear(&self) -> Call<'_, ()> {
        Call::of_number(self.remove_prefix(""), drop)
    }

    // The store itself.

    /// Wraps the backend in a layer: every call goes through the layer. The layer that is added
    /// last is outermost; [the module](crate::layer) says what that means.
    ///
    /// # Examples
    ///
    /// ```
    /// use reinhardt_backends::layer::{Answer, Intercept, Next, Operation};
    /// use reinhardt_backends::{Backend, BackendResult, KeyStream, MemoryBackend};
    ///
    /// /// Says which calls fail.
    /// struct Failures;
    ///
    /// impl Intercept for Failures {
    ///     async fn call<T: Answer>(
    ///         &self,
    ///         operation: Operation<'_>,
    ///         next: Next<'_, T>,
    ///     ) -> BackendResult<T> {
    ///         let answer = next.run().await;
    ///         if let Err(error) = &answer {
    ///             eprintln!("{}: {error}", operation.op());
    ///         }
    ///         answer
    ///     }
    ///
    ///     fn keys<'a>(&'a self, _: Operation<'_>, next: KeyStream<'a>) -> KeyStream<'a> {
    ///         next
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> BackendResult<()> {
    /// let backend = MemoryBackend::new().layer(Failures);
    /// backend.set("user:7", "ann", None).await?;
    /// assert_eq!(backend.get::<String>("user:7").await?.as_deref(), Some("ann"));
    /// # Ok(()) }
    /// ```
    #[must_use = "the calls of the backend that is returned go through the layer"]
    fn layer<L>(self, layer: L) -> L::Backend
    where
        Self: Sized,
        L: Layer<Self>,
    {
        layer.layer(self)
    }

    /// Makes sure that the backend answers.
    fn ping(&self) -> Call<'_, ()> {
        Call::same(self.probe())
    }

    /// Gives back the resources that the backend holds outside of this process, such as a
    /// connection; a backend without any does nothing.
    ///
    /// For the end of a program, after its last call. A `RedisBackend` refuses calls from then on
    /// (`Unavailable`), also those of its clones, and waits for those under way. A `MemoryBackend`
    /// goes on answering.
    ///
    /// # Cancel safety
    ///
    /// A dropped future may have closed the backend to further calls. Closing twice does no harm.
    fn close<'a>(&'a self) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        self.shut_down()
    }
}

#[diagnostic::do_not_recommend]
impl<S: Store + ?Sized> Backend for S {}
