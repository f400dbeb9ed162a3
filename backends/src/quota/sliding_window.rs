//! Two counters, of this period and the one before, of which the older weighs as much as it
//! overlaps the period that ends now (the approximation that Cloudflare described in 2017).
//!
//! The state is the begin of this period's bucket in milliseconds, the cost that passed in it, and
//! the cost that passed in the bucket before.

use super::terms::{LimiterState, MOST_WEIGHT, QuotaTerms};

pub(super) const LETTER: u8 = b's';
/// The count of the state's numbers that are stored.
pub(super) const NUMBERS: usize = 3;

/// Returns true if a quota of these terms can be counted exactly.
pub(super) const fn is_exact(terms: QuotaTerms) -> bool {
    let most = terms.period.checked_mul(terms.capacity);
    matches!(most, Some(most) if most <= MOST_WEIGHT)
}

/// Returns the time for which a use within the capacity matters, in milliseconds.
pub(super) const fn memory(terms: QuotaTerms) -> u64 {
    terms.period.saturating_mul(2)
}

/// Returns true if a throttle could have written the state at the time `at`.
pub(super) fn is_possible(period: u64, [start, current, previous]: LimiterState, at: u64) -> bool {
    start <= at / 1000 && current.max(previous) <= MOST_WEIGHT / period
}

/// Moves the state from the time `at` to the earlier time `now`: as if no time had passed between
/// them.
pub(super) fn set_back(
    [start, current, previous]: LimiterState,
    at: u64,
    now: u64,
) -> LimiterState {
    let back = at / 1000 - now / 1000;
    [start.saturating_sub(back), current, previous]
}

/// Moves the state on to `now`.
pub(super) fn advance(
    QuotaTerms { period, .. }: QuotaTerms,
    [start, current, previous]: LimiterState,
    now: u64,
) -> LimiterState {
    let now = now / 1000;
    let [start, current, previous] = match (now - start) / period {
        0 => [start, current, previous],
        1 => [start + period, 0, current],
        _ => [now, 0, 0],
    };
    let start = if current + previous == 0 { now } else { start };
    [start, current, previous]
}

/// Returns the time until `cost`, which is not over the capacity, fits; zero if it fits now.
pub(super) fn wait(
    QuotaTerms {
        capacity, period, ..
    }: QuotaTerms,
    [start, current, previous]: LimiterState,
    cost: u64,
    now: u64,
) -> u64 {
    let left = start + period - now / 1000;
    if previous * left + (current + cost) * period <= capacity * period {
        return 0;
    }
    let wait = match (capacity - cost).checked_sub(current) {
        // The previous bucket weighs less and less.
        Some(room) => left - room * period / previous,
        // The current bucket has to become the previous one.
        None => left + period - (capacity - cost) * period / current,
    };
    wait * 1000 - now % 1000
}

/// Uses up a cost that fits.
pub(super) fn spend(
    _terms: QuotaTerms,
    [start, current, previous]: LimiterState,
    cost: u64,
) -> LimiterState {
    [start, current + cost, previous]
}

/// Returns the number of calls of cost one that would fit now.
pub(super) fn remaining(
    QuotaTerms {
        capacity, period, ..
    }: QuotaTerms,
    [start, current, previous]: LimiterState,
    now: u64,
) -> u64 {
    let used = previous * (start + period - now / 1000) + current * period;
    (capacity * period).saturating_sub(used) / period
}

/// Returns the time from which nothing is used up any more, in microseconds.
pub(super) fn end(period: u64, [start, current, previous]: LimiterState) -> u64 {
    match (current, previous) {
        (0, 0) => 0,
        (0, _) => (start + period) * 1000,
        _ => (start + 2 * period) * 1000,
    }
}
