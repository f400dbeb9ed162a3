//! The operations on the entry under one key, or under two, each in one step.

use std::time::Duration;

use super::bounds::NoRoom;
use super::ends::{deadline, expiry};
use super::entry::Entry;
use super::shard::Shard;
use super::step::{KeyHash, Step};
use crate::backend::life::Life;
use crate::backend::{Condition, Counted, Write};
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::quota::{Attempt, Decided, Decision, decide};
use crate::time::clock::Moment;

/// A move: one entry goes out and another one in, in one step.
#[derive(Clone, Copy)]
pub(super) struct Move<'a> {
    pub(super) from: KeyHash<'a>,
    /// The bytes that the old entry has to hold.
    pub(super) expected: &'a [u8],
    pub(super) to: KeyHash<'a>,
    /// The condition and the life of the new entry.
    pub(super) options: Write<'a>,
}

impl Shard {
    /// Writes if the condition holds; gives the entry back if there is no room for it.
    #[inline(always)]
    pub(super) fn write(
        &mut self,
        key_hash: KeyHash<'_>,
        entry: Entry,
        options: Write<'_>,
        step: &mut Step<'_>,
    ) -> Result<bool, (NoRoom, Entry)> {
        let mut present = Moment::NEVER;
        if depends_on_entry(options) {
            let live = self.live(key_hash, step.now);
            if !holds(options.condition, live) {
                return Ok(false);
            }
            present = live.map_or(Moment::NEVER, Entry::deadline);
        }
        entry.set_deadline(deadline(options.life, present, step.now));
        self.put(key_hash, entry, step)?;
        Ok(true)
    }

    /// Takes an entry out of `other`, or else out of this shard, and puts a new one in here, if the
    /// old entry holds the expected bytes and the condition holds for the new one. Needs room for
    /// the weight of the new entry beyond that of the entries that go; gives the new entry back if
    /// there is no such room.
    pub(super) fn move_in(
        &mut self,
        other: Option<&mut Self>,
        moving: Move<'_>,
        entry: Entry,
        step: &mut Step<'_>,
    ) -> Result<bool, (NoRoom, Entry)> {
        let holder = other.as_deref().unwrap_or(self);
        let old = holder.live(moving.from, step.now);
        let Some(old) = old.filter(|old| old.holds(moving.expected)).cloned() else {
            return Ok(false);
        };
        let replaced = self.live(moving.to, step.now);
        if !holds(moving.options.condition, replaced) {
            return Ok(false);
        }
        let present = replaced.map_or(Moment::NEVER, Entry::deadline);
        entry.set_deadline(deadline(moving.options.life, present, step.now));
        self.put_for(moving.to, entry, Some(&old), step)?;
        other.unwrap_or(self).give_way(moving.from, old, step);
        Ok(true)
    }

    /// `window` is checked.
    pub(super) fn increment_by(
        &mut self,
        key_hash: KeyHash<'_>,
        delta: i64,
        window: Life,
        step: &mut Step<'_>,
    ) -> Result<BackendResult<Counted>, NoRoom> {
        let Some(entry) = self.live(key_hash, step.now) else {
            return self.start_counter(key_hash, delta, window, step).map(Ok);
        };
        let Some(present) = entry.integer() else {
            return Ok(Err(BackendError::new(
                ErrorKind::WrongType,
                "the stored value is not an integer in the range of i64",
            )));
        };
        let Some(value) = present.checked_add(delta) else {
            return Ok(Err(BackendError::new(
                ErrorKind::Overflow,
                "the sum leaves the range of i64",
            )));
        };
        entry.set_integer(value);
        let mut end = entry.deadline();
        if end == Moment::NEVER {
            end = deadline(window, end, step.now);
            entry.set_deadline(end);
        }
        if self.queues.is_some() {
            entry.note_use();
        }
        self.wrote(end, step);
        Ok(Ok(Counted {
            value,
            expiry: expiry(end, step.now),
        }))
    }

    fn start_counter(
        &mut self,
        key_hash: KeyHash<'_>,
        value: i64,
        window: Life,
        step: &mut Step<'_>,
    ) -> Result<Counted, NoRoom> {
        let entry = Entry::counter(key_hash.key, value);
        let end = deadline(window, Moment::NEVER, step.now);
        entry.set_deadline(end);
        let put = self.put(key_hash, entry, step);
        put.map_err(|(no_room, _)| no_room)?;
        Ok(Counted {
            value,
            expiry: expiry(end, step.now),
        })
    }

    /// `attempt` is checked.
    pub(super) fn throttle(
        &mut self,
        key_hash: KeyHash<'_>,
        attempt: Attempt<'_>,
        step: &mut Step<'_>,
    ) -> Result<BackendResult<Decision>, NoRoom> {
        let stored = self.live(key_hash, step.now).map(Entry::bytes);
        let Decided { decision, spent } = match decide(&attempt, stored, step.now.micros()) {
            Ok(outcome) => outcome,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(mut spent) = spent {
            let entry = Entry::from_buffer(key_hash.key, &mut spent.bytes);
            entry.set_deadline(step.now.after(spent.life));
            let put = self.put(key_hash, entry, step);
            put.map_err(|(no_room, _)| no_room)?;
        }
        Ok(Ok(decision))
    }

    /// Gives a live entry another life; `life` is checked.
    pub(super) fn expire(
        &mut self,
        key_hash: KeyHash<'_>,
        life: Life,
        step: &mut Step<'_>,
    ) -> bool {
        let now = step.now;
        self.end_at(key_hash, step, |end| deadline(life, end, now))
    }

    /// Has a live entry end after `ttl` if it would end sooner; `ttl` is checked.
    pub(super) fn extend(
        &mut self,
        key_hash: KeyHash<'_>,
        ttl: Duration,
        step: &mut Step<'_>,
    ) -> bool {
        let after = step.now.after(ttl);
        self.end_at(key_hash, step, |end| end.max(after))
    }

    /// Gives a live entry another end, in place of the present one.
    fn end_at(
        &mut self,
        key_hash: KeyHash<'_>,
        step: &mut Step<'_>,
        end: impl FnOnce(Moment) -> Moment,
    ) -> bool {
        let Some(entry) = self.live(key_hash, step.now) else {
            return false;
        };
        let end = end(entry.deadline());
        entry.set_deadline(end);
        self.wrote(end, step);
        true
    }
}

/// Says whether a write depends on the entry under its key. A write that doesn't saves a look-up.
#[inline]
fn depends_on_entry(options: Write<'_>) -> bool {
    !matches!(options.condition, Condition::Always) || options.life == Life::Keep
}

/// Says whether a condition holds for the live entry under the key, or for its absence.
#[inline]
fn holds(condition: Condition<'_>, live: Option<&Entry>) -> bool {
    match condition {
        Condition::Always => true,
        Condition::Absent => live.is_none(),
        Condition::Present => live.is_some(),
        Condition::Equals(bytes) => live.is_some_and(|entry| entry.holds(bytes)),
    }
}
