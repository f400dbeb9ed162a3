//! From the address of a server to a connection: all addresses of a name, side by side.
//!
//! The algorithm is that of RFC 8305 ("Happy Eyeballs"): the addresses take turns between IPv6 and
//! IPv4, and the next one is tried when one has failed, or after 250 ms. Here an address counts
//! as reached once the server has greeted, because something may accept connections and never
//! answer.

use std::fmt;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::{SockRef, TcpKeepalive};
use redis::{ConnectionAddr, ConnectionInfo};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::deadline::Deadlines;
use super::handshake::{Greeted, greet};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The time before the next address is tried beside one that hasn't answered (RFC 8305, section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// A connection is probed by the kernel after this silence, at this interval, so often.
const KEEP_ALIVE: (Duration, Duration, u32) = (Duration::from_secs(30), Duration::from_secs(10), 3);

/// The place of a server, as messages name it: `host:port`, or the path of a socket.
#[derive(Debug, Clone)]
pub(super) struct Place(String);

impl Place {
    pub(super) fn of(server: &ConnectionInfo) -> Self {
        Self(match server.addr() {
            ConnectionAddr::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}"),
            ConnectionAddr::Tcp(host, port) => format!("{host}:{port}"),
            ConnectionAddr::Unix(path) => path.display().to_string(),
            _ => "the server".to_string(),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Connects to a server within the limit. With `is_judging` a name that doesn't exist is the fault
/// of the settings.
pub(super) async fn dial(
    server: &ConnectionInfo,
    limit: Duration,
    deadlines: &Deadlines,
    is_judging: bool,
) -> BackendResult<Greeted> {
    let place = &Place::of(server);
    let connecting = async {
        match server.addr() {
            ConnectionAddr::Tcp(host, port) => {
                let addresses = resolve(host, *port, is_judging).await?;
                let reach = |address| reach(address, server, place);
                Ok(race(addresses, deadlines, reach).await?.boxed())
            }
            #[cfg(unix)]
            ConnectionAddr::Unix(path) => {
                let socket = UnixStream::connect(path).await;
                let socket = socket.map_err(|error| failure(place, error))?;
                let (greeted, _) = greet(socket, server.redis_settings(), place, false).await?;
                Ok(greeted.boxed())
            }
            _ => Err(failure(place, io::ErrorKind::Unsupported.into())),
        }
    };
    match deadlines.within(limit, connecting).await {
        Some(outcome) => outcome,
        None => Err(timeout(place, limit)),
    }
}

async fn resolve(host: &str, port: u16, is_judging: bool) -> BackendResult<Vec<SocketAddr>> {
    let found = tokio::net::lookup_host((host, port)).await;
    let found = found.map(|found| in_turns(found.collect()));
    match found {
        Ok(addresses) if !addresses.is_empty() => Ok(addresses),
        Ok(_) => Err(unknown_name(host, is_judging)),
        Err(error) => {
            // The resolver's own words are all that tells a name that isn't from a failure.
            let text = error.to_string();
            let is_unknown = ["not known", "not resolve", "No such host"]
                .iter()
                .any(|words| text.contains(words));
            Err(unknown_name(host, is_judging && is_unknown).with_source(error))
        }
    }
}

fn unknown_name(host: &str, is_fault_of_settings: bool) -> BackendError {
    let kind = if is_fault_of_settings {
        ErrorKind::InvalidConfig
    } else {
        ErrorKind::Unavailable
    };
    BackendError::new(kind, format!("the host name `{host}` doesn't resolve"))
}

/// Lets the addresses of both families take turns, in their order otherwise.
fn in_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(is_ipv6) = addresses.first().map(SocketAddr::is_ipv6) else {
        return addresses;
    };
    let count = addresses.len();
    let families = addresses.into_iter();
    let (first, second): (Vec<_>, Vec<_>) =
        families.partition(|address| address.is_ipv6() == is_ipv6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut in_turns = Vec::with_capacity(count);
    while in_turns.len() < count {
        in_turns.extend(first.next());
        in_turns.extend(second.next());
    }
    in_turns
}

/// Tries the addresses in their order, the next one when one has failed or takes long; the first
/// one that is reached wins.
async fn race<T, F: Future<Output = BackendResult<T>>>(
    addresses: Vec<SocketAddr>,
    deadlines: &Deadlines,
    reach: impl Fn(SocketAddr) -> F,
) -> BackendResult<T> {
    let mut waiting = addresses.into_iter();
    let mut running = FuturesUnordered::new();
    let mut failed: Option<BackendError> = None;
    loop {
        running.extend(waiting.next().map(&reach));
        let delay = pin!(async {
            if waiting.len() > 0 {
                deadlines.sleep(ATTEMPT_DELAY).await;
            } else {
                pending::<()>().await;
            }
        });
        let outcome = match select(running.next(), delay).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(_) => continue,
        };
        match (outcome, failed.take()) {
            (Some(Ok(reached)), _) => return Ok(reached),
            // Another address would be asked for the same login.
            (Some(Err(error)), _) if error.kind() == ErrorKind::Denied => return Err(error),
            // What a server said tells more than that there is none.
            (Some(Err(error)), Some(before)) if before.is_transient() => failed = Some(error),
            (Some(Err(error)), before) => failed = Some(before.unwrap_or(error)),
            (None, Some(error)) => return Err(error),
            (None, None) => unreachable!("a name has an address"),
        }
    }
}

async fn reach(
    address: SocketAddr,
    server: &ConnectionInfo,
    place: &Place,
) -> BackendResult<Greeted<TcpStream>> {
    let settings = server.tcp_settings();
    let socket = open(address, settings).await;
    let (socket, is_local) = socket.map_err(|error| failure(place, error))?;
    let measures = is_local && !settings.nodelay();
    let (greeted, is_near) = greet(socket, server.redis_settings(), place, measures).await?;
    if is_near {
        // Requests that go out together were gathered before they are written. On the same
        // machine the kernel's own gathering (Nagle's algorithm) wins all the same: it sends the
        // next ones without waking anybody. Through a tunnel it would cost a round trip.
        let socket = greeted.socket.set_nodelay(false);
        socket.map_err(|error| failure(place, error))?;
    }
    Ok(greeted)
}

/// Opens a socket and says whether its other end has an address of this machine.
async fn open(address: SocketAddr, settings: &TcpSettings) -> io::Result<(TcpStream, bool)> {
    let socket = TcpStream::connect(address).await?;
    let (near, far) = (socket.local_addr()?, socket.peer_addr()?);
    if near == far {
        // Where nobody listens on a port that the kernel gives to clients, it may connect a socket
        // to itself.
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    socket.set_nodelay(true)?;
    let options = SockRef::from(&socket);
    match settings.keepalive() {
        Some(keep_alive) => options.set_tcp_keepalive(keep_alive)?,
        None => {
            let (time, interval, _retries) = KEEP_ALIVE;
            let keep_alive = TcpKeepalive::new().with_time(time).with_interval(interval);
            #[cfg(not(windows))]
            let keep_alive = keep_alive.with_retries(_retries);
            options.set_tcp_keepalive(&keep_alive)?;
        }
    }
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    if let Some(limit) = settings.user_timeout() {
        options.set_tcp_user_timeout(Some(limit))?;
    }
    Ok((socket, far.ip().is_loopback()))
}

/// Turns the failure to reach a place into an error.
pub(super) fn failure(place: &Place, error: io::Error) -> BackendError {
    let message = match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("{place} refused the connection"),
        io::ErrorKind::NotFound => format!("there is no socket at {place}"),
        io::ErrorKind::TimedOut => format!("the connection to {place} timed out"),
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => format!("the connection to {place} was lost"),
        _ => format!("the connection to {place} failed"),
    };
    BackendError::new(ErrorKind::Unavailable, message).with_source(error)
}

pub(super) fn timeout(place: &Place, limit: Duration) -> BackendError {
    BackendError::new(
        ErrorKind::Timeout,
        format!("no connection to {place} within {limit:?}"),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Instant;

    use redis::IntoConnectionInfo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::deadline::deadlines;
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_families_take_turns() {
        let sorted = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]);
        let expected = addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]);
        assert_eq!(in_turns(sorted), expected);
        let single = addresses(&["1.1.1.1:1", "2.2.2.2:1"]);
        assert_eq!(in_turns(single.clone()), single);
    }

    /// Tries addresses of which some are silent and some fail, and returns those that were tried.
    async fn tried(
        ports: &[u16],
        reach: impl AsyncFn(u16) -> BackendResult<()>,
    ) -> (BackendResult<u16>, Vec<u16>) {
        let addresses = ports
            .iter()
            .map(|port| SocketAddr::from(([127, 0, 0, 1], *port)));
        let tried = Mutex::new(Vec::new());
        let (reach, tried_by) = (&reach, &tried);
        let outcome = race(
            addresses.collect(),
            deadlines().unwrap(),
            |address| async move {
                tried_by.lock().unwrap().push(address.port());
                reach(address.port()).await.map(|()| address.port())
            },
        );
        let outcome = outcome.await;
        (outcome, tried.into_inner().unwrap())
    }

    /// A server behind a tunnel or a sidecar has an address of this machine too.
    #[tokio::test]
    async fn a_server_that_is_not_near_is_sent_each_request_at_once() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let far = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut input = [0; 1024];
            while let Ok(length @ 1..) = socket.read(&mut input).await {
                let text = str::from_utf8(&input[..length]).unwrap();
                let answer = match text.matches("SETINFO").count() {
                    0 => "%1\r\n$5\r\nproto\r\n:3\r\n-ERR\r\n".to_string(),
                    count => "+OK\r\n".repeat(count),
                };
                tokio::time::sleep(Duration::from_millis(1)).await;
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let url = format!("redis://{address}?protocol=resp3");
        let server = url.as_str().into_connection_info().unwrap();
        let reached = reach(address, &server, &Place::of(&server)).await;
        assert!(reached.unwrap().socket.nodelay().unwrap());
        far.await.unwrap();
    }

    fn failed(kind: ErrorKind) -> BackendResult<()> {
        Err(BackendError::new(kind, "failed"))
    }

    #[tokio::test]
    async fn an_address_that_is_silent_is_passed_by() {
        let begun = Instant::now();
        let (reached, tried) = tried(&[1, 2, 3], async |port| match port {
            1 => pending().await,
            _ => Ok(()),
        })
        .await;
        assert_eq!((reached.unwrap(), tried), (2, vec![1, 2]));
        assert!(begun.elapsed() >= ATTEMPT_DELAY);
    }

    #[tokio::test]
    async fn an_address_that_fails_is_passed_by_at_once() {
        let (reached, tried) = tried(&[1, 2, 3], async |port| match port {
            3 => Ok(()),
            _ => failed(ErrorKind::Unavailable),
        })
        .await;
        assert_eq!((reached.unwrap(), tried), (3, vec![1, 2, 3]));
    }

    #[tokio::test]
    async fn of_several_failures_the_one_that_tells_most_is_told() {
        let unavailable = async |port| match port {
            2 => failed(ErrorKind::InvalidConfig),
            _ => failed(ErrorKind::Unavailable),
        };
        let (reached, _) = tried(&[1, 2, 3], unavailable).await;
        assert_eq!(reached.unwrap_err().kind(), ErrorKind::InvalidConfig);
        // A refused login isn't tried at the next address.
        let denied = async |_| failed(ErrorKind::Denied);
        let (reached, tried) = tried(&[1, 2], denied).await;
        assert_eq!(reached.unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(tried, [1]);
    }
}
