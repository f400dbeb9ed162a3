//! A run of one schedule.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use tokio::runtime::Builder;

use super::call::{Action, Call, End};
use super::client::{Client, Planted};
use super::clock::Clock;
use super::faults::{LIMIT, Servers};
use super::judge::{Judged, Violation, judge};
use super::plan::{Plan, Stage};
use super::pulse::{Pulse, Watch};
use super::special::{self, Seen, Special, lists};
use super::threads;

/// The outcome of a schedule.
#[derive(Debug)]
pub struct Outcome {
    /// All calls, in the order of their beginnings.
    pub calls: Vec<Call>,
    /// How much the clients of throttles, sessions, leases, caches and lists did that was judged.
    pub seen: Seen,
    /// The time of the longest call, but for what its machine stood still.
    pub longest: Duration,
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
    let is_forgetful = planted == Some(Planted::ForgetfulServer);
    let servers = Servers::start(plan, is_forgetful);
    if planted == Some(Planted::LostMoved) {
        servers.lose_moved();
    }
    let Lived {
        mut calls,
        last,
        special,
        pulse,
        servers,
    } = runtime.block_on(live(plan, planted, servers));
    // The last reads of a key see what was lost before them.
    let last = last.map(|last| match plan.is_lossy() {
        true => {}
        false => calls.extend(last),
    });
    calls.sort_by_key(|call| (call.began, call.client));
    let used = used(&calls);
    let may_lack = |key| servers.may_lack(key, used[&key]);
    let has_deadline = |call: &Call| call.action != Action::List;
    let is_late = |call: &Call| has_deadline(call) && pulse.is_late(call, LIMIT);
    let loss = servers.loss();
    let verdict = judge(&calls, is_late, may_lack).and_then(|judged| {
        last.map_err(Violation::NotBack)?;
        special.judge(loss)?;
        Ok(judged)
    });
    let bounded = calls.iter().filter(|call| has_deadline(call));
    let times = bounded.map(|call| pulse.time_of(call));
    Outcome {
        longest: Duration::from_nanos(times.max().unwrap_or_default()),
        seen: special.seen(loss),
        calls,
        verdict,
    }
}

/// What came of the time of a schedule.
struct Lived {
    calls: Vec<Call>,
    /// The reads at the end, or the one that wasn't answered.
    last: Result<Vec<Call>, Call>,
    special: Special,
    pulse: Pulse,
    servers: Servers,
}

/// Lets clients call the servers of a schedule, and the faults happen.
async fn live(plan: &Plan, planted: Option<Planted>, mut servers: Servers) -> Lived {
    let backend = servers.backend().await;
    // As of another process, where a store is not of this one.
    let other = match plan.stage {
        Stage::Memory | Stage::Threads => backend.clone(),
        _ => servers.backend().await,
    };
    lists::fill(&backend).await;
    let clock = Clock::new(plan.time);
    let watch = Watch::start(clock.clone());
    let clients = (0..plan.clients).map(|number| {
        let backend = if number % 2 == 0 { &backend } else { &other };
        let times = times(plan.stage);
        let mut client = Client::new(number, backend.clone(), plan.seed, clock.clone(), times);
        client.planted = planted;
        client.moves_in_steps = plan.stage == Stage::Cluster;
        tokio::spawn(client.run())
    });
    let clients: Vec<_> = clients.collect();
    let specials = special::start([&backend, &other], plan.seed, &clock, planted);
    let faults = plan.clone();
    let breaking = tokio::task::spawn_blocking(move || {
        servers.break_by(&faults, &clock);
        clock.mended();
        servers
    });
    let mut calls = Vec::new();
    let mut survivor = None;
    for client in clients {
        let (client, made) = client.await.expect("a client makes its calls");
        calls.extend(made);
        survivor.get_or_insert(client);
    }
    let special = specials.end().await;
    let servers = breaking.await;
    let servers = servers.unwrap_or_else(|error| panic!("a fault of {plan}: {error}"));
    let keys: BTreeSet<u32> = calls.iter().map(|call| call.key).collect();
    let survivor = survivor.expect("there is a client");
    Lived {
        last: survivor.read_all(keys).await,
        calls,
        special,
        pulse: watch.end(),
        servers,
    }
}

/// Returns the time for which a key is used, and the longest pause between two calls: no key has so
/// many calls that its order can't be found.
fn times(stage: Stage) -> [Duration; 2] {
    let times = match stage {
        Stage::Memory | Stage::Threads => [150_000, 1_500],
        // A slot moves while its keys are in use.
        Stage::Cluster => [400_000, 8_000],
        Stage::Server | Stage::Sentinel => [150_000, 8_000],
    };
    times.map(Duration::from_micros)
}

/// Returns the time of the first and of the last call on each key.
fn used(calls: &[Call]) -> HashMap<u32, [u64; 2]> {
    let mut used: HashMap<u32, [u64; 2]> = HashMap::new();
    for call in calls {
        let [first, last] = used.entry(call.key).or_insert([call.began, call.ended]);
        *first = call.began.min(*first);
        *last = call.ended.max(*last);
    }
    used
}
