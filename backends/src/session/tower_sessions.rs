//! Any backend as the store of the tower-sessions crate.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
#[cfg(feature = "derive")]
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tower_sessions_core::SessionStore;
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::session_store::{Error, Result};

use super::id::{FRESH_IDS, all_taken};
use super::keys::keyspace;
use crate::backend::store::MAX_TTL;
use crate::backend::store::tell_if_undecodable;
use crate::backend::{Backend, Condition, Life, Write};
use crate::codec::{Cbor, Codec};
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::fingerprint::Fingerprint;
use crate::keyspace::{Key, KeyspaceInfo, Owner, TOWER_SESSIONS};
#[cfg(feature = "derive")]
use crate::keyspace::{Values, Vtable};
use crate::time::wall_clock;

/// Keeps the sessions of the crate [tower-sessions](https://docs.rs/tower-sessions/0.15) in any
/// backend.
///
/// # Guarantees
///
/// * A late save brings no flushed session back: `save` stores a record only where one is. A
///   request that outlives the logout by another request saves nothing, and isn't told; its cookie
///   names nothing.
/// * `create` gives every record an id that nobody has seen, and stores the record only where none
///   is. So the data that a request inserts after a `flush` are not found under the cookie that the
///   request came with, which may have been planted.
/// * The backend holds a hash of the id and never the id: a reader of the backend can't make a
///   cookie of the hash.
/// * A stored record reads back equal to the one that was saved; any other isn't stored, and the
///   error is `Encode`. The expiry date is kept to the nanosecond, with its offset.
/// * A record is gone at its expiry date without being swept (`ExpiredDeletion` isn't needed), and
///   one that has expired is removed by a save, and not stored by `create`. Dates are the system
///   clock's, as they are to the crate.
/// * Each call is one round trip, if no id is taken.
///
/// # Not promised
///
/// The [`SessionStore`](super::SessionStore) of this library has none of these.
///
/// * That parallel requests with one session lose no update: the crate saves whole records, and the
///   last one wins.
/// * That a logout is final: a request that has loaded the session before it and calls `cycle_id`
///   after it stores the data under a fresh id. The crate calls `create` then, as for any new
///   session.
/// * That the data inserted after a `clear` are stored: with a cookie whose record is gone, the
///   crate neither looks for the record nor creates one, but saves over nothing, and the login is
///   lost without an error. Begin a login with `flush` or `cycle_id`, or read a value before
///   `clear`; `Session::load` isn't enough.
/// * That it can be the cache of a `CachingSessionStore`. It can be the store behind such a cache;
///   but a cache that stores whatever is saved, as caches do, serves a flushed session again after
///   a late save.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::session::TowerSessions;
/// use reinhardt_backends::MemoryBackend;
/// use tower_sessions_core::{Expiry, Session};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_sessions_core::session::Error> {
/// let store = TowerSessions::new(MemoryBackend::new());
///
/// // In a service: `SessionManagerLayer::new(store)`, and a `Session` as the argument of a
/// // handler.
/// let session = Session::new(None, Arc::new(store), None);
/// session.insert("user", 7).await?;
/// session.save().await?;
/// assert_eq!(session.get::<u64>("user").await?, Some(7));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TowerSessions<B> {
    backend: B,
    keyspace: KeyspaceInfo,
}

impl<B> TowerSessions<B> {
    /// Makes a store under the prefix `tower-sessions`.
    ///
    /// # Panics
    ///
    /// If the program declares this prefix for something else, such as a keyspace:
    /// [`with_prefix`](Self::with_prefix) returns that as an error.
    #[track_caller]
    pub fn new(backend: B) -> Self {
        match Self::with_prefix(backend, TOWER_SESSIONS) {
            Ok(store) => store,
            Err(error) => panic!("{error}"),
        }
    }

    /// Makes a store whose keys begin with `prefix`, `[a-z][a-z0-9_.-]*` and at most 64 bytes.
    ///
    /// `register_tower_sessions!` declares the prefix, so that the registry and the schema lock
    /// know it.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` for a prefix that can't be one, and, with the feature `derive`, for one that
    /// is declared for something else.
    pub fn with_prefix(backend: B, prefix: &'static str) -> BackendResult<Self> {
        Ok(Self {
            backend,
            keyspace: keyspace(prefix, KEY_FIELDS, Owner::tower_sessions())?,
        })
    }

    fn key(&self, id: &Id) -> Key {
        Key::build(&self.keyspace, |key| {
            let fingerprint = Fingerprint::of(&id.0.to_le_bytes());
            let _ = key.write(|segment| segment.display(fingerprint));
        })
    }
}

#[async_trait]
impl<B: Backend + 'static> SessionStore for TowerSessions<B> {
    async fn create(&self, record: &mut Record) -> Result<()> {
        for _ in 0..FRESH_IDS {
            // Never the id that the crate suggests: after a `clear` it is the one that the cookie
            // holds, whoever planted it.
            record.id = Id::default();
            let Some(life) = life(record) else {
                return Ok(());
            };
            let bytes = encode(record)?;
            let absent = Write::new(Life::In(life)).when(Condition::Absent);
            let key = self.key(&record.id);
            if self
                .backend
                .write(&key, &bytes, absent)
                .await
                .map_err(into_store_error)?
            {
                return Ok(());
            }
        }
        Err(into_store_error(all_taken()))
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let key = self.key(&record.id);
        let Some(life) = life(record) else {
            return self
                .backend
                .delete(&key)
                .await
                .map(drop)
                .map_err(into_store_error);
        };
        let present = Write::new(Life::In(life)).when(Condition::Present);
        let written = self.backend.write(&key, &encode(record)?, present).await;
        written.map(drop).map_err(into_store_error)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let key = self.key(id);
        let stored = self.backend.get_stored(&key).await;
        let stored = stored.map_err(into_store_error)?;
        let record = stored.map(|stored| decode(*id, stored.as_bytes()));
        let record = record.transpose().map_err(|error| {
            tell_if_undecodable(&self.backend, &key, &error);
            into_store_error(error)
        })?;
        // The backend's own clock may be behind.
        Ok(record.filter(|record| life(record).is_some()))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let deleted = self.backend.delete(&self.key(id)).await;
        deleted.map(drop).map_err(into_store_error)
    }
}

/// The segments of a key.
pub(super) const KEY_FIELDS: &[&str] = &["id"];

/// The stored form of a record: all but the id, which would make a cookie.
#[derive(Serialize, Deserialize)]
struct StoredRecord<D, E> {
    data: D,
    expiry_date: E,
}

/// Encodes a record that decodes to the same one.
fn encode(record: &Record) -> Result<Vec<u8>> {
    let stored = StoredRecord {
        data: &record.data,
        expiry_date: &record.expiry_date,
    };
    let bytes = Cbor::encode(&stored).map_err(into_store_error)?;
    match decode(record.id, &bytes) {
        Ok(read) if read == *record => Ok(bytes),
        _ => Err(into_store_error(BackendError::new(
            ErrorKind::Encode,
            "the record would not read back as it is, it may be nested too deep",
        ))),
    }
}

/// The functions of the stored form of a record.
#[cfg(feature = "derive")]
pub(super) const VTABLE: &Vtable = &vtable_of(|record| (&record.data, &record.expiry_date));

/// Takes the types from the fields of a record: one of them is of a crate that isn't a dependency.
#[cfg(feature = "derive")]
const fn vtable_of<D, E>(_: fn(&Record) -> (&D, &E)) -> Vtable
where
    D: DeserializeOwned,
    E: DeserializeOwned,
{
    Values::<StoredRecord<D, E>, Cbor>::vtable(|| ["", ""])
}

fn decode(id: Id, bytes: &[u8]) -> BackendResult<Record> {
    let StoredRecord { data, expiry_date } = Cbor::decode(bytes)?;
    Ok(Record {
        id,
        data,
        expiry_date,
    })
}

/// Returns the time that is left of a record's life, at most the longest TTL; `None` if the record
/// has expired.
fn life(record: &Record) -> Option<Duration> {
    let end = record
        .expiry_date
        .unix_timestamp_nanos()
        .div_euclid(1_000_000);
    let left = end.saturating_sub(wall_clock::system().into());
    let left = u64::try_from(left).ok().filter(|&left| left > 0)?;
    Some(Duration::from_millis(left).min(MAX_TTL))
}

/// Says it in the crate's own words; no text of a [`BackendError`] holds a value, a key or a
/// credential.
fn into_store_error(error: BackendError) -> Error {
    let text = error.to_string();
    match error.kind() {
        ErrorKind::Encode => Error::Encode(text),
        ErrorKind::Decode => Error::Decode(text),
        _ => Error::Backend(text),
    }
}

impl<B> fmt::Debug for TowerSessions<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TowerSessions")
            .field("prefix", &self.keyspace.prefix)
            .finish_non_exhaustive()
    }
}
