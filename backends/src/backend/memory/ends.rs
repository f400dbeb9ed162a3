//! The ends of a shard's entries: how they are set, and the search for entries that are past them.

use hashbrown::HashTable;

use super::entry::Entry;
use crate::backend::life::{Expiry, Life};
use crate::time::clock::Moment;

/// The knowledge of when an entry of a shard may end, and the progress of the search for those that
/// have.
#[derive(Debug)]
pub(super) struct Ends {
    /// No entry ends before this moment.
    earliest: Moment,
    pass: SweepPass,
}

/// The progress of a look at all entries for those that have ended.
#[derive(Debug)]
struct SweepPass {
    /// The next bucket to look at.
    next: usize,
    /// The number of buckets at the beginning: a table that has grown or shrunk is looked through
    /// anew.
    buckets: usize,
    /// The earliest end of the entries that were looked at and stay.
    kept: Moment,
    /// The earliest end that was set since the beginning.
    set: Moment,
}

impl Ends {
    pub(super) fn new() -> Self {
        Self {
            earliest: Moment::NEVER,
            pass: SweepPass::new(0),
        }
    }

    /// Says whether an entry may have ended.
    #[inline]
    pub(super) fn is_due(&self, now: Moment) -> bool {
        self.earliest <= now
    }

    /// Notes that an entry's end was set.
    #[inline]
    pub(super) fn note(&mut self, end: Moment) {
        self.earliest = self.earliest.min(end);
        self.pass.set = self.pass.set.min(end);
    }

    /// Begins the next look at the first bucket: the entries may have moved in the table.
    pub(super) fn restart(&mut self) {
        self.pass.next = 0;
    }

    /// Takes the entries that have ended out of the next `buckets`, and says whether there may be
    /// more.
    pub(super) fn sweep(
        &mut self,
        entries: &mut HashTable<Entry>,
        buckets: usize,
        now: Moment,
        mut ended: impl FnMut(Entry),
    ) -> bool {
        if !self.is_due(now) {
            return false;
        }
        if self.pass.next == 0 || self.pass.buckets != entries.num_buckets() {
            self.pass = SweepPass::new(entries.num_buckets());
        }
        let end = self.pass.buckets.min(self.pass.next + buckets);
        for bucket in self.pass.next..end {
            let Ok(found) = entries.get_bucket_entry(bucket) else {
                continue;
            };
            if found.get().is_live(|| now) {
                self.pass.kept = self.pass.kept.min(found.get().deadline());
            } else {
                ended(found.remove().0);
            }
        }
        self.pass.next = end;
        if end < self.pass.buckets {
            return true;
        }
        self.earliest = self.pass.kept.min(self.pass.set);
        self.pass.next = 0;
        false
    }
}

impl SweepPass {
    fn new(buckets: usize) -> Self {
        Self {
            next: 0,
            buckets,
            kept: Moment::NEVER,
            set: Moment::NEVER,
        }
    }
}

/// Returns the end of an entry; `present` is the end of the live entry under its key. `life` is
/// checked.
pub(super) fn deadline(life: Life, present: Moment, now: Moment) -> Moment {
    match life {
        Life::Keep => present,
        Life::Never => Moment::NEVER,
        Life::In(ttl) => now.after(ttl),
    }
}

/// Returns the time that is left until the end.
pub(super) fn expiry(end: Moment, now: Moment) -> Expiry {
    match end {
        Moment::NEVER => Expiry::Never,
        end => Expiry::In(end.since(now)),
    }
}
