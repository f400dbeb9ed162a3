//! [`Algorithm::Gcra`](super::Algorithm::Gcra).
//!
//! The state is the theoretical arrival time, at which nothing is used up any more: in whole
//! microseconds, and the rest as a fraction: the number of units, and the number of such units in
//! a microsecond. These are the units of the quota that wrote the state; a quota with other units
//! rounds the rest up.

use super::terms::{LONGEST_DEBT, LimiterState, QuotaTerms};

pub(super) const LETTER: u8 = b'g';
pub(super) const STORED_NUMBERS: usize = 3;

pub(super) const fn is_exact(terms: QuotaTerms) -> bool {
    let most = terms.interval.0.checked_mul(terms.capacity);
    matches!(most, Some(most) if most <= LONGEST_DEBT)
}

pub(super) const fn memory(terms: QuotaTerms) -> u64 {
    let (time, units) = terms.interval;
    let micros = time.saturating_mul(terms.capacity).div_ceil(units);
    micros.div_ceil(1000)
}

pub(super) fn is_possible(_period: u64, [whole, part, units]: LimiterState, at: u64) -> bool {
    whole <= at + LONGEST_DEBT && part < units && units <= u32::MAX.into()
}

pub(super) fn set_back([whole, part, units]: LimiterState, at: u64, now: u64) -> LimiterState {
    [whole.saturating_sub(at - now), part, units]
}

pub(super) fn advance(terms: QuotaTerms, state: LimiterState, now: u64) -> LimiterState {
    let (_, units) = terms.interval;
    match state {
        [whole, ..] if whole < now => [now, 0, units],
        // A part in other units is rounded up, never lost.
        [whole, part, written] if written != units => [whole + u64::from(part > 0), 0, units],
        _ => state,
    }
}

pub(super) fn wait(terms: QuotaTerms, [whole, part, _]: LimiterState, cost: u64, now: u64) -> u64 {
    let (time, units) = terms.interval;
    let room = (terms.capacity - cost) * time;
    let missing = u64::from(part > room % units);
    (whole - now + missing).saturating_sub(room / units)
}

pub(super) fn spend(terms: QuotaTerms, [whole, part, _]: LimiterState, cost: u64) -> LimiterState {
    let (time, units) = terms.interval;
    let total = part + cost * time;
    [whole + total / units, total % units, units]
}

pub(super) fn remaining(terms: QuotaTerms, [whole, part, _]: LimiterState, now: u64) -> u64 {
    let (time, units) = terms.interval;
    let (most, ahead) = (terms.capacity * time, whole - now);
    // The product could be too large for the debt of another program.
    if ahead > most / units {
        return 0;
    }
    most.saturating_sub(ahead * units + part) / time
}

pub(super) fn end(_period: u64, [whole, part, _]: LimiterState) -> u64 {
    whole + u64::from(part > 0)
}
