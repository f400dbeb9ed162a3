//! Calls with commands that a program made itself.

use std::pin::pin;

use futures_util::future::join_all;

use super::Client;
use super::access::Access;
use super::call::Progress;
use super::ids::NodeId;
use super::in_flight::InFlight;
use super::raw::Raw;
use super::request::{Request, RequestTarget};
use super::resp::Reply;
use crate::backend::redis::read_from::ReadFrom;
use crate::error::BackendResult;
use crate::time::deadline::deadlines;

impl Client {
    /// Makes a client of the same servers with the same logins and limits, and connections of its
    /// own.
    pub(crate) fn beside(&self) -> Self {
        Self {
            calls: self.calls.beside(),
        }
    }

    /// Connects, unless there is a connection.
    pub(crate) async fn connected(&self) -> BackendResult<()> {
        match self.calls.router.is_up() {
            true => Ok(()),
            false => self.connect().await,
        }
    }

    /// Returns the database that connections use.
    pub(crate) fn database(&self) -> i64 {
        self.calls.router.database()
    }

    /// Says whether further calls are refused.
    pub(crate) fn is_closed(&self) -> bool {
        self.calls.gate.is_closed()
    }

    /// Sends commands that a program made itself. The reply is `OneKeyOnly` where there is a
    /// cluster, and nobody can say which node the commands are for.
    pub(crate) async fn raw(&self, raw: Raw) -> BackendResult<Reply> {
        let request = Request::Raw(raw);
        Ok(self.calls.call(request, Access::Write).await?.reply)
    }

    /// Sends one command that a program made itself to each node that serves slots. Returns a reply
    /// that is an error, or else any of the replies: a node that can't be reached doesn't matter as
    /// long as another node is reached.
    pub(crate) async fn raw_on_each_node(&self, raw: Raw) -> BackendResult<Reply> {
        let _permit = self.calls.gate.enter(raw.packed.len())?;
        let deadlines = deadlines()?;
        let asked = async {
            let nodes = match self.calls.router.meets_cluster().await? {
                Some(cluster) => cluster.owners(ReadFrom::Primary).await?,
                None => Vec::new(),
            };
            let target =
                |node: Option<NodeId>| node.map_or(RequestTarget::Owner, RequestTarget::Node);
            let nodes = match nodes.is_empty() {
                true => vec![target(None)],
                false => nodes.into_iter().map(Some).map(target).collect(),
            };
            let calls = nodes.into_iter().map(|node| {
                let request = InFlight::to(node, Request::Raw(raw.clone()), Access::Write);
                async move {
                    let mut progress = Progress::default();
                    let reply = {
                        let exchange = pin!(self.calls.exchange(None, request, &mut progress));
                        deadlines.within(self.calls.patience, exchange).await
                    };
                    reply.unwrap_or_else(|| Err(self.calls.timed_out(progress)))
                }
            });
            let (mut taken, mut failed) = (None, None);
            for outcome in join_all(calls).await {
                match outcome.map(|traced| traced.reply) {
                    Ok(refused @ Reply::Error(_)) => return Ok(refused),
                    Ok(reply) => taken = Some(reply),
                    Err(error) => failed = Some(error),
                }
            }
            taken.ok_or_else(|| failed.unwrap_or_else(|| self.calls.timed_out(Progress::default())))
        };
        let outcome = deadlines.within(self.calls.call_limit, pin!(asked)).await;
        outcome.unwrap_or_else(|| Err(self.calls.timed_out(Progress::default())))
    }
}
