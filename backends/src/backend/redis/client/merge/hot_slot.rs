//! The hash slot whose requests are merged, on a connection to a node of a cluster.

/// The hash slot to which most requests for a node of a cluster go, if one slot has more than half:
/// requests that are merged there must be of one slot, and spread keys gain nothing.
///
/// It is the candidate of the majority vote of Boyer and Moore ("MJRTY", 1981): a request for the
/// slot is a vote for it, any other request a vote against it, and a slot without votes is
/// replaced.
#[derive(Default)]
pub(in crate::backend::redis::client) struct HotSlot {
    slot: Option<u16>,
    votes: u32,
}

impl HotSlot {
    /// The most votes: after as many other requests another slot has its turn.
    const MOST: u32 = 256;

    pub(in crate::backend::redis::client) fn slot(&self) -> Option<u16> {
        self.slot
    }

    pub(in crate::backend::redis::client) fn note(&mut self, slot: u16) {
        match self.slot == Some(slot) {
            true => self.votes = Self::MOST.min(self.votes + 1),
            false if self.votes == 0 => (self.slot, self.votes) = (Some(slot), 1),
            false => self.votes -= 1,
        }
    }
}
