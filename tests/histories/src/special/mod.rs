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

use self::leases::Leases;
use self::throttles::Throttles;

/// What these clients saw.
#[derive(Debug, Default)]
pub(super) struct Special {
    throttles: Throttles,
    leases: Leases,
    sessions: Removed,
    caches: Removed,
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

/// These clients while they run.
pub(super) struct Running(Vec<JoinHandle<Special>>);

/// Starts these clients.
pub(super) fn start(
    backend: &Arc<dyn Backend>,
    seed: u64,
    clock: &Clock,
    planted: Option<Planted>,
) -> Running {
    let (shared, clock) = (|| backend.clone(), || clock.clone());
    let mut running = Vec::new();
    for client in 0..2 {
        let attempts = throttles::attempt(shared(), seed ^ client, clock(), planted);
        running.push(tokio::spawn(async {
            Special {
                throttles: attempts.await,
                ..Special::default()
            }
        }));
    }
    for client in 0..3 {
        let holding = leases::hold(shared(), seed ^ client, clock(), planted);
        running.push(tokio::spawn(async {
            Special {
                leases: holding.await,
                ..Special::default()
            }
        }));
    }
    let sessions = sessions::use_sessions(shared(), seed, clock(), planted);
    let caches = caches::use_caches(shared(), seed, clock(), planted);
    running.push(tokio::spawn(async {
        let (sessions, caches) = tokio::join!(sessions, caches);
        Special {
            sessions,
            caches,
            ..Special::default()
        }
    }));
    Running(running)
}

impl Running {
    /// Waits until these clients have made their calls.
    pub(super) async fn end(self) -> Special {
        let mut all = Special::default();
        for client in self.0 {
            let special = client.await.expect("a client makes its calls");
            all.throttles.add(special.throttles);
            all.leases.add(special.leases);
            all.sessions.add(special.sessions);
            all.caches.add(special.caches);
        }
        all
    }
}

/// What was looked at after it was removed, and the looks that found what was removed.
#[derive(Debug, Default)]
struct Removed {
    count: usize,
    broken: Vec<Violation>,
}

impl Removed {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.broken.extend(other.broken);
    }

    fn judge(&self) -> Result<(), Violation> {
        let first = self.broken.first();
        first.map_or(Ok(()), |violation| Err(violation.clone()))
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
            deleted: self.sessions.count,
            grants: self.leases.count(),
            cached: self.caches.count,
        }
    }
}
