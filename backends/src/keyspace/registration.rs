//! The registration of keyspaces when a program is linked, and the macro that registers the types
//! of generic keyspaces.

use std::panic::catch_unwind;

use super::info::{KeyspaceInfo, Kind, Location};
#[cfg(feature = "inspector")]
use super::inspected::Inspected;
use super::key::Key;
use super::vtable::{Of, Vtable};
use super::{Counter, Keyspace, Throttled, Valued};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// For the derive: the data that the registry holds of a keyspace.
#[derive(Debug)]
pub struct Registration {
    pub(super) info: KeyspaceInfo,
    /// The place where the struct is declared; empty if there is no struct.
    pub(super) declared: Location,
    pub(super) vtable: &'static Vtable,
}

inventory::collect!(Registration);

impl Registration {
    /// Registers a keyspace of values.
    pub const fn of_values<K: Valued>() -> Self {
        Self::of_keyspace::<K>(Of::<K>::VALUES)
    }

    /// Registers a keyspace of counters.
    pub const fn of_counters<K: Counter>() -> Self {
        Self::of_keyspace::<K>(Of::<K>::COUNTERS)
    }

    /// Registers a keyspace of throttles.
    pub const fn of_throttles<K: Throttled>() -> Self {
        Self::of_keyspace::<K>(Of::<K>::THROTTLES)
    }

    const fn of_keyspace<K: Keyspace>(vtable: &'static Vtable) -> Self {
        Self {
            info: K::INFO,
            declared: K::INFO.location,
            vtable,
        }
    }

    /// Registers a store or a throttle that the program makes under a prefix.
    pub(crate) const fn at_run_time(info: KeyspaceInfo, vtable: &'static Vtable) -> Self {
        Self {
            info,
            declared: Location::new("", "", 0, 0),
            vtable,
        }
    }

    /// For [`register_keyspace!`](crate::register_keyspace): names one type of a generic keyspace,
    /// and the place that registers it.
    #[must_use]
    pub const fn registered(mut self, name: &'static str, location: Location) -> Self {
        self.info.name = name;
        if matches!(self.info.kind, Kind::Entry) {
            self.info.value = name;
        }
        self.info.location = location;
        self
    }

    /// Returns the declaration.
    pub(crate) fn info(&self) -> &KeyspaceInfo {
        &self.info
    }

    /// Says whether a text that begins as the keys of the keyspace do is one of them. The code of a
    /// key field that panics has no such key.
    pub(crate) fn is_key(&self, text: &str) -> bool {
        let segments = match text.split_once(':') {
            None | Some((_, "")) => 0,
            Some((_, segments)) => segments.split(':').count(),
        };
        let is_key = || catch_unwind(|| (self.vtable.is_key)(text)).unwrap_or(false);
        segments == self.info.key_fields.len() && is_key()
    }

    /// Makes sure that the bytes under a key are a value of the keyspace.
    ///
    /// # Errors
    ///
    /// `Decode`, also if the code of the value panics; `WrongType` for a throttle.
    pub(crate) fn check(&self, key: &Key, bytes: &[u8]) -> BackendResult<()> {
        let checked = catch_unwind(|| (self.vtable.check)(key, bytes));
        checked.unwrap_or_else(|_| {
            let message = "the code of the value's type panicked";
            Err(BackendError::new(ErrorKind::Decode, message))
        })
    }

    /// Says whether types that nobody has registered may have the same keys: those of another
    /// struct, which has a parameter that is no part of its prefix.
    #[cfg(feature = "inspector")]
    pub(crate) fn shares_keys_unseen(&self) -> bool {
        let mut ambiguous = inventory::iter::<Ambiguous>();
        ambiguous.any(|other| other.prefix == self.info.prefix && other.location != self.declared)
    }

    /// Returns the functions that show people the entries of the keyspace; `None` unless the
    /// declaration has the word `inspect`.
    #[cfg(feature = "inspector")]
    pub(crate) fn inspected(&self) -> Option<Inspected> {
        self.vtable.inspected
    }

    /// Says whether both register the same thing, as two crates may do that don't know of each
    /// other.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let named = |it: &Self| (it.info.prefix, it.info.version, it.info.kind, it.declared);
        named(self) == named(other) && (self.vtable.types)() == (other.vtable.types)()
    }
}

/// For the derive: the registration of a keyspace with type or constant parameters, type by type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't registered by a macro",
    note = "`register_keyspace!` takes one type of a keyspace with type or constant parameters, such as `Cached<User>`; \
        every other keyspace registers itself where it is derived"
)]
pub trait Registered: Keyspace {
    /// The data that the registry holds of this type.
    const REGISTRATION: Registration;
}

/// For the derive: a keyspace with type or constant parameters that have no part in its prefix, so
/// that several types of it have the same keys.
#[derive(Debug)]
pub struct Ambiguous {
    pub(super) name: &'static str,
    /// The prefix as it is declared, `cached.<T::NAME>`.
    pub(super) prefix: &'static str,
    pub(super) kind: Kind,
    /// The parameters, `T` or `T, N`.
    pub(super) parameters: &'static str,
    /// The declaration to write instead, `prefix = ["cached", T::NAME]`.
    pub(super) remedy: &'static str,
    pub(super) location: Location,
}

inventory::collect!(Ambiguous);

impl Ambiguous {
    /// `` `app::Cached` (src/app.rs:7:12) ``
    pub(super) fn place(&self) -> String {
        let Self { name, location, .. } = self;
        format!("`{}::{name}` ({location})", location.module)
    }

    /// Names a keyspace.
    pub const fn new(
        name: &'static str,
        prefix: &'static str,
        kind: Kind,
        parameters: &'static str,
        remedy: &'static str,
        location: Location,
    ) -> Self {
        Self {
            name,
            prefix,
            kind,
            parameters,
            remedy,
            location,
        }
    }
}

/// `` `app::Session` (src/app.rs:7:12) ``
pub(super) fn place(info: &KeyspaceInfo) -> String {
    let name = match info.kind {
        Kind::Sessions => format!(
            "the sessions of `{}` with the codec `{}`",
            info.value, info.codec
        ),
        Kind::TowerSessions => "the sessions of tower-sessions".to_string(),
        Kind::Throttles => "the throttles".to_string(),
        _ => format!("`{}`", path(info)),
    };
    format!("{name} ({})", info.location)
}

/// `app::Session`; for a store or a throttle that the program makes, the name alone.
pub(super) fn path(info: &KeyspaceInfo) -> String {
    match info.kind {
        Kind::Sessions | Kind::TowerSessions | Kind::Throttles => info.name.to_string(),
        _ => format!("{}::{}", info.location.module, info.name),
    }
}

/// Registers one type of a keyspace that has type or constant parameters.
///
/// A keyspace without such parameters registers itself where it is derived. A keyspace with
/// parameters is many keyspaces, and the derive can't know which of them a program uses. Each one
/// that is registered is in [`keyspaces`](crate::keyspaces()) and in the [schema
/// lock](crate::assert_schema_lock), and [`check_keyspaces`](crate::check_keyspaces()) finds a
/// second one with the same prefix. Lifetimes are written as `'static`. The macro stands where an
/// item or a statement can stand; the same type may be registered in several places.
///
/// # Examples
///
/// ```standalone_crate
/// use reinhardt_backends::{Keyspace, check_keyspaces, keyspaces, register_keyspace};
/// use serde::{Deserialize, Serialize};
///
/// trait Named {
///     const NAME: &'static str;
/// }
///
/// #[derive(Serialize, Deserialize)]
/// struct User {
///     name: String,
/// }
///
/// impl Named for User {
///     const NAME: &'static str = "user";
/// }
///
/// #[derive(Serialize, Deserialize, Keyspace)]
/// #[keyspace(prefix = ["cached", T::NAME], ttl = "5m")]
/// struct Cached<T: Named> {
///     #[keyspace(key)]
///     id: u64,
///     value: T,
/// }
///
/// register_keyspace!(Cached<User>);
///
/// # fn main() {
/// check_keyspaces().unwrap();
/// let keyspaces = keyspaces();
/// assert_eq!((keyspaces[0].prefix, keyspaces[0].name), ("cached.user", "Cached<User>"));
/// assert_eq!(&*Cached::<User>::key(7), "cached.user:7");
/// # }
/// ```
#[macro_export]
macro_rules! register_keyspace {
    ($keyspace:ty $(,)?) => {
        $crate::__private::submit! {
            <$keyspace as $crate::keyspace::Registered>::REGISTRATION
                .registered(::core::stringify!($keyspace), $crate::__here!())
        }
    };
}

/// The place of a macro's call.
#[doc(hidden)]
#[macro_export]
macro_rules! __here {
    () => {
        $crate::keyspace::Location::new(
            ::core::module_path!(),
            ::core::file!(),
            ::core::line!(),
            ::core::column!(),
        )
    };
}
