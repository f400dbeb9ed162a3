//! From the address of a server to a connection: all addresses of a name, side by side.
//!
//! The algorithm is that of RFC 8305 ("Happy Eyeballs"): the addresses take turns between IPv6 and
//! IPv4, and the next one is tried when one has failed, or after 250 ms. Here an address counts
//! as reached once the server has greeted, because something may accept connections and never
//! answer.

use std::error::Error;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use redis::ConnectionAddr;
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::SockRef;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::endpoint::Endpoint;
use super::handshake::{Greeted, Identity, greet};
use super::location::ServerLocation;
use super::login::Login;
use super::socket::Socket;
use super::socket_error::{connect_timeout, failure, is_hang_up};
use super::tls::Connector;
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::time::deadline::Deadlines;

/// The time before the next address is tried beside one that hasn't answered (RFC 8305, section 5);
/// less where the limit leaves each address less.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The terms of one attempt to connect.
#[derive(Clone, Copy)]
pub(super) struct ConnectTerms<'a> {
    pub(super) limit: Duration,
    pub(super) deadlines: &'a Deadlines,
    /// True if a name that doesn't exist is the fault of the settings.
    pub(super) is_judging: bool,
}

impl<'a> ConnectTerms<'a> {
    /// The terms of an attempt that judges no settings.
    pub(super) fn new(limit: Duration, deadlines: &'a Deadlines) -> Self {
        Self {
            limit,
            deadlines,
            is_judging: false,
        }
    }

    /// Returns the same terms with another limit.
    pub(super) fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Returns the same terms for an attempt that judges no settings.
    pub(super) fn without_judgement(self) -> Self {
        Self::new(self.limit, self.deadlines)
    }
}

/// A server to connect to, and how it is greeted.
#[derive(Clone, Copy)]
pub(super) struct DialTarget<'a> {
    pub(super) server: &'a Endpoint,
    pub(super) identity: Identity<'a>,
    pub(super) location: &'a ServerLocation,
}

/// Connects to a server, within the limit of the terms.
pub(super) async fn dial(
    target: DialTarget<'_>,
    terms: ConnectTerms<'_>,
) -> BackendResult<Greeted> {
    let furthest = &Furthest::new();
    let reaching = async {
        match target.server.info.addr() {
            ConnectionAddr::Tcp(host, port) => {
                target.reach_name(host, *port, terms, furthest).await
            }
            #[cfg(unix)]
            ConnectionAddr::Unix(path) => target.reach_socket(path, furthest).await,
            _ => Err(failure(target.location, io::ErrorKind::Unsupported.into())),
        }
    };
    match terms.deadlines.within(terms.limit, pin!(reaching)).await {
        Some(outcome) => outcome,
        None => Err(timeout_at(target.location, terms.limit, furthest)),
    }
}

impl DialTarget<'_> {
    /// Reaches any address of a name.
    async fn reach_name(
        &self,
        host: &str,
        port: u16,
        terms: ConnectTerms<'_>,
        furthest: &Furthest,
    ) -> BackendResult<Greeted> {
        let connector = match &self.server.tls {
            Some(tls) => {
                let connector = tls.connector(host, self.location, terms.is_judging);
                Some(connector.await?)
            }
            None => None,
        };
        furthest.reach(DialStep::Connecting);
        let found = tokio::net::lookup_host((host, port)).await;
        let addresses = resolved(found.map(Iterator::collect), host, terms.is_judging)?;
        let delay = terms.limit / u32::try_from(addresses.len() + 1).unwrap_or(u32::MAX);
        let delay = delay.min(ATTEMPT_DELAY);
        let is_final = |error: &BackendError| {
            error.kind() == ErrorKind::Denied && self.identity.login.is_some_and(Login::is_refused)
        };
        match &connector {
            None => {
                let reach = |address| self.reach_by_tcp(address, furthest);
                let reached = race(addresses, terms.deadlines, delay, is_final, reach).await?;
                Ok(reached.boxed())
            }
            Some(connector) => {
                let reach = |address| self.reach_by_tls(address, connector, furthest);
                race(addresses, terms.deadlines, delay, is_final, reach).await
            }
        }
    }

    /// Reaches a unix socket.
    #[cfg(unix)]
    async fn reach_socket(&self, path: &Path, furthest: &Furthest) -> BackendResult<Greeted> {
        furthest.reach(DialStep::Connecting);
        let socket = UnixStream::connect(path).await;
        let socket = socket.map_err(|error| failure(self.location, error))?;
        furthest.reach(DialStep::Greeting);
        let greeted = greet(socket, self.identity, self.location, false).await?;
        Ok(greeted.boxed())
    }

    /// Reaches an address by TCP alone.
    async fn reach_by_tcp(
        &self,
        address: SocketAddr,
        furthest: &Furthest,
    ) -> BackendResult<Greeted<TcpStream>> {
        let settings = self.server.info.tcp_settings();
        let (socket, is_local) = connected(address, settings, self.location).await?;
        furthest.reach(DialStep::Greeting);
        let measures = is_local && !settings.nodelay();
        let greeted = greet(socket, self.identity, self.location, measures).await?;
        if greeted.is_near {
            // Requests that go out together were gathered before they are written. On the same
            // machine the kernel's own gathering (Nagle's algorithm) wins all the same: it sends
            // the next ones without waking anybody. Through a tunnel it would cost a round trip.
            let socket = greeted.socket.set_nodelay(false);
            socket.map_err(|error| failure(self.location, error))?;
        }
        Ok(greeted)
    }

    /// Reaches an address by TLS. `TCP_NODELAY` stays on there: with Nagle's algorithm a record
    /// would wait for the acknowledgement of the one before, on the same machine as well.
    async fn reach_by_tls(
        &self,
        address: SocketAddr,
        connector: &Connector,
        furthest: &Furthest,
    ) -> BackendResult<Greeted> {
        let settings = self.server.info.tcp_settings();
        let (socket, _) = connected(address, settings, self.location).await?;
        furthest.reach(DialStep::Securing);
        let socket: Box<dyn Socket> = connector.secure(socket, self.location).await?;
        furthest.reach(DialStep::Greeting);
        greet(socket, self.identity, self.location, false).await
    }
}

/// The furthest step of an attempt, by any address, for the case that its limit passes.
struct Furthest(AtomicU8);

/// The steps of an attempt, in their order: what it waits for.
#[derive(Clone, Copy)]
enum DialStep {
    /// The settings of TLS, which a provider may be asked for.
    Settings,
    /// A connected socket.
    Connecting,
    /// The handshake of TLS.
    Securing,
    Greeting,
}

impl Furthest {
    fn new() -> Self {
        Self(AtomicU8::new(DialStep::Settings as u8))
    }

    fn reach(&self, step: DialStep) {
        self.0.fetch_max(step as u8, Ordering::Relaxed);
    }

    fn has_reached(&self, step: DialStep) -> bool {
        self.0.load(Ordering::Relaxed) >= step as u8
    }
}

/// Returns the addresses of a name, one at least.
fn resolved(
    found: io::Result<Vec<SocketAddr>>,
    host: &str,
    is_judging: bool,
) -> BackendResult<Vec<SocketAddr>> {
    let failed = match found {
        Ok(addresses) if !addresses.is_empty() => return Ok(addresses),
        Ok(_) => None,
        Err(error) => Some(error),
    };
    // The resolver's own words are all that tells a name that isn't from a failure to ask.
    let is_unknown = failed.as_ref().is_none_or(|error| {
        let words = error.to_string();
        let unknown = ["not known", "not resolve", "No such host"];
        unknown.iter().any(|unknown| words.contains(unknown))
    });
    let kind = match is_judging && is_unknown {
        true => ErrorKind::InvalidConfig,
        false => ErrorKind::Unavailable,
    };
    let error = BackendError::new(kind, format!("the host name `{host}` doesn't resolve"));
    Err(match failed {
        Some(cause) => error.with_source(cause),
        None => error,
    })
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

/// Tries the addresses, the next one when one has failed or after `delay`; the first one that is
/// reached wins. A failure that `is_final` ends all attempts.
async fn race<T, F: Future<Output = BackendResult<T>>>(
    addresses: Vec<SocketAddr>,
    deadlines: &Deadlines,
    delay: Duration,
    is_final: impl Fn(&BackendError) -> bool,
    reach: impl Fn(SocketAddr) -> F,
) -> BackendResult<T> {
    let mut waiting = in_turns(addresses).into_iter();
    let mut running = FuturesUnordered::new();
    let mut failed: Option<BackendError> = None;
    loop {
        running.extend(waiting.next().map(&reach));
        let delay = pin!(async {
            if waiting.len() > 0 {
                deadlines.sleep(delay).await;
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
            (Some(Err(error)), _) if is_final(&error) => return Err(error),
            // The error of a server that was reached tells more than the error of an address
            // without one.
            (Some(Err(error)), Some(before)) => {
                let is_better = is_unconnected(&before) && !is_unconnected(&error);
                failed = Some(if is_better { error } else { before });
            }
            (Some(Err(error)), None) => failed = Some(error),
            (None, Some(error)) => return Err(error),
            (None, None) => unreachable!("a name has an address"),
        }
    }
}

/// Says whether there was no connection because of an error of the network.
fn is_unconnected(error: &BackendError) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    cause.is_some_and(|cause: &io::Error| !is_hang_up(cause.kind()))
}

/// Connects a socket, and says whether its other end has an address of this machine.
async fn connected(
    address: SocketAddr,
    settings: &TcpSettings,
    location: &ServerLocation,
) -> BackendResult<(TcpStream, bool)> {
    let socket = TcpStream::connect(address).await;
    let socket = socket.and_then(|socket| prepared(socket, settings));
    socket.map_err(|error| failure(location, error))
}

/// Sets the options of a socket, and says whether its other end has an address of this machine.
fn prepared(socket: TcpStream, settings: &TcpSettings) -> io::Result<(TcpStream, bool)> {
    let (near, far) = (socket.local_addr()?, socket.peer_addr()?);
    if near == far {
        // The kernel may connect a socket to itself, if nobody listens on a port that the kernel
        // gives to clients.
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    socket.set_nodelay(true)?;
    let options = SockRef::from(&socket);
    if let Some(keep_alive) = settings.keepalive() {
        options.set_tcp_keepalive(keep_alive)?;
    }
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    if let Some(limit) = settings.user_timeout() {
        options.set_tcp_user_timeout(Some(limit))?;
    }
    Ok((socket, far.ip().is_loopback()))
}

fn timeout_at(location: &ServerLocation, limit: Duration, furthest: &Furthest) -> BackendError {
    let met = if furthest.has_reached(DialStep::Greeting) {
        "it accepts and doesn't greet"
    } else if furthest.has_reached(DialStep::Securing) {
        "it accepts and doesn't answer in TLS, as a port without TLS does (`redis://`)"
    } else if furthest.has_reached(DialStep::Connecting) {
        return connect_timeout(location, limit);
    } else {
        "the provider of `Tls` didn't answer"
    };
    let message = format!("no connection to {location} within {limit:?}: {met}");
    BackendError::new(ErrorKind::Timeout, message)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Instant;

    use redis::IntoConnectionInfo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};
    use tokio::net::{TcpListener, TcpSocket};

    use super::super::handshake::ServerKind;
    use super::*;
    use crate::time::deadline::deadlines;

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
        texts: &[&str],
        reach: impl AsyncFn(u16) -> BackendResult<()>,
    ) -> (BackendResult<u16>, Vec<u16>) {
        let tried = Mutex::new(Vec::new());
        let (reach, tried_by) = (&reach, &tried);
        let reach = |address: SocketAddr| async move {
            tried_by.lock().unwrap().push(address.port());
            reach(address.port()).await.map(|()| address.port())
        };
        let deadlines = deadlines().unwrap();
        let outcome = race(
            addresses(texts),
            deadlines,
            ATTEMPT_DELAY,
            is_of_login,
            reach,
        )
        .await;
        (outcome, tried.into_inner().unwrap())
    }

    const THREE: [&str; 3] = ["[::1]:1", "[::1]:2", "127.0.0.1:3"];

    fn location() -> ServerLocation {
        info(addresses(&["127.0.0.1:3"])[0]).location()
    }

    fn said(kind: ErrorKind) -> BackendResult<()> {
        Err(BackendError::new(kind, "said"))
    }

    fn failed() -> BackendResult<()> {
        let cause = io::Error::from(io::ErrorKind::ConnectionRefused);
        Err(BackendError::new(ErrorKind::Unavailable, "failed").with_source(cause))
    }

    #[tokio::test]
    async fn an_address_that_is_silent_is_passed_by() {
        let begun = Instant::now();
        let (reached, tried) = tried(&THREE, async |port| match port {
            1 => pending().await,
            _ => Ok(()),
        })
        .await;
        assert_eq!((reached.unwrap(), tried), (3, vec![1, 3]));
        assert!(begun.elapsed() >= ATTEMPT_DELAY);
    }

    #[tokio::test]
    async fn an_address_that_fails_is_passed_by_at_once() {
        let (reached, tried) = tried(&THREE, async |port| match port {
            2 => Ok(()),
            _ => failed(),
        })
        .await;
        assert_eq!((reached.unwrap(), tried), (2, vec![1, 3, 2]));
    }

    #[tokio::test]
    async fn a_certificate_that_is_refused_at_one_address_ends_no_other_attempt() {
        let (reached, tried) = tried(&THREE, async |port| match port {
            2 => Ok(()),
            _ => Err(BackendError::new(
                ErrorKind::Denied,
                "an expired certificate",
            )),
        })
        .await;
        assert_eq!((reached.unwrap(), tried), (2, vec![1, 3, 2]));
    }

    #[tokio::test]
    async fn of_several_failures_the_one_that_tells_most_is_told() {
        for spoken in 1..=3 {
            let (reached, _) = tried(&THREE, async |port| match port == spoken {
                true => said(ErrorKind::Unavailable),
                false => failed(),
            })
            .await;
            assert!(reached.unwrap_err().to_string().contains("said"));
        }
        // A server that hung up was there, and so was a server in which TLS found a fault.
        for met in [1, 2, 3] {
            let (reached, _) = tried(&THREE, async |port| match port == met {
                true => Err(failure(&location(), io::ErrorKind::UnexpectedEof.into())),
                false => failed(),
            })
            .await;
            assert!(reached.unwrap_err().to_string().contains("was lost"));
        }
        // A refused login isn't tried at the next address.
        let denied = async |_| said(ErrorKind::Denied);
        let (reached, tried) = tried(&THREE, denied).await;
        assert_eq!(reached.unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(tried, [1]);
    }

    /// A server that greets after a while, at an address of its own.
    async fn server(pause: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut input = [0; 1024];
            while let Ok(length @ 1..) = socket.read(&mut input).await {
                let text = str::from_utf8(&input[..length]).unwrap();
                let answer = match text.matches("SETINFO").count() + text.matches("PING").count() {
                    0 => "%1\r\n$5\r\nproto\r\n:3\r\n-ERR\r\n".to_string(),
                    count => "+OK\r\n".repeat(count),
                };
                tokio::time::sleep(pause).await;
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        address
    }

    const KEEP_ALIVE: Duration = Duration::from_secs(40);

    fn info(address: SocketAddr) -> Endpoint {
        let url = format!("redis://{address}?protocol=resp3");
        Endpoint::new(
            url.as_str().into_connection_info().unwrap(),
            None,
            KEEP_ALIVE,
        )
        .unwrap()
    }

    /// As if a server that denies had refused the login. A fault of a certificate is another error.
    fn is_of_login(error: &BackendError) -> bool {
        error.kind() == ErrorKind::Denied && !error.to_string().contains("certificate")
    }

    fn identity(server: &Endpoint) -> Identity<'_> {
        Identity {
            settings: server.info.redis_settings(),
            login: None,
            client_name: None,
            kind: ServerKind::Primary,
        }
    }

    fn target<'a>(server: &'a Endpoint, location: &'a ServerLocation) -> DialTarget<'a> {
        DialTarget {
            server,
            identity: identity(server),
            location,
        }
    }

    /// A server behind a tunnel or a sidecar has an address of this machine too.
    #[tokio::test]
    async fn a_server_that_is_not_near_is_sent_each_request_at_once() {
        let address = server(Duration::from_millis(2)).await;
        let info = info(address);
        let furthest = Furthest::new();
        let location = info.location();
        let reached = target(&info, &location)
            .reach_by_tcp(address, &furthest)
            .await;
        assert!(reached.unwrap().socket.nodelay().unwrap());
        assert!(furthest.has_reached(DialStep::Greeting));
    }

    /// A socket of TLS may hold back what it has taken.
    #[tokio::test]
    async fn the_greeting_is_flushed() {
        let info = info(server(Duration::ZERO).await);
        let ConnectionAddr::Tcp(host, port) = info.info.addr() else {
            unreachable!("the address is one of TCP")
        };
        let socket = TcpStream::connect((host.as_str(), *port)).await.unwrap();
        let (socket, location) = (BufWriter::new(socket), info.location());
        let greeted = greet(socket, identity(&info), &location, false);
        let limit = Duration::from_secs(20);
        let greeted = tokio::time::timeout(limit, greeted).await;
        assert_eq!(greeted.unwrap().unwrap().server.run_id, None);
    }

    /// Something that accepts connections and never greets isn't reached.
    #[tokio::test]
    async fn an_address_that_accepts_and_does_not_greet_is_passed_by() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let both = vec![silent.local_addr().unwrap(), server(Duration::ZERO).await];
        let info = info(both[0]);
        let (location, furthest) = (info.location(), Furthest::new());
        let target = target(&info, &location);
        let reach = |address| target.reach_by_tcp(address, &furthest);
        let reached = race(
            both,
            deadlines().unwrap(),
            ATTEMPT_DELAY,
            is_of_login,
            reach,
        )
        .await;
        assert_eq!(reached.unwrap().server.run_id, None);
    }

    /// The kernel may connect a socket to itself where nobody listens. Such a connection would pass
    /// for an echo.
    #[tokio::test]
    async fn a_socket_that_is_connected_to_itself_is_a_refused_connection() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let own = socket.local_addr().unwrap();
        let socket = socket.connect(own).await.unwrap();
        let refused = prepared(socket, &TcpSettings::default()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn the_kernel_keeps_connections_alive_and_sends_at_once() {
        let server = info(([127, 0, 0, 1], 6379).into());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (socket, is_local) = prepared(socket, server.info.tcp_settings()).unwrap();
        assert!(is_local && socket.nodelay().unwrap());
        let options = SockRef::from(&socket);
        assert!(options.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        assert_eq!(options.tcp_keepalive_time().unwrap(), KEEP_ALIVE);
    }

    #[test]
    fn a_name_that_is_not_is_told_from_a_failure_to_ask() {
        let failed = |words: &str| Err(io::Error::other(words.to_string()));
        let config = ErrorKind::InvalidConfig;
        for (found, is_judging, kind) in [
            (failed("Name or service not known"), true, config),
            (
                failed("Name or service not known"),
                false,
                ErrorKind::Unavailable,
            ),
            (
                failed("Temporary failure in name resolution"),
                true,
                ErrorKind::Unavailable,
            ),
            (failed("Name does not resolve"), true, config),
            (Ok(Vec::new()), true, config),
        ] {
            let error = resolved(found, "db.example", is_judging).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains("db.example"), "{error}");
        }
    }
}
