//! Reads from replicas.

use async_trait::async_trait;

use super::commands::{BATCH, Commands};
use super::read_from::ReadFrom;
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
