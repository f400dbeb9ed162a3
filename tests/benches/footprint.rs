//! The memory that a million entries take: row M6 of the goals.
//!
//! `cargo bench -p reinhardt-backends-tests --bench footprint -- [ROUNDS]`
//!
//! Each store is filled in a process of its own, because an allocator keeps what an earlier one has
//! freed.

use std::env;
use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use dashmap::DashMap;
use quick_cache::UnitWeighter;
use reinhardt_backends::{Backend, Life, MemoryBackend, Write};
use reinhardt_backends_tests::measure::Bound::AtMost;
use reinhardt_backends_tests::measure::{
    Cases, Report, Run, Table, Unit, in_own_process, resident_bytes,
};
use tokio::runtime::Builder;
use tokio::time::Instant;

fn main() {
    let mut arguments = env::args().skip(1);
    if let (Some(FILL), Some(store)) = (arguments.next().as_deref(), arguments.next()) {
        println!("{}", bytes_each(&store));
        return;
    }
    let Some(run) = Run::from_arguments(3) else {
        return;
    };
    let mut report = Report::new("footprint");
    let mut cases = Cases::new();
    cases.case(PAYLOAD, || (KEY + VALUE) as f64);
    for (name, _) in STORES {
        cases.case(name, move || {
            let bytes = in_own_process(&[FILL, name]);
            bytes.parse().expect("the filled process prints a number")
        });
    }
    let title = "M6: memory per entry of a million, 24-byte keys, 77-byte values";
    let table = Table::new(title, Unit::Bytes, cases.measure(run.rounds()))
        .ratios_to(PAYLOAD)
        .goal("MemoryBackend", AtMost(1.8), PAYLOAD);
    report.table(&table);
    report.finish();
}

fn bytes_each(store: &str) -> f64 {
    let found = STORES.iter().find(|(name, _)| *name == store);
    let (_, fill) = found.expect("a store that is known");
    // The memory that the process needs for itself is there before.
    drop(entries().take(1000).collect::<Vec<_>>());
    let before = resident_bytes();
    let filled = fill();
    let after = resident_bytes();
    black_box(filled);
    (after - before) / ENTRIES as f64
}

/// Fills a store and returns it, lest it be dropped.
type Fill = fn() -> Box<dyn std::any::Any>;

const STORES: [(&str, Fill); 4] = [
    ("MemoryBackend", || Box::new(memory_backend())),
    (
        "DashMap of (String, Bytes, Instant)",
        || Box::new(dashmap()),
    ),
    ("moka", || Box::new(moka())),
    ("quick_cache", || Box::new(quick_cache())),
];

fn memory_backend() -> MemoryBackend {
    let backend = MemoryBackend::new();
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be built").block_on(async {
        for (key, value) in entries() {
            let options = Write::new(Life::In(TTL));
            backend.write(&key, &value, options).await.unwrap();
        }
    });
    assert_eq!(backend.len(), ENTRIES);
    backend
}

fn dashmap() -> DashMap<String, (Bytes, Instant), foldhash::fast::RandomState> {
    let map = DashMap::default();
    for (key, value) in entries() {
        let end = Instant::now() + TTL;
        map.insert(key, (Bytes::copy_from_slice(&value), end));
    }
    assert_eq!(map.len(), ENTRIES);
    map
}

fn moka() -> moka::future::Cache<String, Bytes> {
    let cache = moka::future::Cache::builder().max_capacity(100 * ENTRIES as u64);
    let cache = cache.expire_after(EndsAfter(TTL)).build();
    futures::executor::block_on(async {
        for (key, value) in entries() {
            cache.insert(key, Bytes::copy_from_slice(&value)).await;
        }
        cache.run_pending_tasks().await;
    });
    assert_eq!(cache.entry_count(), ENTRIES as u64);
    cache
}

fn quick_cache() -> quick_cache::sync::Cache<String, (Bytes, Instant)> {
    // Room for all of them, however they are spread over its shards.
    let room = 2 * ENTRIES as u64;
    let cache = quick_cache::sync::Cache::with(
        ENTRIES,
        room,
        UnitWeighter,
        Default::default(),
        Default::default(),
    );
    for (key, value) in entries() {
        let end = Instant::now() + TTL;
        cache.insert(key, (Bytes::copy_from_slice(&value), end));
    }
    assert_eq!(cache.len(), ENTRIES);
    cache
}

struct EndsAfter(Duration);

impl moka::Expiry<String, Bytes> for EndsAfter {
    fn expire_after_create(
        &self,
        _key: &String,
        _value: &Bytes,
        _created: std::time::Instant,
    ) -> Option<Duration> {
        Some(self.0)
    }
}

fn entries() -> impl Iterator<Item = (String, [u8; VALUE])> {
    let mut random = fastrand::Rng::with_seed(42);
    (0..ENTRIES).map(move |_| {
        let key = format!("session:{:016x}", random.u64(..));
        assert_eq!(key.len(), KEY);
        (key, [b'x'; VALUE])
    })
}

const FILL: &str = "--fill";
const PAYLOAD: &str = "key and value";
const ENTRIES: usize = 1_000_000;
const KEY: usize = 24;
const VALUE: usize = 77;
const TTL: Duration = Duration::from_secs(30 * 60);
