//! [`Algorithm::FixedWindow`](super::Algorithm::FixedWindow).
//!
//! The state is the end of the window in microseconds, and the cost that passed in it.

use super::terms::{LimiterState, QuotaTerms};

pub(super) const LETTER: u8 = b'f';
pub(super) const STORED_NUMBERS: usize = 2;

pub(super) const fn is_exact(_terms: QuotaTerms) -> bool {
    true
}

pub(super) const fn memory(terms: QuotaTerms) -> u64 {
    terms.period
}

pub(super) fn is_possible(period: u64, [end, ..]: LimiterState, at: u64) -> bool {
    end <= at + period * 1000
}

pub(super) fn set_back([end, count, rest]: LimiterState, at: u64, now: u64) -> LimiterState {
    [end.saturating_sub(at - now), count, rest]
}

pub(super) fn advance(terms: QuotaTerms, state: LimiterState, now: u64) -> LimiterState {
    match state {
        [end, ..] if end <= now => [now + terms.period * 1000, 0, 0],
        _ => state,
    }
}

pub(super) fn wait(terms: QuotaTerms, [end, count, _]: LimiterState, cost: u64, now: u64) -> u64 {
    if count + cost > terms.capacity {
        end - now
    } else {
        0
    }
}

pub(super) fn spend(_terms: QuotaTerms, [end, count, _]: LimiterState, cost: u64) -> LimiterState {
    [end, count + cost, 0]
}

pub(super) fn remaining(terms: QuotaTerms, [_, count, _]: LimiterState, _now: u64) -> u64 {
    terms.capacity.saturating_sub(count)
}

pub(super) fn end(_period: u64, [end, count, _]: LimiterState) -> u64 {
    if count > 0 { end } else { 0 }
}
