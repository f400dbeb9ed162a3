//! A primary that fails or gives its place up is replaced while the cluster is used for all that it
//! can do.

use std::time::{Duration, Instant};

use reinhardt_backends::{Backend, RedisBackend};
use reinhardt_backends_tests::{Cluster, Traffic};

use super::PATIENCE;

/// Waits until a key of each slot range can be written.
async fn recovered(backend: &RedisBackend) {
    let deadline = Instant::now() + PATIENCE;
    for index in 0..60 {
        while let Err(error) = backend.set(&format!("r{index}"), 1, None).await {
            assert!(Instant::now() < deadline, "{error}");
        }
    }
}

/// Replication is asynchronous: the last writes that a primary acknowledged may be lost with it.
/// Writes that had reached its replica are there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_is_killed_is_replaced_under_traffic() {
    let cluster = Cluster::start();
    let traffic = Traffic::begin_with_losses(&cluster.url(1)).await;
    let replica = cluster.replica_of(0);
    traffic.replicate(|| cluster.replicate(0));
    cluster.kill(0);
    let killed = Instant::now();
    recovered(traffic.backend()).await;
    println!("every slot is written again after {:?}", killed.elapsed());
    cluster.await_promoted(replica);
    traffic.go_on().await;
    let nodes = traffic.backend().status().nodes;
    let is_used = |index| {
        let address = cluster.address(index);
        nodes.iter().any(|node| node.address == address)
    };
    assert!(is_used(replica) && !is_used(0), "{nodes:?}");
    // The old primary comes back as a replica, and no caller notices.
    cluster.restart(0);
    cluster.await_ok();
    traffic.go_on().await;
    println!("{:?}", traffic.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_stands_still_is_replaced_under_traffic() {
    let cluster = Cluster::start();
    let traffic = Traffic::begin_with_losses(&cluster.url(1)).await;
    let replica = cluster.replica_of(0);
    traffic.replicate(|| cluster.replicate(0));
    cluster.pause(0);
    let deadline = Instant::now() + PATIENCE;
    while !cluster.command(replica, "ROLE").contains("master") {
        assert!(Instant::now() < deadline, "the replica isn't promoted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    traffic.go_on().await;
    cluster.resume(0);
    traffic.go_on().await;
    println!("{:?}", traffic.end().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_that_was_asked_for_loses_nothing() {
    let cluster = Cluster::start();
    let traffic = Traffic::begin(&cluster.url(1)).await;
    for primary in 0..3 {
        let replica = cluster.replica_of(primary);
        cluster.fail_over_to(replica);
        traffic.go_on().await;
    }
    // The nodes that have no slots any more aren't connected to for long.
    let backend = traffic.backend();
    let deadline = Instant::now() + PATIENCE;
    while backend.status().nodes.len() != 3 {
        assert!(Instant::now() < deadline, "{:?}", backend.status().nodes);
        recovered(backend).await;
    }
    assert_eq!(traffic.end().await.lost, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_move_there_and_back_lose_nothing() {
    let cluster = Cluster::of_primaries(3, &[]);
    let traffic = Traffic::begin(&cluster.url(1)).await;
    for _ in 0..2 {
        for index in 0..20 {
            // Some entries of every kind.
            for key in ["hits", "calls", "cart", "page"] {
                let slot = cluster.slot_of(&format!("reinhardt:traffic-{key}:{index}"));
                let home = cluster.owner_of(slot);
                for to in [(home + 1) % 3, home] {
                    cluster.move_slot(slot, to);
                }
            }
        }
        traffic.go_on().await;
    }
    assert!(traffic.backend().status().redirections > 0);
    assert_eq!(traffic.end().await.lost, 0);
}
