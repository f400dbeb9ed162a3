//! Time limits in real time, off tokio's clock.
//!
//! A limit on tokio's clock would pass at once in a test with paused time, where the clock jumps to the next timer
//! whenever everything waits for the server; and a timer a call costs more than a call at full load. So one thread of
//! the process wakes calls whose limit has passed, to a tick of 5 ms.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// Limits are rounded up to whole ticks.
const TICK: Duration = Duration::from_millis(TICK_MILLIS);
const TICK_MILLIS: u64 = 5;

/// Runs `call` for at most `limit`; `None` when the limit passed, and `call` is dropped then.
pub(super) async fn within<T>(limit: Duration, call: impl Future<Output = T>) -> Option<T> {
    let call = pin!(call);
    let passed = pin!(DEADLINES.after(limit));
    match select(call, passed).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

struct Deadlines {
    start: Instant,
    /// Who waits for which tick. Held for a look-up or a removal.
    ticks: Mutex<BTreeMap<u64, Arc<Notify>>>,
    /// Tells the thread that an earlier tick is waited for than it knows of.
    earlier: Condvar,
}

static DEADLINES: LazyLock<&Deadlines> = LazyLock::new(|| {
    let deadlines: &Deadlines = Box::leak(Box::new(Deadlines {
        start: Instant::now(),
        ticks: Mutex::default(),
        earlier: Condvar::new(),
    }));
    thread::Builder::new()
        .name("backend-deadlines".to_string())
        .spawn(|| deadlines.run())
        .expect("the process can start a thread");
    deadlines
});

impl Deadlines {
    fn after(&self, limit: Duration) -> OwnedNotified {
        let tick = first_tick_after(self.start.elapsed().saturating_add(limit));
        let mut ticks = self.ticks.lock();
        let is_first = ticks
            .first_key_value()
            .is_none_or(|(first, _)| tick < *first);
        // Made under the lock: a notification wakes every future that was made before it.
        let passed = ticks.entry(tick).or_default().clone().notified_owned();
        if is_first {
            self.earlier.notify_one();
        }
        passed
    }

    fn run(&self) -> ! {
        let mut ticks = self.ticks.lock();
        loop {
            let Some(first) = ticks.first_entry() else {
                self.earlier.wait(&mut ticks);
                continue;
            };
            let due = self.start.checked_add(since_start(*first.key()));
            let left = due.map_or(Duration::MAX, |due| {
                due.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                let waiting = first.remove();
                // Wakers are foreign code.
                parking_lot::MutexGuard::unlocked(&mut ticks, || waiting.notify_waiters());
            } else {
                self.earlier.wait_for(&mut ticks, left.min(TICK * 1000));
            }
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
}
