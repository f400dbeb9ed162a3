//! A private Redis or Valkey cluster on the loopback interface, ended when dropped.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use reinhardt_backends::{Backend, RedisBackend};

use crate::{Authority, Certificate, Server, wait};

const SLOTS: u16 = 16_384;

/// A cluster of a test's own, with nothing in it.
///
/// The first nodes are primaries, as many as asked for, with equal parts of the slots. The nodes
/// behind them are their replicas, in the same order.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    server: Mutex<Server>,
    port: u16,
    id: String,
}

/// A line of `CLUSTER NODES`: the description of a node by itself or by another node.
#[derive(Debug)]
struct Line {
    id: String,
    flags: String,
    primary: String,
    epoch: u64,
    slots: Vec<(u16, u16)>,
}

impl Cluster {
    /// Starts three primaries with a replica each. The replica soon takes over from a primary that
    /// fails.
    ///
    /// # Panics
    ///
    /// If there is no server program, or the nodes don't agree within a minute.
    pub fn start() -> Self {
        Self::of([3, 3, 0], Server::as_node, &[])
    }

    /// Starts three primaries with a replica each, with more settings. No replica takes over by
    /// itself.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn that_lasts(settings: &[&str]) -> Self {
        let settings = [&["--cluster-replica-no-failover", "yes"], settings].concat();
        Self::of([3, 3, 0], Server::as_node, &settings)
    }

    /// Starts primaries without replicas.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn of_primaries(count: usize, settings: &[&str]) -> Self {
        Self::of([count, 0, 0], Server::as_node, settings).that_is_patient()
    }

    /// Starts two primaries and, last, a third node that serves no slots.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn with_a_spare_node() -> Self {
        Self::of([2, 0, 1], Server::as_node, &[]).that_is_patient()
    }

    /// Starts three primaries that are reached by TLS.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn on_tls(authority: &Authority, certificate: &Certificate) -> Self {
        let tls = ["--tls-cluster", "yes", "--tls-replication", "yes"];
        let start = |settings: &[&str]| Server::on_tls(authority, certificate, settings);
        Self::of([3, 0, 0], start, &tls).that_is_patient()
    }

    /// Returns the cluster that the tests of this process share. The cluster ends with the last of
    /// these tests.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        // After a test that failed to start the cluster, the next test tries again.
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let cluster = Arc::new(Self::start().that_is_patient());
            *shared = Arc::downgrade(&cluster);
            cluster
        })
    }

    fn of(
        [primaries, replicas, spare]: [usize; 3],
        start: impl Fn(&[&str]) -> Server,
        settings: &[&str],
    ) -> Self {
        let common = [
            "--cluster-enabled",
            "yes",
            "--cluster-config-file",
            "nodes.conf",
            "--cluster-node-timeout",
            "1500",
            "--cluster-require-full-coverage",
            "no",
            "--repl-diskless-sync-delay",
            "0",
        ];
        let settings = [&common[..], settings].concat();
        let nodes = (0..primaries + replicas + spare).map(|_| {
            let server = start(&settings);
            Node {
                port: server.port(),
                id: bulk(&server.command("CLUSTER MYID")),
                server: Mutex::new(server),
            }
        });
        let cluster = Self {
            nodes: nodes.collect(),
        };
        cluster.form(primaries, replicas);
        cluster
    }

    /// Gives nodes so much time that none is taken for failed because it gets no CPU for a while.
    fn that_is_patient(self) -> Self {
        for index in 0..self.nodes.len() {
            self.command(index, "CONFIG SET cluster-node-timeout 15000");
        }
        self
    }

    fn form(&self, primaries: usize, replicas: usize) {
        let part = |index: usize| {
            let bound = |index| usize::from(SLOTS) * index / primaries;
            bound(index)..bound(index + 1)
        };
        for index in 0..self.nodes.len() {
            self.command(index, &format!("CLUSTER SET-CONFIG-EPOCH {}", index + 1));
            if index < primaries {
                let slots: Vec<String> = part(index).map(|slot| slot.to_string()).collect();
                self.command(index, &format!("CLUSTER ADDSLOTS {}", slots.join(" ")));
            }
            for other in &self.nodes[..index] {
                let meet = format!("CLUSTER MEET 127.0.0.1 {}", other.port);
                assert_eq!(self.command(index, &meet), "");
            }
        }
        let count = self.nodes.len();
        wait("all know each other", || {
            (0..count).all(|index| self.lines(index).len() == count)
        });
        for replica in primaries..primaries + replicas {
            let primary = &self.nodes[replica - primaries].id;
            let replicate = format!("CLUSTER REPLICATE {primary}");
            wait("a replica knows its primary", || {
                self.command(replica, &replicate).is_empty()
            });
        }
        self.await_ok();
    }

    /// Waits until all nodes that run agree, every slot is served, and replicas are in step.
    ///
    /// # Panics
    ///
    /// If that takes more than a minute.
    pub fn await_ok(&self) {
        let running = self.running();
        wait("all agree", || {
            let is_in_step = |index: &usize| {
                let role = self.command(*index, "ROLE");
                role.contains("master") || role.contains("connected")
            };
            let says_ok = |index: &usize| {
                let info = self.command(*index, "CLUSTER INFO");
                info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384")
            };
            let view = |index: usize| {
                let lines = self.lines(index);
                let known = lines.into_iter().filter(|line| self.is_running(&line.id));
                let mut known: Vec<_> = known
                    .map(|line| (line.id, line.primary, line.slots))
                    .collect();
                known.sort();
                known
            };
            running.iter().all(says_ok)
                && running.iter().all(is_in_step)
                && running.iter().all(|index| view(*index) == view(running[0]))
        });
    }

    /// Connects a patient backend by the plain URL of any node, in a namespace of its own.
    ///
    /// # Panics
    ///
    /// If the cluster doesn't answer.
    pub async fn connect(&self) -> RedisBackend {
        let [one] = self.connect_several().await;
        one
    }

    /// Connects several backends in one namespace, as several processes do.
    ///
    /// # Panics
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_several<const COUNT: usize>(&self) -> [RedisBackend; COUNT] {
        static NAMESPACES: AtomicUsize = AtomicUsize::new(0);
        let index = NAMESPACES.fetch_add(1, Ordering::Relaxed);
        let backends = std::array::from_fn(|number| {
            let builder = RedisBackend::builder()
                .url(&self.url((index + number) % self.count()))
                .namespace(&format!("n{index}"))
                .call_timeout(Duration::from_secs(30));
            builder.build_lazy().expect("settings that can be right")
        });
        for backend in &backends {
            backend.ping().await.expect("the cluster answers");
        }
        backends
    }

    /// Returns the plain URL of a node.
    pub fn url(&self, index: usize) -> String {
        self.server(index).url()
    }

    /// Returns the URL that names all nodes.
    pub fn url_of_all(&self) -> String {
        let nodes = self
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port));
        format!("redis-cluster://{}", nodes.collect::<Vec<_>>().join(","))
    }

    /// Returns the address of a node, as messages name it.
    pub fn address(&self, index: usize) -> String {
        format!("127.0.0.1:{}", self.nodes[index].port)
    }

    /// Returns the port of a node.
    pub fn port(&self, index: usize) -> u16 {
        self.nodes[index].port
    }

    /// Returns the number of nodes.
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// Sends a command to a node, as [`Server::command`].
    pub fn command(&self, index: usize, line: &str) -> String {
        self.server(index).command(line)
    }

    /// Kills a node (`SIGKILL`).
    pub fn kill(&self, index: usize) {
        self.server(index).kill();
    }

    /// Starts a killed node again, at the same address.
    pub fn restart(&self, index: usize) {
        self.server(index).restart();
    }

    /// Stops a node with all that it was doing (`SIGSTOP`).
    pub fn pause(&self, index: usize) {
        self.server(index).pause();
    }

    /// Lets a paused node go on.
    pub fn resume(&self, index: usize) {
        self.server(index).resume();
    }

    /// Returns the hash slot of a key; the key is given as it is stored.
    ///
    /// # Panics
    ///
    /// If the first node doesn't run.
    pub fn slot_of(&self, key: &str) -> u16 {
        let slot = self.command(self.running()[0], &format!("CLUSTER KEYSLOT {key}"));
        number(&slot)
    }

    /// Returns the node that says of itself that it is the primary of a slot. Right after a move
    /// the nodes may still be telling each other, so this waits until some node says so.
    ///
    /// # Panics
    ///
    /// If no node says within a minute that it serves the slot.
    pub fn owner_of(&self, slot: u16) -> usize {
        let mut owner = None;
        wait("somebody serves the slot", || {
            owner = self.running_owner_of(slot);
            owner.is_some()
        });
        owner.unwrap_or_default()
    }

    /// Returns the running node that says of itself that it is the primary of a slot, if there is
    /// one.
    pub fn running_owner_of(&self, slot: u16) -> Option<usize> {
        let owners = self.running().into_iter().filter_map(|index| {
            let own = self.own_line(index);
            let is_owner = own.serves(slot) && own.flags.contains("master");
            is_owner.then_some((own.epoch, index))
        });
        owners.max().map(|(_, owner)| owner)
    }

    /// Returns the running primaries that serve slots.
    pub fn primaries(&self) -> Vec<usize> {
        let serves = |index: &usize| {
            let own = self.own_line(*index);
            own.flags.contains("master") && !own.slots.is_empty()
        };
        self.running().into_iter().filter(serves).collect()
    }

    /// Returns the first and the last one of each range of slots that a node serves.
    pub fn slots_of(&self, index: usize) -> Vec<(u16, u16)> {
        self.own_line(index).slots
    }

    /// Returns a replica of a primary.
    ///
    /// # Panics
    ///
    /// If no running node is a replica of this primary.
    pub fn replica_of(&self, primary: usize) -> usize {
        let id = &self.nodes[primary].id;
        let mut running = self.running().into_iter();
        let replica = running.find(|index| self.own_line(*index).primary == *id);
        replica.expect("the primary has a replica")
    }

    /// Waits until a node is a primary, and all running nodes know it.
    ///
    /// # Panics
    ///
    /// If that takes more than a minute.
    pub fn await_promoted(&self, index: usize) {
        let id = &self.nodes[index].id;
        wait("a replica is promoted", || {
            self.running().into_iter().all(|node| {
                let lines = self.lines(node);
                let line = lines.iter().find(|line| line.id == *id);
                line.is_some_and(|line| line.flags.contains("master") && !line.slots.is_empty())
            })
        });
    }

    /// Waits until the replicas of a primary have all writes that the primary has executed by now.
    ///
    /// # Panics
    ///
    /// If the primary doesn't run, or the replicas don't have the writes within ten seconds.
    pub fn replicate(&self, primary: usize) {
        let own = self.own_line(primary);
        let mut keys = (0..).map(|index| format!("replicate:{index}"));
        let key = keys.find(|key| own.serves(self.slot_of(key)));
        let key = key.expect("some key is in every slot");
        // `WAIT` waits only for the last write of its own connection.
        let wait = format!("SET {key} 1\r\nWAIT 1 10000");
        let replies = self.command(primary, &wait);
        assert!(replies.trim_end().ends_with(":1"), "{replies}");
    }

    /// Lets a replica take the place of its primary, without a loss.
    ///
    /// # Panics
    ///
    /// As [`await_promoted`](Self::await_promoted).
    pub fn fail_over_to(&self, replica: usize) {
        assert_eq!(self.command(replica, "CLUSTER FAILOVER"), "");
        self.await_promoted(replica);
    }

    /// Lets the first nodes announce these ports, and waits until the nodes tell them. Says whether
    /// the nodes can: servers before 7.0 don't go by such a setting while they run.
    ///
    /// # Panics
    ///
    /// If that takes more than a minute.
    pub fn announce(&self, ports: &[u16]) -> bool {
        if self.command(0, "INFO server").contains("redis_version:6.") {
            return false;
        }
        for (index, port) in ports.iter().enumerate() {
            self.announce_again(index, *port);
        }
        wait("the nodes tell their ports", || {
            (0..ports.len()).all(|index| {
                let told = self.command(index, "CLUSTER SLOTS");
                ports.iter().all(|port| {
                    let with_it = ports.iter().filter(|other| *other == port).count();
                    told.matches(&format!(":{port}\r\n")).count() >= with_it
                })
            })
        });
        true
    }

    /// Lets a node announce this port.
    pub fn announce_again(&self, index: usize, port: u16) {
        self.command(index, &format!("CONFIG SET cluster-announce-port {port}"));
    }

    /// Opens a slot: from now on its keys move to the other node one by one.
    ///
    /// # Panics
    ///
    /// If a node refuses.
    pub fn begin_move(&self, slot: u16, to: usize) {
        let from = self.owner_of(slot);
        let (from_id, to_id) = (&self.nodes[from].id, &self.nodes[to].id);
        let importing = self.command(to, &format!("CLUSTER SETSLOT {slot} IMPORTING {from_id}"));
        assert_eq!(importing, "");
        let migrating = self.command(from, &format!("CLUSTER SETSLOT {slot} MIGRATING {to_id}"));
        assert_eq!(migrating, "");
    }

    /// Moves at most so many keys of an open slot, and returns the number of keys that were there
    /// to move.
    ///
    /// # Panics
    ///
    /// If a node refuses.
    pub fn move_keys(&self, slot: u16, to: usize, most: usize) -> usize {
        let from = self.owner_of(slot);
        let listed = self.command(from, &format!("CLUSTER GETKEYSINSLOT {slot} {most}"));
        let keys: Vec<&str> = listed
            .lines()
            .skip(1)
            .filter(|line| !line.starts_with('$'))
            .collect();
        for key in &keys {
            let migrate = format!("MIGRATE 127.0.0.1 {} {key} 0 20000", self.nodes[to].port);
            let moved = self.command(from, &migrate);
            assert!(moved.is_empty() || moved.starts_with("+NOKEY"), "{moved}");
        }
        keys.len()
    }

    /// Ends the move of a slot, and waits until all nodes know the new owner.
    ///
    /// A node that is given a slot back before it has heard of the epoch in which it lost the slot
    /// would lose the slot once more when it hears of that epoch.
    ///
    /// # Panics
    ///
    /// If a node refuses.
    pub fn finish_move(&self, slot: u16, to: usize) {
        let from = self.owner_of(slot);
        let set = format!("CLUSTER SETSLOT {slot} NODE {}", self.nodes[to].id);
        for index in [to, from] {
            assert_eq!(self.command(index, &set), "");
        }
        let own = self.own_line(to);
        wait("all know who serves the slot", || {
            self.running().into_iter().all(|node| {
                let lines = self.lines(node);
                let mut lines = lines.iter().filter(|line| line.id == own.id);
                lines.any(|line| line.epoch >= own.epoch && line.serves(slot))
            })
        });
    }

    /// Moves a slot with its keys.
    ///
    /// # Panics
    ///
    /// If a node refuses.
    pub fn move_slot(&self, slot: u16, to: usize) {
        self.begin_move(slot, to);
        while self.move_keys(slot, to, 100) > 0 {}
        self.finish_move(slot, to);
    }

    fn server(&self, index: usize) -> MutexGuard<'_, Server> {
        let server = self.nodes[index].server.lock();
        server.unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> Vec<usize> {
        let indices = 0..self.nodes.len();
        indices
            .filter(|index| self.server(*index).is_running())
            .collect()
    }

    fn is_running(&self, id: &str) -> bool {
        let mut nodes = self.nodes.iter().enumerate();
        nodes.any(|(index, node)| node.id == id && self.server(index).is_running())
    }

    /// Returns the line in which a node describes itself.
    fn own_line(&self, index: usize) -> Line {
        let mut lines = self.lines(index).into_iter();
        lines
            .find(|line| line.flags.contains("myself"))
            .expect("a node knows itself")
    }

    fn lines(&self, index: usize) -> Vec<Line> {
        let text = self.command(index, "CLUSTER NODES");
        text.lines().filter_map(Line::read).collect()
    }
}

impl Line {
    fn serves(&self, slot: u16) -> bool {
        let mut slots = self.slots.iter();
        slots.any(|(first, last)| (*first..=*last).contains(&slot))
    }

    fn read(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        let [id, _, flags, primary, _, _, epoch, _, slots @ ..] = &*words else {
            return None;
        };
        let slots = slots.iter().filter(|slots| !slots.starts_with('['));
        let slots = slots.filter_map(|slots| {
            let (first, last) = slots.split_once('-').unwrap_or((slots, slots));
            Some((first.parse().ok()?, last.parse().ok()?))
        });
        Some(Self {
            id: (*id).to_string(),
            flags: (*flags).to_string(),
            primary: (*primary).to_string(),
            epoch: epoch.parse().ok()?,
            slots: slots.collect(),
        })
    }
}

/// Returns the text of a bulk reply.
fn bulk(reply: &str) -> String {
    reply.lines().nth(1).unwrap_or_default().to_string()
}

fn number(reply: &str) -> u16 {
    let number = reply
        .trim()
        .strip_prefix(':')
        .and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{reply} is no number"))
}
