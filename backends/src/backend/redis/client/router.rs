//! The choice of the connection for a request, and the way to another server after a refusal.
//!
//! One server gets every request, unless it says that it is a node of a cluster: then the slots of
//! the keys decide.

use std::sync::{Arc, OnceLock};

use super::cluster::Cluster;
use super::endpoint::Endpoint;
use super::node::{Common, Node, NotFound};
use super::request::InFlight;
use super::resp::{Command, ErrorReply};
use super::states::{Connection, NodeId};
use super::{ClientIdentity, ClientLimits};
use crate::backend::redis::status::NodeStatus;
use crate::error::{BackendError, BackendResult};

/// The servers that a program names.
pub(crate) struct Servers {
    pub(crate) first: Endpoint,
    pub(crate) others: Vec<Endpoint>,
    /// Whether they are said to be nodes of a cluster. One that isn't said to be may be one.
    pub(crate) are_cluster: bool,
}

pub(super) struct Router {
    common: Arc<Common>,
    pattern: Endpoint,
    /// The first server that was named.
    node: Node,
    /// Set once it is known that there is a cluster.
    cluster: OnceLock<Cluster>,
}

impl Router {
    pub(super) fn new(servers: Servers, identity: ClientIdentity, limits: ClientLimits) -> Self {
        let common = Arc::new(Common::new(&servers.first, identity, limits));
        let node = |server: &Endpoint| Node::new(server.clone(), common.clone());
        let router = Self {
            node: node(&servers.first),
            cluster: OnceLock::new(),
            pattern: servers.first,
            common: common.clone(),
        };
        if servers.are_cluster {
            let others = servers.others.iter().map(node);
            router.become_cluster(others.collect());
        }
        router
    }

    fn become_cluster(&self, other_seeds: Vec<Node>) -> &Cluster {
        self.cluster.get_or_init(|| {
            let mut seeds = other_seeds;
            seeds.insert(0, self.node.clone());
            Cluster::new(self.common.clone(), self.pattern.clone(), seeds)
        })
    }

    /// Connects, for as long as an attempt may take, and judges the settings.
    pub(super) async fn connect(&self) -> BackendResult<()> {
        if let Some(cluster) = self.cluster.get() {
            return cluster.connect().await;
        }
        self.node.connect().await?;
        let connection = self.node.ready(false);
        match connection.is_some_and(|connection| connection.is_cluster) {
            true => self.become_cluster(Vec::new()).connect().await,
            false => Ok(()),
        }
    }

    /// Makes no further connection, and ends those that there are.
    pub(super) fn close(&self) {
        self.node.close();
        if let Some(cluster) = self.cluster.get() {
            cluster.close();
        }
    }

    /// Returns how often a node of a cluster has sent a request on to another one.
    pub(super) fn redirections(&self) -> u64 {
        self.cluster.get().map_or(0, Cluster::redirections)
    }

    pub(super) fn status(&self) -> Vec<NodeStatus> {
        match self.cluster.get() {
            Some(cluster) => cluster.status(),
            None => vec![self.node.status()],
        }
    }

    /// Returns the number of calls that went out as a part of a command for several callers.
    pub(super) fn merged(&self) -> u64 {
        self.common.merged()
    }

    /// Returns a connection for the request that is up.
    pub(super) fn ready(&self, request: &InFlight) -> Option<Arc<Connection>> {
        match self.cluster.get() {
            Some(cluster) => cluster.ready(request),
            None => {
                let ready = self.node.ready(request.is_plain_read());
                ready.filter(|connection| !connection.is_cluster)
            }
        }
    }

    /// Returns a connection for the request, or waits for one. Notes in `last` why there is none
    /// yet.
    pub(super) async fn connection(
        &self,
        request: &InFlight,
        last: &mut Option<BackendError>,
    ) -> BackendResult<Arc<Connection>> {
        loop {
            if let Some(cluster) = self.cluster.get() {
                return cluster.connection(request, last).await;
            }
            let connection = self.node.connection(request.is_plain_read()).await?;
            if !connection.is_cluster {
                return Ok(connection);
            }
            self.become_cluster(Vec::new());
        }
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
        match self.cluster.get() {
            Some(cluster) => cluster.doubt(),
            None => self.node.begin_search(connection),
        }
    }

    /// Says whether there is a cluster; nothing if that isn't known.
    pub(super) fn is_cluster(&self) -> Option<bool> {
        if self.cluster.get().is_some() {
            return Some(true);
        }
        let ready = self.node.ready(false)?;
        (!ready.is_cluster).then_some(false)
    }

    /// Returns the nodes of a cluster that serve slots.
    pub(super) async fn owners(&self) -> BackendResult<Vec<NodeId>> {
        match self.cluster.get() {
            Some(cluster) => cluster.owners().await,
            None => Ok(Vec::new()),
        }
    }

    /// Sorts commands by the nodes that serve their keys; each is named by its position. Of a key
    /// that no node serves nothing is returned.
    pub(super) fn by_node(&self, commands: &[Command]) -> Vec<(NodeId, Vec<usize>)> {
        let cluster = self.cluster.get();
        cluster.map_or_else(Vec::new, |cluster| cluster.by_node(commands))
    }

    /// Reads the map of a cluster again.
    pub(super) async fn refreshed(&self) -> BackendResult<()> {
        match self.cluster.get() {
            Some(cluster) => cluster.refreshed().await,
            None => Ok(()),
        }
    }

    /// Begins to read the map of a cluster again.
    pub(super) fn doubt(&self) {
        if let Some(cluster) = self.cluster.get() {
            cluster.doubt();
        }
    }

    /// Goes by what a node says that doesn't serve a slot any more. Says whether that can be read.
    pub(super) fn moved(&self, connection: &Connection, refused: &ErrorReply) -> bool {
        let cluster = self.cluster.get();
        cluster.is_some_and(|cluster| cluster.moved(connection, refused))
    }

    /// Returns a connection to the node that has a key which is on its way there; nothing if the
    /// refusal can't be read.
    pub(super) async fn importing(
        &self,
        connection: &Connection,
        refused: &ErrorReply,
    ) -> Option<BackendResult<Arc<Connection>>> {
        self.cluster.get()?.importing(connection, refused).await
    }

    /// Gives a connection up by which nothing has come for the whole of a call.
    pub(super) fn gone_silent(&self, connection: &Connection) {
        self.doubt();
        if let Some(node) = self.node_of(connection) {
            node.gone_silent(connection);
        }
    }

    /// Notes that the server has forgotten the login of a connection, or its token has ended there.
    pub(super) fn logged_out(&self, connection: &Connection) {
        if let Some(node) = self.node_of(connection) {
            node.logged_out(connection);
        }
    }

    fn node_of(&self, connection: &Connection) -> Option<Node> {
        if self.node.id() == connection.node {
            return Some(self.node.clone());
        }
        self.cluster.get()?.node(connection.node)
    }
}
