//! Requests that are handed back, to go by another connection.

use std::sync::Arc;

use super::Driver;
use super::expected::ExpectedReply;
use crate::backend::redis::client::in_flight::InFlight;

impl Driver {
    /// Hands back all requests that can go by another connection. The writes that the server may
    /// have seen wait for their answers here.
    pub(super) fn hand_back(&mut self) {
        self.is_handed_back = true;
        self.is_probing = false;
        let queued = {
            let mut queue = self.inbox.queue.lock();
            queue.bytes = 0;
            std::mem::take(&mut queue.requests)
        };
        self.lose_unseen();
        let repeatable = self.expected.iter().flat_map(ExpectedReply::requests);
        let repeatable = repeatable.filter(|request| request.is_repeatable());
        let unsent = queued.iter().chain(&self.taken);
        repeatable.chain(unsent).for_each(|request| request.lose());
        self.unanswered.lose();
        self.taken.clear();
    }

    /// Hands the reads back that wait, sent or not. An answer that comes all the same is discarded.
    pub(super) fn hand_back_reads(&self, queued: &[Arc<InFlight>]) {
        self.reads(queued).for_each(|request| request.lose());
    }

    /// Returns the reads that wait, sent or not.
    pub(super) fn reads<'a>(
        &'a self,
        queued: impl IntoIterator<Item = &'a Arc<InFlight>>,
    ) -> impl Iterator<Item = &'a Arc<InFlight>> {
        let expected = self.expected.iter().flat_map(ExpectedReply::requests);
        let unsent = self.taken.iter().chain(queued);
        let unanswered = self.unanswered.alone.iter().chain(&self.unanswered.nils);
        let all = expected.chain(unsent).chain(unanswered);
        all.filter(|request| request.is_plain_read())
    }

    /// Takes back the requests in an output of which the socket took nothing: no server has seen
    /// them.
    pub(super) fn lose_unseen(&mut self) {
        if self.written > 0 || self.output.is_empty() {
            return;
        }
        let seen = self.expected.len() - self.in_output;
        for expected in self.expected.drain(seen..) {
            for request in expected.requests() {
                request.take_back();
                request.lose();
            }
        }
        self.in_output = 0;
        self.output.clear();
    }
}
