//! The nodes that serve slots, and commands sorted by them.

use std::sync::Arc;

use super::Cluster;
use super::faults::unserved;
use crate::backend::redis::client::access::Access;
use crate::backend::redis::client::ids::NodeId;
use crate::backend::redis::client::node::Node;
use crate::backend::redis::client::replicas;
use crate::backend::redis::client::resp::Command;
use crate::backend::redis::client::slot::slot;
use crate::backend::redis::read_from::ReadFrom;
use crate::error::BackendResult;

impl Cluster {
    /// Returns the nodes that serve slots, or a replica of each that has one up.
    ///
    /// # Errors
    ///
    /// `Unavailable` while there are slots that no node serves; `InvalidConfig` if replicas are
    /// asked for, and there are none.
    pub(in crate::backend::redis::client) async fn owners(
        &self,
        from: ReadFrom,
    ) -> BackendResult<Vec<NodeId>> {
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
    pub(in crate::backend::redis::client) fn by_node(
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
}

/// The slot of a command, and the node that serves it.
struct Owned {
    slot: u16,
    owner: NodeId,
    replicas: Arc<[Node]>,
}
