//! The delay that readers see while a million entries end at once, and the cost of an idle backend:
//! row M5 of the goals.
//!
//! `cargo bench -p reinhardt-backends-tests --bench expiry -- [ROUNDS] [sweep] [idle]`

use std::env;
use std::hint::black_box;
use std::time::{Duration, Instant};

use reinhardt_backends::{Backend, Life, MemoryBackend, Write};
use reinhardt_backends_tests::measure::Bound::AtMost;
use reinhardt_backends_tests::measure::{
    Cases, Measured, Report, Run, Table, Unit, cpu_time, in_own_process, resident_bytes,
};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

fn main() {
    if let Some(READ) = env::args().nth(1).as_deref() {
        let ending = env::args().nth(2).as_deref() == Some(ENDING);
        let seen = serde_json::to_string(&read_while(ending));
        println!("{}", seen.expect("plain numbers"));
        return;
    }
    let Some(run) = Run::from_arguments(5) else {
        return;
    };
    let mut report = Report::new("expiry");
    if run.wants("sweep") {
        sweep(&mut report, run.rounds());
    }
    if run.wants("idle") {
        idle(&mut report, run.rounds());
    }
    report.finish();
}

/// The results of one run.
#[derive(Serialize, Deserialize)]
struct Seen {
    worst: f64,
    /// The time that one of a thousand reads exceeds.
    slow: f64,
    median: f64,
    /// The number of reads that took longer than a millisecond.
    late: usize,
    /// The time from the end of the entries until they had left.
    gone: Option<Duration>,
    /// The memory that another million entries took, as a share of the memory of the first million.
    more: f64,
}

fn sweep(report: &mut Report, rounds: usize) {
    let mut endings = Vec::new();
    let mut quiet = Vec::new();
    for round in 0..rounds {
        // Each case goes first every other time.
        for ending in [round % 2 == 0, round % 2 == 1] {
            // Each run has a process of its own: in a second run, memory of the first run would be
            // used again.
            let seen = in_own_process(&[READ, if ending { ENDING } else { QUIET }]);
            let seen = serde_json::from_str(&seen).expect("it was written by `main`");
            if ending { &mut endings } else { &mut quiet }.push(seen);
        }
    }
    let worst = "M5: worst read of a run";
    let table = compare(worst, &endings, &quiet, |seen| seen.worst)
        .goal(ENDING, AtMost(2.0), QUIET)
        .limit(ENDING, AtMost(1e6));
    report.table(&table);
    report.line("M5 asks for one of these two.");
    let late = |seen: &[Seen]| seen.iter().map(|seen| seen.late).collect::<Vec<_>>();
    report.line(&format!(
        "Reads of over 1 ms in each run: {:?} while entries end, {:?} while nothing ends.",
        late(&endings),
        late(&quiet)
    ));
    let slow = "M5: 99.9th percentile of reads";
    report.table(&compare(slow, &endings, &quiet, |seen| seen.slow));
    report.table(&compare("M5: median read", &endings, &quiet, |seen| {
        seen.median
    }));
    let gone = endings.iter().filter_map(|seen| seen.gone);
    let gone: Vec<f64> = gone.map(|time| time.as_secs_f64() * 1e9).collect();
    report.line(&format!(
        "\nAll that ended had left within {AFTER:?} in {} of {rounds} runs.",
        gone.len()
    ));
    if !gone.is_empty() {
        let mut measured = Measured::default();
        measured.add("left", gone);
        report.table(&Table::new("M5: after the end", Unit::Time, measured));
    }
    let mut more = Measured::default();
    more.add(ENDING, endings.iter().map(|seen| seen.more).collect());
    more.add(QUIET, quiet.iter().map(|seen| seen.more).collect());
    let title = "M5: memory that another million takes";
    let table = Table::new(title, Unit::Share, more).limit(ENDING, AtMost(0.1));
    report.table(&table);
}

fn compare(title: &str, endings: &[Seen], quiet: &[Seen], number: fn(&Seen) -> f64) -> Table {
    let mut measured = Measured::default();
    measured.add(ENDING, endings.iter().map(number).collect());
    measured.add(QUIET, quiet.iter().map(number).collect());
    Table::new(title, Unit::Time, measured).ratios_to(QUIET)
}

/// Reads a thousand keys over and over, from shortly before a million others end until well after;
/// or the same without anything that ends.
fn read_while(ending: bool) -> Seen {
    let runtime = runtime();
    let seen = runtime.block_on(async {
        let backend = MemoryBackend::new();
        let empty = resident_bytes();
        let end = Instant::now() + FILLING;
        for number in 0..ENTRIES {
            let life = if ending { end - Instant::now() } else { LONG };
            write(&backend, number, life).await;
        }
        let keys: Vec<String> = (ENTRIES..ENTRIES + 1000).map(key).collect();
        for number in ENTRIES..ENTRIES + 1000 {
            write(&backend, number, LONG).await;
        }
        let begin = end - BEFORE;
        assert!(
            Instant::now() < begin,
            "filling takes longer than {FILLING:?}"
        );
        let full = resident_bytes();
        let gone = tokio::spawn(watch(backend.clone(), end));
        tokio::time::sleep_until(begin.into()).await;
        let mut times = read(&backend, &keys, end + AFTER).await;
        times.sort_unstable();
        let seen = Seen {
            worst: f64::from(*times.last().expect("there were reads")),
            slow: f64::from(times[times.len() * 999 / 1000]),
            median: f64::from(times[times.len() / 2]),
            late: times.len() - times.partition_point(|time| *time <= 1_000_000),
            gone: gone
                .await
                .expect("watching doesn't panic")
                .filter(|_| ending),
            more: 0.0,
        };
        drop(times);
        // In a store of its own: what is free is the process's, and no write of this one sweeps the
        // first.
        let (before, another) = (resident_bytes(), MemoryBackend::new());
        for number in 0..ENTRIES {
            write(&another, number, LONG).await;
        }
        let more = (resident_bytes() - before) / (full - empty);
        Seen { more, ..seen }
    });
    drop(runtime);
    seen
}

/// Returns how many nanoseconds each read took.
async fn read(backend: &MemoryBackend, keys: &[String], until: Instant) -> Vec<u32> {
    let mut random = fastrand::Rng::with_seed(42);
    let mut times = Vec::with_capacity(32_000_000);
    let mut before = Instant::now();
    while before < until {
        let key = &keys[random.usize(..keys.len())];
        before = Instant::now();
        black_box(backend.get_stored(key).await.unwrap().unwrap());
        let time = before.elapsed().as_nanos();
        times.push(u32::try_from(time).unwrap_or(u32::MAX));
    }
    times
}

/// Waits until the entries that have ended, which nobody reads, have left. Returns the time from
/// their end until then.
async fn watch(backend: MemoryBackend, end: Instant) -> Option<Duration> {
    while Instant::now() < end + AFTER {
        if backend.stats().entries <= 1000 {
            return Some(end.elapsed());
        }
        sleep(Duration::from_millis(5)).await;
    }
    None
}

fn idle(report: &mut Report, rounds: usize) {
    let runtime = runtime();
    let backend = MemoryBackend::new();
    let mut random = fastrand::Rng::with_seed(42);
    runtime.block_on(async {
        for number in 0..ENTRIES {
            let life = Duration::from_millis(random.u64(1..=30 * 60 * 1000));
            write(&backend, number, life).await;
        }
    });
    let mut cases = Cases::new();
    cases.case(IDLE, || {
        runtime.block_on(async {
            let (begin, before) = (Instant::now(), cpu_time());
            sleep(IDLE_TIME).await;
            let used = cpu_time() - before;
            used.as_secs_f64() / begin.elapsed().as_secs_f64()
        })
    });
    let title = "M5: CPU time, as a share of a core";
    let table = Table::new(title, Unit::Share, cases.measure(rounds)).limit(IDLE, AtMost(0.01));
    report.table(&table);
}

async fn write(backend: &MemoryBackend, number: usize, life: Duration) {
    let options = Write::new(Life::In(life));
    let written = backend.write(&key(number), &[b'x'; 77], options).await;
    assert!(written.unwrap());
}

fn key(number: usize) -> String {
    format!("session:{number:016x}")
}

fn runtime() -> Runtime {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime can be built")
}

const ENTRIES: usize = 1_000_000;
const READ: &str = "--read";
const ENDING: &str = "a million entries end";
const QUIET: &str = "nothing ends";
const IDLE: &str = "an idle backend, a million entries that end within 30 min";
const LONG: Duration = Duration::from_secs(30 * 60);
/// The time from the first write to the end of all entries.
const FILLING: Duration = Duration::from_secs(5);
/// The time for which the benchmark reads before that end, and the time after it.
const BEFORE: Duration = Duration::from_millis(200);
const AFTER: Duration = Duration::from_secs(3);
const IDLE_TIME: Duration = Duration::from_secs(5);
