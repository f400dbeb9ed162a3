//! Calls and events as metrics of the crate `metrics`.

use std::time::Duration;

use metrics::{Label, Unit, counter, describe_counter, describe_histogram, histogram};

use super::labels::{CallEnd, CallLabels};
use super::names::{
    DURATION, ENTRIES, ERROR, EVENT, EVENT_DURATION, EVENTS, KEYSPACE, OPERATION, OUTCOME, QUOTA,
    SCANS, SYSTEM,
};
use crate::backend::store::Event;
use crate::layer::{Op, Outcome};

/// Tells the recorder what each metric means, and its unit.
pub(super) fn describe() {
    describe_histogram!(
        DURATION,
        Unit::Seconds,
        "The time that a call of the store took."
    );
    describe_counter!(
        SCANS,
        Unit::Count,
        "The scans of the store that have ended."
    );
    describe_counter!(
        ENTRIES,
        Unit::Count,
        "The entries that reads of the store asked for."
    );
    describe_counter!(
        EVENTS,
        Unit::Count,
        "The events that calls of the store don't show."
    );
    describe_histogram!(
        EVENT_DURATION,
        Unit::Seconds,
        "The time that an event took: a computation, a wait, an outage of the store."
    );
}

pub(super) fn call(call: &CallLabels, end: CallEnd, time: Duration) {
    let mut labels = labels(call.system, call.keyspace);
    labels.push(Label::from_static_parts(OPERATION, call.op.name()));
    push_end(&mut labels, end);
    histogram!(DURATION, labels).record(time);
    if let CallEnd::Answered(outcome) = end
        && matches!(call.op, Op::Read | Op::ReadMany | Op::Take)
    {
        let (hits, misses) = match outcome {
            Outcome::Hit => (1, 0),
            Outcome::Miss => (0, 1),
            Outcome::Found { hits, misses } => (hits, misses),
            _ => return,
        };
        entries(call, Outcome::Hit, hits);
        entries(call, Outcome::Miss, misses);
    }
}

pub(super) fn scan(call: &CallLabels, end: CallEnd) {
    let mut labels = labels(call.system, call.keyspace);
    push_end(&mut labels, end);
    counter!(SCANS, labels).increment(1);
}

pub(super) fn event(system: Option<&'static str>, keyspace: &'static str, event: Event) {
    let mut labels = labels(system, keyspace);
    labels.push(Label::from_static_parts(EVENT, event.name()));
    if let Some(quota) = event.quota() {
        labels.push(Label::new(QUOTA, quota.to_string()));
    }
    if let Some(time) = event.time() {
        histogram!(EVENT_DURATION, labels.clone()).record(time);
    }
    counter!(EVENTS, labels).increment(event.count());
}

fn entries(call: &CallLabels, outcome: Outcome, count: usize) {
    if count > 0 {
        let mut labels = labels(call.system, call.keyspace);
        labels.push(Label::from_static_parts(OUTCOME, outcome.name()));
        counter!(ENTRIES, labels).increment(count as u64);
    }
}

fn push_end(labels: &mut Vec<Label>, end: CallEnd) {
    labels.push(Label::from_static_parts(OUTCOME, end.outcome()));
    if let Some(error) = end.error() {
        labels.push(Label::from_static_parts(ERROR, error));
    }
}

fn labels(system: Option<&'static str>, keyspace: &'static str) -> Vec<Label> {
    let mut labels = Vec::with_capacity(5);
    if let Some(system) = system {
        labels.push(Label::from_static_parts(SYSTEM, system));
    }
    labels.push(Label::from_static_parts(KEYSPACE, keyspace));
    labels
}
