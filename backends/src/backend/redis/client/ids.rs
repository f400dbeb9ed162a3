//! Numbers that tell nodes and connections of one process apart.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Tells one node of a client from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(usize);

impl NodeId {
    pub(super) fn next() -> Self {
        static NODES: AtomicUsize = AtomicUsize::new(1);
        Self(NODES.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns the number, which is never zero.
    pub(super) fn number(self) -> u64 {
        self.0 as u64
    }
}

/// Tells one connection from all others, except from the connection for reads beside it: both lead
/// to the same process of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionId(usize);

impl ConnectionId {
    pub(super) fn next() -> Self {
        static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);
        Self(CONNECTIONS.fetch_add(1, Ordering::Relaxed))
    }
}
