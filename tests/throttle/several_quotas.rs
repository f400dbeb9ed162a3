//! Several quotas on one key each keep their count, whatever the clocks do.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use redis::Connection;
use reinhardt_backends::throttle::{Attempt, Decision, Quota};
use reinhardt_backends::{Backend, ErrorKind, Life, MemoryBackend, RedisBackend};
use reinhardt_backends_tests::Server;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, advance};

use super::own_backend::MapBackend;
use super::script_agreement::{ask, script, told};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// The time that memory's clock shows at its beginning, in microseconds.
const START: u64 = 1 << 50;
/// The longest time for which a store is asked. It is a part of the second after which memory looks
/// for entries that have ended by the clock of the call.
const SOON: Duration = Duration::from_millis(500);

/// A clock in paused time. A caller that asks a store by a clock that is behind asks by a clock
/// that was set back.
struct Clock {
    runtime: Runtime,
}

impl Clock {
    fn new() -> Self {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        Self { runtime }
    }

    /// Makes one that shows `ahead` microseconds, and nothing of one, more than another did at
    /// `begin`.
    fn ahead_of(begin: Instant, ahead: u64) -> Self {
        let clock = Self::new();
        clock.runtime.block_on(async {
            let nanos = (Instant::now() - begin).as_nanos() as u64;
            advance(Duration::from_nanos(1000 - nanos % 1000)).await;
            advance(Duration::from_micros(ahead)).await;
        });
        clock
    }

    fn pass(&self, micros: u64) {
        let time = Duration::from_micros(micros);
        self.runtime.block_on(advance(time));
    }

    /// Returns the time that memory's clock, which began at `begin`, shows here, in microseconds.
    fn micros(&self, begin: Instant) -> u64 {
        let now = self.runtime.block_on(async { Instant::now() });
        let since = |later: Instant, earlier: Instant| {
            let since = later.duration_since(earlier);
            assert_eq!(since.subsec_nanos() % 1000, 0);
            since.as_micros() as u64
        };
        match now < begin {
            true => START - since(begin, now),
            false => START + since(now, begin),
        }
    }

    fn ask(&self, backend: &impl Backend, attempt: Attempt<'_>) -> Decision {
        let asked = backend.throttle("throttle", attempt);
        self.runtime.block_on(asked).unwrap()
    }

    fn stored(&self, backend: &impl Backend) -> Option<Vec<u8>> {
        let stored = self.runtime.block_on(backend.get_stored("throttle"));
        stored.unwrap().map(|stored| stored.as_bytes().to_vec())
    }
}

/// A quota with one of few periods, so that other quotas have the same period and another limit.
fn quota() -> impl Strategy<Value = Quota> {
    let period = prop::sample::select(&[700, 2000][..]).prop_map(Duration::from_millis);
    (0..3, 1..20_u32, period, 1..20_u32).prop_map(|(algorithm, limit, period, burst)| {
        match algorithm {
            0 => Quota::fixed_window(limit, period),
            1 => Quota::sliding_window(limit, period),
            _ => Quota::gcra(limit, period).with_burst(burst),
        }
    })
}

/// Programs that share a key, each with quotas of its own.
fn programs() -> impl Strategy<Value = Vec<Vec<Quota>>> {
    prop::collection::vec(prop::collection::vec(quota(), 1..4), 2..4)
}

#[derive(Debug, Clone)]
struct Call {
    program: prop::sample::Index,
    clock: usize,
    /// The time since the call before by that clock, in microseconds.
    pause: u64,
    cost: u32,
    peek: bool,
}

impl Call {
    fn attempt<'a>(&self, quotas: &'a [Quota]) -> Attempt<'a> {
        let most = quotas.iter().map(Quota::capacity).min().unwrap();
        let attempt = Attempt::new(quotas).with_cost(self.cost.min(most));
        if self.peek {
            attempt.peeking()
        } else {
            attempt
        }
    }
}

const CLOCKS: usize = 3;

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let pause = prop_oneof![
        3 => Just(0),
        3 => 0..2000_u64,
        3 => 0..300_000_u64,
        1 => 0..3_000_000_u64
    ];
    let of = any::<prop::sample::Index>();
    let peek = prop::bool::weighted(0.2);
    let call = (of, 0..CLOCKS, pause, 0..6_u32, peek);
    let call = call.prop_map(|(program, clock, pause, cost, peek)| Call {
        program,
        clock,
        pause,
        cost,
        peek,
    });
    prop::collection::vec(call, 1..30)
}

fn share_no_head(one: &[Quota], other: &[Quota]) -> bool {
    let head = |quota: &Quota| (quota.algorithm(), quota.period());
    one.iter()
        .all(|one| other.iter().all(|other| head(one) != head(other)))
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

/// Returns the decisions that all programs would get now.
fn peeks(clock: &Clock, memory: &MemoryBackend, programs: &[Vec<Quota>]) -> Vec<Decision> {
    let peek = |quotas: &Vec<Quota>| clock.ask(memory, Attempt::new(quotas).peeking());
    programs.iter().map(peek).collect()
}

#[test]
fn no_attempt_changes_what_others_go_by_whatever_the_clocks_do() {
    let server = Server::start();
    let client = redis::Client::open(server.url()).unwrap();
    let connection = RefCell::new(client.get_connection().unwrap());
    let script = script();
    let seen = Seen::default();
    let aheads = prop::collection::vec(0..1_000_000_u64, CLOCKS - 1);
    let ran = runner(500).run(
        &(programs(), calls(), aheads),
        |(programs, calls, aheads)| {
            let connection: &mut Connection = &mut connection.borrow_mut();
            redis::cmd("FLUSHALL").exec(connection).unwrap();
            let first = Clock::new();
            let (memory, begin) = first
                .runtime
                .block_on(async { (MemoryBackend::new(), Instant::now()) });
            let others = aheads.iter().map(|ahead| Clock::ahead_of(begin, *ahead));
            let clocks: Vec<Clock> = [first].into_iter().chain(others).collect();
            let begun = std::time::Instant::now();
            let mut written = 0;
            for call in calls {
                let clock = &clocks[call.clock];
                clock.pass(call.pause);
                let now = clock.micros(begin);
                let before = peeks(clock, &memory, &programs);
                let program = call.program.index(programs.len());
                let attempt = call.attempt(&programs[program]);
                let decision = clock.ask(&memory, attempt);
                let answered = ask(connection, &script, attempt, now);
                let after = peeks(clock, &memory, &programs);
                let stored = clock.stored(&memory);
                if begun.elapsed() > SOON {
                    break;
                }
                prop_assert_eq!(told(&decision), answered);
                let spends = decision.allowed && attempt.cost > 0 && !attempt.peek;
                for (other, quotas) in programs.iter().enumerate() {
                    let peek = Attempt::new(quotas).peeking();
                    let answered = ask(connection, &script, peek, now);
                    prop_assert_eq!(told(&after[other]), answered);
                    if !spends || share_no_head(quotas, &programs[program]) {
                        prop_assert_eq!(before[other], after[other]);
                        Seen::count(&seen.unchanged);
                    }
                }
                if spends || (now < written && !attempt.peek && attempt.cost > 0) {
                    let script: Vec<u8> =
                        redis::cmd("GET").arg("throttle").query(connection).unwrap();
                    prop_assert_eq!(stored, Some(script));
                    Seen::count(if now < written {
                        &seen.set_back
                    } else {
                        &seen.written
                    });
                    written = now;
                }
            }
            Ok(())
        },
    );
    ran.unwrap();
    for count in [&seen.unchanged, &seen.set_back, &seen.written] {
        assert!(count.get() > 300, "{seen:?}");
    }
}

/// The number of comparisons of each sort.
#[derive(Debug, Default)]
struct Seen {
    unchanged: Cell<u32>,
    set_back: Cell<u32>,
    written: Cell<u32>,
}

impl Seen {
    fn count(of: &Cell<u32>) {
        of.set(of.get() + 1);
    }
}

/// The default in terms of the required methods, where no time passes between its read and its
/// write.
#[test]
fn a_backend_without_a_step_of_its_own_leaves_the_same_behind() {
    let changed = Cell::new(0);
    let ran = runner(300).run(&(programs(), calls()), |(programs, calls)| {
        let clock = Clock::new();
        let (memory, own) = clock
            .runtime
            .block_on(async { (MemoryBackend::new(), MapBackend::default()) });
        let mut has_passed = false;
        for call in calls {
            // Whole milliseconds, because a sliding window goes by the milliseconds of its own
            // clock.
            let pause = call.pause / 1000 * 1000;
            clock.pass(pause);
            has_passed |= pause > 0;
            let program = call.program.index(programs.len());
            let attempt = call.attempt(&programs[program]);
            prop_assert_eq!(clock.ask(&memory, attempt), clock.ask(&own, attempt));
            for quotas in &programs {
                let peek = Attempt::new(quotas).peeking();
                prop_assert_eq!(clock.ask(&memory, peek), clock.ask(&own, peek));
            }
            // The clock of an entry begins with it, and so may show another time.
            if !has_passed {
                prop_assert_eq!(clock.stored(&memory), clock.stored(&own));
                Seen::count(&changed);
            }
        }
        Ok(())
    });
    ran.unwrap();
    assert!(changed.get() > 100, "{changed:?}");
}

async fn ask_for(backend: &impl Backend, quotas: &[Quota], cost: u32) -> Decision {
    let attempt = Attempt::new(quotas).with_cost(cost);
    backend.throttle("throttle", attempt).await.unwrap()
}

async fn peek(backend: &impl Backend, quotas: &[Quota]) -> Decision {
    let attempt = Attempt::new(quotas).peeking();
    backend.throttle("throttle", attempt).await.unwrap()
}

/// One program more than there is room for.
const PROGRAMS: u32 = 33;

fn of_program(index: u32) -> [Quota; 1] {
    [Quota::fixed_window(2, HOUR + index * SECOND)]
}

async fn nobody_is_forgotten_for_another(backend: &impl Backend) {
    for index in 0..PROGRAMS - 1 {
        assert!(ask_for(backend, &of_program(index), 1).await.allowed);
    }
    let last = of_program(PROGRAMS - 1);
    let error = backend.throttle("throttle", Attempt::new(&last)).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("more than 32 different quotas"));
    // An attempt that writes nothing needs no room.
    assert_eq!(peek(backend, &last).await.remaining, 2);
    assert!(ask_for(backend, &last, 0).await.allowed);
    for index in 0..PROGRAMS - 1 {
        assert_eq!(peek(backend, &of_program(index)).await.remaining, 1);
        assert!(ask_for(backend, &of_program(index), 1).await.allowed);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_forgotten_for_another_in_memory() {
    let memory = MemoryBackend::new();
    nobody_is_forgotten_for_another(&memory).await;
    // There is room again when the first of the quotas doesn't matter any more.
    advance(HOUR).await;
    assert!(ask_for(&memory, &of_program(PROGRAMS - 1), 1).await.allowed);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_forgotten_for_another_by_comparing() {
    nobody_is_forgotten_for_another(&MapBackend::default()).await;
}

#[tokio::test]
async fn nobody_is_forgotten_for_another_on_redis() {
    let server = Server::start();
    let redis = RedisBackend::new(&server.url()).await.unwrap();
    nobody_is_forgotten_for_another(&redis).await;
}

/// Quotas of one algorithm and period find what was used up by their position.
#[tokio::test(start_paused = true)]
async fn what_does_not_matter_any_more_keeps_its_place_before_what_does() {
    let backend = MemoryBackend::new();
    let two = [Quota::gcra(600, MINUTE), Quota::gcra(6, MINUTE)];
    assert!(ask_for(&backend, &two, 1).await.allowed);
    // The tenth of a second that the first has to wait for is over, the ten seconds of the second
    // are not.
    advance(SECOND).await;
    let before = peek(&backend, &two).await;
    assert_eq!((before.quota, before.remaining), (1, 5));
    let other = [Quota::fixed_window(5, HOUR)];
    assert!(ask_for(&backend, &other, 1).await.allowed);
    assert_eq!(peek(&backend, &two).await, before);
}

#[tokio::test(start_paused = true)]
async fn a_debt_is_never_less_in_the_units_of_another_quota() {
    let backend = MemoryBackend::new();
    // A call takes 142,857 1/7 us of the one, 90,909 1/11 us of the other.
    let (seven, eleven) = ([Quota::gcra(7, SECOND)], [Quota::gcra(11, SECOND)]);
    assert!(ask_for(&backend, &seven, 1).await.allowed);
    let reset = |micros| Duration::from_micros(micros);
    assert_eq!(peek(&backend, &seven).await.reset_after, reset(142_858));
    assert_eq!(peek(&backend, &eleven).await.reset_after, reset(142_858));
    // A refused attempt and a cost of nothing don't round it.
    assert!(!ask_for(&backend, &eleven, 11).await.allowed);
    assert!(ask_for(&backend, &eleven, 0).await.allowed);
    assert!(ask_for(&backend, &seven, 6).await.allowed);
    assert_eq!(peek(&backend, &seven).await.reset_after, SECOND);
    backend.delete("throttle").await.unwrap();
    assert!(ask_for(&backend, &seven, 1).await.allowed);
    assert!(ask_for(&backend, &eleven, 1).await.allowed);
    assert_eq!(
        peek(&backend, &eleven).await.reset_after,
        reset(142_858 + 90_910)
    );
}

/// A day's debt is far more than what the other quota lets through at once.
#[tokio::test(start_paused = true)]
async fn a_debt_over_ones_own_most_is_waited_for() {
    let backend = MemoryBackend::new();
    let old = [Quota::gcra(1, HOUR).with_burst(24)];
    let new = [Quota::gcra(u32::MAX, HOUR).with_burst(1)];
    assert!(ask_for(&backend, &old, 24).await.allowed);
    let refused = ask_for(&backend, &new, 1).await;
    assert_eq!((refused.allowed, refused.remaining), (false, 0));
    assert_eq!(refused.retry_after, Some(24 * HOUR));
    assert_eq!(refused.reset_after, 24 * HOUR);
    advance(24 * HOUR - Duration::from_micros(1)).await;
    assert!(!ask_for(&backend, &new, 1).await.allowed);
    advance(Duration::from_micros(1)).await;
    assert!(ask_for(&backend, &new, 1).await.allowed);
}

#[test]
fn after_a_clock_was_set_back_time_goes_on_with_the_next_attempt() {
    for new in [Quota::gcra, Quota::fixed_window, Quota::sliding_window] {
        let (quota, lower) = ([new(3, MINUTE)], [new(2, MINUTE)]);
        let behind = Clock::new();
        let memory = behind.runtime.block_on(async { MemoryBackend::new() });
        let begin = behind.runtime.block_on(async { Instant::now() });
        let ahead = Clock::ahead_of(begin, 600_000_000);
        assert!(
            ahead
                .ask(&memory, Attempt::new(&quota).with_cost(3))
                .allowed
        );
        let all = Attempt::new(&quota);
        let then = ahead.ask(&memory, all);
        let whole = behind.micros(begin) / 1000;
        behind.pass((whole + 1) * 1000 - behind.micros(begin) + ahead.micros(begin) % 1000);
        // Peeks, and attempts that cost nothing, note nothing: time stands still.
        for _ in 0..3 {
            assert_eq!(behind.ask(&memory, all.peeking()), then);
            assert!(behind.ask(&memory, all.with_cost(0)).allowed);
            behind.pass(1_000_000);
        }
        assert!(!behind.ask(&memory, Attempt::new(&lower)).allowed);
        assert_eq!(behind.ask(&memory, all.peeking()), then);
        let wait = then.retry_after.unwrap();
        behind.pass(wait.as_micros() as u64 - 1);
        assert!(!behind.ask(&memory, all).allowed, "{quota:?}");
        behind.pass(1);
        assert!(behind.ask(&memory, all).allowed, "{quota:?}");
    }
}

/// Without a step of its own a backend has no clock but the end of the entry, which is later then.
#[tokio::test(start_paused = true)]
async fn an_entry_that_is_given_more_time_makes_nobody_wait_for_longer() {
    let backend = MapBackend::default();
    for new in [Quota::gcra, Quota::fixed_window, Quota::sliding_window] {
        backend.clear().await.unwrap();
        let quota = [new(3, MINUTE)];
        assert!(ask_for(&backend, &quota, 3).await.allowed);
        let then = peek(&backend, &quota).await;
        advance(10 * SECOND).await;
        assert!(backend.expire("throttle", Life::In(HOUR)).await.unwrap());
        assert_eq!(ask_for(&backend, &quota, 1).await, then);
        let wait = then.retry_after.unwrap();
        advance(wait - Duration::from_millis(1)).await;
        assert!(!ask_for(&backend, &quota, 1).await.allowed);
        advance(Duration::from_millis(1)).await;
        assert!(ask_for(&backend, &quota, 1).await.allowed);
    }
}

/// The numbers of the page "Throttling", where it says what changing a limit means.
#[tokio::test(start_paused = true)]
async fn a_changed_limit_means_what_the_page_says() {
    let backend = MemoryBackend::new();
    let millis = Duration::from_millis;

    let (ten, hundred) = ([Quota::gcra(10, MINUTE)], [Quota::gcra(100, MINUTE)]);
    assert!(ask_for(&backend, &ten, 10).await.allowed);
    let raised = peek(&backend, &hundred).await;
    assert_eq!(
        (raised.remaining, raised.retry_after),
        (0, Some(millis(600)))
    );
    assert_eq!(raised.reset_after, MINUTE);
    backend.clear().await.unwrap();
    assert!(ask_for(&backend, &hundred, 50).await.allowed);
    assert_eq!(peek(&backend, &ten).await.remaining, 5);

    backend.clear().await.unwrap();
    let saved = [Quota::gcra(10, MINUTE).with_burst(100)];
    assert!(ask_for(&backend, &saved, 100).await.allowed);
    let lowered = peek(&backend, &ten).await;
    assert_eq!(lowered.retry_after, Some(9 * MINUTE + 6 * SECOND));

    backend.clear().await.unwrap();
    let (thousand, ten) = (
        [Quota::fixed_window(1000, HOUR)],
        [Quota::fixed_window(10, HOUR)],
    );
    assert!(ask_for(&backend, &thousand, 500).await.allowed);
    assert_eq!(peek(&backend, &ten).await.retry_after, Some(HOUR));
    assert_eq!(peek(&backend, &thousand).await.remaining, 500);

    backend.clear().await.unwrap();
    let (thousand, ten) = (
        [Quota::sliding_window(1000, MINUTE)],
        [Quota::sliding_window(10, MINUTE)],
    );
    // Moves the clock to the beginning of a millisecond.
    advance(Duration::from_micros(1000 - START % 1000)).await;
    assert!(ask_for(&backend, &thousand, 1000).await.allowed);
    advance(MINUTE + MINUTE / 2).await;
    assert_eq!(peek(&backend, &thousand).await.remaining, 500);
    let refused = peek(&backend, &ten).await;
    assert_eq!(refused.retry_after, Some(millis(29_460)));
}
