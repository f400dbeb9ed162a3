//! The state of a Redis backend, for readiness probes and operators.

use std::time::Duration;

use crate::error::BackendError;

/// The state of a [`RedisBackend`](super::RedisBackend) and all of its clones.
///
/// The state is what the backend knows already: nothing is sent to a server. A backend that nobody
/// has used yet, or not for long, may not know that its server has gone;
/// [`ping`](crate::Backend::ping) asks the server.
///
/// # Examples
///
/// ```no_run
/// use reinhardt_backends::RedisBackend;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> reinhardt_backends::BackendResult<()> {
/// let backend = RedisBackend::new("redis://localhost:6379").await?;
/// let status = backend.status();
/// assert!(status.is_connected());
/// println!("{} calls wait", status.waiting_calls);
/// for node in status.nodes {
///     println!("{}: {:?} {:?}", node.address, node.version, node.connected_for);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RedisStatus {
    /// The servers that the backend uses: of a cluster the primaries, and replicas once a handle
    /// has read from them.
    pub nodes: Vec<NodeStatus>,
    /// The number of calls that wait, for a connection or for an answer.
    pub waiting_calls: usize,
    /// The bytes that these calls send, keys and values together.
    pub waiting_bytes: usize,
    /// The number of calls that went out as a part of a command for several callers, since the
    /// backend was made.
    pub merged_calls: u64,
    /// The number of requests that a node of a cluster has sent on to another one (`MOVED`, `ASK`),
    /// since the backend was made.
    pub redirections: u64,
    /// The number of times that the map of a cluster was read, since the backend was made.
    pub refreshes: u64,
}

impl RedisStatus {
    /// Says whether there is a connection to each server, replicas left out, as far as is known.
    pub fn is_connected(&self) -> bool {
        let mut primaries = self.nodes.iter().filter(|node| !node.is_replica);
        !self.nodes.is_empty() && primaries.all(|node| node.connections > 0)
    }
}

#[cfg(feature = "redis-commands")]
impl RedisStatus {
    /// Adds the state of a client beside this one, which uses the same servers.
    pub(super) fn with(mut self, other: Self) -> Self {
        for node in other.nodes {
            let mut known = self.nodes.iter_mut();
            let Some(known) = known.find(|known| known.address == node.address) else {
                self.nodes.push(node);
                continue;
            };
            known.connections += node.connections;
            known.reconnections += node.reconnections;
            known.failure = known.failure.take().or(node.failure);
            known.connected_for = known.connected_for.max(node.connected_for);
        }
        self.waiting_calls += other.waiting_calls;
        self.waiting_bytes += other.waiting_bytes;
        self.redirections += other.redirections;
        self.refreshes += other.refreshes;
        self
    }
}

/// The state of a server and the connections to it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NodeStatus {
    /// The address as the URL has it, or as a cluster or sentinels tell it: `host:port`, or the
    /// path of a unix socket.
    pub address: String,
    /// The version that the server told at the last greeting: on Valkey, the version of Valkey.
    pub version: Option<String>,
    /// The mode that the server told at the last greeting, such as `standalone`.
    pub mode: Option<String>,
    /// The number of connections that are up: one for each runtime, one more while writes are held
    /// up on that connection, and as many again for other commands (feature `redis-commands`), once
    /// a program has asked for a connection.
    pub connections: usize,
    /// The age of the oldest of these connections.
    pub connected_for: Option<Duration>,
    /// The number of connections that took the place of one that was lost or left.
    pub reconnections: u64,
    /// The failure of the last attempt to connect, unless an attempt has succeeded after it.
    pub failure: Option<BackendError>,
    /// The failure of the last attempt to get or to use other credentials, unless an attempt has
    /// succeeded after it. Connections go on with the credentials before until these end.
    pub login_failure: Option<BackendError>,
    /// The reason for which no sentinel is listened to, unless one is: without a sentinel, a switch
    /// to another primary is noticed later.
    pub sentinel_failure: Option<BackendError>,
    /// True if the server is listed as a replica. It then answers the plain reads of handles that
    /// [read from replicas](super::RedisBackend::reading_from).
    pub is_replica: bool,
    /// The number of hash slots that the server serves as a primary of a cluster, as far as is
    /// known.
    pub slots: usize,
}
