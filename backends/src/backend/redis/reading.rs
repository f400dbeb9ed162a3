//! Reads: of a key, of many keys, and of many keys of a cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::client::{Access, Command, Reply, slot};
use super::commands::{BATCH, Commands, millis};
use super::read_from::ReadFrom;
use super::reply::{self, ReadReply, Unread};
use super::scripts;
use crate::backend::answers::KeyStream;
use crate::backend::life::Expiry;
use crate::backend::store::Touch;
use crate::backend::stored::Stored;
use crate::error::{BackendResult, ErrorKind, Failures};

/// The most calls that stand in for one call on many keys at a time.
const SIDE_BY_SIDE: usize = 32;

/// The reads that a replica may answer.
impl Commands {
    pub(super) async fn read_with_expiry(
        &self,
        key: &str,
        from: ReadFrom,
    ) -> BackendResult<Option<(Stored, Expiry)>> {
        let invocation = self.script(&scripts::READ, key)?;
        let reply = self.client.script(invocation, Access::Read(from)).await?;
        reply::stored_and_expiry(reply).map_err(Unread::of_read)
    }

    pub(super) async fn get(&self, key: &str, from: ReadFrom) -> BackendResult<Option<Stored>> {
        let reply = self.client.get(self.key(key)?, from).await?;
        reply::stored(reply).map_err(Unread::of_read)
    }

    /// Reads at most [`BATCH`] keys in one round trip; the keys are checked.
    pub(super) async fn get_batch(
        &self,
        keys: &[&str],
        from: ReadFrom,
    ) -> BackendResult<Vec<Option<Stored>>> {
        if self.client.is_cluster().await? {
            return self.get_apart(keys, from).await;
        }
        let command = self.command_of_many("MGET", keys);
        self.ask(command, from, reply::all_stored).await
    }

    pub(super) async fn read_expiry(
        &self,
        key: &str,
        from: ReadFrom,
    ) -> BackendResult<Option<Expiry>> {
        let left = self.ask(self.command("PTTL", key)?, from, reply::integer);
        Ok(reply::expiry(left.await?))
    }

    pub(super) fn checked_scan<'a>(&'a self, prefix: &str, from: ReadFrom) -> KeyStream<'a> {
        match self.limits.check_prefix(prefix) {
            Ok(()) => self.scan(prefix, from).boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    /// Sends a command that changes nothing.
    pub(super) async fn ask<T>(
        &self,
        command: Command,
        from: ReadFrom,
        read: impl FnOnce(Reply) -> ReadReply<T>,
    ) -> BackendResult<T> {
        let reply = self.client.command(command, Access::Read(from)).await?;
        read(reply).map_err(Unread::of_read)
    }

    /// Reads keys of a cluster: one command for each slot, and all commands for a node in one go.
    async fn get_apart(&self, keys: &[&str], from: ReadFrom) -> BackendResult<Vec<Option<Stored>>> {
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
}

/// The reads that may change the life of what they read.
impl Commands {
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
    let (mut all, mut failures) = (Vec::new(), Failures::default());
    for value in values {
        match value {
            Ok(value) => all.push(value),
            Err(error) => failures.add([], error),
        }
    }
    let has_read = !all.is_empty();
    failures
        .into_result()
        .map_err(|error| error.after(has_read))?;
    Ok(all)
}
