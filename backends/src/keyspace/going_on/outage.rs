//! The outages of stores, as the calls that go on without them see it.
//!
//! An outage begins with a call that fails, and ends with one that doesn't. Meanwhile calls don't
//! ask the store, but for one at a time, with [pauses](crate::time::attempts) in between.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use dashmap::{DashMap, Entry};

use crate::backend::store::Instance;
use crate::time::attempts::{LONGEST, pause};

/// The stores that are away. A store may be gone, and another store be in its place: then the first
/// call of that one asks, and the others find nothing as long as it does.
static OUTAGES: LazyLock<DashMap<Instance, Outage>> = LazyLock::new(DashMap::new);
/// The number of stores that are away, never less than that of the table: as long as it is zero,
/// nobody looks at the table.
static AWAY: AtomicUsize = AtomicUsize::new(0);

/// A caller that asks and isn't heard of for so long has its turn no more: its runtime may not run,
/// and the limit of its call may be longer.
const TURN: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Outage {
    /// The time of the first failure, unless nobody has asked for a while since.
    since: Instant,
    /// The time before which nobody asks: the end of a pause, or of the turn of the one who asks.
    next: Instant,
}

/// How things stand with a store, as a call begins.
#[derive(Debug)]
pub(super) enum Standing {
    Up,
    /// The store is away, and it is this caller's turn to ask.
    Asked(Probe),
    /// The store is away. It is asked by somebody else, or later.
    Away,
}

/// The turn of a caller to ask a store that is away. Dropped without an answer, it failed.
#[derive(Debug)]
pub(super) struct Probe {
    store: Instance,
}

/// Says how things stand with a store, and gives the turn to ask to at most one caller.
pub(super) fn standing(store: Instance) -> Standing {
    if AWAY.load(SeqCst) == 0 {
        return Standing::Up;
    }
    let Some(mut outage) = OUTAGES.get_mut(&store) else {
        return Standing::Up;
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
    Standing::Asked(Probe { store })
}

/// Notes that a call has failed which began when nobody knew that the store is away.
pub(super) fn begin(store: Instance) {
    if let Entry::Vacant(vacant) = OUTAGES.entry(store) {
        let since = Instant::now();
        let next = since + pause(Duration::ZERO);
        AWAY.fetch_add(1, SeqCst);
        vacant.insert(Outage { since, next });
    }
}

impl Probe {
    /// Ends the outage.
    pub(super) fn answered(self) {
        // Dropping it finds nothing in the table.
        if OUTAGES.remove(&self.store).is_some() {
            AWAY.fetch_sub(1, SeqCst);
        }
    }

    /// Has the next caller ask after a pause.
    pub(super) fn failed(self) {
        drop(self);
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(mut outage) = OUTAGES.get_mut(&self.store) {
            let now = Instant::now();
            outage.next = now + pause(now.saturating_duration_since(outage.since));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store of a test's own, at an address that no other has.
    fn store() -> Instance {
        Instance::of(Box::leak(Box::new(0_u8)))
    }

    fn probe(store: Instance) -> Probe {
        let deadline = Instant::now() + TURN / 2;
        loop {
            match standing(store) {
                Standing::Asked(probe) => return probe,
                standing => assert!(Instant::now() < deadline, "{standing:?}"),
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_store_is_up_until_a_call_fails() {
        let (store, other) = (store(), store());
        assert!(matches!(standing(store), Standing::Up));
        begin(store);
        assert!(matches!(standing(store), Standing::Away), "a pause");
        assert!(matches!(standing(other), Standing::Up));
    }

    #[test]
    fn one_caller_at_a_time_asks() {
        let store = store();
        begin(store);
        let probe = probe(store);
        assert!(matches!(standing(store), Standing::Away));
        probe.failed();
        assert!(matches!(standing(store), Standing::Away), "a pause");
    }

    #[test]
    fn an_answer_ends_the_outage_at_once() {
        let store = store();
        begin(store);
        probe(store).answered();
        assert!(matches!(standing(store), Standing::Up));
    }

    #[test]
    fn a_caller_that_goes_away_gives_its_turn_back() {
        let store = store();
        begin(store);
        drop(probe(store));
        drop(probe(store));
    }

    #[test]
    fn who_is_not_heard_of_loses_the_turn() {
        let store = store();
        begin(store);
        std::mem::forget(probe(store));
        let left = OUTAGES.get(&store).unwrap().next - Instant::now();
        assert!(left <= TURN, "{left:?}");
    }

    #[test]
    fn a_failure_that_comes_late_prolongs_nothing() {
        let store = store();
        begin(store);
        let next = OUTAGES.get(&store).unwrap().next;
        begin(store);
        assert_eq!(OUTAGES.get(&store).unwrap().next, next);
    }
}
