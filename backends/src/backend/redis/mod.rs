//! The backend on a Redis or Valkey server.

mod builder;
mod client;
mod commands;
#[cfg(feature = "redis-commands")]
mod connection;
mod credentials;
#[cfg(feature = "derive")]
mod examined;
mod layout;
mod read_from;
mod reading;
mod removing;
mod replica_reads;
mod reply;
mod scan;
mod scripts;
mod status;
mod store;
mod unknown_commands;
mod url;

use std::fmt;
use std::sync::Arc;

pub use self::builder::RedisBackendBuilder;
#[cfg(feature = "tls")]
pub use self::client::Tls;
#[cfg(interleavings)]
pub use self::client::interleavings;
#[cfg(any(test, fuzzing))]
pub use self::client::replies;
use self::commands::Commands;
#[cfg(feature = "redis-commands")]
pub use self::connection::RedisConnection;
pub use self::credentials::Credentials;
pub use self::read_from::ReadFrom;
pub use self::status::{NodeStatus, RedisStatus};
#[cfg(any(test, fuzzing))]
pub use self::url::urls;
use crate::error::BackendResult;

/// Keeps entries in a Redis (6.2 or newer) or Valkey server, or a cluster of them.
///
/// The page on [versions](crate::guide::versions#servers) has the servers that it is tested with.
///
/// # Guarantees
///
/// * Every key is `namespace:key`; nothing outside of the namespace is read or written.
/// * Every operation on one key is one command or one script: one round trip, one atomic step.
///   Calls that are made at the same time go out together: `get`s as one `MGET`, increments as one
///   script, up to some hundred a command, fewer where values are large, each with the answer that
///   it would have by itself. `get`s that find nothing are checked by one `EXISTS`: in a second
///   round trip, or, where many found nothing of late, with the `MGET` in a transaction. A user
///   that may not use `EXISTS`, `MULTI` and `EXEC` gets the same answers by `GET`. `get_many`,
///   `set_many`, `delete_many`, `scan` and `clear` go in batches of at most 1,000 keys.
/// * It speaks RESP3, and RESP2 where a server or a proxy doesn't know RESP3.
/// * Clones share their connections: one for each tokio runtime that uses the backend, made by the
///   runtime's first call and replaced when it is lost, at most 1,024. A service on one runtime has
///   one connection; under actix-web each worker has a runtime, and so a connection. No call waits
///   for another runtime, and the leftovers of a runtime that has ended are cleaned up. Without a
///   runtime a call uses any connection that is up.
/// * Calls that go out together have no order; a call that begins after another call was answered
///   sees the effect of that call. All connections share what one of them learns: once the address
///   is found to lead to another server, no call that begins later uses a connection that was made
///   before.
/// * Every call ends: within 1 s (builder) a round trip, waiting for a connection included, or it
///   fails with `Timeout`. The limit holds for a call on one key as a whole; `scan`, `clear` and
///   calls on more than 1,000 keys take several round trips. The limit is in real time and no timer
///   on tokio's clock, so it also holds, and doesn't fire early, under a paused clock.
/// * Only calls that change nothing (`get`, `get_stored`, `get_with_ttl`, `exists`, `ttl`,
///   `get_many`, `scan`, `ping`) are sent again when an answer was lost. The error of any other
///   call says [`outcome_unknown`](crate::BackendError::outcome_unknown).
/// * A call that was refused before anything was executed is sent again within its limit, also if
///   it writes: after `LOADING`, `TRYAGAIN` and `CLUSTERDOWN` to the same server, after `READONLY`
///   and `MASTERDOWN` to the server that the address leads to by then. Reads go on meanwhile.
///
/// # Connections
///
/// * A name is resolved anew for each attempt, and all of its addresses are tried, the next one
///   250 ms after the one before (RFC 8305).
/// * While the server can't be reached, the pause between two attempts is a tenth of the time that
///   it has been down, 25 ms at least (100 ms where it refuses the login) and 1 s at most, up to a
///   fifth less by chance. All runtimes together make no more attempts, and all are told of a
///   success. The pauses are the same while the server takes no writes; reads go on over the
///   connections that there are.
/// * A connection that owes an answer for half the limit of a call is doubted: another connection
///   is made, and takes over if the server greets on the new connection and is still silent on the
///   old one. So a read that meets a dead connection is answered within its limit, and a server
///   that stands still keeps its connection. Where several runtimes doubt, one of them asks first.
/// * An answer that nobody waits for any more, and that has been coming for 100 ms, holds nobody
///   up: another connection takes over, and the old connection is closed once nobody waits for an
///   answer on it.
/// * By TLS (feature `tls`, `rediss://`) each address is tried up to the end of the greeting,
///   within the same limit. The server's certificate is always verified; the type `Tls` says what
///   is trusted, and which error each fault is.
/// * After 30 s of silence a connection is probed by a `PING`, before anything else is sent. TCP
///   keep-alive is on.
/// * The greeting is `HELLO`, the login, `SELECT`, `INFO server`, `CLIENT SETINFO` and, with
///   [`client_name`](RedisBackendBuilder::client_name), `CLIENT SETNAME`. A user that may not use
///   the last three is greeted too. By `INFO` a backend notices another server behind the address;
///   without it every lost connection counts as a change.
/// * With [`credentials`](RedisBackendBuilder::credentials) the login comes from a closure, and
///   connections that are up log in again before the login ends.
/// * A replica, a Sentinel and anything that is no Redis server are refused when they are greeted;
///   the error names the address and what is there.
/// * A node of a cluster says that it is one, and the backend goes on with all nodes: "Running on
///   Redis" in the [guide](crate::guide::redis#clusters) says how. The same page describes
///   [Sentinel](crate::guide::redis#sentinel).
///
/// # Old servers and proxies
///
/// The greeting is `AUTH`, `PING` and `INFO` in RESP2 where `HELLO` is refused, or the URL says
/// `protocol=2`. In RESP2 a server has to say what it is: `redis_mode:standalone`, on Valkey
/// `server_mode:standalone`. Otherwise it may be a proxy before several servers, and no script
/// names two keys. A replica and a node of a cluster can't be told then: the URL of a cluster
/// (`redis-cluster://`) says it. Increments don't go out together, and
/// [`move_entry`](crate::store::Store::move_entry) takes the steps of the default. `DEL` stands in
/// for `UNLINK`, a script for `GETDEL` and `GETEX`. Without `EVALSHA` everything that takes a
/// script is `Unsupported`: counting, comparing, throttles.
///
/// # Not guaranteed
///
/// * The server's wall clock decides what has expired. Entries end early when the clock is set
///   forward, and late when it is set back. An entry may be read for up to a millisecond past its
///   end.
/// * A write that the server acknowledged can be lost if the server crashes or fails over, as its
///   persistence and replication allow.
/// * `clear` and `clear_prefix` look again for keys that came while they ran, up to 16 times. Each
///   time is a walk over all keys of the database, and so is a `scan`: see [what a prefix
///   costs](crate::Backend#what-a-prefix-costs).
/// * A write that timed out, was dropped, or whose connection was lost, may still be executed after
///   later calls: a request on its way to the server isn't called back, and the server's end of a
///   lost connection isn't killed.
/// * Until a failover is noticed reads may be answered by the old primary: as long as nobody wrote
///   there, was cut off or connected anew.
/// * A failover to a replica can bring back an older value, or let two callers win a
///   `set_if_absent`.
/// * After `fork` a child that builds a new runtime can use a backend of its parent's: it gets
///   connections of its own. Calls that were under way, the parent's runtimes, whatever its other
///   threads held locked or waited for at that moment, and the timer of leases, caches and
///   retries, once the parent has used it, are lost to the child. A child that goes on inside a
///   runtime of its parent's would use its parent's socket. Fork before there are threads.
///
/// # Cancel safety
///
/// A dropped call may have been sent. A call is one atomic step on the server, so it has its whole
/// effect or none. A dropped call that wasn't sent yet never is. Calls that are made later on the
/// same connection are executed after it; where a connection is replaced they may be executed
/// before it.
///
/// # Examples
///
/// ```no_run
/// use reinhardt_backends::{Backend, RedisBackend};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> reinhardt_backends::BackendResult<()> {
/// let backend = RedisBackend::new("redis://localhost:6379").await?;
/// backend.set("user:123", "active", Some(Duration::from_secs(3600))).await?;
/// assert_eq!(backend.get::<String>("user:123").await?.as_deref(), Some("active"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisBackend {
    commands: Arc<Commands>,
    /// The servers that answer the plain reads of this handle.
    reads: ReadFrom,
}

impl RedisBackend {
    /// Connects to the server at [`url`](RedisBackendBuilder::url), in the namespace `reinhardt`.
    ///
    /// # Errors
    ///
    /// As [`RedisBackendBuilder::build`].
    pub async fn new(url: &str) -> BackendResult<Self> {
        Self::builder().url(url).build().await
    }

    /// Connects to the server at the URL in the environment variable `REDIS_URL`, in the namespace
    /// `reinhardt`.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` if the variable is not set, empty or not UTF-8; otherwise as
    /// [`RedisBackendBuilder::build`].
    pub async fn from_env() -> BackendResult<Self> {
        Self::new(&url::from_env()?).await
    }

    /// Checks `url` and leaves connecting to the first call; works without a runtime.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` if `url` is not the URL of a server.
    pub fn connect_lazy(url: &str) -> BackendResult<Self> {
        Self::builder().url(url).build_lazy()
    }

    /// Connects to the server of a client of redis-rs, in the namespace `reinhardt`, with what
    /// [`RedisBackendBuilder::client`] takes over.
    ///
    /// # Errors
    ///
    /// As [`RedisBackendBuilder::build`].
    pub async fn from_client(client: redis::Client) -> BackendResult<Self> {
        Self::builder().client(client).build().await
    }

    /// Begins to set up a backend.
    pub fn builder() -> RedisBackendBuilder {
        RedisBackendBuilder::default()
    }

    /// Returns the known state of the servers and of the calls that wait.
    ///
    /// Nothing is sent, and nothing waits: a readiness probe may ask each second.
    pub fn status(&self) -> RedisStatus {
        self.commands.status()
    }

    /// Returns a handle to the same backend whose plain reads are answered by these servers.
    ///
    /// With [`ReadFrom::Replica`] a *plain read* is answered by a replica, as it has the entry at
    /// that moment. The replica may be behind: a write that was acknowledged may not be seen, an
    /// entry that was deleted may be there. Plain reads are `get`, `get_with_ttl`, `get_many`,
    /// `exists`, `ttl` and `scan`, also those of typed keyspaces that neither slide nor migrate and
    /// have no `lease` and no `stale`, counters included. Everything else asks the primary,
    /// whatever the handle: all that writes, `take`, `update` and `get_or_set_with`, `clear`,
    /// `get_stored`, throttles, leases, sessions, and every read of a keyspace that slides,
    /// migrates or has leases.
    ///
    /// Replicas are the servers that the cluster's map or the sentinels tell, or that follow a
    /// single server by its own word (`INFO replication`). One key is read from the same replica as
    /// long as that replica is up. The primary answers where no replica is up, and where the
    /// replica loads its data, has lost its own, or is silent for half the limit of a call. A
    /// handle is cheap to make. It shares connections and all else with this one.
    ///
    /// # Errors
    ///
    /// Of each plain read: `InvalidConfig` if there are no replicas.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use reinhardt_backends::{Keyspace, ReadFrom, RedisBackend};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Keyspace)]
    /// #[keyspace(prefix = "page", ttl = "1h")]
    /// struct Page {
    ///     #[keyspace(key)]
    ///     path: String,
    ///     html: String,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> reinhardt_backends::BackendResult<()> {
    /// let url = "redis-sentinel://s1:26379,s2:26379,s3:26379/cache";
    /// let backend = RedisBackend::new(url).await?;
    /// let page = Page::get(&backend.reading_from(ReadFrom::Replica), "/").await?;
    /// # Ok(()) }
    /// ```
    #[must_use = "the handle that it is called on goes on as before"]
    pub fn reading_from(&self, servers: ReadFrom) -> Self {
        Self {
            commands: self.commands.clone(),
            reads: servers,
        }
    }

    /// Refuses further calls of this backend and its clones (`Unavailable`), waits for those under
    /// way for as long as a call may take, and closes the connections.
    pub async fn close(&self) {
        self.commands.close().await;
    }
}

/// Leaves the server out, whose URL may hold a password.
impl fmt::Debug for RedisBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBackend")
            .field("prefix", &self.commands.prefix)
            .field("limits", &self.commands.limits)
            .finish_non_exhaustive()
    }
}
