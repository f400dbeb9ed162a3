//! A lease has one owner at a time, whose numbers grow, and a dropped guard leaves nothing behind.

use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, TryStreamExt};
use reinhardt_backends::lease::{Lease, Renewal};
use reinhardt_backends::store::MAX_TTL;
use reinhardt_backends::{
    Backend, Condition, ErrorKind, Expiry, Keyspace, Life, MemoryBackend, Write,
};

use crate::{HOUR, PATIENCE, acquire, answering, lease};

macro_rules! on_every_backend {
    ($($test:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $test() {
                super::$test(::std::sync::Arc::new(::reinhardt_backends::MemoryBackend::new())).await;
            })*
        }

        mod redis {
            $(#[tokio::test]
            async fn $test() {
                let server = ::reinhardt_backends_tests::Server::start();
                super::$test(::std::sync::Arc::new(server.connect().await)).await;
            })*
        }
    };
}

on_every_backend! {
    one_owner_at_a_time
    every_grant_has_a_greater_number
    numbers_grow_across_names_and_after_a_clear
    numbers_grow_from_where_a_counter_stands
    a_counter_below_zero_is_refused
    a_renewal_starts_the_time_over
    a_stale_guard_touches_nothing
    a_dropped_guard_releases
    a_guard_that_is_dropped_where_nothing_runs_ends_by_itself
    a_dropped_try_leaves_nothing
    a_try_that_took_too_long_is_no_grant
    waiting_ends_with_the_patience
    waiting_ends_with_the_lease_before
    no_keyspace_meets_a_lease
}

async fn one_owner_at_a_time<B: Backend + 'static>(backend: Arc<B>) {
    let lease = lease(&backend, HOUR);
    let guard = acquire(&lease).await;
    assert!(guard.is_held());
    assert!(guard.remaining() <= HOUR);
    assert!(lease.acquire().await.unwrap().is_none());
    let other = Lease::new(backend, "another job", HOUR).unwrap();
    assert!(other.acquire().await.unwrap().is_some());
    assert!(guard.release().await.unwrap());
    assert!(acquire(&lease).await.release().await.unwrap());
}

async fn every_grant_has_a_greater_number<B: Backend + 'static>(backend: Arc<B>) {
    let lease = lease(&backend, HOUR);
    let mut last = 0;
    for _ in 0..5 {
        let guard = acquire(&lease).await;
        assert!(guard.fencing_number() > last);
        last = guard.fencing_number();
        assert!(guard.release().await.unwrap());
    }
}

async fn numbers_grow_across_names_and_after_a_clear<B: Backend + 'static>(backend: Arc<B>) {
    let mut last = 0;
    for name in ["a", "b", "c"] {
        let lease = Lease::new(backend.clone(), name, HOUR).unwrap();
        let guard = acquire(&lease).await;
        assert!(guard.fencing_number() > last, "{name}");
        last = guard.fencing_number();
        if name == "b" {
            backend.clear().await.unwrap();
        }
    }
    let counters: Vec<String> = backend.scan("lease@fence").try_collect().await.unwrap();
    assert_eq!(counters.len(), 1, "one for all names");
    assert_eq!(
        backend.ttl(&counters[0]).await.unwrap(),
        Some(Expiry::Never)
    );
}

async fn numbers_grow_from_where_a_counter_stands<B: Backend + 'static>(backend: Arc<B>) {
    let far = i64::MAX - 2;
    backend.set("lease@fence", far, None).await.unwrap();
    let lease = lease(&backend, HOUR);
    for more in 1..=2 {
        let guard = acquire(&lease).await;
        assert_eq!(guard.fencing_number(), (far + more) as u64);
        guard.release().await.unwrap();
    }
    let error = lease.acquire().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overflow);
}

async fn a_counter_below_zero_is_refused<B: Backend + 'static>(backend: Arc<B>) {
    backend.set("lease@fence", -5, None).await.unwrap();
    let lease = lease(&backend, HOUR);
    let error = lease.acquire().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongType);
    // The lease that was taken before the error is given back.
    backend.delete("lease@fence").await.unwrap();
    let guard = lease.acquire_within(PATIENCE).await.unwrap();
    assert!(guard.is_some());
}

async fn a_renewal_starts_the_time_over<B: Backend + 'static>(backend: Arc<B>) {
    let lease = lease(&backend, HOUR);
    let mut guard = acquire(&lease).await;
    let number = guard.fencing_number();
    let minute = Life::In(Duration::from_secs(60));
    assert!(backend.expire("lease@name:job", minute).await.unwrap());
    assert_eq!(guard.renew().await.unwrap(), Renewal::Held);
    let left = backend.ttl("lease@name:job").await.unwrap();
    assert!(matches!(left, Some(Expiry::In(left)) if left > HOUR / 2));
    assert!(guard.is_held());
    assert_eq!(guard.fencing_number(), number);
}

async fn a_stale_guard_touches_nothing<B: Backend + 'static>(backend: Arc<B>) {
    let lease = lease(&backend, HOUR);
    let mut renewing = acquire(&lease).await;
    backend.delete("lease@name:job").await.unwrap();
    let releasing = acquire(&lease).await;
    backend.delete("lease@name:job").await.unwrap();
    let dropped = acquire(&lease).await;
    backend.delete("lease@name:job").await.unwrap();
    let mut held = acquire(&lease).await;

    assert!(renewing.is_held(), "it has been told nothing yet");
    assert_eq!(renewing.renew().await.unwrap(), Renewal::Lost);
    assert!(!renewing.is_held());
    assert_eq!(renewing.renew().await.unwrap(), Renewal::Lost);
    assert!(!renewing.release().await.unwrap());
    assert!(!releasing.release().await.unwrap());
    drop(dropped);
    // This ping is answered after all commands that the drop has sent before.
    backend.ping().await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(held.renew().await.unwrap(), Renewal::Held);
    assert!(lease.acquire().await.unwrap().is_none());
    assert!(held.release().await.unwrap());
}

async fn a_dropped_guard_releases<B: Backend + 'static>(backend: Arc<B>) {
    let lease = lease(&backend, HOUR);
    let first = acquire(&lease).await;
    let number = first.fencing_number();
    drop(first);
    let next = lease.acquire_within(PATIENCE).await.unwrap();
    assert!(next.expect("it was released").fencing_number() > number);
}

async fn a_guard_that_is_dropped_where_nothing_runs_ends_by_itself<B: Backend + 'static>(
    backend: Arc<B>,
) {
    let lease = lease(&backend, HOUR);
    let guard = acquire(&lease).await;
    std::thread::spawn(move || drop(guard)).join().unwrap();
    if backend.as_sync().is_none() {
        assert!(lease.acquire().await.unwrap().is_none());
        let moment = Life::In(Duration::from_millis(50));
        assert!(backend.expire("lease@name:job", moment).await.unwrap());
    }
    assert!(lease.acquire_within(PATIENCE).await.unwrap().is_some());
}

/// A first try makes five calls: token, number, the counter's beginning, number, token.
async fn a_dropped_try_leaves_nothing<B: Backend + 'static>(backend: Arc<B>) {
    for answers in 0..5 {
        backend.clear().await.unwrap();
        let (stalling, answered) = answering(backend.clone(), answers);
        let stalled = lease(&stalling, HOUR);
        let mut attempt = Box::pin(stalled.acquire());
        // Done, but not answered.
        let reached = async {
            while answered.reached(answers + 1).now_or_never().is_none() {
                assert!((&mut attempt).now_or_never().is_none());
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.unwrap();
        assert!((&mut attempt).now_or_never().is_none());
        drop(attempt);
        let next = lease(&backend, HOUR).acquire_within(PATIENCE).await;
        assert!(next.unwrap().is_some(), "after {answers} answers");
    }
    let (stalling, _) = answering(backend.clone(), 5);
    backend.clear().await.unwrap();
    assert!(lease(&stalling, HOUR).acquire().await.unwrap().is_some());
}

async fn a_try_that_took_too_long_is_no_grant<B: Backend + 'static>(backend: Arc<B>) {
    let (stalling, answered) = answering(backend.clone(), 1);
    let stalled = lease(&stalling, HOUR);
    let attempt = tokio::spawn(async move { stalled.acquire().await });
    // Its token goes before it has its number, as at the end of its time.
    tokio::time::timeout(PATIENCE, async {
        while !backend.delete("lease@name:job").await.unwrap() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    let mut held = acquire(&lease(&backend, HOUR)).await;
    answered.open();
    assert!(attempt.await.unwrap().unwrap().is_none());
    assert_eq!(held.renew().await.unwrap(), Renewal::Held);
}

async fn waiting_ends_with_the_patience<B: Backend + 'static>(backend: Arc<B>) {
    let lease = lease(&backend, HOUR);
    let _held = acquire(&lease).await;
    let started = tokio::time::Instant::now();
    let patience = Duration::from_millis(100);
    assert!(lease.acquire_within(patience).await.unwrap().is_none());
    assert!(started.elapsed() >= patience);
    let none = lease.acquire_within(Duration::ZERO).await;
    assert!(none.unwrap().is_none());
}

async fn waiting_ends_with_the_lease_before<B: Backend + 'static>(backend: Arc<B>) {
    let lease = lease(&backend, HOUR);
    for patience in [PATIENCE, Duration::MAX] {
        let dead = acquire(&lease).await;
        let moment = Life::In(Duration::from_millis(50));
        assert!(backend.expire("lease@name:job", moment).await.unwrap());
        let next = lease.acquire_within(patience).await.unwrap().unwrap();
        assert!(next.fencing_number() > dead.fencing_number());
        assert!(!dead.release().await.unwrap());
        assert!(next.release().await.unwrap());
    }
}

async fn no_keyspace_meets_a_lease<B: Backend + 'static>(backend: Arc<B>) {
    #[derive(Keyspace)]
    #[keyspace(prefix = "lease", ttl = never, value = String)]
    struct Contract<'a> {
        name: &'a str,
    }

    let lease = Lease::new(backend.clone(), "a:b*%", HOUR).unwrap();
    let guard = acquire(&lease).await;
    for name in ["name:a:b*%", "@name:a:b*%", "name", "fence"] {
        assert!(!Contract { name }.exists(&backend).await.unwrap());
        Contract { name }.set(&backend, "signed").await.unwrap();
    }
    assert_eq!(Contract::clear(&backend).await.unwrap(), 4);
    assert!(guard.release().await.unwrap());
}

#[tokio::test]
async fn bad_input_is_refused_before_anything_is_sent() {
    let backend = MemoryBackend::new();
    for ttl in [Duration::ZERO, MAX_TTL + Duration::from_nanos(1)] {
        let error = Lease::new(backend.clone(), "job", ttl).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidTtl);
    }
    let long = "x".repeat(1024);
    for name in ["", long.as_str()] {
        let error = Lease::new(backend.clone(), name, HOUR).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey);
    }
    let longest = Lease::new(
        backend.clone(),
        &long[..1024 - "lease@name:".len()],
        MAX_TTL,
    );
    let guard = acquire(&longest.unwrap()).await;
    assert!(guard.is_held());
}

#[tokio::test]
async fn a_lease_of_a_trait_object() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let lease = lease(&backend, HOUR);
    let guard = acquire(&lease).await;
    assert!(lease.acquire().await.unwrap().is_none());
    assert!(guard.release().await.unwrap());
}

#[tokio::test]
async fn debug_shows_neither_name_nor_token() {
    let backend = MemoryBackend::new();
    let lease = Lease::new(backend.clone(), "topsecret", HOUR).unwrap();
    let guard = acquire(&lease).await;
    let stored = backend.get::<String>("lease@name:topsecret").await.unwrap();
    for shown in [format!("{lease:?}"), format!("{guard:?}")] {
        assert!(!shown.contains("topsecret"));
        assert!(!shown.contains(stored.as_deref().unwrap()));
    }
}

#[test]
fn a_guard_on_memory_needs_no_runtime_to_release() {
    let backend = MemoryBackend::new();
    let lease = lease(&backend, HOUR);
    let acquire = || lease.acquire().now_or_never().unwrap().unwrap();
    let guard = acquire().unwrap();
    assert!(acquire().is_none());
    drop(guard);
    assert!(acquire().is_some());
}

#[tokio::test]
async fn every_token_is_another() {
    let backend = MemoryBackend::new();
    let lease = lease(&backend, HOUR);
    let mut tokens = std::collections::HashSet::new();
    for _ in 0..100 {
        let guard = acquire(&lease).await;
        let token = backend.get::<String>("lease@name:job").await.unwrap();
        assert!(tokens.insert(token.unwrap()));
        guard.release().await.unwrap();
    }
}

#[tokio::test]
async fn a_foreign_value_under_the_name_is_an_owner() {
    let backend = MemoryBackend::new();
    let options = Write::new(Life::Never).when(Condition::Absent);
    let written = backend.write("lease@name:job", b"\xf6", options).await;
    assert!(written.unwrap());
    assert!(lease(&backend, HOUR).acquire().await.unwrap().is_none());
}
