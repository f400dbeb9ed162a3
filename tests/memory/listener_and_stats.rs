//! A store tells its listener of each entry that leaves, and counts its reads and bytes.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use reinhardt_backends::store::{Store, Touch};
use reinhardt_backends::{Backend, Cause, Eviction, MemoryBackend, MemoryBackendBuilder};

use crate::{now, wait_until};

type Log = Arc<Mutex<Vec<(String, Cause, Vec<u8>)>>>;

fn logged(builder: MemoryBackendBuilder) -> (MemoryBackend, Log) {
    let log = Log::default();
    let told = log.clone();
    let builder = builder.on_removal(move |removal| {
        let bytes = removal.stored().as_bytes().to_vec();
        let mut told = told.lock().unwrap();
        told.push((removal.key.to_string(), removal.cause, bytes));
    });
    (builder.build(), log)
}

fn causes(log: &Log) -> Vec<(String, Cause)> {
    let log = std::mem::take(&mut *log.lock().unwrap());
    log.into_iter()
        .map(|(key, cause, _)| (key, cause))
        .collect()
}

fn of(key: &str, cause: Cause) -> (String, Cause) {
    (key.to_string(), cause)
}

#[tokio::test(start_paused = true)]
async fn each_entry_that_leaves_is_told_with_its_cause() {
    let (backend, log) = logged(MemoryBackend::builder());
    let second = Some(Duration::from_secs(1));
    backend.set("a", "1st", None).await.unwrap();
    assert_eq!(causes(&log), []);
    backend.set("a", "2nd", second).await.unwrap();
    assert_eq!(log.lock().unwrap()[0].2, b"\x631st");
    assert_eq!(causes(&log), [of("a", Cause::Replaced)]);
    tokio::time::advance(Duration::from_secs(1)).await;
    backend.set("a", "3rd", None).await.unwrap();
    assert_eq!(causes(&log), [of("a", Cause::Expired)]);
    assert!(backend.delete("a").await.unwrap());
    assert_eq!(causes(&log), [of("a", Cause::Removed)]);
    backend.increment("hits", None).await.unwrap();
    backend.increment("hits", None).await.unwrap();
    assert_eq!(backend.take::<i64>("hits").await.unwrap(), Some(2));
    assert_eq!(log.lock().unwrap()[0].2, b"2");
    assert_eq!(causes(&log), [of("hits", Cause::Removed)]);
    backend.set("a", "4th", None).await.unwrap();
    backend.set("b", "5th", second).await.unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    backend.clear().await.unwrap();
    let mut cleared = causes(&log);
    cleared.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(cleared, [of("a", Cause::Removed), of("b", Cause::Expired)]);
}

#[tokio::test]
async fn the_sweep_tells_what_has_ended() {
    let (backend, log) = logged(MemoryBackend::builder());
    let moment = Some(Duration::from_millis(1));
    backend.set("a", 1, moment).await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while log.lock().unwrap().is_empty() {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(causes(&log), [of("a", Cause::Expired)]);
    assert_eq!((backend.stats().expired, backend.stats().entries), (1, 0));
}

#[test]
fn what_is_evicted_is_told() {
    let builder = MemoryBackend::builder().max_entries(1);
    let (backend, log) = logged(builder.eviction(Eviction::S3Fifo));
    now(backend.set("a", 1, None)).unwrap();
    now(backend.set("b", 1, None)).unwrap();
    assert_eq!(causes(&log), [of("a", Cause::Evicted)]);
}

#[test]
fn the_listener_may_use_the_store() {
    let slot = Arc::new(OnceLock::<MemoryBackend>::new());
    let own = slot.clone();
    let backend = MemoryBackend::builder()
        .max_entries(1)
        .eviction(Eviction::S3Fifo)
        .on_removal(move |removal| {
            if removal.cause == Cause::Removed {
                let backend = own.get().unwrap();
                now(backend.set("last", removal.key, None)).unwrap();
            }
        })
        .build();
    slot.set(backend.clone()).unwrap();
    now(backend.set("a", 1, None)).unwrap();
    assert!(now(backend.delete("a")).unwrap());
    let last = now(backend.get::<String>("last")).unwrap();
    assert_eq!(last.as_deref(), Some("a"));
}

#[test]
fn reads_of_values_are_hits_and_misses() {
    let backend = MemoryBackend::new();
    now(backend.set("a", 1, None)).unwrap();
    let counted = || (backend.stats().hits, backend.stats().misses);
    now(backend.get::<i32>("a")).unwrap();
    now(backend.get::<i32>("b")).unwrap();
    assert_eq!(counted(), (1, 1));
    now(backend.get_many::<i32>(&["a", "b", "c"])).unwrap();
    assert_eq!(counted(), (2, 3));
    now(backend.get_with_ttl::<i32>("a")).unwrap();
    now(backend.read_value("b", Touch::Extend(Duration::from_secs(1)))).unwrap();
    assert_eq!(counted(), (3, 4));
    now(backend.exists("a")).unwrap();
    now(backend.ttl("b")).unwrap();
    now(backend.increment("a", None)).unwrap();
    assert_eq!(counted(), (3, 4));
    now(backend.take::<i32>("a")).unwrap();
    now(backend.take::<i32>("a")).unwrap();
    assert_eq!(counted(), (4, 5));
    assert_eq!(backend.stats().hit_ratio(), 4.0 / 9.0);
}

#[test]
fn bytes_are_those_of_keys_and_values_and_a_fixed_number_more() {
    let backend = MemoryBackend::new();
    let bytes = || backend.stats().bytes;
    now(backend.set("key", "value", None)).unwrap();
    let one = bytes();
    now(backend.set("yek", "value", None)).unwrap();
    assert_eq!(bytes(), 2 * one);
    now(backend.set("key", "a longer value", None)).unwrap();
    assert_eq!(bytes(), 2 * one + "a longer ".len());
    let moment = Some(Duration::from_millis(1));
    now(backend.set("key", "value", moment)).unwrap();
    assert_eq!(bytes(), 2 * one);
    wait_until(|| backend.len() == 1);
    now(backend.clear()).unwrap();
    assert_eq!((bytes(), backend.stats().entries), (0, 0));
}
