//! Clauses 18 to 20: many keys.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::TryStreamExt;

use super::threads::on_threads;
use super::{HOUR, Harness};
use crate::backend::Backend;

/// Texts with characters that separate, quote or match somewhere.
const ODD: [&str; 16] = [
    "user:", "user", "users:", "user*", "user?", "us[er]", "us[^e]r", "u\\ser", "u-z", "{user}",
    "%75ser", "üser:", " ", "user\n", "\0", "*",
];

/// Clause 18: `get_many` is positional; duplicates are allowed, missing is `None`.
pub async fn get_many_is_positional<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    backend
        .set_many(&[("a", 1), ("b", 2), ("a", 3)], None)
        .await
        .unwrap();
    let values = backend
        .get_many::<i32>(&["b", "x", "a", "b", "y", "a"])
        .await
        .unwrap();
    assert_eq!(values, [Some(2), None, Some(3), Some(2), None, Some(3)]);
    assert_eq!(backend.get_many::<i32>(&[]).await.unwrap(), []);
    backend.set_many::<i32>(&[], None).await.unwrap();
    assert_eq!(backend.delete_many(&[]).await.unwrap(), 0);

    // More keys than go in one batch.
    let keys: Vec<String> = (0..2_500).map(|index| format!("k{index}")).collect();
    let entries: Vec<(&str, usize)> = keys.iter().map(String::as_str).zip(0..).collect();
    backend.set_many(&entries, Some(HOUR)).await.unwrap();
    let names: Vec<&str> = keys.iter().map(String::as_str).rev().collect();
    let values = backend.get_many::<usize>(&names).await.unwrap();
    assert!(values.into_iter().rev().eq((0..2_500).map(Some)));
    assert_eq!(backend.delete_many(&names).await.unwrap(), 2_500);
    assert_eq!(backend.delete_many(&["a", "a", "x"]).await.unwrap(), 1);
}

/// Clause 19: a scan yields the keys that were there throughout, at least once, and nothing outside
/// of the prefix.
pub async fn scan_yields_what_was_there_throughout<H: Harness>(harness: &H) {
    let backend = Arc::new(harness.backend().await);
    for key in ODD {
        backend.set(key, 1, None).await.unwrap();
        backend
            .set(&format!("{key}x"), 1, Some(HOUR))
            .await
            .unwrap();
    }
    let all: BTreeSet<String> = ODD
        .iter()
        .flat_map(|key| [key.to_string(), format!("{key}x")])
        .collect();
    for prefix in ODD.into_iter().chain(["", "u", "no such key"]) {
        let expected: BTreeSet<String> = all
            .iter()
            .filter(|key| key.starts_with(prefix))
            .cloned()
            .collect();
        let found: BTreeSet<String> = backend.scan(prefix).try_collect().await.unwrap();
        assert_eq!(found, expected, "prefix {prefix:?}");
    }

    for index in 0..500 {
        backend
            .set(&format!("stays:{index}"), index, None)
            .await
            .unwrap();
    }
    let done = Arc::new(AtomicBool::new(false));
    let found = on_threads(&backend, 2, move |backend, thread| {
        let done = done.clone();
        async move {
            let mut found = BTreeSet::new();
            if thread == 0 {
                for _ in 0..5 {
                    found = backend.scan("stays:").try_collect().await.unwrap();
                    let stays = |key: &&String| !key.contains("goes");
                    assert_eq!(
                        found.iter().filter(stays).count(),
                        500,
                        "a scan left entries out"
                    );
                }
                done.store(true, Ordering::SeqCst);
            }
            let mut round = 0;
            while thread == 1 && !done.load(Ordering::SeqCst) {
                backend
                    .set(&format!("stays:goes:{round}"), round, None)
                    .await
                    .unwrap();
                backend
                    .delete(&format!("stays:goes:{}", round / 2))
                    .await
                    .unwrap();
                round += 1;
            }
            found
        }
    })
    .await;
    assert!(found[0].iter().all(|key| key.starts_with("stays:")));
}

/// Clause 20: `clear` takes only its own: this backend's entries, or those under the prefix.
pub async fn clear_takes_only_its_own<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    let neighbour = harness.backend().await;
    neighbour.set("user:1", "neighbour", None).await.unwrap();
    for prefix in ODD.into_iter().filter(|prefix| !prefix.is_empty()) {
        for key in ODD {
            backend
                .set(&format!("{key}1"), 1, Some(HOUR))
                .await
                .unwrap();
        }
        let under = ODD.iter().filter(|key| key.starts_with(prefix)).count();
        assert_eq!(
            backend.clear_prefix(prefix).await.unwrap(),
            under as u64,
            "{prefix:?}"
        );
        assert_eq!(backend.clear_prefix(prefix).await.unwrap(), 0);
        for key in ODD {
            let expected = !key.starts_with(prefix);
            assert_eq!(
                backend.exists(&format!("{key}1")).await.unwrap(),
                expected,
                "{key:?}"
            );
        }
    }
    let keys: Vec<String> = (0..2_500).map(|index| format!("k{index}")).collect();
    let entries: Vec<(&str, i32)> = keys.iter().map(|key| (key.as_str(), 1)).collect();
    backend.set_many(&entries, None).await.unwrap();
    assert_eq!(backend.clear_prefix("k").await.unwrap(), 2_500);
    backend.set_many(&entries, None).await.unwrap();
    backend.clear().await.unwrap();
    assert_eq!(
        backend.scan("").try_collect::<Vec<_>>().await.unwrap(),
        [""; 0]
    );
    assert_eq!(
        neighbour.get::<String>("user:1").await.unwrap().as_deref(),
        Some("neighbour")
    );
    assert_eq!(neighbour.clear_prefix("").await.unwrap(), 1);
}
