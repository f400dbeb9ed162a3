//! Removals: of a key, of many keys, and of many keys of a cluster.

use super::client::Command;
use super::commands::{BATCH, Commands};
use super::reply::{self, Unread};
use super::scripts;
use crate::backend::stored::Stored;
use crate::error::{BackendResult, Failures};

impl Commands {
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
        let (mut removed, mut failures) = (0, Failures::default());
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
                Err(error) => failures.add([], error),
            }
        }
        let all = failures.into_result();
        all.map_err(|error| error.after(removed > 0))?;
        Ok(removed)
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
}
