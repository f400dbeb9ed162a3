//! The backend on a Redis or Valkey server.

mod builder;
mod client;
mod commands;
#[cfg(feature = "redis-commands")]
mod connection;
mod credentials;
mod layout;
mod read_from;
mod replica_reads;
mod reply;
mod scan;
mod scripts;
mod status;
mod url;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use self::builder::RedisBackendBuilder;
#[cfg(feature = "tls")]
pub use self::client::Tls;
use self::client::{Command, Reply};
use self::commands::{BATCH, Commands, argument, batch_length, millis, set};
#[cfg(feature = "redis-commands")]
pub use self::connection::RedisConnection;
pub use self::credentials::Credentials;
pub use self::read_from::ReadFrom;
use self::reply::Unread;
pub use self::status::{NodeStatus, RedisStatus};
use super::life::{Expiry, Life};
use super::store::{NewEntry, ReplicaReads, Store, StoreInfo, Touch, move_in_steps};
use super::stored::Stored;
use super::{Condition, Counted, KeyStream, Write};
use crate::error::{BackendError, BackendResult, Failures};
use crate::quota::{Attempt, Decision, write_head};

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

    /// Writes entries of a cluster; the first entry has the number `start`. Between nodes there is
    /// no order, so of entries with equal keys only the last is written, and the others share its
    /// outcome. Returns the error of a node that can't be reached or doesn't answer.
    async fn put_apart(
        &self,
        start: usize,
        entries: &[NewEntry<'_>],
        sets: Vec<Command>,
        failures: &mut Failures,
    ) -> Option<BackendError> {
        let numbered = entries.iter().enumerate();
        let last: HashMap<&str, usize> = numbered
            .map(|(number, entry)| (entry.key, number))
            .collect();
        let is_last = |number: usize| last.get(entries[number].key) == Some(&number);
        let (numbers, sets): (Vec<_>, Vec<_>) = sets
            .into_iter()
            .enumerate()
            .filter(|(number, _)| is_last(*number))
            .unzip();
        let outcomes = self.commands.tell_apart(sets).await;
        let mut failed = HashMap::new();
        for (number, outcome) in numbers.into_iter().zip(outcomes) {
            if let Err(error) = was_set(outcome) {
                failed.insert(entries[number].key, error);
            }
        }
        for (number, entry) in (start..).zip(entries) {
            if let Some(error) = failed.get(entry.key) {
                failures.add([number], error.clone());
            }
        }
        // The returned error is for the entries that follow, which were not tried.
        let mut failed = failed.into_values();
        let failed = failed.find(BackendError::is_transient)?;
        Some(BackendError::new(
            failed.kind(),
            failed.message().to_string(),
        ))
    }
}

fn was_set(outcome: BackendResult<Reply>) -> BackendResult<bool> {
    reply::done(outcome?).map_err(Unread::of_write)
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

#[async_trait]
impl Store for RedisBackend {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        self.commands.read_with_expiry(key, ReadFrom::Primary).await
    }

    async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        let life = options.life.checked()?;
        self.commands.limits.check_value(value)?;
        if let Condition::Equals(expected) = options.condition {
            let invocation = self.commands.script(&scripts::COMPARE_AND_SET, key)?;
            let invocation = invocation.arg(expected).arg(value).arg(argument(life));
            return self.commands.run(invocation, reply::held).await;
        }
        let command = set(self.commands.command("SET", key)?, value, life);
        let command = match options.condition {
            Condition::Absent => command.arg("NX"),
            Condition::Present => command.arg("XX"),
            Condition::Always | Condition::Equals(_) => command,
        };
        self.commands.tell(command, reply::done).await
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        match expected {
            None => {
                let removed = self
                    .commands
                    .unlink(|name| self.commands.command(name, key));
                Ok(removed.await? == 1)
            }
            Some(expected) => {
                let invocation = self.commands.script(&scripts::COMPARE_AND_DELETE, key)?;
                self.commands
                    .run(invocation.arg(expected), reply::held)
                    .await
            }
        }
    }

    async fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        self.commands.count(key, delta, ttl).await
    }

    async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool> {
        match life.checked()? {
            Life::Keep => {
                let command = self.commands.command("EXISTS", key)?;
                self.commands
                    .ask(command, ReadFrom::Primary, reply::held)
                    .await
            }
            Life::Never => {
                let invocation = self.commands.script(&scripts::PERSIST, key)?;
                self.commands.run(invocation, reply::held).await
            }
            Life::In(ttl) => {
                let command = self.commands.command("PEXPIRE", key)?.number(millis(ttl));
                self.commands.tell(command, reply::held).await
            }
        }
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.commands.checked_scan(prefix, ReadFrom::Primary)
    }

    async fn read_value(&self, key: &str, touch: Touch) -> BackendResult<Option<Stored>> {
        self.commands.read_value(key, touch.checked()?).await
    }

    async fn read_values(&self, keys: &[&str], touch: Touch) -> BackendResult<Vec<Option<Stored>>> {
        let touch = touch.checked()?;
        self.commands.limits.check_keys(keys)?;
        let mut all = Vec::with_capacity(keys.len());
        for batch in keys.chunks(BATCH) {
            let values = self.commands.read_batch(batch, touch).await;
            let has_touched = touch != Touch::Keep && !all.is_empty();
            all.extend(values.map_err(|error| error.after(has_touched))?);
        }
        Ok(all)
    }

    async fn read_life(&self, key: &str) -> BackendResult<Option<Expiry>> {
        self.commands.read_expiry(key, ReadFrom::Primary).await
    }

    async fn take_value(&self, key: &str) -> BackendResult<Option<Stored>> {
        self.commands.take(key).await
    }

    async fn move_entry(
        &self,
        from: &str,
        expected: &[u8],
        to: NewEntry<'_>,
        over: Option<&[u8]>,
    ) -> BackendResult<bool> {
        let life = to.life.checked()?;
        self.commands.limits.check_value(to.value)?;
        let keys = [from, to.key];
        let invocation = self.commands.script_of_many(&scripts::MOVE, &keys)?;
        if from == to.key {
            return Ok(false);
        }
        let invocation = invocation.arg(expected).arg(to.value);
        let mut invocation = invocation.arg(argument(life));
        if let Some(over) = over {
            invocation = invocation.arg(over);
        }
        match self.commands.run_on_many(invocation, reply::held).await? {
            Some(has_moved) => Ok(has_moved),
            None => move_in_steps(self, from, expected, to, over).await,
        }
    }

    async fn throttle(&self, key: &str, attempt: Attempt<'_>) -> BackendResult<Decision> {
        attempt.check()?;
        let invocation = self.commands.script(&scripts::THROTTLE, key)?;
        let invocation = invocation
            .number(attempt.cost)
            .number(u8::from(attempt.peek));
        let invocation = attempt.quotas.iter().fold(invocation, |invocation, quota| {
            let mut head = Vec::new();
            write_head(quota, &mut head);
            let (time, units) = quota.interval();
            let invocation = invocation.arg(head).number(quota.capacity());
            invocation.number(time).number(units)
        });
        let read = |reply| reply::decision(reply, attempt.quotas);
        self.commands.run(invocation, read).await
    }

    async fn put_many(&self, entries: &[NewEntry<'_>]) -> BackendResult<()> {
        self.commands.limits.check_entries(entries)?;
        let mut failures = Failures::default();
        let is_cluster = match self.commands.client.is_cluster().await {
            Ok(is_cluster) => is_cluster,
            Err(error) => {
                failures.add(0..entries.len(), error);
                return failures.into_result();
            }
        };
        let mut start = 0;
        while start < entries.len() {
            let batch = &entries[start..start + batch_length(&entries[start..])];
            let sets = batch.iter().map(|entry| {
                let command = self.commands.command("SET", entry.key)?;
                Ok(set(command, entry.value, entry.life.checked()?))
            });
            let sets = sets.collect::<BackendResult<Vec<_>>>()?;
            if is_cluster {
                let failed = self.put_apart(start, batch, sets, &mut failures).await;
                start += batch.len();
                if let Some(error) = failed {
                    // The entries that follow would most likely fail the same way, after as long a
                    // wait.
                    failures.add(start..entries.len(), error);
                    break;
                }
                continue;
            }
            match self.commands.tell_each(sets).await {
                Ok(outcomes) => {
                    for (index, outcome) in (start..).zip(outcomes) {
                        if let Err(error) = was_set(outcome) {
                            failures.add([index], error);
                        }
                    }
                }
                Err(error) => {
                    // The entries that follow would most likely fail the same way, after as long a
                    // wait.
                    failures.add(start..entries.len(), error);
                    break;
                }
            }
            start += batch.len();
        }
        failures.into_result()
    }

    async fn remove_many(&self, keys: &[&str]) -> BackendResult<u64> {
        self.commands.limits.check_keys(keys)?;
        let name = |name: &str, keys: &[&str]| self.commands.command_of_many(name, keys);
        self.commands.unlink_all(keys, name).await
    }

    async fn remove_prefix(&self, prefix: &str) -> BackendResult<u64> {
        self.commands.clear(prefix).await
    }

    async fn probe(&self) -> BackendResult<()> {
        let ping = Command::new("PING");
        self.commands
            .ask(ping, ReadFrom::Primary, reply::pong)
            .await
    }

    async fn shut_down(&self) {
        self.commands.close().await;
    }

    fn info(&self) -> StoreInfo {
        StoreInfo::of(&*self.commands).with_limits(self.commands.limits)
    }

    fn replica_reads(&self) -> Option<&dyn ReplicaReads> {
        match self.reads {
            ReadFrom::Primary => None,
            ReadFrom::Replica => Some(&*self.commands),
        }
    }
}
