//! The calls that wait until a test lets them go on.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::hold_gate::HoldGate;
use super::rule::Rule;

/// The calls that a rule holds ([`NewRule::hold`](super::NewRule::hold),
/// [`hold_after`](super::NewRule::hold_after)). Dropping it lets no call go on.
#[derive(Debug, Clone)]
#[must_use = "the calls wait until `release` or `open` lets them go on"]
pub struct Held {
    gate: Arc<HoldGate>,
    rule: Rule,
}

impl Held {
    pub(super) fn new(gate: Arc<HoldGate>, rule: Rule) -> Self {
        Self { gate, rule }
    }

    /// Waits until the rule has held so many calls, counted from when it was added. A call that
    /// went on, or was dropped, counts too.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has no effect.
    pub async fn reached(&self, calls: usize) {
        let mut reached = self.gate.reached.subscribe();
        // The sender is in the gate, which is here.
        let _ = reached.wait_for(|count| *count >= calls).await;
    }

    /// Lets so many calls go on: those that wait, in their order, and then those that come.
    pub fn release(&self, calls: usize) {
        let permits = &self.gate.permits;
        let room = Semaphore::MAX_PERMITS - permits.available_permits();
        permits.add_permits(calls.min(room));
    }

    /// Lets all calls go on, those that wait and those that come.
    pub fn open(&self) {
        self.gate.permits.close();
    }

    /// Returns the rule that holds the calls. Removing it lets no call go on that waits.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }
}
