//! Calls as metrics of the crate `metrics`.

use std::time::Duration;

use metrics::{Label, counter, histogram};

use super::labels::{CallEnd, CallLabels};
use super::names::{DURATION, ENTRIES, ERROR, KEYSPACE, OPERATION, OUTCOME, SCANS, SYSTEM};
use crate::layer::{Op, Outcome};

pub(super) fn call(call: &CallLabels, end: CallEnd, time: Duration) {
    let mut labels = labels(call);
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
    let mut labels = labels(call);
    push_end(&mut labels, end);
    counter!(SCANS, labels).increment(1);
}

fn entries(call: &CallLabels, outcome: Outcome, count: usize) {
    if count > 0 {
        let mut labels = labels(call);
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

fn labels(call: &CallLabels) -> Vec<Label> {
    let mut labels = Vec::with_capacity(5);
    if let Some(system) = call.system {
        labels.push(Label::from_static_parts(SYSTEM, system));
    }
    labels.push(Label::from_static_parts(KEYSPACE, call.keyspace));
    labels
}
