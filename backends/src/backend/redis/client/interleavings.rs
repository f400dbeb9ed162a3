//! Models of the queue between callers and the driver of a connection.
//!
//! Inbox, requests and driver are looked at as they are, over doubles of their locks. `Notify` of
//! tokio and its socket in memory are taken as they are: each of their calls is one step. What
//! closing does beyond the connection (tasks, sockets and timers of tokio) has no doubles: it is
//! tested on real runtimes, in `tests/redis`.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use shuttle::{future, thread};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::access::Access;
use super::connection_end::ConnectionEnd;
use super::driver::{Driver, Terms};
use super::in_flight::{InFlight, Lost};
use super::inbox::{Inbox, QUEUE_BYTES};
use super::multiplexer::exchange;
use super::read_buffer::ReadBuffer;
use super::request::Request;
use super::resp::{Argument, Command, Reply};
use super::socket::Socket;
use crate::sync::begin;
use crate::time::deadline::deadlines;

impl Socket for DuplexStream {}

/// A request, and its key.
type Question = (u8, Arc<InFlight>);

/// The keys that a server has been asked for.
type Asked = Arc<Mutex<Vec<u8>>>;

thread_local! {
    /// The reads that became a part of one command. A model with all of its threads is run by one.
    static MERGED: Arc<AtomicU64> = Arc::default();
}

/// Returns the number of reads that models of this thread have merged: those of merging show
/// nothing without.
pub fn merged() -> u64 {
    MERGED.with(|merged| merged.load(Ordering::Relaxed))
}

fn terms() -> Terms {
    let hour = Duration::from_secs(3600);
    Terms {
        deadlines: deadlines().unwrap(),
        patience: hour,
        silence: hour,
        hold: hour,
        holds_writes: false,
        takes_many_keys: true,
        is_cluster: false,
        may_transact: Arc::default(),
        merged: MERGED.with(Arc::clone),
        notice: Box::new(|_| {}),
    }
}

fn get(key: u8) -> Arc<InFlight> {
    let key = Argument::new(str::from_utf8(&[key]).unwrap());
    InFlight::new(Request::Get(key), Access::READ)
}

fn set(key: u8) -> Arc<InFlight> {
    let command = Command::new("SET").arg([key]).arg(b"v");
    InFlight::new(Request::One(command), Access::Write)
}

/// A connection to a server that answers each command by its key.
struct Connection {
    inbox: Arc<Inbox>,
    asked: Asked,
    driver: future::JoinHandle<()>,
    server: future::JoinHandle<()>,
}

impl Connection {
    fn open() -> Self {
        Self::open_to(Server::Answers)
    }

    fn open_to(is: Server) -> Self {
        begin();
        let (near, far) = duplex(match is {
            // So small that the driver has to wait for the server in the middle of a command.
            Server::Answers => 32,
            // So large that nothing wakes the driver.
            Server::Silent => 1024,
        });
        let inbox = Arc::new(Inbox::new());
        let asked = Asked::default();
        let driver = Driver::new(
            inbox.clone(),
            Box::new(near),
            ReadBuffer::default(),
            terms(),
        );
        Self {
            driver: future::spawn(driver),
            server: future::spawn(serve(far, is, asked.clone())),
            inbox,
            asked,
        }
    }

    /// Makes a call on a thread of its own: it has the answer to its own question, or none.
    fn call(&self, key: u8, request: Arc<InFlight>) -> thread::JoinHandle<bool> {
        let (inbox, asked) = (self.inbox.clone(), self.asked.clone());
        thread::spawn(move || match future::block_on(exchange(&inbox, &request)) {
            Ok(reply) => {
                assert!(is_key(&reply, key), "the answer to another question");
                true
            }
            Err(Lost) => {
                let was_asked = asked.lock().unwrap().contains(&key);
                assert!(
                    !was_asked || request.was_sent(),
                    "it was sent, and isn't said to be"
                );
                false
            }
        })
    }

    /// Begins a call on a thread of its own, and leaves in the middle.
    fn begin_and_leave(&self) -> thread::JoinHandle<()> {
        let inbox = self.inbox.clone();
        thread::spawn(move || {
            let request = get(b'x');
            let mut call = Box::pin(exchange(&inbox, &request));
            let mut context = Context::from_waker(Waker::noop());
            if call.as_mut().poll(&mut context).is_pending() {
                thread::yield_now();
            }
        })
    }

    /// Makes calls, each on a thread of its own, all of which are answered.
    fn answers<const COUNT: usize>(&self, calls: [Question; COUNT]) {
        let calls = calls.map(|(key, request)| self.call(key, request));
        for call in calls {
            assert!(call.join().unwrap(), "it is lost");
        }
    }

    fn close(self) {
        self.inbox.end(ConnectionEnd::Closed);
        self.wait_for_end();
    }

    /// Waits for the end of the driver and of the server.
    fn wait_for_end(self) {
        future::block_on(self.driver).unwrap();
        future::block_on(self.server).unwrap();
    }
}

fn is_key(reply: &Reply, key: u8) -> bool {
    match key {
        b'm' | b'n' => *reply == Reply::Nil,
        b'w' => matches!(reply, Reply::Error(_)),
        _ => matches!(reply, Reply::Bytes(bytes) if bytes.as_bytes() == [key]),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Answers,
    Silent,
}

/// Answers `GET k` and `SET k v` with `k`, and `MGET` with each of its keys, or takes all and says
/// nothing, until the other side has gone. The keys `m` and `n` don't exist, and `w` is of a
/// foreign type.
async fn serve(mut far: DuplexStream, is: Server, asked: Asked) {
    let mut bytes = Vec::new();
    loop {
        let mut more = [0; 16];
        let Ok(count @ 1..) = far.read(&mut more).await else {
            return;
        };
        bytes.extend_from_slice(&more[..count]);
        while let Some((words, length)) = command(&bytes) {
            bytes.drain(..length);
            let keys = &words[1..];
            asked.lock().unwrap().extend(keys);
            let answer = match words[0] {
                _ if is == Server::Silent => continue,
                b'M' => {
                    let values = keys.iter().flat_map(|key| match key {
                        b'w' => b"$-1\r\n".to_vec(),
                        key => value(*key),
                    });
                    let values: Vec<u8> = values.collect();
                    [format!("*{}\r\n", keys.len()).into_bytes(), values].concat()
                }
                b'E' => {
                    let there = keys.iter().filter(|key| !b"mn".contains(key));
                    format!(":{}\r\n", there.count()).into_bytes()
                }
                _ => value(keys[0]),
            };
            if far.write_all(&answer).await.is_err() {
                return;
            }
        }
    }
}

fn value(key: u8) -> Vec<u8> {
    match key {
        b'm' | b'n' => b"$-1\r\n".to_vec(),
        b'w' => b"-WRONGTYPE\r\n".to_vec(),
        key => [b"$1\r\n", &[key][..], b"\r\n"].concat(),
    }
}

/// Returns the first letters of the words of the first command, and its length.
fn command(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let mut length = 0;
    let mut line = || {
        let line = lines.next()?.strip_suffix(b"\r\n")?;
        length += line.len() + 2;
        Some(line)
    };
    let count = str::from_utf8(line()?).unwrap()[1..].parse().unwrap();
    let mut words = Vec::new();
    for _ in 0..count {
        line()?;
        words.push(line()?[0]);
    }
    Some((words, length))
}

/// Has calls answered beside a caller that leaves in the middle.
fn beside_one_that_leaves<const COUNT: usize>(calls: [Question; COUNT]) {
    let connection = Connection::open();
    let leaving = connection.begin_and_leave();
    connection.answers(calls);
    leaving.join().unwrap();
    connection.close();
}

/// Closes a connection with calls in flight.
fn closing_ends<const COUNT: usize>(calls: [Question; COUNT]) {
    let connection = Connection::open();
    let calls = calls.map(|(key, request)| connection.call(key, request));
    connection.inbox.end(ConnectionEnd::Closed);
    for call in calls {
        call.join().unwrap();
    }
    connection.wait_for_end();
}

/// Calls of many threads are answered, whatever the driver was doing when they came.
pub fn every_call_is_answered() {
    let connection = Connection::open();
    connection.answers([(b'a', get(b'a')), (b'b', set(b'b')), (b'c', get(b'c'))]);
    connection.close();
}

/// A connection that is closed with calls in flight answers each, or hands it back with the truth
/// about whether it was sent.
pub fn closing_ends_every_call() {
    closing_ends([(b'a', get(b'a')), (b'b', set(b'b')), (b'c', get(b'c'))]);
}

/// A connection to a server that has gone silent, and that another one takes over, hands every read
/// back.
pub fn handing_back_ends_every_read() {
    let connection = Connection::open_to(Server::Silent);
    let calls = [(b'a', get(b'a')), (b'b', get(b'b')), (b'c', get(b'c'))];
    let calls = calls.map(|(key, request)| connection.call(key, request));
    connection.inbox.hand_back();
    for call in calls {
        assert!(!call.join().unwrap(), "nobody has answered");
    }
    connection.close();
}

/// Reads that go out as one command are each given the answer to their own, also beside a caller
/// that leaves, and where some of their keys don't exist.
pub fn reads_that_are_merged_have_their_own_answers() {
    beside_one_that_leaves(b"abcmn".map(|key| (key, get(key))));
}

/// A read of a foreign type fails, and none of those that it was merged with.
pub fn a_foreign_type_fails_alone() {
    beside_one_that_leaves(b"abmnw".map(|key| (key, get(key))));
}

/// A connection that is closed answers each of the reads that were merged, or hands it back.
pub fn closing_ends_reads_that_are_merged() {
    closing_ends(b"abcmn".map(|key| (key, get(key))));
}

/// Callers that leave in the middle hold up nobody, and take nobody's answer.
pub fn a_caller_that_leaves_takes_nothing_along() {
    beside_one_that_leaves([(b'a', get(b'a')), (b'b', set(b'b'))]);
}

/// Callers that wait for room in the queue of a driver that does nothing are woken by its end.
pub fn the_end_wakes_those_that_wait_for_room() {
    begin();
    let inbox = Arc::new(Inbox::new());
    let large = Command::new("SET").arg(b"k").arg(vec![0; QUEUE_BYTES]);
    let large = InFlight::new(Request::One(large), Access::Write);
    let calls = [large, get(b'a'), get(b'b')].map(|request| {
        let inbox = inbox.clone();
        thread::spawn(move || future::block_on(exchange(&inbox, &request)).is_err())
    });
    inbox.end(ConnectionEnd::Closed);
    for call in calls {
        assert!(call.join().unwrap());
    }
}
