//! Reading the map of a cluster again: one reading at a time, which asks the nodes one beside the
//! other.

use std::pin::pin;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use tokio::runtime::{Handle, Id};
use tokio::sync::watch;

use super::Shared;
use super::topology::{Range, ranges};
use crate::backend::redis::client::Repeat;
use crate::backend::redis::client::deadline::{Deadlines, deadlines};
use crate::backend::redis::client::endpoint::Address;
use crate::backend::redis::client::node::Node;
use crate::backend::redis::client::refusal::refusal;
use crate::backend::redis::client::request::{InFlight, Request};
use crate::backend::redis::client::resp::{Command, Reply};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// A node that hasn't answered within this time may stand still: the next one is asked beside it.
const PATIENCE: Duration = Duration::from_millis(200);
/// The time from the beginning of one reading to that of the next; it doubles up to the longest as
/// long as readings bring nothing new.
const APART: Duration = Duration::from_millis(50);
const LONGEST_APART: Duration = Duration::from_millis(400);
/// A reading on another runtime, which may not be driven any more, is waited for so long.
const STILL: Duration = Duration::from_millis(500);

/// The outcome of a reading, for all who wait for it.
type Outcome = watch::Receiver<Option<BackendResult<()>>>;

/// The readings of the map.
#[derive(Default)]
pub(super) struct Refresh {
    last: Option<Reading>,
    /// The number of readings in a row that brought nothing new.
    in_vain: u32,
}

struct Reading {
    outcome: Outcome,
    runtime: Id,
    /// The process that began it. A child of `fork` never hears of it.
    process: u32,
    begun: Instant,
    /// The time at which it must have ended.
    overdue: Instant,
}

impl Refresh {
    fn apart(&self) -> Duration {
        (APART * (1 << self.in_vain.min(3))).min(LONGEST_APART)
    }
}

impl Reading {
    /// Returns the time until which one waits for it; nothing if it has ended.
    fn awaited_until(&self, asker: Id) -> Option<Instant> {
        let has_ended = self.outcome.borrow().is_some() || self.outcome.has_changed().is_err();
        let until = match self.runtime == asker {
            true => self.overdue,
            false => self.begun + STILL,
        };
        (self.process == process::id() && !has_ended && Instant::now() < until).then_some(until)
    }
}

impl Shared {
    /// Begins to read the map again, unless that is under way.
    pub(super) fn doubt(self: &Arc<Self>) {
        // Without a runtime there is nobody to wait for it either.
        drop(self.refresh());
    }

    /// Reads the map again, or waits for the reading that is under way.
    ///
    /// # Errors
    ///
    /// What the last node that was asked failed of.
    pub(super) async fn refreshed(self: &Arc<Self>) -> BackendResult<()> {
        let deadlines = deadlines()?;
        loop {
            let (mut outcome, until) = self.refresh()?;
            let left = until.saturating_duration_since(Instant::now());
            let ended = pin!(outcome.wait_for(Option::is_some));
            if let Some(Ok(outcome)) = deadlines.within(left, ended).await {
                return outcome.clone().unwrap_or(Ok(()));
            }
            // Its runtime has ended, or isn't driven: this one reads.
        }
    }

    fn refresh(self: &Arc<Self>) -> BackendResult<(Outcome, Instant)> {
        let deadlines = deadlines()?;
        let runtime = Handle::try_current().map_err(|_| {
            let message = "there is no tokio runtime to ask a cluster on";
            BackendError::new(ErrorKind::Other, message)
        })?;
        let now = Instant::now();
        let mut refresh = self.refresh.lock();
        let last = refresh.last.as_ref();
        if let Some((last, until)) =
            last.and_then(|last| Some((last, last.awaited_until(runtime.id())?)))
        {
            return Ok((last.outcome.clone(), until));
        }
        let earliest = last.map(|last| last.begun + refresh.apart());
        let begun = earliest.map_or(now, |earliest| earliest.max(now));
        let (tell, outcome) = watch::channel(None);
        let overdue = begun + self.common.limits.connect * 2;
        refresh.last = Some(Reading {
            outcome: outcome.clone(),
            runtime: runtime.id(),
            process: process::id(),
            begun,
            overdue,
        });
        drop(refresh);
        let shared = self.clone();
        runtime.spawn(async move {
            deadlines.sleep(begun - now).await;
            let read = shared.read_map(deadlines).await;
            let has_changed = matches!(read, Ok(true));
            {
                let mut refresh = shared.refresh.lock();
                refresh.in_vain = match has_changed {
                    true => 0,
                    false => refresh.in_vain.saturating_add(1),
                };
            }
            let _ = tell.send(Some(read.map(drop)));
        });
        Ok((outcome, overdue))
    }

    /// Asks the nodes for the map until one tells it: those first to which there is a connection.
    /// Says whether it is another one than before.
    async fn read_map(self: &Arc<Self>, deadlines: &'static Deadlines) -> BackendResult<bool> {
        let mut nodes = self.nodes();
        fastrand::shuffle(&mut nodes);
        let seeds = self.seeds.iter();
        let seeds = seeds.filter(|seed| !nodes.iter().any(|node| node.id() == seed.id()));
        let seeds: Vec<Node> = seeds.cloned().collect();
        nodes.extend(seeds);
        nodes.sort_by_key(|node| node.ready(false).is_none());
        let limit = self.common.limits.connect;
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

    /// Goes by a map from now on, and says whether it is another one than before.
    fn take_map(self: &Arc<Self>, ranges: &[Range]) -> BackendResult<bool> {
        let make = |address: &Address| self.node(address);
        let taken = self.topology.write().replace(ranges, make)?;
        if taken.has_changed {
            self.changed.notify_waiters();
        }
        // What is unsent there, or harmless to repeat, goes to the nodes that have the slots now.
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
    let request = InFlight::new(request, Repeat::Safely);
    let Ok(reply) = connection.multiplexer.exchange(&request).await else {
        return Err(connection.lost());
    };
    if let Reply::Error(refused) = &reply {
        if !connection.is_cluster {
            let message = format!("{} is no node of a cluster", connection.place);
            return Err(BackendError::new(ErrorKind::InvalidConfig, message));
        }
        return Err(refusal(refused));
    }
    let ranges = ranges(reply, connection.place.host());
    ranges.filter(|ranges| !ranges.is_empty()).ok_or_else(|| {
        let message = format!("{} knows no node that serves a hash slot", connection.place);
        BackendError::new(ErrorKind::Unavailable, message)
    })
}
