//! The limiter state: how much of each quota is used up, and how it comes back.
//!
//! The one place where an attempt is decided; the script of the Redis backend (`throttle.lua`)
//! repeats the decision step for step, in the same whole numbers, and a property test compares the
//! two.
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

use super::attempt::{Attempt, Decision, MOST_QUOTAS};
use super::quota::{Algorithm, Quota};
use super::record::{self, LATEST, Part, Parts, Stamp};
use crate::error::BackendResult;

/// The result of an attempt: the decision and the new state.
pub(crate) struct Outcome {
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
) -> BackendResult<Outcome> {
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
    Ok(Outcome { decision, spent })
}

/// Reads the parts as they are at `now`, and says whether the clock was set back since they were
/// written.
fn read(stored: &[u8], parts: &mut Parts, now: u64) -> BackendResult<bool> {
    let at = record::parse(stored, parts)?.at;
    let is_set_back = now < at;
    if is_set_back {
        for part in parts {
            part.set_back(at, now);
        }
    }
    Ok(is_set_back)
}

/// Makes the decision of the quota with the longest wait, or else of the one that will refuse
/// first.
fn decision(standings: &[Standing<'_>], waits: &[u64], now: u64) -> Decision {
    let strictest = |index: &usize| {
        let standing = &standings[*index];
        let left = standing.remaining();
        (waits[*index], Reverse(left), standing.reset(now))
    };
    let quota = (0..standings.len())
        .rev()
        .max_by_key(strictest)
        .unwrap_or(0);
    let standing = &standings[quota];
    let (remaining, capacity) = (standing.remaining(), standing.capacity());
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
pub(crate) fn end(stored: &[u8]) -> BackendResult<u64> {
    record::parse(stored, &mut Parts::new()).map(Stamp::end)
}

/// The state of one quota: how much of it is used up.
struct Standing<'a> {
    quota: &'a Quota,
    used: Used,
}

#[derive(Clone, Copy)]
enum Used {
    /// It takes `ahead` microseconds and `part` units, of which `units` come back a microsecond,
    /// until nothing is used up; a call takes `time` units.
    Debt {
        ahead: u64,
        part: u64,
        time: u64,
        units: u64,
    },
    /// The count since the window began, which ends at `end`.
    Window { count: u64, end: u64 },
    /// The counts in the bucket that began at `start` and in the one before; times in milliseconds.
    Buckets {
        current: u64,
        previous: u64,
        start: u64,
        now: u64,
    },
}

impl<'a> Standing<'a> {
    /// Takes the part of a quota, if there is one, and moves it on to `now`.
    fn take(quota: &'a Quota, parts: &mut Parts, now: u64) -> Self {
        let head = quota.head();
        let part = parts
            .iter_mut()
            .find(|part| part.head == head && !part.is_taken);
        let numbers = part.map_or([0; 3], |part| {
            part.is_taken = true;
            part.numbers
        });
        let used = match quota.algorithm() {
            Algorithm::Gcra => gcra(quota, numbers, now),
            Algorithm::FixedWindow => window(quota, numbers, now),
            Algorithm::SlidingWindow => buckets(quota, numbers, now / 1000),
        };
        Self { quota, used }
    }

    fn capacity(&self) -> u64 {
        self.quota.capacity().into()
    }

    /// Returns the time until `cost`, which is not over the capacity, fits; zero if it fits now.
    fn wait(&self, cost: u64, now: u64) -> u64 {
        let capacity = self.capacity();
        match self.used {
            _ if cost == 0 => 0,
            Used::Debt {
                ahead,
                part,
                time,
                units,
            } => {
                let room = (capacity - cost) * time;
                let (whole, rest) = (room / units, room % units);
                (ahead + u64::from(part > rest)).saturating_sub(whole)
            }
            Used::Window { count, end } if count + cost > capacity => end - now,
            Used::Window { .. } => 0,
            Used::Buckets {
                current,
                previous,
                start,
                now: millis,
            } => {
                let period = self.quota.millis();
                let left = start + period - millis;
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
        }
    }

    /// Uses up a cost that fits.
    fn spend(&mut self, cost: u64) {
        match &mut self.used {
            Used::Debt {
                ahead,
                part,
                time,
                units,
            } => {
                let total = *part + cost * *time;
                *ahead += total / *units;
                *part = total % *units;
            }
            Used::Window { count, .. } => *count += cost,
            Used::Buckets { current, .. } => *current += cost,
        }
    }

    /// Returns the number of calls of cost one that would fit now.
    fn remaining(&self) -> u64 {
        let capacity = self.capacity();
        match self.used {
            Used::Debt {
                ahead,
                part,
                time,
                units,
            } => {
                let most = capacity * time;
                // The product could be too large for the debt of another program.
                if ahead > most / units {
                    return 0;
                }
                most.saturating_sub(ahead * units + part) / time
            }
            Used::Window { count, .. } => capacity.saturating_sub(count),
            Used::Buckets {
                current,
                previous,
                start,
                now,
            } => {
                let period = self.quota.millis();
                let used = previous * (start + period - now) + current * period;
                (capacity * period).saturating_sub(used) / period
            }
        }
    }

    /// Returns the time until nothing is used up.
    fn reset(&self, now: u64) -> u64 {
        match self.used {
            Used::Debt { ahead, part, .. } => ahead + u64::from(part > 0),
            Used::Window { count: 0, .. } => 0,
            Used::Window { end, .. } => end - now,
            Used::Buckets {
                current,
                previous,
                start,
                ..
            } => {
                let period = self.quota.millis();
                let end = match (current, previous) {
                    (0, 0) => return 0,
                    (0, _) => start + period,
                    _ => start + 2 * period,
                };
                end * 1000 - now
            }
        }
    }

    /// Returns the part that is stored for this quota.
    fn part(&self, now: u64) -> Part {
        let numbers = match self.used {
            Used::Debt {
                ahead, part, units, ..
            } => [now + ahead, part, units],
            Used::Window { count, end } => [end, count, 0],
            Used::Buckets {
                current,
                previous,
                start,
                ..
            } => [start, current, previous],
        };
        Part {
            head: self.quota.head(),
            numbers,
            is_taken: true,
        }
    }
}

/// The debt that lasts until the theoretical arrival time: `whole` microseconds and a part of one,
/// in units of the quota that wrote it.
fn gcra(quota: &Quota, [whole, part, written]: [u64; 3], now: u64) -> Used {
    let (time, units) = quota.interval();
    let (ahead, part) = match whole.checked_sub(now) {
        None => (0, 0),
        // A part in other units is rounded up, never lost.
        Some(ahead) if written != units => (ahead + u64::from(part > 0), 0),
        Some(ahead) => (ahead, part),
    };
    Used::Debt {
        ahead,
        part,
        time,
        units,
    }
}

fn window(quota: &Quota, [end, count, _]: [u64; 3], now: u64) -> Used {
    match end <= now {
        true => Used::Window {
            count: 0,
            end: now + quota.millis() * 1000,
        },
        false => Used::Window { count, end },
    }
}

fn buckets(quota: &Quota, [start, current, previous]: [u64; 3], now: u64) -> Used {
    let period = quota.millis();
    let (start, current, previous) = match (now - start) / period {
        0 => (start, current, previous),
        1 => (start + period, 0, current),
        _ => (now, 0, 0),
    };
    let start = if current + previous == 0 { now } else { start };
    Used::Buckets {
        current,
        previous,
        start,
        now,
    }
}

impl Spent {
    fn of(standings: &[Standing<'_>], parts: &Parts, now: u64) -> BackendResult<Self> {
        let resets = standings.iter().map(|standing| standing.reset(now));
        let longest = resets.max().unwrap_or(0);
        let own = standings.iter().map(|standing| standing.part(now));
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
