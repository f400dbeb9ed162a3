//! Clauses 26 to 32: failure.

use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_timer::Delay;
use futures_util::TryStreamExt;
use futures_util::future::{Either, select};
use serde::Deserialize;

use super::threads::{give_up_after, on_threads};
use super::{HOUR, Harness, Server};
use crate::backend::store::{Limits, NewEntry, Store, Touch};
use crate::backend::{Backend, Life, Stored, Write};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// Longer than any limit that a backend under test should have.
const PATIENCE: Duration = Duration::from_secs(60);

/// The results of one call of every kind, with the names of the methods.
type Results = Vec<(&'static str, BackendResult<()>)>;

async fn calls(backend: &impl Backend) -> Results {
    let mut results = in_time(reads(backend)).await;
    results.extend(in_time(writes(backend)).await);
    results
}

/// Waits in real time, so that a call that never ends fails the clause and not the patience of the
/// person that runs it.
async fn in_time<T>(calls: impl Future<Output = T>) -> T {
    match select(pin!(calls), Delay::new(PATIENCE)).await {
        Either::Left((output, _)) => output,
        Either::Right(_) => panic!("a call doesn't end"),
    }
}

async fn reads(backend: &impl Backend) -> Results {
    vec![
        ("get", backend.get::<i64>("key").await.map(drop)),
        (
            "get_with_ttl",
            backend.get_with_ttl::<i64>("key").await.map(drop),
        ),
        ("get_stored", backend.get_stored("key").await.map(drop)),
        (
            "get_many",
            backend.get_many::<i64>(&["key"]).await.map(drop),
        ),
        ("exists", backend.exists("key").await.map(drop)),
        ("ttl", backend.ttl("key").await.map(drop)),
        (
            "scan",
            backend.scan("").try_collect::<Vec<_>>().await.map(drop),
        ),
        ("ping", backend.ping().await),
    ]
}

async fn writes(backend: &impl Backend) -> Results {
    let stored = Stored::from(&b"1"[..]);
    vec![
        ("set", backend.set("key", 1, None).await),
        (
            "set_if_absent",
            backend.set_if_absent("key", 1, None).await.map(drop),
        ),
        (
            "set_if_present",
            backend.set_if_present("key", 1, None).await.map(drop),
        ),
        ("set_many", backend.set_many(&[("key", 1)], None).await),
        (
            "compare_and_set",
            backend
                .compare_and_set("key", &stored, 1, Life::Keep)
                .await
                .map(drop),
        ),
        (
            "compare_and_delete",
            backend.compare_and_delete("key", &stored).await.map(drop),
        ),
        ("increment", backend.increment("key", None).await.map(drop)),
        (
            "increment_by",
            backend.increment_by("key", 2, None).await.map(drop),
        ),
        (
            "expire",
            backend.expire("key", Life::In(HOUR)).await.map(drop),
        ),
        ("take", backend.take::<i64>("key").await.map(drop)),
        ("delete", backend.delete("key").await.map(drop)),
        ("delete_many", backend.delete_many(&["key"]).await.map(drop)),
        ("clear_prefix", backend.clear_prefix("key").await.map(drop)),
        ("clear", backend.clear().await),
    ]
}

fn broken<H: Harness>(harness: &H) -> &dyn Server {
    harness
        .server()
        .expect("the harness has a server that can be broken")
}

async fn recovered(backend: &impl Backend) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = in_time(backend.ping()).await {
        assert!(
            Instant::now() < deadline,
            "the backend doesn't recover: {error}"
        );
    }
}

/// Clause 26: every call ends.
pub async fn every_call_ends<H: Harness>(harness: &H) {
    let backend = Arc::new(harness.backend().await);
    let ended = on_threads(&backend, 2, |backend, _| async move {
        let before = Instant::now();
        for (name, result) in calls(&*backend).await {
            result.unwrap_or_else(|error| panic!("`{name}`: {error}"));
        }
        before.elapsed()
    })
    .await;
    assert!(ended.into_iter().all(|took| took < PATIENCE));
}

/// Clause 26, where a server doesn't answer: every call ends with `Timeout`, and the backend
/// recovers.
pub async fn every_call_to_a_stopped_server_ends<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    backend.set("key", 1, None).await.unwrap();
    broken(harness).pause();
    for (name, result) in calls(&backend).await {
        let error = result.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Timeout, "`{name}`: {error}");
        assert!(error.is_transient());
    }
    broken(harness).resume();
    recovered(&backend).await;
}

/// Clause 27: a dead backend is an error, not a miss.
pub async fn a_dead_backend_is_an_error_not_a_miss<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    backend.set("key", 1, None).await.unwrap();
    broken(harness).kill();
    for (name, result) in calls(&backend).await {
        let error = result.expect_err(name);
        assert!(error.is_transient(), "`{name}`: {error}");
    }
    broken(harness).restart();
    recovered(&backend).await;
    assert_eq!(
        backend.get::<i64>("key").await.unwrap(),
        None,
        "the server began anew"
    );
}

/// Clause 28: nothing is written twice; if an answer was lost the error says so.
pub async fn nothing_is_written_twice<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    backend.increment("key", None).await.unwrap();
    let mut sure = 1;
    let mut unknown = 0;
    for _ in 0..3 {
        broken(harness).pause();
        for _ in 0..2 {
            let error = backend.increment("key", None).await.unwrap_err();
            unknown += i64::from(error.outcome_unknown());
        }
        broken(harness).resume();
        recovered(&backend).await;
        backend.increment("key", None).await.unwrap();
        sure += 1;
    }
    let counted = backend.get::<i64>("key").await.unwrap().unwrap();
    assert!(
        unknown > 0,
        "calls that were sent and not answered have an unknown outcome"
    );
    assert!(
        (sure..=sure + unknown).contains(&counted),
        "{counted} of {sure} to {}",
        sure + unknown
    );
}

/// Clause 29: errors show no secret and no value.
pub async fn errors_show_no_secret_and_no_value<H: Harness>(harness: &H) {
    #[derive(Debug, Deserialize)]
    enum Choice {
        #[allow(dead_code)]
        Known,
    }
    let backend = harness.backend().await;
    backend
        .set("key-topsecret", "value-topsecret", None)
        .await
        .unwrap();
    let stored = backend.get_stored("key-topsecret").await.unwrap().unwrap();
    assert!(!format!("{stored:?}").contains("topsecret"));
    let long = "topsecret".repeat(1_000);
    for error in [
        backend.get::<Choice>("key-topsecret").await.unwrap_err(),
        backend.get::<u64>("key-topsecret").await.unwrap_err(),
        backend.increment("key-topsecret", None).await.unwrap_err(),
        backend.set(&long, 1, None).await.unwrap_err(),
        backend
            .set("key-topsecret", 1, Some(Duration::ZERO))
            .await
            .unwrap_err(),
        backend.take::<Choice>("key-topsecret").await.unwrap_err(),
    ] {
        let said = said(&error);
        assert!(!said.contains("topsecret"), "{said}");
    }
}

/// Everything that an error says, its causes included.
fn said(error: &BackendError) -> String {
    let mut said = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        said += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    said
}

/// Clause 30: oversized and empty keys, and values over the limit, are refused before anything is
/// sent.
pub async fn oversized_and_empty_keys_are_refused<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    let limits = Limits::default();
    let longest = "k".repeat(limits.key);
    let wide = "ü".repeat(limits.key / 2);
    let stored = Stored::from(&b"1"[..]);
    for key in [&longest, &wide] {
        backend.set(key, 1, None).await.unwrap();
        assert_eq!(backend.increment(key, None).await.unwrap(), 2);
        assert_eq!(
            backend.scan(key).try_collect::<Vec<_>>().await.unwrap(),
            [key.as_str()]
        );
        assert!(backend.delete(key).await.unwrap());
    }
    for key in ["", &format!("{longest}k"), &format!("{wide}k")] {
        for error in [
            backend.get::<i64>(key).await.err(),
            backend.get_with_ttl::<i64>(key).await.err(),
            backend.get_stored(key).await.err(),
            backend.get_many::<i64>(&["fine", key]).await.err(),
            backend.set(key, 1, None).await.err(),
            backend.set_if_absent(key, 1, None).await.err(),
            backend.set_if_present(key, 1, None).await.err(),
            backend.set_many(&[("fine", 1), (key, 2)], None).await.err(),
            backend
                .compare_and_set(key, &stored, 1, Life::Keep)
                .await
                .err(),
            backend.compare_and_delete(key, &stored).await.err(),
            backend.take::<i64>(key).await.err(),
            backend.delete(key).await.err(),
            backend.delete_many(&["fine", key]).await.err(),
            backend.exists(key).await.err(),
            backend.ttl(key).await.err(),
            backend.expire(key, Life::Never).await.err(),
            backend.read_value(key, Touch::Restart(HOUR)).await.err(),
            backend.increment(key, None).await.err(),
            backend.increment_by(key, 2, None).await.err(),
        ] {
            assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::InvalidKey));
        }
    }
    let error = backend
        .set_many(&[("fine", 1), ("", 2), ("good", 3)], None)
        .await
        .unwrap_err();
    assert_eq!(error.failed_indices(), [1]);
    assert!(!backend.exists("fine").await.unwrap(), "refused as a whole");

    let mut value = vec![b'x'; limits.value];
    assert!(
        backend
            .write("large", &value, Write::new(Life::Never))
            .await
            .unwrap()
    );
    assert_eq!(
        backend
            .get_stored("large")
            .await
            .unwrap()
            .unwrap()
            .as_bytes(),
        value
    );
    fn entry<'a>(key: &'a str, value: &'a [u8]) -> NewEntry<'a> {
        let life = Life::Never;
        NewEntry { key, value, life }
    }
    value.push(b'x');
    for error in [
        backend
            .write("large", &value, Write::new(Life::Never))
            .await
            .err(),
        backend.set("large", as_text(&value), None).await.err(),
        backend
            .put_many(&[entry("fine", b"1"), entry("large", &value)])
            .await
            .err(),
    ] {
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::TooLarge));
    }
    assert!(!backend.exists("fine").await.unwrap());
    assert_eq!(
        backend
            .get_stored("large")
            .await
            .unwrap()
            .unwrap()
            .as_bytes()
            .len(),
        limits.value
    );
}

fn as_text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("ASCII")
}

/// Clause 31: no answer reaches the wrong caller, also after cancelled calls.
pub async fn no_answer_reaches_the_wrong_caller<H: Harness>(harness: &H) {
    let backend = Arc::new(harness.backend().await);
    on_threads(&backend, 8, |backend, thread| async move {
        let key = format!("mine:{thread}");
        let counter = format!("counter:{thread}");
        for round in 0..60u64 {
            let mine = format!("{thread}/{round}");
            backend.set(&key, &mine, Some(HOUR)).await.unwrap();
            give_up_after(1, backend.get::<String>("mine:0")).await;
            give_up_after(round as usize % 3, backend.ttl(&key)).await;
            assert_eq!(backend.get::<String>(&key).await.unwrap(), Some(mine));
            give_up_after(1, backend.get_many::<String>(&["mine:1", "mine:2"])).await;
            assert_eq!(
                backend.increment(&counter, None).await.unwrap(),
                round as i64 + 1
            );
        }
    })
    .await;
}

/// Clause 32: a write is seen by the next read through the same backend, once it was acknowledged.
pub async fn a_write_is_seen_by_the_next_read<H: Harness>(harness: &H) {
    let backend = Arc::new(harness.backend().await);
    on_threads(&backend, 4, |backend, thread| async move {
        let key = format!("key:{thread}");
        for round in 0..60 {
            backend.set(&key, round, None).await.unwrap();
            assert_eq!(backend.get::<i64>(&key).await.unwrap(), Some(round));
            assert_eq!(
                backend.get_many::<i64>(&[&key]).await.unwrap(),
                [Some(round)]
            );
            backend.increment(&key, None).await.unwrap();
            assert_eq!(backend.get::<i64>(&key).await.unwrap(), Some(round + 1));
            backend.expire(&key, Life::In(HOUR)).await.unwrap();
            assert!(super::life::about(backend.ttl(&key).await.unwrap(), HOUR));
            assert!(backend.delete(&key).await.unwrap());
            assert!(!backend.exists(&key).await.unwrap());
        }
    })
    .await;
}
