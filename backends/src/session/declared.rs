//! Declares the prefixes of sessions where a program is linked.

use std::any::type_name;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::keys::{KEY_FIELDS, MAX_PREFIX};
use super::loaded::SessionRecord;
#[cfg(feature = "tower-sessions")]
use super::tower_sessions;
use crate::codec::Codec;
use crate::keyspace::{KeyspaceInfo, Kind, Location, Registration, Values, Vtable};

impl Registration {
    /// For [`register_sessions!`](crate::register_sessions): registers the sessions of a
    /// `SessionStore`.
    ///
    /// # Panics
    ///
    /// If `prefix` can't be that of sessions: in a constant this is a compile error.
    pub const fn of_sessions<T: DeserializeOwned, C: Codec>(
        prefix: &'static str,
        data: &'static str,
        location: Location,
    ) -> Self {
        check_length(prefix);
        let info = KeyspaceInfo::at_run_time(data, prefix, Kind::Sessions, KEY_FIELDS);
        let info = info.value(data, C::NAME).location(location);
        Self::at_run_time(info, Sessions::<T, C>::VTABLE)
    }

    /// For `register_tower_sessions!`: registers the sessions of a `TowerSessions`.
    ///
    /// # Panics
    ///
    /// If `prefix` can't be that of sessions: in a constant this is a compile error.
    #[cfg(feature = "tower-sessions")]
    pub const fn of_tower_sessions(prefix: &'static str, location: Location) -> Self {
        use crate::codec::Cbor;

        check_length(prefix);
        let fields = tower_sessions::KEY_FIELDS;
        let info = KeyspaceInfo::at_run_time("TowerSessions", prefix, Kind::TowerSessions, fields);
        let info = info.value("Record", Cbor::NAME).location(location);
        Self::at_run_time(info, tower_sessions::VTABLE)
    }
}

/// The sessions of `T` by the codec `C`.
struct Sessions<T, C>(PhantomData<(T, C)>);

impl<T: DeserializeOwned, C: Codec> Sessions<T, C> {
    const VTABLE: &'static Vtable =
        &Values::<SessionRecord<T>, C>::vtable(|| [type_name::<T>(), type_name::<C>()]);
}

const fn check_length(prefix: &str) {
    assert!(
        prefix.len() <= MAX_PREFIX,
        "the prefix of sessions is longer than 64 bytes"
    );
}

/// Declares the sessions that a [`SessionStore`](crate::session::SessionStore) keeps under a
/// prefix, when the program is linked.
///
/// It takes the prefix, the type of the data, and the type of the codec if that isn't
/// [`Cbor`](crate::codec::Cbor). The sessions are in [`keyspaces`](crate::keyspaces()) and in the
/// [schema lock](crate::assert_schema_lock) then, [`check_keyspaces`](crate::check_keyspaces) names
/// what else is declared under the prefix, and a store of other data with this prefix is refused
/// when it is built. The prefix is a literal or a constant; without a call of
/// [`prefix`](crate::session::SessionStoreBuilder::prefix) it is `session-store`.
///
/// The macro stands where an item or a statement can stand. The same declaration may stand in
/// several places, such as two crates of one program: it is listed once.
///
/// # Examples
///
/// ```standalone_crate
/// use reinhardt_backends::session::SessionStore;
/// use reinhardt_backends::{ErrorKind, MemoryBackend};
/// use reinhardt_backends::{check_keyspaces, keyspaces, register_sessions};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Visit {
///     basket: Vec<u64>,
/// }
///
/// const STAFF: &str = "staff";
/// register_sessions!(STAFF, Visit);
///
/// # fn main() {
/// check_keyspaces().unwrap();
/// println!("{}", keyspaces());
/// let sessions = SessionStore::<Visit, _>::builder(MemoryBackend::new()).prefix(STAFF);
/// assert!(sessions.build().is_ok());
/// let others = SessionStore::<String, _>::builder(MemoryBackend::new()).prefix(STAFF);
/// assert_eq!(others.build().unwrap_err().kind(), ErrorKind::InvalidConfig);
/// # }
/// ```
#[macro_export]
macro_rules! register_sessions {
    ($prefix:expr, $data:ty $(,)?) => {
        $crate::register_sessions!($prefix, $data, $crate::codec::Cbor);
    };
    ($prefix:expr, $data:ty, $codec:ty $(,)?) => {
        $crate::__private::submit! {
            $crate::keyspace::Registration::of_sessions::<$data, $codec>(
                $prefix,
                ::core::stringify!($data),
                $crate::__here!(),
            )
        }
    };
}

/// Declares the sessions that a [`TowerSessions`](crate::session::TowerSessions) keeps under a
/// prefix, when the program is linked.
///
/// The sessions are in [`keyspaces`](crate::keyspaces()) and in the [schema
/// lock](crate::assert_schema_lock) then, and [`check_keyspaces`](crate::check_keyspaces) names
/// what else is declared under the prefix. The prefix is a literal or a constant; that of
/// [`TowerSessions::new`](crate::session::TowerSessions::new) is `tower-sessions`.
///
/// The macro stands where an item or a statement can stand. The same declaration may stand in
/// several places, such as two crates of one program: it is listed once.
///
/// # Examples
///
/// ```standalone_crate
/// use reinhardt_backends::session::TowerSessions;
/// use reinhardt_backends::{MemoryBackend, check_keyspaces, keyspaces, register_tower_sessions};
///
/// register_tower_sessions!("web");
///
/// # fn main() -> reinhardt_backends::BackendResult<()> {
/// check_keyspaces()?;
/// assert_eq!(keyspaces()[0].prefix, "web");
/// let sessions = TowerSessions::with_prefix(MemoryBackend::new(), "web")?;
/// # Ok(()) }
/// ```
#[cfg(feature = "tower-sessions")]
#[macro_export]
macro_rules! register_tower_sessions {
    ($prefix:expr $(,)?) => {
        $crate::__private::submit! {
            $crate::keyspace::Registration::of_tower_sessions($prefix, $crate::__here!())
        }
    };
}
