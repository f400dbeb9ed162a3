//! The outages of stores, as the calls that go on without them see it.
//!
//! An outage begins with a call that fails, and ends with one that doesn't. Meanwhile calls don't
//! ask the store, but for one at a time, with [pauses](crate::time::attempts) in between.
//!
//! Each part of a store is away by itself ([`Store::part_of`](crate::store::Store::part_of)). So
//! are writes, which a server may refuse that answers reads, and reads of replicas.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use dashmap::{DashMap, Entry};

use crate::backend::store::Instance;
use crate::time::attempts::{LONGEST, pause};

/// The place that an outage is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) store: Instance,
    pub(super) part: u64,
    pub(super) extent: Extent,
}

/// The calls that an outage is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Extent {
    /// All calls but reads of replicas.
    All,
    /// Writes alone.
    Writes,
    /// Reads of replicas.
    Replicas,
}

/// The places that are away.
static OUTAGES: LazyLock<DashMap<Place, Outage>> = LazyLock::new(DashMap::new);
/// The number of places that are away, never less than that of the table: as long as it is zero,
/// nobody looks at the table.
static AWAY: AtomicUsize = AtomicUsize::new(0);
/// The number of outages that have ended.
static ENDED: AtomicU64 = AtomicU64::new(0);

/// A caller that asks and isn't heard of for so long has its turn no more: its runtime may not run,
/// and the limit of its call may be longer.
const TURN: Duration = Duration::from_secs(10);
/// A place that nobody has asked for so long is forgotten: its store may be gone.
const FORGOTTEN: Duration = Duration::from_secs(3600);

#[derive(Debug)]
struct Outage {
    /// The time of the first failure.
    begun: Instant,
    /// The same, unless nobody has asked for a while since.
    since: Instant,
    /// The time before which nobody asks: the end of a pause, or of the turn of the one who asks.
    next: Instant,
    /// The number of turns that were given.
    turns: u64,
}

/// The number of outages that had ended when a call began: if it fails after more have ended, its
/// failure says nothing about now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended(u64);

/// How things stand with a place, as a call begins.
#[derive(Debug)]
pub(super) enum Standing {
    Up(Ended),
    /// The place is away, and it is this caller's turn to ask.
    Asked(Probe),
    /// The place is away. It is asked by somebody else, or later.
    Away,
}

/// The turn of a caller to ask a place that is away. Dropped without an answer, it failed.
#[derive(Debug)]
pub(super) struct Probe {
    place: Place,
    turn: u64,
}

/// Says whether anything is away.
pub(super) fn is_any_away() -> bool {
    AWAY.load(SeqCst) != 0
}

/// Returns the number of outages that have ended, for a call that begins.
pub(super) fn ended() -> Ended {
    Ended(ENDED.load(SeqCst))
}

/// Says how things stand with the places that a call needs, and gives the turn to ask to at most
/// one caller.
pub(super) fn standing(places: impl Iterator<Item = Place> + Clone) -> Standing {
    let ended = ended();
    if places.clone().any(is_pausing) {
        return Standing::Away;
    }
    for place in places {
        let Some(mut outage) = OUTAGES.get_mut(&place) else {
            continue;
        };
        let now = Instant::now();
        if now < outage.next {
            return Standing::Away;
        }
        if now >= outage.next + LONGEST {
            // Nobody has asked meanwhile, so nobody knows how long it was in vain.
            outage.since = now;
        }
        outage.next = now + TURN;
        outage.turns += 1;
        let turn = outage.turns;
        return Standing::Asked(Probe { place, turn });
    }
    Standing::Up(ended)
}

/// Says whether a place is away; gives no turn.
pub(super) fn is_away(place: Place) -> bool {
    OUTAGES.contains_key(&place)
}

/// Says whether any part of a store is away.
pub(super) fn is_store_away(store: Instance) -> bool {
    is_any_away() && OUTAGES.iter().any(|outage| outage.key().store == store)
}

fn is_pausing(place: Place) -> bool {
    let outage = OUTAGES.get(&place);
    outage.is_some_and(|outage| Instant::now() < outage.next)
}

/// Notes that a call has failed which began when nobody knew that the place is away, and says
/// whether an outage begins with it.
pub(super) fn begin(place: Place, at_begin: Ended) -> bool {
    if ended() != at_begin {
        return false;
    }
    forget_old();
    let Entry::Vacant(vacant) = OUTAGES.entry(place) else {
        return false;
    };
    let begun = Instant::now();
    AWAY.fetch_add(1, SeqCst);
    vacant.insert(Outage {
        begun,
        since: begun,
        next: begun + pause(Duration::ZERO),
        turns: 0,
    });
    true
}

fn forget_old() {
    let now = Instant::now();
    OUTAGES.retain(|_, outage| {
        let is_asked = now < outage.next + FORGOTTEN;
        if !is_asked {
            AWAY.fetch_sub(1, SeqCst);
        }
        is_asked
    });
}

impl Probe {
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Ends the outage, and returns the time that it has lasted; `None` if it had ended.
    pub(super) fn answered(self) -> Option<Duration> {
        // Dropping the probe finds nothing in the table.
        let (_, outage) = OUTAGES.remove(&self.place)?;
        ENDED.fetch_add(1, SeqCst);
        AWAY.fetch_sub(1, SeqCst);
        Some(outage.begun.elapsed())
    }

    /// Has the next caller ask after a pause.
    pub(super) fn failed(self) {
        drop(self);
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(mut outage) = OUTAGES.get_mut(&self.place)
            // Otherwise somebody else has the turn by now.
            && outage.turns == self.turn
        {
            let now = Instant::now();
            outage.next = now + pause(now.saturating_duration_since(outage.since));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    fn place() -> Place {
        let (store, extent) = (Instance::new(), Extent::All);
        let part = 0;
        Place {
            store,
            part,
            extent,
        }
    }

    fn standing_of(place: Place) -> Standing {
        standing(iter::once(place))
    }

    /// Begins an outage of a call that began now, also if others end meanwhile.
    fn begin_now(place: Place) {
        while !begin(place, ended()) {}
    }

    fn probe(place: Place) -> Probe {
        let deadline = Instant::now() + TURN / 2;
        loop {
            match standing_of(place) {
                Standing::Asked(probe) => return probe,
                standing => assert!(Instant::now() < deadline, "{standing:?}"),
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_place_is_up_until_a_call_fails() {
        let (one, other) = (place(), place());
        assert!(matches!(standing_of(one), Standing::Up(_)));
        begin_now(one);
        assert!(matches!(standing_of(one), Standing::Away), "a pause");
        assert!(matches!(standing_of(other), Standing::Up(_)));
        let part = Place { part: 1, ..one };
        assert!(matches!(standing_of(part), Standing::Up(_)));
        assert!(is_away(one) && is_store_away(one.store));
        assert!(!is_away(part) && !is_store_away(other.store));
    }

    #[test]
    fn one_caller_at_a_time_asks() {
        let place = place();
        begin_now(place);
        let probe = probe(place);
        assert!(matches!(standing_of(place), Standing::Away));
        probe.failed();
        assert!(matches!(standing_of(place), Standing::Away), "a pause");
    }

    /// Nobody has the turn of one part while another part of the same call is away.
    #[test]
    fn a_call_on_several_parts_needs_all_of_them() {
        let one = place();
        let other = Place { part: 1, ..one };
        begin_now(one);
        drop(probe(one));
        begin_now(other);
        let both = [one, other];
        assert!(matches!(standing(both.into_iter()), Standing::Away));
        probe(other).answered().unwrap();
        let deadline = Instant::now() + TURN / 2;
        loop {
            match standing(both.into_iter()) {
                Standing::Asked(probe) => {
                    assert_eq!(probe.place(), one);
                    break;
                }
                standing => assert!(Instant::now() < deadline, "{standing:?}"),
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn an_answer_ends_the_outage_at_once() {
        let place = place();
        begin_now(place);
        assert!(probe(place).answered().is_some());
        assert!(matches!(standing_of(place), Standing::Up(_)));
    }

    #[test]
    fn a_caller_that_goes_away_gives_its_turn_back() {
        let place = place();
        begin_now(place);
        drop(probe(place));
        drop(probe(place));
    }

    #[test]
    fn who_is_not_heard_of_loses_the_turn() {
        let place = place();
        begin_now(place);
        let late = probe(place);
        let left = OUTAGES.get(&place).unwrap().next - Instant::now();
        assert!(left <= TURN, "{left:?}");
        // As after that time.
        OUTAGES.get_mut(&place).unwrap().next = Instant::now();
        let next = probe(place);
        drop(late);
        assert!(matches!(standing_of(place), Standing::Away));
        let left = OUTAGES.get(&place).unwrap().next - Instant::now();
        assert!(left > TURN / 2, "the turn is the next one's: {left:?}");
        next.failed();
    }

    #[test]
    fn a_failure_that_comes_late_prolongs_nothing() {
        let place = place();
        begin_now(place);
        let next = OUTAGES.get(&place).unwrap().next;
        assert!(!begin(place, ended()));
        assert_eq!(OUTAGES.get(&place).unwrap().next, next);
    }

    #[test]
    fn a_failure_of_before_the_end_of_an_outage_begins_none() {
        let place = place();
        let before = ended();
        begin_now(place);
        probe(place).answered().unwrap();
        assert!(!begin(place, before));
        assert!(matches!(standing_of(place), Standing::Up(_)));
    }

    #[test]
    fn what_nobody_asks_is_forgotten() {
        let (gone, place) = (place(), place());
        begin_now(gone);
        let Some(long_ago) = Instant::now().checked_sub(2 * FORGOTTEN) else {
            return;
        };
        OUTAGES.get_mut(&gone).unwrap().next = long_ago;
        begin_now(place);
        assert!(!is_away(gone) && is_away(place));
    }
}
