//! Typed sessions over any backend.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::builder::SessionStoreBuilder;
use super::error::SessionError;
use super::id::{FRESH_IDS, SessionId, all_taken, owner_prefix, owner_text};
use super::loaded::{Session, decode, encode};
use crate::backend::store::{Event, NewEntry, Touch, tell, tell_if_undecodable};
use crate::backend::{Backend, Condition, Life, Stored, Write, fast_path};
use crate::codec::{Cbor, Codec};
use crate::error::BackendResult;
use crate::keyspace::{Key, KeySegment, KeyspaceInfo};
use crate::time::back_off::{MAX_TRIES, back_off};
use crate::time::wall_clock::{WallClock, millis};

/// Keeps sessions with data of type `T` in any backend, each for a user or for nobody yet.
///
/// # Guarantees
///
/// * An id holds 144 bits from the system's random source. Nobody gets the id of another session: a
///   new session is stored only where nothing is.
/// * A session that was deleted stays deleted. [`save`](Self::save), [`update`](Self::update) and
///   [`cycle`](Self::cycle) write only over the exact bytes that they read, so they neither bring a
///   session back nor lose what others saved meanwhile.
/// * A session ends after its idle life without use, and at its absolute end whatever happens. No
///   life that is written reaches beyond that end.
/// * A read, a touch, a save, an update without rivals and a deletion that find their session are
///   one, one, one, two and one round trips, and a change of the id is one.
/// * The backend holds a hash of the secret in an id and never the secret: a reader of the backend
///   can't make a cookie of the hash.
/// * Whatever a client sends as an id is a session of this store or nothing: never a panic, never a
///   key of something else.
///
/// # Not promised
///
/// That "log out everywhere" ends a session which is created, or gets another id, while it runs;
/// and what the backend itself doesn't promise, for instance after a failover.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::session::SessionStore;
/// use reinhardt_backends::{Backend, MemoryBackend};
/// use serde::{Deserialize, Serialize};
/// use std::{sync::Arc, time::Duration};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Login {
///     roles: Vec<String>,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), reinhardt_backends::session::SessionError> {
/// let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
/// let sessions: SessionStore<Login> = SessionStore::builder(backend)
///     .idle(Duration::from_secs(20 * 60))
///     .absolute(Duration::from_secs(12 * 3600))
///     .build()?;
///
/// let user_id = 7u64;
/// let session = sessions.create(&user_id, Login::default()).await?;
/// let cookie = session.id().to_string();
///
/// let mut session = sessions.load(&cookie).await?.expect("it is alive");
/// session.roles.push("staff".to_string());
/// sessions.save(&mut session).await?;
/// assert_eq!(session.owner_as::<u64>(), Some(7));
///
/// assert_eq!(sessions.delete_all(&user_id).await?, 1);
/// assert!(sessions.load(&cookie).await?.is_none());
/// # Ok(()) }
/// ```
#[doc(alias("login", "cookie"))]
pub struct SessionStore<T, B = Arc<dyn Backend>, C = Cbor> {
    pub(super) backend: B,
    pub(super) keyspace: KeyspaceInfo,
    pub(super) idle: Duration,
    pub(super) absolute: Duration,
    pub(super) clock: WallClock,
    pub(super) types: PhantomData<fn() -> (T, C)>,
}

/// So often "log out everywhere else" looks for sessions that came while it looked.
const PASSES: u32 = 16;

impl<T, B> SessionStore<T, B> {
    /// Makes a store with the default settings of the [builder](Self::builder).
    ///
    /// # Panics
    ///
    /// If the program declares the prefix `session-store` for something else, such as a keyspace:
    /// [`build`](SessionStoreBuilder::build) returns that as an error.
    #[track_caller]
    pub fn new(backend: B) -> Self {
        match Self::builder(backend).build() {
            Ok(store) => store,
            Err(error) => panic!("{error}"),
        }
    }

    /// Begins to set up a store.
    pub fn builder(backend: B) -> SessionStoreBuilder<T, B, Cbor> {
        SessionStoreBuilder::new(backend)
    }
}

impl<T, B, C> SessionStore<T, B, C>
where
    T: Serialize + DeserializeOwned,
    B: Backend,
    C: Codec,
{
    /// Creates a session of `owner`, under an id that is fresh.
    ///
    /// The owner is what can be a part of a key: text, a number, an address, a UUID, or a type that
    /// derives [`KeySegment`](trait@KeySegment). Its text is readable in the id.
    ///
    /// After a login in a browser that had a session already, use [`cycle`](Self::cycle).
    ///
    /// # Errors
    ///
    /// `InvalidKey` for an owner whose text is empty or over 256 bytes, `Encode`, and the errors of
    /// the backend; `Other` if the system gives no random bytes, or only ids that are taken.
    pub async fn create<O>(&self, owner: &O, data: T) -> BackendResult<Session<T>>
    where
        O: KeySegment + ?Sized,
    {
        let owner = owner_text(&self.keyspace, owner)?;
        self.create_for(&owner, data).await
    }

    /// Creates a session of nobody, for a visitor before login.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub async fn create_anonymous(&self, data: T) -> BackendResult<Session<T>> {
        self.create_for("", data).await
    }

    /// Returns the live session of the id that a client sent, and starts its idle life over, in one
    /// round trip in memory and on Redis.
    ///
    /// The idle life is that of this store, be it longer or shorter than the one that the session
    /// was last used with.
    ///
    /// Text that is no id names no session, and an id past its absolute end names none either. The
    /// backend isn't asked for them.
    ///
    /// # Errors
    ///
    /// `Decode` if the stored session isn't a `T`; it stays stored.
    pub async fn load(&self, id: &(impl AsRef<str> + ?Sized)) -> BackendResult<Option<Session<T>>> {
        let Some((id, key)) = self.parse(id.as_ref()) else {
            return Ok(None);
        };
        let Some(life) = self.life(&id) else {
            return Ok(None);
        };
        match self.backend.read_value(&key, Touch::Restart(life)).await? {
            Some(stored) => self.loaded(id, &key, stored).map(Some),
            None => Ok(None),
        }
    }

    /// Stores the data of a session that hasn't changed since it was loaded, and starts its idle
    /// life over.
    ///
    /// # Errors
    ///
    /// `Gone` if there is no such session any more, `Conflict` if somebody else has saved it; both
    /// write nothing.
    ///
    /// # Cancel safety
    ///
    /// A dropped future, or an error whose outcome is unknown, has stored everything or nothing. If
    /// everything, the next save of the same value is a `Conflict`: load the session again.
    pub async fn save(&self, session: &mut Session<T>) -> Result<(), SessionError> {
        let key = session.id.key(&self.keyspace);
        let Some(life) = self.life(&session.id) else {
            return Err(SessionError::Gone);
        };
        if self.swap(&key, session, life).await? {
            return Ok(());
        }
        match self.backend.read_life(&key).await? {
            Some(_) => Err(self.conflict(&key)),
            None => Err(SessionError::Gone),
        }
    }

    /// Changes the data of a session in one atomic step, starts its idle life over and returns it;
    /// `None` if there is none.
    ///
    /// If somebody else was faster the session is read and changed again, so `change` may run
    /// several times.
    ///
    /// # Errors
    ///
    /// `Conflict` when others were faster 128 times.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has stored the whole change or nothing.
    pub async fn update(
        &self,
        id: &(impl AsRef<str> + ?Sized),
        mut change: impl FnMut(&mut T),
    ) -> Result<Option<Session<T>>, SessionError> {
        let Some((id, key)) = self.parse(id.as_ref()) else {
            return Ok(None);
        };
        for lost in 0..MAX_TRIES {
            back_off(lost).await;
            let Some(life) = self.life(&id) else {
                return Ok(None);
            };
            let Some(stored) = fast_path::read_value(&self.backend, &key, Touch::Keep).await?
            else {
                return Ok(None);
            };
            let mut session = self.loaded(id.clone(), &key, stored)?;
            change(&mut session);
            if self.swap(&key, &mut session, life).await? {
                return Ok(Some(session));
            }
            tell(&self.backend, &key, Event::Conflict);
        }
        tell(&self.backend, &key, Event::GaveUp);
        Err(SessionError::Conflict)
    }

    /// Starts the idle life of a session over without reading or writing its data, and says whether
    /// there is one.
    pub async fn touch(&self, id: &(impl AsRef<str> + ?Sized)) -> BackendResult<bool> {
        let Some((id, key)) = self.parse(id.as_ref()) else {
            return Ok(false);
        };
        match self.life(&id) {
            Some(life) => self.backend.expire(&key, Life::In(life)).await,
            None => Ok(false),
        }
    }

    /// Gives a session a fresh id and an owner, with its data as they are in `session`: for every
    /// login.
    ///
    /// An attacker that can plant a cookie in somebody's browser knows the id of the session that
    /// this person logs in with ("session fixation"). So the old id must be worthless after the
    /// login, and the new id known to nobody. Send the new cookie. The absolute end stays where it
    /// was.
    ///
    /// On a backend that moves entries in one step, as memory and a single Redis server do, there
    /// is either the old session or the new one at any time, and never both or neither. On other
    /// backends both may be alive until the call has returned `Ok`.
    ///
    /// # Errors
    ///
    /// `OtherOwner` if the session belongs to somebody else already, with data of theirs: another
    /// user's login is [`delete`](Self::delete) and [`create`](Self::create). Otherwise as
    /// [`save`](Self::save) and `create`. The session then has its old id.
    ///
    /// # Cancel safety
    ///
    /// A dropped future, or an error whose [outcome is unknown](SessionError::outcome_unknown), may
    /// have moved the session to an id that nobody knows: it ends with its idle life. Where a move
    /// isn't one step the old id may be alive as well: delete it before answering.
    pub async fn cycle<O>(&self, session: &mut Session<T>, owner: &O) -> Result<(), SessionError>
    where
        O: KeySegment + ?Sized,
    {
        let owner = owner_text(&self.keyspace, owner)?;
        if session.owner().is_some_and(|other| other != owner) {
            return Err(SessionError::OtherOwner);
        }
        self.move_to(&owner, session).await
    }

    /// Gives a session a fresh id and leaves its owner, as [`cycle`](Self::cycle) does: for every
    /// change of what it may do.
    ///
    /// # Errors
    ///
    /// As [`cycle`](Self::cycle).
    pub async fn cycle_id(&self, session: &mut Session<T>) -> Result<(), SessionError> {
        let owner = session.id.owner_text().to_string();
        self.move_to(&owner, session).await
    }

    /// Deletes a session and says whether there was one.
    pub async fn delete(&self, id: &(impl AsRef<str> + ?Sized)) -> BackendResult<bool> {
        match self.parse(id.as_ref()) {
            Some((_, key)) => self.backend.delete(&key).await,
            None => Ok(false),
        }
    }

    /// Deletes all sessions of `owner` and of nobody else ("log out everywhere"), and returns how
    /// many there were.
    ///
    /// It looks through all keys of the backend, keys of other things too, twice on a server. The
    /// more keys there are, the more this [costs](crate::Backend#what-a-prefix-costs), however few
    /// sessions there are.
    ///
    /// A session that is created, or gets another id, while this call runs may stay. So first
    /// change what a login needs and what requests are allowed by, then call this, and again until
    /// it returns 0.
    ///
    /// # Errors
    ///
    /// `InvalidKey` for an owner whose text is empty or over 256 bytes: it had no session.
    ///
    /// # Cancel safety
    ///
    /// A dropped future may have deleted a part.
    pub async fn delete_all<O>(&self, owner: &O) -> BackendResult<u64>
    where
        O: KeySegment + ?Sized,
    {
        let owner = owner_text(&self.keyspace, owner)?;
        let prefix = owner_prefix(&self.keyspace, &owner);
        self.backend.clear_prefix(&prefix).await
    }

    /// Deletes all sessions of the owner of `session` but this one ("log out everywhere else"), and
    /// returns how many there were: after a change of the password, for instance.
    ///
    /// It looks through all keys as [`delete_all`](Self::delete_all) does, with the same limits and
    /// at the same [cost](crate::Backend#what-a-prefix-costs). This session stays whatever happens
    /// to it meanwhile, except that another id, which another request gave it, makes it one of the
    /// others.
    ///
    /// # Errors
    ///
    /// `InvalidKey` for a session before login: what visitors have in common is no owner.
    ///
    /// # Cancel safety
    ///
    /// A dropped future may have deleted a part.
    pub async fn delete_others(&self, session: &Session<T>) -> BackendResult<u64> {
        let owner = owner_text(&self.keyspace, session.id.owner_text())?;
        let prefix = owner_prefix(&self.keyspace, &owner);
        let this = session.id.key(&self.keyspace);
        let mut deleted = 0;
        for _ in 0..PASSES {
            let found = self.delete_found(&prefix, &this).await;
            let found = found.map_err(|error| error.after(deleted > 0))?;
            deleted += found;
            if found == 0 {
                break;
            }
        }
        Ok(deleted)
    }

    /// Deletes the entries that are under `prefix` now, but not the entry under `this`.
    async fn delete_found(&self, prefix: &str, this: &str) -> BackendResult<u64> {
        let keys: Vec<String> = self.backend.keys(prefix).try_collect().await?;
        let others = keys.iter().map(String::as_str);
        let others: Vec<&str> = others.filter(|&key| key != this).collect();
        self.backend.delete_many(&others).await
    }

    async fn create_for(&self, owner: &str, data: T) -> BackendResult<Session<T>> {
        let bytes = encode::<C, T>(1, &data)?;
        let end = self.clock.now().saturating_add(millis(self.absolute));
        for _ in 0..FRESH_IDS {
            let id = SessionId::fresh(owner, end)?;
            let key = id.key(&self.keyspace);
            let absent = Write::new(Life::In(self.idle)).when(Condition::Absent);
            if fast_path::put(&self.backend, &key, &bytes, absent).await? {
                return Ok(Session {
                    id,
                    version: 1,
                    data,
                    stored: bytes.into(),
                });
            }
        }
        Err(all_taken())
    }

    async fn move_to(&self, owner: &str, session: &mut Session<T>) -> Result<(), SessionError> {
        let from = session.id.key(&self.keyspace);
        let version = session.version.wrapping_add(1);
        let bytes = encode::<C, T>(version, &session.data)?;
        for _ in 0..FRESH_IDS {
            let Some(life) = self.life(&session.id) else {
                return Err(SessionError::Gone);
            };
            let id = SessionId::fresh(owner, session.id.end())?;
            let key = id.key(&self.keyspace);
            let to = NewEntry {
                key: &key,
                value: &bytes,
                life: Life::In(life),
            };
            let expected = session.stored.as_bytes();
            if self.backend.move_entry(&from, expected, to, None).await? {
                session.id = id;
                session.version = version;
                session.stored = bytes.into();
                return Ok(());
            }
            match self.backend.get_stored(&from).await? {
                None => return Err(SessionError::Gone),
                Some(stored) if stored != session.stored => return Err(self.conflict(&from)),
                Some(_) => {}
            }
        }
        Err(all_taken().into())
    }

    /// Writes the data over the bytes that they were read as, and says whether those were still
    /// there.
    async fn swap(
        &self,
        key: &str,
        session: &mut Session<T>,
        life: Duration,
    ) -> BackendResult<bool> {
        // With the version in them, bytes that were there before never come again.
        let version = session.version.wrapping_add(1);
        let bytes = encode::<C, T>(version, &session.data)?;
        let same = Condition::Equals(session.stored.as_bytes());
        let options = Write::new(Life::In(life)).when(same);
        if !fast_path::put(&self.backend, key, &bytes, options).await? {
            return Ok(false);
        }
        session.version = version;
        session.stored = bytes.into();
        Ok(true)
    }

    /// Tells of a session that somebody else has saved, and makes the error.
    fn conflict(&self, key: &Key) -> SessionError {
        tell(&self.backend, key, Event::Conflict);
        SessionError::Conflict
    }

    fn loaded(&self, id: SessionId, key: &Key, stored: Stored) -> BackendResult<Session<T>> {
        let decoded = decode::<C, T>(id, stored);
        decoded.inspect_err(|error| tell_if_undecodable(&self.backend, key, error))
    }

    /// Reads the text that a client sent as an id; `None` if no session can have it.
    fn parse(&self, text: &str) -> Option<(SessionId, Key)> {
        let id = SessionId::parse(text)?;
        let key = id.key(&self.keyspace);
        self.backend.info().limits.check_key(&key).ok()?;
        Some((id, key))
    }

    /// Returns the life that a session may get now: its idle life, or the time that is left until
    /// its end; `None` if the end is past.
    ///
    /// A session past its end is left to its TTL and not removed: the end may be a client's
    /// invention, or this clock may be ahead of the clocks by which the session is alive.
    fn life(&self, id: &SessionId) -> Option<Duration> {
        let left = id
            .end()
            .checked_sub(self.clock.now())
            .filter(|&ms| ms > 0)?;
        Some(self.idle.min(Duration::from_millis(left)))
    }
}

impl<T, B: Clone, C> Clone for SessionStore<T, B, C> {
    fn clone(&self) -> Self {
        Self {
            backend: self.backend.clone(),
            keyspace: self.keyspace,
            idle: self.idle,
            absolute: self.absolute,
            clock: self.clock,
            types: PhantomData,
        }
    }
}

impl<T, B, C> fmt::Debug for SessionStore<T, B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionStore")
            .field("prefix", &self.keyspace.prefix)
            .field("idle", &self.idle)
            .field("absolute", &self.absolute)
            .finish_non_exhaustive()
    }
}
