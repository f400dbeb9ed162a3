//! [`Algorithm::SlidingWindow`](super::Algorithm::SlidingWindow).
//!
//! The state is the begin of this period's bucket in milliseconds, the cost that passed in it, and
//! the cost that passed in the bucket before.

use super::terms::{LimiterState, MOST_WEIGHT, QuotaTerms};

pub(super) const LETTER: u8 = b's';
pub(super) const STORED_NUMBERS: usize = 3;

pub(super) const fn is_exact(terms: QuotaTerms) -> bool {
    let most = terms.period.checked_mul(terms.capacity);
    matches!(most, Some(most) if most <= MOST_WEIGHT)
}

pub(super) const fn memory(terms: QuotaTerms) -> u64 {
    terms.period.saturating_mul(2)
}

pub(super) fn is_possible(period: u64, [start, current, previous]: LimiterState, at: u64) -> bool {
    start <= at / 1000 && current.max(previous) <= MOST_WEIGHT / period
}

pub(super) fn set_back(
    [start, current, previous]: LimiterState,
    at: u64,
    now: u64,
) -> LimiterState {
    let back = at / 1000 - now / 1000;
    [start.saturating_sub(back), current, previous]
}

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

pub(super) fn spend(
    _terms: QuotaTerms,
    [start, current, previous]: LimiterState,
    cost: u64,
) -> LimiterState {
    [start, current + cost, previous]
}

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

pub(super) fn end(period: u64, [start, current, previous]: LimiterState) -> u64 {
    match (current, previous) {
        (0, 0) => 0,
        (0, _) => (start + period) * 1000,
        _ => (start + 2 * period) * 1000,
    }
}
