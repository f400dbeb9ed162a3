//! Limits on how often something may happen.

use std::iter::{Once, once};
use std::time::Duration;

use super::algorithm::{Algorithm, PartHead};
use super::terms::{MAX_MILLIS, QuotaTerms};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// A limit on how often something may happen: so many calls in a period, counted by one of three
/// algorithms.
///
/// The page [Throttling](crate::throttle) compares the algorithms. A call has a cost, one unless it
/// says another; [`capacity`](Self::capacity) is the cost that passes at once where nothing was
/// used up before.
///
/// Making a quota checks nothing; whatever takes a quota checks it ([`check`](Self::check)). A
/// quota that is [read from text](#impl-FromStr-for-Quota) is checked.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::throttle::Quota;
/// use std::time::Duration;
///
/// const LOGIN: Quota = Quota::gcra(5, Duration::from_secs(60)).with_burst(10);
/// assert_eq!(LOGIN.capacity(), 10);
/// assert_eq!(Quota::sliding_window(100, Duration::from_secs(1)).capacity(), 100);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    algorithm: Algorithm,
    limit: u32,
    period: Duration,
    burst: u32,
    /// The time between two tokens as a fraction in lowest terms: microseconds over a whole number.
    interval: (u64, u64),
}

/// The longest period of a quota: ten years of 365.25 days.
pub const MAX_PERIOD: Duration = Duration::from_millis(MAX_MILLIS);

impl Quota {
    /// Lets `limit` calls pass in each `period`, spread evenly, and as many at once.
    ///
    /// In the first period up to twice the limit can pass: the tokens that were saved and those
    /// that come back meanwhile.
    pub const fn gcra(limit: u32, period: Duration) -> Self {
        Self::new(Algorithm::Gcra, limit, period)
    }

    /// Lets `limit` calls pass in a window of `period` that begins with the first call.
    ///
    /// Around the end of a window twice the limit can pass in a short time.
    pub const fn fixed_window(limit: u32, period: Duration) -> Self {
        Self::new(Algorithm::FixedWindow, limit, period)
    }

    /// Lets about `limit` calls pass in the `period` that ends now, whenever that is.
    ///
    /// The calls of the period before are taken to be evenly spread.
    pub const fn sliding_window(limit: u32, period: Duration) -> Self {
        Self::new(Algorithm::SlidingWindow, limit, period)
    }

    const fn new(algorithm: Algorithm, limit: u32, period: Duration) -> Self {
        Self {
            algorithm,
            limit,
            period,
            burst: limit,
            interval: interval(limit, period),
        }
    }

    /// Lets `burst` calls pass at once, in place of the limit; for GCRA alone, as windows know no
    /// burst.
    #[must_use]
    pub const fn with_burst(mut self, burst: u32) -> Self {
        self.burst = burst;
        self
    }

    /// Returns the algorithm by which the quota counts.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the number of calls that pass in a period.
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// Returns the period.
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// Returns the number of calls that pass at once where nothing was used up before: the burst of
    /// GCRA, the limit of a window.
    pub const fn capacity(&self) -> u32 {
        match self.algorithm {
            Algorithm::Gcra => self.burst,
            Algorithm::FixedWindow | Algorithm::SlidingWindow => self.limit,
        }
    }

    /// Makes sure that the quota can be counted, and exactly.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` for a limit or a burst of zero, a burst on a window, a period that isn't
    /// whole milliseconds or is over [`MAX_PERIOD`], and for a limit so high in a period so long
    /// that it can't be counted exactly, such as 200,003 a day by GCRA: the number has no common
    /// divisor with the period.
    pub fn check(&self) -> BackendResult<()> {
        match self.fault() {
            None => Ok(()),
            Some(fault) => Err(BackendError::new(ErrorKind::InvalidConfig, fault)),
        }
    }

    /// For the derive, which asks at compile time: returns the text that [`check`](Self::check)
    /// would fail with.
    #[doc(hidden)]
    pub const fn fault(&self) -> Option<&'static str> {
        if self.limit == 0 || self.burst == 0 {
            return Some("a quota of zero lets nothing pass");
        }
        if self.period.is_zero() || !self.period.subsec_nanos().is_multiple_of(1_000_000) {
            return Some("the period of a quota is one or more whole milliseconds");
        }
        if self.period.as_nanos() > MAX_PERIOD.as_nanos() {
            return Some("the period of a quota is over ten years");
        }
        if !self.algorithm.is_exact(self.terms()) {
            return Some("the limit of a quota is too high for its period to be counted exactly");
        }
        if self.burst != self.limit && !matches!(self.algorithm, Algorithm::Gcra) {
            return Some("a window has no burst");
        }
        None
    }

    /// For the derive: returns the time for which a use within the limit of this quota matters. The
    /// quota passes [`check`](Self::check).
    ///
    /// An entry lives for longer where a program with a higher limit has used up more, or has other
    /// quotas on the key.
    #[doc(hidden)]
    pub const fn memory(&self) -> Duration {
        Duration::from_millis(self.algorithm.memory(self.terms()))
    }

    /// Returns the head under which the quota's state is stored.
    pub(super) const fn head(&self) -> PartHead {
        PartHead {
            algorithm: self.algorithm,
            period: millis(self.period),
        }
    }

    /// Returns the quota's terms in whole numbers.
    pub(super) const fn terms(&self) -> QuotaTerms {
        QuotaTerms {
            capacity: self.capacity() as u64,
            period: millis(self.period),
            interval: self.interval,
        }
    }

    /// Returns the time between two tokens as a fraction in lowest terms: microseconds over a whole
    /// number.
    #[cfg(any(feature = "redis-backend", test))]
    pub(crate) const fn interval(&self) -> (u64, u64) {
        self.interval
    }
}

/// One quota stands where several may: `Throttle::new("api", quota)`.
impl IntoIterator for Quota {
    type Item = Self;
    type IntoIter = Once<Self>;

    fn into_iter(self) -> Once<Self> {
        once(self)
    }
}

/// Returns whole milliseconds.
const fn millis(period: Duration) -> u64 {
    let seconds = period.as_secs().saturating_mul(1000);
    seconds.saturating_add(period.subsec_millis() as u64)
}

/// Divides by the greatest common divisor (Euclid's algorithm), when a quota is made and not when
/// it is asked.
const fn interval(limit: u32, period: Duration) -> (u64, u64) {
    let (period, limit) = (millis(period).saturating_mul(1000), limit as u64);
    if period == 0 || limit == 0 {
        return (period, 1);
    }
    let (mut divisor, mut rest) = (period, limit);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (period / divisor, limit / divisor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn kind(quota: Quota) -> Option<ErrorKind> {
        quota.check().err().map(|error| error.kind())
    }

    #[test]
    fn what_can_not_be_counted_is_refused() {
        let second = Duration::from_secs(1);
        let invalid = Some(ErrorKind::InvalidConfig);
        for new in [Quota::gcra, Quota::fixed_window, Quota::sliding_window] {
            assert_eq!(kind(new(5, second)), None);
            assert_eq!(kind(new(1, Duration::from_millis(1))), None);
            assert_eq!(kind(new(0, second)), invalid);
            assert_eq!(kind(new(5, Duration::ZERO)), invalid);
            assert_eq!(kind(new(5, Duration::from_micros(1500))), invalid);
            assert_eq!(kind(new(5, MAX_PERIOD)), None);
            assert_eq!(kind(new(5, MAX_PERIOD + Duration::from_millis(1))), invalid);
            assert_eq!(kind(new(5, Duration::MAX)), invalid);
        }
        assert_eq!(kind(Quota::gcra(5, second).with_burst(0)), invalid);
        assert_eq!(kind(Quota::fixed_window(5, second).with_burst(6)), invalid);
        assert_eq!(kind(Quota::gcra(200_003, DAY)), invalid);
        assert_eq!(kind(Quota::gcra(u32::MAX, second)), None);
        assert_eq!(kind(Quota::gcra(1_000_000, DAY)), None);
        assert_eq!(kind(Quota::sliding_window(u32::MAX, DAY)), invalid);
        assert_eq!(kind(Quota::sliding_window(1_000_000, DAY)), None);
    }

    #[test]
    fn an_interval_is_exact() {
        assert_eq!(
            Quota::gcra(5, Duration::from_secs(60)).interval(),
            (12_000_000, 1)
        );
        assert_eq!(
            Quota::gcra(7, Duration::from_secs(60)).interval(),
            (60_000_000, 7)
        );
        assert_eq!(
            Quota::gcra(30_000, Duration::from_secs(1)).interval(),
            (100, 3)
        );
    }

    #[test]
    fn what_was_used_up_is_remembered_for_as_long_as_it_matters() {
        let minute = Duration::from_secs(60);
        let memory = Quota::gcra(5, minute).with_burst(10).memory();
        assert_eq!(memory, Duration::from_secs(120));
        assert_eq!(
            Quota::gcra(7, minute).with_burst(1).memory(),
            Duration::from_millis(8572)
        );
        assert_eq!(Quota::fixed_window(5, minute).memory(), minute);
        assert_eq!(Quota::sliding_window(5, minute).memory(), 2 * minute);
    }
}
