//! From keys to commands and scripts.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[cfg(feature = "redis-commands")]
use futures_util::future::join;
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};

use super::client::{
    Access, Argument, Client, Command, Invocation, KeyedInvocation, Reply, Script, is_unknown, slot,
};
use super::read_from::ReadFrom;
use super::reply::{self, Answer, Unread};
use super::scripts;
use super::status::RedisStatus;
use crate::backend::answers::Counted;
use crate::backend::life::Life;
use crate::backend::store::{Limits, NewEntry, Touch};
use crate::backend::stored::Stored;
use crate::error::{BackendResult, ErrorKind};

/// The most keys that one command names, so that the server is never held for long.
pub(super) const BATCH: usize = 1000;
/// The most calls that stand in for one call on many keys at a time.
const SIDE_BY_SIDE: usize = 32;
/// The most bytes of values that are sent at once, if there is more than one value.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// The commands of a backend, on the keys of its namespace.
pub(super) struct Commands {
    pub(super) client: Client,
    /// The namespace, escaped, and a colon; empty where there is none.
    pub(super) prefix: String,
    pub(super) limits: Limits,
    pub(super) missing: Missing,
    /// The client of connections for other commands, once one was asked for.
    #[cfg(feature = "redis-commands")]
    pub(super) other: std::sync::OnceLock<std::sync::Arc<Client>>,
}

impl Commands {
    pub(super) fn status(&self) -> RedisStatus {
        let status = self.client.status();
        #[cfg(feature = "redis-commands")]
        if let Some(other) = self.other.get() {
            return status.with(other.status());
        }
        status
    }

    pub(super) async fn close(&self) {
        #[cfg(feature = "redis-commands")]
        if let Some(other) = self.other.get() {
            // Both refuse calls from the first moment on.
            join(self.client.close(), other.close()).await;
            return;
        }
        self.client.close().await;
    }

    /// Begins a command whose first argument is a key.
    pub(super) fn command(&self, name: &str, key: &str) -> BackendResult<Command> {
        self.limits.check_key(key)?;
        Ok(self.with_key(Command::new(name), key))
    }

    /// Makes a command of `keys`, which are checked.
    pub(super) fn command_of_many(&self, name: &str, keys: &[&str]) -> Command {
        let begin = Command::new(name);
        keys.iter()
            .fold(begin, |command, key| self.with_key(command, key))
    }

    fn with_key(&self, command: Command, key: &str) -> Command {
        command.key(self.prefix.as_bytes(), key.as_bytes())
    }

    /// Makes an argument of a key.
    pub(super) fn key(&self, key: &str) -> BackendResult<Argument> {
        self.limits.check_key(key)?;
        Ok(Argument::joined(self.prefix.as_bytes(), key.as_bytes()))
    }

    /// Begins the invocation of a script with one key.
    pub(super) fn script(
        &self,
        source: &'static LazyLock<Script>,
        key: &str,
    ) -> BackendResult<Invocation> {
        self.script_of_many(source, &[key])
    }

    pub(super) fn script_of_many(
        &self,
        source: &'static LazyLock<Script>,
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

    /// Sends a command that may change something.
    pub(super) async fn tell<T>(
        &self,
        command: Command,
        read: impl FnOnce(Reply) -> Answer<T>,
    ) -> BackendResult<T> {
        let reply = self.client.command(command, Access::Write).await?;
        read(reply).map_err(Unread::of_write)
    }

    /// Runs a script that may change something.
    pub(super) async fn run<T>(
        &self,
        invocation: Invocation,
        read: impl FnOnce(Reply) -> Answer<T>,
    ) -> BackendResult<T> {
        let reply = self.client.script(invocation, Access::Write).await?;
        read(reply).map_err(Unread::of_write)
    }

    /// Runs a script with several keys that may change something; `None` where a script may name
    /// only one key.
    pub(super) async fn run_on_many<T>(
        &self,
        invocation: Invocation,
        read: impl FnOnce(Reply) -> Answer<T>,
    ) -> BackendResult<Option<T>> {
        match self.client.script(invocation, Access::Write).await? {
            Reply::OneKeyOnly => Ok(None),
            reply => read(reply).map(Some).map_err(Unread::of_write),
        }
    }

    /// Sends a command that may change something; `None` where the server doesn't know the command.
    async fn tell_if_known<T>(
        &self,
        missing: &UnknownCommand,
        command: BackendResult<Command>,
        read: impl FnOnce(Reply) -> Answer<T>,
    ) -> BackendResult<Option<T>> {
        let command = command?;
        if missing.is_known() {
            return Ok(None);
        }
        match self.client.command(command, Access::Write).await? {
            reply if missing.is_told_by(&reply) => Ok(None),
            reply => read(reply).map(Some).map_err(Unread::of_write),
        }
    }

    /// Sends commands with one key each to the nodes of a cluster. They may change something, and
    /// have no order.
    pub(super) async fn tell_apart(&self, commands: Vec<Command>) -> Vec<BackendResult<Reply>> {
        let outcomes = self.client.by_node(&commands, Access::Write).await;
        let outcomes = commands.into_iter().zip(outcomes);
        let outcomes = outcomes.map(|(command, outcome)| async move {
            match outcome {
                Some(outcome) => outcome,
                None => self.client.command(command, Access::Write).await,
            }
        });
        join_all(outcomes).await
    }

    /// Sends commands with one key each, which may change something, and returns the outcome of
    /// each. One server executes them in their order.
    pub(super) async fn tell_each(
        &self,
        commands: Vec<Command>,
    ) -> BackendResult<Vec<BackendResult<Reply>>> {
        if self.client.is_cluster().await? {
            return Ok(self.tell_apart(commands).await);
        }
        let asked = commands.len();
        let replies = self.client.pipeline(commands).await?;
        let replies = reply::each(replies, asked).map_err(Unread::of_write)?;
        Ok(replies.into_iter().map(Ok).collect())
    }

    pub(super) async fn count(
        &self,
        key: &str,
        delta: i64,
        ttl: Option<Duration>,
    ) -> BackendResult<Counted> {
        let window = match Life::from(ttl).checked()? {
            Life::In(ttl) => millis(ttl).cast_signed(),
            Life::Keep | Life::Never => 0,
        };
        let count = KeyedInvocation::new(&scripts::COUNT, self.key(key)?, [delta, window]);
        let reply = self.client.keyed(count).await?;
        reply::counted(reply).map_err(Unread::of_write)
    }

    /// Sends a command that removes keys: `UNLINK`, or `DEL` to a server that doesn't know
    /// `UNLINK`.
    pub(super) async fn unlink(
        &self,
        command: impl Fn(&str) -> BackendResult<Command>,
    ) -> BackendResult<u64> {
        let missing = &self.missing.unlink;
        let unlinked = self.tell_if_known(missing, command("UNLINK"), reply::integer);
        let removed = match unlinked.await? {
            Some(removed) => removed,
            None => self.tell(command("DEL")?, reply::integer).await?,
        };
        Ok(removed.unsigned_abs())
    }

    /// Removes keys in batches, one after the other. `name` makes the command of a word that
    /// removes keys.
    pub(super) async fn unlink_all<K>(
        &self,
        keys: &[K],
        name: impl Fn(&str, &[K]) -> Command,
    ) -> BackendResult<u64> {
        let is_cluster = self.client.is_cluster().await?;
        let mut removed = 0;
        for batch in keys.chunks(BATCH) {
            let count = match is_cluster {
                true => self.unlink_apart(batch, &name).await,
                false => self.unlink(|word| Ok(name(word, batch))).await,
            };
            removed += count.map_err(|error| error.after(removed > 0))?;
        }
        Ok(removed)
    }

    /// Removes keys of a cluster.
    async fn unlink_apart<K>(
        &self,
        keys: &[K],
        name: impl Fn(&str, &[K]) -> Command,
    ) -> BackendResult<u64> {
        let one = |word: &str, key| name(word, std::slice::from_ref(key));
        let commands = keys.iter().map(|key| one("UNLINK", key)).collect();
        let outcomes = self.tell_apart(commands).await;
        let (mut removed, mut failed) = (0, None);
        for (key, outcome) in keys.iter().zip(outcomes) {
            let count = match outcome {
                Ok(reply) if self.missing.unlink.is_told_by(&reply) => {
                    self.unlink(|word| Ok(one(word, key))).await
                }
                Ok(reply) => {
                    let count = reply::integer(reply).map_err(Unread::of_write);
                    count.map(i64::unsigned_abs)
                }
                Err(error) => Err(error),
            };
            match count {
                Ok(count) => removed += count,
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            None => Ok(removed),
            Some(error) => Err(error.after(removed > 0)),
        }
    }

    /// Removes the key and returns its value.
    pub(super) async fn take(&self, key: &str) -> BackendResult<Option<Stored>> {
        let missing = &self.missing.getdel;
        let taken = self.tell_if_known(missing, self.command("GETDEL", key), reply::stored);
        match taken.await? {
            Some(taken) => Ok(taken),
            None => {
                self.run(self.script(&scripts::TAKE, key)?, reply::stored)
                    .await
            }
        }
    }

    /// Reads the key and changes its life as `touch` says; `touch` is checked.
    pub(super) async fn read_value(
        &self,
        key: &str,
        touch: Touch,
    ) -> BackendResult<Option<Stored>> {
        match touch {
            Touch::Keep => self.get(key, ReadFrom::Primary).await,
            Touch::Extend(ttl) => {
                let invocation = self.script(&scripts::RENEW, key)?.number(millis(ttl));
                self.run(invocation, reply::stored).await
            }
            Touch::Restart(ttl) => {
                let missing = &self.missing.getex;
                let restarted = self.tell_if_known(missing, self.getex(key, ttl), reply::stored);
                if let Some(restarted) = restarted.await? {
                    return Ok(restarted);
                }
                let invocation = self.script(&scripts::RESTART, key)?.number(millis(ttl));
                self.run(invocation, reply::stored).await
            }
        }
    }

    /// Makes the command that reads the key and gives it another life; `ttl` is checked.
    fn getex(&self, key: &str, ttl: Duration) -> BackendResult<Command> {
        Ok(self.command("GETEX", key)?.arg("PX").number(millis(ttl)))
    }

    /// Reads at most [`BATCH`] keys in one round trip; the keys and the renewal are checked.
    pub(super) async fn read_batch(
        &self,
        keys: &[&str],
        touch: Touch,
    ) -> BackendResult<Vec<Option<Stored>>> {
        match touch {
            Touch::Keep => self.get_batch(keys, ReadFrom::Primary).await,
            Touch::Extend(ttl) => {
                let invocation = self.script_of_many(&scripts::RENEW_MANY, keys)?;
                let invocation = invocation.number(millis(ttl));
                match self.run_on_many(invocation, reply::all_stored).await? {
                    Some(values) => Ok(values),
                    None => {
                        let is_cluster = self.client.is_cluster().await?;
                        let at_once = if is_cluster { BATCH } else { SIDE_BY_SIDE };
                        self.read_side_by_side(keys, touch, at_once).await
                    }
                }
            }
            Touch::Restart(ttl) if !self.missing.getex.is_known() => {
                let commands = keys.iter().map(|key| self.getex(key, ttl));
                let commands = commands.collect::<BackendResult<_>>()?;
                let outcomes = self.tell_each(commands).await?;
                let is_unknown = |outcome: &BackendResult<Reply>| {
                    let reply = outcome.as_ref();
                    reply.is_ok_and(|reply| self.missing.getex.is_told_by(reply))
                };
                if outcomes.iter().all(is_unknown) {
                    return self.read_side_by_side(keys, touch, SIDE_BY_SIDE).await;
                }
                all_or_first_error(
                    outcomes.into_iter().map(|outcome| {
                        reply::stored_or_foreign(outcome?).map_err(Unread::of_write)
                    }),
                )
            }
            Touch::Restart(_) => self.read_side_by_side(keys, touch, SIDE_BY_SIDE).await,
        }
    }

    /// Reads keys of a cluster: one command for each slot, and all commands for a node in one go.
    pub(super) async fn get_apart(
        &self,
        keys: &[&str],
        from: ReadFrom,
    ) -> BackendResult<Vec<Option<Stored>>> {
        let mut by_slot: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
        let mut whole = Vec::new();
        for (position, key) in keys.iter().enumerate() {
            whole.clear();
            whole.extend_from_slice(self.prefix.as_bytes());
            whole.extend_from_slice(key.as_bytes());
            by_slot.entry(slot(&whole)).or_default().push(position);
        }
        let at = |positions: &[usize]| -> Vec<&str> {
            positions.iter().map(|position| keys[*position]).collect()
        };
        let slots = by_slot.values();
        let commands: Vec<_> = slots
            .map(|positions| self.command_of_many("MGET", &at(positions)))
            .collect();
        let outcomes = self.client.by_node(&commands, Access::Read(from)).await;
        let mut all = vec![None; keys.len()];
        let mut moved = Vec::new();
        for (positions, outcome) in by_slot.into_values().zip(outcomes) {
            let Some(outcome) = outcome else {
                // While a slot moves, its keys are on two nodes, and no command may name several.
                moved.extend(positions);
                continue;
            };
            let values = reply::all_stored(outcome?).map_err(Unread::of_read)?;
            for (position, value) in positions.into_iter().zip(values) {
                all[position] = value;
            }
        }
        let moved_keys = at(&moved);
        let reads = moved_keys.iter().map(|key| self.get(key, from));
        let values = side_by_side(reads, BATCH).await?;
        for (position, value) in moved.into_iter().zip(values) {
            all[position] = value;
        }
        Ok(all)
    }

    /// Reads each key by itself, so many at once.
    async fn read_side_by_side(
        &self,
        keys: &[&str],
        touch: Touch,
        at_once: usize,
    ) -> BackendResult<Vec<Option<Stored>>> {
        side_by_side(keys.iter().map(|key| self.read_value(key, touch)), at_once).await
    }
}

/// Waits for reads of one key each, so many at once; a key of a foreign type is nothing.
async fn side_by_side(
    reads: impl Iterator<Item = impl Future<Output = BackendResult<Option<Stored>>>>,
    at_once: usize,
) -> BackendResult<Vec<Option<Stored>>> {
    let reads = reads.map(|read| async move {
        match read.await {
            Err(error) if error.kind() == ErrorKind::WrongType => Ok(None),
            value => value,
        }
    });
    let reads: Vec<_> = reads.collect();
    let values: Vec<_> = stream::iter(reads).buffered(at_once).collect().await;
    all_or_first_error(values)
}

/// Returns the values, or the first error. The outcome of the error is unknown if another key was
/// read, and so the life of that key was changed.
fn all_or_first_error(
    values: impl IntoIterator<Item = BackendResult<Option<Stored>>>,
) -> BackendResult<Vec<Option<Stored>>> {
    let (mut all, mut failed) = (Vec::new(), None);
    let mut is_unknown = false;
    for value in values {
        match value {
            Ok(value) => all.push(value),
            Err(error) => {
                is_unknown |= error.outcome_unknown();
                failed.get_or_insert(error);
            }
        }
    }
    match failed {
        None => Ok(all),
        Some(error) => Err(error.after(is_unknown || !all.is_empty())),
    }
}

/// The commands that the server turned out not to know. Another way stands in for each.
#[derive(Default)]
pub(super) struct Missing {
    unlink: UnknownCommand,
    getdel: UnknownCommand,
    getex: UnknownCommand,
}

/// True once the server is known not to know a command.
#[derive(Default)]
struct UnknownCommand(AtomicBool);

impl UnknownCommand {
    fn is_known(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Says whether the reply means that the server doesn't know the command, and remembers it. The
    /// server did nothing then.
    fn is_told_by(&self, reply: &Reply) -> bool {
        let is_told = matches!(reply, Reply::Error(error) if is_unknown(error));
        if is_told {
            self.0.store(true, Ordering::Relaxed);
        }
        is_told
    }
}

/// Returns the number of entries that go in one pipeline: at least one, otherwise bounded in number
/// and bytes.
pub(super) fn batch_length(entries: &[NewEntry<'_>]) -> usize {
    let mut bytes = 0;
    let fits = entries.iter().take(BATCH).take_while(|entry| {
        bytes += entry.value.len();
        bytes <= BATCH_BYTES
    });
    fits.count().max(1)
}

/// Ends the `SET` of a key; `life` is checked.
pub(super) fn set(command: Command, value: &[u8], life: Life) -> Command {
    let command = command.arg(value);
    match life {
        Life::Keep => command.arg("KEEPTTL"),
        Life::Never => command,
        Life::In(ttl) => command.arg("PX").number(millis(ttl)),
    }
}

/// A life as scripts take it; it is checked.
pub(super) fn argument(life: Life) -> String {
    match life {
        Life::Keep => "KEEP".to_string(),
        Life::Never => "NEVER".to_string(),
        Life::In(ttl) => millis(ttl).to_string(),
    }
}

/// `ttl` is checked: whole milliseconds, 10,000 years at most.
pub(super) fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).expect("10,000 years of milliseconds fit u64")
}
