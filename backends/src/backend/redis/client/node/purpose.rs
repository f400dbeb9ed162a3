//! An attempt to connect that is under way, and the reason for it.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use crate::backend::redis::client::connection::Connection;
use crate::backend::redis::client::outage::ConnectFailure;
use crate::error::{BackendResult, ErrorKind};

/// The outcome of an attempt to connect, for all callers that wait for it.
pub(super) type ConnectOutcome = watch::Receiver<Option<BackendResult<Arc<Connection>>>>;

/// An attempt to connect that is under way.
#[derive(Clone)]
pub(super) struct ConnectAttempt {
    pub(super) outcome: ConnectOutcome,
    pub(super) purpose: Purpose,
    /// The time at which the attempt must have ended: an attempt on a runtime that nobody drives
    /// any more never does.
    pub(super) overdue: Instant,
}

/// The reason for an attempt to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The runtime has no connection.
    Connect,
    /// The server is the wrong one to write to. Reads go on meanwhile.
    Switch,
    /// The connection, of this activity, is silent: either it is dead, or the server stands still.
    /// No request goes out over it meanwhile.
    Replace { activity: u64 },
    /// The connection is busy with an answer that nobody waits for. No request goes out over it
    /// meanwhile.
    Relieve,
    /// Writes wait on the connection, and reads behind them.
    Part,
}

impl Purpose {
    /// Says whether a connection is to be replaced. A connection that has answered since is alive,
    /// whatever becomes of the attempt.
    pub(super) fn doubts(self, connection: &Connection) -> bool {
        match self {
            Self::Replace { activity } => activity == connection.multiplexer.activity(),
            Self::Relieve => true,
            Self::Connect | Self::Switch | Self::Part => false,
        }
    }

    /// Says whether the connection before stays in use after an attempt that failed, or reached a
    /// server.
    pub(super) fn keeps(self, present: &Connection, failed: Option<&ConnectFailure>) -> bool {
        match self {
            Self::Replace { .. } => {
                // A server that doesn't greet anybody stands still, and may go on.
                let says_nothing = failed.is_some_and(|failure| {
                    failure.lacks_login || failure.error.kind() == ErrorKind::Timeout
                });
                let may_live = says_nothing || !self.doubts(present);
                may_live && !present.multiplexer.is_draining()
            }
            Self::Switch | Self::Relieve => failed.is_some(),
            Self::Connect | Self::Part => false,
        }
    }

    /// Says whether the connection before is handed back: its requests that are unsent, or may be
    /// sent twice, go over to the new connection.
    pub(super) fn hands_back(self) -> bool {
        matches!(self, Self::Replace { .. } | Self::Relieve)
    }
}

impl ConnectAttempt {
    pub(super) fn is_under_way(&self) -> bool {
        self.outcome.has_changed().is_ok() && Instant::now() < self.overdue
    }
}
