//! The calls that look at every entry: scans, clearing, counts.

use futures_util::{StreamExt, stream};

use super::shards::{Padded, Shards, give_way};
use super::stats::MemoryStats;
use crate::backend::KeyStream;
use crate::error::BackendResult;

impl Shards {
    pub(super) fn scan(&self, prefix: &str) -> KeyStream<'_> {
        if let Err(error) = self.limits.check_prefix(prefix) {
            return stream::iter([Err(error)]).boxed();
        }
        let prefix = prefix.as_bytes().to_vec();
        let batches = stream::iter(&self.shards).then(move |padded| {
            let shard = padded.shard.read();
            let keys = shard.live_keys(self.clock.now());
            let keys = keys.filter(|key| key.starts_with(&prefix));
            let keys: Vec<_> = keys
                .filter_map(|key| Some(Ok(str::from_utf8(key).ok()?.to_string())))
                .collect();
            let held = shard.held();
            async move {
                give_way(held).await;
                keys
            }
        });
        batches.flat_map(stream::iter).boxed()
    }

    pub(super) async fn clear_prefix(&self, prefix: &str) -> BackendResult<u64> {
        self.limits.check_prefix(prefix)?;
        let mut cleared = 0;
        for _ in 0..PASSES {
            let found = self.clear_once(prefix).await;
            cleared += found;
            if found == 0 {
                break;
            }
        }
        Ok(cleared)
    }

    /// Looks through all shards once. An entry that moves from one shard to another meanwhile can
    /// be missed.
    async fn clear_once(&self, prefix: &str) -> u64 {
        let mut cleared = 0;
        for Padded { shard, .. } in &self.shards {
            let held = self.dispose_after(|removed| {
                let mut shard = shard.write();
                let held = shard.held();
                let step = &mut self.step(removed);
                cleared += shard.clear_prefix(prefix, step);
                shard.shrink(&self.hasher);
                held
            });
            give_way(held).await;
        }
        cleared
    }

    pub(super) fn len(&self) -> usize {
        let now = self.clock.now();
        let live = |padded: &Padded| padded.shard.read().live_keys(now).count();
        self.shards.iter().map(live).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        let now = self.clock.now();
        let empty = |padded: &Padded| padded.shard.read().live_keys(now).next().is_none();
        self.shards.iter().all(empty)
    }

    pub(super) fn stats(&self) -> MemoryStats {
        let (hits, misses) = self.reads.sum();
        let mut stats = MemoryStats {
            hits,
            misses,
            ..MemoryStats::default()
        };
        for padded in &self.shards {
            let shard = padded.shard.read();
            stats.entries += shard.held();
            stats.bytes += shard.bytes();
            let (expired, evicted) = shard.gone();
            stats.expired += expired;
            stats.evicted += evicted;
        }
        stats
    }
}

/// The number of times that `clear` looks again for entries that came while it ran.
const PASSES: usize = 16;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::yield_now;

    use super::*;
    use crate::backend::Life;
    use crate::backend::memory::shards::{MANY, SHARDS};

    #[tokio::test]
    async fn what_comes_into_a_shard_that_was_cleared_is_cleared_too() {
        let store = Arc::new(Shards::default());
        store.fill("key", SHARDS * (MANY + 100), Life::Never);
        let cleared = store.clear_prefix("key");
        let come = async {
            // A shard or two have been looked at by then.
            yield_now().await;
            store.fill("key:new", 1_000, Life::Never);
        };
        let (cleared, ()) = futures_util::future::join(cleared, come).await;
        assert_eq!(cleared.unwrap() as usize, SHARDS * (MANY + 100) + 1_000);
        assert_eq!(store.len(), 0);
    }
}
