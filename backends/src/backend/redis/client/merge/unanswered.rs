//! Requests that a merged command did not answer.

use std::sync::Arc;

use crate::backend::redis::client::in_flight::InFlight;

/// Requests that a merged command didn't answer.
#[derive(Default)]
pub(in crate::backend::redis::client) struct Unanswered {
    /// To be sent by themselves.
    pub(in crate::backend::redis::client) alone: Vec<Arc<InFlight>>,
    /// To be sent by themselves, with the whole script.
    pub(in crate::backend::redis::client) in_full: Vec<Arc<InFlight>>,
    /// To be merged again.
    pub(in crate::backend::redis::client) again: Vec<Arc<InFlight>>,
    /// Reads that were nil.
    pub(in crate::backend::redis::client) nils: Vec<Arc<InFlight>>,
}

impl Unanswered {
    pub(in crate::backend::redis::client) fn is_empty(&self) -> bool {
        let all = [&self.alone, &self.in_full, &self.again, &self.nils];
        all.iter().all(|requests| requests.is_empty())
    }

    /// Gives the requests up.
    pub(in crate::backend::redis::client) fn lose(&mut self) {
        let all = [
            &mut self.alone,
            &mut self.in_full,
            &mut self.again,
            &mut self.nils,
        ];
        for requests in all {
            requests.drain(..).for_each(|request| request.lose());
        }
    }
}
