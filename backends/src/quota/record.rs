//! The text that a throttle stores: when it was written, and a part for each quota.
//!
//! A byte that CBOR reserves, the time of the write in microseconds of the store's clock, the life
//! that the entry was given in milliseconds, and the parts:
//!
//! ```text
//! \xFD 1790000000000000:0000000120000 g60000:1790000012000000:0000000000:0000000001
//!     f1000:1790000000900000:0000000002 s1000:1789999999123:0000000003:0000000002
//! ```
//!
//! (on one line, and without the first space). A part begins with the letter of the quota's
//! algorithm and its period in milliseconds, and belongs to every throttle that has such a quota.
//! The rest of the part is the state; the file of the algorithm says what its numbers are. The
//! state depends on nothing else of the quota, so that programs with different limits go by the
//! same part.
//!
//! Numbers that grow as a quota is used up are written with leading zeros: the life with thirteen
//! digits, all numbers after a part's time with ten, which no quota exceeds by itself. Times have
//! as many digits anyway. So the text stays as long as it is, and a throttle in a store that is
//! full by bytes goes on. Readers take the numbers with and without such zeros, but for the
//! periods.
//!
//! All numbers are bounded when they are read, so that no sum and no product of them leaves what
//! `u64` and the doubles of a script hold exactly. A record that is written by these rules is
//! within the bounds.

use arrayvec::ArrayVec;

use super::algorithm::{Algorithm, PartHead};
use super::attempt::MOST_QUOTAS;
#[cfg(feature = "redis-backend")]
use super::limit::Quota;
use super::terms::{LONGEST_DEBT, LimiterState, MAX_MILLIS};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The first byte of a throttle's record, so that no value and no counter is taken for one: CBOR
/// reserves this byte.
const MARK: u8 = 0xFD;
/// The largest number of stored parts: those of a throttle and three times as many of others.
const MOST_PARTS: usize = 4 * MOST_QUOTAS;
/// A script counts in doubles, which are exact below this number.
const EXACT: u64 = 1 << 53;
/// The largest number of digits of such numbers.
const MOST_DIGITS: usize = 16;
/// The number of digits that the longest life has.
const LIFE_DIGITS: usize = 13;
/// The number of digits that the largest limit has, and the largest number of units.
const COUNT_DIGITS: usize = 10;
/// The latest time that is told: in the year 2112, or a hundred years after a memory backend was
/// made.
pub(super) const LATEST: u64 = (1 << 52) - 1;
/// The longest life: until the longest debt, and a fraction of a microsecond, are paid.
const LONGEST_LIFE: u64 = (LONGEST_DEBT + 1).div_ceil(1000);

/// The time at which a record was written, and the life of its entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    /// In microseconds of the store's clock.
    pub(super) at: u64,
    /// The life that the entry was given, in milliseconds.
    pub(super) life: u64,
}

impl Stamp {
    /// Returns the time at which the entry ends, on the clock that it was written by.
    pub(super) fn end(self) -> u64 {
        self.at + self.life * 1000
    }

    fn take(text: &mut &[u8]) -> Option<Self> {
        take_byte(text, MARK)?;
        let at = take_number(text)?;
        take_byte(text, b':')?;
        let life = take_number(text)?;
        let is_possible = at <= LATEST && (1..=LONGEST_LIFE).contains(&life);
        is_possible.then_some(Self { at, life })
    }

    fn write(self, out: &mut Vec<u8>) {
        out.push(MARK);
        write_number(self.at, out);
        out.push(b':');
        write_padded(self.life, LIFE_DIGITS, out);
    }
}

/// The part of one quota: how much of it is used up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) head: PartHead,
    pub(super) state: LimiterState,
    /// True if a quota of this throttle has taken the part.
    pub(super) is_taken: bool,
}

/// The parts of a record: large, so it stays where it is and is filled in place.
pub(super) type Parts = ArrayVec<Part, MOST_PARTS>;

impl Part {
    /// Returns the time from which the part doesn't matter any more, in microseconds.
    fn end(&self) -> u64 {
        self.head.algorithm.end(self.head.period, self.state)
    }

    fn take(text: &mut &[u8], at: u64) -> Option<Self> {
        take_byte(text, b' ')?;
        let (letter, rest) = text.split_first()?;
        let algorithm = Algorithm::from_letter(*letter)?;
        // A period is written in one way, so that the script can compare the text.
        if rest.first() == Some(&b'0') {
            return None;
        }
        *text = rest;
        let period = take_number(text)?;
        let mut state = LimiterState::default();
        for number in &mut state[..algorithm.stored_numbers()] {
            take_byte(text, b':')?;
            *number = take_number(text)?;
        }
        let is_possible = period <= MAX_MILLIS && algorithm.is_possible(period, state, at);
        is_possible.then_some(Self {
            head: PartHead { algorithm, period },
            state,
            is_taken: false,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(b' ');
        self.head.write(out);
        let count = self.head.algorithm.stored_numbers();
        for (index, number) in self.state[..count].iter().enumerate() {
            out.push(b':');
            let digits = if index == 0 { 0 } else { COUNT_DIGITS };
            write_padded(*number, digits, out);
        }
    }
}

impl PartHead {
    fn write(self, out: &mut Vec<u8>) {
        out.push(self.algorithm.letter());
        write_number(self.period, out);
    }
}

/// Appends the head of a quota as a record has it.
#[cfg(feature = "redis-backend")]
pub(crate) fn write_head(quota: &Quota, out: &mut Vec<u8>) {
    quota.head().write(out);
}

/// Reads a record and appends its parts.
///
/// # Errors
///
/// `WrongType` for bytes that no throttle has written.
pub(super) fn parse(stored: &[u8], parts: &mut Parts) -> BackendResult<Stamp> {
    take_all(stored, parts).ok_or_else(foreign)
}

fn take_all(mut text: &[u8], parts: &mut Parts) -> Option<Stamp> {
    let stamp = Stamp::take(&mut text)?;
    while !text.is_empty() {
        parts.try_push(Part::take(&mut text, stamp.at)?).ok()?;
    }
    Some(stamp)
}

/// Writes a record of `own` parts, which matter for `longest` microseconds, and of all other parts
/// that still matter. Returns the record with its life in milliseconds.
///
/// # Errors
///
/// `InvalidConfig` if there are too many parts: none is left out.
pub(super) fn write(
    own: impl ExactSizeIterator<Item = Part>,
    longest: u64,
    parts: &Parts,
    now: u64,
) -> BackendResult<(Vec<u8>, u64)> {
    let others: ArrayVec<&Part, MOST_PARTS> = others(parts, now).collect();
    let count = own.len() + others.len();
    if count > MOST_PARTS {
        return Err(too_many_quotas());
    }
    let ends = others.iter().map(|part| part.end().saturating_sub(now));
    let longest = ends.fold(longest, u64::max);
    let life = longest.div_ceil(1000).max(1);
    let mut bytes = Vec::with_capacity(64 * count + 64);
    Stamp { at: now, life }.write(&mut bytes);
    for part in own {
        part.write(&mut bytes);
    }
    for part in others {
        part.write(&mut bytes);
    }
    Ok((bytes, life))
}

/// Returns the parts that no quota of this throttle has taken and that still matter.
///
/// Quotas with equal heads find their parts by position, so a part that doesn't matter any more
/// keeps its place before one that does.
fn others(parts: &Parts, now: u64) -> impl Iterator<Item = &Part> {
    let matters = move |index: usize, head| {
        let after = parts[index..].iter();
        after
            .filter(|part| part.head == head)
            .any(|part| part.end() > now)
    };
    let untaken = parts.iter().enumerate().filter(|(_, part)| !part.is_taken);
    untaken
        .filter(move |(index, part)| matters(*index, part.head))
        .map(|(_, part)| part)
}

/// Appends a number in decimal text.
fn write_number(number: u64, out: &mut Vec<u8>) {
    write_padded(number, 0, out);
}

/// Appends a number in decimal text, with zeros before it up to so many digits.
fn write_padded(number: u64, digits: usize, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(number);
    let zeros = digits.saturating_sub(text.len());
    out.resize(out.len() + zeros, b'0');
    out.extend_from_slice(text.as_bytes());
}

/// Takes a number that a script can count with from the front of a text.
fn take_number(text: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    let mut digits = 0;
    while let [digit @ b'0'..=b'9', rest @ ..] = *text {
        number = number * 10 + u64::from(digit - b'0');
        digits += 1;
        if digits > MOST_DIGITS {
            return None;
        }
        *text = rest;
    }
    (digits > 0 && number < EXACT).then_some(number)
}

fn take_byte(text: &mut &[u8], expected: u8) -> Option<()> {
    let (first, rest) = text.split_first()?;
    *text = rest;
    (*first == expected).then_some(())
}

#[cold]
fn foreign() -> BackendError {
    BackendError::new(
        ErrorKind::WrongType,
        "the stored value is not that of a throttle",
    )
}

/// Refuses a write that would make another program forget its counts.
#[cold]
pub(crate) fn too_many_quotas() -> BackendError {
    BackendError::new(
        ErrorKind::InvalidConfig,
        "more than 32 different quotas are in use on one key",
    )
}
