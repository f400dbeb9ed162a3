//! Time limits in real time, off tokio's clock.
//!
//! A limit on tokio's clock would pass at once in a test with paused time, where the clock jumps to
//! the next timer whenever everything waits for the server; and a timer a call costs more than a
//! call at full load. So one thread of the process wakes calls whose limit has passed, to a tick of
//! 5 ms.
//!
//! A child after `fork` has no such thread. It gets one of its own, over a state of its own: the
//! parent's may have been locked by a thread that the child doesn't have. The locks here are std's:
//! parking_lot keeps the threads that wait in one table of the process, and in a child the thread
//! of its parent would stand there for ever.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{process, thread};

use futures_util::future::{Either, select};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use crate::error::{BackendError, BackendResult, ErrorKind};

/// Limits are rounded up to whole ticks.
const TICK: Duration = Duration::from_millis(TICK_MILLIS);
const TICK_MILLIS: u64 = 5;
/// So few ticks aren't worth tidying.
const FEW: usize = 1024;

/// The time limits of the calls of this process.
pub(crate) struct Deadlines {
    start: Instant,
    /// Held for a look-up or a removal.
    ticks: Mutex<Ticks>,
    /// Tells the thread that an earlier tick is waited for than it knows of.
    earlier: Condvar,
}

/// The calls that wait, by the tick at which their limit passes.
struct Ticks {
    waiting: BTreeMap<u64, Arc<Notify>>,
    /// The number of ticks above which those that no call waits for any more are thrown away.
    tidy_at: usize,
}

/// Returns the time limits of this process, and starts their thread if there is none.
///
/// # Errors
///
/// `Unavailable` if no thread can be started.
pub(crate) fn deadlines() -> BackendResult<&'static Deadlines> {
    static CURRENT: Mutex<Option<(u32, &'static Deadlines)>> = Mutex::new(None);
    let process = process::id();
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((of, deadlines)) = *current
        && of == process
    {
        return Ok(deadlines);
    }
    let deadlines = Deadlines::start()?;
    *current = Some((process, deadlines));
    Ok(deadlines)
}

impl Deadlines {
    fn start() -> BackendResult<&'static Self> {
        let deadlines = Arc::new(Self {
            start: Instant::now(),
            ticks: Mutex::new(Ticks {
                waiting: BTreeMap::new(),
                tidy_at: FEW,
            }),
            earlier: Condvar::new(),
        });
        let of_thread = deadlines.clone();
        let thread = thread::Builder::new().name("backend-deadlines".to_string());
        let started = thread.spawn(move || of_thread.run());
        started.map_err(|error| {
            BackendError::new(
                ErrorKind::Unavailable,
                "no thread can be started for the time limits of calls",
            )
            .with_source(error)
        })?;
        Ok(Box::leak(Box::new(deadlines)))
    }

    /// Polls `call` for at most `limit`; `None` when the limit passed.
    ///
    /// The call is pinned by the caller: an argument of an `async fn` is stored twice, and the
    /// future of each call would be twice as large.
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = T> + Unpin,
    ) -> Option<T> {
        let passed = pin!(self.after(limit));
        match select(call, passed).await {
            Either::Left((output, _)) => Some(output),
            Either::Right(_) => None,
        }
    }

    /// Sleeps for about this time, rounded up to a tick.
    pub(crate) async fn sleep(&self, time: Duration) {
        self.after(time).await;
    }

    /// Returns a future that ends at this time, rounded up to a tick.
    pub(crate) fn at(&self, time: Instant) -> OwnedNotified {
        self.at_tick(first_tick_after(time.saturating_duration_since(self.start)))
    }

    fn after(&self, limit: Duration) -> OwnedNotified {
        self.at_tick(first_tick_after(self.start.elapsed().saturating_add(limit)))
    }

    fn at_tick(&self, tick: u64) -> OwnedNotified {
        let mut ticks = self.lock();
        let first = ticks.waiting.first_key_value();
        let is_first = first.is_none_or(|(first, _)| tick < *first);
        // Made under the lock: a notification wakes every future that was made before it.
        let passed = ticks.waiting.entry(tick).or_default().clone();
        let passed = passed.notified_owned();
        ticks.tidy();
        if is_first {
            self.earlier.notify_one();
        }
        passed
    }

    fn run(&self) -> ! {
        let mut ticks = self.lock();
        loop {
            let Some(first) = ticks.waiting.first_entry() else {
                let woken = self.earlier.wait(ticks);
                ticks = woken.unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let due = self.start.checked_add(since_start(*first.key()));
            let left = due.map_or(Duration::MAX, |due| {
                due.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                let waiting = first.remove();
                // Wakers are foreign code.
                drop(ticks);
                waiting.notify_waiters();
                ticks = self.lock();
            } else {
                let woken = self.earlier.wait_timeout(ticks, left.min(TICK * 1000));
                (ticks, _) = woken.unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Nothing panics while it is locked.
    fn lock(&self) -> MutexGuard<'_, Ticks> {
        self.ticks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticks {
    /// Throws the ticks away that no call waits for any more: with a limit of a day they would pile
    /// up for a day.
    fn tidy(&mut self) {
        if self.waiting.len() > self.tidy_at {
            self.waiting
                .retain(|_, waiting| Arc::strong_count(waiting) > 1);
            self.tidy_at = FEW.max(self.waiting.len() * 2);
        }
    }
}

fn first_tick_after(since_start: Duration) -> u64 {
    let tick = since_start.as_nanos().div_ceil(TICK.as_nanos());
    u64::try_from(tick).unwrap_or(u64::MAX)
}

fn since_start(tick: u64) -> Duration {
    Duration::from_millis(tick.saturating_mul(TICK_MILLIS))
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    async fn within<T>(limit: Duration, call: impl Future<Output = T>) -> Option<T> {
        deadlines().unwrap().within(limit, pin!(call)).await
    }

    #[tokio::test]
    async fn a_call_ends_at_its_limit_and_not_before() {
        for millis in [1, 20, 60] {
            let limit = Duration::from_millis(millis);
            let before = Instant::now();
            assert_eq!(within(limit, pending::<()>()).await, None);
            assert!(before.elapsed() >= limit);
        }
    }

    #[tokio::test]
    async fn a_shorter_limit_does_not_wait_for_a_longer_one() {
        let long = tokio::spawn(within(Duration::from_secs(600), pending::<()>()));
        tokio::task::yield_now().await;
        assert_eq!(
            within(Duration::from_millis(10), pending::<()>()).await,
            None
        );
        assert!(!long.is_finished());
        long.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_clock_neither_moves_nor_ends_a_call() {
        let before = tokio::time::Instant::now();
        let (send, receive) = tokio::sync::oneshot::channel();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            send.send(())
        });
        let answer = within(Duration::from_secs(30), receive).await;
        assert!(answer.is_some_and(|answer| answer.is_ok()));
        assert_eq!(tokio::time::Instant::now(), before);
    }

    #[test]
    fn a_process_may_run_for_years() {
        for days in [1, 249, 10_000, 1_000_000] {
            let uptime = Duration::from_secs(days * 24 * 3600) + Duration::from_millis(1);
            let due = since_start(first_tick_after(uptime));
            assert!(due >= uptime && due < uptime + TICK, "{days} days");
        }
    }

    #[tokio::test]
    async fn thousands_of_calls_end_together() {
        let calls = (0..5_000).map(|_| within(Duration::from_millis(20), pending::<()>()));
        let ended = futures_util::future::join_all(calls).await;
        assert!(ended.iter().all(Option::is_none));
    }

    #[test]
    fn a_call_that_was_answered_leaves_nothing_behind() {
        let deadlines = Deadlines::start().unwrap();
        let day = Duration::from_secs(24 * 3600);
        let stays = deadlines.after(day);
        for call in 0..10 * FEW as u32 {
            drop(deadlines.after(day + TICK * call));
        }
        let ticks = deadlines.lock();
        assert!(ticks.waiting.len() <= FEW + 1, "{}", ticks.waiting.len());
        assert!(
            ticks
                .waiting
                .values()
                .any(|tick| Arc::strong_count(tick) > 1)
        );
        drop(stays);
    }
}
