//! The sleep of a driver, and what has taken longer than it may when the driver wakes.

use std::future::Future;
use std::pin::pin;
use std::task::Context;
use std::time::Instant;

use super::Driver;
use super::alarm::Alarm;
use super::terms::Sign;

/// A silence or an answer that takes longer than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lateness {
    /// The silence of a server that owes no answer.
    Idle,
    /// The answer to a write, with reads behind it.
    Held,
    /// Any answer.
    Silent,
}

impl Driver {
    /// Says whether there is nothing to do until something comes. The driver is woken when
    /// something does.
    pub(super) fn sleeps(&mut self, context: &mut Context<'_>) -> bool {
        let mut queue = self.inbox.queue.lock();
        let has_written = self.written == self.output.len();
        let could_write = has_written && !self.is_probing && !self.is_wasted();
        // `end` may have run while the driver was being polled and found no waker.
        let has_ended = queue.end.is_some()
            || queue.is_handed_back && !self.is_handed_back
            || queue.wants_reads;
        let has_more =
            !queue.requests.is_empty() || !self.taken.is_empty() || !self.unanswered.is_empty();
        if has_ended || could_write && has_more {
            return false;
        }
        queue.driver = Some(context.waker().clone());
        drop(queue);
        self.listens(context)
    }

    /// Says whether nothing has taken longer than it may; the driver is woken when it has. A server
    /// that owes no answer is asked whether it is there.
    fn listens(&mut self, context: &mut Context<'_>) -> bool {
        loop {
            let (lateness, due) = self.due();
            let was_late = std::mem::take(&mut self.is_late);
            if !was_late && !self.alarm_has_passed(due, context) {
                return true;
            }
            let now = Instant::now();
            if now < due {
                continue;
            }
            if lateness == Lateness::Idle {
                self.asked = now;
                self.probe();
                return false;
            }
            if !was_late {
                self.is_late = true;
                // Wakes this task after the runtime has looked at what came by its sockets; callers
                // don't wake it before.
                let _waker = self.inbox.queue.lock().driver.take();
                let mut turn = pin!(tokio::task::yield_now());
                return turn.as_mut().poll(context).is_pending();
            }
            if lateness == Lateness::Held {
                let has_reads = self
                    .reads(&self.inbox.queue.lock().requests)
                    .next()
                    .is_some();
                self.is_held_alone = !has_reads;
                if self.is_held_alone {
                    continue;
                }
                self.held = now;
                self.terms.holds_writes = true;
                (self.terms.notice)(Sign::Holds);
                continue;
            }
            self.asked = now;
            self.is_doubted = true;
            (self.terms.notice)(Sign::Silent);
        }
    }

    /// Returns the next lateness, and the time from which it is one.
    fn due(&self) -> (Lateness, Instant) {
        let Some(first) = self.expected.front() else {
            return (Lateness::Idle, self.heard + self.terms.silence);
        };
        let silent = self.heard.max(self.asked) + self.terms.patience;
        let begun = self.answered_at.max(self.asked).max(self.held);
        let held = begun + self.terms.hold;
        // A request whose answer is on its way isn't held.
        let may_be_held = !self.is_held_alone && first.may_be_held();
        let is_held = may_be_held && self.input.unread().is_empty();
        match is_held && held < silent {
            true => (Lateness::Held, held),
            false => (Lateness::Silent, silent),
        }
    }

    /// Says whether the time has come; the driver is woken then, or before.
    fn alarm_has_passed(&mut self, time: Instant, context: &mut Context<'_>) -> bool {
        let alarm = self.alarm.take().filter(|alarm| alarm.is_before(time));
        let alarm = alarm.unwrap_or_else(|| Alarm::at(time, self.terms.deadlines));
        let has_passed = self.alarm.insert(alarm).poll(context);
        if has_passed {
            self.alarm = None;
        }
        has_passed
    }
}
