//! The script of the Redis backend decides as the memory backend does, to the microsecond.
//!
//! A server's clock can't be set, so the script is run here with the one line replaced that asks for the time, and on entries
//! that don't end; memory follows a paused clock.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use redis::{Connection, Script};
use reinhardt_backends::throttle::{Algorithm, Attempt, Decision, Quota};
use reinhardt_backends::{Backend, MemoryBackend};
use reinhardt_backends_tests::Server;

use super::quotas;

const SCRIPT: &str = include_str!("../../backends/src/backend/redis/throttle.lua");
const TIME: &str = "local time = call('TIME')";
const LIFE: &str = ", 'PX', string.format('%.0f', life))";
/// Where the clock of the script begins, as a server's does: in microseconds since 1970. The fraction of the millisecond is that
/// of a new memory backend's clock, because a sliding window goes by whole ones.
const START: u64 = 1_790_000_000_123_790;

/// The script, by the clock of the test.
fn script() -> Script {
    assert!(SCRIPT.contains(TIME) && SCRIPT.contains(LIFE));
    let by_argument = "local time = {table.remove(ARGV, 1), table.remove(ARGV, 1)}";
    Script::new(&SCRIPT.replace(TIME, by_argument).replace(LIFE, ")"))
}

/// Asks the script as the backend does.
fn ask(
    connection: &mut Connection,
    script: &Script,
    attempt: Attempt<'_>,
    now: u64,
) -> (bool, u64, u64, u64, u64) {
    let mut call = script.key("throttle");
    call.arg(now / 1_000_000).arg(now % 1_000_000);
    call.arg(attempt.cost).arg(u8::from(attempt.peek));
    for quota in attempt.quotas {
        let (head, (time, units)) = match quota.algorithm() {
            Algorithm::Gcra => ('g', interval(quota)),
            Algorithm::FixedWindow => ('f', (0, 1)),
            _ => ('s', (0, 1)),
        };
        let head = format!("{head}{}", quota.period().as_millis());
        call.arg(head).arg(quota.capacity()).arg(time).arg(units);
    }
    call.invoke(connection).unwrap()
}

/// The time between two tokens in microseconds, as a fraction in lowest terms.
fn interval(quota: &Quota) -> (u64, u64) {
    let period = u64::try_from(quota.period().as_micros()).unwrap();
    let limit = u64::from(quota.limit());
    let common = (1..=limit)
        .rev()
        .find(|n| period % n == 0 && limit % n == 0);
    let common = common.unwrap();
    (period / common, limit / common)
}

fn told(decision: &Decision) -> (bool, u64, u64, u64, u64) {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap();
    (
        decision.allowed,
        decision.quota as u64,
        decision.remaining,
        micros(decision.retry_after.unwrap_or_default()),
        micros(decision.reset_after),
    )
}

/// A call: how long after the one before, in microseconds, at what cost, and whether it is a peek.
fn calls() -> impl Strategy<Value = Vec<(u64, u32, bool)>> {
    let pause = prop_oneof![Just(0), 0..2000_u64, 0..10_000_000_u64];
    prop::collection::vec((pause, 0..6_u32, prop::bool::weighted(0.2)), 1..40)
}

#[test]
fn memory_and_the_script_decide_alike() {
    let server = Server::start();
    let client = redis::Client::open(server.url()).unwrap();
    let connection = RefCell::new(client.get_connection().unwrap());
    let script = script();
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let quotas = prop::collection::vec(quotas(), 1..4);
    let decided = [Cell::new(0), Cell::new(0)];
    let ran = runner.run(&(quotas, calls()), |(quotas, calls)| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let mut connection = connection.borrow_mut();
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
        runtime.block_on(async {
            let memory = MemoryBackend::new();
            let mut now = START;
            for (pause, cost, peek) in calls {
                // The real clock has no part in a paused one, but for where it begins within a microsecond.
                tokio::time::advance(Duration::from_micros(pause)).await;
                now += pause;
                let most = quotas.iter().map(Quota::capacity).min().unwrap();
                let attempt = Attempt::new(&quotas).cost(cost.min(most));
                let attempt = if peek { attempt.peek() } else { attempt };
                let decision = memory.throttle("throttle", attempt).await.unwrap();
                let answered = ask(&mut connection, &script, attempt, now);
                prop_assert_eq!(told(&decision), answered);
                let count = &decided[usize::from(decision.allowed)];
                count.set(count.get() + 1);
            }
            Ok(())
        })
    });
    ran.unwrap();
    assert!(
        decided.iter().all(|count| count.get() > 1000),
        "{decided:?}"
    );
}

#[test]
fn a_clock_that_was_set_back_makes_nobody_wait_for_longer() {
    let server = Server::start();
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    let script = script();
    let minute = Duration::from_secs(60);
    for new in [Quota::gcra, Quota::fixed_window, Quota::sliding_window] {
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
        let quota = [new(3, minute)];
        let all = Attempt::new(&quota).cost(3);
        assert!(ask(&mut connection, &script, all, START).0);
        let one = Attempt::new(&quota);
        let (.., wait, reset) = ask(&mut connection, &script, one, START);
        let hour = 3_600_000_000;
        let (allowed, .., later, later_reset) = ask(&mut connection, &script, one, START - hour);
        assert!(!allowed);
        assert_eq!((later, later_reset), (wait, reset));
    }
}
