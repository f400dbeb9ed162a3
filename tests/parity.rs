//! Memory, Redis and a Redis cluster give the same answers to the same calls, expiries included.
//!
//! Random sequences of all operations run on both. A call that overlaps the end of an entry's life
//! may rightly be answered either way: it isn't compared, and both backends are cleared after it.
//! So a slow machine compares fewer calls and never fails on its own account.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use reinhardt_backends::store::Touch;
use reinhardt_backends::throttle::{Attempt, Decision, Quota};
use reinhardt_backends::{
    Backend, BackendError, BackendResult, Condition, ErrorKind, Expiry, Life, MemoryBackend,
    RedisBackend, Stored, Write,
};
use reinhardt_backends_tests::{Cluster, Server};
use serde::Serialize;

/// The number of calls that are compared in a run.
const CALLS: usize = 12_000;
const CALLS_IN_A_SEQUENCE: usize = 120;
/// The time by which two expiries may differ, besides the time that the calls themselves took.
const SLACK: Duration = Duration::from_millis(20);

const KEYS: [&str; 9] = ["k", "k*", "k?x", "kk", "[k]", "a b", "ü:{x}\n", "%", "\\"];
/// The keys of throttles. Nothing else is stored under these keys, because the state of a limiter
/// holds the time. An empty key is a mistake.
const THROTTLES: [&str; 3] = ["kt", "ü:{t}", ""];
/// Quotas so slow that nothing comes back in a run.
const QUOTAS: [Quota; 3] = [
    Quota::gcra(7, HOUR).with_burst(6),
    Quota::sliding_window(5, HOUR),
    Quota::fixed_window(9, HOUR),
];
const HOUR: Duration = Duration::from_secs(3600);
const PREFIXES: [&str; 8] = ["", "k", "k*", "[", "ü:{", "\\", "%", "no such key"];

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Value {
    Null(()),
    Flag(bool),
    Integer(i64),
    Unsigned(u64),
    Wide(i128),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Option<f32>>),
}

#[derive(Debug, Clone)]
enum Call {
    Set(String, Value, Option<Duration>),
    SetIfAbsent(String, Value, Option<Duration>),
    SetIfPresent(String, Value, Option<Duration>),
    SetMany(Vec<(String, Value)>, Option<Duration>),
    Get(String),
    GetInteger(String),
    GetWithTtl(String),
    GetMany(Vec<String>),
    Take(String),
    Delete(String),
    DeleteMany(Vec<String>),
    Exists(String),
    Ttl(String),
    Expire(String, Life),
    Increment(String, Option<Duration>),
    IncrementBy(String, i64, Option<Duration>),
    CompareAndSet(String, Value, Life),
    CompareWithAnother(String, Value, Life),
    CompareAndDelete(String),
    Write(String, Value, Life),
    Scan(String),
    ClearPrefix(String),
    Clear,
    Throttle(&'static str, usize, u32, bool),
    Forget(&'static str),
    Wait,
}

#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Nothing,
    Yes(bool),
    Integer(Option<i64>),
    Bytes(Option<Vec<u8>>),
    Lives(Option<(Vec<u8>, Expiry)>),
    All(Vec<Option<Vec<u8>>>),
    Ends(Option<Expiry>),
    Counted(i64, Expiry),
    Keys(BTreeSet<String>),
    Many(u64),
    Decided(Decision),
    Refused(ErrorKind, Vec<usize>),
}

fn bytes(stored: Option<Stored>) -> Option<Vec<u8>> {
    stored.map(|stored| stored.as_bytes().to_vec())
}

async fn answer(backend: &impl Backend, call: &Call) -> BackendResult<Answer> {
    Ok(match call.clone() {
        Call::Set(key, value, ttl) => {
            backend.set(&key, value, ttl).await?;
            Answer::Nothing
        }
        Call::SetIfAbsent(key, value, ttl) => {
            Answer::Yes(backend.set_if_absent(&key, value, ttl).await?)
        }
        Call::SetIfPresent(key, value, ttl) => {
            Answer::Yes(backend.set_if_present(&key, value, ttl).await?)
        }
        Call::SetMany(entries, ttl) => {
            let entries: Vec<_> = entries
                .iter()
                .map(|(key, value)| (key.as_str(), value))
                .collect();
            backend.set_many(&entries, ttl).await?;
            Answer::Nothing
        }
        Call::Get(key) => Answer::Bytes(bytes(backend.get_stored(&key).await?)),
        Call::GetInteger(key) => Answer::Integer(backend.get(&key).await?),
        Call::GetWithTtl(key) => {
            let read = backend.read(&key).await?;
            Answer::Lives(read.map(|(stored, expiry)| (stored.as_bytes().to_vec(), expiry)))
        }
        Call::GetMany(keys) => {
            let keys: Vec<_> = keys.iter().map(String::as_str).collect();
            let all = backend.read_values(&keys, Touch::Keep).await?;
            Answer::All(all.into_iter().map(bytes).collect())
        }
        Call::Take(key) => Answer::Bytes(bytes(backend.take_value(&key).await?)),
        Call::Delete(key) => Answer::Yes(backend.delete(&key).await?),
        Call::DeleteMany(keys) => {
            let keys: Vec<_> = keys.iter().map(String::as_str).collect();
            Answer::Many(backend.delete_many(&keys).await?)
        }
        Call::Exists(key) => Answer::Yes(backend.exists(&key).await?),
        Call::Ttl(key) => Answer::Ends(backend.ttl(&key).await?),
        Call::Expire(key, life) => Answer::Yes(backend.expire(&key, life).await?),
        Call::Increment(key, ttl) => Answer::Integer(Some(backend.increment(&key, ttl).await?)),
        Call::IncrementBy(key, delta, ttl) => {
            let counted = backend.increment_by(&key, delta, ttl).await?;
            Answer::Counted(counted.value, counted.expiry)
        }
        Call::CompareAndSet(key, value, life) => match backend.get_stored(&key).await? {
            Some(stored) => Answer::Yes(backend.compare_and_set(&key, &stored, value, life).await?),
            None => Answer::Nothing,
        },
        Call::CompareWithAnother(key, value, life) => {
            let another = Stored::from(&b"\x65other"[..]);
            Answer::Yes(backend.compare_and_set(&key, &another, value, life).await?)
        }
        Call::CompareAndDelete(key) => match backend.get_stored(&key).await? {
            Some(stored) => Answer::Yes(backend.compare_and_delete(&key, &stored).await?),
            None => Answer::Nothing,
        },
        Call::Write(key, value, life) => {
            let value = reinhardt_backends::codec::Encode::encode(&value)?;
            let options = Write::new(life).when(Condition::Always);
            Answer::Yes(backend.write(&key, &value, options).await?)
        }
        Call::Scan(prefix) => Answer::Keys(backend.scan(&prefix).try_collect().await?),
        Call::ClearPrefix(prefix) => Answer::Many(backend.clear_prefix(&prefix).await?),
        Call::Clear => {
            backend.clear().await?;
            Answer::Nothing
        }
        Call::Throttle(key, quotas, cost, peek) => {
            let attempt = Attempt::new(&QUOTAS[..quotas]).with_cost(cost);
            let attempt = if peek { attempt.peeking() } else { attempt };
            Answer::Decided(backend.throttle(key, attempt).await?)
        }
        Call::Forget(key) => Answer::Yes(backend.delete(key).await?),
        Call::Wait => Answer::Nothing,
    })
}

fn settled(answer: BackendResult<Answer>) -> Answer {
    match answer {
        Ok(answer) => answer,
        Err(error) => {
            let error: BackendError = error;
            Answer::Refused(error.kind(), error.failed_indices().to_vec())
        }
    }
}

/// Says whether two answers are equal. The time that is left of a life may differ by `slack`.
fn agree(one: &Answer, other: &Answer, slack: Duration) -> bool {
    let close = |one: Expiry, other: Expiry| match (one, other) {
        (Expiry::In(one), Expiry::In(other)) => one.abs_diff(other) <= slack,
        (one, other) => one == other,
    };
    match (one, other) {
        (Answer::Ends(Some(one)), Answer::Ends(Some(other))) => close(*one, *other),
        (Answer::Lives(Some((one, ends))), Answer::Lives(Some((other, other_ends)))) => {
            one == other && close(*ends, *other_ends)
        }
        (Answer::Counted(one, ends), Answer::Counted(other, other_ends)) => {
            one == other && close(*ends, *other_ends)
        }
        (Answer::Decided(one), Answer::Decided(other)) => {
            let waits = (one.retry_after, other.retry_after);
            let numbers = |of: &Decision| (of.allowed, of.quota, of.limit, of.remaining);
            numbers(one) == numbers(other)
                && one.next_after.abs_diff(other.next_after) <= slack
                && one.reset_after.abs_diff(other.reset_after) <= slack
                && match waits {
                    (Some(one), Some(other)) => one.abs_diff(other) <= slack,
                    (one, other) => one == other,
                }
        }
        (one, other) => one == other,
    }
}

struct Random(fastrand::Rng);

impl Random {
    fn of<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.0.usize(..from.len())].clone()
    }

    fn key(&mut self) -> String {
        match self.0.u8(..) {
            0 => String::new(),
            1 => "k".repeat(1025),
            _ => self.of(&KEYS).to_string(),
        }
    }

    fn keys(&mut self) -> Vec<String> {
        (0..self.0.usize(..5)).map(|_| self.key()).collect()
    }

    fn duration(&mut self) -> Duration {
        let (millis, hour) = (Duration::from_millis, Duration::from_secs(3600));
        match self.0.u8(..16) {
            0 => Duration::ZERO,
            1 => Duration::MAX,
            2 => 87_660_000 * hour,
            3..7 => hour,
            _ => self.of(&[
                millis(25),
                millis(40),
                millis(60),
                Duration::from_micros(30_500),
            ]),
        }
    }

    fn ttl(&mut self) -> Option<Duration> {
        self.0.bool().then(|| self.duration())
    }

    fn life(&mut self) -> Life {
        match self.0.u8(..4) {
            0 => Life::Keep,
            1 => Life::Never,
            _ => Life::In(self.duration()),
        }
    }

    fn delta(&mut self) -> i64 {
        self.of(&[1, -1, 0, 7, -100, i64::MAX, i64::MIN])
    }

    fn value(&mut self) -> Value {
        match self.0.u8(..14) {
            0 => Value::Null(()),
            1 => Value::Flag(self.0.bool()),
            2..6 => Value::Integer(self.of(&[0, 5, -5, i64::MAX, i64::MIN, i64::MAX - 1])),
            6 => Value::Unsigned(u64::MAX),
            7 => Value::Wide(i128::MIN),
            8 => Value::Real(self.of(&[1.5, f64::NAN, -0.0])),
            9 | 10 => Value::Text(
                self.of(&["", "5", "-", "text", "\0\r\n", "\u{10ffff}"])
                    .to_string(),
            ),
            11 => Value::Bytes(vec![b'5'; self.0.usize(..40)]),
            12 => Value::Bytes(Vec::new()),
            _ => Value::List(vec![None, Some(0.5)]),
        }
    }

    fn call(&mut self) -> Call {
        match self.0.u8(..35) {
            0 | 1 => Call::Set(self.key(), self.value(), self.ttl()),
            2 => Call::SetIfAbsent(self.key(), self.value(), self.ttl()),
            3 => Call::SetIfPresent(self.key(), self.value(), self.ttl()),
            4 => {
                let keys = self.keys();
                Call::SetMany(
                    keys.into_iter().map(|key| (key, self.value())).collect(),
                    self.ttl(),
                )
            }
            5..8 => Call::Get(self.key()),
            8 => Call::GetInteger(self.key()),
            9 | 10 => Call::GetWithTtl(self.key()),
            11 => Call::GetMany(self.keys()),
            12 => Call::Take(self.key()),
            13 => Call::Delete(self.key()),
            14 => Call::DeleteMany(self.keys()),
            15 => Call::Exists(self.key()),
            16 | 17 => Call::Ttl(self.key()),
            18 => Call::Expire(self.key(), self.life()),
            19 | 20 => Call::Increment(self.key(), self.ttl()),
            21 | 22 => Call::IncrementBy(self.key(), self.delta(), self.ttl()),
            23 => Call::CompareAndSet(self.key(), self.value(), self.life()),
            24 => Call::CompareWithAnother(self.key(), self.value(), self.life()),
            25 => Call::CompareAndDelete(self.key()),
            26 => Call::Write(self.key(), self.value(), self.life()),
            27 | 28 => Call::Scan(self.of(&PREFIXES).to_string()),
            29 => match self.0.u8(..4) {
                0 => Call::Clear,
                _ => Call::ClearPrefix(self.of(&PREFIXES).to_string()),
            },
            30..33 => Call::Throttle(
                self.of(&THROTTLES),
                self.0.usize(..=QUOTAS.len()),
                self.0.u32(..7),
                self.0.bool(),
            ),
            33 => Call::Forget(self.of(&THROTTLES)),
            _ => Call::Wait,
        }
    }
}

/// Returns the short life that a call may give.
fn short_life(call: &Call) -> Option<Duration> {
    let ttl = match call {
        Call::Set(_, _, ttl)
        | Call::SetIfAbsent(_, _, ttl)
        | Call::SetIfPresent(_, _, ttl)
        | Call::SetMany(_, ttl)
        | Call::Increment(_, ttl)
        | Call::IncrementBy(_, _, ttl) => *ttl,
        Call::Expire(_, Life::In(ttl))
        | Call::CompareAndSet(_, _, Life::In(ttl))
        | Call::CompareWithAnother(_, _, Life::In(ttl))
        | Call::Write(_, _, Life::In(ttl)) => Some(*ttl),
        _ => None,
    };
    ttl.filter(|ttl| *ttl < Duration::from_secs(1))
}

struct Pair {
    memory: MemoryBackend,
    redis: RedisBackend,
    /// From when to when an entry may end.
    ends: Vec<(Instant, Instant)>,
    /// The longest that a call on both took.
    slowest: Duration,
    trace: Vec<String>,
}

impl Pair {
    /// Makes a call on both and says whether the answers could be compared.
    async fn call(&mut self, call: &Call) -> bool {
        let began = Instant::now();
        let on_memory = settled(answer(&self.memory, call).await);
        let on_redis = settled(answer(&self.redis, call).await);
        let ended = Instant::now();
        if let Some(ttl) = short_life(call) {
            self.ends
                .push((began + ttl, ended + ttl + Duration::from_millis(3)));
        }
        self.slowest = self.slowest.max(ended - began);
        self.trace
            .push(format!("{call:?} -> {on_memory:?} / {on_redis:?}"));
        let overlaps = |(from, to): &(Instant, Instant)| *from <= ended && began <= *to;
        if self.ends.iter().any(overlaps) {
            self.clear().await;
            return false;
        }
        let slack = SLACK + 2 * self.slowest;
        assert!(
            agree(&on_memory, &on_redis, slack),
            "{}",
            self.trace.join("\n")
        );
        true
    }

    async fn wait(&mut self) {
        if let Some((_, last)) = self.ends.iter().max_by_key(|(_, to)| *to) {
            tokio::time::sleep_until((*last + Duration::from_millis(10)).into()).await;
        }
        self.ends.clear();
        self.trace.push("waited past every end".to_string());
    }

    async fn clear(&mut self) {
        self.memory.clear().await.unwrap();
        self.redis.clear().await.unwrap();
        self.ends.clear();
        self.trace.push("cleared".to_string());
    }
}

async fn compare(seed: u64) -> usize {
    let server = Server::start();
    compare_with(server.connect().await, seed).await
}

async fn compare_on_a_cluster(seed: u64) -> usize {
    let cluster = Cluster::shared();
    compare_with(cluster.connect().await, seed).await
}

async fn compare_with(redis: RedisBackend, seed: u64) -> usize {
    let mut pair = Pair {
        memory: MemoryBackend::new(),
        redis,
        ends: Vec::new(),
        slowest: Duration::ZERO,
        trace: Vec::new(),
    };
    let mut random = Random(fastrand::Rng::with_seed(seed));
    let mut compared = 0;
    while compared < CALLS / 4 {
        pair.clear().await;
        pair.trace = vec![format!("seed {seed}")];
        for _ in 0..CALLS_IN_A_SEQUENCE {
            let call = random.call();
            match call {
                Call::Wait => pair.wait().await,
                call => compared += usize::from(pair.call(&call).await),
            }
        }
    }
    compared
}

/// Compares several sequences at the same time.
async fn agrees<F>(compare: impl Fn(u64) -> F)
where
    F: Future<Output = usize> + Send + 'static,
{
    let first = fastrand::u64(..);
    let runs = (0..4).map(|index| tokio::spawn(compare(first.wrapping_add(index))));
    let mut compared = 0;
    for run in runs.collect::<Vec<_>>() {
        compared += run.await.unwrap();
    }
    println!("{compared} calls compared, seed {first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_and_redis_agree() {
    agrees(compare).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_and_a_cluster_agree() {
    agrees(compare_on_a_cluster).await;
}

/// Every kind of call was compared and most calls gave something to compare.
#[test]
fn the_calls_are_of_every_kind() {
    let mut random = Random(fastrand::Rng::with_seed(1));
    let kinds: BTreeSet<String> = (0..CALLS)
        .map(|_| format!("{:?}", random.call()))
        .map(|call| call.split('(').next().unwrap_or_default().to_string())
        .collect();
    assert_eq!(kinds.len(), 26, "{kinds:?}");
}
