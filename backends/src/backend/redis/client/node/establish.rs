//! A connection to a server that has greeted: the terms of its driver, and the tasks beside it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::NodeShared;
use super::reach::Reached;
use crate::backend::redis::client::connection::Connection;
use crate::backend::redis::client::dial::ConnectTerms;
use crate::backend::redis::client::driver::{Sign, Terms};
use crate::backend::redis::client::ids::ConnectionId;
use crate::backend::redis::client::location::Address;
use crate::backend::redis::client::multiplexer::Multiplexer;
use crate::backend::redis::client::renewal;
use crate::backend::redis::client::task::Task;
use crate::time::deadline::Deadlines;

/// The requests that a connection takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    All {
        /// True if there is another connection for reads, for a while.
        but_reads: bool,
    },
    Reads,
}

impl NodeShared {
    /// Has a connection driven, on the present runtime.
    pub(super) fn establish(
        self: &Arc<Self>,
        reached: Reached,
        id: ConnectionId,
        takes: Takes,
        generation: u64,
        deadlines: &'static Deadlines,
    ) -> Connection {
        let Reached {
            greeted,
            login,
            told,
            location,
        } = reached;
        let watcher = match takes {
            Takes::All { .. } => self.watcher(told, generation, deadlines),
            Takes::Reads => None,
        };
        let is_cluster = self.is_in_cluster(&greeted.server);
        let takes_many_keys = greeted.server.takes_many_keys && !is_cluster;
        let terms = Terms {
            deadlines,
            patience: self.context.limits.patience(),
            silence: self.context.limits.keep_alive,
            hold: SHORTEST_HOLD.max(greeted.round_trip * 4),
            holds_writes: takes == Takes::All { but_reads: true },
            takes_many_keys,
            is_cluster,
            may_transact: self.may_transact.clone(),
            merged: self.context.merged.clone(),
            notice: self.notice(id, takes),
        };
        let multiplexer = Multiplexer::start(greeted.socket, greeted.input, terms);
        let renewal = login
            .zip(self.context.logins.provided())
            .and_then(|(login, provided)| {
                renewal::begin(provided, &login, &multiplexer.inbox, deadlines)
            });
        Connection {
            multiplexer,
            id,
            deadlines,
            since: Instant::now(),
            node: self.id,
            location,
            takes_many_keys,
            is_cluster,
            generation,
            rest: self.rest.clone(),
            _renewal: renewal,
            _watcher: watcher,
        }
    }

    /// Begins to listen for a switch to another primary than the one that sentinels have told.
    fn watcher(
        self: &Arc<Self>,
        told: Option<Address>,
        generation: u64,
        deadlines: &'static Deadlines,
    ) -> Option<Task> {
        let (sentinels, primary) = self.sentinels.as_ref().zip(told)?;
        let shared = Arc::downgrade(self);
        let terms = ConnectTerms::new(self.context.limits.connect, deadlines);
        Some(sentinels.watch(primary, terms, move |left, other| {
            if let Some(shared) = shared.upgrade() {
                shared.switched(generation, left, other);
            }
        }))
    }

    /// Leaves the primary of a generation, in whose place another one serves, with all connections
    /// to it. The outcome of a write that it may have seen is unknown: its data is given up.
    fn switched(&self, generation: u64, left: &Address, other: &Address) {
        let connections = {
            let mut states = self.states.lock();
            // Other runtimes hear of it too, and one may have reached the other primary by now.
            if states.is_closed || states.generation != generation {
                return;
            }
            if let Some(sentinels) = &self.sentinels {
                sentinels.leave(left, other);
            }
            states.switched()
        };
        // After the lock: these wake drivers.
        for connection in connections {
            connection.multiplexer.close();
        }
        self.news.notify_waiters();
    }

    /// Returns what the driver of a connection calls with each sign.
    fn notice(self: &Arc<Self>, id: ConnectionId, takes: Takes) -> Box<dyn Fn(Sign) + Send + Sync> {
        let shared = Arc::downgrade(self);
        Box::new(move |sign| {
            if let Some(shared) = shared.upgrade() {
                match takes {
                    Takes::All { .. } => shared.note(id, sign),
                    Takes::Reads => shared.note_of_reads(sign),
                }
            }
        })
    }
}

/// A write that waits for longer holds reads up, where that is more than a few round trips.
const SHORTEST_HOLD: Duration = Duration::from_millis(100);
