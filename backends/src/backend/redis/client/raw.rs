//! Commands that a program makes itself, by the crate redis: they are sent as they are, and the
//! replies are handed on as they come.

use super::request::Slots;

/// A command, or several that go in one go.
#[derive(Clone)]
pub(crate) struct Raw {
    /// The commands, as they are sent.
    pub(crate) packed: Vec<u8>,
    /// The number of replies to several commands; nothing for one command.
    pub(crate) replies: Option<usize>,
    /// The hash slots of the keys.
    pub(crate) slots: Slots,
    /// Whether any node of a cluster will do, if it names no key.
    pub(crate) goes_anywhere: bool,
    /// Whether it is sent again to the node that a redirection names. Of a script nobody knows
    /// whether it has done something before, and several commands keep their order.
    pub(crate) may_be_redirected: bool,
}

impl Raw {
    /// Says whether one node of a cluster can be chosen for it.
    pub(super) fn has_one_node(&self) -> bool {
        match self.slots {
            Slots::One(_) => true,
            Slots::None => self.goes_anywhere,
            Slots::Several => false,
        }
    }
}
