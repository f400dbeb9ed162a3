//! A connection that many callers share: one task writes what they send, gathered, and reads what the server answers.
//!
//! Callers put what they send into a queue and wake the task, which takes all there is and writes it in one go: while it waits
//! for its turn, or for the socket, others add theirs. Nobody waits for company, and a single caller's command goes out at
//! once. Answers come in the order of the commands (<https://redis.io/docs/latest/develop/using-commands/pipelining/>), so
//! the task remembers whose turn is next; a caller who has gone leaves his answer to nobody.
//!
//! Reads of single keys that go out together become one `MGET`, which costs the server about half. Each gets the answer
//! that a `GET` of its own would have given: `MGET` says nil of a foreign type and fails as a whole for one forbidden key, so
//! what was nil, or failed, is asked again as a `GET`. Reading twice is harmless.

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
use super::resp::{self, Get, NoReply, Reply};

/// How many bytes are written at once, at least one command: more gather while these are on their way.
const BATCH_BYTES: usize = 256 * 1024;
/// How many bytes wait in the queue, at least one command; who comes later waits for room.
const QUEUE_BYTES: usize = 8 * 1024 * 1024;
/// How many commands wait in the queue, those of callers who have gone included.
const QUEUE_CALLS: usize = 16 * 1024;
/// So many reads at least become one; fewer cost the server no more one by one.
const FEWEST_MERGED: usize = 4;
/// How many keys an `MGET` names at most, so that none holds the server for long.
const MOST_MERGED: usize = 512;
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
        let answer = call.answer();
        loop {
            let room = self.shared.room.notified();
            match self.shared.push(call) {
                Queued::Yes => return answer.await,
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
    Merged(Vec<Arc<Call>>),
}

/// The task that owns the socket.
struct Task {
    shared: Arc<Shared>,
    socket: Box<dyn Socket>,
    /// What was taken out of the queue and not yet written into `output`.
    taken: VecDeque<Arc<Call>>,
    /// Reads that a merged one didn't answer for sure.
    asked_again: Vec<Arc<Call>>,
    /// The keys of reads that become one, until it is known how many there are.
    keys: Vec<u8>,
    output: Vec<u8>,
    /// How much of `output` the socket has taken.
    written: usize,
    expected: VecDeque<Expected>,
    input: Input,
}

impl Task {
    fn new(shared: Arc<Shared>, socket: Box<dyn Socket>) -> Self {
        Self {
            shared,
            socket,
            taken: VecDeque::new(),
            asked_again: Vec::new(),
            keys: Vec::new(),
            output: Vec::new(),
            written: 0,
            expected: VecDeque::new(),
            input: Input::default(),
        }
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
            let was_full = queue.bytes > QUEUE_BYTES / 2 || self.taken.len() > QUEUE_CALLS / 2;
            queue.bytes = 0;
            drop(queue);
            if was_full {
                self.shared.room.notify_waiters();
            }
        }
        let asked_again = std::mem::take(&mut self.asked_again);
        for call in asked_again {
            self.write_one(call);
        }
        let mut gets = Vec::new();
        self.keys.clear();
        while self.output.len() + self.keys.len() < BATCH_BYTES
            && gets.len() < MOST_MERGED
            && let Some(call) = self.taken.pop_front()
        {
            let keys = &mut self.keys;
            let is_get = call.send(|request| match request {
                Request::Get(get) => {
                    get.write_key(keys);
                    true
                }
                _ => false,
            });
            match is_get {
                Some(true) => gets.push(call),
                Some(false) => self.write_one(call),
                None => {}
            }
        }
        if gets.len() < FEWEST_MERGED {
            gets.into_iter().for_each(|call| self.write_one(call));
        } else {
            Get::begin_merged(&mut self.output, gets.len());
            self.output.extend_from_slice(&self.keys);
            self.expected.push_back(Expected::Merged(gets));
        }
    }

    /// Writes a call as it is, if its caller still waits.
    fn write_one(&mut self, call: Arc<Call>) {
        let output = &mut self.output;
        let count = call.send(|request| match request {
            Request::Get(get) => {
                get.command().write_to(output);
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
            Some(Expected::Merged(calls)) => match reply {
                Reply::Array(replies) if replies.len() == calls.len() => {
                    for (call, reply) in calls.into_iter().zip(replies) {
                        match reply {
                            Reply::Nil => self.asked_again.push(call),
                            reply => call.finish(reply),
                        }
                    }
                }
                _ => self.asked_again.extend(calls),
            },
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
                Expected::Merged(calls) => calls.iter().for_each(|call| call.lose()),
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
