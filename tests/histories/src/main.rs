//! Runs schedules of clients and faults by their seeds, and looks for an answer that the contract
//! forbids.
//!
//! ```text
//! cargo run --release -p reinhardt-backends-histories -- --seeds 0..250
//! cargo run -p reinhardt-backends-histories -- --on cluster --seeds 17..18 --show
//! ```
//!
//! * `--on STAGE`: memory, threads, server, cluster or sentinel; all of them unless given.
//! * `--seeds FROM..TO`: the seeds; `0..25` unless given.
//! * `--jobs N`: so many schedules at a time; four unless given. Most of the time they wait.
//! * `--show`: prints every call of a schedule.
//!
//! A schedule with a forbidden answer is run again without one of its faults after the other, and
//! the calls that show it are printed without those that aren't needed. The exit code is 1 then.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use reinhardt_backends_histories::{Plan, Seen, Stage, Violation, run, shrink_by};

/// The times that a failing schedule is run again without a fault.
const TRIES: usize = 3;

struct Settings {
    stages: Vec<Stage>,
    seeds: std::ops::Range<u64>,
    jobs: usize,
    show: bool,
}

/// What came of all schedules of a stage.
#[derive(Default)]
struct Sum {
    schedules: usize,
    answered: usize,
    failed: usize,
    unknown: usize,
    keys: usize,
    undecided: usize,
    longest: Duration,
    seen: Seen,
    hash: u64,
    failures: Vec<(Plan, Violation)>,
}

fn main() -> ExitCode {
    let settings = match settings() {
        Ok(settings) => settings,
        Err(mistake) => {
            eprintln!("{mistake}");
            return ExitCode::from(2);
        }
    };
    let mut is_right = true;
    println!(
        "stage     schedules  answered    failed  unknown  keys ordered  undecided  longest call  \
         histories\n          (let through, sessions looked for after a change, leases granted, cached \
         values after a removal, lists)"
    );
    for stage in &settings.stages {
        let sum = all(*stage, &settings);
        println!(
            "{stage:9} {:9}  {:8}  {:8}  {:7}  {:12}  {:9}  {:9} ms  {:016x}",
            sum.schedules,
            sum.answered,
            sum.failed,
            sum.unknown,
            sum.keys,
            sum.undecided,
            sum.longest.as_millis(),
            sum.hash
        );
        let seen = sum.seen;
        println!(
            "          ({}, {}, {}, {}, {})",
            seen.allowed, seen.sessions, seen.grants, seen.cached, seen.lists
        );
        for (plan, violation) in &sum.failures {
            is_right = false;
            explain(plan, violation);
        }
    }
    match is_right {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn settings() -> Result<Settings, String> {
    let mut settings = Settings {
        stages: Stage::ALL.to_vec(),
        seeds: 0..25,
        jobs: 4,
        show: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--show" {
            settings.show = true;
            continue;
        }
        let value = words
            .next()
            .ok_or_else(|| format!("`{word}` takes a value"))?;
        match &*word {
            "--on" => settings.stages = vec![value.parse()?],
            "--jobs" => settings.jobs = value.parse().map_err(|_| "no number of jobs")?,
            "--seeds" => {
                let range = value.split_once("..");
                let range = range.and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
                settings.seeds = range.ok_or("seeds are written `0..25`")?;
            }
            _ => {
                return Err(format!(
                    "`{word}` is none of --on, --seeds, --jobs and --show"
                ));
            }
        }
    }
    Ok(settings)
}

fn all(stage: Stage, settings: &Settings) -> Sum {
    let bar = ProgressBar::new(settings.seeds.end.saturating_sub(settings.seeds.start));
    let style = ProgressStyle::with_template("{prefix:9} {wide_bar} {pos}/{len} {eta}");
    bar.set_style(style.expect("a template"));
    bar.set_prefix(stage.to_string());
    let seeds: Mutex<VecDeque<u64>> = Mutex::new(settings.seeds.clone().collect());
    let sum = Mutex::new(Sum::default());
    thread::scope(|scope| {
        for _ in 0..settings.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let Some(seed) = seeds.lock().unwrap().pop_front() else {
                        return;
                    };
                    let plan = Plan::new(stage, seed);
                    let outcome = run(&plan, None);
                    if settings.show {
                        println!("{plan}");
                        outcome.calls.iter().for_each(|call| println!("  {call}"));
                    }
                    let mut sum = sum.lock().unwrap();
                    let [answered, failed, unknown] = outcome.counts();
                    sum.schedules += 1;
                    sum.seen.add(outcome.seen);
                    sum.longest = sum.longest.max(outcome.longest);
                    sum.answered += answered;
                    sum.failed += failed;
                    sum.unknown += unknown;
                    // The order in which schedules end is no part of it.
                    sum.hash = sum.hash.wrapping_add(outcome.hash());
                    match outcome.verdict {
                        Ok(judged) => {
                            sum.keys += judged.keys;
                            sum.undecided += judged.undecided;
                        }
                        Err(violation) => sum.failures.push((plan, violation)),
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    sum.into_inner().unwrap()
}

/// Prints a failing schedule with as few faults and calls as still show the failure.
fn explain(plan: &Plan, violation: &Violation) {
    println!("\n{plan}\n{violation}");
    if let Violation::Impossible(calls) = violation {
        println!("of these, without the others:");
        let shortest = shrink_by(calls, plan.rules());
        shortest.iter().for_each(|call| println!("  {call}"));
    }
    let mut shortest = plan.clone();
    let mut left_out = 0;
    while let Some(shorter) = shortest.without_fault(left_out) {
        let fails = (0..TRIES).any(|_| run(&shorter, None).verdict.is_err());
        match fails {
            true => shortest = shorter,
            false => left_out += 1,
        }
    }
    if shortest != *plan {
        println!("it fails with fewer faults: {shortest}");
    }
}
