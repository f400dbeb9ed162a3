//! Any backend as the store of the tower-sessions crate.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use tower_sessions_core::SessionStore;
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::session_store::{Error, Result};

use super::builder::keyspace;
use super::clock;
use crate::backend::{Backend, Condition, Life, MAX_TTL, Write};
use crate::codec::{Cbor, Codec};
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::keyspace::{Key, KeyspaceInfo};

/// Keeps the sessions of the crate [tower-sessions](https://docs.rs/tower-sessions/0.15) in any backend.
///
/// # Guarantees
///
/// * A session that was flushed stays flushed: `save` stores a record only where one is. A request that outlives the logout
///   of another one saves nothing, and isn't told; its cookie names nothing. The crate creates records by `create` and
///   never needs `save` for that, except in the cache of a `CachingSessionStore`: see [`cache`](Self::cache).
/// * `create` stores a record only where none is, and gives it another id if there is one.
/// * What is stored reads back equal to the record, or it isn't stored and the error is `Encode`. The expiry date is kept to
///   the nanosecond, with its offset.
/// * A record is gone at its expiry date without being swept (`ExpiredDeletion` isn't needed), and one that has expired is
///   removed by a save, and not stored by `create`. Dates are the system clock's, as they are to the crate.
/// * Each call is one round trip, if no id is taken.
///
/// # Not promised
///
/// That parallel requests with one session lose no update: the crate saves whole records, and the last one wins. The
/// [`SessionStore`](super::SessionStore) of this library doesn't have that.
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
/// // In a service: `SessionManagerLayer::new(store)`, and a `Session` as the argument of a handler.
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
    is_cache: bool,
}

/// So many ids are tried; that even one is taken means that the random source is broken, or that a client chose it.
const IDS: u32 = 8;

impl<B> TowerSessions<B> {
    /// Makes a store under the prefix `tower-sessions`.
    ///
    /// # Panics
    ///
    /// Never: the prefix is a possible one.
    pub fn new(backend: B) -> Self {
        let store = Self::with_prefix(backend, "tower-sessions");
        store.expect("the prefix is a possible one")
    }

    /// Makes a store whose keys begin with `prefix`, `[a-z][a-z0-9_.-]*` and at most 64 bytes.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` for a prefix that can't be one.
    pub fn with_prefix(backend: B, prefix: &'static str) -> BackendResult<Self> {
        Ok(Self {
            backend,
            keyspace: keyspace(prefix, &["id"])?,
            is_cache: false,
        })
    }

    /// Makes it fit for the cache of a `CachingSessionStore`, which is filled by `save`: that stores a record now whether or
    /// not there is one. As the only store it would bring flushed sessions back.
    #[must_use]
    pub fn cache(mut self) -> Self {
        self.is_cache = true;
        self
    }

    fn key(&self, id: &Id) -> Key {
        Key::build(&self.keyspace, |key| {
            let _ = key.field(id.to_string().as_str());
        })
    }
}

#[async_trait]
impl<B: Backend + 'static> SessionStore for TowerSessions<B> {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let Some(life) = life(record) else {
            return Ok(());
        };
        for _ in 0..IDS {
            let bytes = encode(record)?;
            let absent = Write::new(Life::In(life)).when(Condition::Absent);
            let key = self.key(&record.id);
            if self
                .backend
                .write(&key, &bytes, absent)
                .await
                .map_err(told)?
            {
                return Ok(());
            }
            record.id = Id::default();
        }
        Err(told(BackendError::new(
            ErrorKind::Conflict,
            format!("{IDS} ids of sessions were taken"),
        )))
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let key = self.key(&record.id);
        let Some(life) = life(record) else {
            return self.backend.delete(&key).await.map(drop).map_err(told);
        };
        let condition = match self.is_cache {
            true => Condition::Always,
            false => Condition::Present,
        };
        let options = Write::new(Life::In(life)).when(condition);
        let written = self.backend.write(&key, &encode(record)?, options).await;
        written.map(drop).map_err(told)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let stored = self.backend.get_stored(&self.key(id)).await.map_err(told)?;
        let record = stored.map(|stored| Cbor::decode::<Record>(stored.as_bytes()));
        let record = record.transpose().map_err(told)?;
        // The backend's own clock may be behind.
        Ok(record.filter(|record| life(record).is_some()))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let deleted = self.backend.delete(&self.key(id)).await;
        deleted.map(drop).map_err(told)
    }
}

/// Encodes a record that decodes to the same one.
fn encode(record: &Record) -> Result<Vec<u8>> {
    let bytes = Cbor::encode(record).map_err(told)?;
    match Cbor::decode::<Record>(&bytes) {
        Ok(read) if read == *record => Ok(bytes),
        _ => Err(told(BackendError::new(
            ErrorKind::Encode,
            "the record would not read back as it is, it may be nested too deep",
        ))),
    }
}

/// Returns what is left of a record's life, at most the longest TTL; `None` if it has expired.
fn life(record: &Record) -> Option<Duration> {
    let end = record
        .expiry_date
        .unix_timestamp_nanos()
        .div_euclid(1_000_000);
    let left = end.saturating_sub(clock::system().into());
    let left = u64::try_from(left).ok().filter(|&left| left > 0)?;
    Some(Duration::from_millis(left).min(MAX_TTL))
}

/// Says it in the crate's own words; no text of a [`BackendError`] holds a value, a key or a credential.
fn told(error: BackendError) -> Error {
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
            .field("is_cache", &self.is_cache)
            .finish_non_exhaustive()
    }
}
