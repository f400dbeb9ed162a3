//! The search for an order of the calls on one key in which each answer is right.
//!
//! A history is linearizable (Herlihy and Wing, "Linearizability: a correctness condition for
//! concurrent objects", 1990) if each call can be given one moment between its beginning and its
//! end, so that the calls, one after the other, have the answers that they had. Keys can be looked
//! at one by one: that property is local.
//!
//! The search is that of Wing and Gong, "Testing and verifying concurrent objects", 1993, with
//! Lowe's memory of what was tried, "Testing for linearizability", 2017. A call whose outcome is
//! unknown may have its moment at any time after its beginning, or never.

use std::collections::HashSet;

use super::call::{Call, End};
use super::model::{Rules, State};

/// The most steps of one search.
const MOST_STEPS: usize = 2_000_000;

/// The result of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// There is an order in which each answer is right.
    Found,
    /// There is none.
    None,
    /// The search was given up.
    Undecided,
}

/// Looks for an order of the calls on one key of a server.
pub fn order(calls: &[Call]) -> Order {
    order_by(calls, Rules::SERVERS)
}

/// Looks for an order of the calls on one key, by the rules of its store.
pub fn order_by(calls: &[Call], rules: Rules) -> Order {
    // What has failed had no effect, and says nothing.
    let calls: Vec<Call> = calls
        .iter()
        .filter(|call| call.end != End::Failed)
        .copied()
        .collect();
    Search::new(&calls, rules).run()
}

/// One end of a call, in the order of time.
#[derive(Debug, Clone, Copy)]
struct Event {
    call: usize,
    is_end: bool,
}

/// The events that aren't placed yet, as a linked list: placing a call takes both of its ends out,
/// and going back puts them in again at the same places.
struct Search<'c> {
    calls: &'c [Call],
    rules: Rules,
    events: Vec<Event>,
    next: Vec<usize>,
    before: Vec<usize>,
    /// The position of the end of each call.
    ends: Vec<usize>,
}

/// A call that was placed: its event, the state before it, and which of the states after it was
/// taken.
struct Placed {
    event: usize,
    before: State,
    way: usize,
}

impl<'c> Search<'c> {
    fn new(calls: &'c [Call], rules: Rules) -> Self {
        let mut events: Vec<(u64, bool, usize)> = Vec::with_capacity(2 * calls.len());
        for (call, it) in calls.iter().enumerate() {
            events.push((it.began, false, call));
            events.push((it.settled(), true, call));
        }
        // At the same time beginnings come first: such calls overlap.
        events.sort_unstable();
        // The list begins and ends with a place that is no event.
        let count = events.len();
        let mut ends = vec![0; calls.len()];
        for (position, (_, is_end, call)) in events.iter().enumerate() {
            if *is_end {
                ends[*call] = position + 1;
            }
        }
        let nothing = Event {
            call: usize::MAX,
            is_end: false,
        };
        let events = events
            .into_iter()
            .map(|(_, is_end, call)| Event { call, is_end });
        Self {
            calls,
            rules,
            events: std::iter::once(nothing).chain(events).collect(),
            next: (1..=count + 1).collect(),
            before: (0..=count + 1).map(|at| at.saturating_sub(1)).collect(),
            ends,
        }
    }

    fn run(mut self) -> Order {
        let last = self.events.len();
        let mut state = State::default();
        let mut placed = Calls::new(self.calls.len());
        let mut tried: HashSet<(Calls, State)> = HashSet::new();
        let mut path: Vec<Placed> = Vec::new();
        let mut at = self.next[0];
        let mut way = 0;
        for _ in 0..MOST_STEPS {
            if at == last {
                return Order::Found;
            }
            let event = self.events[at];
            if !event.is_end {
                match self.place(event.call, state, way, &placed, &mut tried) {
                    Some((way, after)) => {
                        path.push(Placed {
                            event: at,
                            before: state,
                            way,
                        });
                        placed.insert(event.call);
                        state = after;
                        self.take_out(at);
                        self.take_out(self.ends[event.call]);
                        at = self.next[0];
                    }
                    None => at = self.next[at],
                }
                way = 0;
                continue;
            }
            // All calls that have ended are placed: the others needn't be.
            if self.calls[event.call].settled() == u64::MAX {
                return Order::Found;
            }
            // This call has ended and has no place: the last one was placed wrongly.
            let Some(last_placed) = path.pop() else {
                return Order::None;
            };
            let call = self.events[last_placed.event].call;
            self.put_in(self.ends[call]);
            self.put_in(last_placed.event);
            placed.remove(call);
            state = last_placed.before;
            at = last_placed.event;
            way = last_placed.way + 1;
        }
        Order::Undecided
    }

    /// Returns the first state after a call, from the way `from` on, that wasn't come to before.
    fn place(
        &self,
        call: usize,
        state: State,
        from: usize,
        placed: &Calls,
        tried: &mut HashSet<(Calls, State)>,
    ) -> Option<(usize, State)> {
        // Of calls that are the same in everything the first one goes first.
        let is_next = call == 0 || self.calls[call - 1] != self.calls[call];
        if !is_next && !placed.contains(call - 1) {
            return None;
        }
        let mut with = placed.clone();
        with.insert(call);
        let ways = state.after(&self.calls[call], self.rules);
        let ways = ways.enumerate().skip(from);
        let mut new = ways.filter(|(_, after)| tried.insert((with.clone(), *after)));
        new.next()
    }

    fn take_out(&mut self, at: usize) {
        let (before, next) = (self.before[at], self.next[at]);
        self.next[before] = next;
        self.before[next] = before;
    }

    fn put_in(&mut self, at: usize) {
        let (before, next) = (self.before[at], self.next[at]);
        self.next[before] = at;
        self.before[next] = at;
    }
}

/// A set of calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Calls(Vec<u64>);

impl Calls {
    fn new(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn insert(&mut self, call: usize) {
        self.0[call / 64] |= 1 << (call % 64);
    }

    fn contains(&self, call: usize) -> bool {
        self.0[call / 64] & (1 << (call % 64)) != 0
    }

    fn remove(&mut self, call: usize) {
        self.0[call / 64] &= !(1 << (call % 64));
    }
}
