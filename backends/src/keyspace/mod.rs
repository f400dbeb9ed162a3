//! Typed keyspaces: what `#[derive(Keyspace)]` implements, and the operations behind the generated accessors.
//!
//! A keyspace is a struct whose key fields name an entry. The derive generates inherent methods; each is one call of a
//! function of this module with the key that it built, so code that is generic over keyspaces calls them directly:
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
//!     keyspace::set_if_absent::<K, _, _>(backend, entry.entry_key(), entry).await
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> BackendResult<()> {
//! let session = Session { id: "abc".to_string() };
//! assert!(create(&MemoryBackend::new(), &session).await?);
//! assert_eq!(Session::INFO.prefix, "session");
//! # Ok(()) }
//! ```

mod counter;
mod entry;
mod flight;
mod key;
mod segment;
mod update;
mod value;

use crate::backend::{Life, MAX_TTL};
use crate::codec::Codec;

pub use counter::{count, hit, increment, increment_by};
pub use entry::{scan, update_entry};
pub use flight::get_or_set_with;
pub use key::{Key, KeyBuilder, Segments};
pub use segment::{KeyArg, KeySegment, SegmentWriter};
pub use update::update;
pub use value::{
    ValueArg, clear, delete, exists, get, get_many, set, set_for, set_if_absent, set_if_present,
    take, touch, ttl,
};

/// What a keyspace declares at its type; the derive writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyspaceInfo {
    /// The name of the struct.
    pub name: &'static str,
    /// The first part of every key.
    pub prefix: &'static str,
    /// What the keyspace holds.
    pub kind: Kind,
    /// The names of the key fields, in order.
    pub key_fields: &'static [&'static str],
    /// The life that is given where a call names no other: [`Life::In`] or [`Life::Never`].
    pub life: Life,
}

/// What a keyspace holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The struct itself is the value and some of its fields are the key.
    Entry,
    /// The struct is a key with a value type of its own.
    Value,
    /// The struct is the key of a counter.
    Counter,
}

impl KeyspaceInfo {
    /// For the derive: puts the declaration together, at compile time.
    ///
    /// # Panics
    ///
    /// If `life` is zero, over the limit or [`Life::Keep`]: in a constant this is a compile error.
    pub const fn new(
        name: &'static str,
        prefix: &'static str,
        kind: Kind,
        key_fields: &'static [&'static str],
        life: Life,
    ) -> Self {
        match life {
            Life::Keep => panic!("a keyspace declares a life of its own"),
            Life::Never => {}
            Life::In(ttl) => {
                assert!(!ttl.is_zero(), "the ttl of a keyspace is zero");
                assert!(
                    ttl.as_nanos() <= MAX_TTL.as_nanos(),
                    "the ttl of a keyspace is over 10,000 years"
                );
            }
        }
        Self {
            name,
            prefix,
            kind,
            key_fields,
            life,
        }
    }
}

/// A struct whose key fields name an entry in a backend; derive it.
///
/// The derive declares the keyspace once, at the type, and generates accessors as inherent methods: they need no import,
/// carry the names of the key fields, and exist only where they make sense.
///
/// | on the struct | |
/// |---|---|
/// | `prefix = "session"` | required: the first part of every key, a lower-case letter and then lower-case letters, digits, `_`, `.` or `-` |
/// | `ttl = "30m"` | required: how long an entry lives, as text, as the path of a `Duration` constant, or `never` |
/// | `value = T` | every field is part of the key, and what is stored is a `T`, not the struct |
/// | `counter` | every field is part of the key of a counter; `ttl` is its window |
///
/// With neither `value` nor `counter` the struct is stored itself: it implements serde's `Serialize` and `Deserialize`, and
/// `#[keyspace(key)]` marks the fields that are its key, whose order is the order of the accessors' parameters.
///
/// | kind | accessors |
/// |---|---|
/// | the struct itself | `key`, `get`, `get_many`, `exists`, `delete`, `take`, `ttl`, `touch`, `update`, `scan` and `clear` of the type; `save`, `save_for`, `save_if_absent` and `save_if_present` of a value |
/// | `value = T` | `key`, `get`, `set`, `set_for`, `set_if_absent`, `set_if_present`, `take`, `delete`, `exists`, `ttl`, `touch`, `update` and `get_or_set_with` of a key; `clear` of the type |
/// | `counter` | `key`, `increment`, `increment_by`, `hit`, `get`, `ttl` and `reset` of a key; `clear` of the type |
///
/// Their futures borrow the backend and what arguments they are given, never the struct, and are `Send`; those of `update`
/// and `get_or_set_with` where their closures and values are. A method of your own can't have the name of an accessor.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use reinhardt_backends::{Keyspace, MemoryBackend};
///
/// const WINDOW: Duration = Duration::from_secs(60);
///
/// #[derive(Keyspace)]
/// #[keyspace(prefix = "rate", ttl = WINDOW, counter)]
/// struct RateCounter<'a> {
///     route: &'a str,
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> reinhardt_backends::BackendResult<()> {
/// let backend = MemoryBackend::new();
/// assert_eq!(RateCounter { route: "/login" }.increment(&backend).await?, 1);
/// assert_eq!(&*RateCounter { route: "/login" }.key(), "rate:/login");
/// # Ok(()) }
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

    /// Reads the text of a key back; `None` if it is not the text of a key of this keyspace, to the letter.
    fn parse_key(text: &str) -> Option<Self::OwnedKey>;
}

/// A keyspace whose entries hold a value: the struct itself or what `value = T` names.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a keyspace of values",
    note = "counters are counted with `increment`, `increment_by` and `hit`"
)]
pub trait Valued: Keyspace {
    /// What an entry holds.
    type Value: serde::Serialize + serde::de::DeserializeOwned;
    /// How it is stored.
    type Codec: Codec;
}

/// A keyspace whose entries are the structs themselves.
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
