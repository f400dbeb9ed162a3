//! Writes that went on without their store, whose answers were lost, and that arrive late: nothing
//! that was removed is served again.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use reinhardt_backends::layer::Op;
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

/// A store that comes and goes, and executes writes late.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_that_was_removed_is_served_again() {
    let store = Late::new();
    let is_over = Arc::new(AtomicBool::new(false));
    let (breaking, until_over) = (store.clone(), is_over.clone());
    let breaking = tokio::spawn(async move {
        for _ in 0..60 {
            for is_late in [true, false] {
                breaking.turn(is_late);
                tokio::time::sleep(Duration::from_millis(fastrand::u64(5..40))).await;
            }
            breaking.deliver().await;
        }
        until_over.store(true, SeqCst);
    });
    let settle = async || {
        breaking.await.unwrap();
        store.deliver().await;
    };
    let (removals, failures) = removal_history::run(store.clone(), is_over, settle).await;
    assert!(
        removals > 500 && failures > 50,
        "{removals} removals, {failures} failures"
    );
}

/// A write by an older version of the program that is on its way is known to the newer one.
#[tokio::test]
async fn a_removal_knows_of_lost_writes_of_older_versions() {
    #[derive(Keyspace)]
    #[keyspace(prefix = "away.older", ttl = "5m", value = u32, on_unavailable = "miss")]
    struct First {
        id: u32,
    }
    #[derive(Debug, Clone, Copy, Keyspace)]
    #[keyspace(prefix = "away.older", ttl = "5m", value = u32, version = 2, migrates = First)]
    struct Second {
        id: u32,
    }
    let store = Late::new();
    let (first, second) = (First { id: 7 }, Second { id: 7 });
    store.turn(true);
    first.set(&store, 5).await.unwrap();
    store.turn(false);
    let removed = second.delete(&store).await.unwrap_err();
    assert!(removed.outcome_unknown(), "{removed}");
    let many = Second::delete_many(&store, [second]).await.unwrap_err();
    assert!(many.outcome_unknown());
    let cleared = Second::clear(&store).await.unwrap_err();
    assert!(cleared.outcome_unknown());
    assert!(second.take(&store).await.is_err());
    assert!(second.update(&store, |_| ()).await.is_err());
    assert!(second.set_if_absent(&store, 6).await.is_err());
    store.deliver().await;
    assert_eq!(second.get(&store).await.unwrap(), Some(5));
}

/// Of many writes those that were acknowledged aren't on their way.
#[tokio::test]
async fn of_many_writes_those_without_an_answer_are_on_their_way() {
    goes_on!(Price, "away.some");
    let backend = flaky();
    let lost = BackendError::new(ErrorKind::Timeout, "no answer").with_outcome_unknown();
    let lost = lost.with_failed_indices(vec![1]);
    backend.on(Op::WriteMany).nth(1).fail_with(lost);
    let (one, other) = (Price { article: 1 }, Price { article: 2 });
    Price::set_many(&backend, [(one, 1), (other, 2)])
        .await
        .unwrap();
    one.delete(&backend).await.unwrap();
    assert!(other.delete(&backend).await.unwrap_err().outcome_unknown());
}
