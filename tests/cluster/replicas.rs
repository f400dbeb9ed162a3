//! A handle that reads from replicas sends plain reads to the replicas of a cluster.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use reinhardt_backends::{Backend, ErrorKind, ReadFrom, RedisBackend};
use reinhardt_backends_tests::{Cluster, eventually};

use super::builder;

/// The keys are on every node.
const KEYS: usize = 300;

fn keys() -> Vec<String> {
    (0..KEYS).map(|index| format!("k{index}")).collect()
}

/// Connects, writes the keys, and waits until all replicas have them.
async fn written(cluster: &Cluster) -> RedisBackend {
    let backend = builder(&cluster.url(0)).build().await.unwrap();
    let keys = keys();
    let entries: Vec<_> = keys.iter().map(|key| (key.as_str(), 7)).collect();
    backend.set_many(&entries, None).await.unwrap();
    (0..3).for_each(|primary| cluster.replicate(primary));
    backend
}

/// Reads all keys, and returns how many were found.
async fn found(backend: &RedisBackend) -> usize {
    let keys = keys();
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    let all = backend.get_many::<u8>(&names).await.unwrap();
    all.iter().flatten().count()
}

#[tokio::test]
async fn the_replicas_answer_plain_reads() {
    let cluster = Cluster::start();
    let backend = written(&cluster).await;
    let handle = backend.reading_from(ReadFrom::Replica);
    assert_eq!(found(&handle).await, KEYS);
    // The replicas lose all entries, so that they can be told from the primaries.
    for primary in 0..3 {
        let replica = cluster.replica_of(primary);
        cluster.command(replica, "CONFIG SET replica-read-only no");
        cluster.command(replica, "FLUSHALL");
    }
    eventually(async || found(&handle).await == 0).await;
    for key in keys() {
        assert_eq!(handle.get::<u8>(&key).await.unwrap(), None);
        assert!(!handle.exists(&key).await.unwrap());
        assert_eq!(handle.get_with_ttl::<u8>(&key).await.unwrap(), None);
    }
    assert_eq!(handle.scan("").count().await, 0);
    assert_eq!(backend.scan("").count().await, KEYS);
    assert_eq!(found(&backend).await, KEYS);
    let status = backend.status();
    let (replicas, primaries): (Vec<_>, Vec<_>) =
        status.nodes.iter().partition(|node| node.is_replica);
    assert_eq!((primaries.len(), replicas.len()), (3, 3), "{status:?}");
    let slots: Vec<usize> = primaries.iter().map(|node| node.slots).collect();
    assert_eq!(slots.iter().sum::<usize>(), 16_384, "{slots:?}");
    assert!(status.refreshes > 0 && status.is_connected(), "{status:?}");
    // Calls that decide something are decided by the primaries.
    assert_eq!(handle.take::<u8>("k1").await.unwrap(), Some(7));
    handle.clear().await.unwrap();
    assert_eq!(found(&backend).await, 0);
}

#[tokio::test]
async fn replicas_that_are_down_mean_the_primaries() {
    let cluster = Cluster::start();
    let backend = written(&cluster).await;
    let handle = backend.reading_from(ReadFrom::Replica);
    assert_eq!(found(&handle).await, KEYS);
    let replicas = [0, 1, 2].map(|primary| cluster.replica_of(primary));
    replicas.iter().for_each(|replica| cluster.kill(*replica));
    let all_found = async |handle: &RedisBackend| {
        for key in keys() {
            assert_eq!(handle.get::<u8>(&key).await.unwrap(), Some(7));
        }
        assert_eq!(found(handle).await, KEYS);
        let scanned: Vec<String> = handle.scan("").try_collect().await.unwrap();
        assert_eq!(scanned.len(), KEYS);
    };
    all_found(&handle).await;
    // Also where nobody has seen them: the map doesn't show those that failed.
    let failed = |node: &str| node.contains("slave") && node.contains("fail");
    eventually(async || {
        let nodes = cluster.command(0, "CLUSTER NODES");
        nodes.lines().filter(|line| failed(line)).count() == 3
    })
    .await;
    let other = builder(&cluster.url(0)).build().await.unwrap();
    all_found(&other.reading_from(ReadFrom::Replica)).await;
}

#[tokio::test]
async fn a_handle_on_a_cluster_without_replicas_is_told_so() {
    let cluster = Cluster::of_primaries(2, &[]);
    let backend = builder(&cluster.url(0)).build().await.unwrap();
    let handle = backend.reading_from(ReadFrom::Replica);
    let errors = [
        handle.get::<u8>("k").await.unwrap_err(),
        handle.get_many::<u8>(&["k", "l"]).await.unwrap_err(),
        handle.scan("").try_collect::<Vec<_>>().await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        let said = error.to_string();
        assert!(said.contains("the cluster has no replicas"), "{said}");
    }
    assert_eq!(backend.get::<u8>("k").await.unwrap(), None);
}

/// The replica goes on answering until it is the primary.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_reads_go_on_while_a_primary_is_replaced() {
    let cluster = Cluster::start();
    let backend = written(&cluster).await;
    let handle = backend.reading_from(ReadFrom::Replica);
    eventually(async || {
        assert_eq!(found(&handle).await, KEYS);
        let nodes = backend.status().nodes.into_iter();
        let up = nodes.filter(|node| node.is_replica && node.connections > 0);
        up.count() == 3
    })
    .await;
    let replica = cluster.replica_of(0);
    cluster.kill(0);
    let mut reads = 0;
    eventually(async || {
        for key in keys() {
            assert_eq!(handle.get::<u8>(&key).await.unwrap(), Some(7));
        }
        reads += 1;
        cluster.command(replica, "ROLE").contains("master")
    })
    .await;
    println!("{reads} times");
    assert_eq!(found(&handle).await, KEYS);
}

/// The rights that the documentation names are enough.
#[tokio::test]
async fn a_user_with_the_documented_rights_reads_from_replicas() {
    let page = include_str!("../../backends/docs/redis.md");
    let mut lines = page.lines();
    let user = lines.find(|line| line.starts_with("ACL SETUSER app"));
    assert!(page.contains("and `+readonly` on the"));
    let user = format!(
        "{} +cluster|slots +cluster|nodes +asking +readonly",
        user.unwrap()
    );
    let cluster = Cluster::start();
    for node in 0..cluster.count() {
        assert_eq!(cluster.command(node, &user), "");
    }
    drop(written(&cluster).await);
    for primary in 0..3 {
        let replica = cluster.replica_of(primary);
        cluster.command(replica, "CONFIG SET replica-read-only no");
        cluster.command(replica, "FLUSHALL");
    }
    let url = cluster.url(0).replace("://", "://app:secret@");
    let backend = builder(&url).build().await.unwrap();
    let handle = backend.reading_from(ReadFrom::Replica);
    eventually(async || found(&handle).await == 0).await;
    assert_eq!(handle.get_with_ttl::<u8>("k1").await.unwrap(), None);
    assert_eq!(handle.scan("").count().await, 0);
    assert_eq!(found(&backend).await, KEYS);
}

/// A shard without a replica is read from its primary, and no replica is looked for all the time.
#[tokio::test]
async fn a_shard_may_have_no_replica() {
    let cluster = Cluster::start();
    let backend = written(&cluster).await;
    let handle = backend.reading_from(ReadFrom::Replica);
    eventually(async || {
        assert_eq!(found(&handle).await, KEYS);
        backend
            .status()
            .nodes
            .iter()
            .filter(|node| node.is_replica)
            .count()
            == 3
    })
    .await;
    cluster.kill(cluster.replica_of(0));
    eventually(async || {
        assert_eq!(found(&handle).await, KEYS);
        let told = cluster.command(0, "CLUSTER NODES");
        told.lines().any(|line| line.contains("slave,fail "))
    })
    .await;
    // Until the map is read that leaves it out.
    eventually(async || {
        assert_eq!(found(&handle).await, KEYS);
        let nodes = backend.status().nodes.into_iter();
        nodes.filter(|node| node.is_replica).count() == 2
    })
    .await;
    let before = backend.status().refreshes;
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        for key in keys() {
            assert_eq!(handle.get::<u8>(&key).await.unwrap(), Some(7));
        }
    }
    let refreshes = backend.status().refreshes - before;
    assert!(refreshes <= 2, "{refreshes}");
}
