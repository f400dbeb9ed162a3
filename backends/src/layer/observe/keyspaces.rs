//! The keyspace of a key, as a label.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::keyspace::{SESSIONS, TOWER_SESSIONS};

/// The label of keys that belong to no registered keyspace, and of calls without a key.
pub(super) const OTHER: &str = "other";

/// The prefixes of all registered keyspaces, and those that sessions have unless another one is
/// set.
static PREFIXES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let known = [SESSIONS, TOWER_SESSIONS].into_iter();
    #[cfg(feature = "derive")]
    let registered = crate::keyspace::keyspaces();
    #[cfg(feature = "derive")]
    let known = known.chain(registered.iter().map(|keyspace| keyspace.prefix));
    known.map(|prefix| (prefix, prefix)).collect()
});

/// Returns the prefix of the keyspace that a key belongs to, in any version of it; a key of a lease
/// belongs to the keyspace of its value.
///
/// No prefix has a colon or an `@` in it.
pub(super) fn of_key(key: Option<&str>) -> &'static str {
    let first = key.and_then(|key| key.split([':', '@']).next());
    let known = first.and_then(|first| PREFIXES.get(first));
    known.copied().unwrap_or(OTHER)
}
