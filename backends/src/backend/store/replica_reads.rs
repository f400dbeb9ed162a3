//! Reads that a replica of the store may answer.

use async_trait::async_trait;

use crate::backend::answers::KeyStream;
use crate::backend::life::Expiry;
use crate::backend::stored::Stored;
use crate::error::BackendResult;

/// The part of a store that reads from replicas, which may be behind.
///
/// [`Backend`](crate::Backend) and the accessors of keyspaces ask a store for this part
/// ([`Store::replica_reads`](super::Store::replica_reads)) before a *plain read*: a read by which
/// nothing is decided here. Plain reads are `get`, `get_with_ttl`, `get_many`, `exists`, `ttl` and
/// `scan`, also of typed keyspaces that neither slide nor migrate and have no `lease` and no
/// `stale`. Everything else calls the methods of [`Store`](super::Store), which always see the last
/// write. So a store or a wrapper that knows nothing of replicas is read as it is.
///
/// A backend implements it on the value that its clones share, and `Store` on itself: on one type
/// the methods of both would be ambiguous.
#[async_trait]
pub trait ReplicaReads: Send + Sync {
    /// Returns the bytes under `key` and what is left of their life, as a replica has them.
    ///
    /// # Errors
    ///
    /// As [`Store::read`](super::Store::read).
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>>;

    /// Returns the bytes under `key` as a replica has them, and leaves their life alone.
    ///
    /// # Errors
    ///
    /// As [`Store::read_value`](super::Store::read_value).
    async fn read_value(&self, key: &str) -> BackendResult<Option<Stored>>;

    /// Does what [`read_value`](Self::read_value) does for each key, in the order of `keys`.
    ///
    /// # Errors
    ///
    /// As [`Store::read_values`](super::Store::read_values).
    async fn read_values(&self, keys: &[&str]) -> BackendResult<Vec<Option<Stored>>>;

    /// Returns what is left of the entry's life as a replica has it; `None` if it has no live
    /// entry.
    ///
    /// # Errors
    ///
    /// As [`Store::read_life`](super::Store::read_life).
    async fn read_life(&self, key: &str) -> BackendResult<Option<Expiry>>;

    /// Streams the keys that begin with `prefix`, as replicas have them.
    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a>;
}
