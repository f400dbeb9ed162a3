//! A counter that starts with the first call and is forgotten when the period is over.
//!
//! The state is the end of the window in microseconds, and the cost that passed in it.

use super::terms::{LimiterState, QuotaTerms};

pub(super) const LETTER: u8 = b'f';
/// The count of the state's numbers that are stored.
pub(super) const NUMBERS: usize = 2;

/// Returns true if a quota of these terms can be counted exactly.
pub(super) const fn is_exact(_terms: QuotaTerms) -> bool {
    true
}

/// Returns the time for which a use within the capacity matters, in milliseconds.
pub(super) const fn memory(terms: QuotaTerms) -> u64 {
    terms.period
}

/// Returns true if a throttle could have written the state at the time `at`.
pub(super) fn is_possible(period: u64, [end, ..]: LimiterState, at: u64) -> bool {
    end <= at + period * 1000
}

/// Moves the state from the time `at` to the earlier time `now`: as if no time had passed between
/// them.
pub(super) fn set_back([end, count, rest]: LimiterState, at: u64, now: u64) -> LimiterState {
    [end.saturating_sub(at - now), count, rest]
}

/// Moves the state on to `now`.
pub(super) fn advance(terms: QuotaTerms, state: LimiterState, now: u64) -> LimiterState {
    match state {
        [end, ..] if end <= now => [now + terms.period * 1000, 0, 0],
        _ => state,
    }
}

/// Returns the time until `cost`, which is not over the capacity, fits; zero if it fits now.
pub(super) fn wait(terms: QuotaTerms, [end, count, _]: LimiterState, cost: u64, now: u64) -> u64 {
    if count + cost > terms.capacity {
        end - now
    } else {
        0
    }
}

/// Uses up a cost that fits.
pub(super) fn spend(_terms: QuotaTerms, [end, count, _]: LimiterState, cost: u64) -> LimiterState {
    [end, count + cost, 0]
}

/// Returns the number of calls of cost one that would fit now.
pub(super) fn remaining(terms: QuotaTerms, [_, count, _]: LimiterState, _now: u64) -> u64 {
    terms.capacity.saturating_sub(count)
}

/// Returns the time from which nothing is used up any more, in microseconds.
pub(super) fn end(_period: u64, [end, count, _]: LimiterState) -> u64 {
    if count > 0 { end } else { 0 }
}
