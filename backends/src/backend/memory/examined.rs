//! A memory backend before a doctor.

use async_trait::async_trait;
use futures_util::StreamExt;

use super::{Eviction, MemoryBackend};
use crate::backend::Backend;
use crate::backend::examined::{Asked, Examined, Look, Pace, Rights, ServerReport, Visitor};
use crate::backend::store::Store;
use crate::error::BackendResult;

#[async_trait]
impl Examined for MemoryBackend {
    async fn servers(&self, _: &Asked<'_>, _: &mut Pace) -> BackendResult<Vec<ServerReport>> {
        let stats = self.stats();
        let bounds = self.shards.room.0.as_deref();
        let policy = bounds.map(|bounds| match bounds.eviction {
            Eviction::Off => "noeviction",
            Eviction::S3Fifo => "s3-fifo",
        });
        let maxmemory = match bounds {
            Some(bounds) => bounds.max_bytes().map(|bytes| bytes as u64),
            None => Some(0),
        };
        Ok(vec![ServerReport {
            address: "memory".to_string(),
            product: "memory".to_string(),
            version: None,
            mode: None,
            key_count: Some(stats.entries as u64),
            used_memory: Some(stats.bytes as u64),
            maxmemory,
            maxmemory_policy: policy.map(str::to_string),
            evicted_keys: Some(stats.evicted),
            rights: Rights::All,
        }])
    }

    /// The keys come shard by shard, in the order of their hashes.
    async fn walk(
        &self,
        most: u64,
        _: &mut Pace,
        visitor: &mut dyn Visitor,
    ) -> BackendResult<bool> {
        visitor.begin();
        let mut names = self.scan("");
        for _ in 0..most {
            let Some(key) = names.next().await else {
                return Ok(true);
            };
            let key = key?;
            visitor.visit(Some(&key));
        }
        Ok(names.next().await.is_none())
    }

    async fn look(&self, key: &str, most: usize, pace: &mut Pace) -> BackendResult<Look> {
        pace.turn().await;
        Ok(match self.read(key).await? {
            None => Look::Gone,
            Some((stored, expiry)) if stored.as_bytes().len() > most => Look::TooLarge(expiry),
            Some((stored, expiry)) => Look::Value(stored, expiry),
        })
    }
}
