//! Key fields may be called what the parameters of accessors are called.

use std::time::Duration;

use futures::TryStreamExt;
use reinhardt_backends::{BackendError, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "colliding", ttl = "1m")]
struct Colliding {
    #[keyspace(key)]
    backend: u8,
    #[keyspace(key)]
    change: u8,
    #[keyspace(key)]
    key: u8,
    #[keyspace(key)]
    keys: u8,
    #[keyspace(key)]
    ttl: u8,
    #[keyspace(key)]
    value: u8,
    #[keyspace(key)]
    r#type: u8,
    #[keyspace(key)]
    __backend: u8,
    count: u32,
}

#[derive(Keyspace)]
#[keyspace(prefix = "colliding.value", ttl = "1m", value = String)]
struct CollidingValue {
    backend: u8,
    value: u8,
    ttl: u8,
    compute: u8,
    change: u8,
    r#fn: u8,
}

#[derive(Keyspace)]
#[keyspace(prefix = "colliding.counter", ttl = "1m", counter)]
struct CollidingCounter {
    backend: u8,
    delta: u8,
}

#[tokio::test]
async fn key_fields_are_called_what_parameters_are_called() {
    let backend = MemoryBackend::new();
    let entry = Colliding {
        backend: 1,
        change: 2,
        key: 3,
        keys: 4,
        ttl: 5,
        value: 6,
        r#type: 7,
        __backend: 8,
        count: 0,
    };
    entry.save(&backend).await.unwrap();
    assert_eq!(
        &*Colliding::key(1, 2, 3, 4, 5, 6, 7, 8),
        "colliding:1:2:3:4:5:6:7:8"
    );
    let updated = Colliding::update(&backend, 1, 2, 3, 4, 5, 6, 7, 8, |it| it.count += 1);
    assert_eq!(updated.await.unwrap().unwrap().count, 1);
    let many = Colliding::get_many(&backend, [(1, 2, 3, 4, 5, 6, 7, 8)]);
    assert!(many.await.unwrap()[0].is_some());
    let value = CollidingValue {
        backend: 1,
        value: 2,
        ttl: 3,
        compute: 4,
        change: 5,
        r#fn: 6,
    };
    let second = Duration::from_secs(1);
    value.set_for(&backend, "x", second).await.unwrap();
    assert_eq!(&*value.key(), "colliding.value:1:2:3:4:5:6");
    assert_eq!(CollidingValue::at(1, 2, 3, 4, 5, 6).key(), value.key());
    let counter = CollidingCounter {
        backend: 1,
        delta: 2,
    };
    assert_eq!(counter.increment_by(&backend, 3).await.unwrap(), 3);
}

#[derive(Debug, Serialize, Deserialize, Keyspace)]
#[keyspace(
    prefix = "colliding.more",
    ttl = "1m",
    sliding,
    jitter = "5%",
    on_decode_error = "miss",
    on_unavailable = "miss"
)]
struct CollidingMore {
    #[keyspace(key)]
    leading: u8,
    #[keyspace(key, tag)]
    entries: u8,
    #[keyspace(key)]
    insert: u8,
    #[keyspace(key)]
    keys: u8,
    #[keyspace(key)]
    change: u8,
    #[keyspace(key)]
    __insert: u8,
    scan: u8,
}

#[derive(Debug, PartialEq, Keyspace)]
#[keyspace(prefix = "colliding.more.value", ttl = "1m", value = u8, codec = Postcard)]
struct CollidingMoreValue {
    leading: u8,
    entries: u8,
    insert: u8,
    keys: u8,
    change: u8,
    __value: u8,
}

#[derive(Debug, PartialEq, Keyspace)]
#[keyspace(prefix = "colliding.more.counter", ttl = "1m", counter)]
struct CollidingMoreCounter {
    #[keyspace(tag)]
    leading: u8,
    keys: u8,
    __value: u8,
}

#[tokio::test]
async fn key_fields_are_called_what_parameters_of_all_accessors_are_called() {
    let backend = MemoryBackend::new();
    let entry = || CollidingMore {
        leading: 1,
        entries: 2,
        insert: 3,
        keys: 4,
        change: 5,
        __insert: 6,
        scan: 0,
    };
    CollidingMore::save_many(&backend, [entry()]).await.unwrap();
    let changed =
        CollidingMore::update_or_insert_with(&backend, 1, 2, 3, 4, 5, 6, |it| it.scan += 1, entry);
    assert_eq!(changed.await.unwrap().scan, 1);
    let changed = CollidingMore::try_update(&backend, 1, 2, 3, 4, 5, 6, |it| {
        it.scan += 1;
        Ok::<_, BackendError>(())
    });
    assert_eq!(changed.await.unwrap().unwrap().scan, 2);
    let under = CollidingMore::scan_under(&backend, (1, 2));
    assert_eq!(under.try_collect::<Vec<_>>().await.unwrap().len(), 1);
    let cleared = CollidingMore::clear_under(&backend, 1);
    assert_eq!(cleared.await.unwrap(), 1);
    let removed = CollidingMore::delete_many(&backend, [(1, 2, 3, 4, 5, 6)]);
    assert_eq!(removed.await.unwrap(), 0);
}

#[tokio::test]
async fn key_fields_of_values_are_called_what_parameters_of_all_accessors_are_called() {
    let backend = MemoryBackend::new();
    let value = || CollidingMoreValue {
        leading: 1,
        entries: 2,
        insert: 3,
        keys: 4,
        change: 5,
        __value: 6,
    };
    let set = CollidingMoreValue::set_many(&backend, [(value(), 7)]);
    set.await.unwrap();
    let many = CollidingMoreValue::get_many(&backend, [value()]);
    assert_eq!(many.await.unwrap(), [Some(7)]);
    let all = CollidingMoreValue::scan(&backend);
    assert_eq!(all.try_collect::<Vec<_>>().await.unwrap(), [(value(), 7)]);
    let changed = value().try_update_or_insert_with(
        &backend,
        |it| {
            *it += 1;
            Ok::<_, BackendError>(())
        },
        || Ok(0),
    );
    assert_eq!(changed.await.unwrap(), 8);
    let removed = CollidingMoreValue::delete_many(&backend, [value()]);
    assert_eq!(removed.await.unwrap(), 1);
    let counter = || CollidingMoreCounter {
        leading: 1,
        keys: 2,
        __value: 3,
    };
    let _sum = counter().increment(&backend).await.unwrap();
    let all = CollidingMoreCounter::scan_under(&backend, 1);
    assert_eq!(all.try_collect::<Vec<_>>().await.unwrap(), [(counter(), 1)]);
}

#[test]
fn the_name_of_a_raw_field_is_without_its_mark() {
    assert_eq!(Colliding::INFO.key_fields[6], "type");
    assert_eq!(CollidingValue::INFO.key_fields[5], "fn");
}
