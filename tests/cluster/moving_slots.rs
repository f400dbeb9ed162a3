//! Slots move from one node to another while they are in use, and nothing is lost or missed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use reinhardt_backends::store::{NewEntry, Store};
use reinhardt_backends::{Backend, Expiry, Life};
use reinhardt_backends_tests::Cluster;

use super::builder;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_go_on_while_their_slot_moves_there_and_back() {
    let cluster = Arc::new(Cluster::of_primaries(2, &[]));
    let backend = builder(&cluster.url(0)).build().await.unwrap();
    let slot = cluster.slot_of("{t}");
    let home = cluster.owner_of(slot);
    let has_moved = Arc::new(AtomicBool::new(false));
    let counting: Vec<_> = (0..16)
        .map(|counter| {
            let (backend, has_moved) = (backend.clone(), has_moved.clone());
            tokio::spawn(async move {
                let key = format!("{{t}}:{counter}");
                let mut count = 0;
                while !has_moved.load(Ordering::Relaxed) {
                    count += 1;
                    assert_eq!(backend.increment(&key, None).await.unwrap(), count);
                    assert_eq!(backend.get::<i64>(&key).await.unwrap(), Some(count));
                }
                count
            })
        })
        .collect();
    let moving = cluster.clone();
    let moved = tokio::task::spawn_blocking(move || {
        for _ in 0..3 {
            for to in [1 - home, home] {
                moving.begin_move(slot, to);
                while moving.move_keys(slot, to, 2) > 0 {}
                moving.finish_move(slot, to);
            }
        }
    });
    moved.await.unwrap();
    has_moved.store(true, Ordering::Relaxed);
    let mut total = 0;
    for counting in counting {
        total += counting.await.unwrap();
    }
    assert!(total > 100, "{total}");
    assert!(backend.status().redirections > 0);
}

#[tokio::test]
async fn the_keys_of_an_open_slot_are_found_on_either_node() {
    let cluster = Cluster::of_primaries(2, &[]);
    let backend = builder(&cluster.url(0)).build().await.unwrap();
    let keys: Vec<String> = (0..20).map(|index| format!("{{t}}:{index}")).collect();
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    let entries: Vec<(&str, usize)> = names.iter().copied().zip(0..).collect();
    backend.set_many(&entries, None).await.unwrap();
    let slot = cluster.slot_of("{t}");
    let to = 1 - cluster.owner_of(slot);
    cluster.begin_move(slot, to);
    assert_eq!(cluster.move_keys(slot, to, 10), 10);
    let all = backend.get_many::<usize>(&names).await.unwrap();
    assert!(all.into_iter().eq((0..20).map(Some)));
    for (key, value) in &entries {
        assert_eq!(backend.get::<usize>(key).await.unwrap(), Some(*value));
        assert_eq!(backend.ttl(key).await.unwrap(), Some(Expiry::Never));
        let (read, expiry) = backend.get_with_ttl::<usize>(key).await.unwrap().unwrap();
        assert_eq!((read, expiry), (*value, Expiry::Never));
    }
    assert!(backend.status().redirections > 0);
    // A key that is on neither node yet is written to the node that gets the slot.
    assert!(backend.set_if_absent("{t}:new", 1, None).await.unwrap());
    assert_eq!(backend.increment("{t}:count", None).await.unwrap(), 1);
    assert_eq!(backend.take::<u8>("{t}:new").await.unwrap(), Some(1));
    assert_eq!(backend.delete_many(&names).await.unwrap(), 20);
    backend.set_many(&entries, None).await.unwrap();
    while cluster.move_keys(slot, to, 100) > 0 {}
    cluster.finish_move(slot, to);
    let all = backend.get_many::<usize>(&names).await.unwrap();
    assert!(all.into_iter().eq((0..20).map(Some)));
    assert_eq!(backend.increment("{t}:count", None).await.unwrap(), 2);
}

/// A node is connected to once, however often others send a call on to it.
#[tokio::test]
async fn a_slot_moves_to_a_node_that_serves_none_yet() {
    let cluster = Cluster::with_a_spare_node();
    let backend = builder(&cluster.url(0)).client_name("asks");
    let backend = backend.build().await.unwrap();
    let keys: Vec<String> = (0..20).map(|index| format!("{{t}}:{index}")).collect();
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    let entries: Vec<(&str, usize)> = names.iter().copied().zip(0..).collect();
    backend.set_many(&entries, None).await.unwrap();
    let slot = cluster.slot_of("{t}");
    cluster.begin_move(slot, 2);
    assert_eq!(cluster.move_keys(slot, 2, 10), 10);
    for _ in 0..3 {
        for (key, value) in &entries {
            assert_eq!(backend.get::<usize>(key).await.unwrap(), Some(*value));
        }
    }
    let all = backend.get_many::<usize>(&names).await.unwrap();
    assert!(all.into_iter().eq((0..20).map(Some)));
    assert_eq!(backend.increment("{t}:count", None).await.unwrap(), 1);
    let connections = || {
        let clients = cluster.command(2, "CLIENT LIST");
        clients.matches("name=asks").count()
    };
    assert_eq!(connections(), 1);
    while cluster.move_keys(slot, 2, 10) > 0 {}
    cluster.finish_move(slot, 2);
    let all = backend.get_many::<usize>(&names).await.unwrap();
    assert!(all.into_iter().eq((0..20).map(Some)));
    assert_eq!(backend.increment("{t}:count", None).await.unwrap(), 2);
    assert_eq!(connections(), 1);
    assert_eq!(backend.clear_prefix("").await.unwrap(), 21);
}

/// The two are on two nodes meanwhile, and no script may name both.
#[tokio::test]
async fn an_entry_moves_within_a_slot_that_is_open() {
    let cluster = Cluster::of_primaries(2, &[]);
    let backend = builder(&cluster.url(0)).build().await.unwrap();
    let slot = cluster.slot_of("{t}");
    let to = 1 - cluster.owner_of(slot);
    for has_moved in [false, true] {
        backend.set("{t}:from", "old", None).await.unwrap();
        let (old, _) = backend.read("{t}:from").await.unwrap().unwrap();
        cluster.begin_move(slot, to);
        if has_moved {
            cluster.move_keys(slot, to, 1);
        }
        let new = NewEntry {
            key: "{t}:to",
            value: b"new",
            life: Life::Never,
        };
        let moved = backend
            .move_entry("{t}:from", old.as_bytes(), new, None)
            .await;
        assert!(moved.unwrap());
        assert!(!backend.exists("{t}:from").await.unwrap());
        assert!(backend.delete("{t}:to").await.unwrap());
        cluster.command(to, &format!("CLUSTER SETSLOT {slot} STABLE"));
        cluster.command(1 - to, &format!("CLUSTER SETSLOT {slot} STABLE"));
    }
}

/// A backend that only walks never meets a `MOVED`.
#[tokio::test]
async fn a_walk_goes_to_the_nodes_that_serve_the_slots_now() {
    let cluster = Cluster::start();
    let backend = builder(&cluster.url(0)).build().await.unwrap();
    backend.clear().await.unwrap();
    for primary in 0..3 {
        cluster.fail_over_to(cluster.replica_of(primary));
    }
    let other = builder(&cluster.url(0)).build().await.unwrap();
    let keys: Vec<String> = (0..50).map(|index| format!("k{index}")).collect();
    let entries: Vec<(&str, u8)> = keys.iter().map(|key| (key.as_str(), 1)).collect();
    other.set_many(&entries, None).await.unwrap();
    assert_eq!(backend.scan("").count().await, 50);
    assert_eq!(backend.clear_prefix("").await.unwrap(), 50);
    assert!(!other.exists("k7").await.unwrap());
}
