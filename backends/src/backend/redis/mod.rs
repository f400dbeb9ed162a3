//! The backend on a Redis or Valkey server.

mod builder;
mod call;
mod connection;
mod deadline;
mod reply;
mod resp;
mod script;
mod wire;

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

pub use self::builder::RedisBackendBuilder;
use self::connection::{Answer, Connection, LinkId, Repeat};
use self::resp::{Argument, Command, Reply};
use self::script::{Count, Invocation, Source};
use super::life::{Expiry, Life};
use super::store::{Limits, NewEntry, Store, StoreInfo, Touch};
use super::stored::Stored;
use super::throttle::{Attempt, Decision};
use super::{Condition, Counted, KeyStream, Write};
use crate::error::{BackendError, BackendResult, ErrorKind, Failures};
use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};

/// How many keys one command names at most, so that the server is never held for long.
const BATCH: usize = 1000;
/// How many bytes of values are sent at once, if there is more than one value.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// How often `clear` looks again for keys that came while it ran.
const PASSES: usize = 16;
/// How often a scan starts over because the connection was replaced.
const RESTARTS: usize = 8;

/// Keeps entries in a Redis (6.2 or newer) or Valkey server.
///
/// # Guarantees
///
/// * Every key is `namespace:key`; nothing outside of the namespace is read or written.
/// * Every operation on one key is one command or one script: one round trip, one atomic step. Calls that are made at the
///   same time go out together: `get`s as one `MGET`, increments as one script, up to some hundred a command, each with the
///   answer that it would have by itself. A `get` that finds nothing in an `MGET` takes a second round trip for that.
///   `get_many`, `set_many`, `delete_many`, `scan` and `clear` go in batches of at most 1,000 keys.
/// * It speaks RESP3. Clones share one connection, which is replaced when it is lost. What goes out together has no order;
///   a call that begins after another one was answered sees what that one did.
/// * Every call ends: within 1 s (builder) a round trip, waiting for a connection included, or it fails with `Timeout`.
///   It holds for a call on one key as a whole; `scan`, `clear` and calls on more than 1,000 keys are several. The limit is
///   in real time and no timer on tokio's clock, so it also holds, and doesn't fire early, under a paused clock.
/// * Only calls that change nothing (`get`, `exists`, `ttl`, `get_many`, `scan`, `ping`) are sent again when an answer was
///   lost. Of all others the error says [`outcome_unknown`](BackendError::outcome_unknown).
///
/// # Not guaranteed
///
/// * The server's wall clock decides what has expired. When it is set forward entries end early, and late when it is set
///   back. An entry may be read for up to a millisecond past its end.
/// * What the server acknowledged can be lost if it crashes or fails over, as its persistence and replication allow.
/// * `clear` and `clear_prefix` look again for keys that came while they ran, up to 16 times. Each time is a walk over all keys
///   of the database, and so is a `scan`: see [what a prefix costs](crate::Backend#what-a-prefix-costs).
/// * A write that timed out, or whose connection was lost, may still be executed after later calls.
/// * A failover to a replica can bring back an older value, or let two callers win a `set_if_absent`.
///
/// # Cancel safety
///
/// A dropped call may have been sent. It is one atomic step on the server, so it has its whole effect or none; one that wasn't
/// sent yet never is.
///
/// # Examples
///
/// ```no_run
/// use reinhardt_backends::{Backend, RedisBackend};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> reinhardt_backends::BackendResult<()> {
/// let backend = RedisBackend::new("redis://localhost:6379").await?;
/// backend.set("user:123", "active", Some(Duration::from_secs(3600))).await?;
/// assert_eq!(backend.get::<String>("user:123").await?.as_deref(), Some("active"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisBackend {
    shared: Arc<Shared>,
}

struct Shared {
    connection: Connection,
    /// The namespace, escaped, and a colon; empty where there is none.
    prefix: String,
    limits: Limits,
}

impl RedisBackend {
    /// Connects to the server at `url`, in the namespace `reinhardt`.
    ///
    /// # Errors
    ///
    /// As [`RedisBackendBuilder::build`].
    pub async fn new(url: &str) -> BackendResult<Self> {
        Self::builder().url(url).build().await
    }

    /// Checks `url` and leaves connecting to the first call; works without a runtime.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` if `url` is not the URL of a server.
    pub fn connect_lazy(url: &str) -> BackendResult<Self> {
        Self::builder().url(url).build_lazy()
    }

    /// Takes the server, the login and the database of a client of redis-rs.
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

    /// Refuses further calls of this backend and its clones (`Unavailable`), waits for those under
    /// way, and closes the connection.
    pub async fn close(&self) {
        self.shared.connection.close().await;
    }
}

/// Leaves the server out, whose URL may hold a password.
impl fmt::Debug for RedisBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBackend")
            .field("prefix", &self.shared.prefix)
            .field("limits", &self.shared.limits)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Begins a command whose first argument is a key.
    fn command(&self, name: &str, key: &str) -> BackendResult<Command> {
        self.limits.check_key(key)?;
        Ok(self.with_key(Command::new(name), key))
    }

    /// Makes a command of `keys`, which are checked.
    fn command_of_many(&self, name: &str, keys: &[&str]) -> Command {
        let begin = Command::new(name);
        keys.iter()
            .fold(begin, |command, key| self.with_key(command, key))
    }

    fn with_key(&self, command: Command, key: &str) -> Command {
        command.joined(self.prefix.as_bytes(), key.as_bytes())
    }

    /// Begins the invocation of a script with one key.
    fn script(&self, source: &'static LazyLock<Source>, key: &str) -> BackendResult<Invocation> {
        self.script_of_many(source, &[key])
    }

    fn script_of_many(
        &self,
        source: &'static LazyLock<Source>,
        keys: &[&str],
    ) -> BackendResult<Invocation> {
        self.limits.check_keys(keys)?;
        let begin = Invocation::new(source, keys.len());
        let prefix = self.prefix.as_bytes();
        let with_keys = keys.iter().fold(begin, |invocation, key| {
            invocation.key(prefix, key.as_bytes())
        });
        Ok(with_keys)
    }

    /// Sends a command whose only argument is a key.
    async fn single(&self, name: &str, key: &str, repeat: Repeat) -> BackendResult<Reply> {
        let command = self.command(name, key)?;
        self.connection.command(command, repeat).await
    }

    async fn count(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        let window = Life::from(ttl).checked()?;
        self.limits.check_key(key)?;
        let window = match window {
            Life::In(ttl) => millis(ttl),
            Life::Keep | Life::Never => 0,
        };
        let count = Count::new(self.prefix.as_bytes(), key.as_bytes(), delta, window);
        reply::counted(self.connection.count(count).await?)
    }

    /// Removes the key while it holds `expected`, and says whether it did.
    async fn compare_and_delete(&self, key: &str, expected: &[u8]) -> BackendResult<bool> {
        let invocation = self.script(&script::COMPARE_AND_DELETE, key)?.arg(expected);
        let reply = self.connection.script(invocation, Repeat::Never).await?;
        Ok(reply::integer(reply)? == 1)
    }

    async fn remove(&self, key: &str) -> BackendResult<bool> {
        let reply = self.single("UNLINK", key, Repeat::Never).await?;
        Ok(reply::integer(reply)? == 1)
    }

    /// Removes what the commands name, one after the other.
    async fn remove_many(&self, unlinks: impl Iterator<Item = Command>) -> BackendResult<u64> {
        let mut removed = 0;
        for unlink in unlinks {
            let reply = self.connection.command(unlink, Repeat::Never).await;
            let count = reply.and_then(reply::integer);
            removed += count
                .map_err(|error| error.after(removed > 0))?
                .unsigned_abs();
        }
        Ok(removed)
    }

    /// Makes the command that reads the key and gives it another life; `ttl` is checked.
    fn restarting_get(&self, key: &str, ttl: Duration) -> BackendResult<Command> {
        Ok(self.command("GETEX", key)?.arg("PX").number(millis(ttl)))
    }

    /// Reads at most [`BATCH`] keys in one round trip; the keys and the renewal are checked.
    async fn read_batch(&self, keys: &[&str], touch: Touch) -> BackendResult<Vec<Option<Stored>>> {
        let reply = match touch {
            Touch::Keep => {
                let command = self.command_of_many("MGET", keys);
                self.connection.command(command, Repeat::Safely).await
            }
            Touch::Extend(ttl) => {
                let invocation = self.script_of_many(&script::RENEW_MANY, keys)?;
                let invocation = invocation.number(millis(ttl));
                self.connection.script(invocation, Repeat::Never).await
            }
            Touch::Restart(ttl) => {
                let commands = keys.iter().map(|key| self.restarting_get(key, ttl));
                let commands = commands.collect::<BackendResult<_>>()?;
                let replies = self.connection.pipeline(commands).await?;
                return replies.into_iter().map(reply::stored_or_foreign).collect();
            }
        };
        reply::all_stored(reply?)
    }

    async fn page(&self, pattern: &[u8], cursor: u64) -> BackendResult<Page> {
        let scan = Command::new("SCAN").number(cursor);
        let scan = scan.arg("MATCH").arg(pattern).arg("COUNT").number(BATCH);
        let Answer { reply, link } = self.connection.traced(scan, Repeat::Safely).await?;
        let (next, keys) = reply::page(reply)?;
        Ok(Page { next, keys, link })
    }

    /// Removes what begins with `prefix`, again and again until a pass over the whole key space finds nothing.
    async fn clear(&self, prefix: &str) -> BackendResult<u64> {
        self.limits.check_prefix(prefix)?;
        if self.prefix.is_empty() && prefix.is_empty() {
            return Err(BackendError::new(
                ErrorKind::Unsupported,
                "without a namespace nothing says which keys to clear",
            ));
        }
        let pattern = self.pattern(prefix);
        let mut removed = 0;
        for _ in 0..PASSES {
            let mut found = false;
            let mut cursor = 0;
            let mut came_by = None;
            loop {
                let page = self.page(&pattern, cursor).await;
                let page = page.map_err(|error| error.after(removed > 0))?;
                // A cursor means nothing to a server that has been restarted: such a pass isn't the last.
                found |= !page.keys.is_empty() || came_by.is_some_and(|link| link != page.link);
                came_by = Some(page.link);
                let unlinks = page.keys.chunks(BATCH).map(|keys| {
                    let keys = keys.iter().map(Stored::as_bytes);
                    Command::new("UNLINK").args(keys)
                });
                let batch = self.remove_many(unlinks).await;
                removed += batch.map_err(|error| error.after(removed > 0))?;
                cursor = page.next;
                if cursor == 0 {
                    break;
                }
            }
            if !found {
                break;
            }
        }
        Ok(removed)
    }

    /// Returns the pattern that all keys with `prefix` and no others match.
    fn pattern(&self, prefix: &str) -> Vec<u8> {
        let mut pattern = Vec::new();
        for byte in self.prefix.bytes().chain(prefix.bytes()) {
            if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\' | b'^' | b'-') {
                pattern.push(b'\\');
            }
            pattern.push(byte);
        }
        pattern.push(b'*');
        pattern
    }
}

/// A page of a scan.
struct Page {
    next: u64,
    /// With the namespace.
    keys: Vec<Stored>,
    link: LinkId,
}

/// Where a scan goes on.
#[derive(Clone, Copy)]
struct Progress {
    cursor: u64,
    came_by: Option<LinkId>,
    restarts: usize,
}

impl Progress {
    /// Where the scan goes on after `page`; a scan by a new connection starts over, because the cursor of a server that
    /// has been restarted would leave keys out. A key may come twice.
    fn after(self, page: &Page) -> BackendResult<Option<Self>> {
        let replaced = self.came_by.is_some_and(|link| link != page.link);
        if replaced && self.restarts == RESTARTS {
            return Err(BackendError::new(
                ErrorKind::Unavailable,
                "the connection was replaced again and again while keys were scanned",
            ));
        }
        if !replaced && page.next == 0 {
            return Ok(None);
        }
        Ok(Some(Self {
            cursor: if replaced { 0 } else { page.next },
            came_by: Some(page.link),
            restarts: self.restarts + usize::from(replaced),
        }))
    }
}

/// Returns how many of the entries go in one pipeline: at least one, otherwise bounded in number and bytes.
fn batch_length(entries: &[NewEntry<'_>]) -> usize {
    let mut bytes = 0;
    let fits = entries.iter().take(BATCH).take_while(|entry| {
        bytes += entry.value.len();
        bytes <= BATCH_BYTES
    });
    fits.count().max(1)
}

/// Ends the `SET` of a key; `life` is checked.
fn set(command: Command, value: &[u8], life: Life) -> Command {
    let command = command.arg(value);
    match life {
        Life::Keep => command.arg("KEEPTTL"),
        Life::Never => command,
        Life::In(ttl) => command.arg("PX").number(millis(ttl)),
    }
}

/// A life as scripts take it; it is checked.
fn argument(life: Life) -> String {
    match life {
        Life::Keep => "KEEP".to_string(),
        Life::Never => "NEVER".to_string(),
        Life::In(ttl) => millis(ttl).to_string(),
    }
}

/// `ttl` is checked: whole milliseconds, 10,000 years at most.
fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).expect("10,000 years of milliseconds fit u64")
}

#[async_trait]
impl Store for RedisBackend {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        let invocation = self.shared.script(&script::READ, key)?;
        let connection = &self.shared.connection;
        reply::stored_and_expiry(connection.script(invocation, Repeat::Safely).await?)
    }

    async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        let life = options.life.checked()?;
        self.shared.limits.check_value(value)?;
        let connection = &self.shared.connection;
        if let Condition::Equals(expected) = options.condition {
            let invocation = self.shared.script(&script::COMPARE_AND_SET, key)?;
            let invocation = invocation.arg(expected).arg(value).arg(argument(life));
            let reply = connection.script(invocation, Repeat::Never).await?;
            return Ok(reply::integer(reply)? == 1);
        }
        let command = set(self.shared.command("SET", key)?, value, life);
        let command = match options.condition {
            Condition::Absent => command.arg("NX"),
            Condition::Present => command.arg("XX"),
            Condition::Always | Condition::Equals(_) => command,
        };
        reply::done(connection.command(command, Repeat::Never).await?)
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        match expected {
            None => self.shared.remove(key).await,
            Some(expected) => self.shared.compare_and_delete(key, expected).await,
        }
    }

    async fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        self.shared.count(key, delta, ttl).await
    }

    async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool> {
        let connection = &self.shared.connection;
        let reply = match life.checked()? {
            Life::Keep => self.shared.single("EXISTS", key, Repeat::Safely).await?,
            Life::Never => {
                let invocation = self.shared.script(&script::PERSIST, key)?;
                connection.script(invocation, Repeat::Never).await?
            }
            Life::In(ttl) => {
                let command = self.shared.command("PEXPIRE", key)?.number(millis(ttl));
                connection.command(command, Repeat::Never).await?
            }
        };
        Ok(reply::integer(reply)? == 1)
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        if let Err(error) = self.shared.limits.check_prefix(prefix) {
            return stream::iter([Err(error)]).boxed();
        }
        let shared = &*self.shared;
        let pattern = Arc::<[u8]>::from(shared.pattern(prefix));
        let begin = Progress {
            cursor: 0,
            came_by: None,
            restarts: 0,
        };
        let pages = stream::try_unfold(Some(begin), move |progress| {
            let pattern = pattern.clone();
            async move {
                let Some(progress) = progress else {
                    return Ok(None);
                };
                let page = shared.page(&pattern, progress.cursor).await?;
                let next = progress.after(&page)?;
                Ok(Some((stream::iter(page.keys.into_iter().map(Ok)), next)))
            }
        });
        let own = shared.prefix.len();
        // A key that isn't UTF-8 is none of this library's.
        let keys = pages.try_flatten().try_filter_map(move |key: Stored| {
            let key = key.as_bytes().get(own..);
            let key = key.and_then(|key| str::from_utf8(key).ok());
            std::future::ready(Ok(key.map(str::to_string)))
        });
        keys.boxed()
    }

    async fn read_value(&self, key: &str, touch: Touch) -> BackendResult<Option<Stored>> {
        let connection = &self.shared.connection;
        let reply = match touch.checked()? {
            Touch::Keep => {
                self.shared.limits.check_key(key)?;
                let key = Argument::joined(self.shared.prefix.as_bytes(), key.as_bytes());
                connection.get(key).await
            }
            Touch::Restart(ttl) => {
                let command = self.shared.restarting_get(key, ttl)?;
                connection.command(command, Repeat::Never).await
            }
            Touch::Extend(ttl) => {
                let invocation = self.shared.script(&script::RENEW, key)?;
                let invocation = invocation.number(millis(ttl));
                connection.script(invocation, Repeat::Never).await
            }
        };
        reply::stored(reply?)
    }

    async fn read_values(&self, keys: &[&str], touch: Touch) -> BackendResult<Vec<Option<Stored>>> {
        let touch = touch.checked()?;
        self.shared.limits.check_keys(keys)?;
        let mut all = Vec::with_capacity(keys.len());
        for batch in keys.chunks(BATCH) {
            match self.shared.read_batch(batch, touch).await {
                Ok(values) => all.extend(values),
                // Nothing was changed, so nothing is unknown.
                Err(error) if touch == Touch::Keep => return Err(error),
                Err(error) => return Err(error.after(!all.is_empty())),
            }
        }
        Ok(all)
    }

    async fn read_life(&self, key: &str) -> BackendResult<Option<Expiry>> {
        let reply = self.shared.single("PTTL", key, Repeat::Safely).await?;
        Ok(reply::expiry(reply::integer(reply)?))
    }

    async fn take_value(&self, key: &str) -> BackendResult<Option<Stored>> {
        reply::stored(self.shared.single("GETDEL", key, Repeat::Never).await?)
    }

    async fn move_entry(
        &self,
        from: &str,
        expected: &[u8],
        to: NewEntry<'_>,
        over: Option<&[u8]>,
    ) -> BackendResult<bool> {
        let life = to.life.checked()?;
        self.shared.limits.check_value(to.value)?;
        let keys = [from, to.key];
        let invocation = self.shared.script_of_many(&script::MOVE, &keys)?;
        if from == to.key {
            return Ok(false);
        }
        let invocation = invocation.arg(expected).arg(to.value);
        let mut invocation = invocation.arg(argument(life));
        if let Some(over) = over {
            invocation = invocation.arg(over);
        }
        let connection = &self.shared.connection;
        let reply = connection.script(invocation, Repeat::Never).await?;
        Ok(reply::integer(reply)? == 1)
    }

    async fn throttle(&self, key: &str, attempt: Attempt<'_>) -> BackendResult<Decision> {
        attempt.check()?;
        let invocation = self.shared.script(&script::THROTTLE, key)?;
        let invocation = invocation
            .number(attempt.cost)
            .number(u8::from(attempt.peek));
        let invocation = attempt.quotas.iter().fold(invocation, |invocation, quota| {
            let mut head = Vec::new();
            quota.write_head(&mut head);
            let (time, units) = quota.interval();
            let invocation = invocation.arg(head).number(quota.capacity());
            invocation.number(time).number(units)
        });
        let connection = &self.shared.connection;
        let reply = connection.script(invocation, Repeat::Never).await?;
        reply::decision(reply, attempt.quotas)
    }

    async fn put_many(&self, entries: &[NewEntry<'_>]) -> BackendResult<()> {
        self.shared.limits.check_entries(entries)?;
        let mut failures = Failures::default();
        let mut start = 0;
        while start < entries.len() {
            let batch = &entries[start..start + batch_length(&entries[start..])];
            let sets = batch.iter().map(|entry| {
                let command = self.shared.command("SET", entry.key)?;
                Ok(set(command, entry.value, entry.life.checked()?))
            });
            let sets = sets.collect::<BackendResult<_>>()?;
            match self.shared.connection.pipeline(sets).await {
                Ok(replies) => {
                    for (index, reply) in (start..).zip(replies) {
                        if let Err(error) = reply::done(reply) {
                            failures.add([index], error);
                        }
                    }
                }
                Err(error) => {
                    // What follows would most likely fail the same way, after as long a wait.
                    failures.add(start..entries.len(), error);
                    break;
                }
            }
            start += batch.len();
        }
        failures.into_result()
    }

    async fn remove_many(&self, keys: &[&str]) -> BackendResult<u64> {
        self.shared.limits.check_keys(keys)?;
        let unlinks = keys
            .chunks(BATCH)
            .map(|keys| self.shared.command_of_many("UNLINK", keys));
        self.shared.remove_many(unlinks).await
    }

    async fn remove_prefix(&self, prefix: &str) -> BackendResult<u64> {
        self.shared.clear(prefix).await
    }

    async fn probe(&self) -> BackendResult<()> {
        let connection = &self.shared.connection;
        match connection
            .command(Command::new("PING"), Repeat::Safely)
            .await?
        {
            Reply::Status => Ok(()),
            other => reply::unexpected(other),
        }
    }

    async fn shut_down(&self) {
        self.shared.connection.close().await;
    }

    fn info(&self) -> StoreInfo<'_> {
        StoreInfo::of(&*self.shared).with_limits(self.shared.limits)
    }
}
