//! The settings of a [`SessionStore`].

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::keys::{KEY_FIELDS, keyspace};
use super::store::SessionStore;
use crate::backend::store::check_ttl;
use crate::codec::Codec;
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::keyspace::{Owner, SESSIONS};
use crate::time::wall_clock::WallClock;

/// Sets up a [`SessionStore`].
///
/// # Examples
///
/// ```
/// use reinhardt_backends::session::SessionStore;
/// use reinhardt_backends::{ErrorKind, MemoryBackend};
/// use std::time::Duration;
///
/// let builder = SessionStore::<u64, _>::builder(MemoryBackend::new()).prefix("staff");
/// let swapped = builder.idle(Duration::from_secs(3600)).absolute(Duration::from_secs(60)).build();
/// assert_eq!(swapped.unwrap_err().kind(), ErrorKind::InvalidConfig);
/// ```
pub struct SessionStoreBuilder<T, B, C> {
    backend: B,
    prefix: &'static str,
    idle: Duration,
    absolute: Duration,
    types: PhantomData<fn() -> (T, C)>,
}

impl<T, B, C> SessionStoreBuilder<T, B, C> {
    pub(super) fn new(backend: B) -> Self {
        Self {
            backend,
            prefix: SESSIONS,
            idle: Duration::from_secs(30 * 60),
            absolute: Duration::from_secs(24 * 60 * 60),
            types: PhantomData,
        }
    }

    /// Sets the first part of every key, `[a-z][a-z0-9_.-]*` and at most 64 bytes; `session-store`
    /// unless set.
    ///
    /// Two stores of different data on one backend need two prefixes, and typed keyspaces others
    /// again. [`register_sessions!`](crate::register_sessions) declares the prefix, so that the
    /// registry and the schema lock know it.
    #[must_use]
    pub fn prefix(mut self, prefix: &'static str) -> Self {
        self.prefix = prefix;
        self
    }

    /// Sets the time for which a session lives without being used; 30 minutes unless set.
    #[must_use]
    pub fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Sets the time for which a session lives however much it is used, from its creation; 24 hours
    /// unless set.
    ///
    /// An absolute life that is as long as the idle life makes sessions that nothing prolongs.
    #[must_use]
    pub fn absolute(mut self, absolute: Duration) -> Self {
        self.absolute = absolute;
        self
    }

    /// Stores sessions by another codec than CBOR.
    #[must_use]
    pub fn codec<D: Codec>(self) -> SessionStoreBuilder<T, B, D> {
        SessionStoreBuilder {
            backend: self.backend,
            prefix: self.prefix,
            idle: self.idle,
            absolute: self.absolute,
            types: PhantomData,
        }
    }

    /// Makes the store; nothing is sent.
    ///
    /// # Errors
    ///
    /// `InvalidTtl` for a life of zero or of more than 10,000 years. `InvalidConfig` for a prefix
    /// that can't be one; for one that is declared for something else, a keyspace or sessions of
    /// other data, with the feature `derive`; and for an absolute life that is shorter than the
    /// idle one: the two were most likely mistaken for each other.
    pub fn build(self) -> BackendResult<SessionStore<T, B, C>> {
        let idle = check_ttl(self.idle)?;
        let absolute = check_ttl(self.absolute)?;
        if absolute < idle {
            return Err(BackendError::new(
                ErrorKind::InvalidConfig,
                "the absolute life of sessions is shorter than the idle one",
            ));
        }
        Ok(SessionStore {
            backend: self.backend,
            keyspace: keyspace(self.prefix, KEY_FIELDS, Owner::sessions::<T, C>())?,
            idle,
            absolute,
            clock: WallClock::new(),
            types: PhantomData,
        })
    }
}

impl<T, B, C> fmt::Debug for SessionStoreBuilder<T, B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionStoreBuilder")
            .field("prefix", &self.prefix)
            .field("idle", &self.idle)
            .field("absolute", &self.absolute)
            .finish_non_exhaustive()
    }
}
