//! A history of writes and removals by tasks of their own, in which nothing that was removed for
//! certain is served again.

use std::sync::atomic::{AtomicBool, AtomicU32};

use super::*;

goes_on!(Price, "away.history");

/// The writes and removals of one key. Each write has a number of its own, which it stores.
struct KeyHistory {
    price: Price,
    begun: AtomicU32,
    /// The number of the last write that has returned: it is the only one at a time.
    completed: AtomicU32,
    /// Smaller numbers were removed for certain.
    floor: AtomicU32,
    removals: AtomicU32,
    failures: AtomicU32,
}

impl KeyHistory {
    fn new(article: u32) -> Arc<Self> {
        Arc::new(Self {
            price: Price { article },
            begun: AtomicU32::new(0),
            completed: AtomicU32::new(0),
            floor: AtomicU32::new(0),
            removals: AtomicU32::new(0),
            failures: AtomicU32::new(0),
        })
    }

    /// Stores the next number, or computes it if nothing is there.
    async fn write(&self, backend: &impl Backend) {
        let number = self.begun.fetch_add(1, SeqCst) + 1;
        let floor = self.floor.load(SeqCst);
        if number.is_multiple_of(2) {
            self.price.set(backend, number).await.unwrap();
        } else {
            let found = self.price.get_or_compute(backend, async || number).await;
            self.check(found.unwrap(), floor);
        }
        self.completed.store(number, SeqCst);
    }

    /// Removes the entry, with all that was written before this call began.
    async fn remove(&self, backend: &impl Backend) {
        let before = self.completed.load(SeqCst);
        match self.price.delete(backend).await {
            Ok(_) => {
                self.floor.fetch_max(before + 1, SeqCst);
                self.removals.fetch_add(1, SeqCst);
            }
            Err(error) => {
                let kind = error.kind();
                assert!(
                    matches!(kind, ErrorKind::Unavailable | ErrorKind::Timeout),
                    "{error}"
                );
                self.failures.fetch_add(1, SeqCst);
            }
        }
    }

    async fn read(&self, backend: &impl Backend) {
        let floor = self.floor.load(SeqCst);
        let found = self.price.get(backend).await.unwrap();
        if let Some(found) = found {
            self.check(found, floor);
        }
    }

    fn check(&self, found: u32, floor: u32) {
        let price = self.price;
        assert!(
            found >= floor,
            "{price:?}: {found} after all below {floor} was removed"
        );
    }
}

/// Writes, removes and reads until `is_over`, each key by three tasks; then has `settle` bring back
/// the store and all that is on its way, and looks at each key once more.
///
/// Returns the numbers of removals and of removals that failed.
pub(super) async fn run<B: Backend + Clone + 'static>(
    backend: B,
    is_over: Arc<AtomicBool>,
    settle: impl AsyncFnOnce(),
) -> (u32, u32) {
    let mut keys: Vec<Arc<KeyHistory>> = Vec::new();
    while !is_over.load(SeqCst) {
        let round: Vec<_> = (0..16)
            .map(|at| KeyHistory::new(u32::try_from(keys.len()).unwrap() + at))
            .collect();
        let tasks = round.iter().flat_map(|key| {
            [0, 1, 2].map(|task| {
                let (key, backend) = (key.clone(), backend.clone());
                tokio::spawn(async move {
                    for _ in 0..20 {
                        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..4))).await;
                        match task {
                            0 => key.write(&backend).await,
                            1 => key.remove(&backend).await,
                            _ => key.read(&backend).await,
                        }
                    }
                })
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        keys.extend(round);
    }
    settle().await;
    until("the store is asked again", async || {
        Price { article: u32::MAX }.set(&backend, 1).await.unwrap();
        Price { article: u32::MAX }
            .get(&backend)
            .await
            .unwrap()
            .is_some()
    })
    .await;
    for key in &keys {
        key.read(&backend).await;
    }
    let sum = |count: fn(&KeyHistory) -> &AtomicU32| {
        let counts = keys.iter().map(|key| count(key).load(SeqCst));
        counts.sum::<u32>()
    };
    (sum(|key| &key.removals), sum(|key| &key.failures))
}
