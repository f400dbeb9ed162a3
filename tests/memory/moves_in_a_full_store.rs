//! A move in a full store takes the room of the entries that it removes.

use std::thread;
use std::time::Duration;

use reinhardt_backends::store::{NewEntry, Store};
use reinhardt_backends::{Backend, BackendResult, ErrorKind, Eviction, Life, MemoryBackend, Write};

use crate::now;

const BOTH: [Eviction; 2] = [Eviction::Off, Eviction::S3Fifo];
/// Sizes of stores with one shard, and with several.
const SIZES: [usize; 2] = [16, 4_096];

fn write(backend: &MemoryBackend, key: &str, value: &[u8]) -> BackendResult<bool> {
    now(backend.write(key, value, Write::new(Life::Never)))
}

fn move_entry(
    backend: &MemoryBackend,
    (from, expected): (&str, &[u8]),
    (key, value): (&str, &[u8]),
    over: Option<&[u8]>,
) -> BackendResult<bool> {
    let life = Life::Never;
    now(backend.move_entry(from, expected, NewEntry { key, value, life }, over))
}

fn holds(backend: &MemoryBackend, key: &str) -> Option<Vec<u8>> {
    let stored = now(backend.get_stored(key)).unwrap();
    stored.map(|stored| stored.as_bytes().to_vec())
}

fn name(index: usize) -> String {
    format!("name:{index:06}")
}

/// A store that is full by entries or, of values of 4 KiB, by bytes; of several shards if that many
/// entries are.
fn full(most: usize, by_bytes: bool, eviction: Eviction) -> MemoryBackend {
    let length = if by_bytes { 4_096 } else { 4 };
    let builder = MemoryBackend::builder().eviction(eviction);
    let builder = match by_bytes {
        true => builder.max_bytes(most * (72 + name(0).len() + length)),
        false => builder.max_entries(most),
    };
    let backend = builder.build();
    for index in 0..most {
        assert!(write(&backend, &name(index), &vec![b'v'; length]).unwrap());
    }
    assert_eq!(backend.stats().entries, most);
    backend
}

#[test]
fn an_entry_that_moves_in_a_full_store_takes_nobodys_room() {
    for (most, eviction) in SIZES.map(|most| BOTH.map(|how| (most, how))).concat() {
        for by_bytes in [false, true] {
            let backend = full(most, by_bytes, eviction);
            let before = backend.stats();
            for index in 0..most {
                let (from, to) = (name(index), name(index + most));
                let value = holds(&backend, &from).unwrap();
                assert!(move_entry(&backend, (&from, &value), (&to, &value), None).unwrap());
            }
            let after = backend.stats();
            assert_eq!((after.entries, after.bytes), (before.entries, before.bytes));
            assert_eq!(after.evicted, 0);
            assert!((most..2 * most).all(|index| holds(&backend, &name(index)).is_some()));
        }
    }
}

#[test]
fn a_move_over_an_entry_has_the_room_of_both() {
    for eviction in BOTH {
        let backend = full(16, true, eviction);
        let (old, over) = (vec![b'v'; 4_096], vec![b'v'; 4_096]);
        // As large as both together, with their keys and what entries cost besides.
        let both = vec![b'w'; 2 * 4_096 + 72 + name(0).len()];
        let larger = [&both[..], b"w"].concat();
        if eviction == Eviction::Off {
            let moved = move_entry(&backend, (&name(0), &old), (&name(1), &larger), Some(&over));
            assert_eq!(moved.unwrap_err().kind(), ErrorKind::Full);
            assert!(holds(&backend, &name(0)).is_some());
            assert_eq!(holds(&backend, &name(1)), Some(over.clone()));
        }
        let before = backend.stats();
        let to = (&*name(1), &both[..]);
        assert!(move_entry(&backend, (&name(0), &old), to, Some(&over)).unwrap());
        assert_eq!(holds(&backend, &name(1)), Some(both));
        let after = backend.stats();
        assert_eq!((after.entries, after.bytes), (15, before.bytes));
        assert_eq!(after.evicted, 0);
    }
}

#[test]
fn what_a_move_does_not_need_is_given_back() {
    let backend = full(3, false, Eviction::Off);
    assert!(
        move_entry(
            &backend,
            (&name(0), b"vvvv"),
            (&name(1), b"w"),
            Some(b"vvvv")
        )
        .unwrap()
    );
    write(&backend, "the place of two", b"new").unwrap();
    assert_eq!(
        write(&backend, "no other", b"new").unwrap_err().kind(),
        ErrorKind::Full
    );
    let backend = full(3, true, Eviction::Off);
    assert!(move_entry(&backend, (&name(0), &[b'v'; 4_096]), ("a", b"w"), None).unwrap());
    write(&backend, "b", &[b'v'; 4_000]).unwrap();
}

#[test]
fn a_move_that_grows_beyond_the_room_changes_nothing() {
    for most in SIZES {
        let backend = full(most, true, Eviction::Off);
        let before = backend.stats();
        let (old, larger) = (vec![b'v'; 4_096], vec![b'v'; 4_097]);
        for index in 0..most {
            let (from, to) = (name(index), name(index + most));
            let moved = move_entry(&backend, (&from, &old), (&to, &larger), None);
            assert_eq!(moved.unwrap_err().kind(), ErrorKind::Full);
            assert!(holds(&backend, &from).is_some() && holds(&backend, &to).is_none());
        }
        assert_eq!(backend.stats().bytes, before.bytes);
        assert_eq!(backend.stats().entries, before.entries);
    }
}

#[test]
fn a_move_that_grows_evicts_for_the_difference_and_neither_of_its_own() {
    for most in SIZES {
        let backend = full(most, true, Eviction::S3Fifo);
        let (old, larger) = (vec![b'v'; 4_096], vec![b'v'; 4_196]);
        let to = (&*name(most), &larger[..]);
        assert!(move_entry(&backend, (&name(0), &old), to, None).unwrap());
        assert_eq!(holds(&backend, &name(most)), Some(larger.clone()));
        assert_eq!(backend.stats().evicted, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_move_to_where_an_entry_has_ended_has_the_room_of_both() {
    let second = Duration::from_secs(1);
    for eviction in BOTH {
        let builder = MemoryBackend::builder().max_entries(2);
        let backend = builder.eviction(eviction).build();
        write(&backend, "old", b"value").unwrap();
        let brief = Write::new(Life::In(second));
        now(backend.write("new", b"value", brief)).unwrap();
        tokio::time::advance(second).await;
        assert!(move_entry(&backend, ("old", b"value"), ("new", b"value"), None).unwrap());
        let stats = backend.stats();
        assert_eq!((stats.entries, stats.expired, stats.evicted), (1, 1, 0));
        write(&backend, "old", b"value").unwrap();
        assert_eq!((backend.stats().entries, backend.stats().evicted), (2, 0));
    }
}

/// Moves the entry away first and reads nothing afterwards, then writes many entries that nobody
/// reads.
fn is_there_after_a_scan(backend: &MemoryBackend, key: &str, scanned: usize) -> bool {
    let value = holds(backend, key).unwrap();
    let moved = format!("moved:{key}");
    assert!(move_entry(backend, (key, &value), (&moved, &value), None).unwrap());
    for index in 0..scanned {
        write(backend, &format!("scan:{index}"), b"value").unwrap();
    }
    now(backend.exists(&moved)).unwrap()
}

#[test]
fn what_was_used_stays_while_a_scan_passes_after_it_was_moved() {
    for most in SIZES {
        let backend = full(most, false, Eviction::S3Fifo);
        (0..most / 2).for_each(|index| drop(holds(&backend, &name(index))));
        // The entries that were used go on to the main queue.
        for index in 0..most {
            write(&backend, &format!("before:{index}"), b"value").unwrap();
        }
        assert!(is_there_after_a_scan(&backend, &name(0), 10 * most));
    }
}

#[test]
fn the_token_of_a_value_that_nobody_reads_does_not_keep_it() {
    let backend = full(1_000, false, Eviction::S3Fifo);
    (0..500).for_each(|index| drop(holds(&backend, &name(index))));
    for index in 0..1_000 {
        write(&backend, &format!("before:{index}"), b"value").unwrap();
    }
    // Each is computed under a lease, which is read once, and never read itself.
    for index in 0..10_000 {
        let (token, value) = (format!("token:{index}"), format!("value:{index}"));
        write(&backend, &token, b"token").unwrap();
        holds(&backend, &token);
        assert!(move_entry(&backend, (&token, b"token"), (&value, b"value"), None).unwrap());
    }
    let kept = (0..500).filter(|&index| now(backend.exists(&name(index))).unwrap());
    let kept = kept.count();
    assert!(kept > 490, "{kept} of 500");
}

#[test]
fn threads_that_move_their_own_entries_in_a_full_store_never_meet() {
    const THREADS: usize = 4;
    for (most, eviction) in SIZES.map(|most| BOTH.map(|how| (most, how))).concat() {
        for by_bytes in [false, true] {
            let backend = full(most, by_bytes, eviction);
            let before = backend.stats();
            thread::scope(|scope| {
                for thread in 0..THREADS {
                    let backend = &backend;
                    scope.spawn(move || move_own(backend, thread..most / 2, THREADS));
                }
            });
            let after = backend.stats();
            assert_eq!((after.entries, after.bytes), (before.entries, before.bytes));
            assert_eq!(after.evicted, 0);
            // Neither those that nobody moved, nor one that was.
            assert!((most / 2..most).all(|index| holds(&backend, &name(index)).is_some()));
            assert_eq!(backend.len(), most);
        }
    }
}

/// Moves each entry of the range, from the beginning of the range in steps, to other keys of the
/// same length and back.
fn move_own(backend: &MemoryBackend, range: std::ops::Range<usize>, step: usize) {
    for round in 0..4_096 / range.end {
        for index in range.clone().step_by(step) {
            let own = name(index);
            let value = holds(backend, &own).unwrap();
            let other = format!("n{:03}:{index:06}", round % 1_000);
            let smaller = &value[..value.len() - 1];
            assert!(move_entry(backend, (&own, &value), (&other, smaller), None).unwrap());
            let back = move_entry(backend, (&other, smaller), (&own, smaller), None);
            assert!(back.unwrap());
            assert!(write(backend, &own, &value).unwrap());
        }
    }
}
