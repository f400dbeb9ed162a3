//! The speed of the backend on a cluster of three primaries, beside the cluster connection of
//! redis-rs: row R8 of the goals.
//!
//! `cargo bench -p reinhardt-backends-tests --bench cluster -- [ROUNDS] [get] [miss] [save]
//! [increment] [many] [slowest]`

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{Script, cmd};
use reinhardt_backends::codec::{Cbor, Codec};
use reinhardt_backends::{Keyspace, RedisBackend};
use reinhardt_backends_tests::Cluster;
use reinhardt_backends_tests::measure::Bound::{AtLeast, AtMost};
use reinhardt_backends_tests::measure::{Cases, Report, Run, Sweep, Table, Unit};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
    user: u64,
    roles: Vec<String>,
    seen: u64,
}

#[derive(Keyspace)]
#[keyspace(prefix = "rate", ttl = "60s", counter)]
struct Rate {
    client: usize,
}

/// What the tasks do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Get,
    /// A get of what isn't there.
    Miss,
    Save,
    Increment,
    /// A hundred keys at once.
    Many,
}

impl Work {
    const ALL: [Self; 5] = [
        Self::Get,
        Self::Miss,
        Self::Save,
        Self::Increment,
        Self::Many,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Miss => "miss",
            Self::Save => "save",
            Self::Increment => "increment",
            Self::Many => "many",
        }
    }

    /// Returns the least ratio to redis-rs with so many tasks at once.
    fn goal(self, tasks: usize) -> f64 {
        match (self, tasks) {
            (Self::Many, _) => 2.0,
            (Self::Increment, 256) => 1.1,
            (_, 256) => 1.5,
            _ => 0.95,
        }
    }
}

const OURS: &str = "ours, typed";
const RAW: &str = "redis-rs cluster";
/// How many keys there are. As many others are asked for in vain.
const KEYS: usize = 10_000;
const TASKS: [usize; 4] = [1, 16, 64, 256];
const MANY: usize = 100;
/// How long a round is.
const ROUND: Duration = Duration::from_millis(200);
const WINDOW: &str = "local n = redis.call('INCRBY', KEYS[1], 1) \
    if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end return n";

fn main() {
    let Some(run) = Run::from_arguments(15) else {
        return;
    };
    let cluster = Cluster::of_primaries(3, &[]);
    let mut report = Report::new("cluster");
    for workers in [1, 2] {
        let bench = Bench::new(&cluster, workers);
        for work in Work::ALL {
            if run.wants(work.name()) {
                report.sweep(&bench.sweep(work, run.rounds()));
            }
        }
        if run.wants("slowest") {
            report.table(&bench.slowest(run.rounds()));
        }
    }
    report.finish();
}

struct Bench {
    runtime: Runtime,
    workers: usize,
    ours: RedisBackend,
    raw: ClusterConnection,
    keys: Arc<[String]>,
}

impl Bench {
    fn new(cluster: &Cluster, workers: usize) -> Self {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(workers).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (ours, raw) = runtime.block_on(async {
            let ours = RedisBackend::new(&cluster.url(0)).await;
            let client = ClusterClient::new(vec![cluster.url(0)]).expect("a URL");
            let raw = client.get_async_connection().await;
            let ours = ours.expect("the cluster");
            let sessions: Vec<Session> = (0..KEYS).map(session).collect();
            let saved = Session::save_many(&ours, &sessions).await;
            saved.expect("the cluster takes them");
            (ours, raw.expect("the cluster"))
        });
        Self {
            runtime,
            workers,
            ours,
            raw,
            keys: (0..2 * KEYS)
                .map(|index| format!("reinhardt:{}", Session::key(id(index))))
                .collect(),
        }
    }

    fn threads(&self) -> String {
        match self.workers {
            1 => "one worker thread".to_string(),
            workers => format!("{workers} worker threads"),
        }
    }

    /// Measures one kind of work with so many tasks at once, both clients in turn.
    fn sweep(&self, work: Work, rounds: usize) -> Sweep {
        let title = format!("R8: {} on a cluster, {}", work.name(), self.threads());
        let mut sweep = Sweep::new(&title, Unit::Rate).ratios_to(RAW);
        for tasks in TASKS {
            let mut cases = Cases::new();
            cases.case(OURS, || self.typed(work, tasks).rate);
            cases.case(RAW, || self.raw(work, tasks).rate);
            sweep.point(tasks, cases.measure(rounds));
            sweep.goal(tasks, OURS, AtLeast(work.goal(tasks)), RAW);
        }
        sweep
    }

    /// Measures the time within which 99 of 100 gets are answered.
    fn slowest(&self, rounds: usize) -> Table {
        let mut cases = Cases::new();
        cases.case(OURS, || self.typed(Work::Get, 256).slowest);
        cases.case(RAW, || self.raw(Work::Get, 256).slowest);
        let title = format!("R8: p99 of get with 256 tasks, {}", self.threads());
        Table::new(&title, Unit::Time, cases.measure(rounds))
            .ratios_to(RAW)
            .goal(OURS, AtMost(1.0), RAW)
    }

    fn typed(&self, work: Work, tasks: usize) -> Seen {
        let backend = self.ours.clone();
        self.run(tasks, move |index| {
            let backend = backend.clone();
            async move {
                match work {
                    Work::Get | Work::Miss => {
                        let session = Session::get(&backend, id(work.key(index))).await;
                        let is_there = session.expect("an answer").is_some();
                        assert_eq!(is_there, work == Work::Get);
                    }
                    Work::Save => session(index).save(&backend).await.expect("an answer"),
                    Work::Increment => {
                        let rate = Rate { client: index };
                        rate.increment(&backend).await.expect("an answer");
                    }
                    Work::Many => {
                        let ids: Vec<String> = many(index).map(id).collect();
                        let all = Session::get_many(&backend, &ids).await;
                        assert!(all.expect("an answer").iter().all(Option::is_some));
                    }
                }
            }
        })
    }

    fn raw(&self, work: Work, tasks: usize) -> Seen {
        let (raw, keys) = (self.raw.clone(), self.keys.clone());
        let window = Arc::new(Script::new(WINDOW));
        self.run(tasks, move |index| {
            let (mut raw, keys, window) = (raw.clone(), keys.clone(), window.clone());
            async move {
                match work {
                    Work::Get | Work::Miss => {
                        let mut get = cmd("GET");
                        let get = get.arg(&keys[work.key(index)]);
                        let bytes = get.query_async::<Option<Vec<u8>>>(&mut raw).await;
                        let bytes = bytes.expect("an answer");
                        let decoded = bytes.map(|bytes| Cbor::decode::<Session>(&bytes));
                        let decoded = decoded.transpose().expect("a session");
                        assert_eq!(decoded.is_some(), work == Work::Get);
                    }
                    Work::Save => {
                        let bytes = Cbor::encode(&session(index)).expect("bytes");
                        let mut set = cmd("SET");
                        set.arg(&keys[index]).arg(bytes).arg("PX").arg(1_800_000);
                        set.exec_async(&mut raw).await.expect("an answer");
                    }
                    Work::Increment => {
                        let mut script = window.key(format!("raw:{index}"));
                        let count = script.arg(60_000).invoke_async::<i64>(&mut raw);
                        count.await.expect("an answer");
                    }
                    Work::Many => {
                        let mut mget = cmd("MGET");
                        for index in many(index) {
                            mget.arg(&keys[index]);
                        }
                        let all = mget.query_async::<Vec<Vec<u8>>>(&mut raw).await;
                        for bytes in all.expect("an answer") {
                            let _: Session = Cbor::decode(&bytes).expect("a session");
                        }
                    }
                }
            }
        })
    }

    fn run<F>(&self, tasks: usize, operation: impl Fn(usize) -> F + Clone + Send + 'static) -> Seen
    where
        F: Future<Output = ()> + Send,
    {
        let begun = Instant::now();
        let work = (0..tasks).map(|task| {
            let operation = operation.clone();
            self.runtime.spawn(async move {
                let mut times = Vec::new();
                while begun.elapsed() < ROUND {
                    let before = Instant::now();
                    operation((task * 7919 + times.len() * 31) % KEYS).await;
                    times.push(before.elapsed());
                }
                times
            })
        });
        let mut times = Vec::new();
        for ended in self.runtime.block_on(join_all(work)) {
            times.extend(ended.expect("no task panics"));
        }
        let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
        times.sort_unstable();
        let slowest = times[times.len() * 99 / 100].as_nanos() as f64;
        Seen { rate, slowest }
    }
}

/// What a round has shown.
struct Seen {
    /// Operations a second.
    rate: f64,
    /// The time within which 99 of 100 were done, in nanoseconds.
    slowest: f64,
}

impl Work {
    /// Returns the number of the key that is asked for.
    fn key(self, index: usize) -> usize {
        if self == Self::Miss {
            index + KEYS
        } else {
            index
        }
    }
}

fn many(index: usize) -> impl Iterator<Item = usize> {
    (0..MANY).map(move |offset| (index + offset) % KEYS)
}

fn id(index: usize) -> String {
    format!("{index:016}")
}

fn session(index: usize) -> Session {
    Session {
        id: id(index),
        user: 1_000_000 + index as u64,
        roles: ["admin", "editor", "reader"].map(String::from).to_vec(),
        seen: 1_700_000_000,
    }
}
