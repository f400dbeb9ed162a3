//! Prefixes that a program sets when it makes a store or a throttle, against those that are registered.

use std::any::type_name;

use super::info::Kind;
use crate::error::BackendResult;

/// The prefix of a `SessionStore` that is given none.
pub(crate) const SESSIONS: &str = "session-store";
/// The prefix of a `TowerSessions` that is given none.
#[cfg(any(feature = "derive", feature = "tower-sessions"))]
pub(crate) const TOWER_SESSIONS: &str = "tower-sessions";

/// What is made under a prefix.
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

    /// Makes sure that nothing else is registered under `prefix`.
    ///
    /// It is one look into a table. Without the feature `derive` nothing is registered.
    ///
    /// # Errors
    ///
    /// `InvalidConfig`, which names both.
    #[cfg(feature = "derive")]
    pub(crate) fn check(self, prefix: &str) -> BackendResult<()> {
        registered::check(self, prefix)
    }

    #[cfg(not(feature = "derive"))]
    pub(crate) fn check(self, _prefix: &str) -> BackendResult<()> {
        let _ = (self.kind, self.types);
        Ok(())
    }
}

#[cfg(feature = "derive")]
mod registered {
    use std::collections::HashMap;
    use std::fmt;
    use std::sync::LazyLock;

    use super::Owner;
    use crate::error::{BackendError, BackendResult, ErrorKind};
    use crate::keyspace::info::Kind;
    use crate::keyspace::registration::{Ambiguous, Registration};
    use crate::keyspace::registry::{ambiguous_place, place};

    /// What is registered under a prefix.
    struct Held {
        kind: Kind,
        types: [&'static str; 2],
        place: String,
    }

    /// A throttle may be made for each request, and the list of what is registered is long.
    static BY_PREFIX: LazyLock<HashMap<&'static str, Vec<Held>>> = LazyLock::new(|| {
        let mut by_prefix: HashMap<_, Vec<Held>> = HashMap::new();
        for it in inventory::iter::<Registration>() {
            by_prefix.entry(it.info.prefix).or_default().push(Held {
                kind: it.info.kind,
                types: (it.types)(),
                place: place(&it.info),
            });
        }
        for it in inventory::iter::<Ambiguous>() {
            by_prefix.entry(it.prefix).or_default().push(Held {
                kind: it.kind,
                types: ["", ""],
                place: ambiguous_place(it),
            });
        }
        by_prefix
    });

    pub(super) fn check(owner: Owner, prefix: &str) -> BackendResult<()> {
        let Some(held) = BY_PREFIX.get(prefix) else {
            return Ok(());
        };
        let Some(other) = held.iter().find(|held| !is_shared(owner, held)) else {
            return Ok(());
        };
        Err(BackendError::new(
            ErrorKind::InvalidConfig,
            format!(
                "{owner} can't have the prefix `{prefix}`, which is that of {}: give one of them another prefix",
                other.place
            ),
        ))
    }

    /// Says whether `owner` stores what is registered. Typed throttles store the same as others.
    fn is_shared(owner: Owner, held: &Held) -> bool {
        match owner.kind {
            Kind::Throttles => matches!(held.kind, Kind::Throttles | Kind::Throttle),
            kind => kind == held.kind && owner.types == held.types,
        }
    }

    /// Says what asks for a prefix.
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
}
