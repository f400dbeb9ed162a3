//! The whole numbers that the algorithms count with.

/// The terms of a quota in whole numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct QuotaTerms {
    /// The cost that passes at once where nothing was used up before.
    pub(super) capacity: u64,
    /// The period in milliseconds.
    pub(super) period: u64,
    /// The time between two tokens as a fraction in lowest terms: microseconds over a whole number.
    pub(super) interval: (u64, u64),
}

/// The limiter state of one quota: the numbers that are stored for it, whose meaning is the
/// algorithm's. An algorithm with fewer numbers leaves the last ones zero.
///
/// The first number is a time.
pub(super) type LimiterState = [u64; 3];

/// The longest period of a quota, in milliseconds: ten years of 365.25 days.
pub(super) const MAX_MILLIS: u64 = 10 * 31_557_600_000;

/// The longest time, in microseconds, until all that a countable quota lets pass is paid back:
/// the largest number that a script counts in doubles without a mistake, divisions included.
pub(super) const LONGEST_DEBT: u64 = 1 << 52;
/// The largest product of a count and a period, in milliseconds, of a countable sliding window.
/// There are two counters, either of which may be full, and the cost.
pub(super) const MOST_WEIGHT: u64 = LONGEST_DEBT / 4;
