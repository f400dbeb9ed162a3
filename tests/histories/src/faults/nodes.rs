//! A cluster behind cables, and what befalls it.

use std::thread;
use std::time::Duration;

use reinhardt_backends_tests::{Cluster, Proxy};

use crate::client::{number_of, time_of};
use crate::clock::Clock;
use crate::loss::Loss;
use crate::plan::{Fault, Plan, Planned};
use crate::special::lists;

use super::{LASTING, NAMESPACE, befall_cable};

/// A cluster and the cable to each of its nodes.
pub(crate) struct Nodes {
    cluster: Cluster,
    /// Servers before 7.0 can't announce their cables: then there is none.
    cables: Vec<Proxy>,
    /// The slots of primaries that were replaced by a replica which may lack writes.
    lacking: Vec<(u16, u16)>,
    loss: Option<Loss>,
}

impl Nodes {
    pub(super) fn start(plan: &Plan) -> Self {
        let cluster = match plan.is_lossy() {
            true => Cluster::start(),
            false => Cluster::that_lasts(&LASTING),
        };
        let ports = (0..cluster.count()).map(|node| cluster.port(node));
        let mut cables: Vec<Proxy> = ports.map(Proxy::start).collect();
        let ports: Vec<u16> = cables.iter().map(Proxy::port).collect();
        if !cluster.announce(&ports) {
            cables.clear();
        }
        Self {
            cluster,
            cables,
            lacking: Vec::new(),
            loss: None,
        }
    }

    pub(super) fn url(&self) -> String {
        let addresses = match self.cables.is_empty() {
            true => return self.cluster.url_of_all(),
            false => self
                .cables
                .iter()
                .map(|it| format!("127.0.0.1:{}", it.port())),
        };
        let addresses: Vec<String> = addresses.collect();
        format!("redis-cluster://{}", addresses.join(","))
    }

    /// Turns the answer `MOVED` into that of a key which isn't there.
    pub(super) fn lose_moved(&self) {
        self.cables.iter().for_each(Proxy::lose_moved);
    }

    /// Returns the time in which a primary was lost.
    pub(super) fn loss(&self) -> Option<Loss> {
        self.loss
    }

    /// Says whether a key was one of the primary that was lost.
    pub(super) fn lost_slot(&self, key: &str) -> bool {
        let slot = self.cluster.slot_of(&format!("{NAMESPACE}:{key}"));
        let mut lacking = self.lacking.iter();
        lacking.any(|(first, last)| (*first..=*last).contains(&slot))
    }

    pub(super) fn befall(&mut self, planned: &Planned, clock: &Clock) {
        let slot = self.slot_in_use(planned.which);
        let owner = self.cluster.owner_of(slot);
        let last = || thread::sleep(planned.time);
        match planned.fault {
            Fault::MoveSlot => self.move_slot(slot, owner, planned),
            Fault::FailOver => {
                self.cluster.fail_over_to(self.cluster.replica_of(owner));
                self.cluster.await_ok();
            }
            Fault::Pause => {
                self.cluster.pause(owner);
                last();
                self.cluster.resume(owner);
            }
            Fault::Kill => {
                self.cluster.kill(owner);
                last();
                self.restart(owner);
            }
            Fault::Replace => {
                let replica = self.cluster.replica_of(owner);
                self.lacking.extend(self.cluster.slots_of(owner));
                let from = clock.now();
                self.cluster.kill(owner);
                self.cluster.await_promoted(replica);
                self.restart(owner);
                let until = clock.now();
                self.loss = Some(Loss { from, until });
            }
            _ => {
                if let Some(cable) = self.cables.get(owner) {
                    befall_cable(cable, planned);
                    self.cluster.await_ok();
                }
            }
        }
    }

    /// Starts a node again, which has forgotten the port that it is to announce.
    fn restart(&self, node: usize) {
        self.cluster.restart(node);
        if let Some(cable) = self.cables.get(node) {
            self.cluster.announce_again(node, cable.port());
        }
        self.cluster.await_ok();
    }

    /// Returns the slot of a key that is there, if there is any.
    fn slot_in_use(&self, which: u64) -> u16 {
        let mut keys: Vec<String> = Vec::new();
        for node in self.cluster.primaries() {
            let page = self.cluster.command(node, "SCAN 0 COUNT 100000");
            let names = page.lines().filter(|line| line.starts_with(NAMESPACE));
            keys.extend(names.map(str::to_string));
        }
        keys.sort_unstable();
        // One in four is that of a key that is listed meanwhile.
        keys.retain(|key| has_prefix(key, lists::PREFIX) == which.is_multiple_of(4));
        // Of the keys of a time only the newest are in use, and of articles only the last ones.
        let number = |key: &str| number_of(key.strip_prefix(NAMESPACE)?.strip_prefix(':')?);
        let time = |key: &str| number(key).and_then(time_of);
        let newest = keys.iter().filter_map(|key| time(key)).max();
        keys.retain(|key| time(key).is_none_or(|time| Some(time) == newest));
        keys.retain(|key| number(key).is_some() || !is_of_an_article(key));
        let chosen = which.checked_rem(keys.len() as u64);
        match chosen.and_then(|chosen| keys.get(chosen as usize)) {
            Some(key) => self.cluster.slot_of(key),
            None => (which % 16_384) as u16,
        }
    }

    /// Moves a slot while its keys are in use: half of the time before they move, half of it after.
    fn move_slot(&self, slot: u16, owner: usize, planned: &Planned) {
        let mut others = self.cluster.primaries().into_iter();
        let Some(to) = others.rfind(|node| *node != owner) else {
            return;
        };
        let half = planned.time.min(Duration::from_millis(120)) / 2;
        self.cluster.begin_move(slot, to);
        thread::sleep(half);
        while self.cluster.move_keys(slot, to, 1) > 0 {}
        thread::sleep(half);
        while self.cluster.move_keys(slot, to, 100) > 0 {}
        self.cluster.finish_move(slot, to);
    }
}

/// Articles are cached for a minute, and used for a moment.
fn is_of_an_article(key: &str) -> bool {
    ["page", "teaser"]
        .iter()
        .any(|prefix| has_prefix(key, prefix))
}

fn has_prefix(key: &str, prefix: &str) -> bool {
    let key = key.strip_prefix(NAMESPACE).unwrap_or_default();
    key.strip_prefix(':')
        .is_some_and(|key| key.starts_with(prefix))
}
