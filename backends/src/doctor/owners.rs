//! The keyspace that a key belongs to, found by the beginning of the key.

use std::collections::{HashMap, HashSet};

use crate::keyspace::{Kind, Registration, SESSIONS, registrations, versioned};
use crate::lease;

/// The owner of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owner<'k> {
    /// The keyspace with this position.
    Keyspace(usize),
    /// A lease, by name or of a value that is computed.
    Lease,
    /// A keyspace of the program, in this version that the program doesn't declare: `session@3`.
    OtherVersion(&'k str),
    /// None of the program's.
    Nobody,
}

/// A keyspace to look for.
#[derive(Debug)]
pub(super) struct Sought {
    /// The prefix and the version as they begin a key: `session@2`.
    pub(super) head: String,
    /// `None` for sessions under the prefix that they have unless another one is set, where no
    /// macro declares them.
    pub(super) registration: Option<&'static Registration>,
}

impl Sought {
    pub(super) fn name(&self) -> &'static str {
        self.registration
            .map_or("SessionStore", |registration| registration.info().name)
    }

    /// Returns a text that begins as the keys of the keyspace do, with the prefix.
    pub(super) fn a_key(&self) -> (String, String) {
        let prefix = self.head.split('@').next().unwrap_or_default();
        (prefix.to_string(), format!("{}:", self.head))
    }

    pub(super) fn kind(&self) -> Kind {
        self.registration
            .map_or(Kind::Sessions, |registration| registration.info().kind)
    }
}

/// All keyspaces of the program.
#[derive(Debug)]
pub(super) struct Owners {
    pub(super) keyspaces: Vec<Sought>,
    by_head: HashMap<String, usize>,
    prefixes: HashSet<&'static str>,
}

impl Owners {
    /// Lists the registered keyspaces.
    pub(super) fn of_the_program() -> Self {
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
        if prefixes.insert(SESSIONS) {
            keyspaces.push(Sought {
                head: SESSIONS.to_string(),
                registration: None,
            });
        }
        let by_head = keyspaces.iter().enumerate();
        let by_head = by_head.map(|(at, keyspace)| (keyspace.head.clone(), at));
        Self {
            by_head: by_head.collect(),
            keyspaces,
            prefixes,
        }
    }

    pub(super) fn owner<'k>(&self, key: &'k str) -> Owner<'k> {
        if lease::is_key(key) {
            return Owner::Lease;
        }
        let head = key.split(':').next().unwrap_or_default();
        if let Some(at) = self.by_head.get(head) {
            return Owner::Keyspace(*at);
        }
        let Some((prefix, rest)) = head.split_once('@') else {
            return Owner::Nobody;
        };
        if !self.prefixes.contains(prefix) {
            return Owner::Nobody;
        }
        if rest == "lease" || rest.ends_with("@lease") {
            return Owner::Lease;
        }
        let is_version = rest.parse::<u32>().is_ok();
        match is_version {
            true => Owner::OtherVersion(head),
            false => Owner::Nobody,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_belongs_to_who_has_its_beginning() {
        let owners = Owners::of(Vec::new());
        for (key, owner) in [
            ("session-store:abc", Owner::Keyspace(0)),
            ("session-store", Owner::Keyspace(0)),
            (
                "session-store@2:abc",
                Owner::OtherVersion("session-store@2"),
            ),
            ("session-store@lease:abc", Owner::Lease),
            ("session-store@2@lease:abc", Owner::Lease),
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
