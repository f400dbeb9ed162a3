//! A thousand clients of the service at once, on memory and on Redis: how many requests it answers,
//! how fast, and whether all of them rightly.
//!
//! `cargo bench -p reinhardt-backends-example-web --bench load -- [ROUNDS] [PART..]`; the parts are
//! `memory`, `redis` and `incident`.
//!
//! Each round starts a service, and a server, with nothing in it. First every client sends a
//! request a second, then all send as fast as they are answered. Any answer other than the right
//! one, and any click that was lost, makes this fail. A client that guesses passwords must get 429.
//! `incident` shows the metrics of the service while its server fails.

mod incident;
mod person;
#[path = "../../tests/e2e/service.rs"]
mod service;
mod tally;

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use indicatif::{ProgressBar, ProgressStyle};
use reinhardt_backends_tests::Server;
use reinhardt_backends_tests::measure::{Measured, Report, Run, Sweep, Table, Unit};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::{Instant, sleep};

use self::person::{Pace, Person, Plan};
use self::service::Service;
use self::tally::{KINDS, PERCENTILES, Tally};

const CLIENTS: u16 = 1_000;
/// One client in so many guesses passwords.
const GUESSERS: u16 = 50;
const TIME: Duration = Duration::from_secs(10);

const LOADS: [(&str, Pace); 2] = [
    (
        "a request a second each",
        Pace::Every(Duration::from_secs(1)),
    ),
    ("as fast as answered", Pace::AtOnce),
];
const PLACES: [&str; 2] = ["memory", "Redis"];

#[tokio::main]
async fn main() -> ExitCode {
    let Some(run) = Run::from_arguments(3) else {
        return ExitCode::SUCCESS;
    };
    if let Err(mistake) = allow_connections() {
        eprintln!("load: {mistake}");
        return ExitCode::FAILURE;
    }
    let places: Vec<&'static str> = PLACES
        .into_iter()
        .filter(|place| run.wants(&place.to_lowercase()))
        .collect();
    let mut report = Report::new("load");
    let mut wrong = 0;
    if run.wants("incident") {
        report.sweep(&incident::scraped().await);
    }
    for (name, pace) in LOADS.iter().copied().filter(|_| !places.is_empty()) {
        let mut rounds: Vec<(&str, Vec<Tally>)> =
            places.iter().map(|place| (*place, Vec::new())).collect();
        for round in 1..=run.rounds() {
            for (place, tallies) in &mut rounds {
                let label = format!("{place}, {name}, round {round} of {}", run.rounds());
                let tally = one_round(place, pace, label).await;
                let (count, examples) = tally.mistakes();
                wrong += count;
                examples
                    .iter()
                    .for_each(|example| report.line(&format!("WRONG on {place}: {example}")));
                tallies.push(tally);
            }
        }
        tell(&mut report, name, &rounds);
    }
    report.line(&format!("wrong answers: {wrong}"));
    report.finish();
    ExitCode::from(u8::from(wrong > 0))
}

/// Starts everything, lets all clients go for a while, and compares the clicks with the counters.
async fn one_round(place: &str, pace: Pace, label: String) -> Tally {
    let server = (place == "Redis").then(Server::start);
    let url = server.as_ref().map(Server::url);
    let service = Service::start(url.as_deref(), &[("LOG", "warn")]).await;
    let tally = Arc::new(Tally::default());
    let until = Instant::now() + TIME;
    let plan = Plan { pace, until };
    let person =
        |index, plan| Person::new(index, address(index), service.url(), plan, tally.clone());
    let clients = (0..CLIENTS).map(|index| {
        let person = person(index, plan);
        tokio::spawn(async move {
            // The clients don't open a thousand connections in the same instant.
            sleep(Duration::from_secs(1) * u32::from(index) / u32::from(CLIENTS)).await;
            if index % GUESSERS == 0 {
                person.guess().await;
            } else {
                person.visit().await;
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    let progress = tokio::spawn(progress(label, tally.clone(), until));
    for client in join_all(clients).await {
        client.expect("a client doesn't panic");
    }
    progress.await.expect("progress doesn't panic");
    let after = Plan {
        pace: Pace::AtOnce,
        until,
    };
    person(CLIENTS, after).check_clicks().await;
    service.terminate();
    let (status, log) = service.ended().await;
    if !status.success() || !log.is_empty() {
        tally.wrong(format!("the service ended with {status} and said {log}"));
    }
    Arc::into_inner(tally).expect("all clients have ended")
}

/// Adds the tables and plots of a load. Each number is the median of the rounds.
fn tell(report: &mut Report, load: &str, rounds: &[(&str, Vec<Tally>)]) {
    let mut rates = Measured::default();
    for (place, tallies) in rounds {
        let rates_of = tallies
            .iter()
            .map(|tally| tally.requests() as f64 / TIME.as_secs_f64());
        rates.add(place, rates_of.collect());
    }
    report.table(&Table::new(&format!("{load}: requests"), Unit::Rate, rates));
    for round in rounds {
        let (place, tallies) = round;
        let mut requests = Sweep::new(&format!("{load}: requests on {place}"), Unit::Count);
        for kind in KINDS {
            let mut measured = Measured::default();
            let samples = tallies.iter().map(|tally| tally.requests_of(kind) as f64);
            measured.add("in a round", samples.collect());
            requests.point(kind.name(), measured);
        }
        report.sweep(&requests);
        let title = format!("{load}: latency on {place}");
        report.sweep(&latencies(&title, slice::from_ref(round), &PERCENTILES));
    }
    let title = format!("{CLIENTS} clients, {load}: latency");
    report.sweep(&latencies(&title, rounds, &PERCENTILES[..2]));
}

/// Puts the percentiles of each place beside each other, for each kind of request.
fn latencies(title: &str, rounds: &[(&str, Vec<Tally>)], percentiles: &[(&str, f64)]) -> Sweep {
    let mut sweep = Sweep::new(title, Unit::Time);
    for kind in KINDS {
        let mut measured = Measured::default();
        for (place, tallies) in rounds {
            for (name, quantile) in percentiles {
                let samples = tallies.iter().map(|tally| tally.latency(kind, *quantile));
                measured.add(&format!("{place} {name}"), samples.collect());
            }
        }
        sweep.point(kind.name(), measured);
    }
    sweep
}

async fn progress(label: String, tally: Arc<Tally>, until: Instant) {
    let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} s, {msg}");
    let bar = ProgressBar::new(TIME.as_secs())
        .with_style(style.expect("the template is right"))
        .with_prefix(label);
    while Instant::now() < until {
        let left = until.saturating_duration_since(Instant::now());
        bar.set_position((TIME - left.min(TIME)).as_secs());
        bar.set_message(format!("{} requests", tally.requests()));
        sleep(Duration::from_millis(200)).await;
    }
    bar.finish_and_clear();
}

/// Each client has an address of its own, as in the world; on Linux all of 127.0.0.0/8 is this
/// machine.
fn address(index: u16) -> Ipv4Addr {
    let [high, low] = index.to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

/// Raises the limit of open files as far as all the connections need. The service takes the limit
/// over.
fn allow_connections() -> Result<(), String> {
    let needed = u64::from(CLIENTS) + 200;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|files| files >= needed) {
        return Ok(());
    }
    let raised = Rlimit {
        current: Some(needed),
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised)
        .map_err(|_| format!("{CLIENTS} clients need {needed} open files: raise `ulimit -n`"))
}
