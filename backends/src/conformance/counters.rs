//! Clauses 6 to 12: counters.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::life::about;
use super::threads::{give_up_after, on_threads};
use super::{HOUR, Harness};
use crate::backend::{Backend, Expiry, Life};
use crate::error::ErrorKind;

const THREADS: usize = 8;
const EACH: usize = 150;

/// Clause 6: n concurrent calls add n, exact over all of `i64`.
pub async fn increments_are_atomic<H: Harness>(harness: &H) {
    let backend = Arc::new(harness.backend().await);
    // Doubles are exact up to 2^53.
    for start in [0, (1 << 53) + 1, i64::MAX - (THREADS * EACH) as i64] {
        backend.set("counter", start, None).await.unwrap();
        let sums = on_threads(&backend, THREADS, |backend, _| async move {
            let mut sums = Vec::new();
            for _ in 0..EACH {
                sums.push(backend.increment("counter", Some(HOUR)).await.unwrap());
            }
            sums
        });
        let sums: BTreeSet<i64> = sums.await.into_iter().flatten().collect();
        let expected: BTreeSet<i64> = (start + 1..=start + (THREADS * EACH) as i64).collect();
        assert!(sums == expected, "increments were lost or counted twice");
        assert_eq!(
            backend.get::<i64>("counter").await.unwrap(),
            sums.last().copied()
        );
    }
    for sum in [i64::MIN + 1, i64::MIN] {
        backend.set("counter", sum + 1, None).await.unwrap();
        assert_eq!(
            backend
                .increment_by("counter", -1, None)
                .await
                .unwrap()
                .value,
            sum
        );
    }
}

/// Clause 7: a missing counter starts at zero.
pub async fn a_missing_counter_starts_at_zero<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    assert_eq!(backend.increment("one", None).await.unwrap(), 1);
    for (key, delta) in [
        ("zero", 0),
        ("more", 7),
        ("less", -7),
        ("most", i64::MAX),
        ("least", i64::MIN),
    ] {
        let counted = backend.increment_by(key, delta, None).await.unwrap();
        assert_eq!((counted.value, counted.expiry), (delta, Expiry::Never));
        assert_eq!(backend.get::<i64>(key).await.unwrap(), Some(delta));
    }
    assert!(backend.delete("one").await.unwrap());
    assert_eq!(backend.increment("one", None).await.unwrap(), 1);
}

/// Clause 8: the TTL is given to a counter that has no end, and not moved afterwards.
pub async fn a_window_closes_under_steady_traffic<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    let window = Duration::from_millis(100);
    let mut first_hit = Instant::now();
    let mut closed = 0;
    let mut last = 0;
    while closed < 3 {
        let asked = Instant::now();
        let counted = backend.increment_by("hits", 1, Some(window)).await.unwrap();
        assert!(
            matches!(counted.expiry, Expiry::In(left) if left <= window),
            "{counted:?}"
        );
        if counted.value == 1 {
            closed += usize::from(last > 0);
            first_hit = Instant::now();
        } else {
            assert_eq!(counted.value, last + 1);
            assert!(
                asked < first_hit + window + harness.grace(),
                "the window doesn't close"
            );
        }
        last = counted.value;
        harness.pass(Duration::from_millis(10)).await;
    }
    backend.set("immortal by mistake", 41, None).await.unwrap();
    assert_eq!(
        backend
            .increment("immortal by mistake", Some(HOUR))
            .await
            .unwrap(),
        42
    );
    assert!(about(
        backend.ttl("immortal by mistake").await.unwrap(),
        HOUR
    ));
    backend
        .increment("immortal by mistake", Some(3 * HOUR))
        .await
        .unwrap();
    assert!(about(
        backend.ttl("immortal by mistake").await.unwrap(),
        HOUR
    ));
}

/// Clause 9: overflow is an error and changes nothing.
pub async fn overflow_is_an_error_and_changes_nothing<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    for (value, delta) in [
        (i64::MAX, 1),
        (i64::MAX, i64::MAX),
        (1, i64::MAX),
        (i64::MIN, -1),
        (i64::MIN, i64::MIN),
        (-1, i64::MIN),
    ] {
        backend.set("counter", value, Some(HOUR)).await.unwrap();
        let error = backend
            .increment_by("counter", delta, Some(2 * HOUR))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Overflow, "{value} + {delta}");
        assert!(!error.outcome_unknown());
        assert_eq!(backend.get::<i64>("counter").await.unwrap(), Some(value));
        assert!(about(backend.ttl("counter").await.unwrap(), HOUR));
    }
    backend.set("counter", i64::MAX, None).await.unwrap();
    let error = backend.increment("counter", Some(HOUR)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overflow);
    assert_eq!(backend.ttl("counter").await.unwrap(), Some(Expiry::Never));
}

/// Clause 10: counting something else is an error and changes nothing.
pub async fn counting_something_else_is_an_error_and_changes_nothing<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    backend.set("text", "five", Some(HOUR)).await.unwrap();
    backend
        .set("text of digits", "5", Some(HOUR))
        .await
        .unwrap();
    backend.set("empty", "", Some(HOUR)).await.unwrap();
    backend.set("flag", true, Some(HOUR)).await.unwrap();
    backend.set("null", (), Some(HOUR)).await.unwrap();
    backend.set("float", 5.0, Some(HOUR)).await.unwrap();
    backend.set("list", vec![1, 2], Some(HOUR)).await.unwrap();
    backend.set("bytes", vec![b'5'], Some(HOUR)).await.unwrap();
    backend
        .set("beyond i64", u64::MAX, Some(HOUR))
        .await
        .unwrap();
    backend
        .set("far beyond", i128::MIN, Some(HOUR))
        .await
        .unwrap();
    for key in [
        "text",
        "text of digits",
        "empty",
        "flag",
        "null",
        "float",
        "list",
        "bytes",
        "beyond i64",
        "far beyond",
    ] {
        let before = backend.get_stored(key).await.unwrap().unwrap();
        let error = backend.increment(key, Some(2 * HOUR)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongType, "{key}");
        let error = backend.increment_by(key, -1, None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongType, "{key}");
        assert_eq!(backend.get_stored(key).await.unwrap(), Some(before));
        assert!(about(backend.ttl(key).await.unwrap(), HOUR));
    }
}

/// Clause 11: an integer that `set` stored can be incremented, and a counter is read by every
/// integer type that it fits.
pub async fn integers_and_counters_are_the_same_thing<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    backend.set("u8", 41u8, None).await.unwrap();
    backend.set("i128", 41i128, None).await.unwrap();
    backend.set("usize", 41usize, None).await.unwrap();
    backend.set("some", Some(41i16), None).await.unwrap();
    backend.increment_by("counted", 41, None).await.unwrap();
    for key in ["u8", "i128", "usize", "some", "counted"] {
        assert_eq!(backend.increment(key, None).await.unwrap(), 42);
        assert_eq!(backend.get::<i8>(key).await.unwrap(), Some(42));
        assert_eq!(backend.get::<u16>(key).await.unwrap(), Some(42));
        assert_eq!(backend.get::<u64>(key).await.unwrap(), Some(42));
        assert_eq!(backend.get::<i128>(key).await.unwrap(), Some(42));
        assert_eq!(
            backend.get::<Option<usize>>(key).await.unwrap(),
            Some(Some(42))
        );
        assert_eq!(
            backend.get_stored(key).await.unwrap().unwrap().as_bytes(),
            b"42"
        );
        assert_eq!(backend.take::<u32>(key).await.unwrap(), Some(42));
    }
    backend.increment_by("negative", -300, None).await.unwrap();
    assert_eq!(backend.get::<i16>("negative").await.unwrap(), Some(-300));
    for error in [
        backend.get::<u64>("negative").await.unwrap_err(),
        backend.get::<i8>("negative").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Decode);
    }
    let stored = backend.get_stored("negative").await.unwrap().unwrap();
    assert!(
        backend
            .compare_and_set("negative", &stored, i64::MIN, Life::Keep)
            .await
            .unwrap()
    );
    assert_eq!(
        backend.get::<i64>("negative").await.unwrap(),
        Some(i64::MIN)
    );
}

/// Clause 12: a dropped increment has had no effect or its whole effect.
pub async fn a_cancelled_increment_leaves_no_immortal_counter<H: Harness>(harness: &H) {
    /// The number of polls after which a call is given up; the last call is not given up.
    const POLLS: [usize; 8] = [0, 1, 2, 3, 5, 50, 500, usize::MAX];
    let backend = Arc::new(harness.backend().await);
    let key = |thread: usize, call: usize| format!("counter:{thread}:{call}");
    on_threads(&backend, 4, move |backend, thread| async move {
        for call in 0..10 * POLLS.len() {
            let key = key(thread, call);
            give_up_after(POLLS[call % 8], backend.increment(&key, Some(HOUR))).await;
        }
    })
    .await;
    // The requests that were sent before this one are done when it is answered.
    backend.ping().await.unwrap();
    let mut counted = 0;
    for thread in 0..4 {
        for call in 0..10 * POLLS.len() {
            let counter = backend
                .get_with_ttl::<i64>(&key(thread, call))
                .await
                .unwrap();
            if let Some((value, expiry)) = counter {
                assert_eq!(value, 1);
                assert!(matches!(expiry, Expiry::In(_)), "a counter that never ends");
                counted += 1;
            }
        }
    }
    assert!(
        counted >= 40,
        "not even the calls that weren't given up have counted"
    );
}
