//! The stages, and what befalls them.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use reinhardt_backends::{Backend, MemoryBackend};

use super::plan::{Fault, Plan, Planned, Stage};
use crate::{Cluster, Proxy, Server, Service, patient};

/// The limit of a call.
pub(super) const LIMIT: Duration = Duration::from_millis(250);
/// The settings of a server that has on disk what it acknowledges.
const LASTING: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

/// The servers of a schedule.
pub(super) enum Servers {
    Memory,
    Server(Box<Server>, Proxy),
    Cluster(Cluster),
    Sentinel(Box<Service>),
}

impl Servers {
    pub(super) fn start(stage: Stage) -> Self {
        match stage {
            Stage::Memory => Self::Memory,
            Stage::Server => {
                let server = Server::on_tcp_with(&LASTING);
                let proxy = Proxy::start(server.port());
                Self::Server(Box::new(server), proxy)
            }
            Stage::Cluster => Self::Cluster(Cluster::start()),
            Stage::Sentinel => Self::Sentinel(Box::new(Service::start().that_is_quick())),
        }
    }

    /// Makes a backend in a namespace of its own.
    pub(super) async fn backend(&self, namespace: &str) -> Arc<dyn Backend> {
        let url = match self {
            Self::Memory => return Arc::new(MemoryBackend::new()),
            Self::Server(_, proxy) => proxy.url(),
            Self::Cluster(cluster) => cluster.url_of_all(),
            Self::Sentinel(service) => service.url(),
        };
        let builder = patient(&url).namespace(namespace).call_timeout(LIMIT);
        Arc::new(builder.build().await.expect("the servers answer"))
    }

    /// Lets the faults of a plan happen, each at its time, and mends everything at the end.
    pub(super) fn break_by(&mut self, plan: &Plan, began: Instant) {
        for planned in &plan.faults {
            let wait = planned.at.saturating_sub(began.elapsed());
            thread::sleep(wait);
            match self {
                Self::Memory => {}
                Self::Server(server, proxy) => befall_server(server, proxy, planned),
                Self::Cluster(cluster) => befall_cluster(cluster, planned),
                Self::Sentinel(service) => befall_service(service, planned),
            }
        }
    }
}

fn befall_server(server: &mut Server, proxy: &Proxy, planned: &Planned) {
    let last = || thread::sleep(planned.time);
    match planned.fault {
        Fault::HoldAnswers => {
            proxy.hold_answers();
            last();
            proxy.release();
        }
        Fault::BlackHole => {
            proxy.black_hole();
            last();
            // What was swallowed is lost: such a connection never comes back.
            proxy.cut();
            proxy.release();
        }
        Fault::Refuse => {
            proxy.refuse();
            proxy.cut();
            last();
            proxy.release();
        }
        Fault::Forget => proxy.forget(),
        Fault::Pause => {
            server.pause();
            last();
            server.resume();
        }
        Fault::Kill => {
            server.kill();
            last();
            server.restart();
        }
        Fault::Cut | Fault::MoveSlot | Fault::FailOver | Fault::Replace => proxy.cut(),
    }
}

fn befall_cluster(cluster: &Cluster, planned: &Planned) {
    let slot = (planned.which % 16_384) as u16;
    let owner = cluster.owner_of(slot);
    match planned.fault {
        Fault::FailOver => {
            cluster.fail_over_to(cluster.replica_of(owner));
            cluster.await_ok();
        }
        Fault::Pause => {
            // A primary that stands still for longer is replaced.
            cluster.pause(owner);
            thread::sleep(planned.time.min(Duration::from_millis(200)));
            cluster.resume(owner);
        }
        _ => {
            let mut primaries = (0..cluster.count()).filter(|node| {
                *node != owner && (0..8).any(|part| cluster.owner_of(part * 2_000) == *node)
            });
            if let Some(to) = primaries.next_back() {
                cluster.move_slot(slot, to);
            }
        }
    }
}

fn befall_service(service: &Service, planned: &Planned) {
    let primary = service.primary();
    match planned.fault {
        Fault::Replace => {
            service.server(primary).kill();
            service.await_other_than(primary);
            // The sentinels make a replica of it.
            service.server(primary).restart();
        }
        _ => {
            service.server(primary).pause();
            thread::sleep(planned.time.min(Duration::from_millis(300)));
            service.server(primary).resume();
        }
    }
}
