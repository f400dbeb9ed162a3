//! A decoded value is made once, counted, gone with its entry, and dropped under no lock.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use reinhardt_backends::{Backend, Eviction, Keyspace, Life, MemoryBackend, Write};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{now, wait_until};

#[derive(Debug, Clone, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m", shared)]
struct Session {
    #[keyspace(key)]
    id: u32,
    text: String,
}

fn session(id: u32) -> Session {
    Session {
        id,
        text: "x".repeat(100),
    }
}

fn get_shared<B: Backend>(backend: &B, id: u32) -> Option<Arc<Session>> {
    now(Session::get_shared(backend, id)).unwrap()
}

#[test]
fn a_value_is_decoded_once() {
    static DECODED: AtomicUsize = AtomicUsize::new(0);

    #[derive(Serialize, Keyspace)]
    #[keyspace(prefix = "counted", ttl = "30m", shared)]
    struct Counted {
        #[keyspace(key)]
        id: u32,
    }

    impl<'de> Deserialize<'de> for Counted {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            #[derive(Deserialize)]
            struct Plain {
                id: u32,
            }
            DECODED.fetch_add(1, Ordering::SeqCst);
            Plain::deserialize(deserializer).map(|plain| Self { id: plain.id })
        }
    }

    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    now(Counted { id: 1 }.save(&backend)).unwrap();
    let before = DECODED.load(Ordering::SeqCst);
    let shared: Vec<_> = (0..10)
        .map(|_| now(Counted::get_shared(&backend, 1)).unwrap().unwrap())
        .collect();
    assert!(shared.iter().all(|other| Arc::ptr_eq(other, &shared[0])));
    assert_eq!(DECODED.load(Ordering::SeqCst) - before, 1);
}

#[test]
fn what_is_kept_goes_with_its_entry() {
    let backend = MemoryBackend::new();
    let keep = || -> Weak<Session> {
        now(session(1).save(&backend)).unwrap();
        Arc::downgrade(&get_shared(&backend, 1).unwrap())
    };
    let is_gone = |kept: &Weak<Session>| kept.upgrade().is_none();
    let kept = keep();
    assert!(!is_gone(&kept));
    now(session(1).save(&backend)).unwrap();
    assert!(is_gone(&kept), "another one was saved");
    let kept = keep();
    assert!(now(Session::delete(&backend, 1)).unwrap());
    assert!(is_gone(&kept), "it was deleted");
    let kept = keep();
    now(backend.clear()).unwrap();
    assert!(is_gone(&kept), "the store was cleared");
    let kept = keep();
    now(backend.expire(&Session::key(1), Life::In(Duration::from_millis(1)))).unwrap();
    wait_until(|| {
        // Writes sweep where there is no runtime.
        now(backend.set(&fastrand::u64(..).to_string(), 1, None)).unwrap();
        is_gone(&kept)
    });
}

#[test]
fn what_is_kept_counts() {
    let backend = MemoryBackend::new();
    now(session(1).save(&backend)).unwrap();
    let before = backend.stats().bytes;
    get_shared(&backend, 1);
    let with = backend.stats().bytes;
    assert!(
        with > before + 100 + size_of::<Session>(),
        "{before} {with}"
    );
    get_shared(&backend, 1);
    assert_eq!(backend.stats().bytes, with);
    now(session(1).save(&backend)).unwrap();
    assert_eq!(backend.stats().bytes, before);
}

#[test]
fn what_is_kept_makes_room_or_is_not_kept() {
    for eviction in [Eviction::Off, Eviction::S3Fifo] {
        let builder = MemoryBackend::builder()
            .max_bytes(25_000)
            .eviction(eviction);
        let backend = builder.build();
        let saved = (0..100).filter(|&id| now(session(id).save(&backend)).is_ok());
        assert!(saved.count() > 90);
        let found = (0..100).filter_map(|id| get_shared(&backend, id)).count();
        let stats = backend.stats();
        assert!(stats.bytes <= 25_000, "{stats:?}");
        match eviction {
            Eviction::Off => assert!(found > 90 && stats.evicted == 0, "{found} {stats:?}"),
            _ => assert!(stats.evicted > 0 && stats.entries > 20, "{stats:?}"),
        }
    }
}

thread_local! {
    static STORE: RefCell<Option<MemoryBackend>> = const { RefCell::new(None) };
    static DROPPED: Cell<usize> = const { Cell::new(0) };
}

/// Looks at the whole store that it was kept in when it is dropped.
#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "meddler", ttl = "30m", shared)]
struct Meddler {
    #[keyspace(key)]
    id: u8,
}

impl Drop for Meddler {
    fn drop(&mut self) {
        STORE.with_borrow(|store| {
            // Takes the lock of every shard.
            if let Some(store) = store {
                store.stats();
                DROPPED.set(DROPPED.get() + 1);
            }
        });
    }
}

#[test]
fn a_kept_value_is_dropped_under_no_lock() {
    let backend = MemoryBackend::builder()
        .max_entries(1)
        .eviction(Eviction::S3Fifo)
        .build();
    let keep = |id: u8| {
        // Stored without a `Meddler` whose own drop would be taken for that of the kept one.
        let encoded = [b"\xa1\x62id".as_slice(), &[id]].concat();
        let key = Meddler::key(id);
        let written = backend.write(&key, &encoded, Write::new(Life::Never));
        assert!(now(written).unwrap());
        drop(now(Meddler::get_shared(&backend, id)).unwrap().unwrap());
    };
    STORE.set(Some(backend.clone()));
    keep(1);
    assert_eq!(DROPPED.get(), 0);
    keep(1);
    assert_eq!(DROPPED.get(), 1, "replaced");
    assert!(now(backend.delete(&Meddler::key(1))).unwrap());
    assert_eq!(DROPPED.get(), 2, "deleted");
    keep(2);
    now(backend.set("another", 1, None)).unwrap();
    assert_eq!(DROPPED.get(), 3, "evicted");
    keep(3);
    assert_eq!(now(backend.clear_prefix("meddler")).unwrap(), 1);
    assert_eq!(DROPPED.get(), 4, "cleared");
    STORE.set(None);
}

#[test]
fn an_entry_is_not_evicted_for_what_is_kept_beside_it() {
    let large = |id| Session {
        id,
        text: "x".repeat(1_000),
    };
    // Room for either the entry and its decoded value, or the entry and all other entries.
    for (most, evicted) in [(2_300, true), (2_000, false)] {
        let backend = MemoryBackend::builder()
            .max_bytes(most)
            .eviction(Eviction::S3Fifo)
            .build();
        now(large(1).save(&backend)).unwrap();
        now(session(2).save(&backend)).unwrap();
        now(session(3).save(&backend)).unwrap();
        assert_eq!(backend.stats().evicted, 0);
        assert!(get_shared(&backend, 1).is_some());
        assert!(now(Session::get(&backend, 1)).unwrap().is_some());
        assert_eq!(backend.stats().evicted > 0, evicted);
        let again = Arc::ptr_eq(
            &get_shared(&backend, 1).unwrap(),
            &get_shared(&backend, 1).unwrap(),
        );
        assert_eq!(again, evicted, "kept if there is room for it");
    }
}
