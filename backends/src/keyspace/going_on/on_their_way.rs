//! The writes whose answers were lost, for as long as they may still be on their way to the store.
//!
//! A socket that its owner has given up sends what it was given for 102 s at most: that is how long
//! Linux repeats a segment which nobody acknowledges (`tcp_orphan_retries`, 8 times unless set, the
//! pauses doubling from 200 ms). So two minutes after the store is back a write has arrived, or
//! never will. As long as the store is away, nobody knows; but for outages that nobody has asked
//! about for ten minutes, which are forgotten.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use dashmap::DashMap;

use super::outage::{self, Extent, Place, is_any_away};
use crate::backend::Backend;
use crate::backend::store::Instance;

/// By store and key.
static LOST_WRITES: LazyLock<DashMap<(Instance, Box<str>), LostWrite>> =
    LazyLock::new(DashMap::new);
/// The end of the last of the times of lost writes, in milliseconds since [`EPOCH`]; zero while
/// there is none, so that most programs never look at the table.
static LAST: AtomicU64 = AtomicU64::new(0);
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
/// The number of notes at which those that are over are forgotten.
static TIDY_AT: AtomicUsize = AtomicUsize::new(FEW);

/// The time after which a write whose answer was lost isn't executed any more, unless its part of
/// the store is away.
const ON_ITS_WAY: Duration = Duration::from_secs(120);
/// Fewer notes than this aren't worth tidying.
const FEW: usize = 1024;

/// A write that may be executed until a time, and for as long as the part of the store is away that
/// it was sent to, if that has begun before that time.
#[derive(Debug, Clone, Copy)]
struct LostWrite {
    until: Instant,
    part: u64,
}

impl LostWrite {
    /// Says whether an outage that began at `begun` keeps the write from arriving.
    fn is_held_up(self, begun: Instant) -> bool {
        begun < self.until
    }
}

/// Notes that writes of these keys may still be on their way.
pub(super) fn note<'k, B>(backend: &B, keys: impl Iterator<Item = &'k str>)
where
    B: Backend + ?Sized,
{
    let store = backend.info().instance;
    let until = Instant::now() + ON_ITS_WAY;
    note_all(store, keys.map(|key| (key, backend.part_of(key))), until);
}

fn note_all<'k>(store: Instance, keys: impl Iterator<Item = (&'k str, u64)>, until: Instant) {
    // Before the notes: who finds it at zero finds none of them.
    LAST.fetch_max(millis(until), SeqCst);
    for (key, part) in keys {
        LOST_WRITES.insert((store, Box::from(key)), LostWrite { until, part });
    }
    if LOST_WRITES.len() > TIDY_AT.load(SeqCst) {
        forget_over();
        TIDY_AT.store(FEW.max(LOST_WRITES.len() * 2), SeqCst);
    }
}

/// Has the time of all notes of a part of a store begin anew that an outage has held up, as that
/// part is back.
pub(super) fn begin_anew(place: Place) {
    let Some(begun) = outage::begun(place).filter(|_| LAST.load(SeqCst) != 0) else {
        return;
    };
    let until = Instant::now() + ON_ITS_WAY;
    LAST.fetch_max(millis(until), SeqCst);
    let is_there =
        |store: Instance, lost: &LostWrite| store == place.store && lost.part == place.part;
    for mut lost in LOST_WRITES.iter_mut() {
        if is_there(lost.key().0, lost.value()) && lost.is_held_up(begun) {
            lost.until = until;
        }
    }
}

/// Says whether a write of one of the keys may still be on its way. Unless
/// [some write](may_be_any) may be, it needn't be asked.
pub(super) fn is_any<'k, B>(backend: &B, mut keys: impl Iterator<Item = &'k str>) -> bool
where
    B: Backend + ?Sized,
{
    let store = backend.info().instance;
    keys.any(|key| {
        let lost = LOST_WRITES.get(&(store, Box::from(key))).map(|lost| *lost);
        lost.is_some_and(|lost| may_come(backend, store, key, lost))
    })
}

/// Returns the parts of the store to which writes of keys that begin with `prefix` were sent, if
/// one of these writes may still be on its way.
pub(super) fn parts_under<B>(backend: &B, prefix: &str) -> Option<Vec<u64>>
where
    B: Backend + ?Sized,
{
    if !may_be_any() {
        return None;
    }
    let store = backend.info().instance;
    let under = LOST_WRITES.iter().filter(|lost| {
        let (of, key) = lost.key();
        *of == store && key.starts_with(prefix)
    });
    // The backend is a user's, and is asked under no lock.
    let under: Vec<(Box<str>, LostWrite)> = under
        .map(|lost| (lost.key().1.clone(), *lost.value()))
        .collect();
    let mut each = under.iter();
    let is_any = each.any(|(key, lost)| may_come(backend, store, key, *lost));
    is_any.then(|| under.iter().map(|(_, lost)| lost.part).collect())
}

/// A write to a part that has the key no more, as after a failover, comes to no reader while that
/// part is away: there the time alone counts.
fn may_come<B>(backend: &B, store: Instance, key: &str, lost: LostWrite) -> bool
where
    B: Backend + ?Sized,
{
    Instant::now() < lost.until || (is_held_up(store, lost) && backend.part_of(key) == lost.part)
}

/// Says whether an outage of all calls, or of writes alone, keeps a write from arriving.
fn is_held_up(store: Instance, lost: LostWrite) -> bool {
    [Extent::All, Extent::Writes].into_iter().any(|extent| {
        let part = lost.part;
        let begun = outage::begun(Place {
            store,
            part,
            extent,
        });
        begun.is_some_and(|begun| lost.is_held_up(begun))
    })
}

/// Says whether any note may count. Once all are over, they are forgotten.
pub(super) fn may_be_any() -> bool {
    let last = LAST.load(SeqCst);
    if last == 0 {
        return false;
    }
    let now = Instant::now();
    if millis(now) <= last {
        return true;
    }
    outage::forget_old(now);
    if is_any_away() {
        return true;
    }
    forget_over();
    // Nothing happens if there is a new one meanwhile.
    let _ = LAST.compare_exchange(last, 0, SeqCst, SeqCst);
    false
}

fn forget_over() {
    LOST_WRITES.retain(|(store, _), lost| Instant::now() < lost.until || is_held_up(*store, *lost));
}

fn millis(time: Instant) -> u64 {
    let since = time.saturating_duration_since(*EPOCH).as_millis();
    u64::try_from(since).map_or(u64::MAX, |since| since + 1)
}

#[cfg(all(test, feature = "memory"))]
mod tests {
    use std::iter;

    use super::*;
    use crate::MemoryBackend;
    use crate::backend::store::Store;

    fn note_until(backend: &MemoryBackend, key: &str, until: Instant) {
        note_all(backend.info().instance, iter::once((key, 0)), until);
    }

    fn is_noted(backend: &MemoryBackend, key: &str) -> bool {
        is_any(backend, iter::once(key))
    }

    fn place(backend: &MemoryBackend) -> Place {
        let (store, part, extent) = (backend.info().instance, 0, Extent::All);
        Place {
            store,
            part,
            extent,
        }
    }

    #[test]
    fn a_note_is_of_one_key_in_one_store() {
        let (one, other) = (MemoryBackend::new(), MemoryBackend::new());
        note(&one, ["page:1", "page:2"].into_iter());
        assert!(is_any(&one, ["page:0", "page:2"].into_iter()));
        assert!(!is_noted(&one, "page:3"));
        assert!(!is_noted(&other, "page:1"));
        assert_eq!(parts_under(&one, "page:"), Some(vec![0, 0]));
        assert_eq!(parts_under(&one, "news:"), None);
        assert_eq!(parts_under(&other, "page:"), None);
    }

    #[test]
    fn a_note_ends() {
        let store = MemoryBackend::new();
        note_until(&store, "page:1", Instant::now());
        assert!(!is_noted(&store, "page:1"));
        assert_eq!(parts_under(&store, "page:"), None);
    }

    #[test]
    fn a_note_counts_while_its_part_of_the_store_is_away_and_has_the_key() {
        let store = MemoryBackend::new();
        outage::begin(place(&store), Instant::now(), true).unwrap();
        // Over by now, but for the outage that had begun before.
        let until = outage::begun(place(&store)).unwrap() + Duration::from_nanos(1);
        note_until(&store, "page:1", until);
        note_all(place(&store).store, iter::once(("page:2", 1)), until);
        assert!(is_noted(&store, "page:1"));
        assert!(!is_noted(&store, "page:2"), "the key has moved from there");
        outage::end(place(&store)).unwrap();
        assert!(!is_noted(&store, "page:1"));
    }

    /// Writes that have arrived before an outage aren't held up by it.
    #[test]
    fn the_time_of_a_note_begins_when_its_part_is_back() {
        let store = MemoryBackend::new();
        let instance = place(&store).store;
        let until = |key: &str| {
            let lost = LOST_WRITES.get(&(instance, Box::from(key)));
            lost.unwrap().until
        };
        let far = Instant::now() + FAR;
        note_all(instance, [("page:1", 0), ("page:2", 1)].into_iter(), far);
        note_until(&store, "page:3", Instant::now());
        outage::begin(place(&store), Instant::now(), true).unwrap();
        let before = ["page:1", "page:2", "page:3"].map(until);
        begin_anew(place(&store));
        assert!(until("page:1") > before[0]);
        assert_eq!([until("page:2"), until("page:3")], [before[1], before[2]]);
        let mut parts = parts_under(&store, "page:").unwrap();
        parts.sort_unstable();
        assert_eq!(parts, [0, 0, 1]);
    }

    const FAR: Duration = Duration::from_secs(60);

    #[test]
    fn notes_that_are_over_are_forgotten() {
        let store = MemoryBackend::new();
        let over = Instant::now();
        for number in 0..4 * FEW {
            note_until(&store, &format!("page:{number}"), over);
        }
        assert!(LOST_WRITES.len() <= 2 * FEW, "{}", LOST_WRITES.len());
    }
}
