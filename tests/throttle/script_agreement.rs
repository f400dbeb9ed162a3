//! The script of the Redis backend decides as the memory backend does, to the microsecond.
//!
//! A server's clock can't be set, so the script is run here with the one line replaced that asks
//! for the time, and on entries that don't end; memory follows a paused clock.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use redis::{Connection, RedisResult, Script};
use reinhardt_backends::MemoryBackend;
use reinhardt_backends::store::Store;
use reinhardt_backends::throttle::{Algorithm, Attempt, Decision, Quota};
use reinhardt_backends_tests::Server;

use super::quotas;

const SCRIPT: &str = include_str!("../../backends/src/backend/redis/scripts/throttle.lua");
const TIME: &str = "local time = call('TIME')";
const LIFE: &str = ", 'PX', string.format('%.0f', life))";
/// The time at which the clock of the script begins: in microseconds since 1970, as a server's
/// clock. The fraction of the millisecond is that of a new memory backend's clock, because a
/// sliding window goes by whole milliseconds.
const START: u64 = 1_790_000_000_123_624;

/// The script, by the clock of the test.
pub(super) fn script() -> Script {
    assert!(SCRIPT.contains(TIME) && SCRIPT.contains(LIFE));
    let by_argument = "local time = {table.remove(ARGV, 1), table.remove(ARGV, 1)}";
    Script::new(&SCRIPT.replace(TIME, by_argument).replace(LIFE, ")"))
}

pub(super) fn ask(
    connection: &mut Connection,
    script: &Script,
    attempt: Attempt<'_>,
    now: u64,
) -> Answer {
    try_ask(connection, script, attempt, now).unwrap()
}

/// Asks the script as the backend does.
pub(super) fn try_ask(
    connection: &mut Connection,
    script: &Script,
    attempt: Attempt<'_>,
    now: u64,
) -> RedisResult<Answer> {
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
    call.invoke(connection)
}

/// The decision as numbers: true if the attempt was allowed, the quota that this tells of, the
/// number that remains, and three waits: until the attempt fits, until nothing is used up, and
/// until more remains.
pub(super) type Answer = (bool, u64, u64, u64, u64, u64);

/// The time between two tokens in microseconds, as a fraction in lowest terms.
fn interval(quota: &Quota) -> (u64, u64) {
    let period = u64::try_from(quota.period().as_micros()).unwrap();
    let limit = u64::from(quota.limit());
    let (mut common, mut rest) = (period, limit);
    while rest != 0 {
        (common, rest) = (rest, common % rest);
    }
    (period / common, limit / common)
}

pub(super) fn told(decision: &Decision) -> Answer {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap();
    (
        decision.allowed,
        decision.quota as u64,
        decision.remaining,
        micros(decision.retry_after.unwrap_or_default()),
        micros(decision.reset_after),
        micros(decision.next_after),
    )
}

/// Calls: the time since the call before, in microseconds, the cost, and true for a peek.
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
                // The real clock has no part in a paused one, but for where it begins within a
                // microsecond.
                tokio::time::advance(Duration::from_micros(pause)).await;
                now += pause;
                let most = quotas.iter().map(Quota::capacity).min().unwrap();
                let attempt = Attempt::new(&quotas).with_cost(cost.min(most));
                let attempt = if peek { attempt.peeking() } else { attempt };
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
        let all = Attempt::new(&quota).with_cost(3);
        assert!(ask(&mut connection, &script, all, START).0);
        let one = Attempt::new(&quota);
        let (_, _, _, wait, reset, _) = ask(&mut connection, &script, one, START);
        let hour = 3_600_000_000;
        let mut now = START - hour;
        let (allowed, _, _, later, later_reset, _) = ask(&mut connection, &script, one, now);
        assert!(!allowed);
        assert_eq!((later, later_reset), (wait, reset));
        // And the wait is kept: the refusal has noted the time that the clock shows now.
        now += later - 1;
        assert!(!ask(&mut connection, &script, one.peeking(), now).0);
        assert!(ask(&mut connection, &script, one, now + 1).0, "{quota:?}");
    }
}

/// During a deploy two programs with different limits work on one key.
#[test]
fn each_program_keeps_to_its_own_limit_during_a_deploy() {
    let minute = Duration::from_secs(60);
    let old = [Quota::gcra(5, minute)];
    let new = [
        Quota::gcra(2, Duration::from_secs(1)),
        Quota::gcra(5, 60 * minute),
    ];
    let server = Server::start();
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    let script = script();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let memory = runtime.block_on(async { MemoryBackend::new() });
    let mut passed = [0, 0];
    for round in 0..200 {
        let quota = [&old[..], &new[..]][round % 2];
        let attempt = Attempt::new(quota);
        let decision = runtime
            .block_on(memory.throttle("throttle", attempt))
            .unwrap();
        assert_eq!(
            told(&decision),
            ask(&mut connection, &script, attempt, START)
        );
        passed[round % 2] += u32::from(decision.allowed);
    }
    assert_eq!(passed, [5, 2]);
}
