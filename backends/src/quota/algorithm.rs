//! The list of the algorithms.

use super::terms::{LimiterState, QuotaTerms};
use super::{fixed_window, gcra, sliding_window};

/// The algorithm by which a [`Quota`](super::Quota) counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// The generic cell rate algorithm (ITU-T I.371, annex A), which is a token bucket without a
    /// timer: tokens come back one by one at the rate of the limit, and a burst uses up the tokens
    /// that were saved.
    Gcra,
    /// A counter that starts with the first call and is forgotten when the period is over.
    FixedWindow,
    /// Two counters, of this period and the one before, of which the older weighs as much as it
    /// overlaps the period that ends now (the approximation that Cloudflare described in 2017).
    SlidingWindow,
}

/// The name of the state of a quota in a record. Quotas of different limits share a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PartHead {
    pub(super) algorithm: Algorithm,
    /// The period in milliseconds.
    pub(super) period: u64,
}

/// Takes an item of the file of an algorithm.
macro_rules! dispatch {
    ($algorithm:expr, $($item:tt)+) => {
        match $algorithm {
            Algorithm::Gcra => gcra::$($item)+,
            Algorithm::FixedWindow => fixed_window::$($item)+,
            Algorithm::SlidingWindow => sliding_window::$($item)+,
        }
    };
}

/// The functions of an algorithm; the files of the algorithms say what they do.
impl Algorithm {
    /// Returns the letter that stands for the algorithm in a record.
    pub(super) const fn letter(self) -> u8 {
        dispatch!(self, LETTER)
    }

    pub(super) fn from_letter(letter: u8) -> Option<Self> {
        let all = [Self::Gcra, Self::FixedWindow, Self::SlidingWindow];
        all.into_iter().find(|one| one.letter() == letter)
    }

    /// Returns the count of the state's numbers that are stored.
    pub(super) const fn numbers(self) -> usize {
        dispatch!(self, NUMBERS)
    }

    pub(super) const fn is_exact(self, terms: QuotaTerms) -> bool {
        dispatch!(self, is_exact(terms))
    }

    pub(super) const fn memory(self, terms: QuotaTerms) -> u64 {
        dispatch!(self, memory(terms))
    }

    pub(super) fn is_possible(self, period: u64, state: LimiterState, at: u64) -> bool {
        dispatch!(self, is_possible(period, state, at))
    }

    pub(super) fn set_back(self, state: LimiterState, at: u64, now: u64) -> LimiterState {
        dispatch!(self, set_back(state, at, now))
    }

    pub(super) fn advance(self, terms: QuotaTerms, state: LimiterState, now: u64) -> LimiterState {
        dispatch!(self, advance(terms, state, now))
    }

    pub(super) fn wait(self, terms: QuotaTerms, state: LimiterState, cost: u64, now: u64) -> u64 {
        dispatch!(self, wait(terms, state, cost, now))
    }

    pub(super) fn spend(self, terms: QuotaTerms, state: LimiterState, cost: u64) -> LimiterState {
        dispatch!(self, spend(terms, state, cost))
    }

    pub(super) fn remaining(self, terms: QuotaTerms, state: LimiterState, now: u64) -> u64 {
        dispatch!(self, remaining(terms, state, now))
    }

    pub(super) fn end(self, period: u64, state: LimiterState) -> u64 {
        dispatch!(self, end(period, state))
    }
}
