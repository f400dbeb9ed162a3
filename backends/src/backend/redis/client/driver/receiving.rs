//! The way of replies from the socket to the callers.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, ReadBuf};

use super::Driver;
use super::expected::ExpectedReply;
use super::terms::Sign;
use crate::backend::redis::client::connection_end::ConnectionEnd;
use crate::backend::redis::client::in_flight::InFlight;
use crate::backend::redis::client::read_buffer::ArrayBegun;
use crate::backend::redis::client::resp::{ErrorReply, Reply};

/// An answer that nobody waits for may take so long before another connection takes over: to make a
/// connection costs a few round trips.
const LONGEST_WASTE: Duration = Duration::from_millis(100);

impl Driver {
    /// Reads from the socket, hands out the replies that are complete, and says whether something
    /// came.
    pub(super) fn read(&mut self, context: &mut Context<'_>) -> Result<bool, ConnectionEnd> {
        let mut buffer = ReadBuf::new(self.input.room());
        match Pin::new(&mut self.socket).poll_read(context, &mut buffer) {
            Poll::Pending => return Ok(false),
            Poll::Ready(Err(error)) => return Err(ConnectionEnd::Failed(error.kind())),
            Poll::Ready(Ok(())) => {}
        }
        let count = buffer.filled().len();
        if count == 0 {
            return Err(ConnectionEnd::Failed(io::ErrorKind::UnexpectedEof));
        }
        self.input.add(count);
        self.inbox.activity.fetch_add(1, Ordering::Relaxed);
        self.heard = Instant::now();
        self.is_late = false;
        if std::mem::take(&mut self.is_doubted) {
            (self.terms.notice)(Sign::Answers);
        }
        loop {
            if let Some(ExpectedReply::Merged(merged)) = self.expected.front_mut()
                && let Some(length) = merged.array()
            {
                match self.input.begin_array(length)? {
                    ArrayBegun::Yes => {
                        merged.begin_array();
                        continue;
                    }
                    ArrayBegun::No => {}
                    ArrayBegun::NotYet => break,
                }
            }
            let is_raw = self.expected.front().is_some_and(ExpectedReply::is_raw);
            let next = match is_raw {
                true => self.input.next_raw()?,
                false => self.input.next()?,
            };
            match next {
                Some(Reply::Push) => {}
                Some(reply) => {
                    self.answered_at = self.heard;
                    self.answer(reply)?;
                }
                None => break,
            }
        }
        if self.is_wasted() {
            (self.terms.notice)(Sign::Wasted);
        }
        Ok(true)
    }

    /// Says whether an answer that nobody waits for has been coming for long.
    pub(super) fn is_wasted(&self) -> bool {
        let begun = self.answered_at.max(self.asked);
        let is_long = self.heard >= begun + LONGEST_WASTE && !self.input.unread().is_empty();
        let is_wanted = |request: &Arc<InFlight>| !request.was_left();
        let first = self
            .expected
            .front()
            .filter(|_| is_long && !self.is_handed_back);
        first.is_some_and(|first| !first.requests().iter().any(is_wanted))
    }

    fn answer(&mut self, reply: Reply) -> Result<(), ConnectionEnd> {
        let is_unseen = self.written == 0 && !self.output.is_empty();
        if is_unseen && self.expected.len() <= self.in_output {
            // Nobody has asked: the socket took nothing of what is expected.
            return Err(ConnectionEnd::Malformed);
        }
        self.is_probing = false;
        if self.terms.holds_writes
            && self
                .expected
                .front()
                .is_some_and(ExpectedReply::may_be_held)
        {
            self.terms.holds_writes = false;
            (self.terms.notice)(Sign::Flows);
        }
        if let Reply::Error(error) = &reply
            && self.takes_back(error)
        {
            return Ok(());
        }
        let is_whole = match self.expected.front_mut() {
            // Nobody has asked.
            None => return Err(ConnectionEnd::Malformed),
            Some(ExpectedReply::One(request)) => {
                match &reply {
                    Reply::Bytes(bytes) => self.habits.note_size(bytes.as_bytes().len()),
                    Reply::Nil => self.habits.note_size(0),
                    _ => {}
                }
                request.finish(reply);
                self.answered += 1;
                true
            }
            Some(ExpectedReply::Many {
                request,
                missing,
                replies,
            }) => {
                replies.push(reply);
                *missing -= 1;
                if *missing == 0 {
                    request.finish(Reply::Array(std::mem::take(replies)));
                }
                self.answered += 1;
                *missing == 0
            }
            Some(ExpectedReply::Merged(merged)) => {
                let taken = merged.take(reply, &mut self.habits, &mut self.unanswered)?;
                self.answered += taken.answered;
                taken.is_whole
            }
        };
        if is_whole {
            self.expected.pop_front();
            self.received += 1;
        }
        Ok(())
    }

    /// Takes the requests of the first command back, if the server hasn't begun its script, and
    /// says whether it did.
    fn takes_back(&mut self, error: &ErrorReply) -> bool {
        let Some((first, script)) = self
            .expected
            .front()
            .and_then(|first| Some((first, first.script()?)))
        else {
            return false;
        };
        let is_merged = matches!(first, ExpectedReply::Merged(_));
        let had_text = self.unknown.had_text(script, self.received);
        let unanswered = &mut self.unanswered;
        let again = match error.code() {
            // The requests are sent again as they were, the first of them with the whole script.
            "NOSCRIPT" if self.unknown.note(script, self.received) => &mut unanswered.again,
            // One key is forbidden, on another server or on its way to one. If the text of the
            // script is forbidden, each request finds that out.
            "NOPERM" | "CROSSSLOT" | "TRYAGAIN" if is_merged && had_text => &mut unanswered.in_full,
            "NOPERM" | "CROSSSLOT" | "TRYAGAIN" if is_merged => &mut unanswered.alone,
            _ => return false,
        };
        self.terms.takes_many_keys &= error.code() != "CROSSSLOT";
        if let Some(refused) = self.expected.pop_front() {
            for request in refused.requests() {
                request.take_back();
                again.push(request.clone());
            }
        }
        self.received += 1;
        true
    }
}
