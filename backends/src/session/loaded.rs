//! A session in the hands of a request.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::id::SessionId;
use crate::backend::Stored;
use crate::codec::Codec;
use crate::error::BackendResult;
use crate::keyspace::KeySegment;

/// A session as it was created, loaded or last saved, with its data as `T`.
///
/// It dereferences to the data. Changes to the data are stored by
/// [`save`](super::SessionStore::save) and by nothing else. `Debug` shows the version alone.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::session::SessionStore;
/// use reinhardt_backends::{BackendResult, MemoryBackend};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> BackendResult<()> {
/// let sessions = SessionStore::<Vec<u64>, _>::new(MemoryBackend::new());
/// let session = sessions.create("ann", vec![1, 2]).await?;
/// assert_eq!((session.owner(), session.len(), session.version()), (Some("ann"), 2, 1));
/// assert_eq!(format!("{session:?}"), "Session { version: 1, .. }");
/// # Ok(()) }
/// ```
pub struct Session<T> {
    pub(super) id: SessionId,
    pub(super) version: u64,
    pub(super) data: T,
    /// The exact bytes that the backend holds as far as this session knows.
    pub(super) stored: Stored,
}

impl<T> Session<T> {
    /// Returns the id, whose text goes into the cookie.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// Returns the owner's text; `None` for a session before login.
    pub fn owner(&self) -> Option<&str> {
        self.id.owner()
    }

    /// Reads the owner as a value of type `O`; `None` for a session before login, or if the owner's
    /// text isn't such a value.
    pub fn owner_as<O: KeySegment + ?Sized>(&self) -> Option<O::Owned> {
        O::parse(self.owner()?)
    }

    /// Returns the version: 1 when the session is created, and one more with every save, update and
    /// change of the id.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns the absolute end, which nothing moves.
    pub fn ends_at(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.id.end())
    }

    /// Returns the data.
    pub fn into_data(self) -> T {
        self.data
    }
}

impl<T> Deref for Session<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.data
    }
}

impl<T> DerefMut for Session<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.data
    }
}

/// Shows neither the id, which is a credential, nor the data.
impl<T> fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// The stored form of a session, with borrowed data: a map of two fields, in the codec of the
/// store.
#[derive(Serialize)]
struct RecordRef<'a, T> {
    version: u64,
    data: &'a T,
}

/// The stored form of a session.
#[derive(Serialize, Deserialize)]
pub(super) struct SessionRecord<T> {
    version: u64,
    data: T,
}

/// Encodes the stored form of a session.
pub(super) fn encode<C, T>(version: u64, data: &T) -> BackendResult<Vec<u8>>
where
    C: Codec,
    T: Serialize + DeserializeOwned,
{
    C::encode_as::<SessionRecord<T>, _>(&RecordRef { version, data })
}

/// Decodes the session that is stored under an id.
pub(super) fn decode<C: Codec, T: DeserializeOwned>(
    id: SessionId,
    stored: Stored,
) -> BackendResult<Session<T>> {
    let SessionRecord { version, data } = C::decode(stored.as_bytes())?;
    Ok(Session {
        id,
        version,
        data,
        stored,
    })
}
