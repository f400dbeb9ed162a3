//! What was used up of quotas, how it comes back, and the text that it is stored as.
//!
//! The one place where an attempt is decided; the script of the Redis backend (`throttle.lua`) repeats it step for step, in
//! the same whole numbers, and a property test holds the two against each other.
//!
//! Time is in microseconds of any clock that goes forward. After a clock was set back nobody waits for longer than right after
//! using everything up: what was stored by the clock as it was is clamped to that, and written again even if the attempt is
//! refused, or it would be clamped anew at each look.
//!
//! What is stored is a byte that CBOR reserves, the time at which the entry ends, and a part for each quota:
//!
//! ```text
//! \xFD 1790000120000000 g60000:1790000012000000:0 s1000:1790000000123:3:2
//! ```
//!
//! (without the first space). A part begins with the quota's algorithm and its period in milliseconds, and belongs to whoever
//! has such a quota. Others are carried along while they matter: during a deploy that changes a period both programs
//! keep to their own.

use std::cmp::Reverse;
use std::time::Duration;

use arrayvec::ArrayVec;

use super::attempt::{Attempt, Decision, MOST_QUOTAS};
use super::quota::{Algorithm, Quota};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// Begins what a throttle stores, so that no value and no counter is taken for it: CBOR reserves this byte.
const MARK: u8 = 0xFD;
/// A script counts in doubles, which are exact below.
const EXACT: u64 = 1 << 53;
/// The digits of such numbers.
const MOST_DIGITS: usize = 16;
/// How many parts are stored at most: those of a throttle and as many of others.
const MOST_PARTS: usize = 2 * MOST_QUOTAS;
/// The longest that anything matters, in microseconds: twice the longest period.
const LONGEST: u64 = 631_152_000_000_000;

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
    let mut parts = match stored {
        Some(stored) => parse(stored)?.1,
        None => ArrayVec::new(),
    };
    let quotas = attempt.quotas.iter();
    let mut standings: ArrayVec<_, MOST_QUOTAS> = quotas
        .map(|quota| Standing::read(quota, &mut parts, now))
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
    let (remaining, capacity) = (standing.remaining(), standing.capacity());
    let more = match remaining < capacity {
        true => standing.wait(remaining + 1, now),
        false => 0,
    };
    let decision = Decision {
        allowed,
        quota,
        limit: capacity,
        remaining,
        retry_after: (!allowed).then(|| Duration::from_micros(waits[quota])),
        next_after: Duration::from_micros(more),
        reset_after: Duration::from_micros(standing.reset(now)),
    };
    let is_clamped = standings.iter().any(|standing| standing.is_clamped);
    let writes = spends || (is_clamped && !attempt.peek);
    let spent = writes.then(|| Spent::of(&standings, &parts, now));
    Ok(Outcome { decision, spent })
}

/// Returns the end that stored bytes name, on the clock that they were written by.
pub(crate) fn end(stored: &[u8]) -> BackendResult<u64> {
    parse(stored).map(|(end, _)| end)
}

/// What was used up of one quota.
struct Standing<'a> {
    quota: &'a Quota,
    used: Used,
    /// Whether what is stored tells of a later time than can be.
    is_clamped: bool,
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
    /// Takes the part of a quota, if there is one, and moves it on to `now`.
    fn read(quota: &'a Quota, parts: &mut [Part<'_>], now: u64) -> Self {
        let head = (quota.letter(), quota.millis());
        let part = parts
            .iter_mut()
            .find(|part| part.head == head && !part.is_taken);
        let numbers = part.map_or([0; 3], |part| {
            part.is_taken = true;
            part.numbers
        });
        let (used, is_clamped) = match quota.algorithm() {
            Algorithm::Gcra => gcra(quota, numbers, now),
            Algorithm::FixedWindow => window(quota, numbers, now),
            Algorithm::SlidingWindow => buckets(quota, numbers, now / 1000),
        };
        Self {
            quota,
            used,
            is_clamped,
        }
    }

    fn capacity(&self) -> u64 {
        self.quota.capacity().into()
    }

    /// Returns how long it takes until `cost`, which is not over the capacity, fits; nothing if it fits now.
    fn wait(&self, cost: u64, now: u64) -> u64 {
        let capacity = self.capacity();
        match self.used {
            _ if cost == 0 => 0,
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
        let capacity = self.capacity();
        match self.used {
            Used::Debt { debt, time, .. } => (capacity * time).saturating_sub(debt) / time,
            Used::Window { count, .. } => capacity - count,
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
fn gcra(quota: &Quota, [whole, part, _]: [u64; 3], now: u64) -> (Used, bool) {
    let (time, units) = quota.interval();
    let most = u64::from(quota.capacity()) * time;
    let debt = match whole.checked_sub(now) {
        Some(ahead) => ahead
            .saturating_mul(units)
            .saturating_add(part.min(units - 1)),
        None => 0,
    };
    let used = Used::Debt {
        debt: debt.min(most),
        time,
        units,
    };
    (used, debt > most)
}

fn window(quota: &Quota, [end, count, _]: [u64; 3], now: u64) -> (Used, bool) {
    let latest = now + quota.millis() * 1000;
    let (count, end) = match end <= now {
        true => (0, latest),
        false => (count.min(quota.capacity().into()), end),
    };
    let used = Used::Window {
        count,
        end: end.min(latest),
    };
    (used, end > latest)
}

fn buckets(quota: &Quota, [start, current, previous]: [u64; 3], now: u64) -> (Used, bool) {
    let period = quota.millis();
    let most = u64::from(quota.limit());
    let (current, previous) = (current.min(most), previous.min(most));
    let is_ahead = start > now;
    let (start, current, previous) = match now.saturating_sub(start) / period {
        0 => (start.min(now), current, previous),
        1 => (start + period, 0, current),
        _ => (now, 0, 0),
    };
    let start = if current + previous == 0 { now } else { start };
    let used = Used::Buckets {
        current,
        previous,
        start,
        now,
    };
    (used, is_ahead)
}

impl Spent {
    fn of(standings: &[Standing<'_>], parts: &[Part<'_>], now: u64) -> Self {
        let others = parts
            .iter()
            .filter(|part| !part.is_taken && part.end() > now);
        let others = others.take(MOST_PARTS - standings.len());
        let ends = others.clone().map(|part| (part.end() - now).min(LONGEST));
        let longest = standings
            .iter()
            .map(|standing| standing.reset(now))
            .chain(ends)
            .max();
        let life = longest.unwrap_or(0).div_ceil(1000).max(1);
        let mut bytes = Vec::with_capacity(64 * standings.len() + 64);
        bytes.push(MARK);
        write_number(now + life * 1000, &mut bytes);
        for standing in standings {
            standing.write(&mut bytes, now);
        }
        for part in others {
            bytes.push(b' ');
            bytes.extend_from_slice(part.text);
        }
        Self {
            bytes,
            life: Duration::from_millis(life),
        }
    }
}

/// What is stored of one quota.
struct Part<'a> {
    text: &'a [u8],
    /// The algorithm and the period in milliseconds.
    head: (u8, u64),
    numbers: [u64; 3],
    /// Whether a quota of this throttle has it.
    is_taken: bool,
}

impl Part<'_> {
    /// Returns when it doesn't matter any more.
    fn end(&self) -> u64 {
        let [first, ..] = self.numbers;
        match self.head {
            (b'g', _) => first + 1,
            (b'f', _) => first,
            (_, period) => (first + 2 * period) * 1000,
        }
    }
}

type Parts<'a> = ArrayVec<Part<'a>, MOST_PARTS>;

/// Reads the end and the parts.
fn parse(stored: &[u8]) -> BackendResult<(u64, Parts<'_>)> {
    let mut pieces = stored.split(|byte| *byte == b' ');
    let end = pieces
        .next()
        .and_then(|first| number(first.strip_prefix(&[MARK])?));
    let mut parts = ArrayVec::new();
    for text in pieces {
        let part = part(text).filter(|_| !parts.is_full());
        parts.push(part.ok_or_else(foreign)?);
    }
    Ok((end.ok_or_else(foreign)?, parts))
}

fn part(text: &[u8]) -> Option<Part<'_>> {
    let mut fields = text.split(|byte| *byte == b':');
    let (letter, period) = fields.next()?.split_first()?;
    // A number is written in one way, so that the script can compare the text.
    let period = number(period).filter(|_| period[0] != b'0')?;
    let mut numbers = [0; 3];
    let count = match letter {
        b'g' | b'f' => 2,
        b's' => 3,
        _ => return None,
    };
    for place in &mut numbers[..count] {
        *place = number(fields.next()?)?;
    }
    fields.next().is_none().then_some(Part {
        text,
        head: (*letter, period),
        numbers,
        is_taken: false,
    })
}

/// Reads a number that a script can count with.
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > MOST_DIGITS {
        return None;
    }
    let digit = |number: u64, byte: &u8| {
        byte.is_ascii_digit()
            .then(|| number * 10 + u64::from(byte - b'0'))
    };
    let number = text.iter().try_fold(0, digit)?;
    (number < EXACT).then_some(number)
}

#[cold]
fn foreign() -> BackendError {
    BackendError::new(
        ErrorKind::WrongType,
        "the stored value is not that of a throttle",
    )
}
