//! The effect of a reply to a merged command.

use std::sync::Arc;

use crate::backend::redis::client::in_flight::InFlight;
use crate::backend::redis::client::resp::{ErrorReply, Reply};

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

/// Says whether a refusal is about the server, and not about one key or one command.
pub(super) fn is_about_all(error: &ErrorReply) -> bool {
    let of_one = ["NOPERM", "CROSSSLOT", "TRYAGAIN", "ERR", "EXECABORT"];
    !of_one.contains(&error.code())
}

pub(super) fn refuse(requests: Vec<Arc<InFlight>>, error: &ErrorReply) -> usize {
    for request in &requests {
        request.finish(Reply::Error(error.clone()));
    }
    requests.len()
}
