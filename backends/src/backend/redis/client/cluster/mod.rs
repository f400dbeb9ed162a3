//! A cluster: several primaries, each of which serves a part of the hash slots.
//!
//! The map of slots is what the nodes tell (`CLUSTER SLOTS`). The map is read anew if it turns out
//! to be wrong in a way that no node corrects: a node can't be reached, doesn't answer, or says
//! that the cluster is down. A node that a slot has left names the other node (`MOVED`), which
//! corrects the map at once, for all runtimes. The connections are those of the nodes, one for each
//! runtime.

mod admission;
mod faults;
mod importing;
mod owners;
mod redirections;
mod refresh;
mod replicas;
mod routing;
mod topology;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::future::join_all;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use self::faults::{unreached, unserved};
use self::importing::Importing;
use self::topology::Topology;
use super::context::ClientContext;
use super::endpoint::Endpoint;
use super::ids::NodeId;
use super::node::Node;
use super::readings::Readings;
use crate::backend::redis::status::NodeStatus;
use crate::error::BackendResult;

pub(super) struct Cluster {
    shared: Arc<ClusterShared>,
}

pub(super) struct ClusterShared {
    context: Arc<ClientContext>,
    /// Says how nodes are spoken to, whatever their address is.
    pattern: Endpoint,
    /// The nodes that the program named. They are asked where no other node answers.
    seeds: Vec<Node>,
    /// Held to look at the map or to change it, never across an `.await`.
    topology: RwLock<Topology<Node>>,
    refreshes: Readings,
    /// True once a program has read from replicas, and the cluster has some.
    reads_from_replicas: AtomicBool,
    importing: Mutex<Importing>,
    /// Tells that the map has changed.
    changed: Notify,
    redirections: AtomicU64,
    /// Shortens the pauses of calls that can't be sent yet.
    factor: f64,
}

impl Cluster {
    pub(super) fn new(context: Arc<ClientContext>, pattern: Endpoint, seeds: Vec<Node>) -> Self {
        let shared = ClusterShared {
            context,
            pattern,
            seeds,
            topology: RwLock::default(),
            refreshes: Readings::default(),
            reads_from_replicas: AtomicBool::new(false),
            importing: Mutex::default(),
            changed: Notify::new(),
            redirections: AtomicU64::new(0),
            factor: 1.0 - fastrand::f64() / 5.0,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Reads the map and connects to all primaries. A primary that is down doesn't matter, as long
    /// as another one is reached.
    ///
    /// # Errors
    ///
    /// `Unavailable` for slots that no node serves, and the error of a primary that can't be
    /// reached, with its address.
    pub(super) async fn connect(&self) -> BackendResult<()> {
        self.shared.refreshed().await?;
        if let Some(slots) = self.shared.topology.read().hole() {
            return Err(unserved(&slots));
        }
        let nodes = self.shared.nodes();
        let connected = join_all(nodes.iter().map(Node::connect)).await;
        let is_any = connected.iter().any(Result::is_ok);
        let mut failures = connected.into_iter().filter_map(Result::err);
        match failures.find(|error| !is_any || !error.is_transient()) {
            Some(error) => Err(unreached(&error)),
            None => Ok(()),
        }
    }

    /// Says whether the map is known, and one of its nodes is up.
    #[cfg(feature = "redis-commands")]
    pub(super) fn is_up(&self) -> bool {
        let topology = self.shared.topology.read();
        topology.nodes().any(|node| node.ready(false).is_some())
    }

    /// Reads the map again.
    pub(super) async fn refreshed(&self) -> BackendResult<()> {
        self.shared.refreshed().await
    }

    /// Begins to read the map again.
    pub(super) fn doubt(&self) {
        self.shared.doubt();
    }

    /// Returns the number of the node that owns a slot; zero if none does.
    pub(super) fn part_of(&self, slot: u16) -> u64 {
        let topology = self.shared.topology.read();
        let owner = topology.owner(slot);
        owner.map_or(0, |node| node.id().number())
    }

    /// Returns the node with this id, if it still is a node of the cluster.
    pub(super) fn node(&self, id: NodeId) -> Option<Node> {
        let nodes = self.shared.all_nodes();
        let mut nodes = nodes.iter();
        nodes.find(|node| node.id() == id).cloned()
    }

    pub(super) fn status(&self) -> Vec<NodeStatus> {
        let topology = self.shared.topology.read();
        let mut nodes: Vec<NodeStatus> = topology.nodes().map(Node::status).collect();
        if nodes.is_empty() {
            return self.shared.seeds.iter().map(Node::status).collect();
        }
        for (owner, _, slots) in topology.owners() {
            let location = topology.nodes().position(|node| node.id() == owner.id());
            if let Some(status) = location.and_then(|location| nodes.get_mut(location)) {
                status.slots = slots;
            }
        }
        if self.shared.reads_from_replicas.load(Ordering::Relaxed) {
            nodes.extend(topology.all_replicas().map(Node::status));
        }
        nodes
    }

    /// Returns the number of times that the map was read.
    pub(super) fn refreshes(&self) -> u64 {
        self.shared.refreshes.count()
    }

    /// Returns the number of times that a node has sent a request on to another node.
    pub(super) fn redirections(&self) -> u64 {
        self.shared.redirections.load(Ordering::Relaxed)
    }

    pub(super) fn close(&self) {
        self.shared.all_nodes().iter().for_each(Node::close);
    }
}

impl ClusterShared {
    fn nodes(&self) -> Vec<Node> {
        self.topology.read().nodes().cloned().collect()
    }

    /// Returns the nodes of the map, the seeds, and those that take a slot over; some twice.
    fn all_nodes(&self) -> Vec<Node> {
        let mut nodes = self.nodes();
        nodes.extend(self.topology.read().all_replicas().cloned());
        nodes.extend(self.seeds.iter().cloned());
        nodes.extend(self.importing.lock().nodes().cloned());
        nodes
    }
}
