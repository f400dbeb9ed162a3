//! Counts the callers that a reply to a merged command has answered.

/// The effect of a reply, or of an element of one.
pub(in crate::backend::redis::client) struct TakenReply {
    /// The number of callers that have their answer.
    pub(in crate::backend::redis::client) answered: usize,
    /// True if no other part of the command's reply is to come.
    pub(in crate::backend::redis::client) is_whole: bool,
}

impl TakenReply {
    pub(super) fn all(answered: usize) -> Self {
        let is_whole = true;
        Self { answered, is_whole }
    }

    pub(super) fn some(answered: usize) -> Self {
        let is_whole = false;
        Self { answered, is_whole }
    }
}
