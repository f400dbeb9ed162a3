//! The nodes that a cluster gets to know: by its map, or as the place that a slot is on its way to.

use std::sync::Arc;

use super::ClusterShared;
use super::topology::Role;
use crate::backend::redis::client::location::Address;
use crate::backend::redis::client::node::Node;
use crate::error::BackendResult;

impl ClusterShared {
    /// Returns a node for the map: a node to which a slot was on its way, or another one.
    pub(super) fn node(self: &Arc<Self>, address: &Address, role: Role) -> BackendResult<Node> {
        if role == Role::Replica {
            let node = Node::replica(self.pattern.at(address)?, self.context.clone());
            self.admit(&node);
            return Ok(node);
        }
        let known = self.importing.lock().take(address);
        known.map_or_else(|| self.node_beside(address), Ok)
    }

    /// Returns the node at an address to which a slot is on its way, and keeps the node: it may
    /// serve no slot yet, so the map doesn't have it.
    pub(super) fn importing(self: &Arc<Self>, address: &Address) -> BackendResult<Node> {
        // The oldest is dropped after the lock: that wakes drivers.
        let (node, _oldest) = {
            let mut importing = self.importing.lock();
            importing.get_or_make(address, || self.node_beside(address))?
        };
        Ok(node)
    }

    /// Returns the seed at an address, or makes a node.
    pub(super) fn node_beside(self: &Arc<Self>, address: &Address) -> BackendResult<Node> {
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
    pub(super) fn admit(self: &Arc<Self>, node: &Node) {
        let cluster = Arc::downgrade(self);
        node.join_cluster(move || {
            if let Some(cluster) = cluster.upgrade() {
                cluster.doubt();
            }
        });
    }
}
