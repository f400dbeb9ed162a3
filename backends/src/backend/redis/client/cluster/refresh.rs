//! Reading the map of a cluster again: the nodes are asked one beside the other.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;

use super::ClusterShared;
use super::topology::{Range, ranges};
use crate::backend::redis::client::access::Access;
use crate::backend::redis::client::in_flight::InFlight;
use crate::backend::redis::client::location::Address;
use crate::backend::redis::client::node::Node;
use crate::backend::redis::client::readings::{ReadingUnderWay, Readings};
use crate::backend::redis::client::refusal::refusal;
use crate::backend::redis::client::request::Request;
use crate::backend::redis::client::resp::{Command, Reply};
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::time::deadline::Deadlines;

/// A node that hasn't answered within this time may stand still: the next one is asked beside it.
const PATIENCE: Duration = Duration::from_millis(200);

impl ClusterShared {
    /// Begins to read the map again, unless a reading is under way.
    pub(super) fn doubt(self: &Arc<Self>) {
        // Without a runtime there is nobody to wait for it either.
        drop(self.refresh());
    }

    /// Reads the map again, or waits for the reading that is under way.
    ///
    /// # Errors
    ///
    /// The failure of the last node that was asked.
    pub(super) async fn refreshed(self: &Arc<Self>) -> BackendResult<()> {
        Readings::finish(|| self.refresh()).await
    }

    fn refresh(self: &Arc<Self>) -> BackendResult<ReadingUnderWay> {
        let shared = self.clone();
        let limit = self.context.limits.connect;
        self.refreshes.begin(limit, |deadlines| async move {
            shared.read_map(deadlines).await
        })
    }

    /// Asks the nodes for the map until one tells it. Nodes to which there is a connection are
    /// asked first. Says whether the map is another one than before.
    async fn read_map(self: &Arc<Self>, deadlines: &'static Deadlines) -> BackendResult<bool> {
        let mut nodes = self.nodes();
        fastrand::shuffle(&mut nodes);
        let seeds = self.seeds.iter();
        let seeds = seeds.filter(|seed| !nodes.iter().any(|node| node.id() == seed.id()));
        let seeds: Vec<Node> = seeds.cloned().collect();
        nodes.extend(seeds);
        // Of a primary that was the only one, or the only one that is known, they alone know more.
        nodes.extend(self.topology.read().all_replicas().cloned());
        nodes.sort_by_key(|node| node.ready(false).is_none());
        let limit = self.context.limits.connect;
        let by = Instant::now() + limit;
        let mut last = None;
        let mut waiting = nodes.iter();
        let mut asked = FuturesUnordered::new();
        loop {
            let next = waiting.next();
            let is_last = next.is_none();
            asked.extend(next.map(map_of));
            let left = by.saturating_duration_since(Instant::now());
            let pause = if is_last { left } else { left.min(PATIENCE) };
            let pause = pin!(deadlines.sleep(pause));
            match select(asked.next(), pause).await {
                Either::Left((Some(Ok(ranges)), _)) => return self.take_map(&ranges),
                Either::Left((Some(Err(error)), _)) => last = Some(error),
                Either::Left((None, _)) if is_last => break,
                Either::Left((None, _)) => {}
                Either::Right(_) if Instant::now() >= by => break,
                Either::Right(_) => {}
            }
        }
        Err(last.unwrap_or_else(|| silent(limit)))
    }

    /// Uses a map from now on, and says whether it is another one than before.
    fn take_map(self: &Arc<Self>, ranges: &[Range]) -> BackendResult<bool> {
        let make = |address: &Address, role| self.node(address, role);
        let taken = self.topology.write().replace(ranges, make)?;
        if taken.has_changed {
            self.changed.notify_waiters();
        }
        // Their requests that are unsent, or harmless to repeat, go to the nodes that have the
        // slots now.
        taken.left.iter().for_each(Node::leave);
        Ok(taken.has_changed)
    }
}

fn silent(limit: Duration) -> BackendError {
    let message = format!("no node of the cluster told its map within {limit:?}");
    BackendError::new(ErrorKind::Timeout, message)
}

/// Asks a node for its map.
async fn map_of(node: &Node) -> BackendResult<Vec<Range>> {
    let connection = node.connection(false).await?;
    let request = Request::One(Command::new("CLUSTER").arg("SLOTS"));
    let request = InFlight::new(request, Access::READ);
    let Ok(reply) = connection.multiplexer.exchange(&request).await else {
        return Err(connection.lost());
    };
    if let Reply::Error(refused) = &reply {
        if !connection.is_cluster {
            let message = format!("{} is no node of a cluster", connection.location);
            return Err(BackendError::new(ErrorKind::InvalidConfig, message));
        }
        return Err(refusal(refused));
    }
    let ranges = ranges(reply, connection.location.host());
    ranges.filter(|ranges| !ranges.is_empty()).ok_or_else(|| {
        let message = format!(
            "{} knows no node that serves a hash slot",
            connection.location
        );
        BackendError::new(ErrorKind::Unavailable, message)
    })
}
