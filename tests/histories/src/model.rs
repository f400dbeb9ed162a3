//! What one key does when calls come one after the other.

use super::call::{Action, Answer, Call};

/// The time by which an entry may be gone early, or be seen late, in nanoseconds: servers count
/// milliseconds.
const GRACE: u64 = 2_000_000;

/// The value under a key, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct State(Option<Entry>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Entry {
    value: i64,
    /// The first and the last time at which the entry may end, if it ends.
    ends: Option<(u64, u64)>,
}

impl State {
    /// Returns the states that the key may be in after a call, one or two. There is none if the
    /// answer is wrong.
    pub(super) fn after(self, call: &Call) -> impl Iterator<Item = Self> {
        let present = self.0.filter(|entry| match entry.ends {
            Some((_, last)) => call.began <= last.saturating_add(GRACE),
            None => true,
        });
        let may_have_ended = match self.0.and_then(|entry| entry.ends) {
            Some((first, _)) => call.settled() >= first.saturating_sub(GRACE),
            None => self.0.is_none(),
        };
        let present = present.map(Some);
        let absent = may_have_ended.then_some(None);
        let call = *call;
        present
            .into_iter()
            .chain(absent)
            .filter_map(move |entry| apply(entry, &call).map(Self))
    }
}

/// Applies a call to a value that is there, or isn't; `None` if that can't have its answer.
fn apply(entry: Option<Entry>, call: &Call) -> Option<Option<Entry>> {
    let value = entry.map(|entry| entry.value);
    let written = |value| Some(Entry { value, ends: None });
    let (after, expected) = match call.action {
        Action::Get => (entry, Answer::Value(value)),
        Action::Set(value) => (written(value), Answer::Done(true)),
        Action::SetFor(value, millis) => {
            let life = millis * 1_000_000;
            let ends = (
                call.began.saturating_add(life),
                call.settled().saturating_add(life),
            );
            let ends = Some(ends);
            (Some(Entry { value, ends }), Answer::Done(true))
        }
        Action::SetIfAbsent(new) => match value {
            None => (written(new), Answer::Done(true)),
            Some(_) => (entry, Answer::Done(false)),
        },
        Action::SetIfPresent(new) => match value {
            Some(_) => (written(new), Answer::Done(true)),
            None => (entry, Answer::Done(false)),
        },
        Action::CompareAndSet(expected, new) => match value == Some(expected) {
            true => (written(new), Answer::Done(true)),
            false => (entry, Answer::Done(false)),
        },
        Action::CompareAndDelete(expected) => match value == Some(expected) {
            true => (None, Answer::Done(true)),
            false => (entry, Answer::Done(false)),
        },
        Action::Delete => (None, Answer::Done(value.is_some())),
        Action::Take => (None, Answer::Value(value)),
        Action::Add(delta) => {
            let count = value.unwrap_or(0) + delta;
            let ends = entry.and_then(|entry| entry.ends);
            let counted = Entry { value: count, ends };
            (Some(counted), Answer::Count(count))
        }
    };
    let is_right = call.answer().is_none_or(|answer| answer == expected);
    is_right.then_some(after)
}
