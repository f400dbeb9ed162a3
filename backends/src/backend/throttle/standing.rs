//! What was used up of quotas, how it comes back, and the text that it is stored as.
//!
//! The one place where an attempt is decided; the script of the Redis backend (`throttle.lua`) repeats it word for word, in
//! the same whole numbers, and a property test holds the two against each other.
//!
//! Time is in microseconds of any clock that goes forward. A clock that was set back never makes anyone wait for longer than a
//! quota that was just used up does.

use std::cmp::Reverse;
use std::str::Split;
use std::time::Duration;

use arrayvec::ArrayVec;

use super::attempt::{Attempt, Decision, MOST_QUOTAS};
use super::quota::{Algorithm, Quota};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// Begins what a throttle stores, so that no value and no counter is taken for it: CBOR reserves this byte.
const MARK: u8 = 0xFD;
/// No clock comes this far, and what is reckoned from here fits.
const END_OF_TIME: u64 = 1 << 61;

/// What an attempt leads to.
pub(crate) struct Outcome {
    pub(crate) decision: Decision,
    /// What is to be stored, if anything changes.
    pub(crate) spent: Option<Spent>,
}

pub(crate) struct Spent {
    pub(crate) bytes: Vec<u8>,
    /// How long it matters, in whole milliseconds.
    pub(crate) life: Duration,
}

/// Decides an attempt, which was checked, by what is stored and the time.
///
/// # Errors
///
/// `WrongType` if something else is stored.
pub(crate) fn decide(
    attempt: &Attempt<'_>,
    stored: Option<&[u8]>,
    now: u64,
) -> BackendResult<Outcome> {
    let mut parts = stored.map(parse).transpose()?.map(|stored| stored.parts);
    let mut part = || parts.as_mut().and_then(Iterator::next).unwrap_or_default();
    let quotas = attempt.quotas.iter();
    let mut standings: ArrayVec<_, MOST_QUOTAS> = quotas
        .map(|quota| Standing::read(quota, part(), now))
        .collect();
    let cost = u64::from(attempt.cost);
    let waits = standings.iter().map(|standing| standing.wait(cost, now));
    let waits: ArrayVec<u64, MOST_QUOTAS> = waits.collect();
    let allowed = waits.iter().all(|wait| *wait == 0);
    let spends = allowed && !attempt.peek && cost > 0;
    if spends {
        for standing in &mut standings {
            standing.spend(cost);
        }
    }
    // The one to be waited for longest, or the one that will refuse first.
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
    let decision = Decision {
        allowed,
        quota,
        limit: u64::from(standing.quota.capacity()),
        remaining: standing.remaining(),
        retry_after: (!allowed).then(|| Duration::from_micros(waits[quota])),
        reset_after: Duration::from_micros(standing.reset(now)),
    };
    let spent = spends.then(|| Spent::of(&standings, now));
    Ok(Outcome { decision, spent })
}

/// Returns the end that stored bytes name, on the clock that they were written by.
pub(crate) fn end(stored: &[u8]) -> BackendResult<u64> {
    parse(stored).map(|stored| stored.end)
}

/// What was used up of one quota.
struct Standing<'a> {
    quota: &'a Quota,
    used: Used,
}

#[derive(Clone, Copy)]
enum Used {
    /// In units of which `units` come back a microsecond, and a call takes `time` each.
    Debt { debt: u64, time: u64, units: u64 },
    /// Since the window began, which ends at `end`.
    Window { count: u64, end: u64 },
    /// In the bucket that began at `start` and the one before; in milliseconds.
    Buckets {
        current: u64,
        previous: u64,
        start: u64,
        now: u64,
    },
}

impl<'a> Standing<'a> {
    /// Reads what was stored for a quota, if it was for one with this algorithm and period, and moves it on to `now`.
    fn read(quota: &'a Quota, part: &str, now: u64) -> Self {
        let mut fields = part.split(':');
        let is_same = fields.next().is_some_and(|head| quota.is_headed(head));
        let mut next = || match is_same {
            true => fields
                .next()
                .and_then(|field| field.parse().ok())
                .unwrap_or(0),
            false => 0,
        };
        let [first, second, third] = [next(), next(), next()];
        let used = match quota.algorithm() {
            Algorithm::Gcra => gcra(quota, first, second, now),
            Algorithm::FixedWindow => window(quota, first, second, now),
            Algorithm::SlidingWindow => buckets(quota, first, second, third, now / 1000),
        };
        Self { quota, used }
    }

    /// Returns how long it takes until `cost`, which is not over the capacity, fits; nothing if it fits now.
    fn wait(&self, cost: u64, now: u64) -> u64 {
        let capacity = u64::from(self.quota.capacity());
        match self.used {
            Used::Debt { debt, time, units } => {
                let room = (capacity - cost) * time;
                debt.saturating_sub(room).div_ceil(units)
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
                    // The bucket before weighs less and less.
                    Some(room) => left - room * period / previous,
                    // This one has to become the one before.
                    None => left + period - (capacity - cost) * period / current,
                };
                wait * 1000 - now % 1000
            }
        }
    }

    fn spend(&mut self, cost: u64) {
        match &mut self.used {
            Used::Debt { debt, time, .. } => *debt += cost * *time,
            Used::Window { count, .. } => *count += cost,
            Used::Buckets { current, .. } => *current += cost,
        }
    }

    /// Returns how many calls of cost one would fit now.
    fn remaining(&self) -> u64 {
        let capacity = u64::from(self.quota.capacity());
        match self.used {
            Used::Debt { debt, time, .. } => (capacity * time).saturating_sub(debt) / time,
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

    /// Returns how long it takes until nothing is used up.
    fn reset(&self, now: u64) -> u64 {
        match self.used {
            Used::Debt { debt, units, .. } => debt.div_ceil(units),
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

    /// Appends the text of what is used up.
    fn write(&self, out: &mut Vec<u8>, now: u64) {
        out.push(b' ');
        self.quota.write_head(out);
        let (numbers, count) = match self.used {
            Used::Debt { debt, units, .. } => ([now + debt / units, debt % units, 0], 2),
            Used::Window { count, end } => ([end, count, 0], 2),
            Used::Buckets {
                current,
                previous,
                start,
                ..
            } => ([start, current, previous], 3),
        };
        for number in &numbers[..count] {
            out.push(b':');
            write_number(*number, out);
        }
    }
}

/// Appends a number in decimal text.
pub(super) fn write_number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// The debt that lasts until the theoretical arrival time: `whole` microseconds and `part` units.
fn gcra(quota: &Quota, whole: u64, part: u64, now: u64) -> Used {
    let (time, units) = quota.interval();
    let most = u64::from(quota.capacity()) * time;
    let debt = match whole.checked_sub(now) {
        Some(ahead) => ahead
            .saturating_mul(units)
            .saturating_add(part.min(units - 1)),
        None => 0,
    };
    Used::Debt {
        debt: debt.min(most),
        time,
        units,
    }
}

fn window(quota: &Quota, end: u64, count: u64, now: u64) -> Used {
    let latest = now + quota.millis() * 1000;
    if end <= now {
        return Used::Window {
            count: 0,
            end: latest,
        };
    }
    Used::Window {
        count: count.min(u32::MAX.into()),
        end: end.min(latest),
    }
}

fn buckets(quota: &Quota, start: u64, current: u64, previous: u64, now: u64) -> Used {
    let period = quota.millis();
    let most = u64::from(quota.limit());
    let (current, previous) = (current.min(most), previous.min(most));
    let (start, current, previous) = match now.saturating_sub(start) / period {
        // A bucket that begins later than now began when the clock was ahead.
        0 => (start.min(now), current, previous),
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
    fn of(standings: &[Standing<'_>], now: u64) -> Self {
        let longest = standings.iter().map(|standing| standing.reset(now)).max();
        let life = longest.unwrap_or(0).div_ceil(1000).max(1);
        let mut bytes = Vec::with_capacity(64 * standings.len() + 64);
        bytes.push(MARK);
        write_number(now + life * 1000, &mut bytes);
        for standing in standings {
            standing.write(&mut bytes, now);
        }
        Self {
            bytes,
            life: Duration::from_millis(life),
        }
    }
}

/// Stored bytes, taken apart.
struct Parsed<'a> {
    end: u64,
    parts: Split<'a, char>,
}

fn parse(stored: &[u8]) -> BackendResult<Parsed<'_>> {
    let text = stored.strip_prefix(&[MARK]);
    let text = text.and_then(|text| str::from_utf8(text).ok());
    let mut parts = text.unwrap_or_default().split(' ');
    let end = parts.next().and_then(|end| end.parse().ok());
    match end.filter(|end| *end < END_OF_TIME) {
        Some(end) => Ok(Parsed { end, parts }),
        None => Err(BackendError::new(
            ErrorKind::WrongType,
            "the stored value is not that of a throttle",
        )),
    }
}
