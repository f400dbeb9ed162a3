//! Counts reads, each thread for itself.

use std::sync::atomic::{AtomicU64, Ordering};

use thread_local::ThreadLocal;

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
