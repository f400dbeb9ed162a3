//! Typed keyspaces: the traits that `#[derive(Keyspace)]` implements, and the operations behind the
//! generated accessors.
//!
//! A keyspace is a struct whose key fields name an entry. The derive generates inherent methods;
//! each is one call of a function of this module with the key that it built, so code that is
//! generic over keyspaces calls them directly:
//!
//! ```
//! use reinhardt_backends::keyspace::{self, Entry};
//! use reinhardt_backends::{Backend, BackendResult, Keyspace, MemoryBackend};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Serialize, Deserialize, Keyspace)]
//! #[keyspace(prefix = "session", ttl = "30m")]
//! struct Session {
//!     #[keyspace(key)]
//!     id: String,
//! }
//!
//! async fn create<K: Entry>(backend: &dyn Backend, entry: &K) -> BackendResult<bool> {
//!     keyspace::save_if_absent(backend, entry).await
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> BackendResult<()> {
//! let session = Session { id: "abc".to_string() };
//! assert!(create(&MemoryBackend::new(), &session).await?);
//! assert_eq!(Session::INFO.prefix, "session");
//! # Ok(()) }
//! ```

// Not `async fn`: with the `Send` declared, the compiler need not look into the future at each call
// that is generated.
#![allow(clippy::manual_async_fn)]

mod counter;
pub(crate) mod going_on;
mod info;
#[cfg(feature = "inspector")]
mod inspected;
mod key;
mod label;
mod leading;
#[cfg(feature = "derive")]
mod lives;
mod many;
#[cfg(feature = "derive")]
pub(crate) mod owners;
mod prefix;
mod prefixes;
#[cfg(feature = "derive")]
mod registration;
#[cfg(feature = "derive")]
mod registry;
mod scan;
mod schema;
mod segment;
mod segments;
mod shared;
mod target;
mod throttle;
#[cfg(feature = "inspector")]
pub(crate) mod tree;
mod update;
pub(crate) mod value;
pub(crate) mod versions;
#[cfg(feature = "derive")]
mod vtable;
pub(crate) mod writes;

use crate::codec::Codec;
use crate::error::BackendResult;
use crate::quota::Quota;

#[cfg(feature = "inspector")]
pub(crate) use self::{
    inspected::Inspected,
    lives::life as declared_life,
    registry::{key_fields, registrations, versioned},
    segments::scan_prefix,
};
pub use counter::{count, hit, increment, increment_by};
pub use going_on::WentOn;
pub use info::{KeyspaceInfo, Kind, Location, OnDecodeError, OnUnavailable};
pub use key::Key;
pub(crate) use label::label;
pub use leading::{Leading, LeadingKey, One, Several};
pub use many::{count_many, delete_many, get_many, save_many, set_many};
pub use prefix::JoinedPrefix;
pub(crate) use prefix::{PREFIX_RULE, is_prefix};
#[cfg(feature = "tower-sessions")]
pub(crate) use prefixes::TOWER_SESSIONS;
pub(crate) use prefixes::{Owner, SESSIONS};
#[cfg(feature = "derive")]
pub use registration::{Ambiguous, Registered, Registration};
#[cfg(feature = "derive")]
pub use registry::{Keyspaces, check_keyspaces, keyspaces};
#[cfg(feature = "derive")]
#[doc = include_str!("key_segment.md")]
pub use reinhardt_backends_derive::KeySegment;
pub use scan::{clear, scan, scan_counts, scan_keys};
#[cfg(feature = "schema-lock")]
#[doc(hidden)]
pub use schema::assert_schema_lock;
#[cfg(all(feature = "schema-lock", any(test, fuzzing)))]
#[doc(hidden)]
pub use schema::lock_files;
pub use segment::{KeyArg, KeySegment, SegmentWriter};
pub use segments::{KeyBuilder, Segments};
pub use shared::get_shared;
pub use throttle::{check, check_n, checked_quota, longest_life, peek, peek_n};
pub use update::{
    Change, Same, TryChange, try_update, try_update_or_insert_with, update, update_or_insert_with,
};
pub use value::{
    ValueArg, delete, exists, get, save, save_for, save_if_absent, save_if_present, set, set_for,
    set_if_absent, set_if_present, take, touch, ttl,
};
#[cfg(feature = "derive")]
pub(crate) use vtable::{Values, Vtable};

/// A struct whose key fields name an entry in a backend; derive it.
///
/// The [derive macro](derive@crate::Keyspace) of the same name has the words of `#[keyspace(..)]`,
/// the accessors, the text of keys, versions and migration. The traits that it implements are here
/// for code that is generic over keyspaces.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::Keyspace;
///
/// #[derive(Keyspace)]
/// #[keyspace(prefix = "rate", ttl = "60s", counter)]
/// struct RateCounter<'a> {
///     route: &'a str,
///     user: u64,
/// }
///
/// assert_eq!(RateCounter::INFO.key_fields, ["route", "user"]);
/// let key = RateCounter { route: "/login", user: 7 }.key();
/// assert_eq!(RateCounter::parse_key(&key), Some(("/login".to_string(), 7)));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a keyspace",
    note = "derive it: `#[derive(Keyspace)]` with `#[keyspace(prefix = \"...\", ttl = \"...\")]`"
)]
pub trait Keyspace {
    /// The declaration.
    const INFO: KeyspaceInfo;

    /// The key fields as owned values: one field's type, a tuple of several, `()` of none.
    type OwnedKey;

    /// Reads the text of a key back; `None` if it is not the text of a key of this keyspace, to the
    /// letter.
    fn parse_key(text: &str) -> Option<Self::OwnedKey>;
}

/// A keyspace whose entries hold a value: the struct itself or the type that `value = T` names.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a keyspace of values",
    note = "counters are counted with `increment`, `increment_by` and `hit`"
)]
pub trait Valued: Keyspace {
    /// The type of the value that an entry holds.
    type Value: serde::Serialize + serde::de::DeserializeOwned;
    /// The codec by which the value is stored.
    type Codec: Codec;

    /// Decodes the bytes of the version `back` steps before this one and converts the value. `key`
    /// is the key that was asked for, as this version writes it.
    ///
    /// # Errors
    ///
    /// `Decode`.
    fn decode(_key: &Key, _back: usize, bytes: &[u8]) -> BackendResult<Self::Value> {
        Self::Codec::decode(bytes)
    }

    /// Says whether a value belongs under `key`: an entry with other key fields doesn't, and a
    /// value that isn't the entry itself does.
    fn matches_key(_key: &Key, _value: &Self::Value) -> bool {
        true
    }
}

/// A keyspace whose entries are the structs themselves. If you implement this trait by hand,
/// implement [`matches_key`](Valued::matches_key) too: reads go by it.
pub trait Entry: Valued<Value = Self> + serde::Serialize + serde::de::DeserializeOwned {
    /// Returns the key that the key fields of this entry name.
    fn entry_key(&self) -> Key;
}

/// A keyspace of counters.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a keyspace of counters",
    note = "declare it with `#[keyspace(prefix = \"...\", ttl = \"...\", counter)]`"
)]
pub trait Counter: Keyspace {}

/// A keyspace of throttles.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a keyspace of throttles",
    note = "declare it with `#[keyspace(prefix = \"...\", limit = \"5/min\")]`"
)]
pub trait Throttled: Keyspace {
    /// The quotas that each key of the keyspace is held to, all at once.
    const QUOTAS: &'static [Quota];
}

/// For the derive: a key field of a keyspace, by its position among the key fields.
pub trait KeyField<const AT: usize> {
    /// The type that the field is read back as.
    type Owned;
}

/// For the derive: decodes a value of `O`, which this keyspace migrates from, and converts it.
///
/// # Errors
///
/// `Decode`.
pub fn migrate<K, O>(key: &Key, back: usize, bytes: &[u8]) -> BackendResult<K::Value>
where
    K: Valued,
    O: Valued,
    O::OwnedKey: SameKey<K::OwnedKey>,
    K::Value: From<O::Value>,
{
    let older = key.moved(&K::INFO, &O::INFO);
    O::decode(older.as_ref().unwrap_or(key), back, bytes).map(K::Value::from)
}

/// For the derive: decodes an entry whose skipped key fields are not among its bytes, and has
/// `fill` take them from its key.
///
/// # Errors
///
/// `Decode`.
pub fn decode_filled<K: Entry>(
    key: &Key,
    bytes: &[u8],
    fill: impl FnOnce(&mut K, K::OwnedKey),
) -> BackendResult<K> {
    let mut entry = K::Codec::decode(bytes)?;
    if let Some(key) = K::parse_key(key) {
        fill(&mut entry, key);
    }
    Ok(entry)
}

/// For the derive: keys of the same type, as an entry keeps its key when it is migrated.
#[diagnostic::on_unimplemented(
    message = "`migrates` names a keyspace with another key: `{Self}` there and `{K}` here",
    label = "its key fields have other types than those here, or it has more or fewer"
)]
pub trait SameKey<K> {}

impl<K> SameKey<K> for K {}
