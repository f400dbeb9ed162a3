//! Prefixes that a program sets when it makes a store or a throttle, against those that are
//! registered.

use std::any::type_name;
use std::fmt;

use super::info::Kind;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The prefix of a `SessionStore` that is given none.
pub(crate) const SESSIONS: &str = "session-store";
/// The prefix of a `TowerSessions` that is given none.
pub(crate) const TOWER_SESSIONS: &str = "tower-sessions";

/// Returns the kind that alone may have a prefix, and the name of the type that is made of that
/// kind.
pub(super) fn reserved_for(prefix: &str) -> Option<(Kind, &'static str)> {
    match prefix {
        SESSIONS => Some((Kind::Sessions, "SessionStore")),
        TOWER_SESSIONS => Some((Kind::TowerSessions, "TowerSessions")),
        _ => None,
    }
}

/// A store or a throttle that is made under a prefix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    kind: Kind,
    /// The data of sessions and their codec.
    types: [&'static str; 2],
}

impl Owner {
    /// A store of sessions.
    pub(crate) fn sessions<T, C>() -> Self {
        Self {
            kind: Kind::Sessions,
            types: [type_name::<T>(), type_name::<C>()],
        }
    }

    /// A store for the crate tower-sessions.
    #[cfg(feature = "tower-sessions")]
    pub(crate) fn tower_sessions() -> Self {
        Self {
            kind: Kind::TowerSessions,
            types: ["", ""],
        }
    }

    /// A throttle.
    pub(crate) fn throttles() -> Self {
        Self {
            kind: Kind::Throttles,
            types: ["", ""],
        }
    }

    /// Makes sure that `prefix` is not that of another store which is given none, and that nothing
    /// else is registered under it.
    ///
    /// The check is one look into a table. Without the feature `derive` nothing is registered.
    ///
    /// # Errors
    ///
    /// `InvalidConfig`, which names both.
    pub(crate) fn check(self, prefix: &str) -> BackendResult<()> {
        if let Some((kind, store)) = reserved_for(prefix)
            && kind != self.kind
        {
            return Err(self.refused(prefix, format_args!("a `{store}` that is given none")));
        }
        #[cfg(feature = "derive")]
        if let Some(other) = registered::other(&self, prefix) {
            return Err(self.refused(prefix, format_args!("{other}")));
        }
        Ok(())
    }

    fn refused(&self, prefix: &str, other: fmt::Arguments<'_>) -> BackendError {
        BackendError::new(
            ErrorKind::InvalidConfig,
            format!(
                "{self} can't have the prefix `{prefix}`, which is that of {other}: give one of them another prefix"
            ),
        )
    }
}

/// Names the store or the throttle that asks for a prefix.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [data, codec] = self.types;
        match self.kind {
            Kind::Sessions => {
                write!(f, "a `SessionStore` of `{data}` with the codec `{codec}`")
            }
            Kind::TowerSessions => f.write_str("a `TowerSessions`"),
            _ => f.write_str("a `Throttle`"),
        }
    }
}

#[cfg(feature = "derive")]
mod registered {
    use std::collections::HashMap;
    use std::sync::LazyLock;

    use super::Owner;
    use crate::keyspace::info::Kind;
    use crate::keyspace::registration::{Ambiguous, Registration, place};

    /// A keyspace that is registered under a prefix.
    struct Held {
        kind: Kind,
        types: [&'static str; 2],
        place: String,
    }

    /// A throttle may be made for each request, and the list of registered keyspaces is long.
    static BY_PREFIX: LazyLock<HashMap<&'static str, Vec<Held>>> = LazyLock::new(|| {
        let mut by_prefix: HashMap<_, Vec<Held>> = HashMap::new();
        for it in inventory::iter::<Registration>() {
            by_prefix.entry(it.info.prefix).or_default().push(Held {
                kind: it.info.kind,
                types: (it.vtable.types)(),
                place: place(&it.info),
            });
        }
        for it in inventory::iter::<Ambiguous>() {
            by_prefix.entry(it.prefix).or_default().push(Held {
                kind: it.kind,
                types: ["", ""],
                place: it.place(),
            });
        }
        by_prefix
    });

    /// Returns the place of something else that is registered under `prefix`.
    pub(super) fn other(owner: &Owner, prefix: &str) -> Option<&'static str> {
        let held = BY_PREFIX.get(prefix)?;
        let other = held.iter().find(|held| !is_shared(owner, held))?;
        Some(&other.place)
    }

    /// Says whether `owner` stores the same entries as the registered keyspace. Typed throttles
    /// store the same as those made at run time.
    fn is_shared(owner: &Owner, held: &Held) -> bool {
        match owner.kind {
            Kind::Throttles => matches!(held.kind, Kind::Throttles | Kind::Throttle),
            kind => kind == held.kind && owner.types == held.types,
        }
    }
}
