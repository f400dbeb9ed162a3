//! What a thread saw.

use super::computed::{Computation, Served};
use super::listener::Departure;
use crate::Call;

/// Everything that threads write down.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) calls: Vec<Call>,
    pub(super) clears: Vec<Clear>,
    pub(super) computations: Vec<Computation>,
    pub(super) served: Vec<Served>,
    pub(super) departures: Vec<Departure>,
    /// Promises that were seen broken at once.
    pub(super) broken: Vec<String>,
}

/// A removal of all keys of a generation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clear {
    pub(super) client: u32,
    pub(super) generation: u32,
    /// The number of entries that were removed.
    pub(super) cleared: usize,
    pub(super) began: u64,
    pub(super) ended: u64,
}

impl Log {
    /// Takes in what another thread saw.
    pub(super) fn add(&mut self, other: Self) {
        self.calls.extend(other.calls);
        self.clears.extend(other.clears);
        self.computations.extend(other.computations);
        self.served.extend(other.served);
        self.departures.extend(other.departures);
        self.broken.extend(other.broken);
    }
}
