//! The terms on which a connection is driven, and the signs that its driver gives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use crate::time::deadline::Deadlines;

/// The terms on which a connection is driven.
pub(in crate::backend::redis::client) struct Terms {
    pub(in crate::backend::redis::client) deadlines: &'static Deadlines,
    /// The time within which a server answers, or it is doubted that the connection is alive.
    pub(in crate::backend::redis::client) patience: Duration,
    /// The silence after which the server is asked whether it is there, before anything else is
    /// sent.
    pub(in crate::backend::redis::client) silence: Duration,
    /// The time after which a write that waits for its answer counts as holding up the reads behind
    /// it.
    pub(in crate::backend::redis::client) hold: Duration,
    /// True if the reads have another connection, until a write is answered.
    pub(in crate::backend::redis::client) holds_writes: bool,
    /// True if scripts of several callers may become one script, and reads a transaction.
    pub(in crate::backend::redis::client) takes_many_keys: bool,
    /// True if the server is a node of a cluster. Requests of several callers may become one
    /// command only if they are for one slot.
    pub(in crate::backend::redis::client) is_cluster: bool,
    /// True if the server takes a transaction as a whole, as far as is known.
    pub(in crate::backend::redis::client) may_transact: Arc<AtomicBool>,
    /// Counts the requests of merged commands.
    pub(in crate::backend::redis::client) merged: Arc<AtomicU64>,
    /// Called with each sign of the connection's state. A sign of a delay comes again after as
    /// long.
    pub(in crate::backend::redis::client) notice: Box<dyn Fn(Sign) + Send + Sync>,
}

/// A sign of whether a connection is alive, and who waits for whom on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::backend::redis::client) enum Sign {
    /// The server owes an answer for longer than it may.
    Silent,
    /// The server answers. It was silent before.
    Answers,
    /// The server is busy with an answer that nobody waits for.
    Wasted,
    /// A write has waited for long, and the reads behind it with it.
    Holds,
    /// The server answers a write. It held writes before.
    Flows,
}
