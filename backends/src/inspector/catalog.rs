//! The keyspaces that the inspector knows, and which of them people may look at.

use std::sync::LazyLock;

use crate::keyspace::{
    Inspected, KeyspaceInfo, Registration, key_fields, registrations, versioned,
};

/// A registered keyspace.
#[derive(Debug)]
pub(super) struct Listed {
    /// The prefix, and the version from 2 on: `session@2`.
    pub(super) name: String,
    pub(super) info: &'static KeyspaceInfo,
    pub(super) registration: &'static Registration,
    /// The functions that show entries; `None` if nobody may look at them.
    pub(super) inspected: Option<Inspected>,
    /// True if entries may be deleted where that is switched on: a deletion takes the entry's older
    /// versions along, so nobody may see that who may not see these.
    pub(super) may_be_deleted: bool,
}

/// Returns all registered keyspaces, by prefix and version.
///
/// Two keyspaces that share their keys by mistake are shown only if both say `inspect`: an entry of
/// the one could otherwise be read as an entry of the other. One that shares them with types of a
/// generic struct which nobody has registered isn't shown at all.
pub(super) fn catalog() -> &'static [Listed] {
    static CATALOG: LazyLock<Vec<Listed>> = LazyLock::new(|| {
        let all = registrations();
        let listed = all.iter().map(|registration| {
            let info = registration.info();
            let all = all.iter().map(|other| other.info());
            let mut same =
                all.filter(|other| (other.prefix, other.version) == (info.prefix, info.version));
            let may_be_shown =
                same.all(|other| other.inspect) && !registration.shares_keys_unseen();
            Listed {
                name: versioned(info),
                info,
                registration,
                inspected: registration.inspected().filter(|_| may_be_shown),
                may_be_deleted: info.versions().all(|version| version.inspect),
            }
        });
        listed.collect()
    });
    &CATALOG
}

/// Returns the keyspace of this name, `session@2`. Of several that share their keys, the first.
pub(super) fn find(name: &str) -> Option<&'static Listed> {
    catalog().iter().find(|listed| listed.name == name)
}

impl Listed {
    /// Returns the type of the struct, with its module.
    pub(super) fn path(&self) -> String {
        match self.info.location.module {
            "" => self.info.name.to_string(),
            module => format!("{module}::{}", self.info.name),
        }
    }

    /// Returns the form of the keys: `session@2:{user}:id`.
    pub(super) fn key_form(&self) -> String {
        format!("{}:{}", self.name, key_fields(self.info, ":"))
    }
}
