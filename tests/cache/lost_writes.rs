//! Writes that went on without their store, whose answers were lost, and that arrive late: nothing
//! that was removed is served again.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use reinhardt_backends::store::{Store, StoreInfo};
use reinhardt_backends::{BackendResult, Counted, Expiry, KeyStream, Stored, Write};

use super::*;

/// The key and the value of a write.
type Lost = (String, Vec<u8>);

/// A memory whose writes may be executed late: their callers are told of a timeout, and all other
/// calls are answered.
#[derive(Clone)]
struct Late {
    memory: MemoryBackend,
    is_late: Arc<AtomicBool>,
    /// The writes that are on their way.
    writes: Arc<Mutex<Vec<Lost>>>,
}

impl Late {
    fn new() -> Self {
        let memory = MemoryBackend::new();
        std::mem::forget(memory.clone());
        Self {
            memory,
            is_late: Arc::default(),
            writes: Arc::default(),
        }
    }

    fn turn(&self, is_late: bool) {
        self.is_late.store(is_late, SeqCst);
    }

    /// Has the writes executed that are on their way.
    async fn deliver(&self) {
        let writes = std::mem::take(&mut *self.writes.lock().unwrap());
        for (key, value) in writes {
            let stored = self.memory.put(&key, &value, Write::new(Life::Never)).await;
            assert!(stored.unwrap());
        }
    }
}

#[async_trait]
impl Store for Late {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        self.memory.read(key).await
    }

    async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        if self.is_late.load(SeqCst) {
            let write = (key.to_string(), value.to_vec());
            self.writes.lock().unwrap().push(write);
            // Meanwhile others are under way, too.
            tokio::time::sleep(Duration::from_millis(3)).await;
            return Err(BackendError::new(ErrorKind::Timeout, "no answer").with_outcome_unknown());
        }
        Store::put(&self.memory, key, value, options).await
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        self.memory.remove(key, expected).await
    }

    async fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        Store::add(&self.memory, key, delta, ttl).await
    }

    async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool> {
        self.memory.set_life(key, life).await
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.memory.keys(prefix)
    }

    fn info(&self) -> StoreInfo {
        self.memory.info()
    }
}

#[tokio::test]
async fn a_removal_after_a_write_that_was_lost_is_not_acknowledged() {
    goes_on!(Price, "away.late");
    for computes in [false, true] {
        let store = Late::new();
        let (price, other) = (Price { article: 7 }, Price { article: 8 });
        assert_eq!(price.get(&store).await.unwrap(), None);
        store.turn(true);
        match computes {
            false => price.set(&store, 5).await.unwrap(),
            true => {
                // The lookup is answered, and the write isn't.
                store.turn(false);
                let compute = async || {
                    store.turn(true);
                    5
                };
                assert_eq!(price.get_or_compute(&store, compute).await.unwrap(), 5);
            }
        }
        store.turn(false);
        let removed = price.delete(&store).await.unwrap_err();
        assert!(
            removed.is_transient() && removed.outcome_unknown(),
            "{removed}"
        );
        let many = Price::delete_many(&store, [other, price]).await;
        assert!(many.unwrap_err().outcome_unknown());
        assert!(Price::clear(&store).await.unwrap_err().outcome_unknown());
        for refused in [
            price.take(&store).await.map(drop),
            price.set_if_absent(&store, 6).await.map(drop),
            price.set_if_present(&store, 6).await.map(drop),
            price.update(&store, |_| ()).await.map(drop),
        ] {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(!error.outcome_unknown(), "nothing was changed");
        }
        // Of other keys, and of keys of other keyspaces, nothing is lost.
        other.delete(&store).await.unwrap();
        PLAIN.delete(&store).await.unwrap();
        store.deliver().await;
        until(
            "it has come, after removals that were no success",
            async || price.get(&store).await.unwrap() == Some(5),
        )
        .await;
    }
}

/// Many callers, and a store that comes and goes and executes writes late: a history in which
/// nothing that was removed for certain is served again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_that_was_removed_is_served_again() {
    goes_on!(Price, "away.history");
    let store = Late::new();
    let (breaking, is_over) = (store.clone(), Arc::new(AtomicBool::new(false)));
    let until_over = is_over.clone();
    let breaking = tokio::spawn(async move {
        while !until_over.load(SeqCst) {
            for is_late in [true, false] {
                breaking.turn(is_late);
                tokio::time::sleep(Duration::from_millis(fastrand::u64(5..40))).await;
            }
            breaking.deliver().await;
        }
    });
    let callers = (0..16).map(|caller| {
        let store = store.clone();
        tokio::spawn(async move {
            let (mut removals, mut served) = (0, 0);
            for round in 0..50 {
                let price = Price {
                    article: caller * 1000 + round,
                };
                let mut removed = 0;
                for number in 0..20 {
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..3))).await;
                    if number % 2 == 0 {
                        price.set(&store, number).await.unwrap();
                    }
                    let found = price.get_or_compute(&store, async || number).await.unwrap();
                    assert!(found >= removed, "{found} after {removed} was removed");
                    served += u32::from(found < number);
                    if price.delete(&store).await.is_ok() {
                        (removed, removals) = (number + 1, removals + 1);
                        assert_eq!(price.get(&store).await.unwrap(), None);
                    }
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
                let found = price.get(&store).await.unwrap();
                assert!(
                    found.is_none_or(|found| found >= removed),
                    "{found:?} came late"
                );
            }
            (removals, served)
        })
    });
    let (mut removals, mut served) = (0, 0);
    for caller in callers.collect::<Vec<_>>() {
        let (removed, old) = caller.await.unwrap();
        (removals, served) = (removals + removed, served + old);
    }
    is_over.store(true, SeqCst);
    breaking.await.unwrap();
    assert!(
        removals > 1000 && served > 0,
        "{removals} removals, {served} old values"
    );
}
