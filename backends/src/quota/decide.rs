//! Decides an attempt by the stored bytes and the time, and makes the record to store.
//!
//! The stored bytes are the same whichever program asks: they are never fitted to the limits of the
//! program that reads them. A debt or a count over a program's own limit is that of another
//! program, with a higher limit, and is waited for as it is. Parts of quotas that this throttle
//! doesn't have are carried along while they matter: during a deploy that changes a period both
//! programs keep to their own.
//!
//! Time is in microseconds of any clock that goes forward. If the clock shows an earlier time than
//! that of the last write, it was set back, and time is taken to have stood still since: nobody
//! waits for longer than right after that write. The next attempt with a cost writes the earlier
//! time down, even if the attempt is refused. Otherwise each look would find the clock set back
//! anew, and time would go on standing still.

use std::cmp::Reverse;
use std::time::Duration;

use arrayvec::ArrayVec;

use super::algorithm::PartHead;
use super::attempt::{Attempt, Decision, MOST_QUOTAS};
use super::limit::Quota;
use super::record::{self, LATEST, Part, Parts, Stamp};
use super::terms::{LimiterState, QuotaTerms};
use crate::error::BackendResult;

/// The result of an attempt: the decision and the new state.
pub(crate) struct Decided {
    pub(crate) decision: Decision,
    /// The new state to store, if anything changes.
    pub(crate) spent: Option<Spent>,
}

pub(crate) struct Spent {
    pub(crate) bytes: Vec<u8>,
    /// The time for which the state matters, in whole milliseconds.
    pub(crate) life: Duration,
}

/// Decides an attempt, which was checked, by the stored bytes and the time.
///
/// # Errors
///
/// `WrongType` if something else is stored, `InvalidConfig` if there is no room beside the parts of
/// other quotas.
pub(crate) fn decide(
    attempt: &Attempt<'_>,
    stored: Option<&[u8]>,
    now: u64,
) -> BackendResult<Decided> {
    let now = now.min(LATEST);
    let mut parts = Parts::new();
    let is_set_back = match stored {
        Some(stored) => read(stored, &mut parts, now)?,
        None => false,
    };
    let quotas = attempt.quotas.iter();
    let mut standings: ArrayVec<_, MOST_QUOTAS> = quotas
        .map(|quota| Standing::take(quota, &mut parts, now))
        .collect();
    let cost = u64::from(attempt.cost);
    let waits = standings.iter().map(|standing| standing.wait(cost, now));
    let waits: ArrayVec<u64, MOST_QUOTAS> = waits.collect();
    let allowed = waits.iter().all(|wait| *wait == 0);
    let writes = !attempt.peek && cost > 0;
    let spends = allowed && writes;
    if spends {
        for standing in &mut standings {
            standing.spend(cost);
        }
    }
    let decision = decision(&standings, &waits, now);
    let spent = match (spends, is_set_back) {
        (true, _) => Some(Spent::of(&standings, &parts, now)?),
        (false, true) if writes => Some(Spent::nothing(&mut parts, now)?),
        (false, _) => None,
    };
    Ok(Decided { decision, spent })
}

/// Reads the parts as they are at `now`, and says whether the clock was set back since they were
/// written.
fn read(stored: &[u8], parts: &mut Parts, now: u64) -> BackendResult<bool> {
    let at = record::parse(stored, parts)?.at;
    let is_set_back = now < at;
    if is_set_back {
        for part in parts {
            part.state = part.head.algorithm.set_back(part.state, at, now);
        }
    }
    Ok(is_set_back)
}

/// Makes the decision of the quota with the longest wait, or else of the one that will refuse
/// first.
fn decision(standings: &[Standing], waits: &[u64], now: u64) -> Decision {
    let strictest = |index: &usize| {
        let standing = &standings[*index];
        let left = standing.remaining(now);
        (waits[*index], Reverse(left), standing.reset(now))
    };
    let quota = (0..standings.len())
        .rev()
        .max_by_key(strictest)
        .unwrap_or(0);
    let standing = &standings[quota];
    let (remaining, capacity) = (standing.remaining(now), standing.terms.capacity);
    let more = match remaining < capacity {
        true => standing.wait(remaining + 1, now),
        false => 0,
    };
    // The longest wait of all.
    let wait = waits[quota];
    Decision {
        allowed: wait == 0,
        quota,
        limit: capacity,
        remaining,
        retry_after: (wait > 0).then(|| Duration::from_micros(wait)),
        next_after: Duration::from_micros(more),
        reset_after: Duration::from_micros(standing.reset(now)),
    }
}

/// Returns the end that stored bytes name, on the clock that they were written by.
pub(crate) fn record_end(stored: &[u8]) -> BackendResult<u64> {
    record::parse(stored, &mut Parts::new()).map(Stamp::end)
}

/// The state of one quota, moved on to the time of the attempt.
struct Standing {
    head: PartHead,
    terms: QuotaTerms,
    state: LimiterState,
}

impl Standing {
    /// Takes the part of a quota, if there is one, and moves it on to `now`.
    fn take(quota: &Quota, parts: &mut Parts, now: u64) -> Self {
        let (head, terms) = (quota.head(), quota.terms());
        let part = parts
            .iter_mut()
            .find(|part| part.head == head && !part.is_taken);
        let state = part.map_or(LimiterState::default(), |part| {
            part.is_taken = true;
            part.state
        });
        let state = head.algorithm.advance(terms, state, now);
        Self { head, terms, state }
    }

    fn wait(&self, cost: u64, now: u64) -> u64 {
        match cost {
            0 => 0,
            _ => self.head.algorithm.wait(self.terms, self.state, cost, now),
        }
    }

    fn spend(&mut self, cost: u64) {
        self.state = self.head.algorithm.spend(self.terms, self.state, cost);
    }

    fn remaining(&self, now: u64) -> u64 {
        self.head.algorithm.remaining(self.terms, self.state, now)
    }

    /// Returns the time until nothing is used up.
    fn reset(&self, now: u64) -> u64 {
        let end = self.head.algorithm.end(self.head.period, self.state);
        end.saturating_sub(now)
    }

    /// Returns the part that is stored for this quota.
    fn part(&self) -> Part {
        Part {
            head: self.head,
            state: self.state,
            is_taken: true,
        }
    }
}

impl Spent {
    fn of(standings: &[Standing], parts: &Parts, now: u64) -> BackendResult<Self> {
        let resets = standings.iter().map(|standing| standing.reset(now));
        let longest = resets.max().unwrap_or(0);
        let own = standings.iter().map(|standing| standing.part());
        let (bytes, life) = record::write(own, longest, parts, now)?;
        Ok(Self {
            bytes,
            life: Duration::from_millis(life),
        })
    }

    /// Notes the time of a clock that was set back, and leaves all parts as they were read.
    fn nothing(parts: &mut Parts, now: u64) -> BackendResult<Self> {
        for part in parts.iter_mut() {
            part.is_taken = false;
        }
        Self::of(&[], parts, now)
    }
}
