//! The speed of the backend on a cluster of three primaries, beside the cluster connection of
//! redis-rs: row R8 of the goals.
//!
//! `cargo bench -p reinhardt-backends-tests --bench cluster -- [ROUNDS] [get] [miss] [mix]
//! [save] [increment] [hot-get] [hot-increment] [many] [slowest]`

mod load;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{Script, cmd};
use reinhardt_backends::RedisBackend;
use reinhardt_backends::codec::{Cbor, Codec};
use reinhardt_backends_tests::Cluster;
use reinhardt_backends_tests::measure::Bound::{AtLeast, AtMost};
use reinhardt_backends_tests::measure::{Cases, Report, Run, Sweep, Table, Unit};
use tokio::runtime::Runtime;

use self::load::{KEYS, Session, WINDOW, Work, id, keys, raw, runtime, store, threads, typed};

/// Returns the least ratio to redis-rs with so many tasks at once.
fn goal(work: Work, tasks: usize) -> f64 {
    match (work, tasks) {
        (Work::Increment | Work::HotIncrement, 256) => 1.1,
        (_, 256) => 1.5,
        _ => 0.95,
    }
}

const OURS: &str = "ours, typed";
const RAW: &str = "redis-rs cluster";
const MANY: usize = 100;
const TASKS: [usize; 4] = [1, 16, 64, 256];
/// The length of a round.
const ROUND: Duration = Duration::from_millis(200);

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
        if run.wants("many") {
            report.sweep(&bench.many(run.rounds()));
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
        let runtime = runtime(workers);
        let (ours, raw) = runtime.block_on(async {
            let ours = RedisBackend::new(&cluster.url(0)).await;
            let client = ClusterClient::new(vec![cluster.url(0)]).expect("a URL");
            let raw = client.get_async_connection().await;
            let ours = ours.expect("the cluster");
            store(&ours).await;
            (ours, raw.expect("the cluster"))
        });
        Self {
            runtime,
            workers,
            ours,
            raw,
            keys: keys().into(),
        }
    }

    /// Measures one kind of work.
    fn sweep(&self, work: Work, rounds: usize) -> Sweep {
        self.compare(
            work.name(),
            rounds,
            |tasks| self.typed(work, tasks),
            |tasks| self.raw(work, tasks),
            |tasks| goal(work, tasks),
        )
    }

    /// Measures reads of a hundred keys at once.
    fn many(&self, rounds: usize) -> Sweep {
        let typed = |tasks| {
            let backend = self.ours.clone();
            self.run(tasks, move |index| {
                let backend = backend.clone();
                async move {
                    let ids: Vec<String> = many(index).map(id).collect();
                    let all = Session::get_many(&backend, &ids).await;
                    assert!(all.expect("an answer").iter().all(Option::is_some));
                }
            })
        };
        let raw = |tasks| {
            let (raw, keys) = (self.raw.clone(), self.keys.clone());
            self.run(tasks, move |index| {
                let (mut raw, keys) = (raw.clone(), keys.clone());
                async move {
                    let mut mget = cmd("MGET");
                    for index in many(index) {
                        mget.arg(&keys[index]);
                    }
                    let all = mget.query_async::<Vec<Vec<u8>>>(&mut raw).await;
                    for bytes in all.expect("an answer") {
                        let _: Session = Cbor::decode(&bytes).expect("a session");
                    }
                }
            })
        };
        self.compare("many", rounds, typed, raw, |_| 2.0)
    }

    /// Measures with so many tasks at once, both clients in turn.
    fn compare(
        &self,
        name: &str,
        rounds: usize,
        typed: impl Fn(usize) -> Seen,
        raw: impl Fn(usize) -> Seen,
        goal: impl Fn(usize) -> f64,
    ) -> Sweep {
        let title = format!("R8: {name} on a cluster, {}", threads(self.workers));
        let mut sweep = Sweep::new(&title, Unit::Rate).ratios_to(RAW);
        for tasks in TASKS {
            let mut cases = Cases::new();
            cases.case(OURS, || typed(tasks).rate);
            cases.case(RAW, || raw(tasks).rate);
            sweep.point(tasks, cases.measure(rounds));
            sweep.goal(tasks, OURS, AtLeast(goal(tasks)), RAW);
        }
        sweep
    }

    /// Measures the time within which 99 of 100 gets are answered.
    fn slowest(&self, rounds: usize) -> Table {
        let mut cases = Cases::new();
        cases.case(OURS, || self.typed(Work::Get, 256).slowest);
        cases.case(RAW, || self.raw(Work::Get, 256).slowest);
        let title = format!("R8: p99 of get with 256 tasks, {}", threads(self.workers));
        Table::new(&title, Unit::Time, cases.measure(rounds))
            .ratios_to(RAW)
            .goal(OURS, AtMost(1.0), RAW)
    }

    fn typed(&self, work: Work, tasks: usize) -> Seen {
        let backend = self.ours.clone();
        self.run(tasks, move |index| {
            let backend = backend.clone();
            async move { typed(&backend, work, index).await }
        })
    }

    fn raw(&self, work: Work, tasks: usize) -> Seen {
        let (connection, keys) = (self.raw.clone(), self.keys.clone());
        let window = Arc::new(Script::new(WINDOW));
        self.run(tasks, move |index| {
            let (mut connection, keys) = (connection.clone(), keys.clone());
            let window = window.clone();
            async move { raw(&mut connection, &keys, &window, work, index).await }
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

/// The result of a round.
struct Seen {
    /// Operations a second.
    rate: f64,
    /// The time within which 99 of 100 operations were done, in nanoseconds.
    slowest: f64,
}

fn many(index: usize) -> impl Iterator<Item = usize> {
    (0..MANY).map(move |offset| (index + offset) % KEYS)
}
