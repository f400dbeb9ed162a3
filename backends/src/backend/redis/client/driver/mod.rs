//! The task that owns a socket: it writes the requests of all callers, gathered, and reads the
//! replies.
//!
//! A single caller's request goes out at once. Where many were answered together, many are about to
//! call again, and the driver lets them run first, for as long as the queue grows. The requests
//! that are then there go out in two batches, so that the server works on one while the callers of
//! the other run. Replies come in the order of the commands
//! (<https://redis.io/docs/latest/develop/using-commands/pipelining/>), so the driver remembers
//! whose turn is next. A reply whose caller was dropped is discarded.

mod alarm;
mod expected;
mod handing_back;
mod lateness;
mod receiving;
mod sending;
mod terms;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use self::alarm::Alarm;
use self::expected::ExpectedReply;
pub(super) use self::terms::{Sign, Terms};
use super::connection_end::ConnectionEnd;
use super::in_flight::InFlight;
use super::inbox::Inbox;
use super::merge::{Gets, HotSlot, Keyed, ReadHabits, Unanswered};
use super::read_buffer::ReadBuffer;
use super::script::UnknownScripts;
use super::socket::Socket;

/// So few requests aren't worth being sent in two batches.
const SMALL_BATCH: usize = 32;
/// The fewest requests answered together for which the driver lingers. With fewer, waiting for a
/// turn costs more than it saves.
const MIN_LINGER: usize = 20;

/// The task that owns the socket.
pub(super) struct Driver {
    inbox: Arc<Inbox>,
    terms: Terms,
    socket: Box<dyn Socket>,
    /// The requests that were taken out of the queue and aren't written into `output` yet.
    taken: VecDeque<Arc<InFlight>>,
    unanswered: Unanswered,
    gets: Gets,
    keyed: Keyed,
    habits: ReadHabits,
    hot: HotSlot,
    unknown: UnknownScripts,
    output: Vec<u8>,
    /// The length of the part of `output` that the socket has taken.
    written: usize,
    /// True if the socket may hold back a part of the bytes that it has taken.
    needs_flush: bool,
    /// The number of the commands in `expected` that are in `output`.
    in_output: usize,
    expected: VecDeque<ExpectedReply>,
    /// The number of replies that came: the number of the first command that is expected.
    received: u64,
    input: ReadBuffer,
    /// The number of requests that were answered since requests were taken last: most of their
    /// callers are about to make another request.
    answered: usize,
    /// The length of the queue when the driver lingered last.
    queued_before: usize,
    /// The most requests that go out together.
    batch_limit: usize,
    /// The time at which something came from the server last.
    heard: Instant,
    /// The time at which a whole answer, or an element of one, came last.
    answered_at: Instant,
    /// The time at which the server began to owe an answer, or was doubted last.
    asked: Instant,
    /// The time of the last sign that a write holds reads up.
    held: Instant,
    /// True if a write has waited for long with no read behind it, and no request came since.
    is_held_alone: bool,
    /// True while the server is asked whether it is there. Nothing else is sent meanwhile.
    is_probing: bool,
    /// True once the patience is over. Perhaps that is only because nobody drove the connection,
    /// and the answer is there.
    is_late: bool,
    is_doubted: bool,
    is_handed_back: bool,
    alarm: Option<Alarm>,
}

impl Driver {
    pub(super) fn new(
        inbox: Arc<Inbox>,
        socket: Box<dyn Socket>,
        input: ReadBuffer,
        terms: Terms,
    ) -> Self {
        let now = Instant::now();
        Self {
            inbox,
            socket,
            taken: VecDeque::new(),
            unanswered: Unanswered::default(),
            gets: Gets::default(),
            keyed: Keyed::default(),
            habits: ReadHabits::new(match terms.takes_many_keys {
                true => terms.may_transact.clone(),
                false => Arc::default(),
            }),
            hot: HotSlot::default(),
            unknown: UnknownScripts::default(),
            terms,
            output: Vec::new(),
            written: 0,
            needs_flush: false,
            in_output: 0,
            expected: VecDeque::new(),
            received: 0,
            input,
            answered: 0,
            queued_before: 0,
            batch_limit: SMALL_BATCH,
            heard: now,
            answered_at: now,
            asked: now,
            held: now,
            is_held_alone: false,
            is_probing: false,
            is_late: false,
            is_doubted: false,
            is_handed_back: false,
            alarm: None,
        }
    }

    /// Says whether other tasks are to run before the queue is sent, because they are about to add
    /// their requests.
    fn should_linger(&mut self) -> bool {
        let is_sending = self.written < self.output.len() || !self.taken.is_empty();
        if is_sending || self.answered < MIN_LINGER {
            return false;
        }
        let queued = self.inbox.queue.lock().requests.len();
        let has_grown = queued > self.queued_before;
        self.queued_before = queued;
        has_grown && queued < self.answered
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        let end = loop {
            let (end, is_handed_back, reads) = {
                let mut queue = driver.inbox.queue.lock();
                driver.is_held_alone &= queue.requests.is_empty();
                let reads = std::mem::take(&mut queue.wants_reads).then(|| queue.reads());
                (queue.end, queue.is_handed_back, reads)
            };
            if let Some(end) = end {
                break end;
            }
            if is_handed_back && !driver.is_handed_back {
                driver.hand_back();
            }
            if let Some(queued) = reads {
                driver.hand_back_reads(&queued);
            }
            if driver.should_linger() {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            driver.fill();
            let moved = driver
                .write(context)
                .and_then(|has_written| Ok(driver.read(context)? || has_written));
            match moved {
                Err(end) => break end,
                Ok(true) => {}
                Ok(false) if driver.sleeps(context) => return Poll::Pending,
                Ok(false) => {}
            }
        };
        driver.inbox.end(end);
        Poll::Ready(())
    }
}

/// Runs also when a runtime that ends drops the driver.
impl Drop for Driver {
    fn drop(&mut self) {
        self.inbox.end(ConnectionEnd::Closed);
        self.lose_unseen();
        let seen = self.expected.iter().flat_map(ExpectedReply::requests);
        seen.chain(&self.taken).for_each(|request| request.lose());
        self.unanswered.lose();
    }
}
