//! Reads from replicas.

use async_trait::async_trait;
use futures_util::{StreamExt, stream};

use super::client::{Access, Command, Reply};
use super::commands::{BATCH, Commands};
use super::read_from::ReadFrom;
use super::reply::{self, Answer, Unread};
use super::scripts;
use crate::backend::answers::KeyStream;
use crate::backend::life::Expiry;
use crate::backend::store::ReplicaReads;
use crate::backend::stored::Stored;
use crate::error::BackendResult;

#[async_trait]
impl ReplicaReads for Commands {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        self.read_with_expiry(key, ReadFrom::Replica).await
    }

    async fn read_value(&self, key: &str) -> BackendResult<Option<Stored>> {
        self.get(key, ReadFrom::Replica).await
    }

    async fn read_values(&self, keys: &[&str]) -> BackendResult<Vec<Option<Stored>>> {
        self.limits.check_keys(keys)?;
        let mut all = Vec::with_capacity(keys.len());
        for batch in keys.chunks(BATCH) {
            all.extend(self.get_batch(batch, ReadFrom::Replica).await?);
        }
        Ok(all)
    }

    async fn read_life(&self, key: &str) -> BackendResult<Option<Expiry>> {
        self.read_expiry(key, ReadFrom::Replica).await
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.checked_scan(prefix, ReadFrom::Replica)
    }
}

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
        read: impl FnOnce(Reply) -> Answer<T>,
    ) -> BackendResult<T> {
        let reply = self.client.command(command, Access::Read(from)).await?;
        read(reply).map_err(Unread::of_read)
    }
}
