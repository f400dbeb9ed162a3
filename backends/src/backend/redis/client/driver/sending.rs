//! The way of requests from the queue to the socket.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::AsyncWrite;

use super::expected::ExpectedReply;
use super::terms::Sign;
use super::{Driver, SMALL_BATCH};
use crate::backend::redis::client::access::Access;
use crate::backend::redis::client::connection_end::ConnectionEnd;
use crate::backend::redis::client::in_flight::InFlight;
use crate::backend::redis::client::merge::Merged;
use crate::backend::redis::client::read_buffer::BUFFER;
use crate::backend::redis::client::request::{Request, RequestTarget};
use crate::backend::redis::client::resp::{self, Command, Reply};
use crate::backend::redis::client::script::Script;
use crate::backend::redis::client::slot::Slots;

/// The most bytes that are written at once, at least one command: more gather while these are on
/// their way.
const BATCH_BYTES: usize = 256 * 1024;

impl Driver {
    /// Takes the requests that are sent next, if all requests before them have been sent.
    pub(super) fn fill(&mut self) {
        if self.is_handed_back {
            self.unanswered.lose();
        }
        if self.written < self.output.len() || self.is_probing {
            return;
        }
        if self.is_wasted() {
            // Behind such an answer nothing is sent: another connection takes over.
            (self.terms.notice)(Sign::Wasted);
            return;
        }
        self.output.clear();
        self.output.shrink_to(BUFFER);
        self.written = 0;
        let expected_before = self.expected.len();
        if self.taken.is_empty() {
            self.take_queue();
        }
        if self.expected.is_empty() && !self.taken.is_empty() {
            self.asked = Instant::now();
            // Nobody drove the connection meanwhile, or the alarm would have gone.
            self.is_probing = self.asked >= self.heard + self.terms.silence;
        }
        if self.is_probing {
            self.probe();
            return;
        }
        self.send_unanswered();
        let most_gets = self.batch_limit.min(self.habits.most());
        let hot = self.hot.slot();
        while self.output.len() + self.gets.length() + self.keyed.length() < BATCH_BYTES
            && self.gets.count() < most_gets
            && !self.keyed.is_full(self.batch_limit)
            && let Some(request) = self.taken.pop_front()
        {
            self.gather(request, most_gets > 1, hot);
        }
        let gets = self.gets.write(&mut self.output, &self.habits);
        self.expect(gets.map(Merged::Gets));
        let next = self.next_number();
        let needs_text = |script| self.unknown.needs_text(script, next);
        let keyed = self.keyed.write(&mut self.output, needs_text);
        self.expect(keyed.map(Merged::Keyed));
        self.in_output = self.expected.len() - expected_before;
    }

    /// Sends the requests that merged commands didn't answer.
    fn send_unanswered(&mut self) {
        if self.unanswered.is_empty() {
            return;
        }
        for request in std::mem::take(&mut self.unanswered.alone) {
            self.write_one(request);
        }
        for request in std::mem::take(&mut self.unanswered.in_full) {
            if let Some(script) = request.script() {
                self.unknown.forget(script);
            }
            self.write_one(request);
        }
        while !self.unanswered.nils.is_empty() {
            let nils = &mut self.unanswered.nils;
            let check = self.gets.write_check(&mut self.output, nils, &self.habits);
            self.expect(check.map(Merged::Nils));
        }
        for request in self.unanswered.again.drain(..).rev() {
            self.taken.push_front(request);
        }
    }

    /// Returns the number of the command that is written next.
    fn next_number(&self) -> u64 {
        self.received + self.expected.len() as u64
    }

    /// Asks the server whether it is there. Whatever else is to be sent waits for the answer.
    pub(super) fn probe(&mut self) {
        let ping = Request::One(Command::new("PING"));
        self.is_probing = true;
        self.write_one(InFlight::new(ping, Access::READ));
        self.in_output = 1;
    }

    fn take_queue(&mut self) {
        let mut queue = self.inbox.queue.lock();
        let was_full = queue.is_full();
        std::mem::swap(&mut queue.requests, &mut self.taken);
        queue.bytes = 0;
        drop(queue);
        if !self.taken.is_empty() {
            self.answered = 0;
            self.queued_before = 0;
            self.batch_limit = SMALL_BATCH.max(self.taken.len().div_ceil(2));
        }
        if was_full {
            self.inbox.room.notify_waiters();
        }
    }

    /// Adds a request to those that are merged, or writes it, if its caller still waits.
    fn gather(&mut self, request: Arc<InFlight>, merges_gets: bool, hot: Option<u16>) {
        let may_merge = !self.terms.is_cluster || self.is_for(&request, hot);
        let (gets, keyed) = (&mut self.gets, &mut self.keyed);
        let merges_gets = merges_gets && may_merge;
        let merges_scripts = may_merge && (self.terms.takes_many_keys || self.terms.is_cluster);
        let gathered = request.send(|request| match request {
            Request::Get(key) if merges_gets => {
                gets.add(key);
                Gathered::Get
            }
            Request::Keyed(invocation) if merges_scripts && keyed.add(invocation) => {
                Gathered::Keyed
            }
            _ => Gathered::Alone,
        });
        match gathered {
            Some(Gathered::Get) => self.gets.push(request),
            Some(Gathered::Keyed) => self.keyed.push(request),
            Some(Gathered::Alone) => self.write_one(request),
            None => {}
        }
    }

    /// Says whether a request for a node of a cluster is for this slot, and notes the slot that it
    /// is for.
    fn is_for(&mut self, request: &InFlight, hot: Option<u16>) -> bool {
        // Each request that is for a chosen node, or asks one, goes by itself.
        if !matches!(
            request.target(),
            RequestTarget::Owner | RequestTarget::Replica
        ) {
            return false;
        }
        let Slots::One(slot) = request.slots() else {
            return false;
        };
        self.hot.note(slot);
        hot == Some(slot)
    }

    /// Notes a merged command that was written, or writes its requests one by one.
    fn expect(&mut self, written: Result<Merged, Vec<Arc<InFlight>>>) {
        match written {
            Ok(merged) => {
                let count = merged.requests().len() as u64;
                self.terms.merged.fetch_add(count, Ordering::Relaxed);
                self.expected.push_back(ExpectedReply::Merged(merged));
            }
            Err(few) => few.into_iter().for_each(|request| self.write_one(request)),
        }
    }

    /// Writes a request as it is, if its caller still waits.
    fn write_one(&mut self, request: Arc<InFlight>) {
        let asks = request.asks();
        let next = self.next_number() + u64::from(asks);
        let (output, unknown) = (&mut self.output, &mut self.unknown);
        let count = request.send(|request| {
            if asks {
                // For the one command that follows.
                Command::new("ASKING").write_to(output);
            }
            write_request(request, output, |script| unknown.needs_text(script, next))
        });
        if asks && count.is_some() {
            let asking = Request::One(Command::new("ASKING"));
            let asking = InFlight::new(asking, Access::READ);
            self.expected.push_back(ExpectedReply::One(asking));
        }
        match count {
            None => {}
            Some(None) => self.expected.push_back(ExpectedReply::One(request)),
            Some(Some(0)) => request.finish(Reply::Array(Vec::new())),
            Some(Some(missing)) => self.expected.push_back(ExpectedReply::Many {
                request,
                missing,
                replies: Vec::with_capacity(missing),
            }),
        }
    }

    /// Writes as much as the socket takes, and says whether it took something.
    pub(super) fn write(&mut self, context: &mut Context<'_>) -> Result<bool, ConnectionEnd> {
        let mut has_written = false;
        while self.written < self.output.len() {
            let rest = &self.output[self.written..];
            match Pin::new(&mut self.socket).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => return Err(ConnectionEnd::Failed(io::ErrorKind::WriteZero)),
                Poll::Ready(Ok(count)) => self.written += count,
                Poll::Ready(Err(error)) => return Err(ConnectionEnd::Failed(error.kind())),
                Poll::Pending => return Ok(has_written),
            }
            has_written = true;
            self.needs_flush = true;
        }
        if self.needs_flush {
            match Pin::new(&mut self.socket).poll_flush(context) {
                Poll::Ready(Ok(())) => self.needs_flush = false,
                Poll::Ready(Err(error)) => return Err(ConnectionEnd::Failed(error.kind())),
                Poll::Pending => {}
            }
        }
        if has_written && self.socket.is_worn_out() {
            self.inbox.is_draining.store(true, Ordering::Relaxed);
        }
        Ok(has_written)
    }
}

/// Writes a request, and returns the number of its replies if they become an array.
fn write_request(
    request: &Request,
    output: &mut Vec<u8>,
    needs_text: impl FnOnce(&'static Script) -> bool,
) -> Option<usize> {
    match request {
        Request::Get(key) => {
            resp::begin(output, 2);
            output.extend_from_slice(b"$3\r\nGET\r\n");
            key.write_to(output);
            None
        }
        Request::Keyed(invocation) => {
            invocation.write_to(output, needs_text(invocation.script()));
            None
        }
        Request::One(command) => {
            command.write_to(output);
            None
        }
        Request::Script(invocation) => {
            invocation.write_to(output, needs_text(invocation.script()));
            None
        }
        Request::Many(commands) => {
            commands.iter().for_each(|command| command.write_to(output));
            Some(commands.len())
        }
        #[cfg(feature = "redis-commands")]
        Request::Raw(raw) => {
            output.extend_from_slice(&raw.packed);
            raw.replies
        }
    }
}

/// The way of a request out of the queue.
enum Gathered {
    Get,
    Keyed,
    Alone,
}
