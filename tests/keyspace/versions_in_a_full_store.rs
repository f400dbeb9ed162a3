//! In a full memory store the newer version of an entry takes the room of the older ones.

use std::time::Duration;

use reinhardt_backends::layer::Op;
use reinhardt_backends::testing::Flaky;
use reinhardt_backends::{Backend, BackendError, ErrorKind, Eviction, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

use crate::{MINUTE, about};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "full", ttl = "30m")]
struct First {
    #[keyspace(key)]
    id: u32,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "full", ttl = "30m", version = 2, migrates = First)]
struct Second {
    #[keyspace(key)]
    id: u32,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "full", ttl = "30m", version = 3, migrates = Second)]
struct Third {
    #[keyspace(key)]
    id: u32,
    text: String,
}

impl From<First> for Second {
    fn from(First { id, text }: First) -> Self {
        Self { id, text }
    }
}

impl From<Second> for Third {
    fn from(Second { id, text }: Second) -> Self {
        Self { id, text }
    }
}

fn first(id: u32) -> First {
    let text = "x".repeat(100);
    First { id, text }
}

fn second(id: u32) -> Second {
    let text = "y".repeat(90);
    Second { id, text }
}

fn third(id: u32) -> Third {
    let text = "z".repeat(90);
    Third { id, text }
}

/// Returns how often a backend was asked to write one entry, and to read many.
fn counts(backend: &Flaky<MemoryBackend>) -> (usize, usize) {
    let writes = backend.count(Op::Write) + backend.count(Op::Move);
    (writes, backend.count(Op::ReadMany))
}

/// Stores that `entries` of the first version have filled, by entries and by bytes.
async fn filled(entries: u32, eviction: Eviction) -> [MemoryBackend; 2] {
    let open = MemoryBackend::new();
    fill(&open, entries).await;
    let bytes = open.stats().bytes;
    let by_entries = MemoryBackend::builder().max_entries(entries as usize);
    let by_bytes = MemoryBackend::builder().max_bytes(bytes);
    let both = [by_entries, by_bytes].map(|builder| builder.eviction(eviction).build());
    for backend in &both {
        fill(backend, entries).await;
    }
    both
}

async fn fill(backend: &MemoryBackend, entries: u32) {
    for id in 0..entries {
        first(id).save(backend).await.unwrap();
    }
}

/// Does everything that writes the newest version, each time to an entry of the first.
async fn write_all<B: Backend>(backend: &B) {
    third(0).save(backend).await.unwrap();
    third(1).save_for(backend, MINUTE).await.unwrap();
    assert!(third(2).save_if_present(backend).await.unwrap());
    assert!(!third(3).save_if_absent(backend).await.unwrap());
    let updated = Third::update(backend, 3, |entry| entry.text.truncate(5)).await;
    assert!(updated.unwrap().is_some());
    let change = |entry: &mut Third| entry.text.truncate(5);
    let updated = Third::update_or_insert_with(backend, 4, change, || unreachable!());
    updated.await.unwrap();
    // The last one of equal entries stays.
    let large = Third {
        id: 5,
        text: "x".repeat(10_000),
    };
    Third::save_many(backend, [large, third(5), third(6)])
        .await
        .unwrap();
    for id in 0..7 {
        assert!(Third::get(backend, id).await.unwrap().is_some());
        assert!(backend.exists(&Third::key(id)).await.unwrap(), "{id}");
        assert!(!First::exists(backend, id).await.unwrap(), "{id}");
    }
    assert!(about(Third::ttl(backend, 1).await.unwrap(), MINUTE));
    for id in [0, 1, 2, 5, 6] {
        assert_eq!(Third::get(backend, id).await.unwrap(), Some(third(id)));
    }
}

#[tokio::test]
async fn a_newer_version_takes_the_room_of_the_older_one() {
    for eviction in [Eviction::Off, Eviction::S3Fifo] {
        for backend in filled(10, eviction).await {
            write_all(&backend).await;
            let stats = backend.stats();
            assert_eq!((stats.entries, stats.evicted), (10, 0));
            for id in 7..10 {
                assert_eq!(
                    First::get(&backend, id).await.unwrap(),
                    Some(first(id)),
                    "a stranger"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_newer_version_takes_the_room_of_the_older_one_behind_a_wrapper() {
    for backend in filled(10, Eviction::Off).await {
        write_all(&Flaky::new(backend.clone())).await;
        assert_eq!(backend.stats().entries, 10);
    }
}

#[tokio::test]
async fn a_newer_version_takes_the_room_of_all_older_ones() {
    let both = Third {
        id: 0,
        text: "z".repeat(200),
    };
    // A wrapper can't tell that a store evicts, because such a store never says that it is full.
    let cases = [
        (Eviction::Off, false),
        (Eviction::Off, true),
        (Eviction::S3Fifo, false),
    ];
    for (eviction, remote) in cases {
        let [_, backend] = filled(3, eviction).await;
        // Two versions of one entry, in the place of two entries.
        assert!(First::delete(&backend, 1).await.unwrap());
        second(0).save(&backend).await.unwrap();
        first(0).save(&backend).await.unwrap();
        match remote {
            true => both.save(&Flaky::new(backend.clone())).await.unwrap(),
            false => both.save(&backend).await.unwrap(),
        }
        assert_eq!(Third::get(&backend, 0).await.unwrap(), Some(both.clone()));
        let stats = backend.stats();
        assert_eq!((stats.entries, stats.evicted), (2, 0), "{eviction:?}");
        let stranger = First::get(&backend, 2).await.unwrap();
        assert_eq!(stranger, Some(first(2)));
    }
}

#[tokio::test]
async fn a_newest_version_that_grows_takes_the_room_of_an_older_one_beside_it() {
    let grow = |entry: &mut Third| entry.text.push_str(&"z".repeat(100));
    for eviction in [Eviction::Off, Eviction::S3Fifo] {
        for how in ["save", "save_if_present", "update"] {
            let [_, backend] = filled(2, eviction).await;
            assert!(First::delete(&backend, 1).await.unwrap());
            third(0).save(&backend).await.unwrap();
            first(0).save(&backend).await.unwrap();
            let mut grown = third(0);
            grow(&mut grown);
            match how {
                "save" => grown.save(&backend).await.unwrap(),
                "update" => drop(Third::update(&backend, 0, grow).await.unwrap().unwrap()),
                _ => assert!(grown.save_if_present(&backend).await.unwrap()),
            }
            assert_eq!(Third::get(&backend, 0).await.unwrap(), Some(grown));
            let stats = backend.stats();
            assert_eq!((stats.entries, stats.evicted), (1, 0), "{how}");
        }
    }
}

#[tokio::test]
async fn a_newer_version_that_needs_more_is_refused_and_named() {
    let large = |id| Third {
        id,
        text: "z".repeat(1_000),
    };
    let [_, backend] = filled(5, Eviction::Off).await;
    for remote in [false, true] {
        let saved = match remote {
            true => large(0).save(&Flaky::new(backend.clone())).await,
            false => large(0).save(&backend).await,
        };
        let error = saved.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full);
        assert!(!error.outcome_unknown());
        assert_eq!(First::get(&backend, 0).await.unwrap(), Some(first(0)));
        assert!(!backend.exists(&Third::key(0)).await.unwrap());
    }
    let entries = [large(0), third(1), large(0), large(9)];
    let error = Third::save_many(&backend, entries).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(error.failed_indices(), [0, 2, 3]);
    assert_eq!(Third::get(&backend, 1).await.unwrap(), Some(third(1)));
    assert!(!First::exists(&backend, 1).await.unwrap());
    let entries = [large(0), third(2), large(0), large(9)];
    let error = Third::save_many(&Flaky::new(backend.clone()), entries).await;
    assert_eq!(error.unwrap_err().failed_indices(), [0, 2, 3]);
    assert_eq!(Third::get(&backend, 2).await.unwrap(), Some(third(2)));
    assert!(!First::exists(&backend, 2).await.unwrap());
}

#[tokio::test]
async fn an_error_that_names_no_entry_leaves_all_older_ones_where_they_are() {
    let [backend, _] = filled(5, Eviction::Off).await;
    let remote = Flaky::new(backend.clone());
    // The error of a wrapper that makes its own of those of the store inside names no entries.
    let rebuilt = |_| async { Err(BackendError::new(ErrorKind::Full, "rebuilt")) };
    remote.on(Op::WriteMany).run_after(rebuilt);
    let saved = Third::save_many(&remote, [third(0), third(1)]).await;
    let error = saved.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert!(error.failed_indices().is_empty());
    for id in 0..5 {
        assert_eq!(First::get(&backend, id).await.unwrap(), Some(first(id)));
    }
}

#[tokio::test]
async fn after_one_timeout_no_other_refused_entry_is_tried() {
    let [backend, _] = filled(5, Eviction::Off).await;
    let remote = Flaky::new(backend.clone());
    for op in [Op::Write, Op::Move] {
        remote.on(op).time_out_before(Duration::ZERO);
    }
    let saved = Third::save_many(&remote, [third(0), third(1), third(2)]).await;
    let error = saved.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.outcome_unknown());
    assert_eq!(error.failed_indices(), [0, 1, 2]);
    assert_eq!(counts(&remote), (1, 1));
}

#[tokio::test]
async fn only_what_has_an_older_version_is_tried_again_after_one_look_for_all() {
    let [backend, _] = filled(5, Eviction::Off).await;
    let remote = Flaky::new(backend.clone());
    let entries = [8, 0, 9, 1].map(third);
    let error = Third::save_many(&remote, entries).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert!(!error.outcome_unknown());
    assert_eq!(error.failed_indices(), [0, 2]);
    assert_eq!(counts(&remote), (2, 1));
    for id in [0, 1] {
        assert_eq!(Third::get(&backend, id).await.unwrap(), Some(third(id)));
    }
    let remote = Flaky::new(backend.clone());
    let error = third(8).save(&remote).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(counts(&remote), (1, 1));
}

#[tokio::test]
async fn a_save_that_looks_for_older_ones_is_no_read() {
    let backend = MemoryBackend::new();
    third(0).save(&backend).await.unwrap();
    Third::save_many(&backend, [third(1), third(2)])
        .await
        .unwrap();
    let stats = backend.stats();
    assert_eq!((stats.hits, stats.misses), (0, 0));
}
