//! The writes whose answers were lost, for as long as they may still be on their way to the store.
//!
//! A socket that its owner has given up sends what it was given for 102 s at most: that is how long
//! Linux repeats a segment which nobody acknowledges (`tcp_orphan_retries`, 8 times unless set, the
//! pauses doubling from 200 ms). A server that stood still reads what came by older connections
//! before it greets on newer ones. So after two minutes a write has arrived, or never will.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use dashmap::DashMap;

use crate::backend::store::Instance;
use crate::keyspace::key::Key;

/// A store and a key in it.
type Place = (Instance, Box<str>);

/// The time until which a write of the key may be executed.
static LOST_WRITES: LazyLock<DashMap<Place, Instant>> = LazyLock::new(DashMap::new);
/// The number of notes at which those that are over are forgotten; zero before the first note, so
/// that most programs never look at the table.
static TIDY_AT: AtomicUsize = AtomicUsize::new(0);

/// The time after which a write whose answer was lost isn't executed any more.
const ON_ITS_WAY: Duration = Duration::from_secs(120);
/// Fewer notes than this aren't worth tidying.
const FEW: usize = 1024;

/// Notes that writes of these keys may still be on their way.
pub(super) fn note(store: Instance, keys: &[Key]) {
    note_until(store, keys, Instant::now() + ON_ITS_WAY);
}

fn note_until(store: Instance, keys: &[Key], until: Instant) {
    TIDY_AT.fetch_max(FEW, SeqCst);
    for key in keys {
        LOST_WRITES.insert((store, Box::from(key.as_str())), until);
    }
    if LOST_WRITES.len() > TIDY_AT.load(SeqCst) {
        let now = Instant::now();
        LOST_WRITES.retain(|_, until| now < *until);
        TIDY_AT.store(FEW.max(LOST_WRITES.len() * 2), SeqCst);
    }
}

/// Says whether a write of one of the keys may still be on its way.
pub(super) fn is_any(store: Instance, keys: &[Key]) -> bool {
    if TIDY_AT.load(SeqCst) == 0 || LOST_WRITES.is_empty() {
        return false;
    }
    let now = Instant::now();
    keys.iter().any(|key| {
        let place = (store, Box::from(key.as_str()));
        LOST_WRITES.get(&place).is_some_and(|until| now < *until)
    })
}

/// Says whether a write of a key that begins with `prefix` may still be on its way.
pub(super) fn is_under(store: Instance, prefix: &str) -> bool {
    if TIDY_AT.load(SeqCst) == 0 {
        return false;
    }
    let now = Instant::now();
    LOST_WRITES.iter().any(|lost| {
        let (of, key) = lost.key();
        *of == store && key.starts_with(prefix) && now < *lost.value()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> Instance {
        Instance::of(Box::leak(Box::new(0_u8)))
    }

    fn key(text: &str) -> Key {
        Key::of_parts([text])
    }

    #[test]
    fn a_note_is_of_one_key_in_one_store() {
        let (one, other) = (store(), store());
        note(one, &[key("page:1"), key("page:2")]);
        assert!(is_any(one, &[key("page:0"), key("page:2")]));
        assert!(!is_any(one, &[key("page:3")]));
        assert!(!is_any(other, &[key("page:1")]));
        assert!(is_under(one, "page:") && !is_under(one, "news:"));
        assert!(!is_under(other, "page:"));
    }

    #[test]
    fn a_note_ends() {
        let store = store();
        note_until(store, &[key("page:1")], Instant::now());
        assert!(!is_any(store, &[key("page:1")]));
        assert!(!is_under(store, "page:"));
    }

    #[test]
    fn notes_that_are_over_are_forgotten() {
        let store = store();
        let over = Instant::now();
        for number in 0..4 * FEW {
            note_until(store, &[key(&format!("page:{number}"))], over);
        }
        assert!(LOST_WRITES.len() <= 2 * FEW, "{}", LOST_WRITES.len());
    }
}
