//! Commands that a program makes itself, by the crate redis: they are sent as they are, and the
//! replies are handed on as they come.

use super::slot::Slots;

/// A command, or several that go in one go.
#[derive(Clone)]
pub(crate) struct Raw {
    /// The commands, as they are sent.
    pub(crate) packed: Vec<u8>,
    /// The number of replies to several commands; `None` for one command.
    pub(crate) replies: Option<usize>,
    /// The hash slots of the keys.
    pub(crate) slots: Slots,
    /// True if any node of a cluster will do for a request that names no key.
    pub(crate) goes_anywhere: bool,
    /// True if the request is sent again to the node that a redirection names. It isn't for a
    /// script, which may have done something before, and for several commands, which keep their
    /// order.
    pub(crate) may_be_redirected: bool,
}

impl Raw {
    /// Says whether one node of a cluster can be chosen for the request.
    pub(super) fn has_one_node(&self) -> bool {
        match self.slots {
            Slots::One(_) => true,
            Slots::None => self.goes_anywhere,
            Slots::Several => false,
        }
    }
}
