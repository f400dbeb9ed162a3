//! A memory backend before a doctor.

use async_trait::async_trait;
use futures_util::StreamExt;

use super::{Eviction, MemoryBackend};
use crate::backend::Backend;
use crate::backend::examined::{Asked, Examine, Pace, Rights, ServerReport, Visit, Walked};
use crate::error::BackendResult;

#[async_trait]
impl Examine for MemoryBackend {
    async fn servers(&self, _: &Asked<'_>, _: &mut Pace) -> BackendResult<Vec<ServerReport>> {
        let stats = self.stats();
        let bounds = self.shards.room.0.as_deref();
        let eviction = bounds.map(|bounds| match bounds.eviction {
            Eviction::Off => "noeviction",
            Eviction::S3Fifo => "s3-fifo",
        });
        let limit_bytes = match bounds {
            Some(bounds) => bounds.max_bytes().map(|bytes| bytes as u64),
            None => Some(0),
        };
        Ok(vec![ServerReport {
            address: "memory".to_string(),
            product: "memory".to_string(),
            version: None,
            mode: None,
            keys: Some(stats.entries as u64),
            used_bytes: Some(stats.bytes as u64),
            limit_bytes,
            eviction: eviction.map(str::to_string),
            evicted: Some(stats.evicted),
            rights: Rights::All,
        }])
    }

    /// The keys come shard by shard, in the order of their hashes.
    async fn walk(&self, most: u64, _: &mut Pace, visit: &mut Visit<'_>) -> BackendResult<Walked> {
        let mut names = self.scan("");
        let mut keys = 0;
        while keys < most {
            let Some(key) = names.next().await else {
                return Ok(Walked {
                    keys,
                    is_whole: true,
                });
            };
            visit(Some(&key?));
            keys += 1;
        }
        let is_whole = names.next().await.is_none();
        Ok(Walked { keys, is_whole })
    }
}
