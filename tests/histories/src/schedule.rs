//! A run of one schedule.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use tokio::runtime::Builder;

use super::call::{Call, End};
use super::client::{Client, Planted};
use super::faults::{LIMIT, Servers};
use super::judge::{Judged, Violation, judge};
use super::plan::{Plan, Stage};
use super::special::{self, Clock, Seen};
use super::threads;

/// The extra time that a call may take where the machine has other work.
const SLACK: Duration = Duration::from_secs(10);

/// The outcome of a schedule.
#[derive(Debug)]
pub struct Outcome {
    /// All calls, in the order of their beginnings.
    pub calls: Vec<Call>,
    /// How much the clients of throttles, sessions, leases and caches did.
    pub seen: Seen,
    /// The verdict.
    pub verdict: Result<Judged, Violation>,
}

impl Outcome {
    /// Returns the number of calls that were answered, that failed, and whose outcome is unknown.
    pub fn counts(&self) -> [usize; 3] {
        let count = |is: fn(&End) -> bool| self.calls.iter().filter(|call| is(&call.end)).count();
        [
            count(|end| matches!(end, End::Answered(_))),
            count(|end| *end == End::Failed),
            count(|end| *end == End::Unknown),
        ]
    }

    /// Returns a number that tells this history from others.
    pub fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.calls.hash(&mut hasher);
        hasher.finish()
    }
}

/// Runs a schedule on servers of its own, with a fault of the library `planted`, if there is one.
pub fn run(plan: &Plan, planted: Option<Planted>) -> Outcome {
    if plan.stage == Stage::Threads {
        return threads::run(plan.seed, None);
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let mut servers = Servers::start(plan);
    if planted == Some(Planted::LostMoved) {
        servers.lose_moved();
    }
    let (mut calls, special, servers) = runtime.block_on(async {
        let backend = servers.backend().await;
        let began = Instant::now();
        // No key has so many calls that its order can't be found.
        let times = match plan.stage {
            Stage::Memory | Stage::Threads => [150_000, 1_500],
            // A slot moves while its keys are in use.
            Stage::Cluster => [400_000, 8_000],
            Stage::Server | Stage::Sentinel => [150_000, 8_000],
        };
        let times = times.map(Duration::from_micros);
        let clients: Vec<_> = (0..plan.clients)
            .map(|number| {
                let mut client = Client::new(number, backend.clone(), plan.seed, began, times);
                client.planted = planted;
                tokio::spawn(client.run(plan.time))
            })
            .collect();
        let clock = Clock {
            began,
            time: plan.time,
        };
        let specials = special::start(&backend, plan.seed, clock, planted);
        let faults = plan.clone();
        let breaking = tokio::task::spawn_blocking(move || {
            servers.break_by(&faults, began);
            servers
        });
        let mut calls = Vec::new();
        for client in clients {
            calls.extend(client.await.expect("a client makes its calls"));
        }
        let special = specials.end().await;
        let servers = breaking.await;
        let servers = servers.unwrap_or_else(|error| panic!("a fault of {plan}: {error}"));
        (calls, special, servers)
    });
    calls.sort_by_key(|call| (call.began, call.client));
    let mut verdict = judge(&calls, LIMIT + SLACK, |key| servers.may_lack(key));
    // A replica that takes over may lack what was used up or deleted.
    if verdict.is_ok()
        && !plan.is_lossy()
        && let Err(violation) = special.judge()
    {
        verdict = Err(violation);
    }
    Outcome {
        calls,
        seen: special.seen(),
        verdict,
    }
}
