//! The outages of stores, as the calls that go on without them see it.
//!
//! An outage begins with a call that fails, and ends with one that doesn't. Meanwhile calls don't
//! ask the store, but for one at a time, with [pauses](crate::time::attempts) in between.
//!
//! Each part of a store is away by itself ([`Store::part_of`](crate::store::Store::part_of)). So
//! are writes, which a server may refuse or hold back while it answers reads, and reads of
//! replicas.

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
/// The time at which the last outage of a place ended.
static ENDS: LazyLock<DashMap<Place, Instant>> = LazyLock::new(DashMap::new);

/// A caller that asks and isn't heard of for so long has its turn no more: its runtime may not run,
/// and the limit of its call may be longer.
const TURN: Duration = Duration::from_secs(10);
/// A place that nobody has asked for so long is forgotten: its store may be gone, or its part have
/// no keys any more. No call lasts so long.
const FORGOTTEN: Duration = Duration::from_secs(600);

#[derive(Debug)]
struct Outage {
    /// The time of the first failure.
    begun: Instant,
    /// The beginning of the time in which callers have asked in vain. It is later than `begun`
    /// where nobody had asked for a while.
    since: Instant,
    /// The time before which nobody asks: the end of a pause, or of the turn of the one who asks.
    next: Instant,
    /// The number of the turn that was given last; zero before the first one.
    turn: u64,
    /// False for a part that only may be away: a call that needed several has failed.
    is_certain: bool,
}

/// How things stand with the places that a call needs, as it begins.
#[derive(Debug)]
pub(super) enum Standing {
    Up,
    /// Some of the places are away, and it is this caller's turn to ask all of these.
    Asked(Vec<Probe>),
    /// A place is away. It is asked by somebody else, or later.
    Away,
}

/// The turn of a caller to ask a place that is away. Dropped without an answer, it failed.
#[derive(Debug)]
pub(super) struct Probe {
    place: Place,
    begun: Instant,
    turn: u64,
}

/// The change of an outage that observers are told of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    Begun,
    Ended(Duration),
}

/// Says whether anything is away.
pub(super) fn is_any_away() -> bool {
    AWAY.load(SeqCst) != 0
}

/// Says how things stand with places, none of which comes twice, and gives the turns to ask to at
/// most one caller.
pub(super) fn standing(places: &[Place]) -> Standing {
    let is_pausing = |place: &Place| {
        let outage = OUTAGES.get(place);
        outage.is_some_and(|outage| Instant::now() < outage.next)
    };
    if places.iter().any(is_pausing) {
        return Standing::Away;
    }
    let turns = places.iter().filter_map(|place| ask(*place).transpose());
    match turns.collect::<Result<Vec<Probe>, Pausing>>() {
        Ok(probes) if probes.is_empty() => Standing::Up,
        Ok(probes) => Standing::Asked(probes),
        // The turns that were given so far go back.
        Err(Pausing) => Standing::Away,
    }
}

/// It is somebody else's turn to ask, or nobody's.
struct Pausing;

/// Gives the turn to ask a place; none if the place isn't away.
fn ask(place: Place) -> Result<Option<Probe>, Pausing> {
    static TURNS: AtomicU64 = AtomicU64::new(0);
    let Some(mut outage) = OUTAGES.get_mut(&place) else {
        return Ok(None);
    };
    let now = Instant::now();
    if now < outage.next {
        return Err(Pausing);
    }
    if now >= outage.next + LONGEST {
        // Nobody has asked meanwhile, so nobody knows how long it was in vain.
        outage.since = now;
    }
    outage.next = now + TURN;
    outage.turn = TURNS.fetch_add(1, SeqCst) + 1;
    let (begun, turn) = (outage.begun, outage.turn);
    Ok(Some(Probe { place, begun, turn }))
}

/// Says whether a place is away; gives no turn.
pub(super) fn is_away(place: Place) -> bool {
    is_any_away() && OUTAGES.get(&place).is_some_and(|outage| outage.is_certain)
}

/// Returns the time at which an outage of a place began, be it certain or not.
pub(super) fn begun(place: Place) -> Option<Instant> {
    match is_any_away() {
        true => OUTAGES.get(&place).map(|outage| outage.begun),
        false => None,
    }
}

/// Notes that a call has failed which began at `called`, when nobody knew that the place is away.
/// The failure of a call that began before the end of the last outage says nothing about now.
pub(super) fn begin(place: Place, called: Instant, is_certain: bool) -> Option<Change> {
    let now = Instant::now();
    forget_old(now);
    let Entry::Vacant(vacant) = OUTAGES.entry(place) else {
        return None;
    };
    // Behind the entry: an outage notes its end before it leaves the table.
    if ENDS.get(&place).is_some_and(|ended| called <= *ended) {
        return None;
    }
    AWAY.fetch_add(1, SeqCst);
    vacant.insert(Outage {
        begun: now,
        since: now,
        // A place that only may be away is asked at once.
        next: if is_certain {
            now + pause(Duration::ZERO)
        } else {
            now
        },
        turn: 0,
        is_certain,
    });
    is_certain.then_some(Change::Begun)
}

/// Ends the outage of a place, if there is one, as the place has answered.
pub(super) fn end(place: Place) -> Option<Change> {
    end_if(place, |_| true)
}

fn end_if(place: Place, is_meant: impl Fn(&Outage) -> bool) -> Option<Change> {
    if !is_any_away() {
        return None;
    }
    // First of all, so that no failure from before begins another outage.
    if OUTAGES.get(&place).is_some_and(|outage| is_meant(&outage)) {
        ENDS.insert(place, Instant::now());
    }
    let (_, outage) = OUTAGES.remove_if(&place, |_, outage| is_meant(outage))?;
    AWAY.fetch_sub(1, SeqCst);
    let change = Change::Ended(outage.begun.elapsed());
    outage.is_certain.then_some(change)
}

/// Forgets the places that nobody has asked for long.
pub(super) fn forget_old(now: Instant) {
    OUTAGES.retain(|_, outage| {
        let is_old = outage.is_old(now);
        if is_old {
            AWAY.fetch_sub(1, SeqCst);
        }
        !is_old
    });
    ENDS.retain(|_, ended| now < *ended + FORGOTTEN);
}

impl Outage {
    fn is_old(&self, now: Instant) -> bool {
        now >= self.next + FORGOTTEN
    }
}

impl Probe {
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Ends the outage, unless it has ended.
    pub(super) fn answered(self) -> Option<Change> {
        // Dropping the probe finds nothing in the table.
        end_if(self.place, |outage| outage.begun == self.begun)
    }

    /// Has the next caller ask after a pause. The place is known to be away then, if `is_certain`.
    pub(super) fn failed(self, is_certain: bool) -> Option<Change> {
        let mut outage = OUTAGES.get_mut(&self.place)?;
        let is_first = is_certain && outage.begun == self.begun && !outage.is_certain;
        outage.is_certain |= is_first;
        // Before the probe is dropped, which looks at the table.
        drop(outage);
        is_first.then_some(Change::Begun)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(mut outage) = OUTAGES.get_mut(&self.place)
            // Otherwise somebody else has the turn by now.
            && outage.turn == self.turn
        {
            let now = Instant::now();
            outage.next = now + pause(now.saturating_duration_since(outage.since));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        let (store, extent) = (Instance::unique(), Extent::All);
        let part = 0;
        Place {
            store,
            part,
            extent,
        }
    }

    fn begin_now(place: Place) {
        assert_eq!(begin(place, Instant::now(), true), Some(Change::Begun));
    }

    fn probes(places: &[Place]) -> Vec<Probe> {
        let deadline = Instant::now() + TURN / 2;
        loop {
            match standing(places) {
                Standing::Asked(probes) => return probes,
                standing => assert!(Instant::now() < deadline, "{standing:?}"),
            }
            std::thread::yield_now();
        }
    }

    fn probe(place: Place) -> Probe {
        probes(&[place]).pop().unwrap()
    }

    #[test]
    fn a_place_is_up_until_a_call_fails() {
        let (one, other) = (place(), place());
        assert!(matches!(standing(&[one]), Standing::Up));
        begin_now(one);
        assert!(matches!(standing(&[one]), Standing::Away), "a pause");
        assert!(matches!(standing(&[other]), Standing::Up));
        let part = Place { part: 1, ..one };
        assert!(matches!(standing(&[part]), Standing::Up));
        assert!(is_away(one) && !is_away(part));
    }

    #[test]
    fn one_caller_at_a_time_asks() {
        let place = place();
        begin_now(place);
        let probe = probe(place);
        assert!(matches!(standing(&[place]), Standing::Away));
        assert_eq!(probe.failed(true), None, "that is known");
        assert!(matches!(standing(&[place]), Standing::Away), "a pause");
    }

    #[test]
    fn a_call_on_several_places_asks_all_of_them_or_none() {
        let one = place();
        let other = Place { part: 1, ..one };
        begin_now(one);
        begin_now(other);
        let both = [one, other];
        let asked = probes(&both);
        assert_eq!(asked.len(), 2);
        assert!(matches!(standing(&[other]), Standing::Away));
        drop(asked);
        let asked = probe(other);
        assert!(matches!(standing(&both), Standing::Away), "one is asked");
        asked.answered().unwrap();
        assert_eq!(probes(&both)[0].place(), one);
    }

    #[test]
    fn a_place_that_may_be_away_is_asked_at_once() {
        let place = place();
        assert_eq!(begin(place, Instant::now(), false), None);
        assert!(!is_away(place), "nobody knows yet");
        assert_eq!(probe(place).failed(false), None, "nor does it say");
        assert!(!is_away(place));
        assert_eq!(probe(place).failed(true), Some(Change::Begun));
        assert!(is_away(place));
        assert!(matches!(probe(place).answered(), Some(Change::Ended(_))));
        assert_eq!(begin(place, Instant::now(), false), None);
        assert_eq!(probe(place).answered(), None, "it wasn't away");
        assert!(matches!(standing(&[place]), Standing::Up));
    }

    #[test]
    fn an_answer_ends_the_outage_at_once() {
        let place = place();
        begin_now(place);
        assert!(matches!(probe(place).answered(), Some(Change::Ended(_))));
        assert!(matches!(standing(&[place]), Standing::Up));
        begin_now(place);
        assert!(matches!(end(place), Some(Change::Ended(_))));
        assert_eq!(end(place), None);
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
        let left = OUTAGES.get(&place).unwrap().next - Instant::now();
        assert!(left > TURN / 2, "the turn is the next one's: {left:?}");
        next.failed(true);
    }

    #[test]
    fn an_answer_from_an_outage_that_has_ended_does_not_end_the_next_one() {
        let place = place();
        begin_now(place);
        let late = probe(place);
        end(place).unwrap();
        begin_now(place);
        assert_eq!(late.answered(), None);
        assert!(is_away(place));
    }

    #[test]
    fn a_failure_that_comes_late_prolongs_nothing() {
        let place = place();
        begin_now(place);
        let next = OUTAGES.get(&place).unwrap().next;
        assert_eq!(begin(place, Instant::now(), true), None);
        assert_eq!(OUTAGES.get(&place).unwrap().next, next);
    }

    #[test]
    fn a_failure_from_before_the_end_of_an_outage_begins_none() {
        let (place, other) = (place(), place());
        let before = Instant::now();
        begin_now(place);
        probe(place).answered().unwrap();
        assert_eq!(begin(place, before, true), None);
        assert!(matches!(standing(&[place]), Standing::Up));
        assert!(begin(other, before, true).is_some(), "that is another one");
    }

    #[test]
    fn what_nobody_asks_is_forgotten() {
        let place = place();
        begin_now(place);
        let outage = OUTAGES.get(&place).unwrap();
        assert!(!outage.is_old(outage.next + FORGOTTEN - TURN));
        assert!(outage.is_old(outage.next + FORGOTTEN));
    }
}
