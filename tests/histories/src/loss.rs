//! The loss of writes by a failover.

use std::time::Duration;

/// The time in which a primary was replaced that may have taken acknowledged writes along.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loss {
    pub(super) from: Duration,
    pub(super) until: Duration,
}

impl Loss {
    /// Says whether what was acknowledged at the first of these times or later may be gone at the
    /// second one.
    pub(super) fn may_touch(&self, [first, last]: [Duration; 2]) -> bool {
        first <= self.until && last >= self.from
    }
}
