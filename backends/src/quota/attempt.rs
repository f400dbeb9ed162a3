//! The attempt that a throttle is asked to decide, and the decision.

use std::time::Duration;

use super::limit::Quota;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The question of a [`Store::throttle`](crate::store::Store::throttle): whether a cost fits into
/// all of some quotas.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Attempt<'a> {
    /// The quotas, of which each has to have room: from one to eight.
    pub quotas: &'a [Quota],
    /// The cost that the call takes of each quota.
    pub cost: u32,
    /// If `true`, nothing is used up, whatever the answer is.
    pub peek: bool,
}

/// The largest number of quotas of one throttle.
pub(crate) const MOST_QUOTAS: usize = 8;

impl<'a> Attempt<'a> {
    /// Asks for a cost of one.
    pub fn new(quotas: &'a [Quota]) -> Self {
        Self {
            quotas,
            cost: 1,
            peek: false,
        }
    }

    /// Asks for another cost; zero always fits and uses nothing up.
    #[must_use]
    pub fn with_cost(mut self, cost: u32) -> Self {
        self.cost = cost;
        self
    }

    /// Asks without using anything up.
    #[must_use]
    pub fn peeking(mut self) -> Self {
        self.peek = true;
        self
    }

    /// Makes sure that the quotas can be counted and the cost can ever fit; for authors of
    /// backends, before anything else.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` for no quota, for more than eight, and for one that fails its
    /// [`check`](Quota::check); `TooLarge` for a cost over the capacity of a quota, which would be
    /// refused for ever.
    pub fn check(&self) -> BackendResult<()> {
        check_quotas(self.quotas)?;
        if self.quotas.iter().any(|quota| self.cost > quota.capacity()) {
            return Err(BackendError::new(
                ErrorKind::TooLarge,
                "the cost is over the capacity of a quota, which could never have room for it",
            ));
        }
        Ok(())
    }
}

/// Makes sure that there is a quota, not too many, and that each can be counted.
pub(crate) fn check_quotas(quotas: &[Quota]) -> BackendResult<()> {
    if quotas.is_empty() || quotas.len() > MOST_QUOTAS {
        return Err(BackendError::new(
            ErrorKind::InvalidConfig,
            "a throttle has from one to eight quotas",
        ));
    }
    quotas.iter().try_for_each(Quota::check)
}

/// The answer to an attempt, and the state of the quotas after it.
///
/// With several quotas the numbers are those of one quota: the quota with the longest wait if the
/// attempt was refused, or else the quota that has the least left.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::MemoryBackend;
/// use reinhardt_backends::throttle::{Quota, Throttle};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> reinhardt_backends::BackendResult<()> {
/// let throttle = Throttle::new("api", [Quota::fixed_window(2, Duration::from_secs(60))])?;
/// let decision = throttle.check(&MemoryBackend::new(), "ann").await?;
/// assert!(decision.allowed);
/// assert_eq!((decision.limit, decision.remaining, decision.retry_after), (2, 1, None));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a refused attempt is no error: look at `allowed`"]
pub struct Decision {
    /// True if every quota had room for the cost. Then the cost was used up, unless this was a
    /// peek; a refused attempt uses nothing up.
    pub allowed: bool,
    /// The position of the quota whose numbers these are.
    pub quota: usize,
    /// The number of calls of cost one that pass at once where nothing was used up: the quota's
    /// [capacity](Quota::capacity), which for GCRA is the burst.
    pub limit: u64,
    /// The number of further calls of cost one that would pass now.
    pub remaining: u64,
    /// The time to wait until the same attempt can pass, if no other attempt comes first; `None` if
    /// the attempt was allowed.
    pub retry_after: Option<Duration>,
    /// The time until `remaining` grows; zero if nothing is used up.
    pub next_after: Duration,
    /// The time until nothing is used up any more.
    pub reset_after: Duration,
}
