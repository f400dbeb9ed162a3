//! The lives and sizes of some entries of each keyspace.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use super::{SAMPLE_BYTES, SAMPLE_TIME};
use crate::backend::{Backend, Expiry, Stored};
use crate::error::BackendResult;

/// Some entries of a keyspace.
#[derive(Debug, Default)]
pub(in crate::inspector) struct Sample {
    /// The number of entries that were read.
    pub(in crate::inspector) entries: usize,
    /// The number of entries without an end.
    pub(in crate::inspector) endless: usize,
    pub(in crate::inspector) lives: Option<Lives>,
    pub(in crate::inspector) sizes: Option<Sizes>,
}

/// The shortest and the longest rest of a life.
#[derive(Debug, Clone, Copy)]
pub(in crate::inspector) struct Lives {
    pub(in crate::inspector) shortest: Duration,
    pub(in crate::inspector) longest: Duration,
}

/// The sizes of values, in bytes.
#[derive(Debug, Clone, Copy)]
pub(in crate::inspector) struct Sizes {
    pub(in crate::inspector) smallest: usize,
    pub(in crate::inspector) largest: usize,
    pub(in crate::inspector) sum: usize,
}

/// Reads the entries of each keyspace in turn, until the time or the number of bytes is used up.
pub(super) async fn sample(backend: &dyn Backend, keys: &[Vec<String>]) -> Vec<Sample> {
    let mut samples: Vec<Sample> = keys.iter().map(|_| Sample::default()).collect();
    let mut calls = Vec::new();
    // The first entry of each keyspace, then the second one: so that each of them is seen.
    let longest = keys.iter().map(Vec::len).max().unwrap_or_default();
    for round in 0..longest {
        for (position, keys) in keys.iter().enumerate() {
            if let Some(key) = keys.get(round) {
                calls.push(read(backend, position, key));
            }
        }
    }
    let mut reads = stream::iter(calls).buffer_unordered(AT_ONCE);
    let end = Instant::now() + SAMPLE_TIME;
    let mut bytes = 0;
    while let Ok(Some((position, read))) = timeout_at(end, reads.next()).await {
        let (Ok(Some((stored, expiry))), Some(sample)) = (read, samples.get_mut(position)) else {
            continue;
        };
        let size = stored.as_bytes().len();
        sample.add(size, expiry);
        bytes += size;
        if bytes > SAMPLE_BYTES {
            break;
        }
    }
    samples
}

type Read = BackendResult<Option<(Stored, Expiry)>>;

fn read<'a>(
    backend: &'a dyn Backend,
    position: usize,
    key: &'a str,
) -> BoxFuture<'a, (usize, Read)> {
    Box::pin(async move { (position, backend.read(key).await) })
}

impl Sample {
    fn add(&mut self, size: usize, expiry: Expiry) {
        self.entries += 1;
        match expiry {
            Expiry::Never => self.endless += 1,
            Expiry::In(left) => {
                let lives = self.lives.get_or_insert(Lives {
                    shortest: left,
                    longest: left,
                });
                lives.shortest = lives.shortest.min(left);
                lives.longest = lives.longest.max(left);
            }
        }
        let sizes = self.sizes.get_or_insert(Sizes {
            smallest: size,
            largest: size,
            sum: 0,
        });
        sizes.smallest = sizes.smallest.min(size);
        sizes.largest = sizes.largest.max(size);
        sizes.sum += size;
    }
}

/// The number of entries that are read at once: each of them may be as large as a value can be.
const AT_ONCE: usize = 4;
