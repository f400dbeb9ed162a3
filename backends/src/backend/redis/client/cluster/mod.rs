//! A cluster: several primaries, each of which serves a part of the hash slots.
//!
//! The map of slots is what the nodes tell (`CLUSTER SLOTS`). It is read anew where it turns out to
//! be wrong in a way that no node corrects: a node can't be reached, doesn't answer, or says that
//! the cluster is down. A node that a slot has left names the other one (`MOVED`), which corrects
//! the map at once, for all runtimes. The connections are those of the nodes, one for each runtime.

mod refresh;
mod topology;

use std::ops::RangeInclusive;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::{Either, join_all, select};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use self::refresh::Refresh;
use self::topology::{Redirection, Topology};
use super::deadline::deadlines;
use super::endpoint::{Address, Endpoint};
use super::node::{Common, Node};
use super::request::{InFlight, Slots, Target};
use super::resend;
use super::resp::{Command, ErrorReply};
use super::slot::slot;
use super::states::{Connection, NodeId};
use crate::backend::redis::status::NodeStatus;
use crate::error::{BackendError, BackendResult, ErrorKind};

pub(super) struct Cluster {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    common: Arc<Common>,
    /// Says how nodes are spoken to, whatever their address is.
    pattern: Endpoint,
    /// The nodes that the program named. They are asked where no other node answers.
    seeds: Vec<Node>,
    /// Held to look at the map or to change it, never across an `.await`.
    topology: RwLock<Topology<Node>>,
    refresh: Mutex<Refresh>,
    importing: Mutex<Importing>,
    /// Tells that the map has changed.
    changed: Notify,
    redirections: AtomicU64,
    /// Shortens the pauses of calls that can't be sent yet.
    factor: f64,
}

impl Cluster {
    pub(super) fn new(common: Arc<Common>, pattern: Endpoint, seeds: Vec<Node>) -> Self {
        let shared = Shared {
            common,
            pattern,
            seeds,
            topology: RwLock::default(),
            refresh: Mutex::default(),
            importing: Mutex::default(),
            changed: Notify::new(),
            redirections: AtomicU64::new(0),
            factor: 1.0 - fastrand::f64() / 5.0,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Reads the map and connects to all primaries. One that is down doesn't matter, as long as
    /// another one is reached.
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

    /// Returns a connection that is up to the node of a request.
    pub(super) fn ready(&self, request: &InFlight) -> Option<Arc<Connection>> {
        let topology = self.shared.topology.read();
        let node = chosen(&topology, request)?;
        node.ready(request.is_plain_read())
    }

    /// Waits for a connection to the node of a request, and reads the map again while there is
    /// none. Notes in `last` why there is none yet.
    ///
    /// # Errors
    ///
    /// An error that doesn't heal; any, for several commands, which are better sent one by one.
    pub(super) async fn connection(
        &self,
        request: &InFlight,
        last: &mut Option<BackendError>,
    ) -> BackendResult<Arc<Connection>> {
        let deadlines = deadlines()?;
        let shared = &self.shared;
        let is_for_node = matches!(request.target(), Target::Node(_));
        let mut failed = 0;
        loop {
            // Made before the look: it is told of what happens after that.
            let changed = shared.changed.notified();
            let node = chosen(&shared.topology.read(), request).cloned();
            let has_node = node.is_some();
            let error = match node {
                None => unserved_by(request),
                Some(node) => {
                    let before = last.clone();
                    last.get_or_insert_with(|| unconnected(&node));
                    let connecting = pin!(node.connection(request.is_plain_read()));
                    match select(connecting, pin!(changed)).await {
                        Either::Right(_) => {
                            *last = before;
                            continue;
                        }
                        Either::Left((Ok(connection), _)) => {
                            *last = before;
                            return Ok(connection);
                        }
                        Either::Left((Err(error), _)) if error.is_transient() => unreached(&error),
                        Either::Left((Err(error), _)) => return Err(error),
                    }
                }
            };
            if is_for_node && (!has_node || request.names_many_keys()) {
                shared.doubt();
                return Err(error);
            }
            *last = Some(error);
            // Nothing was sent: another node may serve the slot by now.
            let changed = shared.changed.notified();
            if let Err(error) = shared.refreshed().await {
                if !error.is_transient() && !has_node {
                    return Err(error);
                }
                *last = Some(error);
            }
            let pause = pin!(deadlines.sleep(resend::pause(failed, shared.factor)));
            select(pause, pin!(changed)).await;
            failed += 1;
        }
    }

    /// Follows a node that doesn't serve a slot any more, for all calls that follow. Says whether
    /// its refusal can be read.
    pub(super) fn moved(&self, connection: &Connection, refused: &ErrorReply) -> bool {
        let Some(moved) = Redirection::read(refused, connection.place.host()) else {
            return false;
        };
        let shared = &self.shared;
        let make = |address: &Address| shared.node(address);
        if shared.topology.write().patch(&moved, make).is_err() {
            return false;
        }
        shared.redirections.fetch_add(1, Ordering::Relaxed);
        shared.changed.notify_waiters();
        // The other node may have taken more slots over than this one.
        shared.doubt();
        true
    }

    /// Returns a connection to the node that has a key which is on its way there.
    pub(super) async fn importing(
        &self,
        connection: &Connection,
        refused: &ErrorReply,
    ) -> Option<BackendResult<Arc<Connection>>> {
        let asked = Redirection::read(refused, connection.place.host())?;
        self.shared.redirections.fetch_add(1, Ordering::Relaxed);
        let known = self.shared.topology.read().at(&asked.address).cloned();
        let node = known.map_or_else(|| self.shared.importing(&asked.address), Ok);
        Some(match node {
            Ok(node) => node.connection(false).await,
            Err(error) => Err(error),
        })
    }

    /// Reads the map again.
    pub(super) async fn refreshed(&self) -> BackendResult<()> {
        self.shared.refreshed().await
    }

    /// Begins to read the map again.
    pub(super) fn doubt(&self) {
        self.shared.doubt();
    }

    /// Returns the nodes that serve slots.
    ///
    /// # Errors
    ///
    /// `Unavailable` while there are slots that no node serves.
    pub(super) async fn owners(&self) -> BackendResult<Vec<NodeId>> {
        if self.shared.topology.read().hole().is_some() {
            self.shared.refreshed().await?;
        }
        let topology = self.shared.topology.read();
        match topology.hole() {
            Some(slots) => Err(unserved(&slots)),
            None => Ok(topology.owners().map(Node::id).collect()),
        }
    }

    /// Sorts commands by the nodes that serve their keys; each is named by its position.
    pub(super) fn by_node(&self, commands: &[Command]) -> Vec<(NodeId, Vec<usize>)> {
        let topology = self.shared.topology.read();
        let mut nodes: Vec<(NodeId, Vec<usize>)> = Vec::new();
        for (position, command) in commands.iter().enumerate() {
            // All of its keys are in the slot of the first.
            let slot = command.keys().next().map(slot);
            let Some(owner) = slot.and_then(|slot| topology.owner(slot)).map(Node::id) else {
                continue;
            };
            match nodes.iter_mut().find(|(node, _)| *node == owner) {
                Some((_, positions)) => positions.push(position),
                None => nodes.push((owner, vec![position])),
            }
        }
        nodes
    }

    /// Returns the node with this id, if it is one still.
    pub(super) fn node(&self, id: NodeId) -> Option<Node> {
        let nodes = self.shared.all_nodes();
        let mut nodes = nodes.iter();
        nodes.find(|node| node.id() == id).cloned()
    }

    pub(super) fn status(&self) -> Vec<NodeStatus> {
        let nodes = self.shared.nodes();
        let known = match nodes.is_empty() {
            true => &self.shared.seeds,
            false => &nodes,
        };
        known.iter().map(Node::status).collect()
    }

    /// Returns how often a node has sent a request on to another one.
    pub(super) fn redirections(&self) -> u64 {
        self.shared.redirections.load(Ordering::Relaxed)
    }

    pub(super) fn close(&self) {
        self.shared.all_nodes().iter().for_each(Node::close);
    }
}

impl Shared {
    fn nodes(&self) -> Vec<Node> {
        self.topology.read().nodes().cloned().collect()
    }

    /// Returns the nodes of the map, the seeds, and those that take a slot over; some twice.
    fn all_nodes(&self) -> Vec<Node> {
        let mut nodes = self.nodes();
        nodes.extend(self.seeds.iter().cloned());
        nodes.extend(self.importing.lock().iter().map(|(_, node)| node.clone()));
        nodes
    }

    /// Returns a node for the map: one to which a slot was on its way, or another.
    fn node(self: &Arc<Self>, address: &Address) -> BackendResult<Node> {
        let known = {
            let mut importing = self.importing.lock();
            let known = importing.iter().position(|(known, _)| known == address);
            known.map(|position| importing.swap_remove(position).1)
        };
        known.map_or_else(|| self.node_beside(address), Ok)
    }

    /// Returns the node at an address to which a slot is on its way, and keeps it: it may serve
    /// none yet, so the map doesn't have it.
    fn importing(self: &Arc<Self>, address: &Address) -> BackendResult<Node> {
        // Dropped after the lock: that wakes drivers.
        let _oldest;
        let mut importing = self.importing.lock();
        if let Some((_, node)) = importing.iter().find(|(known, _)| known == address) {
            return Ok(node.clone());
        }
        let node = self.node_beside(address)?;
        _oldest = (importing.len() >= MOST_IMPORTING).then(|| importing.remove(0));
        importing.push((address.clone(), node.clone()));
        Ok(node)
    }

    /// Returns the seed at an address, or makes a node.
    fn node_beside(self: &Arc<Self>, address: &Address) -> BackendResult<Node> {
        let mut seeds = self.seeds.iter();
        let node = match seeds.find(|seed| seed.is_at(address)) {
            Some(seed) => seed.clone(),
            None => {
                let server = self.pattern.at(address)?;
                Node::new(server, self.common.clone())
            }
        };
        let cluster = Arc::downgrade(self);
        node.join_cluster(move || {
            if let Some(cluster) = cluster.upgrade() {
                cluster.doubt();
            }
        });
        Ok(node)
    }
}

/// The nodes to which slots are on their way, and which aren't in the map.
type Importing = Vec<(Address, Node)>;

/// The most of these that are kept.
const MOST_IMPORTING: usize = 16;

/// Returns the node that a request is for.
fn chosen<'t>(topology: &'t Topology<Node>, request: &InFlight) -> Option<&'t Node> {
    let slots = match request.target() {
        Target::Node(id) => return topology.nodes().find(|node| node.id() == id),
        Target::Owner | Target::Importing => request.slots(),
    };
    match slots {
        Slots::One(slot) => topology.owner(slot),
        Slots::None | Slots::Several => {
            let mut nodes = topology.nodes();
            let ready = nodes.find(|node| node.ready(false).is_some());
            ready.or_else(|| topology.nodes().next())
        }
    }
}

fn unserved_by(request: &InFlight) -> BackendError {
    let message = match (request.target(), request.slots()) {
        (Target::Node(_), _) => "the node has left the cluster".to_string(),
        (_, Slots::One(slot)) => format!("no node of the cluster serves hash slot {slot}"),
        _ => "no node of the cluster is known".to_string(),
    };
    BackendError::new(ErrorKind::Unavailable, message)
}

fn unserved(slots: &RangeInclusive<u16>) -> BackendError {
    let (first, last) = (slots.start(), slots.end());
    let message = format!("no node of the cluster serves hash slots {first} to {last}");
    BackendError::new(ErrorKind::Unavailable, message)
}

/// Adds to the error of a node where its address comes from.
fn unreached(error: &BackendError) -> BackendError {
    let message = format!("{}: the cluster announces this address", error.message());
    BackendError::new(error.kind(), message)
}

/// Returns the error of a call that waits for a connection to a node as long as it may.
fn unconnected(node: &Node) -> BackendError {
    let place = node.place();
    let message = format!("no connection to {place} yet: the cluster announces this address");
    BackendError::new(ErrorKind::Timeout, message)
}
