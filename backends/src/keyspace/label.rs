//! The keyspace of a key, as a label for metrics and traces.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::prefixes::{SESSIONS, TOWER_SESSIONS};

/// The label of keys that belong to no registered keyspace. No prefix begins with such a character.
const OTHER: &str = "_other";
/// The label of calls without a key, and of those on all keys.
const NONE: &str = "_none";
/// The label of leases by name, and of the counter of fencing numbers.
const LEASE: &str = "_lease";

/// The prefixes of all registered keyspaces, and those that sessions have unless another one is
/// set.
static PREFIXES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let known = [SESSIONS, TOWER_SESSIONS].into_iter();
    #[cfg(feature = "derive")]
    let registered = super::keyspaces();
    #[cfg(feature = "derive")]
    let known = known.chain(registered.iter().map(|keyspace| keyspace.prefix));
    known.map(|prefix| (prefix, prefix)).collect()
});

/// Returns the prefix of the keyspace that a key belongs to, in any version of it. The key of a
/// lease under which a value is computed belongs to the keyspace of the value.
///
/// No prefix has a colon or an `@` in it.
pub(crate) fn label(key: Option<&str>) -> &'static str {
    let Some(key) = key.filter(|key| !key.is_empty()) else {
        return NONE;
    };
    if crate::lease::is_key(key) {
        return LEASE;
    }
    let first = key.split([':', '@']).next();
    let known = first.and_then(|first| PREFIXES.get(first));
    known.copied().unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_label_of_its_keyspace_in_any_form() {
        for (key, expected) in [
            ("session-store:abc", "session-store"),
            ("session-store@2:abc", "session-store"),
            ("session-store@lease:abc", "session-store"),
            ("session-store@2@lease:abc", "session-store"),
            ("session-store", "session-store"),
            ("tower-sessions:{abc}", "tower-sessions"),
            ("session-storeabc", OTHER),
            ("abc:session-store", OTHER),
            (":session-store", OTHER),
            ("S3cret", OTHER),
            ("lease@name:job", LEASE),
            ("lease@fence", LEASE),
            ("lease@fences", OTHER),
            ("lease:job", OTHER),
            ("", NONE),
        ] {
            assert_eq!(label(Some(key)), expected, "{key}");
        }
        assert_eq!(label(None), NONE);
    }
}
