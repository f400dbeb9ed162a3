//! A cluster: several primaries, each of which serves a part of the hash slots.
//!
//! The map of slots is what the nodes tell (`CLUSTER SLOTS`). The map is read anew if it turns out
//! to be wrong in a way that no node corrects: a node can't be reached, doesn't answer, or says
//! that the cluster is down. A node that a slot has left names the other node (`MOVED`), which
//! corrects the map at once, for all runtimes. The connections are those of the nodes, one for each
//! runtime.

mod refresh;
mod topology;

use std::ops::RangeInclusive;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::future::{Either, join_all, select};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use self::topology::{Redirection, Role, Topology};
use super::access::Access;
use super::connection::Connection;
use super::context::ClientContext;
use super::endpoint::Endpoint;
use super::ids::NodeId;
use super::in_flight::InFlight;
use super::location::Address;
use super::node::Node;
use super::readings::Readings;
use super::replicas::{self, first_reached, no_replicas};
use super::request::{Request, RequestTarget};
use super::resend;
use super::resp::{Command, ErrorReply, Reply};
use super::slot::{Slots, slot};
use crate::backend::redis::read_from::ReadFrom;
use crate::backend::redis::status::NodeStatus;
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::time::deadline::deadlines;

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

    /// Returns a connection that is up to the node of a request.
    pub(super) fn ready(&self, request: &InFlight) -> Option<Arc<Connection>> {
        if request.target() == RequestTarget::Replica {
            if !self.shared.reads_from_replicas.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(replica) = self.shared.ready_replica(request) {
                return Some(replica);
            }
        }
        let topology = self.shared.topology.read();
        let node = chosen(&topology, request)?;
        node.ready(request.is_plain_read())
    }

    /// Waits for a connection to the node of a request, and reads the map again while there is
    /// none. Notes in `last` the reason why there is no connection yet.
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
        let is_for_node = matches!(request.target(), RequestTarget::Node(_));
        let is_for_replica = request.target() == RequestTarget::Replica;
        if is_for_replica {
            self.check_replicas().await?;
        }
        let mut failed = 0;
        loop {
            if is_for_replica && let Some(replica) = shared.ready_replica(request) {
                return Ok(replica);
            }
            // Made before the look: it is told of what happens after that.
            let changed = shared.changed.notified();
            let node = chosen(&shared.topology.read(), request).cloned();
            let has_node = node.is_some();
            let error = match node {
                None => unserved_by(request),
                Some(node) => {
                    let before = last.clone();
                    last.get_or_insert_with(|| unconnected(&node));
                    let replicas = match is_for_replica {
                        true => shared.replicas(request),
                        false => Arc::default(),
                    };
                    let is_plain_read = request.is_plain_read();
                    let connecting = pin!(first_reached(&node, &replicas, is_plain_read));
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

    /// Follows a node that doesn't serve a slot any more, for all calls that follow. Returns the
    /// slot, if the refusal can be read.
    pub(super) fn moved(&self, connection: &Connection, refused: &ErrorReply) -> Option<u16> {
        let moved = Redirection::read(refused, connection.location.host())?;
        let shared = &self.shared;
        let make = |address: &Address| shared.node(address, Role::Primary);
        shared.topology.write().patch(&moved, make).ok()?;
        shared.redirections.fetch_add(1, Ordering::Relaxed);
        shared.changed.notify_waiters();
        // The other node may have taken more slots over than this one.
        shared.doubt();
        Some(moved.slot)
    }

    /// Corrects the map by a redirection in the reply to a request that isn't sent again, or has it
    /// read again after another refusal.
    #[cfg(feature = "redis-commands")]
    pub(super) fn learn(&self, connection: &Connection, reply: &Reply) {
        let replies = match reply {
            Reply::Array(replies) => replies,
            reply => std::slice::from_ref(reply),
        };
        let moved = replies.iter().find_map(|reply| match reply {
            Reply::Error(error) if error.code() == "MOVED" => Some(error),
            _ => None,
        });
        if let Some(moved) = moved {
            self.moved(connection, moved);
        } else if replies.iter().any(resend::is_refused) {
            self.doubt();
        }
    }

    /// Returns a connection to the node that a key is on its way to.
    pub(super) async fn importing(
        &self,
        connection: &Connection,
        refused: &ErrorReply,
    ) -> Option<BackendResult<Arc<Connection>>> {
        let asked = Redirection::read(refused, connection.location.host())?;
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

    /// Makes sure that there are replicas, even if they are down, or that nobody can tell at the
    /// moment.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` if there are none.
    pub(super) async fn check_replicas(&self) -> BackendResult<()> {
        let shared = &self.shared;
        if shared.reads_from_replicas.load(Ordering::Relaxed) {
            return Ok(());
        }
        let are_any = || shared.topology.read().all_replicas().next().is_some();
        if !are_any() {
            let asked = match shared.refreshed().await {
                Ok(()) if are_any() => Ok(true),
                Ok(()) => self.has_replicas_that_failed().await,
                Err(error) => Err(error),
            };
            match asked {
                Ok(true) => {}
                Ok(false) => return Err(no_replicas("the cluster")),
                // Nobody can tell at the moment.
                Err(error) if error.is_transient() => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        shared.reads_from_replicas.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Asks for replicas that aren't in the map because they are down.
    async fn has_replicas_that_failed(&self) -> BackendResult<bool> {
        let request = Request::One(Command::new("CLUSTER").arg("NODES"));
        let request = InFlight::new(request, Access::READ);
        let node = chosen(&self.shared.topology.read(), &request).cloned();
        let node = node.ok_or_else(|| unserved_by(&request))?;
        let connection = node.connection(false).await?;
        let Ok(reply) = connection.multiplexer.exchange(&request).await else {
            return Err(connection.lost());
        };
        let Reply::Bytes(nodes) = reply else {
            // A user may have no right to it. There may be some.
            return Ok(true);
        };
        let nodes = String::from_utf8_lossy(nodes.as_bytes());
        let is_replica = |line: &str| {
            let flags = line.split(' ').nth(2).unwrap_or_default();
            flags.split(',').any(|flag| flag == "slave")
        };
        Ok(nodes.lines().any(is_replica))
    }

    /// Returns the nodes that serve slots, or a replica of each that has one up.
    ///
    /// # Errors
    ///
    /// `Unavailable` while there are slots that no node serves; `InvalidConfig` if replicas are
    /// asked for, and there are none.
    pub(super) async fn owners(&self, from: ReadFrom) -> BackendResult<Vec<NodeId>> {
        if from == ReadFrom::Replica {
            self.check_replicas().await?;
        }
        if self.shared.topology.read().hole().is_some() {
            self.shared.refreshed().await?;
        }
        let owners: Vec<(NodeId, Arc<[Node]>)> = {
            let topology = self.shared.topology.read();
            if let Some(slots) = topology.hole() {
                return Err(unserved(&slots));
            }
            let owners = topology.owners();
            owners
                .map(|(owner, replicas, _)| (owner.id(), replicas.clone()))
                .collect()
        };
        let owners = owners.into_iter().map(|(owner, replicas)| {
            let replica = match from {
                ReadFrom::Primary => None,
                ReadFrom::Replica => replicas::any(&replicas),
            };
            replica.map_or(owner, |replica| replica.node)
        });
        Ok(owners.collect())
    }

    /// Sorts commands by the nodes that serve their keys; each is named by its position.
    pub(super) fn by_node(
        &self,
        commands: &[Command],
        access: Access,
    ) -> Vec<(NodeId, Vec<usize>)> {
        let from_replicas = access == Access::Read(ReadFrom::Replica);
        if from_replicas {
            self.shared.keep_fresh();
        }
        let owned: Vec<Option<Owned>> = {
            let topology = self.shared.topology.read();
            let owners = commands.iter().map(|command| {
                // All of its keys are in the slot of the first.
                let slot = slot(command.keys().next()?);
                let replicas = match from_replicas {
                    true => topology.replicas(slot),
                    false => Arc::default(),
                };
                Some(Owned {
                    slot,
                    owner: topology.owner(slot)?.id(),
                    replicas,
                })
            });
            owners.collect()
        };
        let mut nodes: Vec<(NodeId, Vec<usize>)> = Vec::new();
        for (position, owned) in owned.into_iter().enumerate() {
            let Some(owned) = owned else {
                continue;
            };
            let replica = replicas::of_slot(&owned.replicas, owned.slot);
            let node = replica.map_or(owned.owner, |replica| replica.node);
            match nodes.iter_mut().find(|(known, _)| *known == node) {
                Some((_, positions)) => positions.push(position),
                None => nodes.push((node, vec![position])),
            }
        }
        nodes
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

    /// Returns the connection of a replica for a request, if one is up.
    fn ready_replica(self: &Arc<Self>, request: &InFlight) -> Option<Arc<Connection>> {
        self.keep_fresh();
        replicas::ready(&self.replicas(request), request)
    }

    /// Reads the map again from time to time: nobody tells of replicas that come.
    fn keep_fresh(self: &Arc<Self>) {
        let replicas = self.topology.read().all_replicas().count();
        if self.refreshes.are_older_than(replicas::freshness(replicas)) {
            self.doubt();
        }
    }

    /// Returns the replicas of the node of a request.
    fn replicas(&self, request: &InFlight) -> Arc<[Node]> {
        match request.slots() {
            Slots::One(slot) => self.topology.read().replicas(slot),
            Slots::None | Slots::Several => Arc::default(),
        }
    }

    /// Returns the nodes of the map, the seeds, and those that take a slot over; some twice.
    fn all_nodes(&self) -> Vec<Node> {
        let mut nodes = self.nodes();
        nodes.extend(self.topology.read().all_replicas().cloned());
        nodes.extend(self.seeds.iter().cloned());
        nodes.extend(self.importing.lock().iter().map(|(_, node)| node.clone()));
        nodes
    }

    /// Returns a node for the map: a node to which a slot was on its way, or another one.
    fn node(self: &Arc<Self>, address: &Address, role: Role) -> BackendResult<Node> {
        if role == Role::Replica {
            let node = Node::replica(self.pattern.at(address)?, self.context.clone());
            self.admit(&node);
            return Ok(node);
        }
        let known = {
            let mut importing = self.importing.lock();
            let known = importing.iter().position(|(known, _)| known == address);
            known.map(|position| importing.swap_remove(position).1)
        };
        known.map_or_else(|| self.node_beside(address), Ok)
    }

    /// Returns the node at an address to which a slot is on its way, and keeps the node: it may
    /// serve no slot yet, so the map doesn't have it.
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
                Node::new(server, self.context.clone())
            }
        };
        self.admit(&node);
        Ok(node)
    }

    /// Lets a node tell when it may be gone.
    fn admit(self: &Arc<Self>, node: &Node) {
        let cluster = Arc::downgrade(self);
        node.join_cluster(move || {
            if let Some(cluster) = cluster.upgrade() {
                cluster.doubt();
            }
        });
    }
}

/// The slot of a command, and the node that serves it.
struct Owned {
    slot: u16,
    owner: NodeId,
    replicas: Arc<[Node]>,
}

/// The nodes to which slots are on their way, and which aren't in the map.
type Importing = Vec<(Address, Node)>;

/// The most importing nodes that are kept.
const MOST_IMPORTING: usize = 16;

/// Returns the node that a request is for.
fn chosen<'t>(topology: &'t Topology<Node>, request: &InFlight) -> Option<&'t Node> {
    let slots = match request.target() {
        RequestTarget::Node(id) => {
            let mut nodes = topology.nodes().chain(topology.all_replicas());
            return nodes.find(|node| node.id() == id);
        }
        RequestTarget::Owner | RequestTarget::Replica | RequestTarget::Importing => request.slots(),
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
        (RequestTarget::Node(_), _) => "the node has left the cluster".to_string(),
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

/// Adds the source of a node's address to its error.
fn unreached(error: &BackendError) -> BackendError {
    let message = format!("{}: the cluster announces this address", error.message());
    BackendError::new(error.kind(), message)
}

/// Returns the error of a call that waits for a connection to a node as long as it may.
fn unconnected(node: &Node) -> BackendError {
    let location = node.location();
    let message = format!("no connection to {location} yet: the cluster announces this address");
    BackendError::new(ErrorKind::Timeout, message)
}
