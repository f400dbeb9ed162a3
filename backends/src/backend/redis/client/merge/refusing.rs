//! The refusal of a merged command, and what it means for each of its requests.

use std::sync::Arc;

use super::unanswered::Unanswered;
use crate::backend::redis::client::in_flight::InFlight;
use crate::backend::redis::client::resp::{ErrorReply, Reply};

/// Refuses all reads, or lets each read go by itself: one key may be forbidden and the others not,
/// or on its way to another node.
pub(super) fn refuse_or_repeat(
    requests: Vec<Arc<InFlight>>,
    error: &ErrorReply,
    unanswered: &mut Unanswered,
) -> usize {
    if is_about_all(error) {
        return refuse(requests, error);
    }
    unanswered.alone.extend(requests);
    0
}

/// Says whether a refusal is about the server, and not about one key or one command.
pub(super) fn is_about_all(error: &ErrorReply) -> bool {
    let of_one = ["NOPERM", "CROSSSLOT", "TRYAGAIN", "ERR", "EXECABORT"];
    !of_one.contains(&error.code())
}

/// Answers all requests by a refusal, and returns their number.
pub(super) fn refuse(requests: Vec<Arc<InFlight>>, error: &ErrorReply) -> usize {
    for request in &requests {
        request.finish(Reply::Error(error.clone()));
    }
    requests.len()
}
