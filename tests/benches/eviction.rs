//! The share of requests that the eviction policies answer when a cache can't hold everything.
//!
//! `cargo bench -p reinhardt-backends-tests --bench eviction -- [zipf] [scan] [loop]`
//!
//! Hit ratios, not speed. The requests are the same in every run; the numbers vary a little, as
//! hashers have random seeds.

use std::num::NonZeroUsize;

use futures::executor::block_on;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand_distr::{Distribution, Zipf};
use reinhardt_backends::{Backend, Eviction, MemoryBackend};
use reinhardt_backends_tests::measure::{Measured, Report, Run, Sweep, Unit};

/// A cache that is asked for keys. It decides by itself which of these keys it holds.
trait Policy {
    /// Says whether the cache holds the key. If not, offers the key to the cache.
    fn request(&mut self, key: u64) -> bool;
}

/// Makes a cache that holds so many entries.
type Make = fn(usize) -> Box<dyn Policy>;

/// The policies by name.
const POLICIES: [(&str, Make); 4] = [
    ("S3-FIFO (ours)", |entries| Box::new(Ours::new(entries))),
    ("LRU (lru)", |entries| Box::new(Lru::new(entries))),
    ("TinyLFU (moka)", |entries| Box::new(TinyLfu::new(entries))),
    ("S3-FIFO (quick_cache)", |entries| {
        Box::new(Quick::new(entries))
    }),
];

fn main() {
    let Some(run) = Run::from_arguments(1) else {
        return;
    };
    let mut report = Report::new("eviction");
    if run.wants("zipf") {
        for exponent in [0.8, 1.0, 1.2] {
            let title = format!("Hit ratio, Zipf {exponent}");
            report.sweep(&hit_ratios(&title, &zipf(exponent)));
        }
    }
    if run.wants("scan") {
        let title = "Hit ratio, Zipf 1 with scans of a third of all requests";
        report.sweep(&hit_ratios(title, &zipf_with_scans()));
    }
    if run.wants("loop") {
        let title = "Hit ratio, a loop over all keys";
        report.sweep(&hit_ratios(title, &round_and_round()));
    }
    report.finish();
}

fn hit_ratios(title: &str, requests: &[u64]) -> Sweep {
    let mut sweep = Sweep::new(title, Unit::Share);
    for percent in [1, 5, 20] {
        let entries = KEYS * percent / 100;
        let mut measured = Measured::default();
        for (name, policy) in POLICIES {
            let mut policy = policy(entries);
            let hits = requests.iter().filter(|key| policy.request(**key)).count();
            measured.add(name, vec![hits as f64 / requests.len() as f64]);
        }
        sweep.point(format!("room for {percent} %"), measured);
    }
    sweep
}

fn zipf(exponent: f64) -> Vec<u64> {
    let mut random = SmallRng::seed_from_u64(42);
    let ranks = Zipf::new(KEYS as f64, exponent).expect("a valid distribution");
    let rank = |_| ranks.sample(&mut random) as u64;
    (0..REQUESTS).map(rank).collect()
}

/// After every 100,000 requests come 50,000 for keys that are asked for this once.
fn zipf_with_scans() -> Vec<u64> {
    let mut scanned = KEYS as u64 + 1..;
    let mut requests = Vec::new();
    for chunk in zipf(1.0).chunks(100_000) {
        requests.extend(chunk);
        requests.extend(scanned.by_ref().take(50_000));
    }
    requests
}

fn round_and_round() -> Vec<u64> {
    let keys = 0..KEYS as u64;
    keys.cycle().take(REQUESTS).collect()
}

struct Ours(MemoryBackend);

impl Ours {
    fn new(entries: usize) -> Self {
        let builder = MemoryBackend::builder().max_entries(entries);
        Self(builder.eviction(Eviction::S3Fifo).build())
    }
}

impl Policy for Ours {
    fn request(&mut self, key: u64) -> bool {
        block_on(async {
            let key = key.to_string();
            let held = self.0.get_stored(&key).await.unwrap().is_some();
            if !held {
                self.0.set(&key, true, None).await.unwrap();
            }
            held
        })
    }
}

struct Lru(lru::LruCache<u64, ()>);

impl Lru {
    fn new(entries: usize) -> Self {
        let entries = NonZeroUsize::new(entries).expect("there is room");
        Self(lru::LruCache::new(entries))
    }
}

impl Policy for Lru {
    fn request(&mut self, key: u64) -> bool {
        let held = self.0.get(&key).is_some();
        if !held {
            self.0.put(key, ());
        }
        held
    }
}

struct TinyLfu(moka::future::Cache<u64, ()>);

impl TinyLfu {
    fn new(entries: usize) -> Self {
        Self(moka::future::Cache::new(entries as u64))
    }
}

impl Policy for TinyLfu {
    fn request(&mut self, key: u64) -> bool {
        block_on(async {
            let held = self.0.get(&key).await.is_some();
            if !held {
                self.0.insert(key, ()).await;
            }
            held
        })
    }
}

struct Quick(quick_cache::unsync::Cache<u64, ()>);

impl Quick {
    fn new(entries: usize) -> Self {
        Self(quick_cache::unsync::Cache::new(entries))
    }
}

impl Policy for Quick {
    fn request(&mut self, key: u64) -> bool {
        let held = self.0.get(&key).is_some();
        if !held {
            self.0.insert(key, ());
        }
        held
    }
}

const KEYS: usize = 100_000;
const REQUESTS: usize = 1_000_000;
