//! The verdict on a history.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use super::call::{Action, Answer, Call, End};
use super::linear::{Order, order_by};
use super::model::Rules;

/// Something that a history shows and that the contract forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// A client was given the answer to another question.
    Foreign(Call),
    /// No order of the calls on a key has these answers.
    Impossible(Vec<Call>),
    /// A client read a value that nobody has written there.
    Invented(Call),
    /// A counter has counted more than it was asked to.
    CountedTwice(Call),
    /// A call took longer than its limit.
    Late(Call),
    /// A throttle has let so many through in this time.
    TooMany(usize, Duration),
    /// A session that was deleted was there again.
    Resurrected(String),
    /// A session that nobody had deleted was gone.
    Vanished(String),
    /// A list of keys lacks one, or has one of others.
    Listed(String),
    /// A lease had two owners at a time.
    TwoOwners(String),
    /// The fencing number of a grant isn't greater than that of one before.
    FencingNumber(String),
    /// A cache has served what is older than a removal.
    Outdated(String),
    /// A store that was mended still didn't answer.
    NotBack(Call),
    /// A value was computed, or given to a caller, that shouldn't be.
    Computed(String),
    /// The listener was told of an entry too often, or not at all.
    Told(String),
    /// Calls that never ended.
    Stuck(Vec<String>),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign(call) => write!(f, "the answer to another question: {call}"),
            Self::Invented(call) => write!(f, "a value that nobody wrote: {call}"),
            Self::CountedTwice(call) => write!(f, "more than was counted: {call}"),
            Self::Late(call) => write!(f, "later than its deadline: {call}"),
            Self::TooMany(count, time) => write!(f, "{count} attempts let through in {time:?}"),
            Self::Resurrected(text) => write!(f, "a deleted session was there again: {text}"),
            Self::Vanished(text) => write!(f, "a session that nobody deleted is gone: {text}"),
            Self::Listed(text) => write!(f, "a list of keys is wrong: {text}"),
            Self::TwoOwners(text) => write!(f, "two owners of a lease: {text}"),
            Self::FencingNumber(text) => write!(f, "fencing numbers that don't grow: {text}"),
            Self::NotBack(call) => write!(f, "no answer although all is mended: {call}"),
            Self::Outdated(text) => write!(f, "older than a removal: {text}"),
            Self::Computed(text) | Self::Told(text) => f.write_str(text),
            Self::Stuck(calls) => {
                write!(f, "these calls never ended:")?;
                calls.iter().try_for_each(|call| write!(f, "\n  {call}"))
            }
            Self::Impossible(calls) => {
                write!(f, "no order of these calls has these answers:")?;
                calls.iter().try_for_each(|call| write!(f, "\n  {call}"))
            }
        }
    }
}

/// The extent of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Judged {
    /// The number of keys whose calls were ordered.
    pub keys: usize,
    /// The number of keys whose search for an order was given up.
    pub undecided: usize,
}

/// Judges a history of servers.
///
/// Where a primary was replaced by one that may lack writes, acknowledged writes of its keys
/// (`may_lack`) may be gone. Then there need be no order, but what is read was written, and nothing
/// is counted twice.
///
/// # Errors
///
/// The first violation.
pub(super) fn judge(
    calls: &[Call],
    is_late: impl Fn(&Call) -> bool,
    may_lack: impl Fn(u32) -> bool,
) -> Result<Judged, Violation> {
    judge_by(calls, is_late, |key| {
        (!may_lack(key)).then_some(Rules::SERVERS)
    })
}

/// Judges a history by the rules of its store; where a key has none there need be no order.
pub(super) fn judge_by(
    calls: &[Call],
    is_late: impl Fn(&Call) -> bool,
    rules: impl Fn(u32) -> Option<Rules>,
) -> Result<Judged, Violation> {
    let mut by_key: BTreeMap<u32, Vec<Call>> = BTreeMap::new();
    for call in calls {
        by_key.entry(call.key).or_default().push(*call);
        if call.answer() == Some(Answer::Foreign) {
            return Err(Violation::Foreign(*call));
        }
        if is_late(call) {
            return Err(Violation::Late(*call));
        }
    }
    let mut judged = Judged::default();
    for (key, calls) in by_key {
        nothing_is_invented(&calls)?;
        let Some(rules) = rules(key) else {
            continue;
        };
        judged.keys += 1;
        match order_by(&calls, rules) {
            Order::Found => {}
            Order::None => return Err(Violation::Impossible(calls)),
            Order::Undecided => judged.undecided += 1,
        }
    }
    Ok(judged)
}

/// Every value was written before it is read, and no count is greater than all that was added.
fn nothing_is_invented(calls: &[Call]) -> Result<(), Violation> {
    // What has failed for certain had no effect.
    let made = || calls.iter().filter(|call| call.end != End::Failed);
    let written = made().filter_map(|call| Some((call.action.written()?, call.began)));
    let written: HashMap<i64, u64> = written.collect();
    let is_written = |value: i64, before: u64| {
        let began = written.get(&value);
        began.is_some_and(|began| *began <= before)
    };
    let added = |before: u64| -> i64 {
        let begun = made().filter(|call| call.began <= before);
        let deltas = begun.filter_map(|call| match call.action {
            Action::Add(delta) | Action::AddFor(delta, _) => Some(delta),
            _ => None,
        });
        deltas.sum()
    };
    for call in calls {
        match call.answer() {
            Some(Answer::Count(count)) if count > added(call.ended) => {
                return Err(Violation::CountedTwice(*call));
            }
            Some(Answer::Value(Some(value)))
                if !is_written(value, call.ended) && value > added(call.ended) =>
            {
                return Err(Violation::Invented(*call));
            }
            _ => {}
        }
    }
    Ok(())
}
