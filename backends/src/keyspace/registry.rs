//! All keyspaces of a program, registered where they are derived.

use std::fmt;
use std::ops::Deref;

use super::info::{KeyspaceInfo, Location};
use super::lives::life;
use super::prefixes::reserved_for;
use super::registration::{Ambiguous, Registration, path, place};
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::table::table;

/// The keyspaces of a program, by prefix and version; prints as a table.
#[derive(Debug, Clone)]
pub struct Keyspaces(Vec<&'static KeyspaceInfo>);

/// Returns the keyspaces of the running program: every one that was derived in it or in a library
/// that it links, and those that are declared by [`register_keyspace!`](crate::register_keyspace),
/// [`register_sessions!`](crate::register_sessions), `register_tower_sessions!` and
/// [`register_throttle!`](crate::register_throttle).
///
/// For a keyspace with type or constant parameters, the types that are registered are listed. A
/// keyspace that is declared in several places is listed once.
///
/// # Examples
///
/// ```standalone_crate
/// use reinhardt_backends::{Keyspace, keyspaces};
///
/// #[derive(Keyspace)]
/// #[keyspace(prefix = "rate", ttl = "60s", counter)]
/// struct RateCounter {
///     route: String,
/// }
///
/// # fn main() {
/// let keyspaces = keyspaces();
/// let rate = keyspaces.iter().find(|keyspace| keyspace.prefix == "rate").unwrap();
/// assert_eq!(rate.name, "RateCounter");
/// assert_eq!(rate.key_fields, ["route"]);
/// println!("{keyspaces}");
/// # }
/// ```
pub fn keyspaces() -> Keyspaces {
    let all = registrations().into_iter();
    Keyspaces(all.map(|registration| &registration.info).collect())
}

/// Lists the registered keyspaces, by prefix and version, each of them once.
pub(crate) fn registrations() -> Vec<&'static Registration> {
    let mut all: Vec<_> = inventory::iter::<Registration>().collect();
    all.sort_by_key(|it| {
        let info = &it.info;
        let place = info.location;
        (
            info.prefix,
            info.version,
            place.module,
            info.name,
            place.line,
            place.column,
        )
    });
    let mut each: Vec<&Registration> = Vec::with_capacity(all.len());
    for it in all {
        let same_prefix = each
            .iter()
            .rev()
            .take_while(|other| other.info.prefix == it.info.prefix);
        if !same_prefix.into_iter().any(|other| other.is_same(it)) {
            each.push(it);
        }
    }
    each
}

/// Makes sure that no two keyspaces of the program share keys, and that each version of one is
/// migrated from or gone.
///
/// Call it in a test, or first thing in `main`. The check goes by the list of [`keyspaces`]: the
/// prefixes of sessions and throttles that are made at run time are in that list where a macro
/// declares them.
///
/// # Errors
///
/// `InvalidConfig`, which names, each with the place of its declaration,
///
/// * all keyspaces that have a prefix and a version in common;
/// * those with a prefix in common that no chain of `migrates` joins;
/// * keyspaces with a type or constant parameter that has no part in their prefix: two types of one
///   would share keys;
/// * keyspaces with the prefix `session-store` or `tower-sessions`, which sessions have unless
///   another one is set: their `clear` would log everybody out. These two are known whether a macro
///   declares them or not.
pub fn check_keyspaces() -> BackendResult<()> {
    let registrations = registrations();
    let all = registrations.iter().map(|it| (&it.info, it.declared));
    let mut conflicts = conflicts(&all.collect::<Vec<_>>());
    conflicts.extend(registrations.iter().filter_map(|it| reserved(&it.info)));
    let mut ambiguous: Vec<_> = inventory::iter::<Ambiguous>().collect();
    ambiguous.sort_by_key(|it| (it.prefix, it.location.module, it.name));
    conflicts.extend(ambiguous.into_iter().map(one_prefix_for_all));
    if conflicts.is_empty() {
        return Ok(());
    }
    Err(BackendError::new(
        ErrorKind::InvalidConfig,
        conflicts.join("; "),
    ))
}

/// A declaration, and the place of its struct.
type Declared<'a> = (&'a KeyspaceInfo, Location);

fn conflicts(all: &[Declared<'_>]) -> Vec<String> {
    let mut conflicts = Vec::new();
    for (index, &declared) in all.iter().enumerate() {
        let one = declared.0;
        let same_prefix = all[..index]
            .iter()
            .filter(|other| other.0.prefix == one.prefix);
        for &other_declared in same_prefix {
            let other = other_declared.0;
            if other.version == one.version {
                let versioned = versioned(one);
                let both = both(other, one);
                conflicts.push(format!(
                    "two keyspaces have the keys `{versioned}:..`: {both}"
                ));
            } else if !is_in_chain(other_declared, one) && !is_in_chain(declared, other) {
                let prefix = one.prefix;
                let both = both(other, one);
                conflicts.push(format!(
                    "two versions have the prefix `{prefix}` and neither `migrates` from the other: {both}"
                ));
            }
        }
    }
    conflicts
}

/// Says whose prefix a keyspace has taken, if that is the one of sessions that are given none.
fn reserved(info: &KeyspaceInfo) -> Option<String> {
    let (kind, store) = reserved_for(info.prefix)?;
    (info.kind != kind).then(|| {
        format!(
            "`{}` is the prefix of a `{store}` that is given none: give {} another one",
            info.prefix,
            place(info)
        )
    })
}

fn one_prefix_for_all(keyspace: &Ambiguous) -> String {
    format!(
        "all types of {} that differ in {} have the keys `{}:..`: write `{}`, with a constant that tells them apart",
        keyspace.place(),
        keyspace.parameters,
        keyspace.prefix,
        keyspace.remedy,
    )
}

/// Says whether `newest` migrates from `older`, directly or through other keyspaces. The name and
/// the place of a type that a macro registers are those of the macro; its struct's place tells it
/// apart.
fn is_in_chain((older, declared): Declared<'_>, newest: &KeyspaceInfo) -> bool {
    newest.versions().any(|version| {
        version.prefix == older.prefix
            && version.version == older.version
            && version.location == declared
    })
}

fn both(one: &KeyspaceInfo, other: &KeyspaceInfo) -> String {
    format!("{} and {}", place(one), place(other))
}

/// `session@2`
pub(crate) fn versioned(info: &KeyspaceInfo) -> String {
    match info.version {
        1 => info.prefix.to_string(),
        version => format!("{}@{version}", info.prefix),
    }
}

/// `{tenant}, id`: the key fields, the tag in braces.
pub(super) fn key(info: &KeyspaceInfo) -> String {
    key_fields(info, ", ")
}

/// Returns the names of the key fields with `between` between them, the tag in braces.
pub(crate) fn key_fields(info: &KeyspaceInfo, between: &str) -> String {
    let fields = info.key_fields.iter().enumerate();
    let fields = fields.map(|(position, field)| match info.tag == Some(position) {
        true => format!("{{{field}}}"),
        false => field.to_string(),
    });
    fields.collect::<Vec<_>>().join(between)
}

impl Deref for Keyspaces {
    type Target = [&'static KeyspaceInfo];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl IntoIterator for Keyspaces {
    type Item = &'static KeyspaceInfo;
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Keyspaces {
    type Item = &'a &'static KeyspaceInfo;
    type IntoIter = std::slice::Iter<'a, &'static KeyspaceInfo>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// A line a keyspace, in columns.
impl fmt::Display for Keyspaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = [
            "keys",
            "kind",
            "key fields",
            "value",
            "codec",
            "ttl",
            "type",
            "declared at",
        ];
        f.write_str(&table(&heads, self.0.iter().map(|info| row(info))))
    }
}

fn row(info: &KeyspaceInfo) -> [String; 8] {
    let mut kind = info.kind.as_str().to_string();
    if info.inspect {
        kind.push_str(", inspect");
    }
    let mut life = life(info);
    if info.goes_on() {
        life.push_str(", on_unavailable miss");
    }
    [
        versioned(info),
        kind,
        key(info),
        info.value.to_string(),
        info.codec.to_string(),
        life,
        path(info),
        info.location.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Life;
    use crate::keyspace::Kind;

    const fn keyspace(name: &'static str, prefix: &'static str, line: u32) -> KeyspaceInfo {
        KeyspaceInfo::new(name, prefix, Kind::Value, &["id"], Life::Never)
            .value("String", "cbor")
            .location(Location::new("app", "src/app.rs", line, 8))
    }

    const FIRST: KeyspaceInfo = keyspace("First", "session", 1);
    const SECOND: KeyspaceInfo = keyspace("Second", "session", 2).version(2).migrates(&FIRST);
    const THIRD: KeyspaceInfo = keyspace("Third", "session", 3).version(3).migrates(&SECOND);

    fn found(all: &[&KeyspaceInfo]) -> Vec<String> {
        let all = all.iter().map(|info| (*info, info.location));
        conflicts(&all.collect::<Vec<_>>())
    }

    #[test]
    fn a_chain_of_versions_is_no_conflict() {
        let other = keyspace("Other", "sessions", 4);
        assert_eq!(found(&[&FIRST, &SECOND, &THIRD, &other]), [""; 0]);
        assert_eq!(found(&[&FIRST, &THIRD]), [""; 0]);
    }

    #[test]
    fn an_equal_prefix_and_version_names_both() {
        let copy = keyspace("Copy", "session", 9);
        assert_eq!(
            found(&[&FIRST, &copy]),
            [
                "two keyspaces have the keys `session:..`: `app::First` (src/app.rs:1:8) and `app::Copy` (src/app.rs:9:8)"
            ]
        );
    }

    #[test]
    fn a_version_outside_of_the_chain_names_both() {
        let stray = keyspace("Stray", "session", 9).version(4);
        let found = found(&[&FIRST, &SECOND, &stray]);
        assert_eq!(found.len(), 2);
        assert!(found[1].contains("`session` and neither `migrates` from the other"));
        assert!(
            found[1].contains("`app::Second` (src/app.rs:2:8) and `app::Stray` (src/app.rs:9:8)")
        );
    }

    /// The version that is migrated from needn't be registered, as that of a generic keyspace.
    #[test]
    fn what_has_the_keys_of_an_older_version_is_outside_of_the_chain() {
        let stranger = keyspace("Stranger", "session", 9);
        let found = found(&[&stranger, &SECOND]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("`app::Stranger` (src/app.rs:9:8)"));
    }

    /// A macro registers a type under a name and a place of its own.
    #[test]
    fn an_older_version_that_is_registered_by_a_macro_is_in_the_chain() {
        let place = Location::new("app", "src/types.rs", 70, 1);
        let registered = FIRST.location(place);
        let all = [(&registered, FIRST.location), (&SECOND, SECOND.location)];
        assert_eq!(conflicts(&all), [""; 0]);
    }

    #[test]
    fn the_table_has_a_line_a_keyspace() {
        let sliding = SECOND.tag(0).sliding().jitter(10).miss_when_unavailable();
        let table = Keyspaces(vec![&FIRST, Box::leak(Box::new(sliding))]).to_string();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("keys       kind   key fields  value   codec  ttl"));
        assert!(lines[2].starts_with(
            "session@2  value  {id}        String  cbor   never, sliding, jitter 10%, on_unavailable miss"
        ));
        assert!(lines[2].ends_with("app::Second  src/app.rs:2:8"));
    }
}
