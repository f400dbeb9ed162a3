//! The cost of looking for keys by their prefix on a server that is full of other keys: "log out
//! everywhere" of an owner with two sessions, and the delay that another client sees meanwhile.
//!
//! `cargo bench -p reinhardt-backends-tests --bench walk -- [ROUNDS]`

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Script, cmd};
use reinhardt_backends::RedisBackend;
use reinhardt_backends::session::SessionStore;
use reinhardt_backends_tests::Server;
use reinhardt_backends_tests::measure::{Measured, Report, Run, Table, Unit};
use tokio::runtime::Builder;

/// The numbers of keys that aren't sessions of the owner.
const FOREIGN: [usize; 3] = [1_000, 200_000, 1_000_000];
const DELETE_ALL: &str = "delete_all of two sessions";
const PROCESSOR: &str = "the server's processor time";
const MEDIAN: &str = "PING meanwhile, median";
const SLOWEST: &str = "PING meanwhile, slowest";
const ALONE: &str = "PING without it, median";
const SCANS: &str = "SCANs";
/// The number of keys that one script writes.
const FILLED_AT_ONCE: usize = 1_000;

fn main() {
    let Some(run) = Run::from_arguments(5) else {
        return;
    };
    let mut report = Report::new("walk");
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    for foreign in FOREIGN {
        let server = Server::on_tcp();
        let rounds = runtime.block_on(measure(&server, foreign, run.rounds()));
        let mut times = Measured::default();
        for (name, time) in [
            (DELETE_ALL, |round: &Round| round.taken),
            (PROCESSOR, |round| round.processor),
            (MEDIAN, |round| round.median),
            (SLOWEST, |round| round.slowest),
            (ALONE, |round| round.alone),
        ] as [(&str, fn(&Round) -> Duration); 5]
        {
            let nanoseconds = rounds.iter().map(|round| time(round).as_nanos() as f64);
            times.add(name, nanoseconds.collect());
        }
        let mut counts = Measured::default();
        counts.add(
            SCANS,
            rounds.iter().map(|round| round.scans as f64).collect(),
        );
        let title = format!("beside {foreign} foreign keys");
        report.table(&Table::new(&title, Unit::Time, times));
        report.line(&format!("{title}: {} SCANs a call", counts.median(SCANS)));
    }
    report.finish();
}

struct Round {
    scans: u64,
    processor: Duration,
    taken: Duration,
    median: Duration,
    slowest: Duration,
    alone: Duration,
}

async fn measure(server: &Server, foreign: usize, rounds: usize) -> Vec<Round> {
    let client = Client::open(server.url()).expect("a URL");
    // A busy machine may be slower than the default time-out.
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let mut other = client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .expect("the server");
    fill(&mut other, foreign).await;
    let backend = RedisBackend::new(&server.url()).await.expect("the server");
    let sessions = SessionStore::<u32, _>::new(backend);
    let mut all = Vec::new();
    for _ in 0..rounds {
        let (_, mut alone) = pings(&mut other, || false).await;
        for data in 0..2 {
            sessions.create("ann", data).await.expect("an answer");
        }
        let before = work(&mut other).await;
        let deleting = {
            let sessions = sessions.clone();
            tokio::spawn(async move {
                let begun = Instant::now();
                let deleted = sessions.delete_all("ann").await.expect("an answer");
                assert_eq!(deleted, 2);
                begun.elapsed()
            })
        };
        let (slowest, mut times) = pings(&mut other, || !deleting.is_finished()).await;
        let taken = deleting.await.expect("no panic");
        let after = work(&mut other).await;
        all.push(Round {
            taken,
            scans: after.scans - before.scans,
            processor: after.processor - before.processor,
            median: median(&mut times),
            slowest,
            alone: median(&mut alone),
        });
    }
    all
}

/// Writes keys of another program.
async fn fill(connection: &mut MultiplexedConnection, foreign: usize) {
    let script = Script::new(
        "for i = ARGV[1], ARGV[2] do redis.call('SET', 'other-program:' .. i, 'some value') end",
    );
    for first in (0..foreign).step_by(FILLED_AT_ONCE) {
        let last = foreign.min(first + FILLED_AT_ONCE) - 1;
        let mut invocation = script.prepare_invoke();
        let filled = invocation
            .arg(first)
            .arg(last)
            .invoke_async::<()>(connection);
        filled.await.expect("an answer");
    }
}

/// Sends one `PING` after the other for as long as it is told to, 100 at least; returns the
/// slowest, and all.
async fn pings(
    connection: &mut MultiplexedConnection,
    go_on: impl Fn() -> bool,
) -> (Duration, Vec<Duration>) {
    let mut times = Vec::new();
    while times.len() < 100 || go_on() {
        let begun = Instant::now();
        let ping = cmd("PING");
        ping.exec_async(connection).await.expect("an answer");
        times.push(begun.elapsed());
    }
    let slowest = times.iter().max().copied().unwrap_or_default();
    (slowest, times)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The work that the server says it has done.
struct Work {
    scans: u64,
    processor: Duration,
}

async fn work(connection: &mut MultiplexedConnection) -> Work {
    let mut info = cmd("INFO");
    let info = info.arg("commandstats").arg("cpu");
    let info: String = info.query_async(connection).await.expect("an answer");
    let scans = value(&info, "cmdstat_scan:calls=").unwrap_or("0");
    let processor = ["used_cpu_user:", "used_cpu_sys:"].map(|name| {
        let seconds = value(&info, name).expect("it is told");
        Duration::from_secs_f64(seconds.parse().expect("seconds"))
    });
    Work {
        scans: scans.parse().expect("a number"),
        processor: processor.iter().sum(),
    }
}

fn value<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let line = info.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split(',').next())
}
