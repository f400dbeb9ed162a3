//! The facts about reads that the replies of a connection have taught.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The facts about reads that the replies of a connection have taught.
pub(in crate::backend::redis::client) struct ReadHabits {
    /// The size of a value, the later ones counting more.
    size: usize,
    /// True if many reads of the last command found nothing.
    pub(super) misses: bool,
    /// True if `MGET` and `EXISTS` may go out as a transaction. The answer holds for all
    /// connections.
    pub(super) may_transact: Arc<AtomicBool>,
    /// True if the user may send `EXISTS`.
    pub(super) may_check: bool,
}

impl ReadHabits {
    pub(in crate::backend::redis::client) fn new(may_transact: Arc<AtomicBool>) -> Self {
        Self {
            size: 0,
            misses: false,
            may_transact,
            may_check: true,
        }
    }

    /// Notes the size of a value; a missing value has the size 0.
    pub(in crate::backend::redis::client) fn note_size(&mut self, size: usize) {
        self.size = self.size - self.size / 8 + size / 8;
    }

    /// Returns the most reads of one command: one where values are large.
    pub(in crate::backend::redis::client) fn most(&self) -> usize {
        match REPLY_BYTES / self.size.max(1) {
            0..FEWEST_GETS => 1,
            most => most.min(MOST_GETS),
        }
    }

    pub(super) fn note_misses(&mut self, misses: usize, of: usize) {
        self.misses = misses * ONE_MISS_IN >= of;
    }
}

/// The most keys of one command, so that none holds the server for long: a tenth of a millisecond.
pub(super) const MOST_GETS: usize = 512;
/// The fewest requests that become one command: fewer cost the server no more one by one.
pub(super) const FEWEST_GETS: usize = 4;
/// The bytes of values that one command asks for, as far as can be known: a server has the whole
/// reply in memory, and does nothing else while it makes it.
const REPLY_BYTES: usize = 512 * 1024;
/// A check goes out with every command if one read in so many finds nothing.
const ONE_MISS_IN: usize = 8;
