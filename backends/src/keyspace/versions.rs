//! The places where an entry can be: under the key of its keyspace, or under that of a version that
//! it migrates from.

use super::Keyspace;
use super::info::KeyspaceInfo;
use super::key::Key;

/// The keys of one entry, one a version.
///
/// Nobody reads two keys in one step, so readers and writers keep an order. An entry is only ever
/// moved to a newer key, and never before that key is written: a reader that looks from the newest
/// down to the oldest and up again can't miss an entry that is being moved. A removal goes from the
/// oldest to the newest: nothing older shows up on the way.
#[derive(Debug)]
pub(crate) struct VersionedKeys<'k> {
    newest: &'k Key,
    /// The keys of the older versions, newest first, and the number of versions that each is behind
    /// the newest.
    older: Vec<(usize, Key)>,
}

impl<'k> VersionedKeys<'k> {
    /// Returns the keys of one entry of `K`.
    pub(crate) fn of<K: Keyspace>(key: &'k Key) -> Self {
        // Known when it is compiled; looking for it took a twentieth of a shared read.
        if K::INFO.migrates.is_none() {
            let older = Vec::new();
            return Self { newest: key, older };
        }
        Self::new(key, &K::INFO)
    }

    /// Returns the keys of each of some entries of `K`.
    pub(super) fn all<K: Keyspace>(keys: &'k [Key]) -> Vec<Self> {
        keys.iter().map(Self::of::<K>).collect()
    }

    pub(super) fn new(key: &'k Key, keyspace: &KeyspaceInfo) -> Self {
        let older = keyspace.versions().enumerate().skip(1);
        let older = older.filter_map(|(back, older)| Some((back, key.moved(keyspace, older)?)));
        let older = older.collect();
        Self { newest: key, older }
    }

    pub(crate) fn newest(&self) -> &'k Key {
        self.newest
    }

    /// Returns the keys to look at: from the newest down to the oldest, and up again.
    pub(super) fn search(&self) -> impl Iterator<Item = (usize, &Key)> {
        let up = self.oldest_first().skip(1);
        std::iter::once((0, self.newest))
            .chain(self.older())
            .chain(up)
    }

    pub(crate) fn oldest_first(&self) -> impl Iterator<Item = (usize, &Key)> {
        let older = self.older.iter().rev().map(|(back, key)| (*back, key));
        older.chain(std::iter::once((0, self.newest)))
    }

    /// Returns the texts of the keys of all versions, oldest first.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.oldest_first().map(|(_, key)| key.as_str())
    }

    /// Returns the keys of the older versions, newest first, and the number of versions that each
    /// is behind the newest.
    pub(super) fn older(&self) -> impl Iterator<Item = (usize, &Key)> {
        self.older.iter().map(|(back, key)| (*back, key))
    }

    /// Returns the keys of the versions that are more than `back` versions old, oldest first.
    pub(super) fn older_than(&self, back: usize) -> Vec<&str> {
        let older = self.oldest_first().filter(|(other, _)| *other > back);
        older.map(|(_, key)| key.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Life;
    use crate::keyspace::Kind;

    const FIRST: KeyspaceInfo = KeyspaceInfo::new("S", "s", Kind::Value, &["id"], Life::Never);
    const SECOND: KeyspaceInfo = FIRST.version(2).migrates(&FIRST);
    const THIRD: KeyspaceInfo = FIRST.version(3).migrates(&SECOND);

    fn texts<'a>(versions: impl Iterator<Item = (usize, &'a Key)>) -> Vec<(usize, &'a str)> {
        versions.map(|(back, key)| (back, key.as_str())).collect()
    }

    fn key(keyspace: &KeyspaceInfo) -> Key {
        Key::build(keyspace, |key| {
            key.field("x");
        })
    }

    #[test]
    fn a_search_goes_down_and_up_again() {
        let key = key(&THIRD);
        let versions = VersionedKeys::new(&key, &THIRD);
        assert_eq!(
            texts(versions.search()),
            [
                (0, "s@3:x"),
                (1, "s@2:x"),
                (2, "s:x"),
                (1, "s@2:x"),
                (0, "s@3:x")
            ]
        );
    }

    #[test]
    fn a_removal_begins_with_the_oldest() {
        let key = key(&THIRD);
        let versions = VersionedKeys::new(&key, &THIRD);
        assert_eq!(
            texts(versions.oldest_first()),
            [(2, "s:x"), (1, "s@2:x"), (0, "s@3:x")]
        );
        assert_eq!(versions.older_than(0), ["s:x", "s@2:x"]);
        assert_eq!(versions.older_than(1), ["s:x"]);
    }

    #[test]
    fn without_older_versions_there_is_one_place() {
        let key = key(&FIRST);
        let versions = VersionedKeys::new(&key, &FIRST);
        assert_eq!(texts(versions.search()), [(0, "s:x")]);
        assert_eq!(texts(versions.oldest_first()), [(0, "s:x")]);
    }
}
