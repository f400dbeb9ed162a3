//! A connection that many callers share: one task writes what they send, gathered, and reads what the server answers.
//!
//! Callers put what they send into a queue and wake the task, which takes all there is and writes it in one go. A single
//! caller's command goes out at once. Where many were answered together, many are about to call again, and the task lets
//! them run first, for as long as the queue grows. What is then there goes out in two halves, so that the server works on one
//! while the callers of the other run. Answers come in the order of the commands (<https://redis.io/docs/latest/develop/using-commands/pipelining/>), so
//! the task remembers whose turn is next; a caller who has gone leaves his answer to nobody.
//!
//! Reads of single keys that go out together become one `MGET`, and additions to counters one script, which costs the server
//! half or less. Each caller gets the answer that a command of his own would have been given. `MGET` says nil of a foreign
//! type and fails as a whole for one forbidden key, so what was nil, or failed, is asked again as a `GET`: reading twice
//! is harmless. The script answers each counter by itself; where it wasn't begun (a forbidden key, a server that doesn't know
//! it), each is sent by itself.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use super::call::{Call, Lost, Request};
use super::resp::{self, NoReply, Part, Reply};
use super::script::Count;

/// How many bytes are written at once, at least one command: more gather while these are on their way.
const BATCH_BYTES: usize = 256 * 1024;
/// When so many bytes wait in the queue, who comes later waits for room. One command may go beyond: a large one would
/// otherwise wait for an empty queue, which small ones never leave it.
const QUEUE_BYTES: usize = 8 * 1024 * 1024;
/// How many commands wait in the queue, those of callers who have gone included.
const QUEUE_CALLS: usize = 16 * 1024;
/// How many keys one command names at most, so that none holds the server for long: a tenth of a millisecond.
const MOST_GETS: usize = 512;
const MOST_COUNTS: usize = 128;
/// So many calls aren't worth being sent in two halves.
const SMALL: usize = 32;
/// So many at least become one command; fewer reads cost the server no more one by one, fewer scripts do.
const FEWEST_GETS: usize = 4;
const FEWEST_COUNTS: usize = 2;
/// Where fewer were answered together the others aren't waited for: waiting for one's turn costs more than it saves.
const CROWD: usize = 20;
/// The usual size of the buffers; what grew for a large value is given back.
const BUFFER: usize = 64 * 1024;

/// What is connected to a server.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// The callers' end of a connection, which is closed with it.
pub(super) struct Wire {
    shared: Arc<Shared>,
}

struct Shared {
    /// Held to add a call, to take all, or to look at the end; wakers are called after it.
    queue: Mutex<Queue>,
    /// Tells who waits for room in the queue.
    room: Notify,
    /// Set when the connection has ended, or isn't worth waiting for any more.
    is_lost: AtomicBool,
    /// How many times something has come from the server.
    heard: AtomicU64,
}

#[derive(Default)]
struct Queue {
    calls: VecDeque<Arc<Call>>,
    bytes: usize,
    /// Set while the task sleeps.
    task: Option<Waker>,
    end: Option<End>,
}

impl Queue {
    fn is_full(&self) -> bool {
        self.bytes >= QUEUE_BYTES || self.calls.len() >= QUEUE_CALLS
    }
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By the server, or by the network.
    Failed(io::ErrorKind),
    /// What came isn't RESP.
    Malformed,
    /// By this side.
    Closed,
}

/// What became of a call that was to be queued.
enum Queued {
    Yes,
    NoRoom,
    Ended,
}

impl Wire {
    /// Starts the task of a connection on the present runtime.
    pub(super) fn start(socket: Box<dyn Socket>) -> Self {
        let shared = Arc::new(Shared::new());
        tokio::spawn(Task::new(shared.clone(), socket));
        Self { shared }
    }

    /// Sends the call and waits for its answer.
    ///
    /// A dropped future leaves a call that wasn't sent unsent.
    pub(super) async fn exchange(&self, call: &Arc<Call>) -> Result<Reply, Lost> {
        let answer = call.answer();
        loop {
            let room = self.shared.room.notified();
            match self.shared.push(call) {
                Queued::Yes => return answer.await,
                Queued::NoRoom => room.await,
                Queued::Ended => {
                    // It hasn't left: its request is wanted for another connection.
                    call.lose();
                    return Err(Lost);
                }
            }
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.shared.is_lost.load(Ordering::Relaxed)
    }

    /// Returns a number that grows whenever something comes from the server.
    pub(super) fn heard(&self) -> u64 {
        self.shared.heard.load(Ordering::Relaxed)
    }

    /// Sends no further calls this way and ends it, with all that are under way.
    pub(super) fn give_up(&self) {
        self.shared.end(End::Closed);
    }

    /// Sends no further calls this way; those under way may still be answered.
    pub(super) fn retire(&self) {
        self.shared.is_lost.store(true, Ordering::Relaxed);
    }

    /// Returns how it ended, if it has.
    pub(super) fn end(&self) -> Option<End> {
        self.shared.queue.lock().end
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl Shared {
    fn new() -> Self {
        Self {
            queue: Mutex::default(),
            room: Notify::new(),
            is_lost: AtomicBool::new(false),
            heard: AtomicU64::new(0),
        }
    }

    fn push(&self, call: &Arc<Call>) -> Queued {
        let task = {
            let mut queue = self.queue.lock();
            if queue.end.is_some() {
                return Queued::Ended;
            }
            if queue.is_full() {
                return Queued::NoRoom;
            }
            queue.bytes += call.length();
            queue.calls.push_back(call.clone());
            queue.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
        Queued::Yes
    }

    fn end(&self, end: End) {
        self.is_lost.store(true, Ordering::Relaxed);
        let (task, calls) = {
            let mut queue = self.queue.lock();
            queue.end.get_or_insert(end);
            (queue.task.take(), std::mem::take(&mut queue.calls))
        };
        calls.iter().for_each(|call| call.lose());
        self.room.notify_waiters();
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// Whose answers are awaited, in the order in which they come.
enum Expected {
    One(Arc<Call>),
    Many {
        call: Arc<Call>,
        missing: usize,
        replies: Vec<Reply>,
    },
    Gets(Vec<Arc<Call>>),
    Counts(Vec<Arc<Call>>),
}

impl Expected {
    fn calls(&self) -> &[Arc<Call>] {
        match self {
            Self::One(call) | Self::Many { call, .. } => std::slice::from_ref(call),
            Self::Gets(calls) | Self::Counts(calls) => calls,
        }
    }
}

/// Calls that become one command, if they are enough.
#[derive(Default)]
struct Group {
    calls: Vec<Arc<Call>>,
    keys: Vec<u8>,
    /// What follows the keys.
    arguments: Vec<u8>,
}

impl Group {
    fn clear(&mut self) {
        self.calls = Vec::new();
        self.keys.clear();
        self.arguments.clear();
    }

    fn length(&self) -> usize {
        self.keys.len() + self.arguments.len()
    }
}

/// The task that owns the socket.
struct Task {
    shared: Arc<Shared>,
    socket: Box<dyn Socket>,
    /// What was taken out of the queue and not yet written into `output`.
    taken: VecDeque<Arc<Call>>,
    /// Calls that a command for many didn't answer.
    asked_again: Vec<Arc<Call>>,
    gets: Group,
    counts: Group,
    output: Vec<u8>,
    /// How much of `output` the socket has taken.
    written: usize,
    /// How many of those expected are in `output`.
    in_output: usize,
    expected: VecDeque<Expected>,
    input: Input,
    /// How many calls were answered since the last ones were taken: most of their callers are about to make another.
    answered: usize,
    /// How long the queue was when others were last let run.
    seen: usize,
    /// How many calls go out together at most.
    half: usize,
}

impl Task {
    fn new(shared: Arc<Shared>, socket: Box<dyn Socket>) -> Self {
        Self {
            shared,
            socket,
            taken: VecDeque::new(),
            asked_again: Vec::new(),
            gets: Group::default(),
            counts: Group::default(),
            output: Vec::new(),
            written: 0,
            in_output: 0,
            expected: VecDeque::new(),
            input: Input::default(),
            answered: 0,
            seen: 0,
            half: SMALL,
        }
    }

    /// Says whether others are to run before what is queued is sent, because they are about to add theirs.
    fn awaits_company(&mut self) -> bool {
        let is_sending = self.written < self.output.len() || !self.taken.is_empty();
        if is_sending || self.answered < CROWD {
            return false;
        }
        let queued = self.shared.queue.lock().calls.len();
        let has_grown = queued > self.seen;
        self.seen = queued;
        has_grown && queued < self.answered
    }

    /// Takes what is to be sent next, if all before it has been.
    fn fill(&mut self) {
        if self.written < self.output.len() {
            return;
        }
        self.output.clear();
        self.output.shrink_to(BUFFER);
        self.written = 0;
        let expected_before = self.expected.len();
        if self.taken.is_empty() {
            let mut queue = self.shared.queue.lock();
            let was_full = queue.is_full();
            std::mem::swap(&mut queue.calls, &mut self.taken);
            queue.bytes = 0;
            drop(queue);
            if !self.taken.is_empty() {
                self.answered = 0;
                self.seen = 0;
                self.half = SMALL.max(self.taken.len() / 2);
            }
            if was_full {
                self.shared.room.notify_waiters();
            }
        }
        let asked_again = std::mem::take(&mut self.asked_again);
        for call in asked_again {
            self.write_one(call);
        }
        self.gets.clear();
        self.counts.clear();
        while self.output.len() + self.gets.length() + self.counts.length() < BATCH_BYTES
            && self.gets.calls.len() < self.half.min(MOST_GETS)
            && self.counts.calls.len() < self.half.min(MOST_COUNTS)
            && let Some(call) = self.taken.pop_front()
        {
            let (gets, counts) = (&mut self.gets, &mut self.counts);
            let group = call.send(|request| match request {
                Request::Get(key) => {
                    key.write_to(&mut gets.keys);
                    Some(&mut gets.calls)
                }
                Request::Count(count) => {
                    count.write_key(&mut counts.keys);
                    count.write_arguments(&mut counts.arguments);
                    Some(&mut counts.calls)
                }
                _ => None,
            });
            match group {
                Some(Some(calls)) => calls.push(call),
                Some(None) => self.write_one(call),
                None => {}
            }
        }
        self.write_groups();
        self.in_output = self.expected.len() - expected_before;
    }

    /// Writes the calls of each group as one command, or one by one if they are few.
    fn write_groups(&mut self) {
        let gets = std::mem::take(&mut self.gets.calls);
        let counts = std::mem::take(&mut self.counts.calls);
        if gets.len() < FEWEST_GETS {
            gets.into_iter().for_each(|call| self.write_one(call));
        } else {
            resp::begin(&mut self.output, gets.len() + 1);
            self.output.extend_from_slice(b"$4\r\nMGET\r\n");
            self.output.extend_from_slice(&self.gets.keys);
            self.expected.push_back(Expected::Gets(gets));
        }
        if counts.len() < FEWEST_COUNTS {
            counts.into_iter().for_each(|call| self.write_one(call));
        } else {
            Count::begin_merged(&mut self.output, counts.len());
            self.output.extend_from_slice(&self.counts.keys);
            self.output.extend_from_slice(&self.counts.arguments);
            self.expected.push_back(Expected::Counts(counts));
        }
    }

    /// Writes a call as it is, if its caller still waits.
    fn write_one(&mut self, call: Arc<Call>) {
        let output = &mut self.output;
        let count = call.send(|request| match request {
            Request::Get(key) => {
                resp::begin(output, 2);
                output.extend_from_slice(b"$3\r\nGET\r\n");
                key.write_to(output);
                None
            }
            Request::Count(count) => {
                Count::begin_merged(output, 1);
                count.write_key(output);
                count.write_arguments(output);
                None
            }
            Request::One(command) => {
                command.write_to(output);
                None
            }
            Request::Script(invocation) => {
                invocation.by_hash().write_to(output);
                None
            }
            Request::Many(commands) => {
                commands.iter().for_each(|command| command.write_to(output));
                Some(commands.len())
            }
        });
        match count {
            None => {}
            Some(None) => self.expected.push_back(Expected::One(call)),
            Some(Some(0)) => call.finish(Reply::Array(Vec::new())),
            Some(Some(missing)) => self.expected.push_back(Expected::Many {
                call,
                missing,
                replies: Vec::with_capacity(missing),
            }),
        }
    }

    /// Writes as much as the socket takes, and says whether it took something.
    fn write(&mut self, context: &mut Context<'_>) -> Result<bool, End> {
        let mut has_written = false;
        while self.written < self.output.len() {
            let rest = &self.output[self.written..];
            match Pin::new(&mut self.socket).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => return Err(End::Failed(io::ErrorKind::WriteZero)),
                Poll::Ready(Ok(count)) => self.written += count,
                Poll::Ready(Err(error)) => return Err(End::Failed(error.kind())),
                Poll::Pending => break,
            }
            has_written = true;
        }
        Ok(has_written)
    }

    /// Reads what is there, answers those whose answers are complete, and says whether there was something.
    fn read(&mut self, context: &mut Context<'_>) -> Result<bool, End> {
        let mut buffer = ReadBuf::new(self.input.room());
        match Pin::new(&mut self.socket).poll_read(context, &mut buffer) {
            Poll::Pending => return Ok(false),
            Poll::Ready(Err(error)) => return Err(End::Failed(error.kind())),
            Poll::Ready(Ok(())) => {}
        }
        let count = buffer.filled().len();
        if count == 0 {
            return Err(End::Failed(io::ErrorKind::UnexpectedEof));
        }
        self.input.add(count);
        self.shared.heard.fetch_add(1, Ordering::Relaxed);
        while let Some(reply) = self.input.next()? {
            if reply != Reply::Push {
                self.answer(reply)?;
            }
        }
        Ok(true)
    }

    fn answer(&mut self, reply: Reply) -> Result<(), End> {
        self.answered += 1;
        match self.expected.pop_front() {
            // Nobody has asked.
            None => return Err(End::Malformed),
            Some(Expected::One(call)) => call.finish(reply),
            Some(Expected::Many {
                call,
                missing,
                mut replies,
            }) => {
                replies.push(reply);
                if missing == 1 {
                    call.finish(Reply::Array(replies));
                } else {
                    let missing = missing - 1;
                    self.expected.push_front(Expected::Many {
                        call,
                        missing,
                        replies,
                    });
                }
            }
            Some(Expected::Gets(calls)) => self.answer_gets(calls, reply),
            Some(Expected::Counts(calls)) => return self.answer_counts(calls, reply),
        }
        Ok(())
    }

    fn answer_gets(&mut self, calls: Vec<Arc<Call>>, reply: Reply) {
        match reply {
            Reply::Array(replies) if replies.len() == calls.len() => {
                self.answered += calls.len() - 1;
                for (call, reply) in calls.into_iter().zip(replies) {
                    match reply {
                        Reply::Nil => self.asked_again.push(call),
                        reply => call.finish(reply),
                    }
                }
            }
            _ => self.asked_again.extend(calls),
        }
    }

    fn answer_counts(&mut self, calls: Vec<Arc<Call>>, reply: Reply) -> Result<(), End> {
        match reply {
            Reply::Array(replies) if replies.len() == calls.len() * 2 => {
                self.answered += calls.len() - 1;
                let mut replies = replies.into_iter();
                for call in calls {
                    call.finish(Reply::Array(replies.by_ref().take(2).collect()));
                }
            }
            // The server says these before it runs a script.
            Reply::Error(error) if matches!(error.code(), "NOSCRIPT" | "NOPERM") => {
                calls.iter().for_each(|call| call.take_back());
                self.asked_again.extend(calls);
            }
            Reply::Error(error) => {
                for call in calls {
                    call.finish(Reply::Error(error.clone()));
                }
            }
            _ => {
                calls.iter().for_each(|call| call.lose());
                return Err(End::Malformed);
            }
        }
        Ok(())
    }

    /// Says whether there is nothing to do until something comes; the task is woken then.
    fn sleeps(&mut self, context: &Context<'_>) -> bool {
        let mut queue = self.shared.queue.lock();
        let could_write = self.written == self.output.len();
        // Who ended it found nobody to wake while this ran.
        let has_ended = queue.end.is_some();
        let has_more =
            !queue.calls.is_empty() || !self.taken.is_empty() || !self.asked_again.is_empty();
        if has_ended || could_write && has_more {
            return false;
        }
        queue.task = Some(context.waker().clone());
        true
    }
}

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let task = self.get_mut();
        let end = loop {
            if let Some(end) = task.shared.queue.lock().end {
                break end;
            }
            if task.awaits_company() {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            task.fill();
            let moved = task
                .write(context)
                .and_then(|has_written| Ok(task.read(context)? || has_written));
            match moved {
                Err(end) => break end,
                Ok(true) => {}
                Ok(false) if task.sleeps(context) => return Poll::Pending,
                Ok(false) => {}
            }
        };
        task.shared.end(end);
        Poll::Ready(())
    }
}

/// Also when a runtime that ends drops the task.
impl Drop for Task {
    fn drop(&mut self) {
        self.shared.end(End::Closed);
        // What the socket took nothing of, no server has seen.
        let unseen = if self.written == 0 { self.in_output } else { 0 };
        let seen = self.expected.len() - unseen;
        for (index, expected) in self.expected.iter().enumerate() {
            for call in expected.calls() {
                if index >= seen {
                    call.take_back();
                }
                call.lose();
            }
        }
        let rest = self.asked_again.iter().chain(&self.taken);
        rest.for_each(|call| call.lose());
    }
}

/// What was read and isn't a whole reply yet.
#[derive(Default)]
struct Input {
    bytes: Vec<u8>,
    /// What lies between is unread.
    start: usize,
    end: usize,
    /// How many unread bytes there must be before it is worth looking again.
    needed: usize,
    /// How far the next reply is known to be there, if it comes in parts.
    part: Option<Part>,
}

impl Input {
    /// Returns room to read into.
    fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.bytes.len() > BUFFER * 16 {
                self.bytes = Vec::new();
            }
        }
        if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.end * 2 >= self.bytes.len() {
                // Grows with what came, not with what was declared.
                self.bytes.resize((self.bytes.len() * 2).max(BUFFER), 0);
            }
        }
        &mut self.bytes[self.end..]
    }

    fn add(&mut self, count: usize) {
        self.end += count;
    }

    fn next(&mut self) -> Result<Option<Reply>, End> {
        let unread = &self.bytes[self.start..self.end];
        if unread.len() < self.needed.max(1) {
            return Ok(None);
        }
        let is_there = self.part.as_mut().map_or(Ok(()), |part| part.grow(unread));
        match is_there.and_then(|()| resp::reply(unread)) {
            Ok((reply, length)) => {
                self.start += length;
                self.needed = 0;
                self.part = None;
                Ok(Some(reply))
            }
            Err(NoReply::Incomplete(needed)) => {
                self.needed = needed;
                self.part.get_or_insert_default();
                Ok(None)
            }
            Err(NoReply::Malformed) => Err(End::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::backend::redis::resp::{Argument, Command};

    fn connected(buffer: usize) -> (Wire, DuplexStream) {
        let (near, far) = duplex(buffer);
        (Wire::start(Box::new(near)), far)
    }

    fn set(value: &[u8]) -> Arc<Call> {
        Call::new(Request::One(Command::new("SET").arg("k").arg(value)))
    }

    fn get(key: &str) -> Arc<Call> {
        Call::new(Request::Get(Argument::new(key)))
    }

    fn count(key: &str) -> Arc<Call> {
        Call::new(Request::Count(Count::new(b"", key.as_bytes(), 1, 0)))
    }

    /// Lets the task of the connection do what it can.
    async fn settled() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_call_that_meets_an_ended_connection_keeps_its_request() {
        let (wire, far) = connected(1024);
        drop(far);
        settled().await;
        let call = set(b"v");
        assert!(wire.exchange(&call).await.is_err());
        assert!(!call.was_sent());
        assert!(matches!(call.take_request(), Request::One(_)));
    }

    #[tokio::test]
    async fn what_the_socket_never_took_was_not_sent() {
        let (wire, far) = connected(1024);
        drop(far);
        // Queued before the task has seen that there is nobody.
        let call = set(b"v");
        assert!(wire.exchange(&call).await.is_err());
        assert!(!call.was_sent());
        assert!(matches!(call.take_request(), Request::One(_)));
    }

    #[tokio::test]
    async fn what_the_socket_took_in_part_may_have_been_sent() {
        let (wire, far) = connected(16);
        let call = set(b"more than fits the socket");
        let mut exchange = Box::pin(wire.exchange(&call));
        assert!((&mut exchange).now_or_never().is_none());
        settled().await;
        drop(far);
        assert!(exchange.await.is_err());
        assert!(call.was_sent());
    }

    #[tokio::test]
    async fn counts_of_a_script_that_was_not_begun_were_not_sent() {
        let (wire, mut far) = connected(4096);
        let calls = [count("a"), count("b")];
        let mut exchanges: Vec<_> = calls
            .iter()
            .map(|call| Box::pin(wire.exchange(call)))
            .collect();
        for exchange in &mut exchanges {
            assert!(exchange.now_or_never().is_none());
        }
        settled().await;
        far.write_all(b"-NOSCRIPT No matching script\r\n")
            .await
            .unwrap();
        // Before the task comes to send them again.
        drop(far);
        for exchange in exchanges {
            assert!(exchange.await.is_err());
        }
        assert!(calls.iter().all(|call| !call.was_sent()));
    }

    #[tokio::test]
    async fn a_value_larger_than_the_queue_waits_for_no_room() {
        let (wire, mut far) = connected(64 * 1024);
        let small = set(b"v");
        let large = set(&vec![b'v'; QUEUE_BYTES]);
        let mut exchanges = [
            Box::pin(wire.exchange(&small)),
            Box::pin(wire.exchange(&large)),
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
        let limit = std::time::Duration::from_secs(20);
        for exchange in exchanges {
            let reply = tokio::time::timeout(limit, exchange).await.unwrap();
            assert_eq!(reply.unwrap(), Reply::Status);
        }
        server.await.unwrap();
    }

    #[tokio::test]
    async fn what_waits_for_a_server_that_takes_nothing_is_bounded() {
        let (wire, far) = connected(1024);
        let value = vec![b'v'; QUEUE_BYTES / 4];
        let calls: Vec<_> = (0..40).map(|_| set(&value)).collect();
        let mut exchanges: Vec<_> = calls
            .iter()
            .map(|call| Box::pin(wire.exchange(call)))
            .collect();
        for exchange in &mut exchanges {
            assert!(exchange.now_or_never().is_none());
            settled().await;
        }
        assert!(wire.shared.queue.lock().bytes < QUEUE_BYTES * 2);
        drop(far);
        for exchange in exchanges {
            assert!(exchange.await.is_err());
        }
    }

    /// Ends the connection in every gap of the task's work that there is.
    #[tokio::test]
    async fn a_task_that_is_about_to_sleep_notices_the_end() {
        let (near, _far) = duplex(1024);
        let shared = Arc::new(Shared::new());
        let mut task = Task::new(shared.clone(), Box::new(near));
        shared.end(End::Closed);
        let sleeps = poll_fn(|context| Poll::Ready(task.sleeps(context))).await;
        assert!(!sleeps);
    }

    #[tokio::test]
    async fn what_nobody_asked_for_disturbs_nobody() {
        let (wire, mut far) = connected(1024);
        let call = get("k");
        let mut exchange = Box::pin(wire.exchange(&call));
        assert!((&mut exchange).now_or_never().is_none());
        far.write_all(b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n")
            .await
            .unwrap();
        assert_eq!(exchange.await.unwrap(), Reply::Bytes(b"v"[..].into()));
    }

    #[tokio::test]
    async fn an_answer_too_many_ends_the_connection() {
        let (wire, mut far) = connected(1024);
        far.write_all(b"+OK\r\n").await.unwrap();
        settled().await;
        assert_eq!(wire.end(), Some(End::Malformed));
    }

    async fn receive(far: &mut DuplexStream, expected: &str) {
        let mut received = vec![0; expected.len()];
        far.read_exact(&mut received).await.unwrap();
        assert_eq!(String::from_utf8(received).unwrap(), expected);
    }

    #[tokio::test]
    async fn reads_are_merged_and_what_was_nil_is_asked_again() {
        let (wire, mut far) = connected(4096);
        let calls = ["a", "b", "c", "d"].map(get);
        let replies = futures_util::future::join_all(calls.iter().map(|call| wire.exchange(call)));
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

    #[tokio::test]
    async fn who_leaves_before_his_turn_sends_nothing() {
        let (wire, mut far) = connected(4096);
        let (left, stays) = (get("left"), get("stays"));
        assert!(Box::pin(wire.exchange(&left)).now_or_never().is_none());
        assert!(!left.was_sent());
        let answered = async {
            receive(&mut far, "*2\r\n$3\r\nGET\r\n$5\r\nstays\r\n").await;
            far.write_all(b"$-1\r\n").await.unwrap();
        };
        let (reply, ()) = tokio::join!(wire.exchange(&stays), answered);
        assert_eq!(reply.unwrap(), Reply::Nil);
    }
}
