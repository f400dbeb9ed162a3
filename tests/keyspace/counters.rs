//! A counter has every field in its key, and counts in windows.

use std::time::Duration;

use reinhardt_backends::{Backend, ErrorKind, Expiry, Keyspace, MemoryBackend};
use tokio::time::advance;

use crate::{RateCounter, login};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_counter_starts_at_zero() {
    let backend = MemoryBackend::new();
    assert_eq!(login().get(&backend).await.unwrap(), 0);
    assert_eq!(login().ttl(&backend).await.unwrap(), None);
    assert_eq!(login().increment(&backend).await.unwrap(), 1);
    assert_eq!(login().increment(&backend).await.unwrap(), 2);
    assert_eq!(login().get(&backend).await.unwrap(), 2);
}

#[tokio::test]
async fn a_delta_may_be_negative() {
    let backend = MemoryBackend::new();
    assert_eq!(login().increment_by(&backend, 5).await.unwrap(), 5);
    assert_eq!(login().increment_by(&backend, -7).await.unwrap(), -2);
}

#[tokio::test(start_paused = true)]
async fn a_window_closes_under_steady_traffic() {
    let backend = MemoryBackend::new();
    for hits in 1..=3 {
        assert_eq!(login().increment(&backend).await.unwrap(), hits);
        advance(MINUTE / 3).await;
    }
    assert_eq!(login().get(&backend).await.unwrap(), 0);
    assert_eq!(login().increment(&backend).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hit_tells_the_sum_and_what_is_left_of_the_window() {
    let backend = MemoryBackend::new();
    login().hit(&backend).await.unwrap();
    advance(MINUTE / 4).await;
    let counted = login().hit(&backend).await.unwrap();
    assert_eq!(counted.value, 2);
    assert_eq!(counted.expiry, Expiry::In(MINUTE * 3 / 4));
    assert_eq!(
        login().ttl(&backend).await.unwrap(),
        Some(Expiry::In(MINUTE * 3 / 4))
    );
}

#[tokio::test]
async fn reset_says_whether_there_was_a_counter() {
    let backend = MemoryBackend::new();
    login().increment(&backend).await.unwrap();
    assert!(login().reset(&backend).await.unwrap());
    assert!(!login().reset(&backend).await.unwrap());
    assert_eq!(login().get(&backend).await.unwrap(), 0);
}

#[tokio::test]
async fn overflow_is_an_error_and_changes_nothing() {
    let backend = MemoryBackend::new();
    login().increment_by(&backend, i64::MAX).await.unwrap();
    let error = login().increment(&backend).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overflow);
    assert_eq!(login().get(&backend).await.unwrap(), i64::MAX);
}

#[tokio::test]
async fn counters_of_different_fields_are_different_counters() {
    let backend = MemoryBackend::new();
    login().increment(&backend).await.unwrap();
    let logout = RateCounter {
        route: "/logout",
        ..login()
    };
    assert_eq!(logout.get(&backend).await.unwrap(), 0);
}

#[tokio::test]
async fn a_counter_without_fields_is_one_counter() {
    #[derive(Keyspace)]
    #[keyspace(prefix = "visits", ttl = never, counter)]
    struct Visits;
    let backend = MemoryBackend::new();
    Visits.increment(&backend).await.unwrap();
    assert_eq!(&*Visits.key(), "visits:");
    assert_eq!(Visits::parse_key("visits:"), Some(()));
    assert_eq!(Visits.ttl(&backend).await.unwrap(), Some(Expiry::Never));
    assert_eq!(Visits::clear(&backend).await.unwrap(), 1);
}

#[tokio::test]
async fn clear_takes_only_its_own() {
    let backend = MemoryBackend::new();
    login().increment(&backend).await.unwrap();
    backend.set("rate", 1, None).await.unwrap();
    backend.set("rates:x", 1, None).await.unwrap();
    assert_eq!(RateCounter::clear(&backend).await.unwrap(), 1);
    assert!(backend.exists("rate").await.unwrap());
    assert!(backend.exists("rates:x").await.unwrap());
}
