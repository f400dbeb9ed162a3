//! The writes whose answers were lost, for as long as they may still be on their way to the store.
//!
//! A socket that its owner has given up sends what it was given for 102 s at most: that is how long
//! Linux repeats a segment which nobody acknowledges (`tcp_orphan_retries`, 8 times unless set, the
//! pauses doubling from 200 ms). So two minutes after the store is back a write has arrived, or
//! never will. As long as the store is away, nobody knows.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use dashmap::DashMap;

use super::outage::{is_any_away, is_store_away};
use crate::backend::store::Instance;

/// A store and a key in it.
type Place = (Instance, Box<str>);

/// The time until which a write of the key may be executed, if its store isn't away.
static LOST_WRITES: LazyLock<DashMap<Place, Instant>> = LazyLock::new(DashMap::new);
/// The end of the last of these times, in milliseconds since [`EPOCH`]; zero while there is none,
/// so that most programs never look at the table.
static LAST: AtomicU64 = AtomicU64::new(0);
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
/// The number of notes at which those that are over are forgotten.
static TIDY_AT: AtomicUsize = AtomicUsize::new(FEW);

/// The time after which a write whose answer was lost isn't executed any more, unless its store is
/// away.
const ON_ITS_WAY: Duration = Duration::from_secs(120);
/// Fewer notes than this aren't worth tidying.
const FEW: usize = 1024;

/// Notes that writes of these keys may still be on their way.
pub(super) fn note<'k>(store: Instance, keys: impl Iterator<Item = &'k str>) {
    note_until(store, keys, Instant::now() + ON_ITS_WAY);
}

fn note_until<'k>(store: Instance, keys: impl Iterator<Item = &'k str>, until: Instant) {
    // Before the notes: who finds it at zero finds none of them.
    LAST.fetch_max(millis(until), SeqCst);
    for key in keys {
        LOST_WRITES.insert((store, Box::from(key)), until);
    }
    if LOST_WRITES.len() > TIDY_AT.load(SeqCst) {
        forget_over();
        TIDY_AT.store(FEW.max(LOST_WRITES.len() * 2), SeqCst);
    }
}

/// Has the time of all notes of a store begin anew, as the store is back.
pub(super) fn begin_anew(store: Instance) {
    if LAST.load(SeqCst) == 0 {
        return;
    }
    let until = Instant::now() + ON_ITS_WAY;
    LAST.fetch_max(millis(until), SeqCst);
    for mut lost in LOST_WRITES.iter_mut().filter(|lost| lost.key().0 == store) {
        *lost.value_mut() = until;
    }
}

/// Says whether a write of one of the keys may still be on its way.
pub(super) fn is_any<'k>(store: Instance, mut keys: impl Iterator<Item = &'k str>) -> bool {
    if !may_be_any() {
        return false;
    }
    keys.any(|key| {
        let until = LOST_WRITES.get(&(store, Box::from(key)));
        until.is_some_and(|until| may_come(store, *until))
    })
}

/// Says whether a write of a key that begins with `prefix` may still be on its way.
pub(super) fn is_under(store: Instance, prefix: &str) -> bool {
    may_be_any()
        && LOST_WRITES.iter().any(|lost| {
            let (of, key) = lost.key();
            *of == store && key.starts_with(prefix) && may_come(store, *lost.value())
        })
}

fn may_come(store: Instance, until: Instant) -> bool {
    Instant::now() < until || is_store_away(store)
}

/// Says whether any note may count. Once all are over, they are forgotten.
pub(super) fn may_be_any() -> bool {
    let last = LAST.load(SeqCst);
    if last == 0 {
        return false;
    }
    if millis(Instant::now()) <= last || is_any_away() {
        return true;
    }
    forget_over();
    // Nothing happens if there is a new one meanwhile.
    let _ = LAST.compare_exchange(last, 0, SeqCst, SeqCst);
    false
}

fn forget_over() {
    LOST_WRITES.retain(|(store, _), until| may_come(*store, *until));
}

fn millis(time: Instant) -> u64 {
    let since = time.saturating_duration_since(*EPOCH).as_millis();
    u64::try_from(since).map_or(u64::MAX, |since| since + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_noted(store: Instance, key: &str) -> bool {
        is_any(store, [key].into_iter())
    }

    #[test]
    fn a_note_is_of_one_key_in_one_store() {
        let (one, other) = (Instance::new(), Instance::new());
        note(one, ["page:1", "page:2"].into_iter());
        assert!(is_any(one, ["page:0", "page:2"].into_iter()));
        assert!(!is_noted(one, "page:3"));
        assert!(!is_noted(other, "page:1"));
        assert!(is_under(one, "page:") && !is_under(one, "news:"));
        assert!(!is_under(other, "page:"));
    }

    #[test]
    fn a_note_ends() {
        let store = Instance::new();
        note_until(store, ["page:1"].into_iter(), Instant::now());
        assert!(!is_noted(store, "page:1"));
        assert!(!is_under(store, "page:"));
    }

    #[test]
    fn the_time_of_a_note_begins_when_its_store_is_back() {
        let (store, other) = (Instance::new(), Instance::new());
        let until = |store| *LOST_WRITES.get(&(store, Box::from("page:1"))).unwrap();
        for store in [store, other] {
            note(store, ["page:1"].into_iter());
        }
        let before = [store, other].map(until);
        begin_anew(store);
        assert!(until(store) > before[0]);
        assert_eq!(until(other), before[1]);
    }

    #[test]
    fn notes_that_are_over_are_forgotten() {
        let store = Instance::new();
        let over = Instant::now();
        for number in 0..4 * FEW {
            note_until(store, [&*format!("page:{number}")].into_iter(), over);
        }
        assert!(LOST_WRITES.len() <= 2 * FEW, "{}", LOST_WRITES.len());
    }
}
