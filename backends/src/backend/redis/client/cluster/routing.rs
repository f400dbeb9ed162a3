//! The choice of the connection for a request, by the slots of its keys.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::{Either, select};
use tokio::sync::futures::Notified;

use super::Cluster;
use super::faults::{unconnected, unreached, unserved_by};
use super::topology::Topology;
use crate::backend::redis::client::connection::Connection;
use crate::backend::redis::client::in_flight::InFlight;
use crate::backend::redis::client::node::Node;
use crate::backend::redis::client::replicas::first_reached;
use crate::backend::redis::client::request::RequestTarget;
use crate::backend::redis::client::resend;
use crate::backend::redis::client::slot::Slots;
use crate::error::{BackendError, BackendResult};
use crate::time::deadline::deadlines;

impl Cluster {
    /// Returns a connection that is up to the node of a request.
    pub(in crate::backend::redis::client) fn ready(
        &self,
        request: &InFlight,
    ) -> Option<Arc<Connection>> {
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
    pub(in crate::backend::redis::client) async fn connection(
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
            let (node, is_mapped) = {
                let topology = shared.topology.read();
                (chosen(&topology, request).cloned(), topology.is_known())
            };
            let error = match &node {
                None => unserved_by(request, is_mapped),
                Some(node) => {
                    let before = last.clone();
                    last.get_or_insert_with(|| unconnected(node));
                    match self.reached(node, request, changed).await {
                        Some(Err(error)) if error.is_transient() => unreached(&error),
                        Some(Err(error)) => return Err(error),
                        Some(Ok(connection)) => {
                            *last = before;
                            return Ok(connection);
                        }
                        None => {
                            *last = before;
                            continue;
                        }
                    }
                }
            };
            if is_for_node && (node.is_none() || request.names_many_keys()) {
                shared.doubt();
                return Err(error);
            }
            // The reason why nobody tells the map says more than that it isn't known.
            if is_mapped || last.is_none() {
                *last = Some(error);
            }
            // Nothing was sent: another node may serve the slot by now.
            let changed = shared.changed.notified();
            if let Err(error) = shared.refreshed().await {
                if !error.is_transient() && node.is_none() {
                    return Err(error);
                }
                *last = Some(error);
            }
            let pause = pin!(deadlines.sleep(resend::pause(failed, shared.factor)));
            select(pause, pin!(changed)).await;
            failed += 1;
        }
    }

    /// Waits for a connection to a node, or to one of its replicas for a read that may go there.
    /// Returns `None` once the map has changed.
    async fn reached(
        &self,
        node: &Node,
        request: &InFlight,
        changed: Notified<'_>,
    ) -> Option<BackendResult<Arc<Connection>>> {
        let replicas = match request.target() {
            RequestTarget::Replica => self.shared.replicas(request),
            _ => Arc::default(),
        };
        let connecting = pin!(first_reached(node, &replicas, request.is_plain_read()));
        match select(connecting, pin!(changed)).await {
            Either::Left((outcome, _)) => Some(outcome),
            Either::Right(_) => None,
        }
    }
}

/// Returns the node that a request is for.
pub(super) fn chosen<'t>(topology: &'t Topology<Node>, request: &InFlight) -> Option<&'t Node> {
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
