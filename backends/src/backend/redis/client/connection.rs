//! An established connection, and what is known of the server that it leads to.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::connection_end::ConnectionEnd;
use super::ids::{ConnectionId, NodeId};
use super::location::ServerLocation;
use super::multiplexer::Multiplexer;
use super::rest::Rest;
use super::socket_error::failure;
use super::task::Task;
use crate::error::{BackendError, ErrorKind};
use crate::time::deadline::Deadlines;

/// An established connection.
pub(super) struct Connection {
    pub(super) multiplexer: Multiplexer,
    pub(super) id: ConnectionId,
    /// The time limits of the process that made the connection.
    pub(super) deadlines: &'static Deadlines,
    /// The time at which the connection was made.
    pub(super) since: Instant,
    pub(super) node: NodeId,
    pub(super) location: Arc<ServerLocation>,
    /// True if a script may name several keys, whatever their slots are.
    pub(super) takes_many_keys: bool,
    /// True if the connection leads to a node of a cluster.
    pub(super) is_cluster: bool,
    pub(super) generation: u64,
    /// Tells whether the server serves, if it is a replica.
    pub(super) rest: Option<Arc<Rest>>,
    /// Renews the login, as long as the connection is there.
    pub(super) _renewal: Option<Task>,
    /// Listens for a switch to another primary, as long as the connection is there.
    pub(super) _watcher: Option<Task>,
}

impl Connection {
    /// Returns the error of a connection that has ended.
    pub(super) fn lost(&self) -> BackendError {
        let location = &self.location;
        match self.multiplexer.end() {
            Some(ConnectionEnd::Malformed) => BackendError::new(
                ErrorKind::Unavailable,
                format!("the answer of {location} is not RESP"),
            ),
            Some(ConnectionEnd::Failed(kind)) => failure(location, kind.into()),
            Some(ConnectionEnd::Closed) | None => {
                failure(location, io::ErrorKind::ConnectionAborted.into())
            }
        }
    }
}
