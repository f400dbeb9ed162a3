//! Clients of what is built on a store, and what is promised to them.

mod caches;
mod leases;
pub(super) mod lists;
mod sessions;
mod throttles;

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use reinhardt_backends::Backend;
use tokio::task::JoinHandle;

use super::client::Planted;
use super::clock::Clock;
use super::judge::Violation;
use super::loss::Loss;

use self::leases::Leases;
use self::throttles::Throttles;

/// What these clients saw.
#[derive(Debug, Default)]
pub(super) struct Special {
    throttles: Throttles,
    leases: Leases,
    sessions: Looks,
    caches: Looks,
    lists: Looks,
}

/// How much these clients did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// The attempts that throttles let through.
    pub allowed: usize,
    /// The answers to who asked for a session by an id that was deleted or changed before.
    pub sessions: usize,
    /// The grants of leases.
    pub grants: usize,
    /// The values of caches that were read after a removal was acknowledged.
    pub cached: usize,
    /// The lists of some thousand keys.
    pub lists: usize,
}

impl Seen {
    /// Takes in what was seen in another schedule.
    pub fn add(&mut self, other: Self) {
        self.allowed += other.allowed;
        self.sessions += other.sessions;
        self.grants += other.grants;
        self.cached += other.cached;
        self.lists += other.lists;
    }
}

/// What a client has to go by.
struct Setup {
    backend: Arc<dyn Backend>,
    /// A backend on the same store, as of another process.
    other: Arc<dyn Backend>,
    rng: Rng,
    clock: Clock,
    planted: Option<Planted>,
}

impl Setup {
    fn is_planted(&self, planted: Planted) -> bool {
        self.planted == Some(planted)
    }
}

/// These clients while they run.
pub(super) struct Running(Vec<JoinHandle<Special>>);

/// Starts these clients, of two processes.
pub(super) fn start(
    backends: [&Arc<dyn Backend>; 2],
    seed: u64,
    clock: &Clock,
    planted: Option<Planted>,
) -> Running {
    let setup = |client: usize| Setup {
        backend: backends[client % 2].clone(),
        other: backends[(client + 1) % 2].clone(),
        rng: Rng::with_seed(seed ^ client as u64),
        clock: clock.clone(),
        planted,
    };
    let mut running = Vec::new();
    for client in 0..2 {
        let attempts = throttles::attempt(setup(client));
        running.push(tokio::spawn(async {
            Special {
                throttles: attempts.await,
                ..Special::default()
            }
        }));
    }
    for client in 0..3 {
        let holding = leases::hold(setup(client));
        running.push(tokio::spawn(async {
            Special {
                leases: holding.await,
                ..Special::default()
            }
        }));
    }
    let deleting = sessions::delete(setup(0));
    let cycling = sessions::cycle(setup(0));
    let caching = caches::use_caches(setup(0));
    let listing = lists::list(setup(0));
    running.push(tokio::spawn(async {
        let (mut sessions, cycled, caches, lists) =
            tokio::join!(deleting, cycling, caching, listing);
        sessions.join(cycled);
        Special {
            sessions,
            caches,
            lists,
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
            all.sessions.join(special.sessions);
            all.caches.join(special.caches);
            all.lists.join(special.lists);
        }
        all
    }
}

/// The looks at what was written or removed before.
#[derive(Debug, Default)]
struct Looks(Vec<Look>);

#[derive(Debug)]
struct Look {
    /// The times at which the write or the removal began, and at which the look ended.
    times: [Duration; 2],
    /// What the look found that mustn't be.
    violation: Option<Violation>,
}

impl Looks {
    fn add(&mut self, times: [Duration; 2], violation: Option<Violation>) {
        self.0.push(Look { times, violation });
    }

    fn join(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Returns the looks at what no loss of writes can have changed.
    fn judged(&self, loss: Option<Loss>) -> impl Iterator<Item = &Look> {
        let all = self.0.iter();
        all.filter(move |look| !loss.is_some_and(|loss| loss.may_touch(look.times)))
    }

    fn count(&self, loss: Option<Loss>) -> usize {
        self.judged(loss).count()
    }

    fn judge(&self, loss: Option<Loss>) -> Result<(), Violation> {
        let mut broken = self.judged(loss).filter_map(|look| look.violation.as_ref());
        let first = broken.next();
        first.map_or(Ok(()), |violation| Err(violation.clone()))
    }
}

impl Special {
    /// Looks for the first promise that was broken, before and after a loss of writes.
    pub(super) fn judge(&self, loss: Option<Loss>) -> Result<(), Violation> {
        self.throttles.judge(loss)?;
        self.leases.judge(loss)?;
        let mut looks = [&self.sessions, &self.caches, &self.lists].into_iter();
        looks.try_for_each(|looks| looks.judge(loss))
    }

    /// Says how much these clients did that is judged.
    pub(super) fn seen(&self, loss: Option<Loss>) -> Seen {
        Seen {
            allowed: self.throttles.count(loss),
            sessions: self.sessions.count(loss),
            grants: self.leases.count(loss),
            cached: self.caches.count(loss),
            lists: self.lists.count(loss),
        }
    }
}
