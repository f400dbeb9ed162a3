//! The replicas of a cluster, which its map tells.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::faults::unserved_by;
use super::routing::chosen;
use super::{Cluster, ClusterShared};
use crate::backend::redis::client::access::Access;
use crate::backend::redis::client::connection::Connection;
use crate::backend::redis::client::in_flight::InFlight;
use crate::backend::redis::client::node::Node;
use crate::backend::redis::client::replicas::{self, no_replicas};
use crate::backend::redis::client::request::Request;
use crate::backend::redis::client::resp::{Command, Reply};
use crate::backend::redis::client::slot::Slots;
use crate::error::BackendResult;

impl Cluster {
    /// Makes sure that there are replicas, even if they are down, or that nobody can tell at the
    /// moment.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` if there are none.
    pub(in crate::backend::redis::client) async fn check_replicas(&self) -> BackendResult<()> {
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
        let node = {
            let topology = self.shared.topology.read();
            let node = chosen(&topology, &request).cloned();
            node.ok_or_else(|| unserved_by(&request, topology.is_known()))?
        };
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
}

impl ClusterShared {
    /// Returns the connection of a replica for a request, if one is up.
    pub(super) fn ready_replica(self: &Arc<Self>, request: &InFlight) -> Option<Arc<Connection>> {
        self.keep_fresh();
        replicas::ready(&self.replicas(request), request)
    }

    /// Reads the map again from time to time: nobody tells of replicas that come.
    pub(super) fn keep_fresh(self: &Arc<Self>) {
        let replicas = self.topology.read().all_replicas().count();
        if self.refreshes.are_older_than(replicas::freshness(replicas)) {
            self.doubt();
        }
    }

    /// Returns the replicas of the node of a request.
    pub(super) fn replicas(&self, request: &InFlight) -> Arc<[Node]> {
        match request.slots() {
            Slots::One(slot) => self.topology.read().replicas(slot),
            Slots::None | Slots::Several => Arc::default(),
        }
    }
}
