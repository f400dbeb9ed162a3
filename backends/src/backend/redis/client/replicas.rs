//! Replicas: servers that follow a primary, and may be behind it.
//!
//! A read that a program sends to replicas goes to one that is up, always the same for one key, so
//! that the program doesn't go back in time between two of them. If none is up the read goes to the
//! primary. The chosen replica has the highest hash of key and address ("rendezvous hashing"). It
//! stays the same in whatever order the replicas are told, and a replica that comes or goes moves
//! its own keys alone.
//!
//! A cluster tells the replicas of each primary with its map. Without a cluster the sentinels tell
//! the replicas of their service, and a server by itself tells the replicas that follow it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::RwLock;

use super::access::Access;
use super::connection::Connection;
use super::context::ClientContext;
use super::dial::ConnectTerms;
use super::endpoint::Endpoint;
use super::ids::NodeId;
use super::in_flight::InFlight;
use super::info::Info;
use super::location::{Address, ServerLocation};
use super::node::Node;
use super::readings::{ReadingUnderWay, Readings};
use super::refusal::{code, refusal};
use super::request::Request;
use super::resp::{Command, Reply};
use super::sentinel::{Sentinels, Told};
use super::slot::Slots;
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::time::deadline::Deadlines;

/// The time after which the replicas of a server are asked for again; it is shorter where none are
/// told.
const FRESH: Duration = Duration::from_secs(10);
const FRESH_WITHOUT: Duration = Duration::from_secs(1);

/// Returns the time after which so many replicas are asked for again.
pub(super) fn freshness(replicas: usize) -> Duration {
    match replicas {
        0 => FRESH_WITHOUT,
        _ => FRESH,
    }
}

/// Returns a connection to a replica that is up, for a request. Begins to connect to replicas that
/// aren't.
pub(super) fn ready(replicas: &[Node], request: &InFlight) -> Option<Arc<Connection>> {
    match request.slots() {
        Slots::One(slot) => of_slot(replicas, slot),
        Slots::None | Slots::Several => in_turn(replicas, fastrand::u64(..)),
    }
}

/// Returns a connection to the replica for a slot.
pub(super) fn of_slot(replicas: &[Node], slot: u16) -> Option<Arc<Connection>> {
    in_turn(replicas, u64::from(slot))
}

/// Returns a connection to any replica.
pub(super) fn any(replicas: &[Node]) -> Option<Arc<Connection>> {
    in_turn(replicas, fastrand::u64(..))
}

/// Returns a connection to the first replica that can be used, by their order for a number.
fn in_turn(replicas: &[Node], number: u64) -> Option<Arc<Connection>> {
    let mut last = None;
    for _ in replicas {
        let weighed = replicas
            .iter()
            .map(|replica| (weight(replica, number), replica));
        let left = weighed.filter(|(weight, _)| last.is_none_or(|last| *weight < last));
        let (weight, replica) = left.max_by_key(|(weight, _)| *weight)?;
        if let Some(connection) = usable(replica) {
            return Some(connection);
        }
        last = Some(weight);
    }
    None
}

/// Hashes an address with a number; two replicas never have the same weight.
fn weight(replica: &Node, number: u64) -> (u64, NodeId) {
    (mix(replica.address_hash() ^ mix(number)), replica.id())
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn usable(replica: &Node) -> Option<Arc<Connection>> {
    let connection = replica.up_or_begun()?;
    let rest = connection.rest.as_ref();
    let may_ask = rest.is_none_or(|rest| rest.may_ask(replica.call_limit()));
    may_ask.then_some(connection)
}

/// Waits for a connection to a primary or one of its replicas, whichever is there first.
///
/// # Errors
///
/// The error of the primary, if no server is reached.
pub(super) async fn first_reached(
    primary: &Node,
    replicas: &[Node],
    is_plain_read: bool,
) -> BackendResult<Arc<Connection>> {
    let replicas = replicas.iter().filter(|replica| !replica.rests());
    let all = std::iter::once(primary).chain(replicas);
    let mut all: FuturesUnordered<_> = all
        .map(|node| async move { (node.id(), node.connection(is_plain_read).await) })
        .collect();
    let mut failed = None;
    while let Some((node, connection)) = all.next().await {
        match connection {
            Ok(connection) => return Ok(connection),
            Err(error) if node == primary.id() => failed = Some(error),
            Err(_) => {}
        }
    }
    Err(failed
        .unwrap_or_else(|| BackendError::new(ErrorKind::Unavailable, "no server was reached")))
}

/// The replicas of a server that is no node of a cluster.
pub(super) struct Replicas {
    shared: Arc<ReplicasShared>,
}

struct ReplicasShared {
    context: Arc<ClientContext>,
    /// The settings of the replicas, but for their address.
    pattern: Endpoint,
    primary: Node,
    sentinels: Option<Arc<Sentinels>>,
    /// Held to look at what is known or to change it, never across an `.await`.
    known: RwLock<KnownReplicas>,
    readings: Readings,
}

#[derive(Default)]
struct KnownReplicas {
    nodes: Arc<[Node]>,
    /// True if there have ever been replicas.
    are_any: bool,
}

impl Replicas {
    pub(super) fn new(
        context: Arc<ClientContext>,
        pattern: Endpoint,
        primary: Node,
        sentinels: Option<Arc<Sentinels>>,
    ) -> Self {
        let shared = ReplicasShared {
            context,
            pattern,
            primary,
            sentinels,
            known: RwLock::default(),
            readings: Readings::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Returns a connection that is up, for a read: to a replica, or to the primary where no
    /// replica is up. `None` as long as it isn't known that there are replicas.
    pub(super) fn ready(&self, request: &InFlight) -> Option<Arc<Connection>> {
        let nodes = {
            let known = self.shared.known.read();
            if !known.are_any {
                return None;
            }
            known.nodes.clone()
        };
        if self.shared.readings.are_older_than(freshness(nodes.len())) {
            // Without a runtime there is nobody to ask.
            drop(self.read());
        }
        let ready = ready(&nodes, request);
        ready.or_else(|| self.shared.primary.ready(request.is_plain_read()))
    }

    /// Returns a connection for a read, or waits for one.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` if there are no replicas.
    pub(super) async fn connection(&self, request: &InFlight) -> BackendResult<Arc<Connection>> {
        self.check().await?;
        if let Some(connection) = self.ready(request) {
            return Ok(connection);
        }
        let is_plain_read = request.is_plain_read();
        first_reached(&self.shared.primary, &self.nodes(), is_plain_read).await
    }

    /// Makes sure that there are replicas, even if they are down, or that nobody can tell at the
    /// moment.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` if there are none; a failure that doesn't heal of the servers that could
    /// tell.
    pub(super) async fn check(&self) -> BackendResult<()> {
        if self.are_known() {
            return Ok(());
        }
        match Readings::finish(|| self.read()).await {
            Err(error) if error.is_transient() => Ok(()),
            Err(error) => Err(error),
            Ok(()) if self.are_known() => Ok(()),
            Ok(()) => Err(no_replicas(&self.shared.primary.location().to_string())),
        }
    }

    /// Says whether it is known that there are replicas, even if they are down.
    pub(super) fn are_known(&self) -> bool {
        self.shared.known.read().are_any
    }

    fn read(&self) -> BackendResult<ReadingUnderWay> {
        let shared = self.shared.clone();
        let limit = shared.context.limits.connect;
        self.shared
            .readings
            .begin(limit, move |deadlines| async move {
                shared.read(deadlines).await
            })
    }

    pub(super) fn nodes(&self) -> Arc<[Node]> {
        self.shared.known.read().nodes.clone()
    }
}

impl ReplicasShared {
    /// Asks for the replicas, and says whether they are others than before.
    async fn read(self: Arc<Self>, deadlines: &'static Deadlines) -> BackendResult<bool> {
        let limit = self.context.limits.connect;
        let asked = async {
            match &self.sentinels {
                Some(sentinels) => {
                    sentinels
                        .replicas(ConnectTerms::new(limit, deadlines))
                        .await
                }
                None => followers(&self.primary).await,
            }
        };
        let told = match deadlines.within(limit, pin!(asked)).await {
            Some(told) => told?,
            None => {
                let message = format!("nobody has told the replicas within {limit:?}");
                return Err(BackendError::new(ErrorKind::Timeout, message));
            }
        };
        let before = self.known.read().nodes.clone();
        let nodes = told.addresses.iter().filter_map(|address| {
            let kept = before.iter().find(|node| node.is_at(address)).cloned();
            // A host that no certificate can be for is no use.
            let server = || self.pattern.at(address).ok();
            kept.or_else(|| Some(Node::replica(server()?, self.context.clone())))
        });
        let nodes: Arc<[Node]> = nodes.collect();
        let is_in = |nodes: &[Node], id| nodes.iter().any(|node| node.id() == id);
        let left = before.iter().filter(|node| !is_in(&nodes, node.id()));
        let left: Vec<Node> = left.cloned().collect();
        let has_changed = !left.is_empty() || nodes.len() != before.len();
        {
            let mut known = self.known.write();
            known.nodes = nodes;
            known.are_any |= told.are_any;
        }
        // After the lock: this wakes drivers.
        left.iter().for_each(Node::leave);
        Ok(has_changed)
    }
}

/// Returns the error of a read that is to be answered by a replica where there are none.
pub(super) fn no_replicas(of: &str) -> BackendError {
    let message = format!("{of} has no replicas to read from: leave `ReadFrom::Replica` out");
    BackendError::new(ErrorKind::InvalidConfig, message)
}

/// Says whether a replica doesn't answer a read: the primary may. The replica's users and load are
/// its own, so whatever it refuses says nothing of the primary. A key of another type is an answer.
pub(super) fn is_refused(reply: &Reply) -> bool {
    match reply {
        Reply::Error(error) => code(error) != "WRONGTYPE",
        Reply::Array(replies) => replies.iter().any(is_refused),
        _ => false,
    }
}

/// Returns the error of a request that was for one replica, which refused it.
pub(super) fn has_refused(location: &ServerLocation) -> BackendError {
    let message = format!("the replica {location} doesn't answer reads now");
    BackendError::new(ErrorKind::Unavailable, message)
}

/// Returns the error of a request for a server that is no replica any more.
pub(super) fn has_left() -> BackendError {
    BackendError::new(ErrorKind::Unavailable, "the replica has left")
}

/// Asks a server for the replicas that follow it.
async fn followers(primary: &Node) -> BackendResult<Told> {
    let connection = primary.connection(false).await?;
    let request = Request::One(Command::new("INFO").arg("replication"));
    let request = InFlight::new(request, Access::READ);
    let Ok(reply) = connection.multiplexer.exchange(&request).await else {
        return Err(connection.lost());
    };
    if let Reply::Error(refused) = &reply {
        let (location, refused) = (&connection.location, refusal(refused));
        let message = format!(
            "{location} doesn't tell its replicas: {}",
            refused.message()
        );
        return Err(BackendError::new(refused.kind(), message));
    }
    Ok(told_by_server(Info::of(&reply)))
}

/// Reads lines such as `slave0:ip=10.0.0.2,port=6379,state=online,offset=1,lag=0`.
fn told_by_server(info: Info<'_>) -> Told {
    let lines = info.lines().filter_map(|line| {
        let (name, facts) = line.split_once(':')?;
        let number = name.strip_prefix("slave")?;
        number.parse::<u32>().ok()?;
        Some(facts)
    });
    let lines: Vec<&str> = lines.collect();
    let followers = lines.iter().filter_map(|facts| {
        let fact = |name: &str| {
            let mut facts = facts.trim_end().split(',');
            facts.find_map(|fact| fact.strip_prefix(name)?.strip_prefix('='))
        };
        let is_online = fact("state") == Some("online");
        is_online.then(|| Address::read(fact("ip")?, fact("port")?))?
    });
    Told {
        addresses: followers.collect(),
        are_any: !lines.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[&str]) -> Told {
        let text = lines.join("\r\n");
        told_by_server(Info::of(&Reply::Bytes(text.as_bytes().into())))
    }

    #[test]
    fn a_server_tells_who_follows_it() {
        let Told { addresses, are_any } = told(&[
            "# Replication",
            "role:master",
            "connected_slaves:3",
            "slave0:ip=10.0.0.2,port=6379,state=online,offset=14,lag=0",
            "slave1:ip=2001:db8::1,port=6380,state=online,offset=14,lag=1",
            "slave2:ip=10.0.0.4,port=6379,state=wait_bgsave,offset=0,lag=0",
            "master_replid:slave",
        ]);
        let addresses: Vec<_> = addresses.iter().map(|it| (&*it.host, it.port)).collect();
        assert_eq!(addresses, [("10.0.0.2", 6379), ("2001:db8::1", 6380)]);
        assert!(are_any);
        for lines in [
            &["role:master", "connected_slaves:0"][..],
            &["slave_read_only:1", "slavex:ip=h,port=1,state=online"],
        ] {
            let told = told(lines);
            assert!(!told.are_any && told.addresses.is_empty(), "{lines:?}");
        }
        let odd = told(&["slave0:ip=h,port=x,state=online", "slave1:"]);
        assert!(odd.are_any && odd.addresses.is_empty());
    }
}
