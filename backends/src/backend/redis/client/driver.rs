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
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::inbox::{End, Inbox};
use super::merge::{Gets, Keyed, Merged};
use super::read_buffer::{BUFFER, ReadBuffer};
use super::request::{InFlight, Request};
use super::resp::{self, Reply};
use super::script::KeyedInvocation;

/// The most bytes that are written at once, at least one command: more gather while these are on
/// their way.
const BATCH_BYTES: usize = 256 * 1024;
/// So few requests aren't worth being sent in two batches.
const SMALL_BATCH: usize = 32;
/// Where fewer were answered together the driver doesn't linger: waiting for one's turn costs more
/// than it saves.
const MIN_LINGER: usize = 20;

/// A connected socket.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// The requests whose replies are awaited, in the order in which the replies come.
enum Expected {
    One(Arc<InFlight>),
    Many {
        request: Arc<InFlight>,
        missing: usize,
        replies: Vec<Reply>,
    },
    Merged(Merged),
}

impl Expected {
    fn requests(&self) -> &[Arc<InFlight>] {
        match self {
            Self::One(request) | Self::Many { request, .. } => std::slice::from_ref(request),
            Self::Merged(merged) => merged.requests(),
        }
    }
}

/// The task that owns the socket.
pub(super) struct Driver {
    inbox: Arc<Inbox>,
    socket: Box<dyn Socket>,
    /// The requests that were taken out of the queue and aren't written into `output` yet.
    taken: VecDeque<Arc<InFlight>>,
    /// Requests that a merged command didn't answer.
    retries: Vec<Arc<InFlight>>,
    gets: Gets,
    keyed: Keyed,
    output: Vec<u8>,
    /// The length of the part of `output` that the socket has taken.
    written: usize,
    /// The number of those expected that are in `output`.
    in_output: usize,
    expected: VecDeque<Expected>,
    input: ReadBuffer,
    /// The number of requests that were answered since the last ones were taken: most of their
    /// callers are about to make another.
    answered: usize,
    /// The length of the queue when the driver lingered last.
    queued_before: usize,
    /// The most requests that go out together.
    batch_limit: usize,
}

impl Driver {
    pub(super) fn new(inbox: Arc<Inbox>, socket: Box<dyn Socket>) -> Self {
        Self {
            inbox,
            socket,
            taken: VecDeque::new(),
            retries: Vec::new(),
            gets: Gets::default(),
            keyed: Keyed::default(),
            output: Vec::new(),
            written: 0,
            in_output: 0,
            expected: VecDeque::new(),
            input: ReadBuffer::default(),
            answered: 0,
            queued_before: 0,
            batch_limit: SMALL_BATCH,
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

    /// Takes the requests that are sent next, if all before them have been.
    fn fill(&mut self) {
        if self.written < self.output.len() {
            return;
        }
        self.output.clear();
        self.output.shrink_to(BUFFER);
        self.written = 0;
        let expected_before = self.expected.len();
        if self.taken.is_empty() {
            self.take_queue();
        }
        for request in std::mem::take(&mut self.retries) {
            self.write_one(request);
        }
        while self.output.len() + self.gets.length() + self.keyed.length() < BATCH_BYTES
            && !self.gets.is_full(self.batch_limit)
            && !self.keyed.is_full(self.batch_limit)
            && let Some(request) = self.taken.pop_front()
        {
            self.gather(request);
        }
        let gets = self.gets.write(&mut self.output);
        self.expect(gets);
        let keyed = self.keyed.write(&mut self.output);
        self.expect(keyed);
        self.in_output = self.expected.len() - expected_before;
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
            self.batch_limit = SMALL_BATCH.max(self.taken.len() / 2);
        }
        if was_full {
            self.inbox.room.notify_waiters();
        }
    }

    /// Adds a request to those that are merged, or writes it, if its caller still waits.
    fn gather(&mut self, request: Arc<InFlight>) {
        let (gets, keyed) = (&mut self.gets, &mut self.keyed);
        let gathered = request.send(|request| match request {
            Request::Get(key) => {
                gets.add(key);
                Gathered::Get
            }
            Request::Keyed(invocation) if keyed.add(invocation) => Gathered::Keyed,
            _ => Gathered::Alone,
        });
        match gathered {
            Some(Gathered::Get) => self.gets.push(request),
            Some(Gathered::Keyed) => self.keyed.push(request),
            Some(Gathered::Alone) => self.write_one(request),
            None => {}
        }
    }

    /// Notes a merged command that was written, or writes its requests one by one.
    fn expect(&mut self, written: Result<Merged, Vec<Arc<InFlight>>>) {
        match written {
            Ok(merged) => self.expected.push_back(Expected::Merged(merged)),
            Err(few) => few.into_iter().for_each(|request| self.write_one(request)),
        }
    }

    /// Writes a request as it is, if its caller still waits.
    fn write_one(&mut self, request: Arc<InFlight>) {
        let output = &mut self.output;
        let count = request.send(|request| match request {
            Request::Get(key) => {
                resp::begin(output, 2);
                output.extend_from_slice(b"$3\r\nGET\r\n");
                key.write_to(output);
                None
            }
            Request::Keyed(invocation) => {
                KeyedInvocation::begin_merged(invocation.script(), output, 1);
                invocation.write_key(output);
                invocation.write_numbers(output);
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
            Some(None) => self.expected.push_back(Expected::One(request)),
            Some(Some(0)) => request.finish(Reply::Array(Vec::new())),
            Some(Some(missing)) => self.expected.push_back(Expected::Many {
                request,
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

    /// Reads from the socket, hands out the replies that are complete, and says whether something
    /// came.
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
        self.inbox.activity.fetch_add(1, Ordering::Relaxed);
        while let Some(reply) = self.input.next()? {
            if reply != Reply::Push {
                self.answer(reply)?;
            }
        }
        Ok(true)
    }

    fn answer(&mut self, reply: Reply) -> Result<(), End> {
        let Some(expected) = self.expected.pop_front() else {
            // Nobody has asked.
            return Err(End::Malformed);
        };
        self.answered += match expected {
            Expected::One(request) => {
                request.finish(reply);
                1
            }
            Expected::Many {
                request,
                missing,
                mut replies,
            } => {
                replies.push(reply);
                if missing == 1 {
                    request.finish(Reply::Array(replies));
                } else {
                    let missing = missing - 1;
                    self.expected.push_front(Expected::Many {
                        request,
                        missing,
                        replies,
                    });
                }
                1
            }
            Expected::Merged(merged) => merged.hand_out(reply, &mut self.retries)?,
        };
        Ok(())
    }

    /// Says whether there is nothing to do until something comes; the driver is woken then.
    fn sleeps(&mut self, context: &Context<'_>) -> bool {
        let mut queue = self.inbox.queue.lock();
        let could_write = self.written == self.output.len();
        // `end` may have run while the driver was being polled and found no waker.
        let has_ended = queue.end.is_some();
        let has_more =
            !queue.requests.is_empty() || !self.taken.is_empty() || !self.retries.is_empty();
        if has_ended || could_write && has_more {
            return false;
        }
        queue.driver = Some(context.waker().clone());
        true
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        let end = loop {
            if let Some(end) = driver.inbox.queue.lock().end {
                break end;
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
        self.inbox.end(End::Closed);
        // No server has seen an output of which the socket took nothing.
        let unseen = if self.written == 0 { self.in_output } else { 0 };
        let seen = self.expected.len() - unseen;
        for (index, expected) in self.expected.iter().enumerate() {
            for request in expected.requests() {
                if index >= seen {
                    request.take_back();
                }
                request.lose();
            }
        }
        let rest = self.retries.iter().chain(&self.taken);
        rest.for_each(|request| request.lose());
    }
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::backend::redis::client::inbox::QUEUE_BYTES;
    use crate::backend::redis::client::multiplexer::Multiplexer;
    use crate::backend::redis::client::resp::{Argument, Command};
    use crate::backend::redis::client::script::Script;

    fn connected(buffer: usize) -> (Multiplexer, DuplexStream) {
        let (near, far) = duplex(buffer);
        (Multiplexer::start(Box::new(near)), far)
    }

    fn set(value: &[u8]) -> Arc<InFlight> {
        InFlight::new(Request::One(Command::new("SET").arg("k").arg(value)))
    }

    fn get(key: &str) -> Arc<InFlight> {
        InFlight::new(Request::Get(Argument::new(key)))
    }

    static COUNT: LazyLock<Script> = LazyLock::new(|| Script::new("return 0"));

    fn count(key: &str) -> Arc<InFlight> {
        InFlight::new(Request::Keyed(KeyedInvocation::new(
            &COUNT,
            Argument::new(key),
            [1, 0],
        )))
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
        let limit = std::time::Duration::from_secs(20);
        for exchange in exchanges {
            let reply = tokio::time::timeout(limit, exchange).await.unwrap();
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
        let mut driver = Driver::new(inbox.clone(), Box::new(near));
        inbox.end(End::Closed);
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
    async fn an_answer_too_many_ends_the_connection() {
        let (multiplexer, mut far) = connected(1024);
        far.write_all(b"+OK\r\n").await.unwrap();
        settled().await;
        assert_eq!(multiplexer.end(), Some(End::Malformed));
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
