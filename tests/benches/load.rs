//! The requests of the benchmarks of servers: by a keyspace of ours, and by a connection of
//! redis-rs.

use redis::aio::ConnectionLike;
use redis::{Script, cmd};
use reinhardt_backends::codec::{Cbor, Codec};
use reinhardt_backends::{Keyspace, RedisBackend};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
pub(crate) struct Session {
    #[keyspace(key)]
    pub(crate) id: String,
    pub(crate) user: u64,
    pub(crate) roles: Vec<String>,
    pub(crate) seen: u64,
}

#[derive(Keyspace)]
#[keyspace(prefix = "rate", ttl = "60s", counter)]
pub(crate) struct Rate {
    pub(crate) client: usize,
}

/// The number of keys. As many other keys are asked for in vain.
pub(crate) const KEYS: usize = 10_000;
pub(crate) const WINDOW: &str = "local n = redis.call('INCRBY', KEYS[1], 1) \
    if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end return n";

/// The work of the tasks of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Get,
    /// A get of a key that isn't there.
    Miss,
    /// Ten calls: six hits, three misses and a save.
    Mix,
    Save,
    Increment,
    /// As [`Get`](Self::Get), but all tasks read one key.
    HotGet,
    /// As [`Increment`](Self::Increment), but all tasks count under one key.
    HotIncrement,
}

impl Work {
    pub(crate) const ALL: [Self; 7] = [
        Self::Get,
        Self::Miss,
        Self::Mix,
        Self::Save,
        Self::Increment,
        Self::HotGet,
        Self::HotIncrement,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Miss => "miss",
            Self::Mix => "mix",
            Self::Save => "save",
            Self::Increment => "increment",
            Self::HotGet => "hot-get",
            Self::HotIncrement => "hot-increment",
        }
    }

    /// Returns the work and the key of the call with this number.
    fn of(self, index: usize) -> (Self, usize) {
        match (self, index % 10) {
            (Self::Mix, 0..6) => (Self::Get, index),
            (Self::Mix, 6..9) => (Self::Miss, index),
            (Self::Mix, _) => (Self::Save, index),
            (Self::HotGet, _) => (Self::Get, 0),
            (Self::HotIncrement, _) => (Self::Increment, 0),
            (work, _) => (work, index),
        }
    }

    /// Returns the distance between the keys that such a read asks for and the keys that are there.
    fn misses_by(self) -> usize {
        if self == Self::Miss { KEYS } else { 0 }
    }
}

/// Makes the call of this number by a keyspace.
pub(crate) async fn typed(backend: &RedisBackend, work: Work, index: usize) {
    let (work, index) = work.of(index);
    match work {
        Work::Save => session(index).save(backend).await.expect("an answer"),
        Work::Increment => {
            let rate = Rate { client: index };
            rate.increment(backend).await.expect("an answer");
        }
        read => {
            let index = index + read.misses_by();
            let session = Session::get(backend, id(index)).await;
            assert_eq!(session.expect("an answer").is_some(), index < KEYS);
        }
    }
}

/// Makes the call of this number by a connection of redis-rs, on the keys of [`keys`].
pub(crate) async fn raw<C>(
    connection: &mut C,
    keys: &[String],
    window: &Script,
    work: Work,
    index: usize,
) where
    C: ConnectionLike,
{
    let (work, index) = work.of(index);
    match work {
        Work::Save => {
            let bytes = Cbor::encode(&session(index)).expect("bytes");
            let mut set = cmd("SET");
            set.arg(&keys[index]).arg(bytes).arg("PX").arg(1_800_000);
            let done = set.query_async::<()>(connection);
            done.await.expect("an answer");
        }
        Work::Increment => {
            let mut script = window.key(format!("raw:{index}"));
            let script = script.arg(60_000);
            let count = script.invoke_async::<i64>(connection);
            count.await.expect("an answer");
        }
        read => {
            let index = index + read.misses_by();
            let mut get = cmd("GET");
            let bytes = get
                .arg(&keys[index])
                .query_async::<Option<Vec<u8>>>(connection);
            let bytes = bytes.await.expect("an answer");
            assert_eq!(bytes.is_some(), index < KEYS);
            let decoded = bytes.map(|bytes| Cbor::decode::<Session>(&bytes));
            decoded.transpose().expect("a session");
        }
    }
}

/// Stores the entries that are read.
pub(crate) async fn store(backend: &RedisBackend) {
    let sessions: Vec<Session> = (0..KEYS).map(session).collect();
    let saved = Session::save_many(backend, &sessions).await;
    saved.expect("the server takes them");
}

/// Returns the keys of sessions as they are stored, and of as many that aren't there.
pub(crate) fn keys() -> Vec<String> {
    let keys = (0..2 * KEYS).map(|index| Session::key(id(index)));
    keys.map(|key| format!("reinhardt:{key}")).collect()
}

pub(crate) fn id(index: usize) -> String {
    format!("{index:016}")
}

pub(crate) fn session(index: usize) -> Session {
    Session {
        id: id(index),
        user: 1_000_000 + index as u64,
        roles: ["admin", "editor", "reader"].map(String::from).to_vec(),
        seen: 1_700_000_000,
    }
}

pub(crate) fn runtime(workers: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(workers).enable_all().build();
    runtime.expect("a runtime")
}

pub(crate) fn threads(workers: usize) -> String {
    match workers {
        1 => "one worker thread".to_string(),
        workers => format!("{workers} worker threads"),
    }
}
