//! Clauses 13 to 17: conditions.

use std::sync::Arc;
use std::time::Duration;

use super::life::about;
use super::threads::on_threads;
use super::{HOUR, Harness};
use crate::backend::store::{NewEntry, Store};
use crate::backend::{Backend, Condition, Expiry, Life, Stored, Write};
use crate::error::ErrorKind;

const THREADS: usize = 8;
const KEYS: usize = 40;

/// Clause 13: of several callers of `set_if_absent` one wins.
pub async fn set_if_absent_has_one_winner<H: Harness>(harness: &H) {
    let backend = Arc::new(harness.backend().await);
    let won = on_threads(&backend, THREADS, |backend, thread| async move {
        let mut won = Vec::new();
        for key in 0..KEYS {
            let key = format!("lock:{key}");
            won.push(
                backend
                    .set_if_absent(&key, thread, Some(HOUR))
                    .await
                    .unwrap(),
            );
        }
        won
    })
    .await;
    for key in 0..KEYS {
        let winner = won.iter().position(|won| won[key]);
        let holder = backend.get::<usize>(&format!("lock:{key}")).await.unwrap();
        assert_eq!(won.iter().filter(|won| won[key]).count(), 1);
        assert_eq!(winner, holder);
    }
    assert!(backend.delete("lock:0").await.unwrap());
    assert!(backend.set_if_absent("lock:0", 99, None).await.unwrap());
    assert!(!backend.set_if_absent("lock:0", 100, None).await.unwrap());
    assert_eq!(backend.get::<usize>("lock:0").await.unwrap(), Some(99));
}

/// Clause 14: a save after a logout returns false.
pub async fn set_if_present_never_resurrects<H: Harness>(harness: &H) {
    let backend = Arc::new(harness.backend().await);
    assert!(
        !backend
            .set_if_present("session", 1, Some(HOUR))
            .await
            .unwrap()
    );
    assert!(!backend.exists("session").await.unwrap());
    for key in 0..KEYS {
        backend
            .set(&format!("session:{key}"), 0, None)
            .await
            .unwrap();
    }
    let saved_after_logout = on_threads(&backend, THREADS, |backend, thread| async move {
        let mut resurrected = 0;
        for key in 0..KEYS {
            let key = format!("session:{key}");
            if thread == 0 {
                assert!(backend.delete(&key).await.unwrap());
                resurrected += usize::from(backend.set_if_present(&key, 1, None).await.unwrap());
            } else {
                while backend
                    .set_if_present(&key, thread, Some(HOUR))
                    .await
                    .unwrap()
                {}
            }
        }
        resurrected
    })
    .await;
    assert_eq!(saved_after_logout[0], 0);
    for key in 0..KEYS {
        assert!(!backend.exists(&format!("session:{key}")).await.unwrap());
    }
}

/// Clause 15: stored bytes are compared and swapped, or deleted, in one step.
pub async fn compare_and_set_loses_no_update<H: Harness>(harness: &H) {
    let backend = Arc::new(harness.backend().await);
    const EACH: usize = 40;
    backend.set("sum", vec![0u64], Some(HOUR)).await.unwrap();
    let deleted = on_threads(&backend, THREADS, |backend, _| async move {
        for _ in 0..EACH {
            loop {
                let stored = backend.get_stored("sum").await.unwrap().unwrap();
                let sum = stored.decode::<Vec<u64>>().unwrap()[0];
                let next = vec![sum + 1];
                if backend
                    .compare_and_set("sum", &stored, next, Life::Keep)
                    .await
                    .unwrap()
                {
                    break;
                }
            }
        }
        let mut deleted = 0;
        for key in 0..KEYS {
            let key = format!("once:{key}");
            backend.set_if_absent(&key, "token", None).await.unwrap();
            if let Some(stored) = backend.get_stored(&key).await.unwrap() {
                deleted += usize::from(backend.compare_and_delete(&key, &stored).await.unwrap());
            }
        }
        deleted
    })
    .await;
    let sum = backend.get::<Vec<u64>>("sum").await.unwrap().unwrap();
    assert_eq!(sum, [(THREADS * EACH) as u64], "updates were lost");
    assert!(deleted.iter().sum::<usize>() >= KEYS);

    let mine = Stored::from(&b"\x64mine"[..]);
    assert!(
        !backend
            .compare_and_set("missing", &mine, 1, Life::Keep)
            .await
            .unwrap()
    );
    assert!(!backend.compare_and_delete("missing", &mine).await.unwrap());
    assert!(!backend.exists("missing").await.unwrap());
    backend.set("lock", "yours", None).await.unwrap();
    assert!(
        !backend
            .compare_and_set("lock", &mine, 1, Life::Never)
            .await
            .unwrap()
    );
    assert!(!backend.compare_and_delete("lock", &mine).await.unwrap());
    assert_eq!(
        backend.get::<String>("lock").await.unwrap().as_deref(),
        Some("yours")
    );
    backend.set("lock", "mine", None).await.unwrap();
    assert!(backend.compare_and_delete("lock", &mine).await.unwrap());
    assert!(!backend.exists("lock").await.unwrap());
    // Counters compare by their bytes as well.
    backend.increment_by("count", 5, None).await.unwrap();
    let five = backend.get_stored("count").await.unwrap().unwrap();
    backend.increment("count", None).await.unwrap();
    assert!(
        !backend
            .compare_and_set("count", &five, 9, Life::Keep)
            .await
            .unwrap()
    );
}

/// Clause 16: `take` gives a value to at most one caller; one that doesn't decode is gone then.
pub async fn take_gives_a_value_to_at_most_one_caller<H: Harness>(harness: &H) {
    let backend = Arc::new(harness.backend().await);
    for key in 0..KEYS {
        backend
            .set(&format!("ticket:{key}"), key, Some(HOUR))
            .await
            .unwrap();
    }
    let taken = on_threads(&backend, THREADS, |backend, _| async move {
        let mut taken = Vec::new();
        for key in 0..KEYS {
            taken.extend(
                backend
                    .take::<usize>(&format!("ticket:{key}"))
                    .await
                    .unwrap(),
            );
        }
        taken
    })
    .await;
    let mut taken: Vec<usize> = taken.into_iter().flatten().collect();
    taken.sort_unstable();
    assert_eq!(taken, (0..KEYS).collect::<Vec<_>>());

    let options = Write::new(Life::Never).when(Condition::Always);
    backend.write("broken", b"\xff", options).await.unwrap();
    let error = backend.take::<String>("broken").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(!error.outcome_unknown());
    assert!(!backend.exists("broken").await.unwrap());
}

/// Clause 17: removing an expired entry never removes the one that took its place.
pub async fn lazy_removal_never_removes_a_fresh_value<H: Harness>(harness: &H) {
    let backend = Arc::new(harness.backend().await);
    let lost = on_threads(&backend, THREADS, |backend, thread| async move {
        let mut lost = 0;
        for round in 0..40 {
            if thread > 0 {
                for _ in 0..5 {
                    backend.get::<i32>("key").await.unwrap();
                    backend.exists("key").await.unwrap();
                    backend.ttl("key").await.unwrap();
                    backend.expire("key", Life::Keep).await.unwrap();
                }
                continue;
            }
            let moment = Duration::from_millis(1);
            backend.set("key", -1, Some(moment)).await.unwrap();
            tokio::time::sleep(moment).await;
            backend.set("key", round, Some(HOUR)).await.unwrap();
            for _ in 0..20 {
                lost += usize::from(backend.get::<i32>("key").await.unwrap() != Some(round));
            }
        }
        lost
    })
    .await;
    assert_eq!(lost.iter().sum::<usize>(), 0, "fresh values were removed");
}

/// Clause 34: an entry is moved with its new value and life, or not at all.
pub async fn a_move_is_whole_or_does_not_happen<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    let to = |value| NewEntry {
        key: "new",
        value,
        life: Life::In(HOUR),
    };
    backend.set("old", "one", None).await.unwrap();
    let stored = backend.get_stored("old").await.unwrap().unwrap();
    let moved = backend.move_entry("old", b"other", to(b"2"), None).await;
    assert!(!moved.unwrap(), "what was read isn't there any more");
    assert!(!backend.exists("new").await.unwrap());
    let moved = backend.move_entry("gone", b"1", to(b"2"), None).await;
    assert!(!moved.unwrap(), "there is nothing to move");
    assert!(!backend.exists("new").await.unwrap());

    backend.set("new", 1, None).await.unwrap();
    let moved = backend
        .move_entry("old", stored.as_bytes(), to(b"2"), None)
        .await;
    assert!(!moved.unwrap(), "the place is taken");
    assert_eq!(backend.get::<i64>("new").await.unwrap(), Some(1));
    assert_eq!(
        backend.get_stored("old").await.unwrap(),
        Some(stored.clone())
    );
    backend.delete("new").await.unwrap();

    let moved = backend
        .move_entry("old", stored.as_bytes(), to(b"2"), None)
        .await;
    assert!(moved.unwrap());
    assert!(!backend.exists("old").await.unwrap());
    assert_eq!(backend.get::<i64>("new").await.unwrap(), Some(2));
    assert!(about(backend.ttl("new").await.unwrap(), HOUR));

    let zero = NewEntry {
        life: Life::In(Duration::ZERO),
        ..to(b"3")
    };
    let refused = backend
        .move_entry("new", b"2", zero, None)
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidTtl);
    for over in [None, Some(&b"2"[..])] {
        let itself = backend.move_entry("new", b"2", to(b"3"), over).await;
        assert!(!itself.unwrap(), "nothing is moved to where it is");
        assert_eq!(backend.get::<i64>("new").await.unwrap(), Some(2));
    }
    a_move_over_something_replaces_nothing_else(&backend).await;
}

/// "old" moves to "new", which holds the integer 2 for an hour.
async fn a_move_over_something_replaces_nothing_else<B: Backend>(backend: &B) {
    let to = |value, life| NewEntry {
        key: "new",
        value,
        life,
    };
    let minute = Life::In(Duration::from_secs(60));
    backend.set("old", 1, None).await.unwrap();
    for over in [None, Some(&b"3"[..])] {
        let moved = backend.move_entry("old", b"1", to(b"9", minute), over);
        assert!(!moved.await.unwrap(), "the place holds something else");
    }
    // A source that is gone, or holds something else.
    for (from, expected) in [("gone", b"1"), ("old", b"7")] {
        let moved = backend.move_entry(from, expected, to(b"9", minute), Some(b"2"));
        assert!(!moved.await.unwrap());
    }
    assert_eq!(backend.get::<i64>("old").await.unwrap(), Some(1));
    assert_eq!(backend.get::<i64>("new").await.unwrap(), Some(2));
    assert!(about(backend.ttl("new").await.unwrap(), HOUR));

    let moved = backend.move_entry("old", b"1", to(b"3", Life::Keep), Some(b"2"));
    assert!(moved.await.unwrap());
    assert!(!backend.exists("old").await.unwrap());
    assert_eq!(backend.get::<i64>("new").await.unwrap(), Some(3));
    assert!(about(backend.ttl("new").await.unwrap(), HOUR));

    backend.set("old", 1, None).await.unwrap();
    let moved = backend.move_entry("old", b"1", to(b"4", Life::In(2 * HOUR)), Some(b"3"));
    assert!(moved.await.unwrap());
    assert_eq!(backend.get::<i64>("new").await.unwrap(), Some(4));
    assert!(about(backend.ttl("new").await.unwrap(), 2 * HOUR));

    backend.set("old", 1, None).await.unwrap();
    backend.delete("new").await.unwrap();
    let moved = backend.move_entry("old", b"1", to(b"5", minute), Some(b"4"));
    assert!(!moved.await.unwrap(), "there is nothing to replace");
    assert!(!backend.exists("new").await.unwrap());
    let moved = backend.move_entry("old", b"1", to(b"6", Life::Keep), None);
    assert!(moved.await.unwrap());
    let kept = backend.ttl("new").await.unwrap();
    assert_eq!(kept, Some(Expiry::Never), "there was no life to keep");
}
