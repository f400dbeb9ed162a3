//! The servers of the stages, and what befalls them.

mod nodes;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use reinhardt_backends::{Backend, MemoryBackend};
use reinhardt_backends_tests::{Proxy, Server, Service, patient};

use super::client::key_of;
use super::clock::Clock;
use super::loss::Loss;
use super::plan::{Fault, Plan, Planned, Stage};

use self::nodes::Nodes;

/// The limit of a call.
pub(super) const LIMIT: Duration = Duration::from_millis(250);
/// The settings of a server that has on disk what it acknowledges.
const LASTING: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];
/// The namespace of all keys.
const NAMESPACE: &str = "histories";

/// The servers of a schedule.
pub(super) enum Servers {
    Memory,
    Server(Box<Server>, Proxy),
    Cluster(Box<Nodes>),
    Sentinel(Box<Service>, Option<Loss>),
}

impl Servers {
    /// Starts them; one server forgets what it acknowledged when it is killed if it `is_forgetful`.
    pub(super) fn start(plan: &Plan, is_forgetful: bool) -> Self {
        match plan.stage {
            Stage::Memory | Stage::Threads => Self::Memory,
            Stage::Server => {
                let settings: &[&str] = if is_forgetful { &[] } else { &LASTING };
                let server = Server::on_tcp_with(settings);
                let proxy = Proxy::start(server.port());
                Self::Server(Box::new(server), proxy)
            }
            Stage::Cluster => Self::Cluster(Box::new(Nodes::start(plan))),
            Stage::Sentinel => Self::Sentinel(Box::new(Service::start().that_is_quick()), None),
        }
    }

    /// Makes a backend.
    pub(super) async fn backend(&self) -> Arc<dyn Backend> {
        let url = match self {
            Self::Memory => return Arc::new(MemoryBackend::new()),
            Self::Server(_, proxy) => proxy.url(),
            Self::Cluster(nodes) => nodes.url(),
            Self::Sentinel(service, _) => service.url(),
        };
        let builder = patient(&url).namespace(NAMESPACE).call_timeout(LIMIT);
        Arc::new(builder.build().await.expect("the servers answer"))
    }

    /// Turns the answer `MOVED` of a cluster into that of a key which isn't there.
    pub(super) fn lose_moved(&self) {
        if let Self::Cluster(nodes) = self {
            nodes.lose_moved();
        }
    }

    /// Returns the loss of writes, if there was one.
    pub(super) fn loss(&self) -> Option<Loss> {
        match self {
            Self::Memory | Self::Server(..) => None,
            Self::Cluster(nodes) => nodes.loss(),
            Self::Sentinel(_, loss) => *loss,
        }
    }

    /// Says whether acknowledged writes under a key may be gone that was used from `first` to
    /// `last`.
    pub(super) fn may_lack(&self, key: u32, [first, last]: [u64; 2]) -> bool {
        let used = [first, last].map(Duration::from_nanos);
        // The slot is asked of a server.
        self.loss().is_some_and(|loss| loss.may_touch(used))
            && match self {
                Self::Cluster(nodes) => nodes.lost_slot(&key_of(key)),
                _ => true,
            }
    }

    /// Lets the faults of a plan happen, each at its time, and mends everything at the end.
    pub(super) fn break_by(&mut self, plan: &Plan, clock: &Clock) {
        for planned in &plan.faults {
            let wait = planned.at.saturating_sub(clock.now());
            thread::sleep(wait);
            match self {
                Self::Memory => {}
                Self::Server(server, proxy) => befall_server(server, proxy, planned),
                Self::Cluster(nodes) => nodes.befall(planned, clock),
                Self::Sentinel(service, loss) => {
                    let from = clock.now();
                    befall_service(service, planned);
                    if planned.fault.is_lossy() {
                        let until = clock.now();
                        *loss = Some(Loss { from, until });
                    }
                }
            }
        }
    }
}

fn befall_server(server: &mut Server, cable: &Proxy, planned: &Planned) {
    match planned.fault {
        Fault::Pause => {
            server.pause();
            thread::sleep(planned.time);
            server.resume();
        }
        Fault::Kill => {
            server.kill();
            thread::sleep(planned.time);
            server.restart();
        }
        _ => befall_cable(cable, planned),
    }
}

fn befall_cable(cable: &Proxy, planned: &Planned) {
    match planned.fault {
        Fault::HoldAnswers => {
            cable.hold_answers();
            thread::sleep(planned.time);
        }
        Fault::BlackHole => {
            cable.black_hole();
            thread::sleep(planned.time);
            // What was swallowed is lost: such a connection never comes back.
            cable.cut_and_release();
        }
        Fault::Refuse => {
            cable.refuse();
            cable.cut();
            thread::sleep(planned.time);
        }
        Fault::Forget => cable.forget(),
        _ => cable.cut(),
    }
    cable.release();
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
