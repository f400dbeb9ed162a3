//! A run of one schedule.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use tokio::runtime::Builder;

use super::call::{Call, End};
use super::client::{Client, Planted};
use super::faults::{LIMIT, Servers};
use super::judge::{Judged, Violation, judge};
use super::plan::{Plan, Stage};
use super::special::{self, Special};

/// The extra time that a call may take where the machine has other work.
const SLACK: Duration = Duration::from_secs(10);

/// The outcome of a schedule.
#[derive(Debug)]
pub struct Outcome {
    /// All calls, in the order of their beginnings.
    pub calls: Vec<Call>,
    /// The number of sessions that were deleted while they were used.
    pub deleted_sessions: usize,
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
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let mut servers = Servers::start(plan.stage);
    let (mut calls, special) = runtime.block_on(async {
        let backend = servers.backend("histories").await;
        let began = Instant::now();
        let pause = match plan.stage {
            Stage::Memory => Duration::from_micros(1_500),
            _ => Duration::from_millis(8),
        };
        let clients: Vec<_> = (0..plan.clients)
            .map(|number| {
                let mut client = Client::new(number, backend.clone(), plan.seed, began, pause);
                client.planted = planted;
                tokio::spawn(client.run(plan.time))
            })
            .collect();
        let attempts = (0..2).map(|client| {
            let (backend, seed) = (backend.clone(), plan.seed ^ client);
            tokio::spawn(special::attempt(backend, seed, began, plan.time))
        });
        let sessions = special::use_sessions(backend.clone(), plan.seed, began, plan.time);
        let specials: Vec<_> = attempts.chain([tokio::spawn(sessions)]).collect();
        let faults = plan.clone();
        let breaking = tokio::task::spawn_blocking(move || {
            servers.break_by(&faults, began);
            servers
        });
        let mut calls = Vec::new();
        for client in clients {
            calls.extend(client.await.expect("a client makes its calls"));
        }
        let mut special = Special::default();
        for client in specials {
            special.add(client.await.expect("a client makes its calls"));
        }
        // The servers end when everything is over.
        drop(breaking.await.expect("the faults happen"));
        (calls, special)
    });
    calls.sort_by_key(|call| (call.began, call.client));
    let mut verdict = judge(&calls, LIMIT + SLACK, plan.is_lossy());
    // A replica that takes over may lack what was used up or deleted.
    if verdict.is_ok()
        && !plan.is_lossy()
        && let Err(violation) = special.judge()
    {
        verdict = Err(violation);
    }
    Outcome {
        calls,
        deleted_sessions: special.deleted,
        verdict,
    }
}
