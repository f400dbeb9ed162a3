//! A bounded store holds what it may and no more, and refuses the rest by name.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use reinhardt_backends::store::{NewEntry, Store};
use reinhardt_backends::{
    Backend, BackendResult, ErrorKind, Eviction, Expiry, Life, MemoryBackend, Stored, Write,
};

use crate::{now, wait_until};

const MINUTE: Duration = Duration::from_secs(60);

fn set(backend: &MemoryBackend, key: &str, value: &str) -> BackendResult<()> {
    now(backend.set(key, value, None))
}

fn get(backend: &MemoryBackend, key: &str) -> Option<String> {
    now(backend.get(key)).unwrap()
}

#[test]
fn the_last_entry_that_fits_is_taken_and_the_next_is_full() {
    for most in [1, 7, 1_000, 20_000] {
        let backend = MemoryBackend::builder().max_entries(most).build();
        for index in 0..most {
            set(&backend, &index.to_string(), "value").unwrap();
        }
        let error = set(&backend, "one more", "value").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full);
        assert!(!error.is_transient() && !error.outcome_unknown());
        assert_eq!((backend.len(), backend.stats().evicted), (most, 0));
        assert_eq!(get(&backend, "one more"), None);
    }
}

#[test]
fn a_full_store_still_reads_replaces_counts_renews_and_removes() {
    let backend = MemoryBackend::builder().max_entries(2).build();
    set(&backend, "a", "1st").unwrap();
    assert_eq!(now(backend.increment("hits", None)).unwrap(), 1);
    set(&backend, "a", "2nd").unwrap();
    assert_eq!(get(&backend, "a").as_deref(), Some("2nd"));
    assert_eq!(now(backend.increment("hits", None)).unwrap(), 2);
    assert!(now(backend.expire("a", Life::In(MINUTE))).unwrap());
    assert!(matches!(
        now(backend.ttl("a")).unwrap(),
        Some(Expiry::In(_))
    ));
    let full = now(backend.increment("others", None)).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::Full);
    assert!(now(backend.delete("hits")).unwrap());
    assert_eq!(now(backend.increment("others", None)).unwrap(), 1);
}

#[test]
fn what_has_ended_makes_room() {
    let backend = MemoryBackend::builder().max_entries(1_000).build();
    for index in 0..1_000 {
        let life = Some(Duration::from_millis(1 + index % 5));
        now(backend.set(&format!("old:{index}"), index, life)).unwrap();
    }
    wait_until(|| backend.is_empty());
    for index in 0..1_000 {
        set(&backend, &format!("new:{index}"), "value").unwrap();
    }
    assert_eq!(backend.len(), 1_000);
}

#[test]
fn bytes_are_bounded_and_given_back() {
    let backend = MemoryBackend::builder().max_bytes(10_000).build();
    set(&backend, "a", &"x".repeat(5_000)).unwrap();
    let error = set(&backend, "b", &"x".repeat(5_000)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    // A value that grows needs room as well, and the old one stays if there is none.
    set(&backend, "b", "small").unwrap();
    assert_eq!(
        set(&backend, "b", &"x".repeat(5_000)).unwrap_err().kind(),
        ErrorKind::Full
    );
    assert_eq!(get(&backend, "b").as_deref(), Some("small"));
    set(&backend, "a", "small").unwrap();
    set(&backend, "b", &"x".repeat(5_000)).unwrap();
    assert!(now(backend.delete("a")).unwrap());
    assert!(now(backend.delete("b")).unwrap());
    assert_eq!(backend.stats().bytes, 0);
}

#[test]
fn what_can_never_fit_evicts_nothing() {
    let backend = MemoryBackend::builder()
        .max_bytes(10_000)
        .eviction(Eviction::S3Fifo)
        .build();
    set(&backend, "a", "value").unwrap();
    let error = set(&backend, "b", &"x".repeat(10_000)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(get(&backend, "a").as_deref(), Some("value"));
    let nothing = MemoryBackend::builder().max_entries(0).build();
    assert_eq!(
        set(&nothing, "a", "value").unwrap_err().kind(),
        ErrorKind::Full
    );
}

fn cache_of_bytes(most: usize) -> MemoryBackend {
    let builder = MemoryBackend::builder().max_bytes(most);
    builder.eviction(Eviction::S3Fifo).build()
}

#[test]
fn a_value_that_grows_beyond_what_can_ever_fit_leaves_the_old_one() {
    let backend = cache_of_bytes(10_000);
    set(&backend, "other", "value").unwrap();
    set(&backend, "a", &"x".repeat(6_000)).unwrap();
    let error = set(&backend, "a", &"x".repeat(12_000)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(get(&backend, "a").map(|value| value.len()), Some(6_000));
    assert!(now(backend.exists("other")).unwrap());
}

#[test]
fn what_has_ended_is_given_up_before_what_lives() {
    let backend = MemoryBackend::builder()
        .max_entries(100)
        .eviction(Eviction::S3Fifo)
        .build();
    for index in 0..90 {
        set(&backend, &format!("live:{index}"), "value").unwrap();
    }
    for index in 0..10 {
        let life = Some(Duration::from_millis(1));
        now(backend.set(&format!("brief:{index}"), index, life)).unwrap();
        // The entry is used often, which no longer counts when it has ended.
        for _ in 0..5 {
            let _: Option<u8> = now(backend.get(&format!("brief:{index}"))).unwrap();
        }
    }
    wait_until(|| backend.len() == 90);
    for index in 0..90 {
        get(&backend, &format!("live:{index}"));
    }
    for index in 0..10 {
        set(&backend, &format!("new:{index}"), "value").unwrap();
    }
    assert_eq!((backend.len(), backend.stats().evicted), (100, 0));
}

/// Many entries of one size in a store that is bounded in bytes alone: those that are used stay.
#[test]
fn a_scan_of_large_values_does_not_flush_what_is_used() {
    let backend = cache_of_bytes(64 << 20);
    let large = "x".repeat(100_000);
    for _ in 0..3 {
        for index in 0..100 {
            let key = format!("used:{index}");
            if get(&backend, &key).is_none() {
                set(&backend, &key, &large).unwrap();
            }
        }
    }
    for index in 0..3_000 {
        set(&backend, &format!("scanned:{index}"), &large).unwrap();
        get(&backend, &format!("used:{}", index % 100));
    }
    let kept = (0..100).filter(|index| get(&backend, &format!("used:{index}")).is_some());
    let kept = kept.count();
    assert!(kept > 90, "{kept} of 100");
}

#[test]
fn a_write_to_a_full_store_sweeps_no_more_than_it_needs() {
    let backend = MemoryBackend::builder().max_entries(100_000).build();
    let life = Some(Duration::from_millis(300));
    for index in 0..100_000 {
        now(backend.set(&index.to_string(), 1, life)).unwrap();
    }
    wait_until(|| backend.is_empty());
    let before = backend.stats().entries;
    set(&backend, "new", "value").unwrap();
    let swept = before.saturating_sub(backend.stats().entries);
    assert!(swept < 20_000, "{swept}");
}

#[test]
fn entries_that_did_not_fit_are_named() {
    let backend = MemoryBackend::builder().max_entries(2).build();
    set(&backend, "b", "value").unwrap();
    let entries = [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("a", 5)];
    let error = now(backend.set_many(&entries, None)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(error.failed_indices(), [2, 3]);
    assert_eq!(now(backend.get::<i32>("a")).unwrap(), Some(5));
}

#[test]
fn of_equal_keys_in_one_call_the_last_one_alone_needs_room() {
    for eviction in [Eviction::Off, Eviction::S3Fifo] {
        let builder = MemoryBackend::builder().max_bytes(400);
        let backend = builder.eviction(eviction).build();
        set(&backend, "a", "value").unwrap();
        set(&backend, "b", "value").unwrap();
        let large = "x".repeat(250);
        let entries = [("a", large.as_str()), ("a", "other")];
        now(backend.set_many(&entries, None)).unwrap();
        assert_eq!(get(&backend, "a").as_deref(), Some("other"));
        assert_eq!((backend.len(), backend.stats().evicted), (2, 0));
    }
    let backend = MemoryBackend::builder().max_bytes(400).build();
    let large = "x".repeat(400);
    let entries = [("a", "value"), ("b", "value"), ("a", large.as_str())];
    let error = now(backend.set_many(&entries, None)).unwrap_err();
    assert_eq!(error.failed_indices(), [0, 2]);
    assert_eq!(backend.len(), 1);
}

#[test]
fn many_threads_never_put_in_more_than_fits() {
    for eviction in [Eviction::Off, Eviction::S3Fifo] {
        // One shard, whose sum is a snapshot, and several, whose sum is one only when nobody
        // writes.
        for most in [1_000, 10_000] {
            fill_from_many_threads(most, eviction);
        }
    }
}

fn fill_from_many_threads(most: usize, eviction: Eviction) {
    let most_bytes = most * 150;
    let builder = MemoryBackend::builder().max_entries(most);
    let backend = builder.max_bytes(most_bytes).eviction(eviction).build();
    let check = |backend: &MemoryBackend| {
        let stats = backend.stats();
        assert!(
            stats.entries <= most && stats.bytes <= most_bytes,
            "{stats:?}"
        );
    };
    thread::scope(|scope| {
        for thread in 0..8 {
            let backend = &backend;
            scope.spawn(move || {
                for index in 0..5_000 {
                    let key = format!("{thread}:{index}");
                    let written = set(backend, &key, "a value of some length");
                    match eviction {
                        Eviction::Off => drop(written),
                        _ => written.unwrap(),
                    }
                    if index % 3 == 0 {
                        now(backend.delete(&key)).unwrap();
                    }
                    if most == 1_000 {
                        check(backend);
                    }
                }
            });
        }
    });
    check(&backend);
    block_on(backend.clear()).unwrap();
    let stats = backend.stats();
    assert_eq!((stats.entries, stats.bytes), (0, 0));
    // All room has been given back.
    for index in 0..most {
        set(&backend, &index.to_string(), "v").unwrap();
    }
    assert_eq!(backend.len(), most);
}

/// A full store whose oldest entry, which would be the first to go, is `a`, with a minute to live.
fn full_and_evicting() -> MemoryBackend {
    let backend = MemoryBackend::builder()
        .max_bytes(4_000)
        .eviction(Eviction::S3Fifo)
        .build();
    now(backend.set("a", "value", Some(MINUTE))).unwrap();
    for index in 0..48 {
        set(&backend, &index.to_string(), "value").unwrap();
    }
    assert_eq!(backend.stats().evicted, 0);
    backend
}

#[test]
fn a_value_that_grows_is_not_evicted_for_itself() {
    let large = "x".repeat(2_000);
    let backend = full_and_evicting();
    // Not read, which would be a use.
    let present = Stored::from(&b"\x65value"[..]);
    let swapped = backend.compare_and_set("a", &present, &large, Life::Keep);
    assert!(now(swapped).unwrap());
    assert!(matches!(
        now(backend.ttl("a")).unwrap(),
        Some(Expiry::In(_))
    ));
    let backend = full_and_evicting();
    assert!(now(backend.set_if_present("a", &large, None)).unwrap());
    let backend = full_and_evicting();
    let write = backend.write("a", large.as_bytes(), Write::new(Life::Keep));
    assert!(now(write).unwrap());
    assert!(matches!(
        now(backend.ttl("a")).unwrap(),
        Some(Expiry::In(_))
    ));
}

#[test]
fn an_entry_that_moves_is_not_evicted_for_itself() {
    let large = "x".repeat(2_000);
    let backend = full_and_evicting();
    let to = NewEntry {
        key: "b",
        value: large.as_bytes(),
        life: Life::Never,
    };
    assert!(now(backend.move_entry("a", b"\x65value", to, None)).unwrap());
    assert!(!now(backend.exists("a")).unwrap());
    let moved = now(backend.get_stored("b")).unwrap().unwrap();
    assert_eq!(moved.as_bytes(), large.as_bytes());
}

#[test]
fn an_evicting_store_is_never_full() {
    let backend = MemoryBackend::builder()
        .max_entries(1)
        .eviction(Eviction::S3Fifo)
        .build();
    let refused = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..4 {
            let (backend, refused) = (&backend, &refused);
            scope.spawn(move || {
                for index in 0..50_000 {
                    let key = format!("{thread}:{index}");
                    if set(backend, &key, "value").is_err() {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(refused.into_inner(), 0);
    assert_eq!(backend.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_ended_behind_a_pass_makes_room_too() {
    let second = Duration::from_secs(1);
    // The place of an entry in its shard differs from store to store.
    for _ in 0..200 {
        let backend = MemoryBackend::builder().max_entries(20).build();
        for index in 0..18 {
            set(&backend, &index.to_string(), "value").unwrap();
        }
        now(backend.set("first", 1u8, Some(second))).unwrap();
        now(backend.set("second", 1u8, Some(2 * second))).unwrap();
        tokio::time::advance(second).await;
        // Each write looks at a few entries, and may find `second` alive.
        now(backend.expire("0", Life::Never)).unwrap();
        set(&backend, "new", "value").unwrap();
        tokio::time::advance(second).await;
        set(&backend, "newer", "value").unwrap();
        assert_eq!(backend.stats().entries, 20);
    }
}
