//! The choice of the connection for a request, and the way to another server after a refusal.
//!
//! There is one server, so every request goes to it.

use std::sync::Arc;

use super::endpoint::Endpoint;
use super::inbox::End;
use super::node::{Node, NotFound};
use super::states::Connection;
use super::{ClientIdentity, ClientLimits};
use crate::backend::redis::status::NodeStatus;
use crate::error::{BackendError, BackendResult};

pub(super) struct Router {
    node: Node,
}

impl Router {
    pub(super) fn new(server: Endpoint, identity: ClientIdentity, limits: ClientLimits) -> Self {
        Self {
            node: Node::new(server, identity, limits),
        }
    }

    /// Connects, for as long as an attempt may take, and judges the settings.
    pub(super) async fn connect(&self) -> BackendResult<()> {
        self.node.connect().await
    }

    /// Makes no further connection, and ends those that there are.
    pub(super) fn close(&self) {
        self.node.close();
    }

    pub(super) fn status(&self) -> Vec<NodeStatus> {
        vec![self.node.status()]
    }

    /// Returns the number of calls that went out as a part of a command for several callers.
    pub(super) fn merged(&self) -> u64 {
        self.node.merged()
    }

    /// Returns a connection that is up, for a plain read or anything else.
    pub(super) fn ready(&self, is_plain_read: bool) -> Option<Arc<Connection>> {
        self.node.ready(is_plain_read)
    }

    /// Returns a connection for a plain read or anything else, or waits for one.
    pub(super) async fn connection(&self, is_plain_read: bool) -> BackendResult<Arc<Connection>> {
        self.node.connection(is_plain_read).await
    }

    /// Waits until a request may be sent again that this connection's server refused, because it
    /// takes no writes.
    ///
    /// # Errors
    ///
    /// The refusal, if nobody can look for another server, or the reason for which the one that
    /// was found can't be used.
    pub(super) async fn elsewhere(
        &self,
        connection: &Connection,
        refused: &BackendError,
    ) -> BackendResult<()> {
        loop {
            match self.node.search(connection).await {
                Ok(()) => return Ok(()),
                Err(NotFound::Failed(error)) if error.is_transient() => {}
                Err(NotFound::Failed(error)) => return Err(error),
                Err(NotFound::Impossible) => return Err(refused.clone()),
            }
        }
    }

    /// Begins to look for a server that takes writes, for the calls that follow.
    pub(super) fn begin_search(&self, connection: &Connection) {
        self.node.begin_search(connection);
    }

    /// Gives a connection up by which nothing has come for the whole of a call.
    pub(super) fn gone_silent(&self, connection: &Connection) {
        self.node.gone_silent(connection);
    }

    /// Notes that the server has forgotten the login of a connection, or its token has ended there.
    pub(super) fn logged_out(&self, connection: &Connection) {
        self.node.logged_out(connection);
    }

    /// Returns the error of a connection that has ended.
    pub(super) fn lost(&self, end: Option<End>) -> BackendError {
        self.node.lost(end)
    }
}
