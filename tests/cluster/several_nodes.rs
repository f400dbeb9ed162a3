//! Calls that ask several nodes at once answer as those that ask one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use reinhardt_backends::store::{NewEntry, Store};
use reinhardt_backends::{Backend, ErrorKind, Life};
use reinhardt_backends_tests::Cluster;

use super::builder;

#[tokio::test]
async fn many_keys_are_read_in_their_order() {
    let cluster = Cluster::shared();
    let backend = cluster.connect().await;
    let keys: Vec<String> = (0..2500).map(|index| format!("k{index}")).collect();
    let entries: Vec<(&str, usize)> = keys
        .iter()
        .map(String::as_str)
        .zip(0..)
        .filter(|(_, index)| index % 3 != 0)
        .collect();
    backend.set_many(&entries, None).await.unwrap();
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    let all = backend.get_many::<usize>(&names).await.unwrap();
    let expected = (0..2500).map(|index| (index % 3 != 0).then_some(index));
    assert!(all.into_iter().eq(expected));
    let twice = [names[1], names[0], names[1]];
    assert_eq!(
        backend.get_many::<usize>(&twice).await.unwrap(),
        [Some(1), None, Some(1)]
    );
    let removed = backend.delete_many(&names).await.unwrap();
    assert_eq!(removed as usize, entries.len());
    assert_eq!(backend.scan("").count().await, 0);
}

#[tokio::test]
async fn of_equal_keys_the_last_is_written() {
    let cluster = Cluster::shared();
    let backend = cluster.connect().await;
    for round in 0..20 {
        let entries: Vec<(&str, u32)> =
            (0..60).map(|index| ("same", round * 100 + index)).collect();
        backend.set_many(&entries, None).await.unwrap();
        let last = backend.get::<u32>("same").await.unwrap();
        assert_eq!(last, Some(round * 100 + 59));
    }
}

#[tokio::test]
async fn what_failed_of_many_writes_is_told_by_index() {
    let cluster = Cluster::of_primaries(2, &[]);
    let limit = Duration::from_secs(1);
    let backend = builder(&cluster.url(0))
        .call_timeout(limit)
        .build()
        .await
        .unwrap();
    let keys: Vec<String> = (0..40).map(|index| format!("k{index}")).collect();
    let lost: BTreeSet<usize> = (0..40)
        .filter(|index| {
            let slot = cluster.slot_of(&format!("reinhardt:k{index}"));
            cluster.owner_of(slot) == 1
        })
        .collect();
    assert!(!lost.is_empty() && lost.len() < 40);
    cluster.kill(1);
    let entries: Vec<(&str, u8)> = keys.iter().map(|key| (key.as_str(), 1)).collect();
    let error = backend.set_many(&entries, None).await.unwrap_err();
    let failed: BTreeSet<usize> = error.failed_indices().iter().copied().collect();
    assert_eq!(failed, lost, "{error}");
    for (index, key) in keys
        .iter()
        .enumerate()
        .filter(|(index, _)| !lost.contains(index))
    {
        assert_eq!(backend.get::<u8>(key).await.unwrap(), Some(1), "{index}");
    }
}

#[tokio::test]
async fn a_scan_finds_all_keys_while_slots_move() {
    let cluster = Arc::new(Cluster::of_primaries(2, &[]));
    let backend = builder(&cluster.url(0)).build().await.unwrap();
    let keys: BTreeSet<String> = (0..600)
        .map(|index| format!("{{t{}}}:{index}", index % 6))
        .collect();
    let entries: Vec<(&str, u8)> = keys.iter().map(|key| (key.as_str(), 1)).collect();
    backend.set_many(&entries, None).await.unwrap();
    let moving = cluster.clone();
    let moved = tokio::task::spawn_blocking(move || {
        for round in 0..12 {
            let slot = moving.slot_of(&format!("{{t{}}}", round % 6));
            let to = 1 - moving.owner_of(slot);
            moving.begin_move(slot, to);
            while moving.move_keys(slot, to, 7) > 0 {}
            moving.finish_move(slot, to);
        }
    });
    let mut passes = 0;
    while !moved.is_finished() || passes == 0 {
        match backend.scan("").try_collect::<BTreeSet<String>>().await {
            Ok(found) => {
                assert_eq!(found, keys);
                passes += 1;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
        }
    }
    moved.await.unwrap();
    let found: BTreeSet<String> = backend.scan("").try_collect().await.unwrap();
    assert_eq!(found, keys);
}

#[tokio::test]
async fn a_scan_over_an_open_slot_ends_with_an_error() {
    let cluster = Cluster::of_primaries(2, &[]);
    let backend = builder(&cluster.url(0)).build().await.unwrap();
    backend.set("{t}:1", 1, None).await.unwrap();
    let slot = cluster.slot_of("{t}");
    let to = 1 - cluster.owner_of(slot);
    cluster.begin_move(slot, to);
    let error = backend
        .scan("")
        .try_collect::<Vec<String>>()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("hash slots"), "{error}");
    // The old owner gives no slot away of which it holds keys.
    assert_eq!(cluster.move_keys(slot, to, 10), 1);
    cluster.finish_move(slot, to);
}

#[tokio::test]
async fn clear_removes_from_every_node() {
    let cluster = Cluster::shared();
    let (backend, other) = (cluster.connect().await, cluster.connect().await);
    let keys: Vec<String> = (0..3000).map(|index| format!("k{index}")).collect();
    let entries: Vec<(&str, u8)> = keys.iter().map(|key| (key.as_str(), 1)).collect();
    backend.set_many(&entries, None).await.unwrap();
    other.set("k", 1, None).await.unwrap();
    assert_eq!(backend.clear_prefix("k1").await.unwrap(), 1111);
    backend.clear().await.unwrap();
    assert_eq!(backend.scan("").count().await, 0);
    assert_eq!(other.get::<u8>("k").await.unwrap(), Some(1));
}

#[tokio::test]
async fn an_entry_moves_between_slots_and_within_one() {
    let cluster = Cluster::shared();
    let backend = cluster.connect().await;
    for (from, to) in [("a", "b"), ("{t}:a", "{t}:b"), ("x", "y")] {
        backend
            .put(from, b"old", reinhardt_backends::Write::new(Life::Never))
            .await
            .unwrap();
        let new = |value| NewEntry {
            key: to,
            value,
            life: Life::Never,
        };
        assert!(
            !backend
                .move_entry(from, b"other", new(b"new"), None)
                .await
                .unwrap()
        );
        assert!(
            backend
                .move_entry(from, b"old", new(b"new"), None)
                .await
                .unwrap()
        );
        assert!(backend.read(from).await.unwrap().is_none());
        let (value, _) = backend.read(to).await.unwrap().unwrap();
        assert_eq!(value.as_bytes(), b"new");
    }
}

#[tokio::test]
async fn an_error_names_the_node_that_answered_with_it() {
    let cluster = Cluster::of_primaries(2, &[]);
    let backend = builder(&cluster.url(0)).build().await.unwrap();
    let keys = ["a", "b", "c", "d", "e", "f"];
    let node_of = |key: &str| cluster.owner_of(cluster.slot_of(&format!("reinhardt:{key}")));
    let full = node_of("a");
    let others = keys.iter().filter(|key| node_of(key) != full).count();
    assert!((1..keys.len()).contains(&others), "{others}");
    backend.set("a", 1, None).await.unwrap();
    cluster.command(full, "CONFIG SET maxmemory 1");
    let named = format!("the server answered OOM (127.0.0.1:{})", cluster.port(full));
    let entries = keys.map(|key| (key, 1));
    let [set, added, swapped, many] = [
        backend.set("a", 1, None).await.map(drop),
        backend.increment("a", None).await.map(drop),
        // A script of its own.
        backend
            .compare_and_set("a", &b"1"[..].into(), 2, Life::Keep)
            .await
            .map(drop),
        backend.set_many(&entries, None).await,
    ];
    for (call, result) in [
        ("set", set),
        ("increment", added),
        ("swap", swapped),
        ("many", many),
    ] {
        let error = result.expect_err(call);
        assert_eq!(error.kind(), ErrorKind::Full, "{error}");
        assert!(error.to_string().contains(&named), "{error}");
    }
}
