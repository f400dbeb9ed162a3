//! In a store that is used under several clocks, each call goes by the clock of its runtime.

use std::thread;
use std::time::{Duration, Instant};

use reinhardt_backends::{Backend, Expiry, MemoryBackend};
use tokio::runtime::{Builder, Runtime};

use crate::{now, wait_until};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A runtime whose clock is this much ahead of all others, and stands still.
fn ahead(by: Duration) -> Runtime {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(tokio::time::advance(by));
    runtime
}

/// Returns the value that a thread without a runtime gets.
fn seen(backend: &MemoryBackend) -> Option<u32> {
    let backend = backend.clone();
    let get = move || now(backend.get("key")).unwrap();
    thread::spawn(get).join().unwrap()
}

/// A store with an entry that lives for a minute, set by the clock of no runtime.
fn with_an_entry() -> MemoryBackend {
    let backend = MemoryBackend::new();
    now(backend.set("key", 1u32, Some(MINUTE))).unwrap();
    backend
}

#[test]
fn what_has_ended_by_a_clock_is_absent_for_its_runtime_alone() {
    let backend = with_an_entry();
    let ahead = ahead(HOUR);
    ahead.block_on(async {
        assert_eq!(backend.get::<u32>("key").await.unwrap(), None);
        assert!(!backend.exists("key").await.unwrap());
        assert_eq!(backend.ttl("key").await.unwrap(), None);
        assert_eq!(backend.len(), 0);
        assert!(!backend.delete("key").await.unwrap());
    });
    assert_eq!(seen(&backend), Some(1));
    let other = Builder::new_current_thread().build().unwrap();
    assert_eq!(other.block_on(backend.get("key")).unwrap(), Some(1u32));
}

#[test]
fn what_a_runtime_ahead_writes_over_is_gone_for_all() {
    let backend = with_an_entry();
    ahead(HOUR).block_on(async {
        assert!(backend.set_if_absent("key", 2u32, None).await.unwrap());
    });
    assert_eq!(seen(&backend), Some(2));
}

#[test]
fn what_a_runtime_ahead_finds_ended_as_it_writes_is_gone_for_all() {
    let backend = with_an_entry();
    ahead(HOUR).block_on(async {
        // Each write looks at a few entries of its shard.
        for other in 0.. {
            backend
                .set(&format!("other:{other}"), other, None)
                .await
                .unwrap();
            if backend.stats().expired > 0 {
                return;
            }
            assert!(other < 1_000_000, "it is never looked at");
        }
    });
    assert_eq!(seen(&backend), None);
}

#[test]
fn what_a_runtime_ahead_sweeps_is_gone_for_all() {
    let backend = with_an_entry();
    let ahead = ahead(HOUR);
    ahead.block_on(async {
        // Starts the sweep on this runtime.
        backend.set("far", 1, Some(100 * HOUR)).await.unwrap();
        let deadline = Instant::now() + MINUTE;
        while backend.stats().expired == 0 {
            assert!(Instant::now() < deadline, "it isn't swept");
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(seen(&backend), None);
}

#[test]
fn a_runtime_behind_sees_what_has_ended_elsewhere_and_was_not_removed() {
    let backend = MemoryBackend::new();
    let behind = ahead(Duration::ZERO);
    let second = Duration::from_secs(1);
    behind.block_on(async {
        backend.set("key", 1u32, Some(second)).await.unwrap();
    });
    wait_until(|| seen(&backend).is_none());
    behind.block_on(async {
        assert_eq!(backend.get("key").await.unwrap(), Some(1u32));
        let left = backend.ttl("key").await.unwrap();
        assert!(
            matches!(left, Some(Expiry::In(left)) if left == second),
            "{left:?}"
        );
    });
    // Until a caller removes it that goes by another clock.
    now(backend.set("key", 2u32, None)).unwrap();
    now(backend.delete("key")).unwrap();
    assert_eq!(behind.block_on(backend.get::<u32>("key")).unwrap(), None);
}

#[test]
fn an_end_is_set_by_the_clock_of_the_runtime_that_writes() {
    let backend = MemoryBackend::new();
    ahead(HOUR).block_on(async {
        backend.set("key", 1u32, Some(MINUTE)).await.unwrap();
    });
    let left = now(backend.ttl("key")).unwrap();
    assert!(
        matches!(left, Some(Expiry::In(left)) if left > HOUR / 2),
        "{left:?}"
    );
}
