//! A write into a store with bounds: it makes room, or is refused.

use super::bounds::{Bounds, Eviction, NoRoom};
use super::removal::Removed;
use super::shards::{Padded, Shards};
use super::step::KeyHash;
use crate::error::BackendResult;

impl Shards {
    /// Tries until there is room for the value, or none can be made. The first of `key_hashes` is
    /// to be written. The entries at `key_hashes` aren't evicted for it: the next try is to find
    /// the entries that this one found.
    #[inline]
    pub(super) fn with_room<V, T>(
        &self,
        key_hashes: &[KeyHash<'_>],
        mut value: V,
        mut attempt: impl FnMut(V, &mut Removed) -> Result<T, (NoRoom, V)>,
    ) -> BackendResult<T> {
        loop {
            match self.dispose_after(|removed| attempt(value, removed)) {
                Ok(done) => return Ok(done),
                Err((no_room, refused)) => {
                    self.make_room(key_hashes, no_room)?;
                    value = refused;
                }
            }
        }
    }

    /// Makes room, or says that the store is full. Other writers may take the room that was made.
    #[cold]
    fn make_room(&self, key_hashes: &[KeyHash<'_>], needed: NoRoom) -> BackendResult<()> {
        let Some(bounds) = &self.room.0 else {
            return Ok(());
        };
        if !bounds.could_have_room(needed) {
            return Err(bounds.full());
        }
        for _ in 0..TRIES {
            if bounds.has_room(needed) {
                // Another call has given some room back meanwhile.
                return Ok(());
            }
            let has_made = match bounds.eviction {
                Eviction::Off => self.sweep_until(|| bounds.has_room(needed)),
                Eviction::S3Fifo => self.evict(key_hashes, bounds),
            };
            if has_made || bounds.has_room(needed) {
                return Ok(());
            }
            if bounds.eviction == Eviction::Off {
                break;
            }
            // Other writers may have put in entries that can be evicted now.
        }
        Err(bounds.full())
    }

    /// Evicts one entry, and says whether there was one. The entry is of the shard that needs the
    /// room, unless that shard holds less than its share.
    fn evict(&self, key_hashes: &[KeyHash<'_>], bounds: &Bounds) -> bool {
        let share = bounds.entries() / self.shards.len();
        let evict = |padded: &Padded, least: usize| {
            self.dispose_after(|removed| {
                let mut shard = padded.shard.write();
                shard.held() >= least.max(1) && shard.evict(key_hashes, &mut self.step(removed))
            })
        };
        key_hashes
            .first()
            .is_some_and(|key_hash| evict(self.shard(key_hash.hash), share))
            || self.in_turn().any(|index| evict(&self.shards[index], 1))
    }
}

/// The number of times that a store looks for an entry to evict before it says that there is none.
const TRIES: usize = 8;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::backend::Life;
    use crate::backend::store::limits::Limits;

    #[test]
    fn room_that_was_given_back_meanwhile_is_not_made_once_more() {
        let bounds = Bounds::new(2, usize::MAX, Eviction::S3Fifo);
        let store = Arc::new(Shards::new(Limits::default(), Some(bounds), None));
        store.fill("key", 1, Life::Never);
        let needed = NoRoom {
            entries: 1,
            bytes: 100,
            weight: 100,
        };
        let (_, key_hash) = store.find("other").unwrap();
        store.make_room(&[key_hash], needed).unwrap();
        assert_eq!(store.stats().evicted, 0);
    }
}
