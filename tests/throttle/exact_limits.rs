//! A throttle is exact to the microsecond.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use reinhardt_backends::store::Store;
use reinhardt_backends::throttle::{Attempt, Decision, Quota, Throttle, WhenDown};
use reinhardt_backends::{Backend, ErrorKind, MemoryBackend, RedisBackend};
use reinhardt_backends_tests::Server;
use tokio::time::advance;

use super::own_backend::MapBackend;
use super::quotas;

const MICRO: Duration = Duration::from_micros(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

async fn ask(backend: &impl Backend, quota: &[Quota]) -> Decision {
    backend
        .throttle("throttle", Attempt::new(quota))
        .await
        .unwrap()
}

async fn allows(backend: &impl Backend, quota: &[Quota]) -> bool {
    ask(backend, quota).await.allowed
}

/// Rounds up: sliding windows begin at whole milliseconds of the store's clock.
fn to_millis(time: Duration) -> Duration {
    Duration::from_millis(time.as_micros().div_ceil(1000) as u64)
}

/// Runs a property in paused time.
fn in_paused_time<S: Strategy, F: Future<Output = Result<(), TestCaseError>>>(
    cases: u32,
    of: S,
    property: impl Fn(S::Value) -> F,
) {
    let mut runner = TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let ran = runner.run(&of, |value| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        runtime.unwrap().block_on(property(value))
    });
    ran.unwrap();
}

/// A pause in microseconds and a cost.
fn calls() -> impl Strategy<Value = Vec<(u64, u32)>> {
    let pause = prop_oneof![Just(0), 0..5000_u64, 0..3_000_000_u64];
    prop::collection::vec((pause, 1..5_u32), 1..30)
}

#[test]
fn a_wait_is_the_shortest_that_helps() {
    in_paused_time(500, (quotas(), calls()), |(quota, calls)| async move {
        let backend = MemoryBackend::new();
        let quota = [quota];
        for (pause, cost) in calls {
            advance(Duration::from_micros(pause)).await;
            let attempt = Attempt::new(&quota).with_cost(cost.min(quota[0].capacity()));
            let decision = backend.throttle("throttle", attempt).await.unwrap();
            let Some(wait) = decision.retry_after else {
                continue;
            };
            advance(wait - MICRO).await;
            let early = backend
                .throttle("throttle", attempt.peeking())
                .await
                .unwrap();
            prop_assert!(!early.allowed);
            prop_assert_eq!(early.retry_after, Some(MICRO));
            advance(MICRO).await;
            prop_assert!(backend.throttle("throttle", attempt).await.unwrap().allowed);
        }
        Ok(())
    });
}

#[test]
fn gcra_is_that_of_the_recommendation() {
    let rates = (1..500_u32, 1..100_000_u64, 1..500_u32);
    in_paused_time(
        500,
        (rates, calls()),
        |((limit, period, burst), calls)| async move {
            let quota = [Quota::gcra(limit, Duration::from_millis(period)).with_burst(burst)];
            let backend = MemoryBackend::new();
            // The virtual scheduling algorithm, in units of one microsecond over the limit: no
            // number is rounded.
            let (period, limit) = (u128::from(period) * 1000, u128::from(limit));
            let (mut now, mut arrival) = (0, 0);
            for (pause, cost) in calls {
                advance(Duration::from_micros(pause)).await;
                now += u128::from(pause) * limit;
                let cost = cost.min(burst);
                let attempt = Attempt::new(&quota).with_cost(cost);
                let decision = backend.throttle("throttle", attempt).await.unwrap();
                let next = arrival.max(now) + u128::from(cost) * period;
                let tolerated = now + u128::from(burst) * period;
                prop_assert_eq!(decision.allowed, next <= tolerated);
                let wait = next.saturating_sub(tolerated).div_ceil(limit);
                prop_assert_eq!(decision.retry_after.unwrap_or_default().as_micros(), wait);
                if decision.allowed {
                    arrival = next;
                }
                let left = tolerated.saturating_sub(arrival.max(now)) / period;
                prop_assert_eq!(u128::from(decision.remaining), left);
                let reset = arrival.saturating_sub(now).div_ceil(limit);
                prop_assert_eq!(decision.reset_after.as_micros(), reset);
            }
            Ok(())
        },
    );
}

/// The default in terms of the required methods, where no time passes between its read and its
/// write.
#[test]
fn a_backend_without_a_step_of_its_own_decides_alike() {
    let quotas = prop::collection::vec(quotas(), 1..4);
    in_paused_time(300, (quotas, calls()), |(quotas, calls)| async move {
        let (memory, own) = (MemoryBackend::new(), MapBackend::default());
        for (pause, cost) in calls {
            // Whole milliseconds, because a sliding window goes by the milliseconds of its own
            // clock.
            advance(Duration::from_millis(pause / 1000)).await;
            let most = quotas.iter().map(Quota::capacity).min().unwrap();
            let attempt = Attempt::new(&quotas).with_cost(cost.min(most));
            let one = memory.throttle("throttle", attempt).await.unwrap();
            let other = own.throttle("throttle", attempt).await.unwrap();
            prop_assert_eq!(one, other);
        }
        Ok(())
    });
}

#[tokio::test(start_paused = true)]
async fn a_fixed_window_closes_at_its_edge() {
    let backend = MemoryBackend::new();
    let quota = [Quota::fixed_window(2, MINUTE)];
    assert!(allows(&backend, &quota).await);
    advance(MINUTE / 2).await;
    assert!(allows(&backend, &quota).await);
    assert_eq!(ask(&backend, &quota).await.retry_after, Some(MINUTE / 2));
    advance(MINUTE / 2 - MICRO).await;
    assert!(!allows(&backend, &quota).await);
    advance(MICRO).await;
    // Twice the limit around the edge: a fixed window can't prevent that.
    assert!(allows(&backend, &quota).await && allows(&backend, &quota).await);
    assert_eq!(ask(&backend, &quota).await.retry_after, Some(MINUTE));
}

#[tokio::test(start_paused = true)]
async fn a_sliding_window_weighs_the_period_before() {
    let backend = MemoryBackend::new();
    let quota = [Quota::sliding_window(10, MINUTE)];
    let ten = Attempt::new(&quota).with_cost(10);
    assert!(backend.throttle("throttle", ten).await.unwrap().allowed);
    // The first bucket has to become the one before, and then to lose a tenth of its weight.
    let wait = ask(&backend, &quota).await.retry_after.unwrap();
    assert_eq!(to_millis(wait), MINUTE + MINUTE / 10);
    advance(MINUTE + MINUTE / 2).await;
    let decision = ask(&backend, &quota).await;
    assert!(decision.allowed);
    assert_eq!(decision.remaining, 4);
    advance(MINUTE / 2).await;
    assert_eq!(ask(&backend, &quota).await.remaining, 8);
}

#[tokio::test(start_paused = true)]
async fn tokens_come_back_one_by_one() {
    let backend = MemoryBackend::new();
    let quota = [Quota::gcra(6, MINUTE).with_burst(3)];
    for left in [2, 1, 0] {
        assert_eq!(ask(&backend, &quota).await.remaining, left);
    }
    let refused = ask(&backend, &quota).await;
    assert_eq!(refused.retry_after, Some(MINUTE / 6));
    assert_eq!(refused.reset_after, MINUTE / 2);
    advance(MINUTE / 6).await;
    assert!(allows(&backend, &quota).await && !allows(&backend, &quota).await);
}

#[tokio::test(start_paused = true)]
async fn a_burst_and_a_sustained_limit_hold_together() {
    let backend = MemoryBackend::new();
    let throttle = Throttle::new(
        "api",
        [Quota::gcra(2, SECOND), Quota::fixed_window(5, MINUTE)],
    );
    let throttle = throttle.unwrap();
    let mut allowed = 0;
    for _ in 0..40 {
        allowed += usize::from(throttle.check(&backend, "ann").await.unwrap().allowed);
        advance(SECOND / 4).await;
    }
    assert_eq!(allowed, 5);
    let refused = throttle.check(&backend, "ann").await.unwrap();
    assert_eq!((refused.quota, refused.retry_after), (1, Some(50 * SECOND)));
    assert!(throttle.check(&backend, "bob").await.unwrap().allowed);
    assert!(throttle.reset(&backend, "ann").await.unwrap());
    assert!(!throttle.reset(&backend, "ann").await.unwrap());
    assert_eq!(throttle.peek(&backend, "ann").await.unwrap().remaining, 2);
}

#[tokio::test(start_paused = true)]
async fn another_limit_goes_on_with_what_was_used_up() {
    let backend = MemoryBackend::new();
    for new in [Quota::gcra, Quota::fixed_window, Quota::sliding_window] {
        backend.clear().await.unwrap();
        let four = [new(4, MINUTE)];
        let decision = backend
            .throttle("throttle", Attempt::new(&four).with_cost(4))
            .await;
        assert!(decision.unwrap().allowed);
        // With a lower limit, the usage stands and is waited for. With another period, the throttle
        // starts afresh.
        let lower = ask(&backend, &[new(2, MINUTE)]).await;
        assert_eq!((lower.allowed, lower.remaining), (false, 0));
        assert!(lower.retry_after <= Some(2 * MINUTE));
        assert!(allows(&backend, &[new(1, SECOND)]).await);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_when_nothing_is_used_up() {
    let backend = MemoryBackend::new();
    for new in [Quota::gcra, Quota::fixed_window, Quota::sliding_window] {
        let quota = [new(3, MINUTE)];
        let reset = ask(&backend, &quota).await.reset_after;
        assert_eq!(backend.len(), 1);
        advance(reset - Duration::from_millis(2)).await;
        assert_eq!(backend.len(), 1);
        // An entry ends at a whole millisecond.
        advance(Duration::from_millis(3)).await;
        assert_eq!(backend.len(), 0);
    }
}

#[test]
fn a_throttle_that_can_not_be_is_refused_at_once() {
    let quota = Quota::gcra(5, MINUTE);
    let kind = |throttle: Result<Throttle, _>| {
        throttle
            .map_err(|error: reinhardt_backends::BackendError| error.kind())
            .err()
    };
    let invalid = Some(ErrorKind::InvalidConfig);
    for prefix in ["", "Api", "a:b", "1a", "a b", "ä"] {
        assert_eq!(kind(Throttle::new(prefix, [quota])), invalid, "{prefix}");
    }
    assert_eq!(kind(Throttle::new("api", [])), invalid);
    assert_eq!(kind(Throttle::new("api", [quota; 9])), invalid);
    assert_eq!(
        kind(Throttle::new("api", std::iter::repeat(quota))),
        invalid
    );
    assert_eq!(
        kind(Throttle::new("api", [Quota::gcra(0, MINUTE)])),
        invalid
    );
    assert_eq!(kind(Throttle::new("api-v1.x", [quota; 8])), None);
}

#[test]
fn a_key_stays_under_its_prefix() {
    let throttle = Throttle::new("api", [Quota::gcra(5, MINUTE)]).unwrap();
    assert_eq!(&*throttle.key("a:b*"), "api:a%3Ab%2A");
    assert_eq!(
        &*throttle.key(&std::net::Ipv4Addr::LOCALHOST),
        "api:127.0.0.1"
    );
}

#[tokio::test]
async fn what_becomes_of_calls_while_the_server_is_down_is_chosen() {
    let mut server = Server::start();
    let backend = RedisBackend::new(&server.url()).await.unwrap();
    let throttle = Throttle::new("login", [Quota::gcra(1, MINUTE)]).unwrap();
    assert!(throttle.check(&backend, "ann").await.unwrap().allowed);
    let refused = throttle.check(&backend, "ann").await;
    assert!(
        !WhenDown::Allow.allows(&refused),
        "a decision is a decision"
    );
    server.kill();
    let down = throttle.check(&backend, "ann").await;
    assert!(WhenDown::Allow.allows(&down) && !WhenDown::Refuse.allows(&down));
    assert!(down.unwrap_err().is_transient());
    server.restart();
    backend.set("login:bob", "no throttle", None).await.unwrap();
    let mistake = throttle.check(&backend, "bob").await;
    assert!(!WhenDown::Allow.allows(&mistake));
    assert_eq!(mistake.unwrap_err().kind(), ErrorKind::WrongType);
}

#[tokio::test]
async fn a_full_store_is_down_too() {
    let memory = MemoryBackend::builder().max_entries(1).build();
    let server = Server::start();
    let redis = RedisBackend::new(&server.url()).await.unwrap();
    let throttle = Throttle::new("login", [Quota::gcra(1, MINUTE)]).unwrap();
    assert!(throttle.check(&memory, "ann").await.unwrap().allowed);
    server.command("CONFIG SET maxmemory 1");
    for decided in [
        throttle.check(&memory, "bob").await,
        throttle.check(&redis, "bob").await,
    ] {
        assert!(WhenDown::Allow.allows(&decided) && !WhenDown::Refuse.allows(&decided));
        assert_eq!(decided.unwrap_err().kind(), ErrorKind::Full);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cost_of_zero_always_fits() {
    let backend = MemoryBackend::new();
    for new in [Quota::gcra, Quota::fixed_window, Quota::sliding_window] {
        backend.clear().await.unwrap();
        let (four, two) = ([new(4, MINUTE)], [new(2, MINUTE)]);
        for _ in 0..2 {
            let all = Attempt::new(&four).with_cost(4);
            assert!(backend.throttle("throttle", all).await.unwrap().allowed);
            let free = Attempt::new(&two).with_cost(0);
            assert!(backend.throttle("throttle", free).await.unwrap().allowed);
            advance(2 * MINUTE).await;
        }
    }
}

#[test]
fn more_remains_when_it_says() {
    in_paused_time(300, (quotas(), calls()), |(quota, calls)| async move {
        let backend = MemoryBackend::new();
        let quota = [quota];
        let peek = Attempt::new(&quota).peeking();
        for (pause, cost) in calls {
            advance(Duration::from_micros(pause)).await;
            let attempt = Attempt::new(&quota).with_cost(cost.min(quota[0].capacity()));
            let decision = backend.throttle("throttle", attempt).await.unwrap();
            if decision.next_after.is_zero() {
                prop_assert_eq!(decision.remaining, decision.limit);
                continue;
            }
            advance(decision.next_after - MICRO).await;
            let early = backend.throttle("throttle", peek).await.unwrap();
            prop_assert_eq!(early.remaining, decision.remaining);
            advance(MICRO).await;
            let later = backend.throttle("throttle", peek).await.unwrap();
            prop_assert!(later.remaining > decision.remaining);
        }
        Ok(())
    });
}
