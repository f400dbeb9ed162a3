//! Clauses 1 to 5: life.

use std::time::Duration;

use futures_util::TryStreamExt;
use tokio::time::Instant;

use super::{HOUR, Harness, MOMENT};
use crate::backend::store::{MAX_TTL, Store, Touch};
use crate::backend::{Backend, Expiry, Life, Stored};
use crate::error::{BackendResult, ErrorKind};

/// Clause 1: a TTL is kept to the millisecond, rounded up to one, never to seconds.
pub async fn a_ttl_is_kept_to_the_millisecond<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    for micros in [1, 1_000, 1_500, 30_000, 250_000, 1_100_000] {
        let ttl = Duration::from_micros(micros);
        let rounded = Duration::from_millis(micros.div_ceil(1_000));
        let before = Instant::now();
        backend.set("key", 1, Some(ttl)).await.unwrap();
        let after = Instant::now();
        loop {
            let asked = Instant::now();
            let alive = backend.exists("key").await.unwrap();
            let answered = Instant::now();
            if answered < before + ttl {
                assert!(alive, "gone {:?} before its end", before + ttl - answered);
            }
            if asked >= after + rounded + harness.grace() {
                assert!(!alive, "there {:?} past its end", asked - after - rounded);
                break;
            }
            harness.pass(Duration::from_millis(1)).await;
        }
    }
}

/// Clause 2: zero and more than 10,000 years are `InvalidTtl`, before anything is sent.
pub async fn an_impossible_ttl_is_refused<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    for ttl in [
        Duration::ZERO,
        MAX_TTL + Duration::from_nanos(1),
        Duration::MAX,
    ] {
        backend.set("there", 1, Some(HOUR)).await.unwrap();
        let stored = backend.get_stored("there").await.unwrap().unwrap();
        for key in ["there", "not there"] {
            let life = Life::In(ttl);
            let renewed = ttl;
            let ttl = Some(ttl);
            refused(backend.set(key, 2, ttl).await);
            refused(backend.set_if_absent(key, 2, ttl).await);
            refused(backend.set_if_present(key, 2, ttl).await);
            refused(backend.set_many(&[(key, 2), ("other", 2)], ttl).await);
            refused(backend.compare_and_set(key, &stored, 2, life).await);
            refused(backend.expire(key, life).await);
            refused(backend.read_value(key, Touch::Restart(renewed)).await);
            refused(backend.read_value(key, Touch::Extend(renewed)).await);
            refused(backend.read_values(&[key], Touch::Extend(renewed)).await);
            refused(backend.increment(key, ttl).await);
            refused(backend.increment_by(key, 2, ttl).await);
        }
        assert_eq!(backend.get::<i64>("there").await.unwrap(), Some(1));
        assert!(about(backend.ttl("there").await.unwrap(), HOUR));
        assert!(!backend.exists("not there").await.unwrap());
        assert!(!backend.exists("other").await.unwrap());
    }
    backend.set("long", 1, Some(MAX_TTL)).await.unwrap();
    assert!(about(backend.ttl("long").await.unwrap(), MAX_TTL));
}

#[track_caller]
fn refused<T>(result: BackendResult<T>) {
    let kind = result.err().map(|error| error.kind());
    assert_eq!(kind, Some(ErrorKind::InvalidTtl));
}

/// Clause 3: an expired entry is absent for every operation, swept or not; `ttl` never reports
/// zero.
pub async fn an_expired_entry_is_absent_for_every_operation<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    let keys: Vec<String> = (0..20).map(|index| format!("ended:{index}")).collect();
    let key = |index: usize| keys[index].as_str();
    let entries: Vec<(&str, i32)> = keys.iter().map(|key| (key.as_str(), 7)).collect();
    backend.set_many(&entries, Some(MOMENT)).await.unwrap();
    let stored = Stored::from(&b"7"[..]);
    harness.pass(MOMENT + Duration::from_millis(2)).await;

    assert_eq!(backend.get::<i64>(key(0)).await.unwrap(), None);
    assert_eq!(backend.get_with_ttl::<i64>(key(1)).await.unwrap(), None);
    assert_eq!(backend.get_stored(key(2)).await.unwrap(), None);
    assert_eq!(
        backend.get_many::<i64>(&[key(3), key(3)]).await.unwrap(),
        [None, None]
    );
    assert!(!backend.exists(key(4)).await.unwrap());
    assert_eq!(backend.ttl(key(5)).await.unwrap(), None);
    assert!(
        !backend.delete(key(6)).await.unwrap(),
        "deleting an expired entry"
    );
    assert_eq!(backend.delete_many(&[key(7)]).await.unwrap(), 0);
    assert_eq!(backend.take::<i64>(key(8)).await.unwrap(), None);
    assert_eq!(
        backend
            .read_value(key(16), Touch::Restart(HOUR))
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        backend
            .read_value(key(16), Touch::Extend(HOUR))
            .await
            .unwrap(),
        None
    );
    let keys = [key(16), key(17)];
    let renewed = backend.read_values(&keys, Touch::Extend(HOUR));
    assert_eq!(renewed.await.unwrap(), [None, None]);
    assert!(!backend.expire(key(9), Life::In(HOUR)).await.unwrap());
    assert!(!backend.expire(key(9), Life::Never).await.unwrap());
    assert!(!backend.expire(key(9), Life::Keep).await.unwrap());
    assert!(!backend.set_if_present(key(10), 1, None).await.unwrap());
    assert!(
        !backend
            .compare_and_set(key(11), &stored, 1, Life::Keep)
            .await
            .unwrap()
    );
    assert!(!backend.compare_and_delete(key(12), &stored).await.unwrap());
    assert_eq!(
        backend
            .scan("ended:")
            .try_collect::<Vec<_>>()
            .await
            .unwrap(),
        [""; 0]
    );
    assert_eq!(backend.clear_prefix("ended:1").await.unwrap(), 0);
    assert!(backend.set_if_absent(key(13), 1, None).await.unwrap());
    assert_eq!(backend.ttl(key(13)).await.unwrap(), Some(Expiry::Never));
    assert_eq!(backend.increment(key(14), None).await.unwrap(), 1);
    assert_eq!(backend.ttl(key(14)).await.unwrap(), Some(Expiry::Never));
    let counted = backend.increment_by(key(15), 5, Some(HOUR)).await.unwrap();
    assert_eq!(counted.value, 5);
    assert!(about(Some(counted.expiry), HOUR));

    backend
        .set("short", 1, Some(Duration::from_millis(30)))
        .await
        .unwrap();
    while let Some(expiry) = backend.ttl("short").await.unwrap() {
        assert!(
            matches!(expiry, Expiry::In(left) if !left.is_zero()),
            "{expiry:?}"
        );
        harness.pass(Duration::from_micros(100)).await;
    }
}

/// Clause 4: `set` replaces value and life together; without a TTL there is no end, whatever was
/// there.
pub async fn set_replaces_value_and_life_together<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    for (first, second) in [
        (Some(HOUR), None),
        (None, Some(HOUR)),
        (Some(HOUR), Some(HOUR / 2)),
    ] {
        backend.set("key", "one", first).await.unwrap();
        backend.set("key", "two", second).await.unwrap();
        assert_eq!(
            backend.get::<String>("key").await.unwrap().as_deref(),
            Some("two")
        );
        assert!(same(backend.ttl("key").await.unwrap(), second));
        backend.set("key", 1, first).await.unwrap();
        assert!(backend.set_if_present("key", 2, second).await.unwrap());
        assert!(same(backend.ttl("key").await.unwrap(), second));
        backend.set("key", 1, first).await.unwrap();
        backend.set_many(&[("key", 2)], second).await.unwrap();
        assert!(same(backend.ttl("key").await.unwrap(), second));
        assert_eq!(backend.get::<i64>("key").await.unwrap(), Some(2));
    }
}

/// Clause 5: `expire` touches only the life; `compare_and_set` and the increments neither shorten
/// nor renew one.
pub async fn nothing_changes_a_life_unasked<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    backend.set("key", 5, Some(HOUR)).await.unwrap();
    for life in [
        Life::In(2 * HOUR),
        Life::Never,
        Life::Keep,
        Life::In(HOUR),
        Life::Keep,
    ] {
        assert!(backend.expire("key", life).await.unwrap());
        assert_eq!(backend.get::<i64>("key").await.unwrap(), Some(5));
    }
    // Longer, shorter, and where there was no end.
    for (given, touched) in [(Some(HOUR), 2 * HOUR), (Some(3 * HOUR), HOUR), (None, HOUR)] {
        backend.set("touched", 5, given).await.unwrap();
        let stored = backend.get_stored("touched").await.unwrap();
        assert_eq!(
            backend
                .read_value("touched", Touch::Restart(touched))
                .await
                .unwrap(),
            stored
        );
        assert!(about(backend.ttl("touched").await.unwrap(), touched));
        // Among others, one of which isn't there.
        backend.set("touched", 5, given).await.unwrap();
        let keys = ["none", "touched", "touched"];
        let restarted = backend.read_values(&keys, Touch::Restart(touched));
        let expected = [None, stored.clone(), stored];
        assert_eq!(restarted.await.unwrap(), expected);
        assert!(about(backend.ttl("touched").await.unwrap(), touched));
    }
    assert_eq!(
        backend
            .read_value("none", Touch::Restart(HOUR))
            .await
            .unwrap(),
        None
    );
    assert!(!backend.exists("none").await.unwrap());
    assert!(about(backend.ttl("key").await.unwrap(), HOUR));
    for ttl in [None, Some(MOMENT), Some(2 * HOUR)] {
        backend.increment("key", ttl).await.unwrap();
        let counted = backend.increment_by("key", -1, ttl).await.unwrap();
        assert!(about(Some(counted.expiry), HOUR), "{counted:?}");
        assert!(about(backend.ttl("key").await.unwrap(), HOUR));
    }
    let stored = backend.get_stored("key").await.unwrap().unwrap();
    assert!(
        backend
            .compare_and_set("key", &stored, 6, Life::Keep)
            .await
            .unwrap()
    );
    assert!(about(backend.ttl("key").await.unwrap(), HOUR));
    assert!(
        !backend
            .compare_and_set("key", &stored, 7, Life::Never)
            .await
            .unwrap()
    );
    assert!(
        about(backend.ttl("key").await.unwrap(), HOUR),
        "a swap that didn't happen"
    );
    for read in 0..3 {
        backend.get::<i64>("key").await.unwrap();
        backend.get_many::<i64>(&["key"]).await.unwrap();
        assert!(
            about(backend.ttl("key").await.unwrap(), HOUR),
            "read {read}"
        );
    }
    backend.set("ever", 1, None).await.unwrap();
    let stored = backend.get_stored("ever").await.unwrap().unwrap();
    assert!(
        backend
            .compare_and_set("ever", &stored, 2, Life::Keep)
            .await
            .unwrap()
    );
    assert_eq!(backend.ttl("ever").await.unwrap(), Some(Expiry::Never));
}

/// Clause 33: a renewing read answers as a plain one does and never shortens a life, nor ends one
/// that has no end.
pub async fn a_renewing_read_never_shortens_a_life<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    for (given, renewed, then) in [
        (Some(HOUR), 2 * HOUR, Some(2 * HOUR)),
        (Some(3 * HOUR), 2 * HOUR, Some(3 * HOUR)),
        (None, 2 * HOUR, None),
    ] {
        backend.set("one", 1, given).await.unwrap();
        let one = backend.get_stored("one").await.unwrap();
        assert_eq!(
            backend
                .read_value("one", Touch::Extend(renewed))
                .await
                .unwrap(),
            one
        );
        assert!(same(backend.ttl("one").await.unwrap(), then));
        let entries = [("one", 1), ("two", 1)];
        backend.set_many(&entries, given).await.unwrap();
        let keys = ["one", "none", "two", "one"];
        assert_eq!(
            backend
                .read_values(&keys, Touch::Extend(renewed))
                .await
                .unwrap(),
            [one.clone(), None, one.clone(), one.clone()]
        );
        assert!(same(backend.ttl("one").await.unwrap(), then));
        assert!(same(backend.ttl("two").await.unwrap(), then));
    }
    assert_eq!(backend.ttl("none").await.unwrap(), None);
    assert_eq!(
        backend
            .read_value("none", Touch::Extend(HOUR))
            .await
            .unwrap(),
        None
    );
    assert!(!backend.exists("none").await.unwrap());
}

fn same(expiry: Option<Expiry>, given: Option<Duration>) -> bool {
    match given {
        None => expiry == Some(Expiry::Never),
        Some(ttl) => about(expiry, ttl),
    }
}

/// Says whether a life is the one that was given, up to the minutes that a very slow machine may
/// take.
pub(super) fn about(expiry: Option<Expiry>, given: Duration) -> bool {
    let slow = Duration::from_secs(600);
    matches!(expiry, Some(Expiry::In(left)) if left <= given && left + slow > given)
}
