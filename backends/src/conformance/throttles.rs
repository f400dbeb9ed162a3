//! Clauses 35 to 41: throttles.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::threads::on_threads;
use super::{HOUR, Harness};
use crate::backend::store::Store;
use crate::backend::{Backend, Expiry};
use crate::error::ErrorKind;
use crate::quota::{Attempt, Decision, Quota};

const THREADS: usize = 8;
const EACH: usize = 13;

/// One of each algorithm.
fn quotas(limit: u32, period: Duration) -> [Quota; 3] {
    [
        Quota::gcra(limit, period),
        Quota::fixed_window(limit, period),
        Quota::sliding_window(limit, period),
    ]
}

async fn ask(backend: &impl Backend, key: &str, attempt: Attempt<'_>) -> Decision {
    backend.throttle(key, attempt).await.unwrap()
}

/// Clause 35: of any number of concurrent attempts exactly as many are allowed as there is room
/// for.
pub async fn a_throttle_allows_exactly_what_fits<H: Harness>(harness: &H) {
    let backend = Arc::new(harness.backend().await);
    for (index, quota) in quotas(5, HOUR).into_iter().enumerate() {
        for cost in [1, 2] {
            let key = format!("throttle:{index}:{cost}");
            let allowed = on_threads(&backend, THREADS, move |backend, _| {
                let key = key.clone();
                async move {
                    let mut allowed = 0;
                    for _ in 0..EACH {
                        let attempt = Attempt::new(std::slice::from_ref(&quota)).with_cost(cost);
                        let decision = backend.throttle(&key, attempt).await.unwrap();
                        assert_eq!((decision.limit, decision.quota), (5, 0));
                        assert_eq!(decision.retry_after.is_none(), decision.allowed);
                        allowed += usize::from(decision.allowed);
                    }
                    allowed
                }
            });
            let allowed: usize = allowed.await.into_iter().sum();
            assert_eq!(allowed, 5 / cost as usize, "{quota:?}");
        }
    }
}

/// Clause 36: a refused attempt, and a peek, use nothing up, of none of the quotas.
pub async fn a_refused_attempt_uses_nothing_up<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    for (index, narrow) in quotas(2, HOUR).into_iter().enumerate() {
        for (other, wide) in quotas(100, 2 * HOUR).into_iter().enumerate() {
            let key = format!("throttle:{index}:{other}");
            let both = [narrow, wide];
            let all = Attempt::new(&both);
            let untouched = ask(&backend, &key, all.peeking()).await;
            assert!(untouched.allowed && untouched.reset_after.is_zero());
            assert!(!backend.exists(&key).await.unwrap());
            let decision = ask(&backend, &key, all.with_cost(2)).await;
            assert!(decision.allowed && decision.remaining == 0);
            for _ in 0..10 {
                let decision = ask(&backend, &key, all).await;
                assert!(!decision.allowed && decision.remaining == 0);
                assert_eq!((decision.quota, decision.limit), (0, 2));
                assert!(!ask(&backend, &key, all.peeking()).await.allowed);
            }
            // Kept by place: only the second quota, in its place, has used up its room.
            let wider = [Quota::gcra(1000, 3 * HOUR), wide];
            let decision = ask(&backend, &key, Attempt::new(&wider).peeking()).await;
            assert!(decision.allowed);
            assert_eq!(decision.quota, 1, "{decision:?}");
            assert_eq!(decision.remaining, 98);
            let free = ask(&backend, &key, all.with_cost(0)).await;
            assert!(free.allowed && free.remaining == 0);
        }
    }
}

/// Clause 37: an attempt that was refused can pass when its `retry_after` is over, and not before.
pub async fn a_throttle_lets_pass_when_it_says<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    let period = Duration::from_millis(300);
    for (index, quota) in quotas(3, period).into_iter().enumerate() {
        let key = format!("throttle:{index}");
        let quota = [quota];
        let attempt = Attempt::new(&quota).with_cost(2);
        let mut waited = 0;
        // Calls that take as long as tokens do to come back are never refused.
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while waited < 4 {
            assert!(
                std::time::Instant::now() < deadline,
                "{quota:?} refuses nothing"
            );
            let before = Instant::now();
            let Some(wait) = ask(&backend, &key, attempt).await.retry_after else {
                continue;
            };
            waited += 1;
            assert!(!wait.is_zero());
            let after = Instant::now();
            loop {
                let asked = Instant::now();
                let decision = ask(&backend, &key, attempt.peeking()).await;
                if decision.allowed {
                    assert!(
                        Instant::now() >= before + wait,
                        "{quota:?} lets pass too soon"
                    );
                    break;
                }
                // A backend without a step of its own for it may take a little longer.
                let late = match harness.grace().is_zero() {
                    true => Duration::ZERO,
                    false => Duration::from_secs(5),
                };
                assert!(asked < after + wait + late, "{quota:?} doesn't let pass");
                harness.pass(Duration::from_millis(1)).await;
            }
        }
    }
}

/// Clause 38: throttling something else is an error and changes nothing, and the stored state of a
/// throttle is nothing else.
pub async fn throttling_something_else_is_an_error_and_changes_nothing<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    let quota = [Quota::gcra(5, HOUR)];
    let attempt = Attempt::new(&quota);
    backend.set("counter", 7, None).await.unwrap();
    backend.set("text", "some text", None).await.unwrap();
    for key in ["counter", "text"] {
        let before = backend.get_stored(key).await.unwrap();
        for attempt in [attempt, attempt.peeking()] {
            let error = backend.throttle(key, attempt).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WrongType);
        }
        assert_eq!(backend.get_stored(key).await.unwrap(), before);
        assert_eq!(backend.ttl(key).await.unwrap(), Some(Expiry::Never));
    }
    assert!(ask(&backend, "throttle", attempt).await.allowed);
    let error = backend.increment("throttle", None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongType);
    let error = backend.get::<String>("throttle").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!(
        ask(&backend, "throttle", attempt.peeking()).await.remaining,
        4
    );
}

/// Clause 39: a throttle lives for as long as its use matters; deleting the throttle forgets the
/// use.
pub async fn a_throttle_lives_as_long_as_it_matters<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    let period = Duration::from_millis(120);
    for (index, quota) in quotas(3, period).into_iter().enumerate() {
        let key = format!("throttle:{index}");
        let quota = [quota];
        let decision = ask(&backend, &key, Attempt::new(&quota)).await;
        let after = Instant::now();
        let most = decision.reset_after + Duration::from_millis(1);
        assert!(!decision.reset_after.is_zero() && decision.reset_after <= 2 * period);
        if let Some(expiry) = backend.ttl(&key).await.unwrap() {
            assert!(
                matches!(expiry, Expiry::In(left) if left <= most),
                "{expiry:?}"
            );
        }
        loop {
            let asked = Instant::now();
            if !backend.exists(&key).await.unwrap() {
                break;
            }
            assert!(
                asked < after + most + harness.grace(),
                "{quota:?} outlives its use"
            );
            harness.pass(Duration::from_millis(1)).await;
        }
        let fresh = ask(&backend, &key, Attempt::new(&quota).with_cost(3)).await;
        assert!(fresh.allowed);
    }
    let quota = [Quota::fixed_window(1, HOUR)];
    assert!(
        ask(&backend, "forgotten", Attempt::new(&quota))
            .await
            .allowed
    );
    assert!(
        !ask(&backend, "forgotten", Attempt::new(&quota))
            .await
            .allowed
    );
    assert!(backend.delete("forgotten").await.unwrap());
    assert!(
        ask(&backend, "forgotten", Attempt::new(&quota))
            .await
            .allowed
    );
}

/// Clause 40: an attempt that can't be decided, or could never be allowed, is refused as a mistake
/// before anything is sent.
pub async fn an_impossible_attempt_is_refused<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    let good = Quota::gcra(5, HOUR);
    let zero = [good, Quota::gcra(0, HOUR)];
    let too_many = [good; 9];
    let cases = [
        (Attempt::new(&[]), ErrorKind::InvalidConfig),
        (Attempt::new(&zero), ErrorKind::InvalidConfig),
        (Attempt::new(&too_many), ErrorKind::InvalidConfig),
        (
            Attempt::new(&too_many[..8]).with_cost(6),
            ErrorKind::TooLarge,
        ),
    ];
    for (attempt, kind) in cases {
        for attempt in [attempt, attempt.peeking()] {
            let error = backend.throttle("throttle", attempt).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{attempt:?}");
        }
    }
    let attempt = Attempt::new(&too_many[..8]);
    let error = backend.throttle("", attempt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidKey);
    assert!(!backend.exists("throttle").await.unwrap());
    assert!(ask(&backend, "throttle", attempt).await.allowed);
}

/// Clause 41: of quotas on one key none changes what another has counted.
pub async fn an_attempt_leaves_what_others_go_by<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    for (index, old) in quotas(40, HOUR).into_iter().enumerate() {
        let (lower, longer) = (quotas(4, HOUR)[index], quotas(4, 2 * HOUR)[index]);
        let bursts = (index == 0).then(|| old.with_burst(4));
        for (other, new) in [lower, longer].into_iter().chain(bursts).enumerate() {
            let key = format!("throttle:{index}:{other}");
            old_and_new_side_by_side(&backend, &key, old, new).await;
        }
        let key = format!("throttle:{index}");
        let allowed = ask(&backend, &key, Attempt::new(&[old]).with_cost(25)).await;
        assert!(allowed.allowed);
        let higher = [quotas(400, HOUR)[index]];
        let allowed = ask(&backend, &key, Attempt::new(&higher).with_cost(10)).await;
        assert!(allowed.allowed);
        // Windows count calls, GCRA counts time: ten calls of the new one take as long as one of
        // the old one.
        let left = if index == 0 { 14 } else { 5 };
        assert_eq!(left_of(&backend, &key, old).await, left, "{old:?}");
        let rest = ask(&backend, &key, Attempt::new(&[old]).with_cost(left as u32)).await;
        assert!(rest.allowed && !ask(&backend, &key, Attempt::new(&[old])).await.allowed);
    }
}

async fn left_of(backend: &impl Backend, key: &str, quota: Quota) -> u64 {
    ask(backend, key, Attempt::new(&[quota]).peeking())
        .await
        .remaining
}

/// Uses up of `old`, and asks in vain for all of `new`, which has a lower limit or another period.
async fn old_and_new_side_by_side(backend: &impl Backend, key: &str, old: Quota, new: Quota) {
    let all = [new];
    let all = Attempt::new(&all).with_cost(4);
    if new.period() != old.period() {
        assert!(ask(backend, key, all).await.allowed);
    }
    let first = ask(backend, key, Attempt::new(&[old]).with_cost(20)).await;
    assert!(first.allowed && first.remaining == 20, "{first:?}");
    for used in 21..26 {
        assert!(ask(backend, key, Attempt::new(&[old])).await.allowed);
        let left = left_of(backend, key, new).await;
        assert!(!ask(backend, key, all).await.allowed, "{old:?} {new:?}");
        assert!(!ask(backend, key, all.peeking()).await.allowed);
        assert!(ask(backend, key, all.with_cost(0)).await.allowed);
        assert_eq!(left_of(backend, key, new).await, left, "{old:?} {new:?}");
        let left = left_of(backend, key, old).await;
        assert_eq!(left, 40 - used, "{old:?} {new:?}");
    }
}
