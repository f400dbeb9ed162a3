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
use super::resp::{self, NoReply, Reply};
use super::script::Count;

/// How many bytes are written at once, at least one command: more gather while these are on their way.
const BATCH_BYTES: usize = 256 * 1024;
/// How many bytes wait in the queue, at least one command; who comes later waits for room.
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
    /// Whether somebody waits for room.
    is_short: bool,
    /// Set while the task sleeps.
    task: Option<Waker>,
    end: Option<End>,
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
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            room: Notify::new(),
            is_lost: AtomicBool::new(false),
            heard: AtomicU64::new(0),
        });
        tokio::spawn(Task::new(shared.clone(), socket));
        Self { shared }
    }

    /// Sends the call and waits for its answer.
    ///
    /// A dropped future leaves a call that wasn't sent unsent.
    pub(super) async fn exchange(&self, call: &Arc<Call>) -> Result<Reply, Lost> {
        loop {
            let room = self.shared.room.notified();
            match self.shared.push(call) {
                // From here on nobody but the task has the call: who leaves now says so.
                Queued::Yes => return call.answer().await,
                Queued::NoRoom => room.await,
                Queued::Ended => return Err(Lost),
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
    fn push(&self, call: &Arc<Call>) -> Queued {
        let task = {
            let mut queue = self.queue.lock();
            if queue.end.is_some() {
                return Queued::Ended;
            }
            let is_full =
                queue.bytes + call.length() > QUEUE_BYTES || queue.calls.len() >= QUEUE_CALLS;
            if is_full && !queue.calls.is_empty() {
                queue.is_short = true;
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
        if self.taken.is_empty() {
            let mut queue = self.shared.queue.lock();
            std::mem::swap(&mut queue.calls, &mut self.taken);
            queue.bytes = 0;
            let was_short = std::mem::take(&mut queue.is_short);
            drop(queue);
            if was_short {
                self.shared.room.notify_waiters();
            }
            if !self.taken.is_empty() {
                self.answered = 0;
                self.seen = 0;
                self.half = SMALL.max(self.taken.len() / 2);
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
        let has_more =
            !queue.calls.is_empty() || !self.taken.is_empty() || !self.asked_again.is_empty();
        if could_write && has_more {
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
        for expected in &self.expected {
            match expected {
                Expected::One(call) | Expected::Many { call, .. } => call.lose(),
                Expected::Gets(calls) | Expected::Counts(calls) => {
                    calls.iter().for_each(|call| call.lose())
                }
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
        match resp::reply(unread) {
            Ok((reply, length)) => {
                self.start += length;
                self.needed = 0;
                Ok(Some(reply))
            }
            Err(NoReply::Incomplete(needed)) => {
                self.needed = needed;
                Ok(None)
            }
            Err(NoReply::Malformed) => Err(End::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::super::resp::{Argument, Command};
    use super::*;

    fn wire() -> (Wire, DuplexStream) {
        let (ours, theirs) = duplex(1 << 16);
        (Wire::start(Box::new(ours)), theirs)
    }

    fn get(key: &str) -> Arc<Call> {
        Call::new(Request::Get(Argument::new(key)))
    }

    fn echo(text: &str) -> Arc<Call> {
        Call::new(Request::One(Command::new("ECHO").arg(text)))
    }

    async fn receive(server: &mut DuplexStream, expected: &str) {
        let mut received = vec![0; expected.len()];
        server.read_exact(&mut received).await.unwrap();
        assert_eq!(String::from_utf8(received).unwrap(), expected);
    }

    #[tokio::test]
    async fn an_answer_may_come_byte_by_byte() {
        let (wire, mut server) = wire();
        let call = echo("hi");
        let answered = async {
            receive(&mut server, "*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n").await;
            for byte in b"$2\r\nhi\r\n" {
                server.write_all(&[*byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let (reply, ()) = tokio::join!(wire.exchange(&call), answered);
        assert_eq!(reply.unwrap(), Reply::Bytes((&b"hi"[..]).into()));
    }

    #[tokio::test]
    async fn reads_are_merged_and_what_was_nil_is_asked_again() {
        let (wire, mut server) = wire();
        let calls = ["a", "b", "c", "d"].map(get);
        let replies = join_all(calls.iter().map(|call| wire.exchange(call)));
        let answered = async {
            let keys = ["a", "b", "c", "d"]
                .map(|key| format!("$1\r\n{key}\r\n"))
                .concat();
            receive(&mut server, &format!("*5\r\n$4\r\nMGET\r\n{keys}")).await;
            server
                .write_all(b"*4\r\n$1\r\n1\r\n$-1\r\n$1\r\n3\r\n$1\r\n4\r\n")
                .await
                .unwrap();
            receive(&mut server, "*2\r\n$3\r\nGET\r\n$1\r\nb\r\n").await;
            server.write_all(b"-WRONGTYPE x\r\n").await.unwrap();
        };
        let (replies, ()) = tokio::join!(replies, answered);
        let replies: Vec<Reply> = replies.into_iter().map(Result::unwrap).collect();
        assert_eq!(replies[1], Reply::Error("WRONGTYPE x".into()));
        assert_eq!(replies[3], Reply::Bytes((&b"4"[..]).into()));
    }

    #[tokio::test]
    async fn who_leaves_before_his_turn_sends_nothing() {
        let (wire, mut server) = wire();
        let (left, stays) = (echo("left"), echo("stays"));
        {
            let mut leaving = Box::pin(wire.exchange(&left));
            assert!((&mut leaving).now_or_never().is_none());
        }
        assert!(!left.was_sent());
        let answered = async {
            receive(&mut server, "*2\r\n$4\r\nECHO\r\n$5\r\nstays\r\n").await;
            server.write_all(b"+OK\r\n").await.unwrap();
        };
        let (reply, ()) = tokio::join!(wire.exchange(&stays), answered);
        assert_eq!(reply.unwrap(), Reply::Status);
    }

    #[tokio::test]
    async fn a_call_that_met_a_connection_that_has_ended_can_be_sent_by_another() {
        let (wire, server) = wire();
        drop(server);
        while !wire.is_lost() {
            tokio::task::yield_now().await;
        }
        let call = echo("hi");
        assert!(wire.exchange(&call).await.is_err());
        assert!(!call.was_sent());
        assert!(matches!(call.take_request(), Request::One(_)));
    }

    #[tokio::test]
    async fn what_was_sent_and_not_answered_is_lost_and_says_so() {
        let (wire, mut server) = wire();
        let calls = [echo("one"), echo("two")];
        let replies = join_all(calls.iter().map(|call| wire.exchange(call)));
        let answered = async {
            for text in ["one", "two"] {
                receive(
                    &mut server,
                    &format!("*2\r\n$4\r\nECHO\r\n$3\r\n{text}\r\n"),
                )
                .await;
            }
            server.write_all(b"+OK\r\nHTTP/1.1 400\r\n").await.unwrap();
        };
        let (replies, ()) = tokio::join!(replies, answered);
        assert!(replies[0].is_ok() && replies[1].is_err());
        assert!(calls[1].was_sent());
        assert_eq!(wire.end(), Some(End::Malformed));
    }

    #[tokio::test]
    async fn a_call_without_room_in_the_queue_waits_for_it() {
        let (wire, mut server) = wire();
        let (small, large) = (echo("small"), echo(&"x".repeat(QUEUE_BYTES)));
        let replies = async { tokio::join!(wire.exchange(&small), wire.exchange(&large)) };
        let answered = async {
            let mut left = "*2\r\n$4\r\nECHO\r\n$5\r\nsmall\r\n".len() + QUEUE_BYTES + 24;
            let mut buffer = vec![0; 1 << 16];
            while left > 100 {
                left -= server.read(&mut buffer).await.unwrap();
            }
            server.write_all(b"+OK\r\n+OK\r\n").await.unwrap();
        };
        let ((first, second), ()) = tokio::join!(replies, answered);
        assert!(first.is_ok() && second.is_ok());
    }

    #[tokio::test]
    async fn what_the_server_tells_unasked_is_nobodys_answer() {
        let (wire, mut server) = wire();
        let call = echo("hi");
        let answered = async {
            receive(&mut server, "*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n").await;
            server
                .write_all(b">2\r\n+invalidate\r\n*0\r\n|1\r\n+k\r\n+v\r\n:7\r\n")
                .await
                .unwrap();
        };
        let (reply, ()) = tokio::join!(wire.exchange(&call), answered);
        assert_eq!(reply.unwrap(), Reply::Integer(7));
    }
}
