//! Primaries that fail, or give their place up.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reinhardt_backends::{Backend, ErrorKind, RedisBackend};
use reinhardt_backends_tests::Cluster;
use tokio::task::JoinHandle;

use super::{PATIENCE, builder};

/// The limit of a call.
const LIMIT: Duration = Duration::from_secs(1);
/// A call may end so much later where the machine has other work.
const SLACK: Duration = Duration::from_secs(4);

/// The counts that tasks have been told of, by key, and how many more may have been added.
type Counts = HashMap<String, (u64, u64)>;

/// Tasks that count on many keys of a cluster.
struct Traffic<'a> {
    cluster: &'a Cluster,
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Counts>>,
}

impl<'a> Traffic<'a> {
    /// Begins, and waits until all is under way.
    async fn begin(cluster: &'a Cluster, backend: &RedisBackend) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let counted = Arc::new(AtomicUsize::new(0));
        let tasks = (0..12).map(|task| {
            let count = count(task, backend.clone(), stop.clone(), counted.clone());
            tokio::spawn(count)
        });
        let tasks = tasks.collect();
        let deadline = Instant::now() + PATIENCE;
        while counted.load(Ordering::Relaxed) <= 100 {
            assert!(Instant::now() < deadline, "nothing is counted");
            tokio::task::yield_now().await;
        }
        Self {
            cluster,
            stop,
            tasks,
        }
    }

    /// Stops counting and compares the counters with what was told. Returns the number of
    /// increments that were acknowledged, and of those that are lost.
    async fn compared(self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        // A call of those that count has a brief limit.
        let backend = builder(&self.cluster.url(1)).build().await.unwrap();
        let (mut all, mut lost) = (0, 0);
        for task in self.tasks {
            for (key, (acknowledged, unknown)) in task.await.unwrap() {
                let count = backend.get::<u64>(&key).await.unwrap().unwrap_or(0);
                assert!(
                    count <= acknowledged + unknown,
                    "{key}: {count} of {acknowledged}"
                );
                all += acknowledged;
                lost += acknowledged.saturating_sub(count);
            }
        }
        (all, lost)
    }
}

/// Counts on many keys, until it is stopped.
async fn count(
    task: usize,
    backend: RedisBackend,
    stop: Arc<AtomicBool>,
    counted: Arc<AtomicUsize>,
) -> Counts {
    let mut counts = Counts::new();
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        round += 1;
        let key = format!("{task}:{}", round % 40);
        let begun = Instant::now();
        let outcome = backend.increment(&key, None).await;
        let took = begun.elapsed();
        assert!(took < LIMIT + SLACK, "{took:?}");
        let (acknowledged, unknown) = counts.entry(key).or_default();
        match outcome {
            Ok(_) => {
                *acknowledged += 1;
                counted.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                let kind = error.kind();
                let is_usual = matches!(kind, ErrorKind::Unavailable | ErrorKind::Timeout);
                assert!(is_usual, "{error}");
                let said = error.to_string();
                assert!(
                    !said.contains("MOVED") && !said.contains("CROSSSLOT"),
                    "{said}"
                );
                *unknown += u64::from(error.outcome_unknown());
            }
        }
        tokio::task::yield_now().await;
    }
    counts
}

/// Waits until a key of each slot range can be written.
async fn recovered(backend: &RedisBackend) {
    let deadline = Instant::now() + PATIENCE;
    for index in 0..60 {
        while let Err(error) = backend.set(&format!("r{index}"), 1, None).await {
            assert!(Instant::now() < deadline, "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_is_killed_is_replaced_under_traffic() {
    let cluster = Cluster::start();
    let backend = builder(&cluster.url(1))
        .call_timeout(LIMIT)
        .build()
        .await
        .unwrap();
    let traffic = Traffic::begin(&cluster, &backend).await;
    let replica = cluster.replica_of(0);
    cluster.kill(0);
    cluster.await_promoted(replica);
    recovered(&backend).await;
    let (all, lost) = traffic.compared().await;
    // Replication is asynchronous: what the primary acknowledged last may not have got through.
    assert!(all > 100 && lost * 10 < all, "{lost} of {all} are lost");
    assert!(
        backend
            .status()
            .nodes
            .iter()
            .any(|node| node.address == cluster.address(replica))
    );
    // Who was the primary comes back as a replica, and nobody notices.
    cluster.restart(0);
    cluster.await_ok();
    recovered(&backend).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_stands_still_is_replaced_under_traffic() {
    let cluster = Cluster::start();
    let backend = builder(&cluster.url(0))
        .call_timeout(LIMIT)
        .build()
        .await
        .unwrap();
    let traffic = Traffic::begin(&cluster, &backend).await;
    let replica = cluster.replica_of(0);
    cluster.pause(0);
    let deadline = Instant::now() + PATIENCE;
    while !cluster.command(replica, "ROLE").contains("master") {
        assert!(Instant::now() < deadline, "the replica isn't promoted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    recovered(&backend).await;
    cluster.resume(0);
    let (all, lost) = traffic.compared().await;
    assert!(all > 100 && lost * 10 < all, "{lost} of {all} are lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_that_was_asked_for_loses_nothing() {
    let cluster = Cluster::start();
    let backend = builder(&cluster.url(0)).build().await.unwrap();
    let traffic = Traffic::begin(&cluster, &backend).await;
    for primary in 0..3 {
        let replica = cluster.replica_of(primary);
        cluster.fail_over_to(replica);
    }
    recovered(&backend).await;
    let (_, lost) = traffic.compared().await;
    assert_eq!(lost, 0);
    // The nodes that have no slots any more aren't connected to for long.
    let deadline = Instant::now() + PATIENCE;
    while backend.status().nodes.len() != 3 {
        assert!(Instant::now() < deadline, "{:?}", backend.status().nodes);
        recovered(&backend).await;
    }
}
