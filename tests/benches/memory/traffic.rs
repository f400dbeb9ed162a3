//! The keys that are asked for, in the order of their use, and the sessions under them.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m", shared)]
pub(crate) struct Session {
    #[keyspace(key)]
    pub(crate) id: String,
    pub(crate) user: u64,
    pub(crate) roles: Vec<String>,
    pub(crate) seen: u64,
}

#[derive(Keyspace)]
#[keyspace(prefix = "rate", ttl = "60s", counter)]
pub(crate) struct Rate<'a> {
    pub(crate) client: &'a str,
}

/// A session whose every read begins its life anew.
#[derive(Keyspace)]
#[keyspace(prefix = "sliding", value = Session, ttl = "30m", sliding)]
pub(crate) struct Sliding<'a> {
    pub(crate) id: &'a str,
}

/// The life of sessions, in every store.
pub(crate) const TTL: Duration = Duration::from_secs(30 * 60);
/// The life of counters, in every store.
pub(crate) const WINDOW: Duration = Duration::from_secs(60);
/// The number of operations in a round that is timed.
const TIMED: usize = 100_000;
/// The number of operations in a round whose instructions are counted: the counts vary little, and
/// counting takes its time.
const COUNTED: usize = 10_000;
/// The number of times that threads go through the operations: threads don't begin and end at quite
/// the same time.
const PASSES: usize = 4;
/// The length of a key's text.
const KEY: usize = 24;
/// The length of a session as CBOR.
const VALUE: usize = 77;

/// Operations on keys that are drawn uniformly.
///
/// Keys and sessions lie in memory in the order of their use, so that fetching them costs next to
/// nothing and the stores alone are measured.
pub(crate) struct Traffic {
    name: &'static str,
    distinct: Vec<Session>,
    keys: String,
    counters: String,
    sessions: Vec<Session>,
}

impl Traffic {
    /// Few keys, so that the code itself is measured.
    pub(crate) fn warm() -> Self {
        Self::new("warm", 1_000, TIMED)
    }

    /// As warm, for a benchmark that counts instructions.
    pub(crate) fn counted() -> Self {
        Self::new("warm", 1_000, COUNTED)
    }

    /// More keys than the caches of a core hold, so that mostly the way to memory is measured.
    pub(crate) fn cold() -> Self {
        Self::new("cold", 100_000, TIMED)
    }

    /// One key, on which all threads meet.
    pub(crate) fn hot() -> Self {
        Self::new("one key", 1, TIMED)
    }

    fn new(name: &'static str, count: usize, operations: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(42);
        let distinct: Vec<Session> = (0..count).map(|_| session(&mut random)).collect();
        let drawn = (0..operations).map(|_| &distinct[random.usize(..count)]);
        let sessions: Vec<Session> = drawn.cloned().collect();
        let ids = sessions.iter().map(|session| session.id.as_str());
        let traffic = Self {
            name,
            keys: ids.clone().map(|id| format!("session:{id}")).collect(),
            counters: ids.map(|id| format!("rate:ip-{id}")).collect(),
            distinct,
            sessions,
        };
        let first = &traffic.sessions[0];
        assert_eq!(*Session::key(&first.id), *key(&traffic.keys, 0));
        let client = client(key(&traffic.counters, 0));
        assert_eq!(*Rate { client }.key(), *key(&traffic.counters, 0));
        assert_eq!(encoded(first).len(), VALUE);
        traffic
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the number of operations in a round.
    pub(crate) fn operations(&self) -> usize {
        self.sessions.len()
    }

    /// Every key once, with its session.
    pub(crate) fn distinct(&self) -> impl Iterator<Item = (String, &Session)> {
        let sessions = self.distinct.iter();
        sessions.map(|session| (format!("session:{}", session.id), session))
    }

    /// Measures an operation on the keys of sessions, in nanoseconds each.
    pub(crate) fn keys<T>(&self, mut operation: impl AsyncFnMut(&str) -> T) -> f64 {
        self.measure(async |index| operation(key(&self.keys, index)).await)
    }

    /// Measures an operation on the keys of counters, in nanoseconds each.
    pub(crate) fn counters<T>(&self, mut operation: impl AsyncFnMut(&str) -> T) -> f64 {
        self.measure(async |index| operation(key(&self.counters, index)).await)
    }

    /// Measures an operation on keys and sessions, in nanoseconds each.
    pub(crate) fn sessions<T>(&self, mut operation: impl AsyncFnMut(&str, &Session) -> T) -> f64 {
        self.measure(async |index| operation(key(&self.keys, index), &self.sessions[index]).await)
    }

    /// Measures an operation that takes sessions for good, in nanoseconds each; the copies that it
    /// takes are made before.
    pub(crate) fn owned_sessions<T>(
        &self,
        mut operation: impl AsyncFnMut(&str, Session) -> T,
    ) -> f64 {
        let mut copies = self.sessions.clone().into_iter();
        self.measure(async |index| {
            let session = copies.next().expect("there is a copy for each operation");
            operation(key(&self.keys, index), session).await
        })
    }

    /// Measures the operations a second that so many threads do together, each thread on a runtime
    /// of its own.
    pub(crate) fn threads<T>(
        &self,
        threads: usize,
        operation: impl AsyncFn(&str, &Session) -> T + Sync,
    ) -> f64 {
        let ready = Barrier::new(threads);
        let times: Vec<(Instant, Instant)> = thread::scope(|scope| {
            let thread = |number: usize| {
                let (ready, operation) = (&ready, &operation);
                scope.spawn(move || {
                    let runtime = runtime();
                    ready.wait();
                    let begin = Instant::now();
                    runtime.block_on(async {
                        for index in 0..PASSES * self.operations() {
                            // Each begins elsewhere, or all would ask for the same key at the same
                            // time.
                            let begin = number * self.operations() / threads;
                            let index = (index + begin) % self.operations();
                            let key = key(&self.keys, index);
                            black_box(operation(key, &self.sessions[index]).await);
                        }
                    });
                    (begin, Instant::now())
                })
            };
            let spawned: Vec<_> = (0..threads).map(thread).collect();
            let joined = spawned.into_iter().map(|thread| thread.join());
            joined
                .map(|times| times.expect("no thread panics"))
                .collect()
        });
        let begin = times.iter().map(|(begin, _)| *begin).min();
        let end = times.iter().map(|(_, end)| *end).max();
        let time = end.zip(begin).map(|(end, begin)| end - begin);
        (threads * PASSES * self.operations()) as f64
            / time.expect("there are threads").as_secs_f64()
    }

    fn measure<T>(&self, mut operation: impl AsyncFnMut(usize) -> T) -> f64 {
        runtime().block_on(async {
            let begin = Instant::now();
            for index in 0..self.operations() {
                black_box(operation(index).await);
            }
            begin.elapsed().as_secs_f64() * 1e9 / self.operations() as f64
        })
    }
}

/// Returns the `id` in the key of a session.
pub(crate) fn id(key: &str) -> &str {
    &key["session:".len()..]
}

/// Returns the `client` in the key of a counter.
pub(crate) fn client(key: &str) -> &str {
    &key["rate:".len()..]
}

/// Encodes a session as the library does.
pub(crate) fn encoded(session: &Session) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(session, &mut bytes).expect("sessions can be encoded");
    bytes
}

/// Makes a runtime on the calling thread.
pub(crate) fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be built")
}

fn session(random: &mut fastrand::Rng) -> Session {
    Session {
        id: format!("{:016x}", random.u64(..)),
        user: random.u64(1 << 24..1 << 32),
        roles: ["administrator", "moderator", "user"]
            .map(String::from)
            .into(),
        seen: random.u64(1 << 24..1 << 32),
    }
}

fn key(keys: &str, index: usize) -> &str {
    &keys[index * KEY..][..KEY]
}
