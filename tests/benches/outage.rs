//! The time after an outage until a call succeeds again, and the calls meanwhile: row R6 of the
//! goals.
//!
//! `cargo bench -p reinhardt-backends-tests --bench outage -- [ROUNDS]`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use reinhardt_backends::{Backend, RedisBackend};
use reinhardt_backends_tests::measure::Bound::AtMost;
use reinhardt_backends_tests::measure::{Measured, Report, Run, Table, Unit};
use reinhardt_backends_tests::{FakeServer, Server};
use tokio::runtime::{Builder, Runtime};

/// The time from the kill until the server is started again.
const OUTAGES: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(20),
];
/// The limit of a call unless another one is set.
const LIMIT: Duration = Duration::from_secs(1);
const CALLERS: usize = 16;
const RUNTIMES: usize = 4;

fn main() {
    let Some(run) = Run::from_arguments(5) else {
        return;
    };
    let mut report = Report::new("outage");
    let (mut found, mut longest) = (Measured::default(), Measured::default());
    let mut goals = Vec::new();
    for outage in OUTAGES {
        for runtimes in [1, RUNTIMES] {
            let seen: Vec<_> = (0..run.rounds()).map(|_| seen(outage, runtimes)).collect();
            let name = format!("{outage:?}, {runtimes} runtimes");
            found.add(
                &name,
                seen.iter()
                    .map(|seen| seen.found.as_nanos() as f64)
                    .collect(),
            );
            longest.add(
                &name,
                seen.iter()
                    .map(|seen| seen.longest.as_nanos() as f64)
                    .collect(),
            );
            let goal = (outage / 10).clamp(Duration::from_millis(100), LIMIT);
            goals.push((name, goal.as_nanos() as f64));
        }
    }
    let mut table = Table::new(
        "from accepting again to the last runtime's first success",
        Unit::Time,
        found,
    );
    for (name, goal) in &goals {
        table = table.limit(name, AtMost(*goal));
    }
    report.table(&table);
    let mut table = Table::new("the longest call meanwhile", Unit::Time, longest);
    for (name, _) in &goals {
        table = table.limit(name, AtMost(LIMIT.as_nanos() as f64 * 1.1));
    }
    report.table(&table);
    attempts(&mut report);
    report.finish();
}

/// The times of an outage, as callers saw them.
struct Seen {
    /// The time from the server's first answer to the first success of the last runtime.
    found: Duration,
    longest: Duration,
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

fn seen(outage: Duration, runtimes: usize) -> Seen {
    let mut server = Server::on_tcp();
    let backend = RedisBackend::connect_lazy(&server.url()).expect("a URL");
    let is_back = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..runtimes)
        .map(|_| {
            let (backend, is_back) = (backend.clone(), is_back.clone());
            thread::spawn(move || runtime().block_on(call_until_back(&backend, &is_back)))
        })
        .collect();
    thread::sleep(Duration::from_millis(100));
    server.kill();
    thread::sleep(outage);
    // `restart` looks in steps of 5 ms whether the server answers.
    server.restart();
    let accepting = Instant::now();
    is_back.store(true, Ordering::SeqCst);
    let ended = callers
        .into_iter()
        .map(|caller| caller.join().expect("no panic"));
    let (mut found, mut longest) = (Duration::ZERO, Duration::ZERO);
    for (succeeded, slowest) in ended {
        found = found.max(succeeded.saturating_duration_since(accepting));
        longest = longest.max(slowest);
    }
    Seen { found, longest }
}

/// Calls in many tasks; returns the time of the first success after the outage, and how long the
/// longest call took.
async fn call_until_back(backend: &RedisBackend, is_back: &Arc<AtomicBool>) -> (Instant, Duration) {
    let calls = (0..CALLERS).map(|_| async {
        let mut slowest = Duration::ZERO;
        let mut has_failed = false;
        loop {
            let begun = Instant::now();
            let outcome = backend.increment("hits", None).await;
            let ended = Instant::now();
            slowest = slowest.max(ended - begun);
            has_failed |= outcome.is_err();
            if has_failed && outcome.is_ok() || outcome.is_ok() && is_back.load(Ordering::SeqCst) {
                return (ended, slowest);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let ended = futures::future::join_all(calls).await;
    let first = ended.iter().map(|(ended, _)| *ended).min();
    let slowest = ended.iter().map(|(_, slowest)| *slowest).max();
    (first.expect("callers"), slowest.expect("callers"))
}

/// Counts how often a server that refuses the login is asked in a minute.
fn attempts(report: &mut Report) {
    let fake = FakeServer::that_hangs_up_after(b"-WRONGPASS no\r\n");
    let backend = RedisBackend::connect_lazy(&fake.url()).expect("a URL");
    let begun = Instant::now();
    let mut line = "attempts at a server that refuses the login, after".to_string();
    runtime().block_on(async {
        for seconds in [1, 10, 60] {
            while begun.elapsed() < Duration::from_secs(seconds) {
                let _ = backend.get::<u8>("k").await;
            }
            line += &format!(" {seconds} s: {}", fake.connections());
        }
    });
    report.line(&line);
}
