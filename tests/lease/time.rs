//! A guard knows to the millisecond how long its lease is held.

use std::time::Duration;

use futures::FutureExt;
use reinhardt_backends::layer::Op;
use reinhardt_backends::lease::Renewal;
use reinhardt_backends::testing::Flaky;
use reinhardt_backends::{ErrorKind, MemoryBackend};
use tokio::time::{Instant, advance};

use crate::{PATIENCE, acquire, answering, lease};

const TTL: Duration = Duration::from_secs(30);
const MOMENT: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn a_lease_is_held_to_the_millisecond() {
    let backend = MemoryBackend::new();
    let lease = lease(&backend, TTL);
    let guard = acquire(&lease).await;
    assert_eq!(guard.remaining(), TTL);
    advance(TTL - MOMENT).await;
    assert_eq!(guard.remaining(), MOMENT);
    assert!(guard.is_held());
    assert!(lease.acquire().await.unwrap().is_none());
    advance(MOMENT).await;
    assert!(!guard.is_held());
    assert_eq!(guard.remaining(), Duration::ZERO);
    let next = acquire(&lease).await;
    assert!(next.fencing_number() > guard.fencing_number());
    assert!(!guard.release().await.unwrap());
    assert!(next.release().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_renewed_lease_is_held_for_its_time_from_then() {
    let backend = MemoryBackend::new();
    let lease = lease(&backend, TTL);
    let mut guard = acquire(&lease).await;
    for _ in 0..10 {
        advance(TTL - MOMENT).await;
        assert_eq!(guard.renew().await.unwrap(), Renewal::Held);
        assert_eq!(guard.remaining(), TTL);
        assert!(lease.acquire().await.unwrap().is_none());
    }
    advance(TTL).await;
    assert_eq!(guard.renew().await.unwrap(), Renewal::Lost);
}

#[tokio::test(start_paused = true)]
async fn who_waits_gets_it_soon_after_its_end() {
    let backend = MemoryBackend::new();
    let lease = lease(&backend, TTL);
    let _dead = acquire(&lease).await;
    let started = Instant::now();
    let next = lease.acquire_within(PATIENCE).await.unwrap();
    assert!(next.is_some());
    let waited = started.elapsed();
    assert!(waited >= TTL);
    assert!(waited <= TTL + Duration::from_millis(501), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn who_waits_does_so_for_the_patience_and_no_longer() {
    let backend = MemoryBackend::new();
    let lease = lease(&backend, TTL);
    let _held = acquire(&lease).await;
    let started = Instant::now();
    let patience = Duration::from_secs(5);
    assert!(lease.acquire_within(patience).await.unwrap().is_none());
    let waited = started.elapsed();
    assert!(waited >= patience && waited <= patience + MOMENT);
    // Up to the lease's very end.
    let left = TTL - started.elapsed();
    assert!(lease.acquire_within(left).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn the_time_is_counted_from_before_the_call_that_begins_it() {
    let (backend, answers) = answering(MemoryBackend::new(), 4);
    let lease = lease(&backend, TTL);
    let stall = TTL / 3;
    // The token and the number, which takes three calls the first time, are answered; the last call
    // isn't yet.
    let mut acquiring = Box::pin(lease.acquire());
    assert!((&mut acquiring).now_or_never().is_none());
    advance(stall).await;
    answers.release(1);
    let mut guard = acquiring.await.unwrap().unwrap();
    assert_eq!(guard.remaining(), TTL - stall);
    {
        let mut renewing = Box::pin(guard.renew());
        assert!((&mut renewing).now_or_never().is_none());
        advance(stall).await;
        answers.release(1);
        assert_eq!(renewing.await.unwrap(), Renewal::Held);
    }
    assert_eq!(guard.remaining(), TTL - stall);
}

#[tokio::test(start_paused = true)]
async fn who_waits_bears_failures_that_may_pass() {
    let backend = Flaky::new(MemoryBackend::new());
    let failures = backend.on(Op::Write).first(3);
    let failures = failures.fail(ErrorKind::Unavailable);
    let lease = lease(&backend, TTL);
    let guard = lease.acquire_within(PATIENCE).await.unwrap();
    assert!(guard.unwrap().release().await.unwrap());
    assert_eq!(failures.applied(), 3);

    backend.on(Op::Write).fail(ErrorKind::Unavailable);
    let error = lease.acquire_within(TTL).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}
