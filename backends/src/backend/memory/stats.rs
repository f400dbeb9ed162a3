//! The counts that a memory backend keeps of itself.

use std::sync::atomic::{AtomicU64, Ordering};

use thread_local::ThreadLocal;

/// The present size of a [`MemoryBackend`](super::MemoryBackend), and its counts since it was made.
///
/// The numbers are gathered shard by shard: they are exact while nothing else happens, and close to
/// each other otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MemoryStats {
    /// The number of entries that take up memory, including those that have ended and not been
    /// swept yet.
    pub entries: usize,
    /// The number of bytes that the entries count for: keys, values, decoded values, and 72 bytes
    /// an entry besides.
    pub bytes: usize,
    /// The number of reads of a value that found one (`get`, `get_many`, `get_with_ttl`, `take` and
    /// the calls that are built on them). Look-ups are counted, not calls: `get_or_set_with` looks
    /// twice before it computes, and a keyspace with older versions looks for each version.
    pub hits: u64,
    /// The number of reads of a value that found none.
    pub misses: u64,
    /// The number of entries that have left because they ended.
    pub expired: u64,
    /// The number of entries that have left because the store was full.
    pub evicted: u64,
}

impl MemoryStats {
    /// Returns the share of reads that found a value, from 0 to 1; zero before the first read.
    pub fn hit_ratio(&self) -> f64 {
        let reads = self.hits + self.misses;
        if reads == 0 {
            return 0.0;
        }
        self.hits as f64 / reads as f64
    }
}

/// The number of reads that found a value, and of reads that found none.
///
/// One count for all threads would cost a read as much as the lock does, and more when threads
/// meet.
#[derive(Debug, Default)]
pub(super) struct HitCounters(ThreadLocal<Own>);

/// The counts of one thread, in cache lines of their own. A thread that begins goes on with the
/// counts of a thread that has ended.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Own {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl HitCounters {
    #[inline]
    pub(super) fn count(&self, is_hit: bool) {
        let own = self.0.get().unwrap_or_else(|| self.begin());
        let counter = if is_hit { &own.hits } else { &own.misses };
        // No other thread writes here, so nothing is lost between the load and the store.
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Outlined, because a place for the counts that are moved to the heap here would align the
    /// stack of each read.
    #[cold]
    #[inline(never)]
    fn begin(&self) -> &Own {
        self.0.get_or_default()
    }

    /// Returns the hits and the misses of all threads.
    pub(super) fn sum(&self) -> (u64, u64) {
        self.0.iter().fold((0, 0), |(hits, misses), own| {
            (
                hits + own.hits.load(Ordering::Relaxed),
                misses + own.misses.load(Ordering::Relaxed),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn the_hit_ratio_of_nothing_is_zero() {
        assert_eq!(MemoryStats::default().hit_ratio(), 0.0);
        let stats = MemoryStats {
            hits: 3,
            misses: 1,
            ..MemoryStats::default()
        };
        assert_eq!(stats.hit_ratio(), 0.75);
    }

    #[test]
    fn the_counts_of_all_threads_are_exact_when_they_have_ended() {
        let reads = HitCounters::default();
        for _ in 0..3 {
            thread::scope(|scope| {
                for thread in 0..8 {
                    let reads = &reads;
                    scope.spawn(move || (0..1000).for_each(|_| reads.count(thread % 2 == 0)));
                }
            });
        }
        reads.count(false);
        assert_eq!(reads.sum(), (12_000, 12_001));
    }
}
