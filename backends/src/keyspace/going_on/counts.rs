//! The count of what went on without its store.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use dashmap::DashMap;

use crate::backend::Backend;
use crate::backend::store::{Event, tell};
use crate::keyspace::info::KeyspaceInfo;

/// The reads and writes of a keyspace that went on without their store, in this process so far; see
/// [`KeyspaceInfo::went_on`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WentOn {
    /// The number of keys whose reads found nothing because the store was away.
    pub reads: u64,
    /// The number of entries that weren't stored, or not for certain, because the store was away.
    pub writes: u64,
}

/// What went on without its store: so many entries.
#[derive(Debug, Clone, Copy)]
pub(super) enum Without {
    Reads(usize),
    Writes(usize),
}

#[derive(Debug, Default)]
struct Counts {
    reads: AtomicU64,
    writes: AtomicU64,
}

/// By the prefix and the version of the keyspace.
static COUNTS: LazyLock<DashMap<(&'static str, u32), Counts>> = LazyLock::new(DashMap::new);

/// Counts what went on without its store, and tells the observer of the store.
pub(super) fn went_on<B>(backend: &B, keyspace: &KeyspaceInfo, what: Without)
where
    B: Backend + ?Sized,
{
    let place = (keyspace.prefix, keyspace.version);
    let counts = match COUNTS.get(&place) {
        Some(counts) => counts,
        None => COUNTS.entry(place).or_default().downgrade(),
    };
    let (counter, count, event) = match what {
        Without::Reads(count) => (&counts.reads, count, Event::ReadsWentOn(count)),
        Without::Writes(count) => (&counts.writes, count, Event::WritesWentOn(count)),
    };
    counter.fetch_add(count as u64, Relaxed);
    drop(counts);
    tell(backend, keyspace.prefix, event);
}

impl KeyspaceInfo {
    /// Returns how much of the keyspace went on without its store: reads that found nothing and
    /// writes that stored nothing, where `on_unavailable = "miss"` makes no error of that.
    ///
    /// All stores of this process count together, by the prefix and the version of the keyspace.
    ///
    /// # Examples
    ///
    /// ```
    /// use reinhardt_backends::Keyspace;
    ///
    /// #[derive(Keyspace)]
    /// #[keyspace(prefix = "page", ttl = "5m", value = String, on_unavailable = "miss")]
    /// struct Page {
    ///     path: String,
    /// }
    ///
    /// let went_on = Page::INFO.went_on();
    /// assert_eq!((went_on.reads, went_on.writes), (0, 0));
    /// ```
    pub fn went_on(&self) -> WentOn {
        let counts = COUNTS.get(&(self.prefix, self.version));
        counts.map_or_else(WentOn::default, |counts| WentOn {
            reads: counts.reads.load(Relaxed),
            writes: counts.writes.load(Relaxed),
        })
    }
}
