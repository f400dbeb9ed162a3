//! Calls to chosen nodes of a cluster: to each one, or to those that serve the keys.

use futures_util::future::join_all;

use super::Client;
use super::access::Access;
use super::call::Traced;
use super::ids::NodeId;
use super::in_flight::InFlight;
use super::request::{Request, RequestTarget};
use super::resend::is_refused;
use super::resp::{Command, Reply};
use crate::backend::redis::read_from::ReadFrom;
use crate::error::{BackendResult, ErrorKind};

impl Client {
    /// Says whether there is a cluster, which takes a connection to know.
    pub(crate) async fn is_cluster(&self) -> BackendResult<bool> {
        match self.calls.router.is_cluster() {
            Some(is_cluster) => Ok(is_cluster),
            None => Ok(self
                .calls
                .limited(self.calls.router.meets_cluster())
                .await?
                .is_some()),
        }
    }

    /// Returns the nodes that have all keys between them: of a cluster the nodes that serve slots,
    /// or a replica of each that has one up. `None` where there is one server to ask.
    pub(crate) async fn nodes(&self, from: ReadFrom) -> BackendResult<Option<Vec<NodeId>>> {
        self.is_cluster().await?;
        match self.calls.router.cluster() {
            Some(cluster) => self.calls.limited(cluster.owners(from)).await.map(Some),
            None => {
                let replica = self.calls.limited(self.calls.router.replica(from)).await?;
                Ok(replica.map(|replica| vec![replica]))
            }
        }
    }

    /// Returns the address of a node of a cluster, or of the server.
    #[cfg(feature = "derive")]
    pub(crate) fn address(&self, node: Option<NodeId>) -> String {
        self.calls.router.address(node)
    }

    /// Reads the map of a cluster again, for requests to chosen nodes: no key corrects it there.
    pub(crate) async fn refreshed(&self) -> BackendResult<()> {
        match self.calls.router.cluster() {
            Some(cluster) => self.calls.limited(cluster.refreshed()).await,
            None => Ok(()),
        }
    }

    /// Sends commands to the nodes of a cluster that serve their keys, all commands for one node in
    /// one go. Each command has its keys in one slot. A command that was not executed has no
    /// outcome: it is to be sent by itself.
    pub(crate) async fn by_node(
        &self,
        commands: &[Command],
        access: Access,
    ) -> Vec<Option<BackendResult<Reply>>> {
        let mut outcomes: Vec<_> = commands.iter().map(|_| None).collect();
        let Some(cluster) = self.calls.router.cluster() else {
            return outcomes;
        };
        if access == Access::Read(ReadFrom::Replica)
            && let Err(error) = self.calls.limited(cluster.check_replicas()).await
        {
            return vec![Some(Err(error)); commands.len()];
        }
        let calls = cluster.by_node(commands, access).into_iter();
        let calls = calls.map(|(node, positions)| async move {
            let those = positions.iter().map(|position| commands[*position].clone());
            let request = Request::Many(those.collect());
            let reply =
                self.calls
                    .call_with(InFlight::to(RequestTarget::Node(node), request, access));
            (positions, reply.await)
        });
        for (positions, outcome) in join_all(calls).await {
            let replies = match outcome {
                Ok(Traced {
                    reply: Reply::Array(replies),
                    ..
                }) => {
                    let replies = replies.into_iter();
                    replies
                        .map(|reply| (!is_refused(&reply)).then_some(Ok(reply)))
                        .collect()
                }
                Err(error) if error.outcome_unknown() || error.kind() == ErrorKind::Timeout => {
                    vec![Some(Err(error)); positions.len()]
                }
                Ok(_) | Err(_) => vec![None; positions.len()],
            };
            for (position, outcome) in positions.into_iter().zip(replies) {
                outcomes[position] = outcome;
            }
        }
        outcomes
    }
}
