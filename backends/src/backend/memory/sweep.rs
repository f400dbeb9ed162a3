//! The removal of entries that have ended, and a page on all ways in which entries leave unasked.
//!
//! An entry ends at its deadline, by the clock of the call that looks at it. From then on it is
//! absent, but it stays in the table of its shard until one of three mechanisms takes it out.
//!
//! **On write.** A write that changes an entry or its end looks at the next 8 buckets of its shard
//! (`BUCKETS_A_WRITE`) if an entry of the shard may have ended. That happens in the same hold of
//! the shard's exclusive lock (`Shard::wrote`). So ended entries leave faster than writes bring new
//! ones, on any executor or none. A write also replaces an ended entry under its own key.
//!
//! **By the task.** The first call that gives an entry an end, made on a tokio runtime, spawns one
//! task there (`sweep_later`). The task ends with that runtime or with the last handle of the
//! store; after the runtime's end the next such call spawns it anew. It goes through all shards
//! every second, or more seldom if that takes long (`SWEEP_REST`), in real time. A step holds the
//! exclusive lock of one shard for 2048 buckets at most (`SWEEP_BUCKETS`), or for a moment if
//! nothing there is due. After a step in a shard of many entries the task yields.
//!
//! **When the store is full.** A write without room makes some on the thread of its caller, without
//! awaiting (`make_room`). With [`Eviction::Off`] it sweeps shard by shard, in steps as the task's,
//! until there is room, and never removes a live entry. With [`Eviction::S3Fifo`] it evicts one
//! entry in each hold of a lock, which may be one that has ended.
//!
//! **A read** that renews no life removes nothing: under the shared lock it treats an ended entry
//! as absent. Neither do calls that find no live entry to delete, take or expire.
//!
//! **The listener** is told of each entry once, after the lock is released, on the thread that
//! removed the entry. The cause is [`Cause::Expired`] for an entry past its end, whatever took it
//! away, and [`Cause::Evicted`] for a live one that was evicted.
//!
//! **Memory.** The room of an entry, where there are bounds, is given back under the lock. The
//! entry's block is freed after the listener was told, or with the last [`Stored`] that shares it.
//! A table gives back buckets when a look of the task at all of them has come to its end, and after
//! `clear`. A write never shrinks a table.
//!
//! [`Eviction::Off`]: super::Eviction::Off
//! [`Eviction::S3Fifo`]: super::Eviction::S3Fifo
//! [`Cause::Expired`]: super::Cause::Expired
//! [`Cause::Evicted`]: super::Cause::Evicted
//! [`Stored`]: crate::backend::stored::Stored

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures_timer::Delay;

use super::shards::{Shards, give_way};
use crate::backend::life::Life;

impl Shards {
    /// Makes sure that a sweeper runs when something is about to end, if there is a runtime to run
    /// it.
    #[inline]
    pub(super) fn sweep_later(self: &Arc<Self>, life: Life) {
        if let Life::In(_) = life
            && !self.sweeper.is_running()
        {
            self.sweeper.ensure(|| sweep_for_ever(Arc::downgrade(self)));
        }
    }

    /// Removes entries that have ended until `is_enough` holds, and says whether it did.
    pub(super) fn sweep_until(&self, is_enough: impl Fn() -> bool) -> bool {
        for index in self.in_turn() {
            // Twice: a pass that began earlier may have gone by entries that have ended since. Most
            // often nothing is due, and the check keeps no reader out.
            for _ in 0..2 {
                let mut may_have_more = self.shards[index].shard.read().is_due(self.clock.now());
                while may_have_more {
                    may_have_more = self.sweep_step(index).0;
                    if is_enough() {
                        return true;
                    }
                }
            }
        }
        false
    }

    /// Removes entries that have ended from a part of a shard. Says whether there may be more, and
    /// how many entries the shard held.
    fn sweep_step(&self, index: usize) -> (bool, usize) {
        self.dispose_after(|removed| {
            let mut shard = self.shards[index].shard.write();
            let held = shard.held();
            let step = &mut self.step(removed);
            let more = shard.sweep(SWEEP_BUCKETS, step);
            if !more {
                shard.shrink(&self.hasher);
            }
            (more, held)
        })
    }
}

/// Sweeps all shards again and again.
///
/// Paced by real time, because a timer on a paused clock would make that clock jump. The end of an
/// entry goes by the clock of the runtime that this task runs on. An entry that has ended is
/// removed for everybody, also for callers by whose clock it hasn't ended: from outside, a paused
/// clock can't be seen.
async fn sweep_for_ever(store: Weak<Shards>) {
    let mut worked = Duration::ZERO;
    loop {
        Delay::new(SWEEP_PAUSE.max(worked * SWEEP_REST)).await;
        worked = Duration::ZERO;
        let mut index = 0;
        loop {
            // Held only for one step, so that the last handle frees the store.
            let Some(store) = store.upgrade() else { return };
            if index == store.shards.len() {
                break;
            }
            let begun = Instant::now();
            let (more, held) = store.sweep_step(index);
            worked += begun.elapsed();
            index += usize::from(!more);
            drop(store);
            give_way(held).await;
        }
    }
}

/// The pause of the sweeper between two looks at all shards, in real time.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);
/// The sweeper pauses for this many times as long as it worked, so that it takes less than a
/// percent of a core.
const SWEEP_REST: u32 = 200;
/// The number of buckets that the sweeper looks at before it lets others have the lock.
const SWEEP_BUCKETS: usize = 2048;

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio::task::yield_now;

    use super::*;
    use crate::backend::memory::calls::wait_until;

    const MOMENT: Life = Life::In(Duration::from_millis(1));

    #[test]
    fn writes_sweep_where_there_is_no_runtime() {
        let store = Arc::new(Shards::default());
        store.fill("first", 50_000, MOMENT);
        wait_until(|| store.is_empty());
        store.fill("second", 50_000, Life::Never);
        assert!(store.stats().entries < 80_000, "{}", store.stats().entries);
        assert_eq!(store.len(), 50_000);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_ended_leaves_without_being_read() {
        let store = Arc::new(Shards::default());
        store.fill("hour", 100_000, Life::In(Duration::from_secs(3600)));
        store.fill("ever", 10, Life::Never);
        tokio::time::advance(Duration::from_secs(3600)).await;
        let deadline = Instant::now() + Duration::from_secs(30);
        while store.stats().entries > 10 {
            assert!(Instant::now() < deadline, "{}", store.stats().entries);
            yield_now().await;
        }
        let capacity: usize = store.shards.iter().map(|p| p.shard.read().capacity()).sum();
        assert!(capacity < 10_000, "{capacity}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_clock_stands_still_while_the_sweeper_waits() {
        let before = tokio::time::Instant::now();
        let store = Arc::new(Shards::default());
        store.fill("key", 1, Life::In(Duration::from_secs(1)));
        let (done, waits) = tokio::sync::oneshot::channel();
        thread::spawn(move || {
            thread::sleep(2 * SWEEP_PAUSE);
            done.send(())
        });
        waits.await.unwrap();
        assert_eq!(tokio::time::Instant::now(), before);
        assert_eq!(store.len(), 1);
    }

    #[test]
    fn the_sweeper_moves_to_the_runtime_in_use() {
        let store = Arc::new(Shards::default());
        for round in 0..2 {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            runtime.block_on(async {
                store.fill("key", 100, MOMENT);
                let deadline = Instant::now() + Duration::from_secs(30);
                while store.stats().entries > 0 {
                    assert!(Instant::now() < deadline, "round {round}");
                    yield_now().await;
                }
            });
        }
    }

    #[test]
    fn the_store_is_freed_with_its_last_handle() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let _context = runtime.enter();
        let store = Arc::new(Shards::default());
        store.fill("key", 1, Life::In(Duration::from_secs(3600)));
        let weak = Arc::downgrade(&store);
        drop(store);
        assert_eq!(weak.strong_count(), 0);
    }
}
