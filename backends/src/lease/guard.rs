//! A lease while it is held.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::claim::Claim;
use crate::backend::Backend;
use crate::error::BackendResult;

/// A granted lease; releases the lease in the background when dropped.
///
/// Dropped on a tokio runtime, the guard sends the release in a task of its own and waits for
/// nothing; a backend in this process is told at once. If nobody drives that runtime any more, the
/// next caller in this process that wants the lease removes it. Dropped elsewhere, the guard sends
/// nothing and the lease ends by itself, as it does if the process ends. [`release`](Self::release)
/// waits and tells how the release went.
#[must_use = "a lease that is dropped is released"]
pub struct LeaseGuard<B: Backend + Clone + 'static> {
    claim: Claim<B>,
    number: u64,
    ttl: Duration,
    /// The time before which the store can't have ended the lease: measured from before the call
    /// that started the lease's time.
    until: Instant,
    /// True once it was told that the lease was lost.
    is_lost: bool,
}

/// The outcome of a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a lost lease is somebody else's"]
pub enum Renewal {
    /// The lease was still held, without a gap since it was granted, and its whole time begins
    /// anew.
    Held,
    /// The lease had ended; somebody else may hold it. Nothing was changed.
    Lost,
}

impl<B: Backend + Clone + 'static> LeaseGuard<B> {
    pub(super) fn new(claim: Claim<B>, number: u64, before: Instant, ttl: Duration) -> Self {
        Self {
            claim,
            number,
            ttl,
            until: end(before, ttl),
            is_lost: false,
        }
    }

    /// Returns the number of this grant: greater than that of every earlier grant of the same
    /// lease.
    ///
    /// Send this number with each write to the resource that the lease protects, and have the
    /// resource refuse a number below the greatest that it has seen. The number is the same for as
    /// long as the guard lives, renewals included, and fits an `i64`.
    ///
    /// After a `clear`, an eviction or a loss of the counter the number still is greater if clocks
    /// are about right and fewer than a million leases a second were granted: see [what is not
    /// guaranteed](super#not-guaranteed).
    pub fn fencing_number(&self) -> u64 {
        self.number
    }

    /// Says whether the lease is surely held at this moment, by the local clock; sends nothing.
    ///
    /// The lease may be over by the time that the answer is looked at: see [what is not
    /// guaranteed](super#not-guaranteed).
    pub fn is_held(&self) -> bool {
        !self.remaining().is_zero()
    }

    /// Returns the time for which the lease is surely still held, by the local clock, zero if that
    /// time is over; sends nothing.
    ///
    /// The time is measured from before the call that started it was sent, so it ends before the
    /// store's time.
    pub fn remaining(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Starts the lease's time over if it is still held; one round trip.
    ///
    /// The lease may be renewed after [`is_held`](Self::is_held) turned false: the store decides,
    /// and has ended the lease or not.
    ///
    /// # Errors
    ///
    /// The error of the backend. The lease is then held for as long as it was before, or longer.
    ///
    /// # Cancel safety
    ///
    /// A dropped future may have renewed the lease; this guard goes by the earlier end.
    pub async fn renew(&mut self) -> BackendResult<Renewal> {
        let before = Instant::now();
        if self.claim.renew().await? {
            self.until = end(before, self.ttl);
            return Ok(Renewal::Held);
        }
        self.until = before;
        self.tell_lost();
        Ok(Renewal::Lost)
    }

    /// Gives the lease back, and says whether it was still held: `false` means that somebody else
    /// may have been inside.
    ///
    /// Never touches the lease of another owner.
    ///
    /// # Errors
    ///
    /// The error of the backend. The release is tried once more in the background, or the lease
    /// ends by itself.
    ///
    /// # Cancel safety
    ///
    /// A dropped future releases the lease in the background.
    pub async fn release(mut self) -> BackendResult<bool> {
        let released = self.claim.release().await?;
        if !released {
            self.tell_lost();
        }
        Ok(released)
    }

    /// Tells once that the lease was lost.
    fn tell_lost(&mut self) {
        if !std::mem::replace(&mut self.is_lost, true) {
            self.claim.tell_lost();
        }
    }
}

/// `ttl` is checked.
fn end(before: Instant, ttl: Duration) -> Instant {
    // A clock that can't count so far is asked again long before.
    let far = Duration::from_secs(100 * 365 * 86_400);
    before.checked_add(ttl).unwrap_or_else(|| before + far)
}

/// Leaves the token out, with which others could release the lease.
impl<B: Backend + Clone + 'static> fmt::Debug for LeaseGuard<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseGuard")
            .field("fencing_number", &self.number)
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
