//! The library against a server of yours: `cargo test --package reinhardt-backends --features
//! redis-backend -- --ignored` uses the one at `REDIS_URL`, `redis://localhost:6379` unless set.
//! Everything happens in namespaces of the tests' own.

use std::time::Duration;

use futures_util::TryStreamExt;
use reinhardt_backends::{Backend, Expiry, Keyspace, Life, RedisBackend};
use serde::{Deserialize, Serialize};

const MINUTE: Option<Duration> = Some(Duration::from_secs(60));

#[derive(Debug, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
    user_id: u64,
}

#[derive(Keyspace)]
#[keyspace(prefix = "rate", ttl = "60s", counter)]
struct RateCounter<'a> {
    route: &'a str,
}

/// Connects in a namespace that nobody else uses.
async fn backend() -> RedisBackend {
    let url = std::env::var("REDIS_URL").unwrap_or_else(|_| "redis://localhost:6379".to_string());
    let namespace = format!("reinhardt-test-{:016x}", fastrand::u64(..));
    let builder = RedisBackend::builder().url(&url).namespace(&namespace);
    let built = builder.build().await;
    built.unwrap_or_else(|error| panic!("no server at REDIS_URL: {error}"))
}

#[tokio::test]
#[ignore = "needs a server at REDIS_URL"]
async fn values_come_back_and_end() {
    let backend = backend().await;
    backend.set("key", vec![1, 2, 3], MINUTE).await.unwrap();
    assert_eq!(
        backend.get::<Vec<u8>>("key").await.unwrap(),
        Some(vec![1, 2, 3])
    );
    assert!(matches!(
        backend.ttl("key").await.unwrap(),
        Some(Expiry::In(_))
    ));
    assert!(backend.expire("key", Life::Never).await.unwrap());
    assert_eq!(backend.ttl("key").await.unwrap(), Some(Expiry::Never));
    assert!(backend.delete("key").await.unwrap());
    backend.clear().await.unwrap();
}

#[tokio::test]
#[ignore = "needs a server at REDIS_URL"]
async fn counters_have_a_window() {
    let backend = backend().await;
    assert_eq!(backend.increment("hits", MINUTE).await.unwrap(), 1);
    let counted = backend.increment_by("hits", 4, None).await.unwrap();
    assert_eq!(counted.value, 5);
    assert!(matches!(counted.expiry, Expiry::In(left) if Some(left) <= MINUTE));
    backend.clear().await.unwrap();
}

#[tokio::test]
#[ignore = "needs a server at REDIS_URL"]
async fn a_namespace_is_scanned_and_cleared_alone() {
    let (mine, other) = (backend().await, backend().await);
    mine.set_many(&[("a", 1), ("b", 2)], MINUTE).await.unwrap();
    other.set("a", 3, MINUTE).await.unwrap();
    let mut keys: Vec<String> = mine.scan("").try_collect().await.unwrap();
    keys.sort();
    assert_eq!(keys, ["a", "b"]);
    mine.clear().await.unwrap();
    assert!(!mine.exists("a").await.unwrap());
    assert_eq!(other.take::<i32>("a").await.unwrap(), Some(3));
}

#[tokio::test]
#[ignore = "needs a server at REDIS_URL"]
async fn keyspaces_work() {
    let backend = backend().await;
    let session = Session {
        id: "abc".to_string(),
        user_id: 7,
    };
    session.save(&backend).await.unwrap();
    assert_eq!(Session::get(&backend, "abc").await.unwrap(), Some(session));
    assert_eq!(
        RateCounter { route: "/" }
            .increment(&backend)
            .await
            .unwrap(),
        1
    );
    assert_eq!(Session::clear(&backend).await.unwrap(), 1);
    assert!(RateCounter { route: "/" }.reset(&backend).await.unwrap());
}
