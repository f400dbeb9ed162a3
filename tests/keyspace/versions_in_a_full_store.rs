//! In a full memory store the newer version of an entry takes the room of the older ones.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use reinhardt_backends::store::{NewEntry, Store, Touch};
use reinhardt_backends::{
    Backend, BackendError, BackendResult, Counted, ErrorKind, Eviction, Expiry, KeyStream,
    Keyspace, Life, MemoryBackend, Stored, Write,
};
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

/// A memory backend that doesn't answer at once, as one behind a wrapper.
struct Remote {
    memory: MemoryBackend,
    /// True if it makes its own errors of those of the memory. Its own errors name no entries.
    rebuilds: bool,
    /// True if each write of one entry times out.
    times_out: bool,
    /// The number of calls that write one entry; `looks` is the number of calls that read many.
    writes: AtomicU32,
    looks: AtomicU32,
}

impl Remote {
    fn new(memory: &MemoryBackend) -> Self {
        Self {
            memory: memory.clone(),
            rebuilds: false,
            times_out: false,
            writes: AtomicU32::new(0),
            looks: AtomicU32::new(0),
        }
    }

    fn rebuilding(mut self) -> Self {
        self.rebuilds = true;
        self
    }

    fn timing_out(mut self) -> Self {
        self.times_out = true;
        self
    }

    fn count_write(&self) -> BackendResult<()> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        match self.times_out {
            true => Err(BackendError::new(ErrorKind::Timeout, "timed out").with_outcome_unknown()),
            false => Ok(()),
        }
    }

    /// Returns how often it was asked to write one entry, and to read many.
    fn counts(&self) -> (u32, u32) {
        let of = |count: &AtomicU32| count.load(Ordering::Relaxed);
        (of(&self.writes), of(&self.looks))
    }
}

#[async_trait]
impl Store for Remote {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        self.memory.read(key).await
    }

    async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        self.count_write()?;
        self.memory.put(key, value, options).await
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        self.memory.remove(key, expected).await
    }

    async fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        self.memory.add(key, delta, ttl).await
    }

    async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool> {
        self.memory.set_life(key, life).await
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.memory.keys(prefix)
    }

    async fn read_values(&self, keys: &[&str], touch: Touch) -> BackendResult<Vec<Option<Stored>>> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.memory.read_values(keys, touch).await
    }

    async fn put_many(&self, entries: &[NewEntry<'_>]) -> BackendResult<()> {
        let written = self.memory.put_many(entries).await;
        written.map_err(|error| match self.rebuilds {
            true => BackendError::new(error.kind(), "rebuilt"),
            false => error,
        })
    }

    async fn move_entry(
        &self,
        from: &str,
        expected: &[u8],
        to: NewEntry<'_>,
        over: Option<&[u8]>,
    ) -> BackendResult<bool> {
        self.count_write()?;
        self.memory.move_entry(from, expected, to, over).await
    }
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
        write_all(&Remote::new(&backend)).await;
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
            true => both.save(&Remote::new(&backend)).await.unwrap(),
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
            true => large(0).save(&Remote::new(&backend)).await,
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
    let error = Third::save_many(&Remote::new(&backend), entries).await;
    assert_eq!(error.unwrap_err().failed_indices(), [0, 2, 3]);
    assert_eq!(Third::get(&backend, 2).await.unwrap(), Some(third(2)));
    assert!(!First::exists(&backend, 2).await.unwrap());
}

#[tokio::test]
async fn an_error_that_names_no_entry_leaves_all_older_ones_where_they_are() {
    let [backend, _] = filled(5, Eviction::Off).await;
    let remote = Remote::new(&backend).rebuilding();
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
    let remote = Remote::new(&backend).timing_out();
    let saved = Third::save_many(&remote, [third(0), third(1), third(2)]).await;
    let error = saved.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.outcome_unknown());
    assert_eq!(error.failed_indices(), [0, 1, 2]);
    assert_eq!(remote.counts(), (1, 1));
}

#[tokio::test]
async fn only_what_has_an_older_version_is_tried_again_after_one_look_for_all() {
    let [backend, _] = filled(5, Eviction::Off).await;
    let remote = Remote::new(&backend);
    let entries = [8, 0, 9, 1].map(third);
    let error = Third::save_many(&remote, entries).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert!(!error.outcome_unknown());
    assert_eq!(error.failed_indices(), [0, 2]);
    assert_eq!(remote.counts(), (2, 1));
    for id in [0, 1] {
        assert_eq!(Third::get(&backend, id).await.unwrap(), Some(third(id)));
    }
    let remote = Remote::new(&backend);
    let error = third(8).save(&remote).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(remote.counts(), (1, 1));
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
