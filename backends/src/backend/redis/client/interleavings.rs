//! Models of the queue between callers and the driver of a connection.
//!
//! Inbox, requests and driver are looked at as they are, over doubles of their locks. `Notify` of
//! tokio and its socket in memory are taken as they are: each of their calls is one step. What
//! closing does beyond the connection (tasks, sockets and timers of tokio) has no doubles: it is
//! tested on real runtimes, in `tests/redis`.

#![allow(clippy::unwrap_used)]

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

/// The keys that a server has been asked for.
type Asked = Arc<Mutex<Vec<u8>>>;

fn terms() -> Terms {
    let hour = Duration::from_secs(3600);
    Terms {
        deadlines: deadlines().unwrap(),
        patience: hour,
        silence: hour,
        hold: hour,
        holds_writes: false,
        takes_many_keys: false,
        is_cluster: false,
        may_transact: Arc::default(),
        merged: Arc::default(),
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

    /// Waits for the end of the driver and of the server.
    fn wait_for_end(self) {
        future::block_on(self.driver).unwrap();
        future::block_on(self.server).unwrap();
    }
}

fn is_key(reply: &Reply, key: u8) -> bool {
    matches!(reply, Reply::Bytes(bytes) if bytes.as_bytes() == [key])
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Answers,
    Silent,
}

/// Answers `GET k` and `SET k v` with `k`, or takes them and says nothing, until the other side has
/// gone.
async fn serve(mut far: DuplexStream, is: Server, asked: Asked) {
    let mut bytes = Vec::new();
    loop {
        let mut more = [0; 16];
        let Ok(count @ 1..) = far.read(&mut more).await else {
            return;
        };
        bytes.extend_from_slice(&more[..count]);
        while let Some((key, length)) = command(&bytes) {
            bytes.drain(..length);
            asked.lock().unwrap().push(key);
            if is == Server::Silent {
                continue;
            }
            if far
                .write_all(&[b"$1\r\n", &[key][..], b"\r\n"].concat())
                .await
                .is_err()
            {
                return;
            }
        }
    }
}

/// Returns the key of the first command, and its length.
fn command(bytes: &[u8]) -> Option<(u8, usize)> {
    let commands: [(&[u8], usize); 2] = [
        (b"*2\r\n$3\r\nGET\r\n$1\r\n", 0),
        (b"*3\r\n$3\r\nSET\r\n$1\r\n", 7),
    ];
    commands.into_iter().find_map(|(head, behind)| {
        let length = head.len() + 3 + behind;
        (bytes.len() >= length && bytes.starts_with(head)).then(|| (bytes[head.len()], length))
    })
}

/// Calls of many threads are answered, whatever the driver was doing when they came.
pub fn every_call_is_answered() {
    let connection = Connection::open();
    let calls = [(b'a', get(b'a')), (b'b', set(b'b')), (b'c', get(b'c'))];
    let calls = calls.map(|(key, request)| connection.call(key, request));
    for call in calls {
        assert!(call.join().unwrap(), "it is lost");
    }
    connection.inbox.end(ConnectionEnd::Closed);
    connection.wait_for_end();
}

/// A connection that is closed with calls in flight answers each, or hands it back with the truth
/// about whether it was sent.
pub fn closing_ends_every_call() {
    let connection = Connection::open();
    let calls = [(b'a', get(b'a')), (b'b', set(b'b')), (b'c', get(b'c'))];
    let calls = calls.map(|(key, request)| connection.call(key, request));
    connection.inbox.end(ConnectionEnd::Closed);
    for call in calls {
        call.join().unwrap();
    }
    connection.wait_for_end();
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
    connection.inbox.end(ConnectionEnd::Closed);
    connection.wait_for_end();
}

/// Callers that leave in the middle hold up nobody, and take nobody's answer.
pub fn a_caller_that_leaves_takes_nothing_along() {
    let connection = Connection::open();
    let inbox = connection.inbox.clone();
    let leaving = thread::spawn(move || {
        let request = get(b'x');
        let mut call = Box::pin(exchange(&inbox, &request));
        let mut context = Context::from_waker(Waker::noop());
        if call.as_mut().poll(&mut context).is_pending() {
            thread::yield_now();
        }
    });
    let calls = [(b'a', get(b'a')), (b'b', set(b'b'))];
    let calls = calls.map(|(key, request)| connection.call(key, request));
    for call in calls {
        assert!(call.join().unwrap(), "it is lost");
    }
    leaving.join().unwrap();
    connection.inbox.end(ConnectionEnd::Closed);
    connection.wait_for_end();
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
