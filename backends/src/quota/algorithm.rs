//! The list of the algorithms, and what each of them does for a quota.

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

/// Makes the list of the algorithms and `dispatch!`, which takes an item of the file of an
/// algorithm. This is no trait, because [`Quota::fault`](super::Quota::fault) and
/// [`Quota::memory`](super::Quota::memory) are `const`.
macro_rules! algorithms {
    ($d:tt $($algorithm:ident: $file:ident,)+) => {
        const ALL: &[Algorithm] = &[$(Algorithm::$algorithm),+];

        macro_rules! dispatch {
            ($d of:expr, $d($d item:tt)+) => {
                match $d of {
                    $(Algorithm::$algorithm => $file::$d($d item)+,)+
                }
            };
        }
    };
}

algorithms! { $
    Gcra: gcra,
    FixedWindow: fixed_window,
    SlidingWindow: sliding_window,
}

/// The functions that the file of each algorithm has.
impl Algorithm {
    /// Returns the letter that stands for the algorithm in a record.
    pub(super) const fn letter(self) -> u8 {
        dispatch!(self, LETTER)
    }

    pub(super) fn from_letter(letter: u8) -> Option<Self> {
        ALL.iter().copied().find(|one| one.letter() == letter)
    }

    /// Returns the count of the state's numbers that are stored.
    pub(super) const fn stored_numbers(self) -> usize {
        dispatch!(self, STORED_NUMBERS)
    }

    /// Returns true if a quota of these terms can be counted exactly.
    pub(super) const fn is_exact(self, terms: QuotaTerms) -> bool {
        dispatch!(self, is_exact(terms))
    }

    /// Returns the time for which a use within the capacity matters, in milliseconds.
    pub(super) const fn memory(self, terms: QuotaTerms) -> u64 {
        dispatch!(self, memory(terms))
    }

    /// Returns true if a throttle could have written the state at the time `at`.
    pub(super) fn is_possible(self, period: u64, state: LimiterState, at: u64) -> bool {
        dispatch!(self, is_possible(period, state, at))
    }

    /// Moves the state from the time `at` to the earlier time `now`: as if no time had passed
    /// between them.
    pub(super) fn set_back(self, state: LimiterState, at: u64, now: u64) -> LimiterState {
        dispatch!(self, set_back(state, at, now))
    }

    /// Moves the state on to `now`.
    pub(super) fn advance(self, terms: QuotaTerms, state: LimiterState, now: u64) -> LimiterState {
        dispatch!(self, advance(terms, state, now))
    }

    /// Returns the time until `cost`, which is not over the capacity, fits; zero if it fits now.
    pub(super) fn wait(self, terms: QuotaTerms, state: LimiterState, cost: u64, now: u64) -> u64 {
        dispatch!(self, wait(terms, state, cost, now))
    }

    /// Uses up a cost that fits.
    pub(super) fn spend(self, terms: QuotaTerms, state: LimiterState, cost: u64) -> LimiterState {
        dispatch!(self, spend(terms, state, cost))
    }

    /// Returns the number of calls of cost one that would fit now.
    pub(super) fn remaining(self, terms: QuotaTerms, state: LimiterState, now: u64) -> u64 {
        dispatch!(self, remaining(terms, state, now))
    }

    /// Returns the time from which nothing is used up any more, in microseconds.
    pub(super) fn end(self, period: u64, state: LimiterState) -> u64 {
        dispatch!(self, end(period, state))
    }
}
