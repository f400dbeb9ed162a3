//! The task that owns a socket: it writes the requests of all callers, gathered, and reads the
//! replies.
//!
//! A single caller's request goes out at once. Where many were answered together, many are about to
//! call again, and the driver lets them run first, for as long as the queue grows. The requests
//! that are then there go out in two batches, so that the server works on one while the callers of
//! the other run. Replies come in the order of the commands
//! (<https://redis.io/docs/latest/develop/using-commands/pipelining/>), so the driver remembers
//! whose turn is next. A reply whose caller was dropped is discarded.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::futures::OwnedNotified;

use super::access::Access;
use super::in_flight::InFlight;
use super::inbox::{ConnectionEnd, Inbox};
use super::merge::{Gets, HotSlot, Keyed, Merged, ReadHabits, Unanswered};
use super::read_buffer::{ArrayBegun, BUFFER, ReadBuffer};
use super::request::{Request, RequestTarget};
use super::resp::{self, Command, ErrorReply, Reply};
use super::script::{Script, UnknownScripts};
use super::slot::Slots;
use super::socket::Socket;
use crate::time::deadline::Deadlines;

/// The most bytes that are written at once, at least one command: more gather while these are on
/// their way.
const BATCH_BYTES: usize = 256 * 1024;
/// So few requests aren't worth being sent in two batches.
const SMALL_BATCH: usize = 32;
/// The fewest requests answered together for which the driver lingers. With fewer, waiting for a
/// turn costs more than it saves.
const MIN_LINGER: usize = 20;

/// An answer that nobody waits for may take so long before another connection takes over: to make a
/// connection costs a few round trips.
const LONGEST_WASTE: Duration = Duration::from_millis(100);

/// The requests whose replies are awaited, in the order in which the replies come.
enum ExpectedReply {
    One(Arc<InFlight>),
    Many {
        request: Arc<InFlight>,
        missing: usize,
        replies: Vec<Reply>,
    },
    Merged(Merged),
}

impl ExpectedReply {
    fn requests(&self) -> &[Arc<InFlight>] {
        match self {
            Self::One(request) | Self::Many { request, .. } => std::slice::from_ref(request),
            Self::Merged(merged) => merged.requests(),
        }
    }

    /// Says whether a server that lets writes wait lets these requests wait.
    fn may_be_held(&self) -> bool {
        !self
            .requests()
            .iter()
            .all(|request| request.is_plain_read())
    }

    /// Says whether the replies are handed on as they come.
    fn is_raw(&self) -> bool {
        match self {
            Self::One(request) | Self::Many { request, .. } => request.is_raw(),
            Self::Merged(_) => false,
        }
    }

    fn script(&self) -> Option<&'static Script> {
        match self {
            Self::One(request) => request.script(),
            Self::Many { .. } => None,
            Self::Merged(merged) => merged.script(),
        }
    }
}

/// The terms on which a connection is driven.
pub(super) struct Terms {
    pub(super) deadlines: &'static Deadlines,
    /// The time within which a server answers, or it is doubted that the connection is alive.
    pub(super) patience: Duration,
    /// The silence after which the server is asked whether it is there, before anything else is
    /// sent.
    pub(super) silence: Duration,
    /// The time after which a write that waits for its answer counts as holding up the reads behind
    /// it.
    pub(super) hold: Duration,
    /// True if the reads have another connection, until a write is answered.
    pub(super) holds_writes: bool,
    /// True if scripts of several callers may become one script, and reads a transaction.
    pub(super) takes_many_keys: bool,
    /// True if the server is a node of a cluster. Requests of several callers may become one
    /// command only if they are for one slot.
    pub(super) is_cluster: bool,
    /// True if the server takes a transaction as a whole, as far as is known.
    pub(super) may_transact: Arc<AtomicBool>,
    /// Counts the requests of merged commands.
    pub(super) merged: Arc<AtomicU64>,
    /// Called with each sign of the connection's state. A sign of a delay comes again after as
    /// long.
    pub(super) notice: Box<dyn Fn(Sign) + Send + Sync>,
}

/// A sign of whether a connection is alive, and who waits for whom on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// The server owes an answer for longer than it may.
    Silent,
    /// The server answers. It was silent before.
    Answers,
    /// The server is busy with an answer that nobody waits for.
    Wasted,
    /// A write has waited for long, and the reads behind it with it.
    Holds,
    /// The server answers a write. It held writes before.
    Flows,
}

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

/// Wakes the driver at a time.
struct Alarm {
    time: Instant,
    passed: Pin<Box<OwnedNotified>>,
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

    /// Takes the requests that are sent next, if all requests before them have been sent.
    fn fill(&mut self) {
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
        self.expect(gets);
        let next = self.next_number();
        let needs_text = |script| self.unknown.needs_text(script, next);
        let keyed = self.keyed.write(&mut self.output, needs_text);
        self.expect(keyed);
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
            self.expect(check);
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
    fn probe(&mut self) {
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
            match request {
                Request::Get(key) => {
                    resp::begin(output, 2);
                    output.extend_from_slice(b"$3\r\nGET\r\n");
                    key.write_to(output);
                    None
                }
                Request::Keyed(invocation) => {
                    let in_full = unknown.needs_text(invocation.script(), next);
                    invocation.write_to(output, in_full);
                    None
                }
                Request::One(command) => {
                    command.write_to(output);
                    None
                }
                Request::Script(invocation) => {
                    let in_full = unknown.needs_text(invocation.script(), next);
                    invocation.write_to(output, in_full);
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
    fn write(&mut self, context: &mut Context<'_>) -> Result<bool, ConnectionEnd> {
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

    /// Reads from the socket, hands out the replies that are complete, and says whether something
    /// came.
    fn read(&mut self, context: &mut Context<'_>) -> Result<bool, ConnectionEnd> {
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
    fn is_wasted(&self) -> bool {
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

    /// Says whether there is nothing to do until something comes. The driver is woken when
    /// something does.
    fn sleeps(&mut self, context: &mut Context<'_>) -> bool {
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
        let alarm = self.alarm.take().filter(|alarm| alarm.time <= time);
        let alarm = self.alarm.insert(alarm.unwrap_or_else(|| Alarm {
            time,
            passed: Box::pin(self.terms.deadlines.at(time)),
        }));
        let has_passed = alarm.passed.as_mut().poll(context).is_ready();
        if has_passed {
            self.alarm = None;
        }
        has_passed
    }

    /// Hands back all requests that can go by another connection. The writes that the server may
    /// have seen wait for their answers here.
    fn hand_back(&mut self) {
        self.is_handed_back = true;
        self.is_probing = false;
        let queued = {
            let mut queue = self.inbox.queue.lock();
            queue.bytes = 0;
            std::mem::take(&mut queue.requests)
        };
        self.lose_unseen();
        let repeatable = self.expected.iter().flat_map(ExpectedReply::requests);
        let repeatable = repeatable.filter(|request| request.is_repeatable());
        let unsent = queued.iter().chain(&self.taken);
        repeatable.chain(unsent).for_each(|request| request.lose());
        self.unanswered.lose();
        self.taken.clear();
    }

    /// Hands the reads back that wait, sent or not. An answer that comes all the same is discarded.
    fn hand_back_reads(&self, queued: &[Arc<InFlight>]) {
        self.reads(queued).for_each(|request| request.lose());
    }

    /// Returns the reads that wait, sent or not.
    fn reads<'a>(
        &'a self,
        queued: impl IntoIterator<Item = &'a Arc<InFlight>>,
    ) -> impl Iterator<Item = &'a Arc<InFlight>> {
        let expected = self.expected.iter().flat_map(ExpectedReply::requests);
        let unsent = self.taken.iter().chain(queued);
        let unanswered = self.unanswered.alone.iter().chain(&self.unanswered.nils);
        let all = expected.chain(unsent).chain(unanswered);
        all.filter(|request| request.is_plain_read())
    }

    /// Takes back the requests in an output of which the socket took nothing: no server has seen
    /// them.
    fn lose_unseen(&mut self) {
        if self.written > 0 || self.output.is_empty() {
            return;
        }
        let seen = self.expected.len() - self.in_output;
        for expected in self.expected.drain(seen..) {
            for request in expected.requests() {
                request.take_back();
                request.lose();
            }
        }
        self.in_output = 0;
        self.output.clear();
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

/// The way of a request out of the queue.
enum Gathered {
    Get,
    Keyed,
    Alone,
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::LazyLock;

    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter, DuplexStream, duplex};
    use tokio::net::TcpStream;
    use tokio::sync::mpsc::error::TryRecvError;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;
    use crate::backend::redis::client::inbox::QUEUE_BYTES;
    use crate::backend::redis::client::multiplexer::Multiplexer;
    use crate::backend::redis::client::resp::Argument;
    use crate::backend::redis::client::script::{KeyedInvocation, Script};
    use crate::time::deadline::deadlines;

    impl Socket for DuplexStream {}

    impl<S: Socket> Socket for BufWriter<S> {}

    fn terms() -> Terms {
        Terms {
            deadlines: deadlines().unwrap(),
            patience: Duration::from_secs(60),
            silence: Duration::from_secs(60),
            hold: Duration::from_secs(60),
            holds_writes: false,
            takes_many_keys: true,
            is_cluster: false,
            may_transact: Arc::new(AtomicBool::new(true)),
            merged: Arc::default(),
            notice: Box::new(|_| {}),
        }
    }

    /// Returns a notice for `Terms`, and the signs that it is told.
    fn signs() -> (Box<dyn Fn(Sign) + Send + Sync>, UnboundedReceiver<Sign>) {
        let (told, signs) = unbounded_channel();
        let notice = move |sign| {
            let _ = told.send(sign);
        };
        (Box::new(notice), signs)
    }

    const MOMENT: Duration = Duration::from_millis(20);
    /// The limit of what would never end otherwise.
    const LIMIT: Duration = Duration::from_secs(20);

    fn connected(buffer: usize) -> (Multiplexer, DuplexStream) {
        let (near, far) = duplex(buffer);
        let input = ReadBuffer::default();
        (Multiplexer::start(Box::new(near), input, terms()), far)
    }

    fn set(value: &[u8]) -> Arc<InFlight> {
        let command = Command::new("SET").arg("k").arg(value);
        InFlight::new(Request::One(command), Access::Write)
    }

    fn get(key: &str) -> Arc<InFlight> {
        InFlight::new(Request::Get(Argument::new(key)), Access::READ)
    }

    static COUNT: LazyLock<Script> = LazyLock::new(|| Script::new("return 0"));

    fn count(key: &str) -> Arc<InFlight> {
        let count = KeyedInvocation::new(&COUNT, Argument::new(key), [1, 0]);
        InFlight::new(Request::Keyed(count), Access::Write)
    }

    /// Lets the driver of the connection do all that it can.
    async fn settled() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    async fn is_lost_unsent(multiplexer: &Multiplexer) {
        let call = set(b"v");
        assert!(multiplexer.exchange(&call).await.is_err());
        assert!(!call.was_sent());
        assert!(matches!(call.take_request(), Request::One(_)));
    }

    #[tokio::test]
    async fn a_call_that_meets_an_ended_connection_keeps_its_request() {
        let (multiplexer, far) = connected(1024);
        drop(far);
        settled().await;
        is_lost_unsent(&multiplexer).await;
    }

    #[tokio::test]
    async fn what_the_socket_never_took_was_not_sent() {
        let (multiplexer, far) = connected(1024);
        drop(far);
        // Queued before the driver has seen that there is nobody.
        is_lost_unsent(&multiplexer).await;
    }

    #[tokio::test]
    async fn what_the_socket_took_in_part_may_have_been_sent() {
        let (multiplexer, far) = connected(16);
        let call = set(b"more than fits the socket");
        let mut exchange = Box::pin(multiplexer.exchange(&call));
        assert!((&mut exchange).now_or_never().is_none());
        settled().await;
        drop(far);
        assert!(exchange.await.is_err());
        assert!(call.was_sent());
    }

    #[tokio::test]
    async fn counts_of_a_script_that_was_not_begun_were_not_sent() {
        let (multiplexer, mut far) = connected(4096);
        let calls = [count("a"), count("b")];
        let mut exchanges: Vec<_> = calls
            .iter()
            .map(|call| Box::pin(multiplexer.exchange(call)))
            .collect();
        for exchange in &mut exchanges {
            assert!(exchange.now_or_never().is_none());
        }
        settled().await;
        far.write_all(b"-NOSCRIPT No matching script\r\n")
            .await
            .unwrap();
        // Before the driver comes to send them again.
        drop(far);
        for exchange in exchanges {
            assert!(exchange.await.is_err());
        }
        assert!(calls.iter().all(|call| !call.was_sent()));
    }

    #[tokio::test]
    async fn a_value_larger_than_the_queue_waits_for_no_room() {
        let (multiplexer, mut far) = connected(64 * 1024);
        let small = set(b"v");
        let large = set(&vec![b'v'; QUEUE_BYTES]);
        let mut exchanges = [
            Box::pin(multiplexer.exchange(&small)),
            Box::pin(multiplexer.exchange(&large)),
        ];
        for exchange in &mut exchanges {
            assert!(exchange.now_or_never().is_none());
        }
        let server = tokio::spawn(async move {
            let mut seen = 0;
            let mut buffer = vec![0; 64 * 1024];
            while seen < QUEUE_BYTES {
                seen += far.read(&mut buffer).await.unwrap();
            }
            far.write_all(b"+OK\r\n+OK\r\n").await.unwrap();
            far
        });
        for exchange in exchanges {
            let reply = tokio::time::timeout(LIMIT, exchange).await.unwrap();
            assert_eq!(reply.unwrap(), Reply::Status);
        }
        server.await.unwrap();
    }

    #[tokio::test]
    async fn what_waits_for_a_server_that_takes_nothing_is_bounded() {
        let (multiplexer, far) = connected(1024);
        let value = vec![b'v'; QUEUE_BYTES / 4];
        let calls: Vec<_> = (0..40).map(|_| set(&value)).collect();
        let mut exchanges: Vec<_> = calls
            .iter()
            .map(|call| Box::pin(multiplexer.exchange(call)))
            .collect();
        for exchange in &mut exchanges {
            assert!(exchange.now_or_never().is_none());
            settled().await;
        }
        assert!(multiplexer.inbox.queue.lock().bytes < QUEUE_BYTES * 2);
        drop(far);
        for exchange in exchanges {
            assert!(exchange.await.is_err());
        }
    }

    /// The connection ends in the gap between the driver's work and its sleep.
    #[tokio::test]
    async fn a_driver_that_is_about_to_sleep_notices_the_end() {
        let (near, _far) = duplex(1024);
        let inbox = Arc::new(Inbox::new());
        let input = ReadBuffer::default();
        let mut driver = Driver::new(inbox.clone(), Box::new(near), input, terms());
        inbox.end(ConnectionEnd::Closed);
        let sleeps = poll_fn(|context| Poll::Ready(driver.sleeps(context))).await;
        assert!(!sleeps);
    }

    #[tokio::test]
    async fn what_nobody_asked_for_disturbs_nobody() {
        let (multiplexer, mut far) = connected(1024);
        let call = get("k");
        let mut exchange = Box::pin(multiplexer.exchange(&call));
        assert!((&mut exchange).now_or_never().is_none());
        far.write_all(b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n")
            .await
            .unwrap();
        assert_eq!(exchange.await.unwrap(), Reply::Bytes(b"v"[..].into()));
    }

    #[tokio::test]
    async fn a_silent_connection_is_probed() {
        let (near, mut far) = duplex(1024);
        let terms = Terms {
            silence: MOMENT,
            ..terms()
        };
        let _multiplexer = Multiplexer::start(Box::new(near), ReadBuffer::default(), terms);
        for _ in 0..3 {
            receive(&mut far, "*1\r\n$4\r\nPING\r\n").await;
            far.write_all(b"+PONG\r\n").await.unwrap();
        }
    }

    #[tokio::test]
    async fn after_a_silence_nothing_is_sent_before_the_server_has_shown_that_it_is_there() {
        let (near, mut far) = duplex(1024);
        let (notice, mut signs) = signs();
        let terms = Terms {
            silence: MOMENT,
            patience: MOMENT,
            notice,
            ..terms()
        };
        let multiplexer = Multiplexer::start(Box::new(near), ReadBuffer::default(), terms);
        // The driver isn't polled meanwhile.
        std::thread::sleep(MOMENT * 2);
        let calls = [set(b"v"), set(b"v")];
        let [mut first, second] = calls
            .each_ref()
            .map(|call| Box::pin(multiplexer.exchange(call)));
        assert!((&mut first).now_or_never().is_none());
        receive(&mut far, "*1\r\n$4\r\nPING\r\n").await;
        assert_eq!(signs.recv().await, Some(Sign::Silent));
        assert!(!calls[0].was_sent());
        far.write_all(b"+PONG\r\n").await.unwrap();
        receive(&mut far, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n").await;
        far.write_all(b"+OK\r\n").await.unwrap();
        assert_eq!(first.await.unwrap(), Reply::Status);
        while signs.recv().await.unwrap() != Sign::Answers {}
        // The same again, and this time the server is given up.
        std::thread::sleep(MOMENT * 2);
        let given_up = async {
            receive(&mut far, "*1\r\n$4\r\nPING\r\n").await;
            while signs.try_recv().is_ok() {}
            assert_eq!(signs.recv().await, Some(Sign::Silent));
            multiplexer.hand_back();
        };
        let (second, ()) = tokio::join!(second, given_up);
        assert!(second.is_err() && !calls[1].was_sent());
    }

    #[tokio::test]
    async fn an_answer_that_a_busy_runtime_did_not_see_raises_no_doubt() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await;
        let (mut far, _) = listener.accept().unwrap();
        let (notice, mut signs) = signs();
        let terms = Terms {
            patience: MOMENT,
            notice,
            ..terms()
        };
        let near = Box::new(near.unwrap());
        let multiplexer = Multiplexer::start(near, ReadBuffer::default(), terms);
        let call = get("k");
        let mut exchange = Box::pin(multiplexer.exchange(&call));
        assert!((&mut exchange).now_or_never().is_none());
        settled().await;
        io::Write::write_all(&mut far, b"$-1\r\n").unwrap();
        // Neither the driver nor the socket is looked at meanwhile.
        std::thread::sleep(MOMENT * 4);
        assert_eq!(exchange.await.unwrap(), Reply::Nil);
        assert_eq!(signs.try_recv(), Err(TryRecvError::Empty));
    }

    #[tokio::test]
    async fn a_connection_that_is_taken_over_hands_reads_back_and_waits_for_writes() {
        let (multiplexer, mut far) = connected(1024);
        let calls = [get("k"), set(b"v")];
        let [mut read, mut write] = calls
            .each_ref()
            .map(|call| Box::pin(multiplexer.exchange(call)));
        assert!((&mut read).now_or_never().is_none());
        assert!((&mut write).now_or_never().is_none());
        settled().await;
        multiplexer.hand_back();
        assert!(read.await.is_err());
        far.write_all(b"+OK\r\n$-1\r\n").await.unwrap();
        assert_eq!(write.await.unwrap(), Reply::Status);
        // Nothing is taken any more.
        assert!(multiplexer.exchange(&set(b"v")).await.is_err());
    }

    #[tokio::test]
    async fn an_answer_too_many_ends_the_connection() {
        let (multiplexer, mut far) = connected(1024);
        far.write_all(b"+OK\r\n").await.unwrap();
        settled().await;
        assert_eq!(multiplexer.end(), Some(ConnectionEnd::Malformed));
    }

    #[tokio::test]
    async fn an_answer_to_a_request_that_was_not_sent_is_none() {
        // Holds the first request and nothing of the second.
        let (multiplexer, mut far) = connected("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".len());
        let calls = [get("k"), set(b"v")];
        let [mut first, mut second] = calls
            .each_ref()
            .map(|call| Box::pin(multiplexer.exchange(call)));
        assert!((&mut first).now_or_never().is_none());
        settled().await;
        assert!((&mut second).now_or_never().is_none());
        settled().await;
        far.write_all(b"$-1\r\n+OK\r\n").await.unwrap();
        assert_eq!(first.await.unwrap(), Reply::Nil);
        assert!(second.await.is_err() && !calls[1].was_sent());
        assert_eq!(multiplexer.end(), Some(ConnectionEnd::Malformed));
    }

    async fn receive(far: &mut DuplexStream, expected: &str) {
        let mut received = vec![0; expected.len()];
        far.read_exact(&mut received).await.unwrap();
        assert_eq!(String::from_utf8(received).unwrap(), expected);
    }

    #[tokio::test]
    async fn reads_are_merged_and_what_was_nil_is_asked_again() {
        let (multiplexer, mut far) = connected(4096);
        let calls = ["a", "b", "c", "d"].map(get);
        let replies =
            futures_util::future::join_all(calls.iter().map(|call| multiplexer.exchange(call)));
        let answered = async {
            let keys = ["a", "b", "c", "d"].map(|key| format!("$1\r\n{key}\r\n"));
            let keys = keys.concat();
            receive(&mut far, &format!("*5\r\n$4\r\nMGET\r\n{keys}")).await;
            far.write_all(b"*4\r\n$1\r\n1\r\n$-1\r\n$1\r\n3\r\n$1\r\n4\r\n")
                .await
                .unwrap();
            receive(&mut far, "*2\r\n$3\r\nGET\r\n$1\r\nb\r\n").await;
            far.write_all(b"-WRONGTYPE x\r\n").await.unwrap();
        };
        let (replies, ()) = tokio::join!(replies, answered);
        let replies: Vec<Reply> = replies.into_iter().map(Result::unwrap).collect();
        assert_eq!(replies[1], Reply::Error("WRONGTYPE x".into()));
        assert_eq!(replies[3], Reply::Bytes(b"4"[..].into()));
    }

    /// The others are for other nodes as soon as their slots move.
    #[tokio::test]
    async fn a_node_of_a_cluster_gets_merged_what_is_for_the_slot_that_most_is_for() {
        let terms = Terms {
            is_cluster: true,
            takes_many_keys: false,
            ..terms()
        };
        let (near, far) = duplex(4096);
        let multiplexer = Multiplexer::start(Box::new(near), ReadBuffer::default(), terms);
        let mut connection = (multiplexer, far);
        let alone = |keys: &str| {
            let keys = keys.split(' ').map(|key| format!("GET {key}"));
            keys.collect::<Vec<_>>()
        };
        let gets = alone("a a b {a}c a");
        let gets: Vec<&str> = gets.iter().map(String::as_str).collect();
        let found = FOUND.repeat(5);
        let replies = read(&mut connection, "a a b {a}c a", &[(&gets, &found)]).await;
        assert_eq!(replies, vec![one(); 5]);
        let merged = format!("{FOUND}*5\r\n{}", FOUND.repeat(5));
        let both = ["GET b", "MGET a a {a}c a a"];
        let replies = read(&mut connection, "a a b {a}c a a", &[(&both, &merged)]).await;
        assert_eq!(replies, vec![one(); 6]);
        // While the slot moves no command may name a key that is gone and one that isn't.
        let moving = ["MGET a {a}c a a"];
        let gets = ["GET a", "GET {a}c", "GET a", "GET a"];
        let asked = format!("{FOUND}-ASK 1 h:1\r\n{}", FOUND.repeat(2));
        let conversation: [(&[&str], &str); 2] = [(&moving, "-TRYAGAIN x\r\n"), (&gets, &asked)];
        let replies = read(&mut connection, "a {a}c a a", &conversation).await;
        assert_eq!(replies[1], Reply::Error("ASK 1 h:1".into()));
        assert_eq!(replies[3], one());
        // One that asks a node for a key on its way there goes by itself, and so do few.
        let asking = get("a").again_asking();
        let calls = [get("a"), get("a"), asking, get("a")];
        let replies =
            futures_util::future::join_all(calls.iter().map(|call| connection.0.exchange(call)));
        let far = &mut connection.1;
        let server = async {
            let sent = command("ASKING") + &command("GET a").repeat(4);
            receive(far, &sent).await;
            let replies = format!("+OK\r\n{}", FOUND.repeat(4));
            far.write_all(replies.as_bytes()).await.unwrap();
        };
        let (replies, ()) = tokio::join!(replies, server);
        assert!(replies.into_iter().all(|reply| reply.unwrap() == one()));
        // Scripts as well.
        let hash = redis::Script::new("return 0");
        let by_hash = |rest: &str| command(&format!("EVALSHA {} {rest}", hash.get_hash()));
        let calls = ["a", "b", "a"].map(count);
        let replies =
            futures_util::future::join_all(calls.iter().map(|call| connection.0.exchange(call)));
        let far = &mut connection.1;
        let server = async {
            let sent = by_hash("1 b 1 0") + &by_hash("2 a a 1 0 1 0");
            receive(far, &sent).await;
            let refused = "*2\r\n:1\r\n:-1\r\n-TRYAGAIN x\r\n";
            far.write_all(refused.as_bytes()).await.unwrap();
            receive(far, &by_hash("1 a 1 0").repeat(2)).await;
            let counted = "*2\r\n:1\r\n:-1\r\n".repeat(2);
            far.write_all(counted.as_bytes()).await.unwrap();
        };
        let (replies, ()) = tokio::join!(replies, server);
        let counted = Reply::Array(vec![Reply::Integer(1), Reply::Integer(-1)]);
        assert!(replies.into_iter().all(|reply| reply.unwrap() == counted));
    }

    /// A command, as it is sent.
    fn command(words: &str) -> String {
        let words: Vec<&str> = words.split(' ').collect();
        let arguments = words.iter();
        let arguments = arguments.map(|word| format!("${}\r\n{word}\r\n", word.len()));
        format!("*{}\r\n{}", words.len(), arguments.collect::<String>())
    }

    /// Reads these keys at once, while the server expects the first of each pair and says the
    /// second.
    async fn read(
        connection: &mut (Multiplexer, DuplexStream),
        keys: &str,
        conversation: &[(&[&str], &str)],
    ) -> Vec<Reply> {
        let (multiplexer, far) = connection;
        let calls: Vec<_> = keys.split(' ').map(get).collect();
        let replies =
            futures_util::future::join_all(calls.iter().map(|call| multiplexer.exchange(call)));
        let server = async {
            for (commands, words) in conversation {
                let commands = commands.iter().map(|words| command(words));
                receive(far, &commands.collect::<String>()).await;
                far.write_all(words.as_bytes()).await.unwrap();
            }
        };
        let (replies, ()) = tokio::join!(replies, server);
        replies.into_iter().map(Result::unwrap).collect()
    }

    fn one() -> Reply {
        Reply::Bytes(b"1"[..].into())
    }

    const FOUND: &str = "$1\r\n1\r\n";

    #[tokio::test]
    async fn keys_that_were_nil_are_looked_for_together() {
        let mut connection = connected(4096);
        let some = format!("*8\r\n$-1\r\n$-1\r\n{}", FOUND.repeat(6));
        // None of them is there.
        let conversation: [(&[&str], &str); 2] = [
            (&["MGET a b c d e f g h"], &some),
            (&["EXISTS a b"], ":0\r\n"),
        ];
        let replies = read(&mut connection, "a b c d e f g h", &conversation).await;
        assert_eq!(replies, [vec![Reply::Nil; 2], vec![one(); 6]].concat());
    }

    #[tokio::test]
    async fn keys_that_are_there_and_were_nil_are_read_by_themselves() {
        let mut connection = connected(4096);
        let few = format!("*18\r\n$-1\r\n$-1\r\n{}", FOUND.repeat(16));
        let conversation: [(&[&str], &str); 3] = [
            (&["MGET a b c d e f g h i j k l m n o p q r"], &few),
            (&["EXISTS a b"], ":1\r\n"),
            (&["GET a", "GET b"], "-WRONGTYPE x\r\n$-1\r\n"),
        ];
        let keys = "a b c d e f g h i j k l m n o p q r";
        let replies = read(&mut connection, keys, &conversation).await;
        assert_eq!(replies[0], Reply::Error("WRONGTYPE x".into()));
        assert_eq!(replies[1], Reply::Nil);
        assert_eq!(replies[2..], vec![one(); 16]);
    }

    const QUEUED: &str = "+OK\r\n+QUEUED\r\n+QUEUED\r\n";

    /// Makes the connection expect that reads find nothing.
    async fn expecting_misses() -> (Multiplexer, DuplexStream) {
        let mut connection = connected(4096);
        let conversation: [(&[&str], &str); 2] = [
            (&["MGET a b c d"], "*4\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n"),
            (&["EXISTS a b c d"], ":0\r\n"),
        ];
        let replies = read(&mut connection, "a b c d", &conversation).await;
        assert_eq!(replies, vec![Reply::Nil; 4]);
        connection
    }

    const CHECKED: &[&str] = &["MULTI", "MGET a b c d", "EXISTS a b c d", "EXEC"];

    #[tokio::test]
    async fn where_many_reads_find_nothing_a_check_goes_with_them() {
        let mut connection = expecting_misses().await;
        for (values, count, then) in [
            (["$-1\r\n", FOUND, "$-1\r\n", FOUND], 2, None),
            // One of a foreign type, and one that was removed before the check of another client.
            (
                ["$-1\r\n", FOUND, "_\r\n", FOUND],
                3,
                Some(["$-1\r\n", FOUND]),
            ),
        ] {
            let reply = format!("{QUEUED}*2\r\n*4\r\n{}:{count}\r\n", values.concat());
            let alone = then.map(|replies| replies.concat());
            let mut conversation: Vec<(&[&str], &str)> = vec![(CHECKED, &reply)];
            if let Some(replies) = &alone {
                conversation.push((&["GET a", "GET c"], replies));
            }
            let replies = read(&mut connection, "a b c d", &conversation).await;
            let last = if then.is_some() { one() } else { Reply::Nil };
            assert_eq!(replies, [Reply::Nil, one(), last, one()]);
        }
    }

    #[tokio::test]
    async fn a_user_who_may_not_check_reads_all_the_same() {
        let (refused, array) = ("-NOPERM no\r\n", format!("*4\r\n{}", FOUND.repeat(4)));
        let not_begun = "-ERR EXEC without MULTI\r\n";
        for replies in [
            format!("{refused}{array}:4\r\n{not_begun}"),
            format!("+OK\r\n+QUEUED\r\n{refused}-EXECABORT no\r\n"),
            format!("{QUEUED}_\r\n"),
        ] {
            let mut connection = expecting_misses().await;
            let conversation: [(&[&str], &str); 2] =
                [(CHECKED, &replies), (&["MGET a b c d"], &array)];
            let replies = read(&mut connection, "a b c d", &conversation).await;
            assert_eq!(replies, vec![one(); 4]);
        }
        // The keys of a user may be forbidden one by one.
        let mut connection = expecting_misses().await;
        let reply = format!("{QUEUED}*2\r\n{refused}:4\r\n");
        let each = format!("{refused}{}", FOUND.repeat(3));
        let conversation: [(&[&str], &str); 2] = [
            (CHECKED, &reply),
            (&["GET a", "GET b", "GET c", "GET d"], &each),
        ];
        let replies = read(&mut connection, "a b c d", &conversation).await;
        assert_eq!(replies[0], Reply::Error("NOPERM no".into()));
        assert_eq!(replies[1..], vec![one(); 3]);
    }

    /// Neither is an answer that belongs to the reads: they are asked over another connection.
    #[tokio::test]
    async fn a_reply_that_leaves_the_connection_in_doubt_ends_it() {
        // A transaction that wasn't given up may swallow what comes next.
        let open = format!("{QUEUED}-NOPERM no\r\n");
        let checked = [CHECKED[0], CHECKED[1], CHECKED[2], CHECKED[3]].map(command);
        let plain = command("MGET a b c d");
        for (is_checked, replies) in [
            (true, open.as_str()),
            (false, "*3\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n"),
            (false, "*-1\r\n"),
            (false, ":1\r\n"),
        ] {
            let (multiplexer, mut far) = match is_checked {
                true => expecting_misses().await,
                false => connected(4096),
            };
            let calls = ["a", "b", "c", "d"].map(get);
            let calls = calls.iter().map(|call| multiplexer.exchange(call));
            let all = futures_util::future::join_all(calls);
            let server = async {
                let commands = if is_checked {
                    &checked.concat()
                } else {
                    &plain
                };
                receive(&mut far, commands).await;
                far.write_all(replies.as_bytes()).await.unwrap();
            };
            let both = async { tokio::join!(all, server) };
            let (all, ()) = tokio::time::timeout(LIMIT, both).await.unwrap();
            assert!(all.iter().all(Result::is_err), "{replies}");
            assert_eq!(multiplexer.end(), Some(ConnectionEnd::Malformed));
        }
    }

    /// A user may know a script by its hash alone.
    #[tokio::test]
    async fn a_script_that_may_not_be_sent_in_full_is_refused_to_each() {
        let (multiplexer, mut far) = connected(64 * 1024);
        let calls = ["a", "b"].map(count);
        let all =
            futures_util::future::join_all(calls.iter().map(|call| multiplexer.exchange(call)));
        let server = async {
            let mut answered = 0;
            let mut buffer = [0; 64 * 1024];
            while let Ok(length @ 1..) = far.read(&mut buffer).await {
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                for name in text.split("$").filter(|part| part.contains("EVAL")) {
                    answered += 1;
                    let refusal = match name.contains("EVALSHA") {
                        true => "-NOSCRIPT No matching script\r\n",
                        false => "-NOPERM no\r\n",
                    };
                    far.write_all(refusal.as_bytes()).await.unwrap();
                }
                assert!(answered <= 8, "asked again and again");
            }
        };
        tokio::select! {
            all = all => for reply in all {
                assert_eq!(reply.unwrap(), Reply::Error("NOPERM no".into()));
            },
            () = server => unreachable!("the connection stays"),
        }
    }

    #[tokio::test]
    async fn a_refusal_for_all_is_everybodys_answer() {
        let refused = Reply::Error("LOADING x".into());
        let line = "-LOADING x\r\n";
        let mut connection = connected(4096);
        let conversation: [(&[&str], &str); 1] = [(&["MGET a b c d"], line)];
        let replies = read(&mut connection, "a b c d", &conversation).await;
        assert_eq!(replies, vec![refused.clone(); 4]);
        let mut connection = expecting_misses().await;
        let reply = format!("{}-ERR EXEC without MULTI\r\n", line.repeat(3));
        let conversation: [(&[&str], &str); 1] = [(CHECKED, &reply)];
        let replies = read(&mut connection, "a b c d", &conversation).await;
        assert_eq!(replies, vec![refused; 4]);
    }

    #[tokio::test]
    async fn a_value_is_handed_out_before_those_behind_it_have_come() {
        let (multiplexer, mut far) = connected(4096);
        let calls = ["a", "b", "c", "d"].map(get);
        let [mut first, rest @ ..] = calls
            .each_ref()
            .map(|call| Box::pin(multiplexer.exchange(call)));
        assert!((&mut first).now_or_never().is_none());
        let mut rest = futures_util::future::join_all(rest);
        assert!((&mut rest).now_or_never().is_none());
        receive(&mut far, &command("MGET a b c d")).await;
        far.write_all(b"*4\r\n$1\r\n1\r\n$7\r\npa").await.unwrap();
        assert_eq!(first.await.unwrap(), one());
        assert!((&mut rest).now_or_never().is_none());
        drop(far);
        assert!(rest.await.iter().all(Result::is_err));
    }

    #[tokio::test]
    async fn large_values_are_read_one_by_one() {
        let mut connection = connected(1 << 22);
        let large = format!("${}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20));
        let reply = format!("*4\r\n{}", large.repeat(4));
        let conversation: [(&[&str], &str); 1] = [(&["MGET a b c d"], &reply)];
        read(&mut connection, "a b c d", &conversation).await;
        // Until they were small, or none, for a while.
        let keys = ["a", "b", "c", "d"].map(|key| format!("GET {key}"));
        let keys = keys.each_ref().map(String::as_str);
        for some in [FOUND, "$-1\r\n", FOUND] {
            let small = some.repeat(4);
            let conversation: [(&[&str], &str); 1] = [(&keys, &small)];
            read(&mut connection, "a b c d", &conversation).await;
        }
        let reply = format!("*4\r\n{}", FOUND.repeat(4));
        let conversation: [(&[&str], &str); 1] = [(&["MGET a b c d"], &reply)];
        read(&mut connection, "a b c d", &conversation).await;
    }

    #[tokio::test]
    async fn a_script_that_is_unknown_is_sent_in_full_once_for_all() {
        let (multiplexer, mut far) = connected(4096);
        let calls = ["a", "b", "c"].map(count);
        let replies =
            futures_util::future::join_all(calls.iter().map(|call| multiplexer.exchange(call)));
        let hash = redis::Script::new("return 0");
        let server = async {
            let by_hash = format!("EVALSHA {} 3 a b c 1 0 1 0 1 0", hash.get_hash());
            receive(&mut far, &command(&by_hash)).await;
            far.write_all(b"-NOSCRIPT No matching script\r\n")
                .await
                .unwrap();
            let text = "$4\r\nEVAL\r\n$8\r\nreturn 0\r\n";
            let rest = command("3 a b c 1 0 1 0 1 0");
            let rest = rest.split_once("\r\n").unwrap().1;
            receive(&mut far, &format!("*12\r\n{text}{rest}")).await;
            far.write_all(b"*6\r\n:1\r\n:-1\r\n:2\r\n:-1\r\n:3\r\n:-1\r\n")
                .await
                .unwrap();
        };
        let (replies, ()) = tokio::join!(replies, server);
        let third = Reply::Array(vec![Reply::Integer(3), Reply::Integer(-1)]);
        assert_eq!(replies.into_iter().last().unwrap().unwrap(), third);
    }

    #[tokio::test]
    async fn reads_that_wait_behind_a_write_are_handed_back_when_they_are_wanted() {
        let (notice, mut signs) = signs();
        let terms = Terms {
            hold: MOMENT,
            notice,
            ..terms()
        };
        let (near, mut far) = duplex(4096);
        let multiplexer = Multiplexer::start(Box::new(near), ReadBuffer::default(), terms);
        let (write, sent, unsent) = (set(b"v"), get("a"), get("b"));
        let mut write = Box::pin(multiplexer.exchange(&write));
        let mut reads = [&sent, &unsent].map(|read| Box::pin(multiplexer.exchange(read)));
        let [first, second] = &mut reads;
        assert!((&mut write).now_or_never().is_none());
        assert!(first.now_or_never().is_none());
        let commands = command("SET k v") + &command("GET a");
        receive(&mut far, &commands).await;
        assert_eq!(signs.recv().await, Some(Sign::Holds));
        assert!(second.now_or_never().is_none());
        multiplexer.hand_back_reads();
        for read in reads {
            assert!(read.await.is_err());
        }
        assert!(sent.was_sent() && !unsent.was_sent());
        assert!((&mut write).now_or_never().is_none());
        // The answer to the read is nobody's, and no further one follows.
        far.write_all(b"+OK\r\n$1\r\n1\r\n").await.unwrap();
        assert_eq!(write.await.unwrap(), Reply::Status);
        while signs.recv().await != Some(Sign::Flows) {}
        let later = get("c");
        let answered = async {
            receive(&mut far, &command("GET c")).await;
            far.write_all(FOUND.as_bytes()).await.unwrap();
        };
        let (reply, ()) = tokio::join!(multiplexer.exchange(&later), answered);
        assert_eq!(reply.unwrap(), one());
        assert_eq!(signs.try_recv(), Err(TryRecvError::Empty));
    }

    /// Connects on terms by which a write is soon held, and the server soon silent.
    fn impatient() -> (Multiplexer, DuplexStream, UnboundedReceiver<Sign>) {
        let (notice, signs) = signs();
        let terms = Terms {
            hold: MOMENT,
            patience: MOMENT * 4,
            notice,
            ..terms()
        };
        let (near, far) = duplex(4096);
        let multiplexer = Multiplexer::start(Box::new(near), ReadBuffer::default(), terms);
        (multiplexer, far, signs)
    }

    #[tokio::test]
    async fn a_write_holds_nothing_up_until_a_read_comes() {
        let (multiplexer, mut far, mut signs) = impatient();
        let (writes, read) = ([set(b"v"), set(b"v")], get("a"));
        let mut writes = writes
            .each_ref()
            .map(|write| Box::pin(multiplexer.exchange(write)));
        for write in &mut writes {
            assert!(write.now_or_never().is_none());
        }
        receive(&mut far, &command("SET k v").repeat(2)).await;
        assert_eq!(signs.recv().await, Some(Sign::Silent));
        far.write_all(b"+OK\r\n").await.unwrap();
        while signs.recv().await != Some(Sign::Answers) {}
        let mut read = Box::pin(multiplexer.exchange(&read));
        assert!((&mut read).now_or_never().is_none());
        assert_eq!(signs.recv().await, Some(Sign::Holds));
    }

    /// A slow read holds up no more than a slow server does.
    #[tokio::test]
    async fn a_read_that_waits_holds_nothing_up() {
        let (multiplexer, mut far, mut signs) = impatient();
        let (read, write) = (get("a"), set(b"v"));
        let [mut first, mut second] =
            [&read, &write].map(|call| Box::pin(multiplexer.exchange(call)));
        assert!((&mut first).now_or_never().is_none());
        receive(&mut far, &command("GET a")).await;
        assert!((&mut second).now_or_never().is_none());
        receive(&mut far, &command("SET k v")).await;
        assert_eq!(signs.recv().await, Some(Sign::Silent));
    }

    /// A socket of TLS holds back what it has taken while the network takes nothing.
    #[tokio::test]
    async fn what_the_socket_holds_back_is_flushed() {
        let (near, mut far) = duplex(8);
        let near = BufWriter::with_capacity(1024, near);
        let multiplexer = Multiplexer::start(Box::new(near), ReadBuffer::default(), terms());
        for _ in 0..2 {
            let call = set(b"value");
            let answered = async {
                let command = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n";
                receive(&mut far, command).await;
                far.write_all(b"+OK\r\n").await.unwrap();
            };
            let both = async { tokio::join!(multiplexer.exchange(&call), answered) };
            let (reply, ()) = tokio::time::timeout(LIMIT, both).await.unwrap();
            assert_eq!(reply.unwrap(), Reply::Status);
        }
    }

    #[tokio::test]
    async fn what_the_socket_holds_back_may_have_been_sent_and_what_it_refused_was_not() {
        let (near, far) = duplex(8);
        let near = BufWriter::with_capacity(64, near);
        let multiplexer = Multiplexer::start(Box::new(near), ReadBuffer::default(), terms());
        let calls = [set(b"value"), set(&[b'v'; 64])];
        let [mut first, mut second] = calls
            .each_ref()
            .map(|call| Box::pin(multiplexer.exchange(call)));
        assert!((&mut first).now_or_never().is_none());
        settled().await;
        assert!((&mut second).now_or_never().is_none());
        settled().await;
        drop(far);
        assert!(first.await.is_err() && calls[0].was_sent());
        assert!(second.await.is_err() && !calls[1].was_sent());
    }

    #[tokio::test]
    async fn a_caller_that_leaves_before_its_turn_sends_nothing() {
        let (multiplexer, mut far) = connected(4096);
        let (left, stays) = (get("left"), get("stays"));
        assert!(
            Box::pin(multiplexer.exchange(&left))
                .now_or_never()
                .is_none()
        );
        assert!(!left.was_sent());
        let answered = async {
            receive(&mut far, "*2\r\n$3\r\nGET\r\n$5\r\nstays\r\n").await;
            far.write_all(b"$-1\r\n").await.unwrap();
        };
        let (reply, ()) = tokio::join!(multiplexer.exchange(&stays), answered);
        assert_eq!(reply.unwrap(), Reply::Nil);
    }
}
