//! A rule that was added, as the test that added it sees it.

use std::sync::atomic::Ordering::SeqCst;

use super::script::FaultScript;
use super::standing_rule::AppliedCount;

/// A rule that was added. Dropping it leaves the rule where it is.
#[derive(Debug, Clone)]
pub struct Rule {
    script: FaultScript,
    number: u64,
    applied: AppliedCount,
}

impl Rule {
    pub(super) fn new(script: FaultScript, number: u64, applied: AppliedCount) -> Self {
        Self {
            script,
            number,
            applied,
        }
    }

    /// Returns the number of calls that the rule was applied to.
    pub fn applied(&self) -> usize {
        self.applied.load(SeqCst)
    }

    /// Removes the rule, if it is still there. What has begun to happen to a call goes on.
    pub fn remove(&self) {
        self.script.remove(self.number);
    }
}
