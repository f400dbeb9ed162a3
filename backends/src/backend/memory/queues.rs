//! The order in which a full shard evicts entries: S3-FIFO.
//!
//! Yang, Zhang, Qiu, Yue and Rashmi, "FIFO queues are all you need for cache eviction", SOSP 2023.
//! Entries begin in a small queue. An entry that was used while it passed through goes on to the
//! main queue, all others are evicted, so that a scan flushes a tenth of the entries at most. In
//! the main queue an entry that was used goes round again. A key that comes back soon after it was
//! evicted from the small queue begins in the main queue.
//!
//! Reading only counts the use in the entry itself, which needs no exclusive lock.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::entry::Entry;
use crate::time::clock::Moment;

#[derive(Debug, Default)]
pub(super) struct Queues {
    small: VecDeque<QueueSlot>,
    main: VecDeque<QueueSlot>,
    ghosts: Ghosts,
    /// The number of the last spot that was given out.
    last_ticket: u32,
}

/// An entry's spot in a queue. The entry knows its ticket, so a spot whose entry has gone is
/// recognised.
#[derive(Debug, Clone, Copy)]
struct QueueSlot {
    hash: u64,
    ticket: u32,
}

/// The hashes of the keys that were evicted from the small queue of late.
#[derive(Debug, Default)]
struct Ghosts {
    order: VecDeque<u64>,
    hashes: HashTable<u64>,
}

/// The small queue is as long as one in this many of all entries.
const SMALL_SHARE: usize = 10;
/// An entry moves on from the small queue if it was used as often as this.
const USED: u32 = 1;
/// A search that meets spared entries (there are two at most) this often has gone round as often as
/// the most used entry can: there is no other entry.
const MOST_SPARED: usize = 10;
/// Tickets are numbers below this.
const TICKETS: u32 = MAIN;
/// Set in the ticket of an entry that is in the main queue.
const MAIN: u32 = 1 << 29;
/// Fewer spots than this aren't worth tidying.
const FEW: usize = 64;

impl Queues {
    /// Gives a spot to an entry that is new under its key. A moved entry gets one at the end of the
    /// queue that the old entry was in.
    ///
    /// An entry that has proved to be used stays so under another key, and keeps its uses in the
    /// main queue. In the small queue a moved entry begins anew: nobody has read a value yet that
    /// takes the place of the token that it was computed under. If the token's uses counted for the
    /// value, a scan could flush the main queue. The spot is at the end, because a spot in the
    /// middle can't be found in short time; the entry lasts about as much longer as for one more
    /// use.
    pub(super) fn admit(
        &mut self,
        hash: u64,
        entry: &Entry,
        moved_from: Option<&Entry>,
        entries: &HashTable<Entry>,
    ) {
        self.tidy(entries);
        self.last_ticket = (self.last_ticket + 1) % TICKETS;
        let spot = QueueSlot {
            hash,
            ticket: self.last_ticket,
        };
        let has_come_back = self.ghosts.forget(hash);
        match moved_from.filter(|old| old.ticket() & MAIN != 0) {
            Some(old) => self.push_main(spot, entry, old.uses()),
            None if has_come_back => self.push_main(spot, entry, 0),
            None => {
                entry.set_mark(spot.ticket, 0);
                self.small.push_back(spot);
            }
        }
    }

    /// Gives an entry the spot of the one that it replaces, which counts as a use.
    pub(super) fn replace(old: &Entry, new: &Entry) {
        new.set_mark(old.ticket(), old.uses());
        new.note_use();
    }

    /// Chooses the entry to evict, and takes its spot away: the next entry that has ended, or else
    /// the next that isn't used. Never chooses an entry that `is_spared`.
    pub(super) fn choose(
        &mut self,
        entries: &HashTable<Entry>,
        now: Moment,
        is_spared: impl Fn(&Entry) -> bool,
    ) -> Option<(u64, Entry)> {
        let mut spared = 0;
        while spared < MOST_SPARED {
            let from_small =
                self.small.len() * SMALL_SHARE >= entries.len() || self.main.is_empty();
            if let Some(spot) = from_small.then(|| self.small.pop_front()).flatten() {
                let Some(entry) = spot.entry(entries) else {
                    continue;
                };
                if is_spared(entry) {
                    spared += 1;
                    self.push_main(spot, entry, entry.uses());
                    continue;
                }
                if !entry.is_live(|| now) {
                    return Some((spot.hash, entry.clone()));
                }
                if entry.uses() < USED {
                    self.ghosts.remember(spot.hash, entries.len());
                    return Some((spot.hash, entry.clone()));
                }
                self.push_main(spot, entry, 0);
                continue;
            }
            let spot = self.main.pop_front()?;
            let Some(entry) = spot.entry(entries) else {
                continue;
            };
            if is_spared(entry) {
                spared += 1;
                self.main.push_back(spot);
                continue;
            }
            match entry.uses() {
                uses if uses > 0 && entry.is_live(|| now) => {
                    entry.set_mark(spot.ticket, uses - 1);
                    self.main.push_back(spot);
                }
                _ => return Some((spot.hash, entry.clone())),
            }
        }
        None
    }

    /// Puts an entry at the end of the main queue.
    fn push_main(&mut self, spot: QueueSlot, entry: &Entry, uses: u32) {
        let ticket = spot.ticket | MAIN;
        entry.set_mark(ticket, uses);
        self.main.push_back(QueueSlot { ticket, ..spot });
    }

    /// Drops the spots of entries that have gone when they are more than half of all.
    fn tidy(&mut self, entries: &HashTable<Entry>) {
        if self.small.len() + self.main.len() > FEW.max(entries.len() * 2) {
            self.small.retain(|spot| spot.entry(entries).is_some());
            self.main.retain(|spot| spot.entry(entries).is_some());
            self.small.shrink_to(self.small.len() * 2);
            self.main.shrink_to(self.main.len() * 2);
        }
    }
}

impl QueueSlot {
    fn entry<'e>(&self, entries: &'e HashTable<Entry>) -> Option<&'e Entry> {
        entries.find(self.hash, |entry| entry.ticket() == self.ticket)
    }
}

impl Ghosts {
    fn remember(&mut self, hash: u64, most: usize) {
        self.order.push_back(hash);
        self.hashes
            .entry(hash, |&other| other == hash, |&hash| hash)
            .or_insert(hash);
        while self.order.len() > most {
            if let Some(oldest) = self.order.pop_front() {
                self.forget(oldest);
            }
        }
    }

    /// Says whether the key was evicted of late.
    fn forget(&mut self, hash: u64) -> bool {
        match self.hashes.find_entry(hash, |&other| other == hash) {
            Ok(found) => {
                found.remove();
                true
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shard of numbered entries of which `capacity` fit.
    struct Model {
        entries: HashTable<Entry>,
        queues: Queues,
        capacity: usize,
    }

    fn hash(key: u32) -> u64 {
        // Well mixed, as the hashes of a store are: the golden ratio in 64 bits.
        (u64::from(key) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn key(entry: &Entry) -> u32 {
        std::str::from_utf8(entry.key()).unwrap().parse().unwrap()
    }

    impl Model {
        fn new(capacity: usize) -> Self {
            Self {
                entries: HashTable::new(),
                queues: Queues::default(),
                capacity,
            }
        }

        /// Reads the key, puts it in if it is missing, and says whether it was there.
        fn request(&mut self, key: u32) -> bool {
            if let Some(entry) = self.entries.find(hash(key), |e| self::key(e) == key) {
                entry.note_use();
                return true;
            }
            if self.entries.len() == self.capacity {
                let (_, entry) = self.choose().unwrap();
                self.remove(self::key(&entry));
            }
            let entry = Entry::new(&key.to_string(), b"value");
            self.queues.admit(hash(key), &entry, None, &self.entries);
            self.entries
                .insert_unique(hash(key), entry, |e| hash(self::key(e)));
            false
        }

        fn choose(&mut self) -> Option<(u64, Entry)> {
            let start = Moment::from_bits(0);
            self.queues.choose(&self.entries, start, |_| false)
        }

        fn fill(&mut self, key: u32) {
            self.request(key);
        }

        fn remove(&mut self, key: u32) {
            let found = self.entries.find_entry(hash(key), |e| self::key(e) == key);
            found.unwrap().remove();
        }
    }

    #[test]
    fn what_is_used_stays_while_a_scan_passes() {
        let mut model = Model::new(100);
        for _ in 0..3 {
            (0..50).for_each(|key| model.fill(key));
        }
        (1_000..11_000).for_each(|key| model.fill(key));
        assert!((0..50).all(|key| model.request(key)));
    }

    #[test]
    fn what_is_spared_is_never_chosen() {
        let mut model = Model::new(3);
        (0..3).for_each(|key| model.fill(key));
        for key in [0, 1] {
            let found = model.entries.find(hash(key), |e| self::key(e) == key);
            (0..3).for_each(|_| found.unwrap().note_use());
        }
        let spared = |spared: &'static [u32]| move |entry: &Entry| spared.contains(&key(entry));
        let start = Moment::from_bits(0);
        let (_, chosen) = model
            .queues
            .choose(&model.entries, start, spared(&[1, 2]))
            .unwrap();
        assert_eq!(key(&chosen), 0);
        model.remove(0);
        assert!(
            model
                .queues
                .choose(&model.entries, start, spared(&[1, 2]))
                .is_none()
        );
        let (_, chosen) = model
            .queues
            .choose(&model.entries, start, spared(&[2]))
            .unwrap();
        assert_eq!(key(&chosen), 1);
    }

    #[test]
    fn what_comes_back_soon_is_kept() {
        let mut model = Model::new(100);
        (0..100).for_each(|key| model.fill(key));
        // Evicts 0, which was never used.
        model.request(100);
        assert!(!model.request(0));
        (200..280).for_each(|key| model.fill(key));
        assert!(model.request(0));
    }

    #[test]
    fn spots_and_ghosts_of_what_has_gone_do_not_pile_up() {
        let mut model = Model::new(100);
        for key in 0..100_000 {
            model.request(key);
            if key % 3 != 0 {
                model.remove(key);
            }
        }
        let Queues { small, main, .. } = &model.queues;
        assert!(small.len() + main.len() <= 202);
        let Ghosts { order, hashes } = &model.queues.ghosts;
        assert!(order.len() <= 100 && hashes.len() <= 100);
    }

    #[test]
    fn an_empty_shard_has_nothing_to_give_up() {
        let mut model = Model::new(10);
        assert!(model.choose().is_none());
        model.request(1);
        model.remove(1);
        assert!(model.choose().is_none());
    }
}
