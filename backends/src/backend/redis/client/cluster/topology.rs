//! The map of a cluster: the node that serves each hash slot, as the cluster itself tells it.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::backend::redis::client::location::Address;
use crate::backend::redis::client::resp::{ErrorReply, Reply};
use crate::backend::redis::client::slot::SLOTS;

/// A range of slots, the primary that serves them, and its replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) slots: RangeInclusive<u16>,
    pub(super) primary: Address,
    pub(super) replicas: Vec<Address>,
}

/// Reads the answer to `CLUSTER SLOTS` of a node that was reached by the host `asked`; nothing if
/// it has an unexpected shape.
pub(super) fn ranges(reply: Reply, asked: &str) -> Option<Vec<Range>> {
    let Reply::Array(ranges) = reply else {
        return None;
    };
    ranges
        .into_iter()
        .map(|range| self::range(range, asked))
        .collect()
}

fn range(reply: Reply, asked: &str) -> Option<Range> {
    let Reply::Array(parts) = reply else {
        return None;
    };
    let [
        Reply::Integer(first),
        Reply::Integer(last),
        primary,
        replicas @ ..,
    ] = &*parts
    else {
        return None;
    };
    let slot = |number: &i64| u16::try_from(*number).ok().filter(|slot| *slot < SLOTS);
    // A replica that can't be read is no use, and no reason to do without the map.
    let replicas = replicas
        .iter()
        .filter_map(|replica| address(replica, asked));
    Some(Range {
        slots: slot(first)?..=slot(last)?,
        primary: address(primary, asked)?,
        replicas: replicas.collect(),
    })
}

fn address(node: &Reply, asked: &str) -> Option<Address> {
    let Reply::Array(parts) = node else {
        return None;
    };
    let [host, Reply::Integer(port), ..] = &**parts else {
        return None;
    };
    let host = match host {
        Reply::Nil => None,
        Reply::Bytes(host) => Some(str::from_utf8(host.as_bytes()).ok()?),
        _ => return None,
    };
    Some(Address {
        host: host_or(host, asked),
        port: u16::try_from(*port).ok()?,
    })
}

/// Returns a host that a node announces. If the node doesn't know it, the host is the one by which
/// the node was asked.
fn host_or(host: Option<&str>, asked: &str) -> Box<str> {
    let known = host.filter(|host| !matches!(*host, "" | "?"));
    known.unwrap_or(asked).into()
}

/// A way to another node: what `MOVED` and `ASK` say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Redirection {
    pub(super) slot: u16,
    pub(super) address: Address,
}

impl Redirection {
    /// Reads a refusal of a node that was reached by the host `asked`.
    pub(super) fn read(refused: &ErrorReply, asked: &str) -> Option<Self> {
        let (slot, address) = refused.details().split_once(' ')?;
        let slot = slot.parse().ok().filter(|slot| *slot < SLOTS)?;
        // The host may be an address of IPv6 without brackets.
        let (host, port) = address.trim_end().rsplit_once(':')?;
        let address = Address {
            host: host_or(Some(host), asked),
            port: port.parse().ok()?,
        };
        Some(Self { slot, address })
    }
}

/// The primaries of a cluster and their replicas, each with a `T` of its own, and the slots that
/// the primaries serve.
pub(super) struct Topology<T> {
    primaries: Vec<Primary<T>>,
    /// The position of the node of each slot.
    owners: Box<[Option<u16>]>,
}

struct Primary<T> {
    address: Address,
    node: T,
    replica_addresses: Vec<Address>,
    replicas: Arc<[T]>,
}

/// The part of a node in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Primary,
    Replica,
}

/// The outcome of taking a map.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReplacedMap<T> {
    /// The nodes that aren't in the map any more.
    pub(super) left: Vec<T>,
    /// True if a slot has another node than before.
    pub(super) has_changed: bool,
}

impl<T> Default for Topology<T> {
    fn default() -> Self {
        Self {
            primaries: Vec::new(),
            owners: vec![None; usize::from(SLOTS)].into(),
        }
    }
}

impl<T> Topology<T> {
    /// Takes the map that a node told.
    ///
    /// # Errors
    ///
    /// That of `make` for a primary; the map stays as it was. A replica that can't be made is left
    /// out.
    pub(super) fn replace<E>(
        &mut self,
        ranges: &[Range],
        mut make: impl FnMut(&Address, Role) -> Result<T, E>,
    ) -> Result<ReplacedMap<T>, E>
    where
        T: Clone,
    {
        let mut topology = Self::default();
        for range in ranges {
            let position = topology.position_of(&range.primary, |address| {
                let kept = self.at(address).cloned();
                kept.map_or_else(|| make(address, Role::Primary), Ok)
            })?;
            let primary = &mut topology.primaries[usize::from(position)];
            let mut replicas = primary.replicas.to_vec();
            for address in &range.replicas {
                if primary.replica_addresses.contains(address) {
                    continue;
                }
                let kept = self.replica_at(address).cloned();
                let node = kept.or_else(|| make(address, Role::Replica).ok());
                if let Some(node) = node {
                    primary.replica_addresses.push(address.clone());
                    replicas.push(node);
                }
            }
            if replicas.len() != primary.replicas.len() {
                primary.replicas = replicas.into();
            }
            let (first, last) = (
                usize::from(*range.slots.start()),
                usize::from(*range.slots.end()),
            );
            for owner in topology.owners.iter_mut().take(last + 1).skip(first) {
                *owner = Some(position);
            }
        }
        let before = std::mem::replace(self, topology);
        let mut slots = 0..SLOTS;
        let has_changed = slots.any(|slot| before.address(slot) != self.address(slot));
        let mut left = Vec::new();
        for primary in before.primaries {
            let replicas = primary.replica_addresses.iter().zip(&*primary.replicas);
            let replicas = replicas.filter(|(address, _)| self.replica_at(address).is_none());
            left.extend(replicas.map(|(_, node)| node.clone()));
            if self.position(&primary.address).is_none() {
                left.push(primary.node);
            }
        }
        Ok(ReplacedMap { left, has_changed })
    }

    /// Notes that another node serves a slot.
    ///
    /// # Errors
    ///
    /// That of `make`; the map stays as it was.
    pub(super) fn patch<E>(
        &mut self,
        moved: &Redirection,
        make: impl FnOnce(&Address) -> Result<T, E>,
    ) -> Result<(), E> {
        let position = self.position_of(&moved.address, make)?;
        self.owners[usize::from(moved.slot)] = Some(position);
        Ok(())
    }

    /// Returns the node at an address.
    pub(super) fn at(&self, address: &Address) -> Option<&T> {
        let position = self.position(address)?;
        let primary = self.primaries.get(usize::from(position));
        primary.map(|primary| &primary.node)
    }

    fn replica_at(&self, address: &Address) -> Option<&T> {
        self.primaries.iter().find_map(|primary| {
            let mut addresses = primary.replica_addresses.iter();
            let position = addresses.position(|known| known == address)?;
            primary.replicas.get(position)
        })
    }

    /// Returns the node of a slot.
    pub(super) fn owner(&self, slot: u16) -> Option<&T> {
        self.primary(slot).map(|primary| &primary.node)
    }

    /// Returns the replicas of the node of a slot.
    pub(super) fn replicas(&self, slot: u16) -> Arc<[T]> {
        let primary = self.primary(slot);
        primary.map_or_else(Arc::default, |primary| primary.replicas.clone())
    }

    /// Says whether a map was read: one that was has a node at least.
    pub(super) fn is_known(&self) -> bool {
        !self.primaries.is_empty()
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &T> {
        self.primaries.iter().map(|primary| &primary.node)
    }

    pub(super) fn all_replicas(&self) -> impl Iterator<Item = &T> {
        self.primaries.iter().flat_map(|primary| &*primary.replicas)
    }

    /// Returns the nodes that serve slots, each with its replicas and the number of its slots.
    pub(super) fn owners(&self) -> impl Iterator<Item = (&T, &Arc<[T]>, usize)> {
        let mut slots = vec![0; self.primaries.len()];
        for position in self.owners.iter().flatten() {
            slots[usize::from(*position)] += 1;
        }
        let owners = self.primaries.iter().zip(slots);
        let owners = owners.filter(|(_, slots)| *slots > 0);
        owners.map(|(primary, slots)| (&primary.node, &primary.replicas, slots))
    }

    /// Returns the first slots that no node serves, as a range.
    pub(super) fn hole(&self) -> Option<RangeInclusive<u16>> {
        let mut slots = (0..SLOTS).skip_while(|slot| self.owner(*slot).is_some());
        let first = slots.next()?;
        let last = slots.take_while(|slot| self.owner(*slot).is_none()).last();
        Some(first..=last.unwrap_or(first))
    }

    fn address(&self, slot: u16) -> Option<&Address> {
        self.primary(slot).map(|primary| &primary.address)
    }

    fn primary(&self, slot: u16) -> Option<&Primary<T>> {
        let position = self.owners[usize::from(slot)]?;
        self.primaries.get(usize::from(position))
    }

    fn position(&self, address: &Address) -> Option<u16> {
        let mut primaries = self.primaries.iter();
        let position = primaries.position(|primary| primary.address == *address)?;
        u16::try_from(position).ok()
    }

    /// Returns the position of the node at an address. The node is made if there is none.
    fn position_of<E>(
        &mut self,
        address: &Address,
        make: impl FnOnce(&Address) -> Result<T, E>,
    ) -> Result<u16, E> {
        if let Some(position) = self.position(address) {
            return Ok(position);
        }
        self.primaries.push(Primary {
            address: address.clone(),
            node: make(address)?,
            replica_addresses: Vec::new(),
            replicas: Arc::default(),
        });
        Ok(u16::try_from(self.primaries.len() - 1).expect("a cluster has fewer nodes than slots"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str, port: u16) -> Address {
        Address {
            host: host.into(),
            port,
        }
    }

    fn told(first: i64, last: i64, host: Reply, port: i64) -> Reply {
        let primary = Reply::Array(vec![host, Reply::Integer(port), text("id")]);
        let replica = Reply::Array(vec![text("r"), Reply::Integer(1), text("id")]);
        let slots = [first, last].map(Reply::Integer);
        Reply::Array([&slots[..], &[primary, replica]].concat())
    }

    fn text(text: &str) -> Reply {
        Reply::Bytes(text.as_bytes().into())
    }

    #[test]
    fn a_map_is_read_as_a_node_tells_it() {
        let told = Reply::Array(vec![
            told(0, 100, text("10.0.0.1"), 7000),
            told(101, 200, Reply::Nil, 7001),
            told(201, 201, text(""), 7002),
            told(202, 16_383, text("?"), 7003),
        ]);
        let read = ranges(told, "asked").unwrap();
        let primaries: Vec<_> = read.iter().map(|range| range.primary.clone()).collect();
        let expected = [
            address("10.0.0.1", 7000),
            address("asked", 7001),
            address("asked", 7002),
            address("asked", 7003),
        ];
        assert_eq!(primaries, expected);
        assert_eq!(read[3].slots, 202..=16_383);
        assert_eq!(read[0].replicas, [address("r", 1)]);
    }

    #[test]
    fn a_map_that_makes_no_sense_is_none() {
        for odd in [
            Reply::Nil,
            Reply::Array(vec![Reply::Nil]),
            Reply::Array(vec![told(0, 16_384, text("h"), 1)]),
            Reply::Array(vec![told(-1, 5, text("h"), 1)]),
            Reply::Array(vec![told(0, 5, text("h"), 70_000)]),
            Reply::Array(vec![told(0, 5, Reply::Integer(1), 1)]),
        ] {
            assert_eq!(ranges(odd, "asked"), None);
        }
        assert_eq!(ranges(Reply::Array(Vec::new()), "asked"), Some(Vec::new()));
    }

    #[test]
    fn a_redirection_is_read() {
        for (line, host) in [
            ("MOVED 3999 127.0.0.1:6381", "127.0.0.1"),
            ("ASK 3999 cache-1.example:6381", "cache-1.example"),
            ("MOVED 3999 2001:db8::1:6381", "2001:db8::1"),
            ("MOVED 3999 :6381", "asked"),
            ("MOVED 3999 ?:6381", "asked"),
        ] {
            let read = Redirection::read(&line.into(), "asked").unwrap();
            let expected = address(host, 6381);
            assert_eq!((read.slot, read.address), (3999, expected), "{line}");
        }
        for line in [
            "MOVED",
            "MOVED 1",
            "MOVED 16384 h:1",
            "MOVED x h:1",
            "MOVED 1 h:x",
        ] {
            assert_eq!(Redirection::read(&line.into(), "asked"), None, "{line}");
        }
    }

    /// The nodes are named by their ports.
    fn make(address: &Address, _: Role) -> Result<u16, ()> {
        Ok(address.port)
    }

    fn range(first: u16, last: u16, port: u16) -> Range {
        Range {
            slots: first..=last,
            primary: address("h", port),
            replicas: Vec::new(),
        }
    }

    #[test]
    fn slots_have_the_nodes_of_the_last_word() {
        let mut topology = Topology::default();
        assert_eq!(topology.hole(), Some(0..=16_383));
        let whole = [range(0, 99, 1), range(100, 16_383, 2)];
        let taken = |left: &[u16], has_changed| {
            let left = left.to_vec();
            Ok(ReplacedMap { left, has_changed })
        };
        assert_eq!(topology.replace(&whole, make), taken(&[], true));
        assert_eq!(topology.replace(&whole, make), taken(&[], false));
        assert_eq!(topology.hole(), None);
        assert_eq!(
            (topology.owner(99), topology.owner(100)),
            (Some(&1), Some(&2))
        );
        let moved = Redirection {
            slot: 100,
            address: address("h", 3),
        };
        let patched = |address: &Address| make(address, Role::Primary);
        topology.patch(&moved, patched).unwrap();
        assert_eq!(
            (topology.owner(100), topology.owner(101)),
            (Some(&3), Some(&2))
        );
        let owners = topology.owners().map(|(node, _, slots)| (*node, slots));
        let owners: Vec<_> = owners.collect();
        assert_eq!(owners, [(1, 100), (2, 16_283), (3, 1)]);

        // The second node has left, and a part of its slots has nobody.
        let holes = [range(0, 99, 1), range(100, 199, 3), range(300, 16_383, 3)];
        assert_eq!(topology.replace(&holes, make), taken(&[2], true));
        assert_eq!(topology.hole(), Some(200..=299));
        assert_eq!(topology.owner(250), None);
        assert_eq!(topology.owner(16_383), Some(&3));
    }

    #[test]
    fn a_primary_has_its_replicas() {
        let mut topology = Topology::default();
        let with = |first, last, port, replicas: &[u16]| Range {
            replicas: replicas.iter().map(|port| address("h", *port)).collect(),
            ..range(first, last, port)
        };
        // A node that is a replica has a `T` of its own, also if it was a primary before.
        let make = |address: &Address, role| match role {
            Role::Primary => make(address, role),
            Role::Replica => Ok(address.port + 100),
        };
        let first = [with(0, 9, 1, &[3, 4]), with(10, 16_383, 2, &[5])];
        topology.replace(&first, make).unwrap();
        let of = |topology: &Topology<u16>, slot| -> Vec<u16> { topology.replicas(slot).to_vec() };
        assert_eq!(
            (of(&topology, 9), of(&topology, 10)),
            (vec![103, 104], vec![105])
        );
        // The first primary has failed.
        let second = [with(0, 9, 3, &[4]), with(10, 16_383, 2, &[5])];
        let taken = topology.replace(&second, make).unwrap();
        assert_eq!((taken.left, taken.has_changed), (vec![103, 1], true));
        assert_eq!(topology.owner(0), Some(&3));
        assert_eq!(
            (of(&topology, 0), of(&topology, 99)),
            (vec![104], vec![105])
        );
        let all: Vec<_> = topology.all_replicas().copied().collect();
        assert_eq!(all, [104, 105]);
    }

    #[test]
    fn a_node_that_can_not_be_made_leaves_the_map_as_it_was() {
        let mut topology = Topology::default();
        topology.replace(&[range(0, 16_383, 1)], make).unwrap();
        let fails = |_: &Address, _| Err(());
        assert_eq!(topology.replace(&[range(0, 16_383, 2)], fails), Err(()));
        let moved = Redirection {
            slot: 5,
            address: address("h", 2),
        };
        assert_eq!(topology.patch(&moved, |_| Err(())), Err(()));
        assert_eq!(topology.owner(5), Some(&1));
    }
}
