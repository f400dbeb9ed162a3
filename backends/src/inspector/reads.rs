//! The layer that counts hits and misses by keyspace.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::catalog::catalog;
use super::unseen::is_unseen;
use crate::backend::KeyStream;
use crate::error::BackendResult;
use crate::keyspace::label;
use crate::layer::{Answer, Intercept, Next, Op, Operation, Outcome};

/// A layer that counts the reads that found something and those that found nothing, for each
/// registered keyspace, so that the inspector shows hit ratios.
///
/// The layer counts reads of values, of one key or of several. A read of several keys counts for
/// the keyspace of the first of them. A keyspace that migrates from another one has a miss more for
/// each version that is looked at in vain: all versions of a prefix count together. The inspector's
/// own reads aren't counted.
///
/// The counts are those of this process, from its start. A clone shares them. Counting takes two
/// relaxed additions at most and no lock, and the fast path of memory stays.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::inspector::{Inspector, Reads};
/// use reinhardt_backends::{Backend, MemoryBackend};
///
/// let reads = Reads::new();
/// let backend = MemoryBackend::new().layer(reads.clone());
/// let inspector = Inspector::new(backend.clone(), |_| false).reads(&reads);
/// # let _ = inspector.router::<()>();
/// ```
#[derive(Debug, Clone)]
#[must_use = "a layer does nothing unless a backend is wrapped in it"]
pub struct Reads {
    by_keyspace: Arc<HashMap<&'static str, Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Default for Reads {
    fn default() -> Self {
        Self::new()
    }
}

impl Reads {
    /// Makes a layer that has counted nothing.
    pub fn new() -> Self {
        let prefixes = catalog().iter().map(|listed| listed.info.prefix);
        Self {
            by_keyspace: Arc::new(prefixes.map(|prefix| (prefix, Counts::default())).collect()),
        }
    }

    /// Returns the hits and the misses under a prefix.
    pub(super) fn of(&self, prefix: &str) -> (u64, u64) {
        let Some(counts) = self.by_keyspace.get(prefix) else {
            return (0, 0);
        };
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&counts.hits), of(&counts.misses))
    }

    fn count<T: Answer>(&self, operation: Operation<'_>, answer: &BackendResult<T>) {
        if !matches!(operation.op(), Op::Read | Op::ReadMany) {
            return;
        }
        let Ok(answer) = answer else {
            return;
        };
        let (hits, misses) = match answer.outcome() {
            Outcome::Hit => (1, 0),
            Outcome::Miss => (0, 1),
            Outcome::Found { hits, misses } => (hits as u64, misses as u64),
            _ => return,
        };
        let Some(counts) = self.by_keyspace.get(label(operation.key())) else {
            return;
        };
        if is_unseen() {
            return;
        }
        for (count, more) in [(&counts.hits, hits), (&counts.misses, misses)] {
            if more > 0 {
                count.fetch_add(more, Ordering::Relaxed);
            }
        }
    }
}

impl Intercept for Reads {
    const FAST_PATH: bool = true;

    async fn call<T: Answer>(
        &self,
        operation: Operation<'_>,
        next: Next<'_, T>,
    ) -> BackendResult<T> {
        let answer = next.run().await;
        self.count(operation, &answer);
        answer
    }

    fn call_now<T: Answer>(
        &self,
        operation: Operation<'_>,
        next: impl FnOnce() -> BackendResult<T>,
    ) -> BackendResult<T> {
        let answer = next();
        self.count(operation, &answer);
        answer
    }

    fn keys<'a>(&'a self, _: Operation<'_>, next: KeyStream<'a>) -> KeyStream<'a> {
        next
    }
}
