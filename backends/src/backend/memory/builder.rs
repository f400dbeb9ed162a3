//! Setting up a memory backend.

use std::fmt;
use std::sync::Arc;

use super::MemoryBackend;
use super::bounds::{Bounds, Eviction};
use super::removal::{Listener, Removal};
use super::shards::Shards;
use crate::backend::store::limits::Limits;

/// Sets up a [`MemoryBackend`].
///
/// # Examples
///
/// A cache of at most 64 MiB that evicts the entries that are used least, and a store of limits
/// that refuses instead:
///
/// ```
/// use reinhardt_backends::{Backend, ErrorKind, Eviction, MemoryBackend};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> reinhardt_backends::BackendResult<()> {
/// let cache = MemoryBackend::builder()
///     .max_bytes(64 * 1024 * 1024)
///     .eviction(Eviction::S3Fifo)
///     .build();
/// cache.set("page", "<html>", None).await?;
/// assert_eq!(cache.stats().entries, 1);
///
/// let limits = MemoryBackend::builder().max_entries(1).build();
/// limits.increment("first", None).await?;
/// let error = limits.increment("second", None).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Full);
/// assert_eq!(limits.increment("first", None).await?, 2);
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct MemoryBackendBuilder {
    limits: Limits,
    max_entries: Option<usize>,
    max_bytes: Option<usize>,
    eviction: Eviction,
    listener: Option<Listener>,
}

impl MemoryBackendBuilder {
    /// Sets the longest key, in bytes; 1 KiB unless set, 4 GiB at most.
    pub fn key_limit(mut self, bytes: usize) -> Self {
        self.limits.key = bytes.min(u32::MAX as usize);
        self
    }

    /// Sets the largest encoded value, in bytes; 16 MiB unless set.
    pub fn value_limit(mut self, bytes: usize) -> Self {
        self.limits.value = bytes;
        self
    }

    /// Sets how many entries there can be at once; any number unless set.
    ///
    /// Entries that have ended count until they have been swept; a full store looks for them before
    /// it refuses. A store of fewer than 1,024 entries is one lock.
    pub fn max_entries(mut self, entries: usize) -> Self {
        self.max_entries = Some(entries);
        self
    }

    /// Sets how many bytes all entries can count for at once; any number unless set.
    ///
    /// An entry counts for its key, its value and 72 bytes besides. A decoded value (in a keyspace
    /// that is `shared`) counts for its encoded length and the size of its type once more: its
    /// memory on the heap is taken to be as large as its encoding. A number takes some bytes more
    /// as it gets more digits, and so do a throttle's numbers and the version of a session: choose
    /// a limit beside which these bytes don't matter. With eviction, each entry takes some 50 bytes
    /// more for the order of eviction, which aren't counted.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Sets the behaviour of a full store, which refuses new entries unless set. Without a bound no
    /// store is ever full.
    ///
    /// An entry that can never fit is refused in any case, and nothing is evicted for it.
    pub fn eviction(mut self, eviction: Eviction) -> Self {
        self.eviction = eviction;
        self
    }

    /// Sets the listener that is told of every entry that leaves, and why.
    ///
    /// The listener is called on the thread that removed the entry, by the call that did or by the
    /// sweep, after the locks: it may use the store. It should be quick. A panic in it is a panic
    /// of the call, and the listener isn't told of the other entries that left at the same time; in
    /// the sweep a panic ends the sweeping until the next write that sets an end.
    ///
    /// A listener that writes to a full store makes further entries leave, of which it is told in
    /// turn: let it look at the cause. A listener that owns a clone of the backend keeps the store
    /// alive for ever.
    ///
    /// # Examples
    ///
    /// ```
    /// use reinhardt_backends::{Backend, Cause, MemoryBackend};
    /// use std::sync::{Arc, Mutex};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> reinhardt_backends::BackendResult<()> {
    /// let seen = Arc::new(Mutex::new(Vec::new()));
    /// let log = seen.clone();
    /// let backend = MemoryBackend::builder()
    ///     .on_removal(move |removal| {
    ///         log.lock().unwrap().push((removal.key.to_string(), removal.cause));
    ///     })
    ///     .build();
    /// backend.set("a", 1, None).await?;
    /// backend.delete("a").await?;
    /// assert_eq!(*seen.lock().unwrap(), [("a".to_string(), Cause::Removed)]);
    /// # Ok(()) }
    /// ```
    pub fn on_removal(mut self, listener: impl Fn(&Removal<'_>) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// Makes the empty store.
    pub fn build(self) -> MemoryBackend {
        let bounds = match (self.max_entries, self.max_bytes) {
            (None, None) => None,
            (entries, bytes) => Some(Bounds::new(
                entries.unwrap_or(usize::MAX),
                bytes.unwrap_or(usize::MAX),
                self.eviction,
            )),
        };
        MemoryBackend {
            shards: Arc::new(Shards::new(self.limits, bounds, self.listener)),
        }
    }
}

impl fmt::Debug for MemoryBackendBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBackendBuilder")
            .field("limits", &self.limits)
            .field("max_entries", &self.max_entries)
            .field("max_bytes", &self.max_bytes)
            .field("eviction", &self.eviction)
            .finish_non_exhaustive()
    }
}
