//! The times at which a machine had no time for the clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::call::Call;
use super::clock::{Clock, nanos};

/// The time between two beats.
const BEAT: Duration = Duration::from_millis(5);
/// A beat that is late by less says nothing.
const ON_TIME: Duration = Duration::from_millis(20);
/// The time by which a call may be late although the machine had time for a thread that does
/// nothing: its task waits for its turn behind others.
const MARGIN: Duration = Duration::from_secs(2);

/// The times at which a thread that sleeps was woken late, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Pulse(Vec<[u64; 2]>);

/// The thread that takes the pulse. It is none of the runtime's: what keeps that from its tasks may
/// be the library.
pub(super) struct Watch {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Pulse>,
}

impl Watch {
    pub(super) fn start(clock: Clock) -> Self {
        let is_over = Arc::<AtomicBool>::default();
        let ends = is_over.clone();
        let thread = thread::spawn(move || {
            let mut late = Vec::new();
            while !ends.load(Relaxed) {
                let began = clock.nanos();
                thread::sleep(BEAT);
                let woken = clock.nanos();
                if woken - began > nanos(BEAT + ON_TIME) {
                    late.push([began, woken]);
                }
            }
            Pulse(late)
        });
        Self { is_over, thread }
    }

    pub(super) fn end(self) -> Pulse {
        self.is_over.store(true, Relaxed);
        self.thread.join().expect("a thread that sleeps")
    }
}

impl Pulse {
    /// Says whether a call with this limit took longer than the machine explains.
    pub(super) fn is_late(&self, call: &Call, limit: Duration) -> bool {
        self.time_of(call) > nanos(limit + MARGIN)
    }

    /// Returns the nanoseconds that a call took while the machine had time for it.
    pub(super) fn time_of(&self, call: &Call) -> u64 {
        let overlap = |late: &[u64; 2]| {
            let [from, until] = [late[0].max(call.began), late[1].min(call.ended)];
            until.saturating_sub(from)
        };
        let stood_still: u64 = self.0.iter().map(overlap).sum();
        (call.ended - call.began).saturating_sub(stood_still)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Action, End};

    const SECOND: u64 = 1_000_000_000;

    fn call(began: u64, ended: u64) -> Call {
        Call {
            client: 0,
            key: 0,
            action: Action::Get,
            began: began * SECOND,
            ended: ended * SECOND,
            end: End::Failed,
        }
    }

    #[test]
    fn only_the_time_at_which_the_machine_stood_still_is_no_delay() {
        let limit = Duration::from_millis(250);
        let pulse = Pulse(vec![[SECOND, 5 * SECOND], [9 * SECOND, 30 * SECOND]]);
        assert!(!pulse.is_late(&call(0, 6), limit));
        assert!(pulse.is_late(&call(0, 7), limit));
        assert!(!pulse.is_late(&call(10, 29), limit));
        assert!(pulse.is_late(&call(5, 9), limit));
        assert_eq!(pulse.time_of(&call(2, 10)), 4 * SECOND);
    }
}
