//! The verdict on what all threads saw.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use reinhardt_backends::{Backend, Cause};

use super::computed::{Computation, Served};
use super::keys::{self, KEYS};
use super::listener::Departure;
use super::log::{Clear, Log};
use super::{PATIENCE, Scene, wait};
use crate::judge::{Violation, judge_by};
use crate::{Action, Answer, Call, End, Outcome, Seen};

/// A clear looks through the store so many times at most.
const PASSES: usize = 16;
/// A leader on a runtime may be passed by after a second, if its machine stood still.
const PASSED_BY: u64 = 900_000_000;

pub(super) fn outcome(scene: &Scene, log: Log) -> Outcome {
    let mut calls = log.calls;
    for clear in &log.clears {
        add_clear(&mut calls, *clear);
    }
    calls.extend(reads(&log.served, &log.computations));
    calls.sort_by_key(|call| (call.began, call.client));
    let is_late = |call: &Call| u128::from(call.ended - call.began) > PATIENCE.as_nanos();
    let rules = |_| Some(scene.settings.rules());
    let verdict = judge_by(&calls, is_late, rules).and_then(|judged| {
        let may_pass_by = scene.settings.has_runtime;
        one_computes_at_a_time(&log.computations, may_pass_by).map_err(Violation::Computed)?;
        removals_are_final(&calls, &log.computations).map_err(Violation::Computed)?;
        if let Some(broken) = log.broken.first() {
            return Err(Violation::Told(broken.clone()));
        }
        if scene.settings.listens {
            // What is still there leaves now.
            wait(scene.backend.clear()).expect("a store in memory is cleared");
            let swept = scene.swept.lock().expect("nobody panics under it");
            let departures = log.departures.iter().chain(&*swept);
            each_is_told_once(&calls, departures).map_err(Violation::Told)?;
        }
        Ok(judged)
    });
    let longest = calls.iter().map(|call| call.ended - call.began).max();
    Outcome {
        calls,
        seen: Seen::default(),
        longest: Duration::from_nanos(longest.unwrap_or_default()),
        verdict,
    }
}

/// Adds what a clear may have done to each key: it has removed it once, and perhaps again what was
/// written meanwhile.
fn add_clear(calls: &mut Vec<Call>, clear: Clear) {
    let Clear {
        client,
        generation,
        cleared,
        began,
        ended,
    } = clear;
    let mut more = Vec::new();
    for key in (generation * KEYS..).take(KEYS as usize) {
        let meanwhile = |call: &&Call| call.key == key && call.began < ended && call.ended > began;
        let written = calls.iter().filter(meanwhile).filter(|call| writes(call));
        let most = cleared.saturating_sub(1).min(PASSES - 1);
        let again = written.count().min(most);
        let with = |end| Call {
            client,
            key,
            action: Action::Clear,
            began,
            ended,
            end,
        };
        more.push(with(End::Answered(Answer::Done(true))));
        more.extend((0..again).map(|_| with(End::Perhaps)));
    }
    calls.extend(more);
}

/// Says whether a value may be there because of a call.
fn writes(call: &Call) -> bool {
    let removes = matches!(call.action, Action::Delete | Action::Take);
    !removes && !call.action.only_reads() && call.end != End::Failed
}

/// Returns the reads that callers made which got a value without computing it.
///
/// A caller that asked before a computation began gets its value, stored or not. Every other value
/// was in the store while the caller waited.
fn reads(served: &[Served], computations: &[Computation]) -> Vec<Call> {
    let began: HashMap<(u32, i64), u64> = computations
        .iter()
        .map(|it| ((it.key, it.value), it.began))
        .collect();
    let is_read = |served: &&Served| {
        let computed = began.get(&(served.key, served.value));
        computed.is_none_or(|began| *began < served.began)
    };
    let read = |served: &Served| Call {
        client: served.client,
        key: served.key,
        action: Action::Get,
        began: served.began,
        ended: served.ended,
        end: End::Answered(Answer::Value(Some(served.value))),
    };
    served.iter().filter(is_read).map(read).collect()
}

fn one_computes_at_a_time(computations: &[Computation], may_pass_by: bool) -> Result<(), String> {
    let mut by_key: BTreeMap<u32, Vec<&Computation>> = BTreeMap::new();
    for computation in computations {
        by_key.entry(computation.key).or_default().push(computation);
    }
    for computations in by_key.values_mut() {
        computations.sort_by_key(|computation| computation.began);
        for both in computations.windows(2) {
            let [one, other] = both else { continue };
            let is_passed_by = may_pass_by && other.began - one.began >= PASSED_BY;
            if other.began < one.ended && !is_passed_by {
                return Err(format!(
                    "two callers compute at one time: {one:?}, {other:?}"
                ));
            }
        }
    }
    Ok(())
}

/// A value that was computed under a lease is never found after a write or a removal that was
/// called since the computation began, and that has ended before the look.
fn removals_are_final(calls: &[Call], computations: &[Computation]) -> Result<(), String> {
    let leased = calls.iter().filter(|call| keys::is_leased(call.key));
    let mut by_key: BTreeMap<u32, Vec<&Call>> = BTreeMap::new();
    for call in leased {
        by_key.entry(call.key).or_default().push(call);
    }
    for computation in computations {
        let calls = by_key.get(&computation.key).into_iter().flatten();
        let found = Some(Answer::Value(Some(computation.value)));
        let reads = calls.clone().filter(|call| call.answer() == found);
        for read in reads {
            let is_final = |call: &&&Call| {
                let removes = matches!(call.action, Action::Delete | Action::Put(..));
                let was_done = removes && matches!(call.end, End::Answered(_));
                was_done && call.began > computation.began && call.ended < read.began
            };
            if let Some(removal) = calls.clone().find(is_final) {
                return Err(format!(
                    "{computation:?} was removed: {removal}; and found: {read}"
                ));
            }
        }
    }
    Ok(())
}

/// Every value that was written has left once, at the latest when the store was cleared at the end,
/// and the listener was told.
fn each_is_told_once<'d>(
    calls: &[Call],
    departures: impl Iterator<Item = &'d Departure>,
) -> Result<(), String> {
    let mut told: HashMap<(u32, i64), Vec<Cause>> = HashMap::new();
    for departure in departures {
        let Some(value) = departure.value else {
            return Err(format!(
                "the listener was told of other bytes: {departure:?}"
            ));
        };
        let causes = told.entry((departure.key, value)).or_default();
        causes.push(departure.cause);
    }
    let mut perhaps = HashSet::new();
    for call in calls {
        let (value, is_written) = match (call.action, call.answer()) {
            (Action::Put(value, ..), _) if call.end == End::Perhaps => {
                perhaps.insert((call.key, value));
                continue;
            }
            (Action::Put(value, ..), answer) => (value, answer == Some(Answer::Done(true))),
            (Action::Update(value), answer) => {
                (value, matches!(answer, Some(Answer::Value(Some(_)))))
            }
            _ => continue,
        };
        let causes = told.remove(&(call.key, value)).unwrap_or_default();
        if causes.len() != usize::from(is_written) {
            return Err(format!(
                "the listener was told {causes:?} of the value of {call}"
            ));
        }
    }
    let is_other = |(place, causes): &(&(u32, i64), &Vec<Cause>)| {
        !keys::is_counter(place.0) && (causes.len() > 1 || !perhaps.contains(*place))
    };
    match told.iter().find(is_other) {
        Some((place, causes)) => Err(format!("the listener was told {causes:?} of {place:?}")),
        None => Ok(()),
    }
}
