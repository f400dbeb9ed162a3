//! What one key does when calls come one after the other.

use super::call::{Action, Answer, Call, End, FOR_EVER, Lasts, When};

/// What a store promises of the ends of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The time by which an entry may be gone early, or be seen late, in nanoseconds.
    pub grace: u64,
    /// True if an entry may be given up at any time and nobody tells.
    pub may_vanish: bool,
}

impl Rules {
    /// The rules of servers, which count milliseconds.
    pub const SERVERS: Self = Self {
        grace: 2_000_000,
        may_vanish: false,
    };
}

/// The value under a key, if there is one, and the time that it is at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct State {
    entry: Option<Entry>,
    /// No call has its moment before this time any more: a call has found that an entry ended.
    since: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Entry {
    value: i64,
    ends: Option<Ends>,
}

/// The first and the last time at which an entry may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Ends {
    first: u64,
    last: u64,
    /// The entry ends no later than this time after any call behind the one that set the end.
    life: u64,
}

/// The first and the last time at which a call may have its moment.
#[derive(Debug, Clone, Copy)]
struct Moment {
    first: u64,
    last: u64,
}

impl State {
    /// Returns the states that the key may be in after a call, one to three. There is none if the
    /// answer is wrong.
    pub(super) fn after(self, call: &Call, rules: Rules) -> impl Iterator<Item = Self> {
        let at = Moment {
            first: self.since.max(call.began),
            last: call.settled(),
        };
        let in_time = at.first <= at.last;
        let entry = self.entry.filter(|_| in_time);
        let present = entry.and_then(|entry| entry.seen(at, rules.grace));
        let present = present.and_then(|entry| apply(Some(entry), call, at, rules.grace));
        let gone_at = match entry {
            Some(_) if rules.may_vanish => Some(at.first),
            Some(entry) => entry.gone(at, rules.grace),
            None => (in_time && self.entry.is_none()).then_some(self.since),
        };
        let absent = gone_at.and_then(|since| {
            let first = since.max(call.began);
            let entry = apply(None, call, Moment { first, ..at }, rules.grace)?;
            Some(Self { entry, since })
        });
        let present = present.map(|entry| Self { entry, ..self });
        let nothing = (call.end == End::Perhaps).then_some(self);
        [present, absent, nothing].into_iter().flatten()
    }
}

impl Entry {
    /// Returns what is known of the entry when a call has found it; `None` if it has ended.
    fn seen(self, at: Moment, grace: u64) -> Option<Self> {
        let Some(ends) = self.ends else {
            return Some(self);
        };
        let first = ends.first.max(at.first.saturating_sub(grace));
        let last = ends.last.min(at.last.saturating_add(ends.life));
        let ends = Ends {
            first,
            last,
            ..ends
        };
        (at.first <= ends.last.saturating_add(grace)).then_some(Self {
            ends: Some(ends),
            ..self
        })
    }

    /// Returns the first time at which a call may have found that the entry has ended.
    fn gone(self, at: Moment, grace: u64) -> Option<u64> {
        let first = self.ends?.first.saturating_sub(grace);
        (first <= at.last).then_some(at.first.max(first))
    }
}

impl Moment {
    /// Returns the end of an entry that lives for so many milliseconds from here on.
    fn ends_in(self, millis: u64) -> Ends {
        let life = millis * 1_000_000;
        Ends {
            first: self.first.saturating_add(life),
            last: self.last.saturating_add(life),
            life,
        }
    }
}

/// Applies a call to a value that is there, or isn't; `None` if that can't have its answer.
fn apply(entry: Option<Entry>, call: &Call, at: Moment, grace: u64) -> Option<Option<Entry>> {
    let value = entry.map(|entry| entry.value);
    let ending = |entry: Option<Entry>, ends: Option<Ends>| entry.map(|it| Entry { ends, ..it });
    let (after, expected) = match call.action {
        Action::Get => (entry, Answer::Value(value)),
        Action::Put(new, lasts, when) => {
            let is_met = match when {
                When::Always => true,
                When::Absent => value.is_none(),
                When::Present => value.is_some(),
                When::Equals(expected) => value == Some(expected),
            };
            let written = Entry {
                value: new,
                ends: match lasts {
                    Lasts::Ever => None,
                    Lasts::For(millis) => Some(at.ends_in(millis)),
                    Lasts::Kept => entry.and_then(|entry| entry.ends),
                },
            };
            let after = if is_met { Some(written) } else { entry };
            (after, Answer::Done(is_met))
        }
        Action::CompareAndDelete(expected) => match value == Some(expected) {
            true => (None, Answer::Done(true)),
            false => (entry, Answer::Done(false)),
        },
        Action::Delete => (None, Answer::Done(value.is_some())),
        Action::Take => (None, Answer::Value(value)),
        Action::Add(delta) | Action::AddFor(delta, _) => {
            let count = value.unwrap_or(0) + delta;
            let given = match call.action {
                Action::AddFor(_, millis) => Some(at.ends_in(millis)),
                _ => None,
            };
            let ends = entry.and_then(|entry| entry.ends).or(given);
            let counted = Entry { value: count, ends };
            (Some(counted), Answer::Count(count))
        }
        Action::Exists | Action::List => (entry, Answer::Done(value.is_some())),
        Action::Ttl => return left(entry, call, at, grace),
        Action::Expire(millis) => {
            let ends = millis.map(|millis| at.ends_in(millis));
            (ending(entry, ends), Answer::Done(value.is_some()))
        }
        Action::Restart(millis) => {
            let ends = Some(at.ends_in(millis));
            (ending(entry, ends), Answer::Value(value))
        }
        Action::Extend(millis) => {
            let longer = at.ends_in(millis);
            let ends = entry.and_then(|entry| entry.ends).map(|ends| Ends {
                first: ends.first.max(longer.first),
                last: ends.last.max(longer.last),
                life: u64::MAX,
            });
            (ending(entry, ends), Answer::Value(value))
        }
        Action::Update(new) => {
            let updated = entry.map(|entry| Entry {
                value: new,
                ..entry
            });
            (updated, Answer::Value(value))
        }
        Action::Clear => return Some(None),
        Action::Evicted(given_up) => (None, Answer::Done(value == Some(given_up))),
    };
    let is_right = call.answer().is_none_or(|answer| answer == expected);
    is_right.then_some(after)
}

/// Looks at what is left of a life, and learns from it when the entry ends.
fn left(entry: Option<Entry>, call: &Call, at: Moment, grace: u64) -> Option<Option<Entry>> {
    let Some(Answer::Left(left)) = call.answer() else {
        return Some(entry);
    };
    match (entry, left) {
        (None, None) => Some(None),
        (Some(Entry { ends: None, .. }), Some(FOR_EVER)) => Some(entry),
        (Some(Entry { value, ends }), Some(left)) => {
            let ends = ends?;
            let first = at.first.saturating_add(left).saturating_sub(grace);
            let first = ends.first.max(first);
            let last = (at.last.saturating_add(left)).saturating_add(grace);
            let last = ends.last.min(last);
            let ends = Some(Ends {
                first,
                last,
                ..ends
            });
            (first <= last.saturating_add(grace)).then_some(Some(Entry { value, ends }))
        }
        _ => None,
    }
}
