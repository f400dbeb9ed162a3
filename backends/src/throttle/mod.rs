// The first definition of a link counts: here the picture is a part of the page.
#![doc = "[bursts]: #a-picture"]
#![doc = ""]
#![doc = include_str!("../../docs/throttling.md")]
#![doc = ""]
#![doc = "# A picture"]
#![doc = ""]
#![doc = "<div>"]
#![doc = include_str!("../../docs/throttling-bursts.svg")]
#![doc = "</div>"]

#[cfg(feature = "tower")]
mod by;
#[cfg(feature = "derive")]
mod declared;
#[cfg(feature = "tower")]
mod layer;

use arrayvec::ArrayVec;

use crate::backend::Backend;
use crate::backend::store::tell_if_refused;
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::keyspace::{Key, KeySegment, Owner, PREFIX_RULE, is_prefix};
use crate::quota::{MOST_QUOTAS, check_quotas};

#[cfg(feature = "tower")]
pub use by::{ClientAddress, Forwarding, Head, HeaderKey, KeyFn, RequestKey, key_fn};
#[cfg(feature = "tower")]
pub use layer::{ThrottleLayer, ThrottleService};

pub use crate::quota::{Algorithm, Attempt, Decision, MAX_PERIOD, Quota};

/// Holds each of any number of keys to the same quotas.
///
/// The kind of keyspace with the word `limit` is the same, declared at a type and checked by the
/// compiler. This type is for limits that are known only when the program runs.
///
/// Every call is one atomic step of the store, by the store's own clock: of any number of
/// concurrent calls as many are allowed as there is room for. A use is forgotten when it doesn't
/// matter any more.
///
/// Throttles of one prefix share their keys, in other programs too. Under a key a quota goes on
/// with the use of a quota with the same algorithm and period, whatever the limit and the burst of
/// either are ([how](crate::throttle#changing-a-limit)). Quotas of another algorithm or period have
/// a count of their own under the key.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::throttle::{Quota, Throttle};
/// use reinhardt_backends::{Backend, MemoryBackend};
/// use std::{sync::Arc, time::Duration};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> reinhardt_backends::BackendResult<()> {
/// let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
/// let burst = Quota::gcra(10, Duration::from_secs(1));
/// let sustained = Quota::sliding_window(1000, Duration::from_secs(3600));
/// let throttle = Throttle::new("api", [burst, sustained])?;
///
/// let decision = throttle.check(&backend, "ann").await?;
/// assert!(decision.allowed && decision.remaining == 9);
/// let decision = throttle.check_n(&backend, "ann", 10).await?;
/// assert!(!decision.allowed);
/// assert!(decision.retry_after.is_some_and(|wait| wait <= Duration::from_millis(100)));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[doc(alias("rate limit", "limiter", "governor"))]
pub struct Throttle {
    prefix: Box<str>,
    quotas: ArrayVec<Quota, MOST_QUOTAS>,
}

impl Throttle {
    /// Makes a throttle whose keys begin with `prefix` and that asks for room in all of `quotas`:
    /// one [`Quota`], or several.
    ///
    /// Nothing else may have keys with this prefix. It has the form of a keyspace's prefix: a
    /// lower-case letter and then lower-case letters, digits, `_`, `.` and `-`.
    /// [`register_throttle!`](crate::register_throttle) declares the prefix, so that the registry
    /// knows it.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` for another prefix; with the feature `derive` for one that is declared for
    /// something else than throttles; for no quota, for more than eight, and for one that fails its
    /// [`check`](Quota::check).
    pub fn new(prefix: &str, quotas: impl IntoIterator<Item = Quota>) -> BackendResult<Self> {
        if !is_prefix(prefix) {
            return Err(BackendError::new(ErrorKind::InvalidConfig, PREFIX_RULE));
        }
        Owner::throttles().check(prefix)?;
        let quotas: Vec<Quota> = quotas.into_iter().take(MOST_QUOTAS + 1).collect();
        check_quotas(&quotas)?;
        Ok(Self {
            prefix: prefix.into(),
            quotas: quotas.into_iter().collect(),
        })
    }

    /// Uses up one of each quota for `of` if all have room, and says whether they had.
    ///
    /// # Errors
    ///
    /// `InvalidKey` if the key is over the limit, `WrongType` if something else is stored under it;
    /// and the errors of the backend: [`WhenDown`] says what to make of these.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has used up all or nothing.
    pub async fn check<B, K>(&self, backend: &B, of: &K) -> BackendResult<Decision>
    where
        B: Backend + ?Sized,
        K: KeySegment + Sync + ?Sized,
    {
        self.check_n(backend, of, 1).await
    }

    /// Uses up `cost` of each quota for `of` if all have room, and says whether they had.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check); and `TooLarge` for a cost over the capacity of a quota.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has used up all or nothing.
    pub async fn check_n<B, K>(&self, backend: &B, of: &K, cost: u32) -> BackendResult<Decision>
    where
        B: Backend + ?Sized,
        K: KeySegment + Sync + ?Sized,
    {
        let attempt = Attempt::new(&self.quotas).with_cost(cost);
        let key = self.key(of);
        let decision = backend.throttle(&key, attempt).await?;
        tell_if_refused(backend, &key, &self.quotas, &decision);
        Ok(decision)
    }

    /// Says whether `cost` of each quota would be used up now, and uses up nothing.
    ///
    /// # Errors
    ///
    /// As [`check_n`](Self::check_n).
    pub async fn peek_n<B, K>(&self, backend: &B, of: &K, cost: u32) -> BackendResult<Decision>
    where
        B: Backend + ?Sized,
        K: KeySegment + Sync + ?Sized,
    {
        let attempt = Attempt::new(&self.quotas).with_cost(cost).peeking();
        backend.throttle(&self.key(of), attempt).await
    }

    /// Says whether one of each quota would be used up now, and uses up nothing.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub async fn peek<B, K>(&self, backend: &B, of: &K) -> BackendResult<Decision>
    where
        B: Backend + ?Sized,
        K: KeySegment + Sync + ?Sized,
    {
        self.peek_n(backend, of, 1).await
    }

    /// Forgets what was used up for `of`, and says whether there was anything.
    ///
    /// # Errors
    ///
    /// `InvalidKey` if the key is over the limit; and the errors of the backend.
    pub async fn reset<B, K>(&self, backend: &B, of: &K) -> BackendResult<bool>
    where
        B: Backend + ?Sized,
        K: KeySegment + Sync + ?Sized,
    {
        backend.delete(&self.key(of)).await
    }

    /// Returns the text of the key for `of`: the prefix, a colon, and the escaped segment.
    #[must_use]
    pub fn key<K: KeySegment + ?Sized>(&self, of: &K) -> Key {
        Key::of(&self.prefix, of)
    }

    /// Returns the quotas, in the order of [`Decision::quota`].
    pub fn quotas(&self) -> &[Quota] {
        &self.quotas
    }
}

/// The policy for calls while the store can't decide; the caller chooses it.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::throttle::WhenDown;
/// use reinhardt_backends::{BackendError, ErrorKind};
///
/// let down = Err(BackendError::new(ErrorKind::Unavailable, "connection refused"));
/// assert!(WhenDown::Allow.allows(&down));
/// assert!(!WhenDown::Refuse.allows(&down));
///
/// // A mistake is no outage.
/// let mistake = Err(BackendError::new(ErrorKind::WrongType, "not a throttle"));
/// assert!(!WhenDown::Allow.allows(&mistake));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenDown {
    /// Fails open: the call passes, unlimited. For limits that share out a service.
    Allow,
    /// Fails closed: the call is refused. For limits that guard something, such as a login.
    Refuse,
}

impl WhenDown {
    /// Says whether a call passes: as was decided, or as this says where the store couldn't decide
    /// because it can't be reached (`Unavailable`, `Timeout`) or is full (`Full`). Any other error
    /// is a mistake, and refuses.
    ///
    /// The decision stays with the caller, who answers a refusal with its `retry_after` and an
    /// error with what it is.
    #[must_use]
    pub fn allows(self, decided: &BackendResult<Decision>) -> bool {
        match decided {
            Ok(decision) => decision.allowed,
            Err(error) => is_undecided(error) && self == Self::Allow,
        }
    }
}

/// Says whether a store was in no state to decide.
fn is_undecided(error: &BackendError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Full
    )
}
