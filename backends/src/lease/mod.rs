#![doc = include_str!("../../docs/leases.md")]

pub(crate) mod claim;
mod fence;
mod guard;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use self::claim::Claim;
use crate::backend::Backend;
use crate::backend::store::{Event, ObservedTime, check_ttl, tell};
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::escape::escape;
use crate::time::sleep::sleep;

pub use self::guard::{LeaseGuard, Renewal};

/// A name in a backend that one owner at a time holds, for a time.
///
/// A `Lease` takes nothing by itself: [`acquire`](Self::acquire) takes the lease, as often as one
/// likes, each time as an owner of its own. [The module](self) says what a lease guarantees and
/// what not.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::MemoryBackend;
/// use reinhardt_backends::lease::Lease;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> reinhardt_backends::BackendResult<()> {
/// let backend = MemoryBackend::new();
/// let report = Lease::new(backend, "nightly-report", Duration::from_secs(30))?;
///
/// let guard = report.acquire().await?.expect("nobody has it");
/// assert!(report.acquire().await?.is_none());
/// assert!(guard.release().await?, "it was held until the end");
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[doc(alias("lock", "mutex", "redlock", "leader election"))]
pub struct Lease<B> {
    backend: B,
    key: Arc<str>,
    ttl: Duration,
}

/// The text before the names. No keyspace has such keys: a prefix holds no `@`, and behind the `@`
/// of a version stands a number.
const PREFIX: &str = "lease@name:";

/// Says whether a key is that of a lease by name, or of the counter of fencing numbers.
pub(crate) fn is_key(key: &str) -> bool {
    key.starts_with(PREFIX) || key == fence::COUNTER
}
/// The first pause between two tries lasts so long at most, each further one twice as long as the
/// one before.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

impl<B: Backend + Clone + 'static> Lease<B> {
    /// Names a lease that lasts for `ttl` from each grant and each renewal; nothing is sent.
    ///
    /// A `ttl` is rounded up to whole milliseconds. Choose it longer than the work takes with
    /// everything that usually goes wrong: a dead owner keeps others out for as long.
    ///
    /// # Errors
    ///
    /// `InvalidKey` if `name` is empty, or over the backend's limit with its escapes; `InvalidTtl`
    /// if `ttl` is zero or over 10,000 years.
    pub fn new(backend: B, name: &str, ttl: Duration) -> BackendResult<Self> {
        let ttl = check_ttl(ttl)?;
        if name.is_empty() {
            let message = "the name of a lease is empty";
            return Err(BackendError::new(ErrorKind::InvalidKey, message));
        }
        let key: Arc<str> = format!("{PREFIX}{}", escape(name)).into();
        backend.info().limits.check_key(&key)?;
        Ok(Self { backend, key, ttl })
    }

    /// Tries once to get the lease; `None` if somebody else has it, or if getting it took longer
    /// than it lasts.
    ///
    /// Three round trips, or one if the lease is refused; three more, or one more, after a release
    /// in the background of this process that isn't done.
    ///
    /// # Errors
    ///
    /// The error of the backend. A lease that was taken by then is given back in the background, or
    /// ends by itself.
    ///
    /// # Cancel safety
    ///
    /// A lease that a dropped future has taken is given back in the background, as that of a
    /// dropped guard is.
    pub async fn acquire(&self) -> BackendResult<Option<LeaseGuard<B>>> {
        // 1. The token is put under the key, if nothing is there.
        let Some(mut claim) = Claim::take(&self.backend, &self.key, self.ttl).await? else {
            return Ok(None);
        };
        // 2. A number is drawn while it is there, as 3 shows.
        let number = fence::next(&self.backend).await?;
        // 3. The token is still there and gets its whole time. This step is the grant.
        //
        // So numbers grow in the order of the grants of a name. Take two grants, A before B. A key
        // holds one token at a time, and a token that is gone never comes back, so A's was there
        // from A1 to A3, B's from B1 to B3, and the two don't overlap: A3 is before B1. A's number
        // was drawn before A3 and B's after B1, so B's is greater. An owner that stalls between 1
        // and 3 for longer than its time draws a number greater than that of a grant that comes
        // before 3, but 3 refuses it: it was never granted.
        let before = Instant::now();
        if !claim.renew().await? {
            claim.tell_lost();
            return Ok(None);
        }
        Ok(Some(LeaseGuard::new(claim, number, before, self.ttl)))
    }

    /// Tries until it has the lease; `None` if `patience` is over before. The last try is made at
    /// the end of the patience, so the call lasts longer than that by the time of the last try: up
    /// to the time limits of its three calls.
    ///
    /// Between two tries lies a random pause of 10 ms at most in the beginning and 500 ms in the
    /// end. There is no queue: the caller that waits longest need not be next. Time is tokio's, so
    /// a test with a paused clock doesn't wait.
    ///
    /// # Errors
    ///
    /// After a failure that may pass ([`is_transient`](BackendError::is_transient)) the call tries
    /// again until the patience is over; then it returns the failure of the last try. Any other
    /// failure ends the waiting.
    ///
    /// # Panics
    ///
    /// On a tokio runtime that was built without its timer.
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_within(&self, patience: Duration) -> BackendResult<Option<LeaseGuard<B>>> {
        // Without an end if it is beyond all time.
        let deadline = Instant::now().checked_add(patience);
        let waiting = ObservedTime::start(&self.backend);
        let mut most = SHORTEST_PAUSE;
        loop {
            let tried = match self.acquire().await {
                Ok(Some(guard)) => {
                    if most > SHORTEST_PAUSE {
                        waiting.tell(&self.backend, &self.key, Event::Waited);
                    }
                    return Ok(Some(guard));
                }
                Err(error) if !error.is_transient() => return Err(error),
                tried => tried,
            };
            let left = match deadline {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => LONGEST_PAUSE,
            };
            if left.is_zero() {
                tell(&self.backend, &self.key, Event::GaveUp);
                return tried;
            }
            sleep(most.mul_f64(fastrand::f64()).min(left)).await;
            most = (most * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Leaves the name out, which is the user's, and the backend.
impl<B> fmt::Debug for Lease<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}
