//! Commands that a program makes itself, by the crate redis: they are sent as they are, and the
//! replies are handed on as they come.

/// A command, or several that go in one go.
#[derive(Clone)]
pub(crate) struct Raw {
    /// The commands, as they are sent.
    pub(crate) packed: Vec<u8>,
    /// The number of replies to several commands; nothing for one command.
    pub(crate) replies: Option<usize>,
    /// The hash slot of the keys, if there are any.
    pub(crate) slot: Option<u16>,
    /// Whether it is sent again to the node that a redirection names. Of a script nobody knows
    /// whether it has done something before, and several commands keep their order.
    pub(crate) may_be_redirected: bool,
}
