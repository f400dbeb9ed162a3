//! From keys to commands and scripts.

use std::sync::LazyLock;
use std::time::Duration;

use super::client::{
    Argument, Client, Command, Invocation, KeyedInvocation, Repeat, Reply, Script,
};
use super::{reply, scripts};
use crate::backend::answers::Counted;
use crate::backend::life::Life;
use crate::backend::store::{Limits, NewEntry, Touch};
use crate::backend::stored::Stored;
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
}

impl Commands {
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
        command.joined(self.prefix.as_bytes(), key.as_bytes())
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

    /// Sends a command whose only argument is a key.
    pub(super) async fn single(
        &self,
        name: &str,
        key: &str,
        repeat: Repeat,
    ) -> BackendResult<Reply> {
        let command = self.command(name, key)?;
        self.client.command(command, repeat).await
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
        reply::counted(self.client.keyed(count).await?)
    }

    /// Removes the key while it holds `expected`, and says whether it did.
    pub(super) async fn compare_and_delete(
        &self,
        key: &str,
        expected: &[u8],
    ) -> BackendResult<bool> {
        let invocation = self
            .script(&scripts::COMPARE_AND_DELETE, key)?
            .arg(expected);
        let reply = self.client.script(invocation, Repeat::Never).await?;
        Ok(reply::integer(reply)? == 1)
    }

    pub(super) async fn remove(&self, key: &str) -> BackendResult<bool> {
        let reply = self.single("UNLINK", key, Repeat::Never).await?;
        Ok(reply::integer(reply)? == 1)
    }

    /// Removes what the commands name, one after the other.
    pub(super) async fn remove_many(
        &self,
        unlinks: impl Iterator<Item = Command>,
    ) -> BackendResult<u64> {
        let mut removed = 0;
        for unlink in unlinks {
            let reply = self.client.command(unlink, Repeat::Never).await;
            let count = reply.and_then(reply::integer);
            removed += count
                .map_err(|error| error.after(removed > 0))?
                .unsigned_abs();
        }
        Ok(removed)
    }

    /// Makes the command that reads the key and gives it another life; `ttl` is checked.
    pub(super) fn restarting_get(&self, key: &str, ttl: Duration) -> BackendResult<Command> {
        Ok(self.command("GETEX", key)?.arg("PX").number(millis(ttl)))
    }

    /// Reads at most [`BATCH`] keys in one round trip; the keys and the renewal are checked.
    pub(super) async fn read_batch(
        &self,
        keys: &[&str],
        touch: Touch,
    ) -> BackendResult<Vec<Option<Stored>>> {
        let reply = match touch {
            Touch::Keep => {
                let command = self.command_of_many("MGET", keys);
                self.client.command(command, Repeat::Safely).await
            }
            Touch::Extend(ttl) => {
                let invocation = self.script_of_many(&scripts::RENEW_MANY, keys)?;
                let invocation = invocation.number(millis(ttl));
                self.client.script(invocation, Repeat::Never).await
            }
            Touch::Restart(ttl) => {
                let commands = keys.iter().map(|key| self.restarting_get(key, ttl));
                let commands = commands.collect::<BackendResult<_>>()?;
                let replies = self.client.pipeline(commands).await?;
                let mut values = Vec::with_capacity(keys.len());
                for reply in reply::each(replies, keys.len())? {
                    let value = reply::stored_or_foreign(reply);
                    values.push(value.map_err(|error| error.after(!values.is_empty()))?);
                }
                return Ok(values);
            }
        };
        reply::all_stored(reply?)
    }
}

/// Returns how many of the entries go in one pipeline: at least one, otherwise bounded in number
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
