//! The choice of the connection for a request, and the way to another server after a refusal.
//!
//! One server gets every request, unless it says that it is a node of a cluster: then the slots of
//! the keys decide.

use std::sync::{Arc, OnceLock};

use super::cluster::Cluster;
use super::connection::Connection;
use super::context::ClientContext;
use super::endpoint::Endpoint;
use super::ids::NodeId;
use super::in_flight::InFlight;
use super::location::ServerLocation;
use super::node::{Node, NotFound};
use super::replicas::{self, Replicas};
use super::request::RequestTarget;
use super::sentinel::{Sentinels, Service};
use super::settings::{ClientIdentity, ClientLimits};
use crate::backend::redis::read_from::ReadFrom;
use crate::backend::redis::status::NodeStatus;
use crate::error::{BackendError, BackendResult};

/// The servers that a program names.
#[derive(Debug, Clone)]
pub(crate) struct Servers<S = Endpoint> {
    pub(crate) first: S,
    pub(crate) others: Vec<S>,
    pub(crate) deployment: Deployment,
}

/// The parts that servers have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deployment {
    /// One server, which may turn out to be a node of a cluster.
    Server,
    /// Nodes of a cluster.
    Cluster,
    /// Sentinels of a service. They are spoken to with the settings of its servers.
    Sentinel(Service),
}

impl<S> Servers<S> {
    /// Names one server.
    pub(crate) fn one(server: S) -> Self {
        Self {
            first: server,
            others: Vec::new(),
            deployment: Deployment::Server,
        }
    }

    pub(crate) fn try_map<T>(
        self,
        mut map: impl FnMut(S) -> BackendResult<T>,
    ) -> BackendResult<Servers<T>> {
        Ok(Servers {
            first: map(self.first)?,
            others: self.others.into_iter().map(map).collect::<Result<_, _>>()?,
            deployment: self.deployment,
        })
    }
}

pub(super) struct Router {
    context: Arc<ClientContext>,
    servers: Servers,
    /// The first server that was named.
    node: Node,
    /// The replicas of that server, if it is no node of a cluster.
    replicas: Replicas,
    /// Set once it is known that there is a cluster.
    cluster: OnceLock<Cluster>,
}

impl Router {
    pub(super) fn new(servers: Servers, identity: ClientIdentity, limits: ClientLimits) -> Self {
        let (first, client_name) = (servers.first.clone(), identity.name.clone());
        let context =
            |location: &ServerLocation| ClientContext::new(&first, location, identity, limits);
        Self::with(servers, client_name, context)
    }

    /// Makes a router to the same servers, with connections of its own.
    #[cfg(feature = "redis-commands")]
    pub(super) fn beside(&self) -> Self {
        let client_name = self.context.client_name.clone();
        Self::with(self.servers.clone(), client_name, |_| self.context.beside())
    }

    fn with(
        servers: Servers,
        client_name: Option<String>,
        context: impl FnOnce(&ServerLocation) -> ClientContext,
    ) -> Self {
        let Servers {
            first,
            others,
            deployment,
        } = servers.clone();
        let context = |location: &ServerLocation| Arc::new(context(location));
        let (node, context, sentinels, seeds) = match deployment {
            Deployment::Sentinel(service) => {
                let all = std::iter::once(first.clone()).chain(others);
                let sentinels = Sentinels::new(service, &first, all.collect(), client_name);
                let sentinels = Arc::new(sentinels);
                let context = context(&sentinels.location());
                let node = Node::named_by(sentinels.clone(), first.clone(), context.clone());
                (node, context, Some(sentinels), None)
            }
            Deployment::Server | Deployment::Cluster => {
                let context = context(&first.location());
                let node = |server| Node::new(server, context.clone());
                let seeds = others.into_iter().map(node).collect();
                let seeds = (deployment == Deployment::Cluster).then_some(seeds);
                (node(first.clone()), context.clone(), None, seeds)
            }
        };
        let replicas = Replicas::new(context.clone(), first.clone(), node.clone(), sentinels);
        let router = Self {
            node,
            replicas,
            cluster: OnceLock::new(),
            servers,
            context,
        };
        if let Some(seeds) = seeds {
            router.become_cluster(seeds);
        }
        router
    }

    #[cfg(feature = "redis-commands")]
    pub(super) fn limits(&self) -> ClientLimits {
        self.context.limits
    }

    #[cfg(feature = "redis-commands")]
    pub(super) fn database(&self) -> i64 {
        self.servers.first.info.redis_settings().db()
    }

    /// Says whether there is a connection, and what it leads to is known.
    #[cfg(feature = "redis-commands")]
    pub(super) fn is_up(&self) -> bool {
        match self.cluster.get() {
            Some(cluster) => cluster.is_up(),
            None => {
                let ready = self.node.ready(false);
                ready.is_some_and(|connection| !connection.is_cluster)
            }
        }
    }

    fn become_cluster(&self, other_seeds: Vec<Node>) -> &Cluster {
        self.cluster.get_or_init(|| {
            let mut seeds = other_seeds;
            seeds.insert(0, self.node.clone());
            Cluster::new(self.context.clone(), self.servers.first.clone(), seeds)
        })
    }

    /// Connects, for as long as an attempt may take, and judges the settings.
    pub(super) async fn connect(&self) -> BackendResult<()> {
        if let Some(cluster) = self.cluster.get() {
            return cluster.connect().await;
        }
        self.node.connect().await?;
        match self.meets_cluster().await? {
            Some(cluster) => cluster.connect().await,
            None => Ok(()),
        }
    }

    /// Makes no further connection, and ends the present ones.
    pub(super) fn close(&self) {
        self.node.close();
        self.replicas.nodes().iter().for_each(Node::close);
        if let Some(cluster) = self.cluster.get() {
            cluster.close();
        }
    }

    pub(super) fn status(&self) -> Vec<NodeStatus> {
        match self.cluster.get() {
            Some(cluster) => cluster.status(),
            None => {
                let replicas = self.replicas.nodes();
                let nodes = std::iter::once(&self.node).chain(&*replicas);
                nodes.map(Node::status).collect()
            }
        }
    }

    /// Returns the number of calls that went out as a part of a command for several callers.
    pub(super) fn merged(&self) -> u64 {
        self.context.merged()
    }

    /// Returns a connection that is up, for the request.
    pub(super) fn ready(&self, request: &InFlight) -> Option<Arc<Connection>> {
        match self.cluster.get() {
            Some(cluster) => cluster.ready(request),
            None => {
                let ready = match request.target() {
                    RequestTarget::Replica => self.replicas.ready(request),
                    RequestTarget::Node(id) => self.node(id)?.ready(true),
                    RequestTarget::Owner | RequestTarget::Importing => {
                        self.node.ready(request.is_plain_read())
                    }
                };
                ready.filter(|connection| !connection.is_cluster)
            }
        }
    }

    /// Returns a connection for the request, or waits for one. Notes in `last` the reason why there
    /// is none yet.
    pub(super) async fn connection(
        &self,
        request: &InFlight,
        last: &mut Option<BackendError>,
    ) -> BackendResult<Arc<Connection>> {
        let cluster = match self.cluster.get() {
            Some(cluster) => cluster,
            None => {
                let connection = self.connection_to_one(request).await?;
                if !connection.is_cluster {
                    return Ok(connection);
                }
                self.become_cluster(Vec::new())
            }
        };
        cluster.connection(request, last).await
    }

    /// As [`connection`](Self::connection), as long as it isn't known that there is a cluster.
    async fn connection_to_one(&self, request: &InFlight) -> BackendResult<Arc<Connection>> {
        let is_plain_read = request.is_plain_read();
        match request.target() {
            // The server's greeting says whether it has replicas of its own.
            RequestTarget::Replica if !self.replicas.are_known() => {
                let connection = self.node.connection(is_plain_read).await?;
                match connection.is_cluster {
                    true => Ok(connection),
                    false => self.replicas.connection(request).await,
                }
            }
            RequestTarget::Replica => self.replicas.connection(request).await,
            RequestTarget::Node(id) => match self.node(id) {
                Some(node) => node.connection(true).await,
                None => Err(replicas::has_left()),
            },
            RequestTarget::Owner | RequestTarget::Importing => {
                self.node.connection(is_plain_read).await
            }
        }
    }

    /// Returns a replica for reads that keep to one server; nothing where the primary is asked.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` if there are none.
    pub(super) async fn replica(&self, from: ReadFrom) -> BackendResult<Option<NodeId>> {
        match from {
            ReadFrom::Primary => Ok(None),
            ReadFrom::Replica => {
                self.replicas.check().await?;
                let replica = replicas::any(&self.replicas.nodes());
                Ok(replica.map(|replica| replica.node))
            }
        }
    }

    /// Waits until a request may be sent again that this connection's server refused because the
    /// server takes no writes.
    ///
    /// # Errors
    ///
    /// The refusal, if nobody can look for another server, or the reason for which the server that
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

    /// Returns the cluster, if it is known that there is one.
    pub(super) fn cluster(&self) -> Option<&Cluster> {
        self.cluster.get()
    }

    /// Says whether there is a cluster; nothing if that isn't known.
    pub(super) fn is_cluster(&self) -> Option<bool> {
        if self.cluster.get().is_some() {
            return Some(true);
        }
        if self.replicas.are_known() {
            return Some(false);
        }
        let ready = self.node.ready(false)?;
        (!ready.is_cluster).then_some(false)
    }

    /// Connects, unless there is a connection, and returns the cluster, if there is one.
    pub(super) async fn meets_cluster(&self) -> BackendResult<Option<&Cluster>> {
        let is_cluster = self.node.connection(false).await?.is_cluster;
        Ok(is_cluster.then(|| self.become_cluster(Vec::new())))
    }

    /// Begins to read the map of a cluster again.
    pub(super) fn doubt(&self) {
        if let Some(cluster) = self.cluster.get() {
            cluster.doubt();
        }
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
        let node = self.node(connection.node);
        node.or_else(|| self.cluster.get()?.node(connection.node))
    }

    /// Returns the address of a node of a cluster, or of the server.
    #[cfg(feature = "derive")]
    pub(super) fn address(&self, node: Option<NodeId>) -> String {
        let of_cluster = node.and_then(|node| self.cluster.get()?.node(node));
        let node = of_cluster.as_ref().unwrap_or(&self.node);
        node.status().address
    }

    /// Returns the server with this id, or its replica.
    fn node(&self, id: NodeId) -> Option<Node> {
        let replicas = self.replicas.nodes();
        let mut nodes = std::iter::once(&self.node).chain(&*replicas);
        nodes.find(|node| node.id() == id).cloned()
    }
}
