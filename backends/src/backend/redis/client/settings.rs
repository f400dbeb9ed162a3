//! The limits of a client, and what its connections say about it.

use std::time::Duration;

use crate::backend::redis::credentials::Provider;

/// The limits of a client: of time, in real time, and of the calls that wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientLimits {
    /// The limit of one attempt to connect, the greeting and the login included.
    pub(crate) connect: Duration,
    /// The limit of one call: queueing, connecting and, if it may be repeated, the repetition.
    pub(crate) call: Duration,
    /// The silence after which a server is asked whether it is there.
    pub(crate) keep_alive: Duration,
    /// The most calls that may wait at once.
    pub(crate) waiting: usize,
    /// The most bytes that the calls which wait may send.
    pub(crate) waiting_bytes: usize,
}

impl ClientLimits {
    /// Returns the time after which a silent server is doubted.
    pub(super) fn patience(&self) -> Duration {
        (self.call / 2).clamp(SHORTEST_PATIENCE, LONGEST_PATIENCE)
    }
}

/// The data about their client that connections greet with, besides the settings of the server.
#[derive(Default)]
pub(crate) struct ClientIdentity {
    pub(crate) name: Option<String>,
    /// Asked for the login in place of the settings of the server.
    pub(crate) provider: Option<Provider>,
}

/// A server that has owed an answer for half the limit of a call, within these bounds, is doubted.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(25);
const LONGEST_PATIENCE: Duration = Duration::from_secs(30);
