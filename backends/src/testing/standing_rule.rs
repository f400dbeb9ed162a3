//! A rule among the others of its script: the calls that it is about, and its turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use fastrand::Rng;

use super::fault::Fault;
use super::record::RecordedCall;
use crate::layer::Op;

/// A rule among others.
#[derive(Debug)]
pub(super) struct StandingRule {
    number: u64,
    settings: RuleSettings,
    faults: Vec<Fault>,
    random: Rng,
    /// The number of calls that the rule is about so far.
    met: usize,
    applied: AppliedCount,
}

/// A call that it is a rule's turn to be applied to, and the position of the fault.
pub(super) struct RuleTurn(usize);

impl StandingRule {
    pub(super) fn new(
        number: u64,
        settings: RuleSettings,
        faults: Vec<Fault>,
        random: Rng,
    ) -> Self {
        Self {
            number,
            settings,
            faults,
            random,
            met: 0,
            applied: AppliedCount::default(),
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn applied_count(&self) -> AppliedCount {
        self.applied.clone()
    }

    /// Counts the call if the rule is about it, and says whether it is the rule's turn. As many
    /// random numbers are drawn for each call.
    pub(super) fn meet(&mut self, call: &RecordedCall) -> Option<RuleTurn> {
        let settings = &self.settings;
        if !settings.are_about(call) {
            return None;
        }
        let behind = self.met.checked_sub(settings.skipped);
        self.met += 1;
        let is_drawn = self.random.f64() < settings.chance;
        let fault = self.random.usize(..self.faults.len());
        let is_turn = is_drawn && behind.is_some_and(|behind| behind < settings.most);
        is_turn.then_some(RuleTurn(fault))
    }

    /// Returns what happens to the call.
    pub(super) fn apply(&self, RuleTurn(fault): RuleTurn) -> Fault {
        self.applied.fetch_add(1, SeqCst);
        self.faults[fault].clone()
    }
}

/// The calls that a rule is about, and those of them that it is applied to.
#[derive(Debug)]
pub(super) struct RuleSettings {
    pub(super) op: Option<Op>,
    pub(super) keys: RuleKeys,
    /// The number of calls that pass before the rule is applied.
    pub(super) skipped: usize,
    /// The number of calls behind these that the rule is applied to.
    pub(super) most: usize,
    pub(super) chance: f64,
}

#[derive(Debug)]
pub(super) enum RuleKeys {
    All,
    Equal(String),
    Under(String),
}

impl RuleSettings {
    /// Settings by which a rule is applied to each call of this kind, or of every kind.
    pub(super) fn about(op: Option<Op>) -> Self {
        Self {
            op,
            keys: RuleKeys::All,
            skipped: 0,
            most: usize::MAX,
            chance: 1.0,
        }
    }

    fn are_about(&self, call: &RecordedCall) -> bool {
        let is_op = self.op.is_none_or(|op| op == call.op);
        is_op
            && match &self.keys {
                RuleKeys::All => true,
                RuleKeys::Equal(key) => call.keys.contains(key),
                RuleKeys::Under(prefix) => call.keys.iter().any(|key| key.starts_with(prefix)),
            }
    }
}

/// The number of calls that a rule was applied to.
pub(super) type AppliedCount = Arc<AtomicUsize>;
