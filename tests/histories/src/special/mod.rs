//! Clients of what is built on a store, and what is promised to them.

mod caches;
mod leases;
mod sessions;
mod throttles;

use std::sync::Arc;

use reinhardt_backends::Backend;
use tokio::task::JoinHandle;

use super::client::Planted;
use super::clock::Clock;
use super::judge::Violation;

use self::caches::Caches;
use self::leases::Leases;
use self::sessions::Sessions;
use self::throttles::Throttles;

/// What these clients saw.
#[derive(Debug, Default)]
pub(super) struct Special {
    throttles: Throttles,
    sessions: Sessions,
    leases: Leases,
    caches: Caches,
}

/// How much these clients did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// The attempts that throttles let through.
    pub allowed: usize,
    /// The sessions that were asked for after their deletion was acknowledged, and answered.
    pub deleted: usize,
    /// The grants of leases.
    pub grants: usize,
    /// The values of caches that were read after a removal was acknowledged.
    pub cached: usize,
}

impl Seen {
    /// Takes in what was seen in another schedule.
    pub fn add(&mut self, other: Self) {
        self.allowed += other.allowed;
        self.deleted += other.deleted;
        self.grants += other.grants;
        self.cached += other.cached;
    }
}

/// A part of what these clients saw.
enum Part {
    Throttles(Throttles),
    Sessions(Sessions),
    Leases(Leases),
    Caches(Caches),
}

/// These clients while they run.
pub(super) struct Running(Vec<JoinHandle<Part>>);

/// Starts these clients.
pub(super) fn start(
    backend: &Arc<dyn Backend>,
    seed: u64,
    clock: &Clock,
    planted: Option<Planted>,
) -> Running {
    let (shared, clock) = (|| backend.clone(), || clock.clone());
    let mut running: Vec<JoinHandle<Part>> = Vec::new();
    for client in 0..2 {
        let attempts = throttles::attempt(shared(), seed ^ client, clock(), planted);
        running.push(tokio::spawn(async { Part::Throttles(attempts.await) }));
    }
    for client in 0..3 {
        let holding = leases::hold(shared(), seed ^ client, clock(), planted);
        running.push(tokio::spawn(async { Part::Leases(holding.await) }));
    }
    let sessions = sessions::use_sessions(shared(), seed, clock(), planted);
    running.push(tokio::spawn(async { Part::Sessions(sessions.await) }));
    let caches = caches::use_caches(shared(), seed, clock(), planted);
    running.push(tokio::spawn(async { Part::Caches(caches.await) }));
    Running(running)
}

impl Running {
    /// Waits until these clients have made their calls.
    pub(super) async fn end(self) -> Special {
        let mut special = Special::default();
        for client in self.0 {
            match client.await.expect("a client makes its calls") {
                Part::Throttles(throttles) => special.throttles.add(throttles),
                Part::Sessions(sessions) => special.sessions.add(sessions),
                Part::Leases(leases) => special.leases.add(leases),
                Part::Caches(caches) => special.caches.add(caches),
            }
        }
        special
    }
}

impl Special {
    /// Looks for the first promise that was broken.
    pub(super) fn judge(&self) -> Result<(), Violation> {
        self.throttles.judge()?;
        self.sessions.judge()?;
        self.leases.judge()?;
        self.caches.judge()
    }

    /// Says how much these clients did.
    pub(super) fn seen(&self) -> Seen {
        Seen {
            allowed: self.throttles.count(),
            deleted: self.sessions.count(),
            grants: self.leases.count(),
            cached: self.caches.count(),
        }
    }
}
