//! A cache that evicts keeps the entries that are used.

use std::time::Duration;

use futures::executor::block_on;
use reinhardt_backends::store::{Store, Touch};
use reinhardt_backends::{Backend, Eviction, MemoryBackend};

use crate::now;

fn cache(entries: usize) -> MemoryBackend {
    MemoryBackend::builder()
        .max_entries(entries)
        .eviction(Eviction::S3Fifo)
        .build()
}

/// Reads a key, and stores something under it if nothing is there; says whether something was.
fn request(backend: &MemoryBackend, key: &str) -> bool {
    if now(backend.get::<u8>(key)).unwrap().is_some() {
        return true;
    }
    now(backend.set(key, 1u8, None)).unwrap();
    false
}

#[test]
fn a_cache_is_full_and_not_more() {
    for most in [1, 10, 1_000, 30_000] {
        let backend = cache(most);
        for index in 0..most * 2 {
            request(&backend, &index.to_string());
            assert!(backend.stats().entries <= most);
        }
        let stats = backend.stats();
        assert_eq!((stats.entries, stats.evicted), (most, most as u64));
    }
}

#[test]
fn a_scan_does_not_flush_what_is_used() {
    let backend = cache(20_000);
    let used = |index: usize| format!("used:{index}");
    for _ in 0..3 {
        for index in 0..10_000 {
            request(&backend, &used(index));
        }
    }
    for index in 0..200_000 {
        request(&backend, &format!("scan:{index}"));
    }
    let kept = (0..10_000)
        .filter(|&index| request(&backend, &used(index)))
        .count();
    assert!(kept > 9_900, "{kept} of 10,000");
}

#[test]
fn counters_and_renewals_are_uses() {
    let backend = cache(100);
    for _ in 0..3 {
        now(backend.increment("hits", None)).unwrap();
        now(backend.set("written", 1u8, None)).unwrap();
        let ttl = Duration::from_secs(60);
        now(backend.read_value("written", Touch::Extend(ttl))).unwrap();
    }
    for index in 0..10_000 {
        request(&backend, &format!("scan:{index}"));
    }
    assert_eq!(now(backend.increment("hits", None)).unwrap(), 4);
    assert!(now(backend.exists("written")).unwrap());
}

#[test]
fn bytes_make_room_for_bytes() {
    let backend = MemoryBackend::builder()
        .max_bytes(500_000)
        .eviction(Eviction::S3Fifo)
        .build();
    let large = "x".repeat(100_000);
    for index in 0..10_000 {
        request(&backend, &index.to_string());
    }
    let before = backend.stats().entries;
    now(backend.set("large", &large, None)).unwrap();
    let stats = backend.stats();
    assert!(
        stats.entries < before && stats.bytes <= 500_000,
        "{stats:?}"
    );
    let kept = now(backend.get::<String>("large")).unwrap();
    assert_eq!(kept, Some(large));
}

#[test]
fn a_cache_whose_entries_are_deleted_fills_again() {
    let backend = cache(1_000);
    for round in 0..20 {
        for index in 0..1_000 {
            request(&backend, &format!("{round}:{index}"));
        }
        assert_eq!(
            block_on(backend.clear_prefix(&format!("{round}:"))).unwrap(),
            1_000
        );
    }
    assert_eq!(backend.stats().evicted, 0);
}
