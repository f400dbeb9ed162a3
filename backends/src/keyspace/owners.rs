//! The keyspace that a key belongs to, found by the beginning of the key.

use std::collections::{HashMap, HashSet};

use super::info::{KeyspaceInfo, Kind};
use super::prefixes::{SESSIONS, TOWER_SESSIONS};
use super::registration::Registration;
use super::registry::{registrations, versioned};
use crate::lease;

/// The owner of a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Owner<'k> {
    /// The keyspace with this position.
    Keyspace(usize),
    /// A lease, by name or of a value that is computed.
    Lease,
    /// A keyspace of the program, in this version that the program doesn't declare.
    OtherVersion(&'k str, u32),
    /// None of the program's.
    Nobody,
}

/// A keyspace to look for.
pub(crate) struct Sought {
    /// The prefix and the version as they begin a key: `session@2`.
    pub(crate) head: String,
    /// `None` for sessions under the prefix that they have unless another one is set, where no
    /// macro declares them.
    pub(crate) registration: Option<&'static Registration>,
}

impl Sought {
    pub(crate) fn info(&self) -> Option<&'static KeyspaceInfo> {
        self.registration.map(Registration::info)
    }

    pub(crate) fn name(&self) -> &'static str {
        match (self.info(), &*self.head) {
            (Some(info), _) => info.name,
            (None, TOWER_SESSIONS) => "TowerSessions",
            (None, _) => "SessionStore",
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match (self.info(), &*self.head) {
            (Some(info), _) => info.kind,
            (None, TOWER_SESSIONS) => Kind::TowerSessions,
            (None, _) => Kind::Sessions,
        }
    }

    /// Returns keys to ask for rights with, each with what it is a key of.
    pub(crate) fn keys(&self) -> Vec<(String, String)> {
        let Some(info) = self.info() else {
            return Vec::new();
        };
        let head = &self.head;
        let lease = info.lease.map(|_| {
            let name = format!("the leases of {head}");
            (name, format!("{head}@lease:"))
        });
        [(head.clone(), format!("{head}:"))]
            .into_iter()
            .chain(lease)
            .collect()
    }
}

/// All keyspaces of the program.
pub(crate) struct Owners {
    pub(crate) keyspaces: Vec<Sought>,
    by_head: HashMap<String, usize>,
    prefixes: HashSet<&'static str>,
}

impl Owners {
    /// Lists the registered keyspaces.
    pub(crate) fn of_the_program() -> Self {
        Self::of(registrations())
    }

    fn of(registrations: Vec<&'static Registration>) -> Self {
        let mut prefixes: HashSet<_> = registrations.iter().map(|it| it.info().prefix).collect();
        let mut keyspaces: Vec<_> = registrations
            .into_iter()
            .map(|registration| Sought {
                head: versioned(registration.info()),
                registration: Some(registration),
            })
            .collect();
        for prefix in [SESSIONS, TOWER_SESSIONS] {
            if prefixes.insert(prefix) {
                keyspaces.push(Sought {
                    head: prefix.to_string(),
                    registration: None,
                });
            }
        }
        let by_head = keyspaces.iter().enumerate();
        let by_head = by_head.map(|(at, keyspace)| (keyspace.head.clone(), at));
        Self {
            by_head: by_head.collect(),
            keyspaces,
            prefixes,
        }
    }

    /// Returns the position of a keyspace, if it is registered.
    pub(crate) fn position(&self, info: &KeyspaceInfo) -> Option<usize> {
        self.by_head.get(&versioned(info)).copied()
    }

    pub(crate) fn owner<'k>(&self, key: &'k str) -> Owner<'k> {
        if lease::is_key(key) {
            return Owner::Lease;
        }
        let head = key.split(':').next().unwrap_or_default();
        if let Some(at) = self.by_head.get(head) {
            return Owner::Keyspace(*at);
        }
        let (prefix, rest) = match head.split_once('@') {
            Some((prefix, rest)) => (prefix, Some(rest)),
            None => (head, None),
        };
        if !self.prefixes.contains(prefix) {
            return Owner::Nobody;
        }
        match rest {
            None => Owner::OtherVersion(prefix, 1),
            Some("lease") => Owner::Lease,
            Some(rest) => match (version(rest), rest.strip_suffix("@lease").map(version)) {
                (Some(version), _) => Owner::OtherVersion(prefix, version),
                (None, Some(Some(_))) => Owner::Lease,
                _ => Owner::Nobody,
            },
        }
    }
}

/// Reads a version as a key has it. A larger number is more likely a part of somebody's key.
fn version(text: &str) -> Option<u32> {
    let version = text
        .parse()
        .ok()
        .filter(|version| (2..1_000).contains(version))?;
    (u32::to_string(&version) == text).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_belongs_to_who_has_its_beginning() {
        let owners = Owners::of(Vec::new());
        let version = |version| Owner::OtherVersion(SESSIONS, version);
        for (key, owner) in [
            ("session-store:abc", Owner::Keyspace(0)),
            ("session-store", Owner::Keyspace(0)),
            ("tower-sessions:abc", Owner::Keyspace(1)),
            ("session-store@2:abc", version(2)),
            ("session-store@999:abc", version(999)),
            // A telephone number is no version.
            ("session-store@491701234:abc", Owner::Nobody),
            ("session-store@1:abc", Owner::Nobody),
            ("session-store@+7:abc", Owner::Nobody),
            ("session-store@007", Owner::Nobody),
            ("session-store@lease:abc", Owner::Lease),
            ("session-store@2@lease:abc", Owner::Lease),
            ("session-store@x@lease:abc", Owner::Nobody),
            ("session-store@x:abc", Owner::Nobody),
            ("session-stores:abc", Owner::Nobody),
            ("lease@name:job", Owner::Lease),
            ("lease@fence", Owner::Lease),
            ("lease:job", Owner::Nobody),
            ("other@2:abc", Owner::Nobody),
            ("", Owner::Nobody),
        ] {
            assert_eq!(owners.owner(key), owner, "{key}");
        }
    }
}
