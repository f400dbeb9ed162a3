//! From keys to commands and scripts.

use std::sync::LazyLock;
use std::time::Duration;

#[cfg(feature = "redis-commands")]
use futures_util::future::join;
use futures_util::future::join_all;

use super::client::{
    Access, Argument, Client, Command, Invocation, KeyedInvocation, Reply, Script,
};
use super::reply::{self, ReadReply, Unread};
use super::scripts;
use super::status::RedisStatus;
use super::unknown_commands::{Missing, UnknownCommand};
use crate::backend::answers::Counted;
use crate::backend::life::Life;
use crate::backend::store::{Instance, Limits, NewEntry};
use crate::error::BackendResult;

/// The most keys that one command names, so that the server is never held for long.
pub(super) const BATCH: usize = 1000;
/// The most bytes of values that are sent at once, if there is more than one value.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// The commands of a backend, on the keys of its namespace.
pub(super) struct Commands {
    pub(super) client: Client,
    /// The namespace, escaped, and a colon; empty where there is none.
    pub(super) prefix: String,
    pub(super) limits: Limits,
    pub(super) instance: Instance,
    pub(super) missing: Missing,
    /// The client of connections for other commands, once one was asked for.
    #[cfg(feature = "redis-commands")]
    pub(super) other: std::sync::OnceLock<std::sync::Arc<Client>>,
}

impl Commands {
    /// Returns the number of the node of a cluster that owns the slot of a key; elsewhere zero.
    pub(super) fn part_of(&self, key: &str) -> u64 {
        let named = || [self.prefix.as_bytes(), key.as_bytes()].concat();
        self.client.part_of(named)
    }

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
        read: impl FnOnce(Reply) -> ReadReply<T>,
    ) -> BackendResult<T> {
        let reply = self.client.command(command, Access::Write).await?;
        read(reply).map_err(Unread::of_write)
    }

    /// Runs a script that may change something.
    pub(super) async fn run<T>(
        &self,
        invocation: Invocation,
        read: impl FnOnce(Reply) -> ReadReply<T>,
    ) -> BackendResult<T> {
        let reply = self.client.script(invocation, Access::Write).await?;
        read(reply).map_err(Unread::of_write)
    }

    /// Runs a script with several keys that may change something; `None` where a script may name
    /// only one key.
    pub(super) async fn run_on_many<T>(
        &self,
        invocation: Invocation,
        read: impl FnOnce(Reply) -> ReadReply<T>,
    ) -> BackendResult<Option<T>> {
        match self.client.script(invocation, Access::Write).await? {
            Reply::OneKeyOnly => Ok(None),
            reply => read(reply).map(Some).map_err(Unread::of_write),
        }
    }

    /// Sends a command that may change something; `None` where the server doesn't know the command.
    pub(super) async fn tell_if_known<T>(
        &self,
        missing: &UnknownCommand,
        command: BackendResult<Command>,
        read: impl FnOnce(Reply) -> ReadReply<T>,
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
