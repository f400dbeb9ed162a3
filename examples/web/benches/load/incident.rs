//! An incident as the metrics of the service tell it: the server of the store stands still, and
//! later is killed and started again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reinhardt_backends_tests::Server;
use reinhardt_backends_tests::measure::{Measured, Sweep, Unit};
use tokio::time::{Instant, sleep_until};

use crate::address;
use crate::person::{Pace, Person, Plan};
use crate::service::Service;
use crate::tally::Tally;

const VISITORS: u16 = 200;
const SECOND: Duration = Duration::from_secs(1);
/// The seconds between two scrapes.
const SECONDS: u32 = 16;

const STOPPED: u32 = 3;
const RESUMED: u32 = 6;
const KILLED: u32 = 9;
const RESTARTED: u32 = 12;

/// The number of calls that were made up to a scrape, by their outcome or their error.
type Calls = BTreeMap<String, f64>;

/// Has visitors send a request a second each, and returns what a second's calls came to, from
/// figures that were scraped from `/metrics` once a second.
pub(crate) async fn scraped() -> Sweep {
    let mut server = Server::start();
    let service = Service::start(Some(&server.url()), &[("LOG", "error")]).await;
    let begin = Instant::now();
    let plan = Plan {
        pace: Pace::Every(SECOND),
        until: begin + SECOND * (SECONDS + 1),
    };
    // The wrong answers are those of the incident.
    let tally = Arc::new(Tally::default());
    let visitors: Vec<_> = (0..VISITORS)
        .map(|index| {
            let url = service.url();
            tokio::spawn(Person::new(index, address(index), url, plan, tally.clone()).visit())
        })
        .collect();
    let title = format!(
        "scraped: calls a second, server stopped {STOPPED} s to {RESUMED} s, down {KILLED} s to \
         {RESTARTED} s"
    );
    let mut scrapes = vec![scrape(&service).await];
    for second in 1..=SECONDS {
        sleep_until(begin + SECOND * second).await;
        scrapes.push(scrape(&service).await);
        match second {
            STOPPED => server.pause(),
            RESUMED => server.resume(),
            KILLED => server.kill(),
            RESTARTED => server.restart(),
            _ => {}
        }
    }
    for visitor in visitors {
        visitor.await.expect("a visitor doesn't panic");
    }
    let mut names: Vec<String> = scrapes[SECONDS as usize].keys().cloned().collect();
    // The second series is drawn in green.
    names.sort_by_key(|name| (name == "unavailable", name != "timeout"));
    let mut sweep = Sweep::new(&title, Unit::Count);
    for (second, pair) in scrapes.windows(2).enumerate() {
        let mut measured = Measured::default();
        for name in &names {
            let [before, after] =
                [&pair[0], &pair[1]].map(|calls| calls.get(name).copied().unwrap_or(0.0));
            measured.add(name, vec![after - before]);
        }
        sweep.point(second + 1, measured);
    }
    sweep
}

/// Reads the calls of the store from the metrics.
async fn scrape(service: &Service) -> Calls {
    let answer = reqwest::get(format!("{}/metrics", service.url())).await;
    let text = answer.expect("the metrics are served").text().await;
    let text = text.expect("they are text");
    let mut calls = Calls::new();
    let lines = text.lines();
    for line in lines.filter_map(|line| line.strip_prefix("db_client_operation_duration_count{")) {
        let (labels, count) = line.rsplit_once(' ').expect("a number behind the labels");
        let name = match (
            label(labels, "error_type"),
            label(labels, "reinhardt_outcome"),
        ) {
            (Some(error), _) => error,
            (None, Some("dropped")) => "dropped",
            (None, _) => "answered",
        };
        let count: f64 = count.parse().expect("a number");
        *calls.entry(name.to_string()).or_default() += count;
    }
    calls
}

fn label<'m>(labels: &'m str, name: &str) -> Option<&'m str> {
    let (_, value) = labels.split_once(&format!("{name}=\""))?;
    Some(value.split_once('"')?.0)
}
