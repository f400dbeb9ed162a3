//! From an address to a connection that has agreed on the protocol and is logged in.

use std::io;
use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, RedisConnectionInfo};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::deadline::Deadlines;
use super::driver::Socket;
use super::inbox::End;
use super::multiplexer::Multiplexer;
use super::refusal::refusal;
use super::request::{InFlight, Request};
use super::resp::{Command, ErrorReply, Reply};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// Connects to a server within the limit.
pub(super) async fn connect(
    server: &ConnectionInfo,
    limit: Duration,
    deadlines: &Deadlines,
) -> BackendResult<Multiplexer> {
    let connecting = async {
        let socket = open(server.addr()).await;
        let socket = socket.map_err(|error| io_failure(error.kind()))?;
        let multiplexer = Multiplexer::start(socket);
        greet(&multiplexer, server.redis_settings()).await?;
        Ok(multiplexer)
    };
    match deadlines.within(limit, connecting).await {
        Some(outcome) => outcome,
        None => Err(timeout(limit)),
    }
}

async fn open(address: &ConnectionAddr) -> io::Result<Box<dyn Socket>> {
    match address {
        ConnectionAddr::Tcp(host, port) => {
            let socket = TcpStream::connect((host.as_str(), *port)).await?;
            // Requests that go out together were gathered before they are written. On the same
            // machine the kernel's own gathering (Nagle's algorithm) wins all the same: it sends
            // the next ones without waking anybody. Over a network it would cost a round trip.
            let is_local = socket.peer_addr()?.ip().is_loopback();
            socket.set_nodelay(!is_local)?;
            Ok(Box::new(socket))
        }
        #[cfg(unix)]
        ConnectionAddr::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Agrees on the protocol, logs in, and chooses the database.
async fn greet(multiplexer: &Multiplexer, settings: &RedisConnectionInfo) -> BackendResult<()> {
    let mut commands = vec![hello(settings)];
    if settings.db() != 0 {
        commands.push(Command::new("SELECT").number(settings.db()));
    }
    let required = commands.len();
    // Shows up in `CLIENT LIST`; servers before 7.2 reject it, which is ignored.
    for (name, value) in [
        ("LIB-NAME", env!("CARGO_PKG_NAME")),
        ("LIB-VER", env!("CARGO_PKG_VERSION")),
    ] {
        commands.push(Command::new("CLIENT").args(["SETINFO", name, value]));
    }
    let greeting = InFlight::new(Request::Many(commands));
    let Ok(Reply::Array(replies)) = multiplexer.exchange(&greeting).await else {
        return Err(end_failure(multiplexer.end()));
    };
    let refused = replies.iter().take(required).find_map(|reply| match reply {
        Reply::Error(error) => Some(error),
        _ => None,
    });
    refused.map_or(Ok(()), |error| Err(greeting_failure(error)))
}

fn hello(settings: &RedisConnectionInfo) -> Command {
    // RESP3 tells a missing value from an empty array, and can tell of things that nobody asked
    // for.
    let hello = Command::new("HELLO").number(3);
    match (settings.username(), settings.password()) {
        (user, Some(password)) => hello.args(["AUTH", user.unwrap_or("default"), password]),
        (Some(user), None) => hello.args(["AUTH", user, ""]),
        (None, None) => hello,
    }
}

/// A refusal in the greeting, other than of the login, is the fault of the URL (`SELECT`).
fn greeting_failure(error: &ErrorReply) -> BackendError {
    match refusal(error) {
        refused if refused.kind() == ErrorKind::Other => BackendError::new(
            ErrorKind::InvalidConfig,
            "the server refused the URL's settings",
        ),
        refused => refused,
    }
}

/// Returns the error of a connection that has ended.
pub(super) fn end_failure(end: Option<End>) -> BackendError {
    match end {
        Some(End::Malformed) => {
            BackendError::new(ErrorKind::Unavailable, "the server's answer is not RESP")
        }
        Some(End::Failed(kind)) => io_failure(kind),
        Some(End::Closed) | None => io_failure(io::ErrorKind::ConnectionAborted),
    }
}

fn io_failure(kind: io::ErrorKind) -> BackendError {
    let message = match kind {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => "the connection was refused",
        io::ErrorKind::TimedOut => "the connection timed out",
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => "the connection was lost",
        _ => "the connection failed",
    };
    BackendError::new(ErrorKind::Unavailable, message)
}

pub(super) fn timeout(limit: Duration) -> BackendError {
    BackendError::new(
        ErrorKind::Timeout,
        format!("no connection within {limit:?}"),
    )
}
