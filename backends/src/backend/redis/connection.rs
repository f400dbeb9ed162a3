//! The one connection of a backend: made when it is needed, replaced when it is lost, never waited for without a limit.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_timer::Delay;
use parking_lot::Mutex;
use redis::{ConnectionAddr, ConnectionInfo, RedisConnectionInfo};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::call::{Call, Lost, Request};
use super::deadline::within;
use super::reply::{self, refusal};
use super::resp::{Argument, Command, Refusal, Reply};
use super::script::{Count, Invocation};
use super::wire::{End, Socket, Wire};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The time between two attempts to connect: short, so that a server that is back is found at once.
const RECONNECT_PAUSE: Duration = Duration::from_millis(25);

/// The time limits of a backend, in real time.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeLimits {
    /// For one attempt to connect, the greeting and the login included.
    pub(super) connect: Duration,
    /// For one call: queueing, connecting and, if it may be repeated, the repetition.
    pub(super) call: Duration,
    /// How many calls may wait at once.
    pub(super) waiting: usize,
}

/// Whether a call may be sent again if its answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It changes nothing.
    Safely,
    /// It might happen twice.
    Never,
}

pub(super) struct Connection {
    server: ConnectionInfo,
    limits: TimeLimits,
    /// Held to look at the state or to change it, never across an `.await`.
    state: Arc<Mutex<State>>,
    waiting: AtomicUsize,
    closed: AtomicBool,
}

enum State {
    Down {
        /// When the last attempt failed.
        failed: Option<Instant>,
    },
    Connecting {
        attempt: Attempt,
        /// When it must have ended: an attempt on a runtime that nobody drives any more never does.
        overdue: Instant,
    },
    Up(Arc<Link>),
    Closed,
}

/// An established connection.
struct Link {
    wire: Wire,
    id: usize,
    /// When the connection was made.
    since: Instant,
}

/// Tells all who wait for an attempt to connect how it ended.
type Attempt = watch::Receiver<Option<Result<Arc<Link>, Failure>>>;

/// Why a connection could not be made, for all who waited for it.
type Failure = Arc<dyn Fn() -> BackendError + Send + Sync>;

/// An answer, and which link it came by.
pub(super) struct Answer {
    pub(super) reply: Reply,
    pub(super) link: LinkId,
}

/// Tells one link of a backend from those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LinkId(usize);

impl Connection {
    pub(super) fn new(server: ConnectionInfo, limits: TimeLimits) -> Self {
        Self {
            server,
            limits,
            state: Arc::new(Mutex::new(State::Down { failed: None })),
            waiting: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// Connects, for as long as an attempt may take.
    pub(super) async fn connect(&self) -> BackendResult<()> {
        // The attempt has a limit of its own; this one is for a runtime that doesn't get round to it.
        match within(self.limits.connect * 2, self.link()).await {
            Some(link) => link.map(drop),
            None => Err(connect_timeout(self.limits.connect)),
        }
    }

    /// Reads the value under a key, together with others who read at the same time if there are some.
    pub(super) async fn get(&self, key: Argument) -> BackendResult<Reply> {
        Ok(self.call(Request::Get(key), Repeat::Safely).await?.reply)
    }

    /// Adds to a counter, together with others who count at the same time if there are some.
    pub(super) async fn count(&self, count: Count) -> BackendResult<Reply> {
        Ok(self.call(Request::Count(count), Repeat::Never).await?.reply)
    }

    pub(super) async fn command(&self, command: Command, repeat: Repeat) -> BackendResult<Reply> {
        Ok(self.traced(command, repeat).await?.reply)
    }

    /// Sends a command and tells by which link the answer came.
    pub(super) async fn traced(&self, command: Command, repeat: Repeat) -> BackendResult<Answer> {
        self.call(Request::One(command), repeat).await
    }

    /// Runs a script, by its hash if the server knows it.
    pub(super) async fn script(
        &self,
        invocation: Invocation,
        repeat: Repeat,
    ) -> BackendResult<Reply> {
        Ok(self.call(Request::Script(invocation), repeat).await?.reply)
    }

    /// Sends commands in one go; each has an answer of its own, an error among them.
    pub(super) async fn pipeline(&self, commands: Vec<Command>) -> BackendResult<Vec<Reply>> {
        let asked = commands.len();
        let answer = self.call(Request::Many(commands), Repeat::Never).await?;
        match answer.reply {
            Reply::Array(replies) if replies.len() == asked => Ok(replies),
            other => reply::unexpected(other),
        }
    }

    /// Refuses calls from now on, waits for those that are under way, and closes the connection.
    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        while self.waiting.load(Ordering::SeqCst) > 0 {
            Delay::new(Duration::from_millis(1)).await;
        }
        // Ended after the lock: that wakes the task.
        let last = std::mem::replace(&mut *self.state.lock(), State::Closed);
        drop(last);
    }

    /// Makes one call within the limit of time, sends it a second time if that is harmless and the first answer was lost.
    async fn call(&self, request: Request, repeat: Repeat) -> BackendResult<Answer> {
        let _place = self.place()?;
        let mut last: Option<Sent> = None;
        let outcome = within(self.limits.call, self.exchange(request, repeat, &mut last)).await;
        if let Some(outcome) = outcome {
            return outcome;
        }
        let error = BackendError::new(
            ErrorKind::Timeout,
            format!("no answer within {:?}", self.limits.call),
        );
        let Some(Sent { link, call, heard }) = last else {
            return Err(error);
        };
        if link.wire.heard() == heard && link.since.elapsed() >= self.limits.call {
            // Nothing at all has come by this link for a whole call: a cut cable looks like this for many minutes. A link that
            // was made while the call waited hasn't had as long.
            link.wire.retire();
        }
        match repeat {
            Repeat::Never if call.was_sent() => Err(error.with_outcome_unknown()),
            _ => Err(error),
        }
    }

    /// Takes a place among the calls that wait, unless there are too many or the backend is closed.
    fn place(&self) -> BackendResult<Place<'_>> {
        let place = Place::take(&self.waiting, self.limits.waiting)?;
        if self.closed.load(Ordering::SeqCst) {
            return Err(closed());
        }
        Ok(place)
    }

    /// Notes in `last` what is sent, for the case that this is dropped.
    async fn exchange(
        &self,
        mut request: Request,
        repeat: Repeat,
        last: &mut Option<Sent>,
    ) -> BackendResult<Answer> {
        let mut is_repetition = false;
        loop {
            let link = self.link().await?;
            let call = Call::new(request);
            let sent = last.insert(Sent {
                heard: link.wire.heard(),
                link,
                call,
            });
            let (link, call) = (&sent.link, &sent.call);
            let outcome = link.wire.exchange(call).await;
            if outcome.as_ref().is_ok_and(reply::is_from_wrong_server) {
                link.wire.retire();
            }
            match outcome {
                Ok(Reply::Error(error)) => {
                    if error.code() == "NOSCRIPT" {
                        request = Request::One(match call.take_request() {
                            Request::Script(invocation) => invocation.in_full(),
                            Request::Count(count) => count.in_full(),
                            _ => return Err(refusal(&error)),
                        });
                        // It had no effect, should there be no time left to send it again.
                        *last = None;
                        continue;
                    }
                    return Err(refusal(&error));
                }
                Ok(reply) => {
                    let link = LinkId(link.id);
                    return Ok(Answer { reply, link });
                }
                Err(Lost) => {
                    let failure = end_failure(link.wire.end());
                    if repeat == Repeat::Never && call.was_sent() {
                        return Err(failure.with_outcome_unknown());
                    }
                    if is_repetition {
                        return Err(failure);
                    }
                    is_repetition = true;
                    request = call.take_request();
                }
            }
        }
    }

    /// Returns the present link, or waits for the attempt to make one that is under way or begins now.
    async fn link(&self) -> BackendResult<Arc<Link>> {
        let mut was_dropped = false;
        loop {
            let mut attempt = {
                let mut state = self.state.lock();
                match &*state {
                    State::Up(link) if !link.wire.is_lost() => return Ok(link.clone()),
                    State::Closed => return Err(closed()),
                    State::Connecting { attempt, overdue }
                        if attempt.has_changed().is_ok() && Instant::now() < *overdue =>
                    {
                        attempt.clone()
                    }
                    State::Up(link) => {
                        // A server that hangs up on everybody isn't called without a pause.
                        let since = Some(link.since);
                        self.begin_attempt(&mut state, since)?
                    }
                    State::Connecting { .. } => self.begin_attempt(&mut state, None)?,
                    State::Down { failed } => {
                        let failed = *failed;
                        self.begin_attempt(&mut state, failed)?
                    }
                }
            };
            let Ok(outcome) = attempt.wait_for(Option::is_some).await else {
                if was_dropped {
                    return Err(BackendError::new(
                        ErrorKind::Unavailable,
                        "the runtime ended before there was a connection",
                    ));
                }
                was_dropped = true;
                continue;
            };
            match outcome.as_ref() {
                Some(Ok(link)) => return Ok(link.clone()),
                Some(Err(failure)) => return Err(failure()),
                None => {}
            }
        }
    }

    /// Connects on a task of its own, so that a caller that gives up doesn't take the attempt from the others.
    fn begin_attempt(&self, state: &mut State, last: Option<Instant>) -> BackendResult<Attempt> {
        let runtime = Handle::try_current().map_err(|_| {
            BackendError::new(ErrorKind::Other, "there is no tokio runtime to connect on")
        })?;
        let (tell, attempt) = watch::channel(None);
        let server = self.server.clone();
        let limit = self.limits.connect;
        *state = State::Connecting {
            attempt: attempt.clone(),
            overdue: Instant::now() + (RECONNECT_PAUSE + limit) * 2,
        };
        let state = self.state.clone();
        runtime.spawn(async move {
            if let Some(last) = last {
                Delay::new(RECONNECT_PAUSE.saturating_sub(last.elapsed())).await;
            }
            let outcome = connect(&server, limit).await;
            let mut state = state.lock();
            // Another attempt may have been quicker, or the backend closed.
            if matches!(*state, State::Connecting { .. }) {
                *state = match &outcome {
                    Ok(link) => State::Up(link.clone()),
                    Err(_) => State::Down {
                        failed: Some(Instant::now()),
                    },
                };
            }
            drop(state);
            let _ = tell.send(Some(outcome));
        });
        Ok(attempt)
    }
}

/// A call that was given to a link.
struct Sent {
    link: Arc<Link>,
    call: Arc<Call>,
    /// How much had been heard from the server before.
    heard: u64,
}

impl Link {
    fn new(wire: Wire) -> Self {
        static LINKS: AtomicUsize = AtomicUsize::new(0);
        Self {
            wire,
            id: LINKS.fetch_add(1, Ordering::Relaxed),
            since: Instant::now(),
        }
    }
}

async fn connect(server: &ConnectionInfo, limit: Duration) -> Result<Arc<Link>, Failure> {
    let connecting = async {
        let socket = open(server.addr()).await.map_err(|error| {
            let kind = error.kind();
            Arc::new(move || io_failure(kind)) as Failure
        })?;
        let wire = Wire::start(socket);
        greet(&wire, server.redis_settings()).await?;
        Ok(Arc::new(Link::new(wire)))
    };
    match within(limit, connecting).await {
        Some(outcome) => outcome,
        None => Err(Arc::new(move || connect_timeout(limit))),
    }
}

async fn open(address: &ConnectionAddr) -> io::Result<Box<dyn Socket>> {
    match address {
        ConnectionAddr::Tcp(host, port) => {
            let socket = TcpStream::connect((host.as_str(), *port)).await?;
            // What goes out together was gathered before it is written. On the same machine the kernel's own gathering
            // (Nagle's algorithm) wins all the same: it sends what is next without waking anybody. Over a network it
            // would cost a round trip.
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
async fn greet(wire: &Wire, settings: &RedisConnectionInfo) -> Result<(), Failure> {
    let mut commands = vec![hello(settings)];
    if settings.db() != 0 {
        commands.push(Command::new("SELECT").number(settings.db()));
    }
    let required = commands.len();
    // Who looks at the clients of a server sees whose this is; servers older than 7.2 don't know the command.
    for (name, value) in [
        ("LIB-NAME", env!("CARGO_PKG_NAME")),
        ("LIB-VER", env!("CARGO_PKG_VERSION")),
    ] {
        commands.push(Command::new("CLIENT").args(["SETINFO", name, value]));
    }
    let call = Call::new(Request::Many(commands));
    let replies = match wire.exchange(&call).await {
        Ok(Reply::Array(replies)) => replies,
        _ => {
            let end = wire.end();
            return Err(Arc::new(move || end_failure(end)));
        }
    };
    let refused = replies
        .into_iter()
        .take(required)
        .find_map(|reply| match reply {
            Reply::Error(error) => Some(error),
            _ => None,
        });
    match refused {
        None => Ok(()),
        Some(error) => Err(Arc::new(move || greeting_failure(&error))),
    }
}

fn hello(settings: &RedisConnectionInfo) -> Command {
    // RESP3 tells a missing value from an empty array, and can tell of things that nobody asked for.
    let hello = Command::new("HELLO").number(3);
    match (settings.username(), settings.password()) {
        (user, Some(password)) => hello.args(["AUTH", user.unwrap_or("default"), password]),
        (Some(user), None) => hello.args(["AUTH", user, ""]),
        (None, None) => hello,
    }
}

/// What the server refuses in the greeting, other than the login, is the fault of the URL (`SELECT`).
fn greeting_failure(error: &Refusal) -> BackendError {
    match refusal(error) {
        refused if refused.kind() == ErrorKind::Other => BackendError::new(
            ErrorKind::InvalidConfig,
            "the server refused the URL's settings",
        ),
        refused => refused,
    }
}

fn end_failure(end: Option<End>) -> BackendError {
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

fn closed() -> BackendError {
    BackendError::new(ErrorKind::Unavailable, "the backend was closed")
}

fn connect_timeout(limit: Duration) -> BackendError {
    BackendError::new(
        ErrorKind::Timeout,
        format!("no connection within {limit:?}"),
    )
}

/// A place among the calls that wait, given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, most: usize) -> BackendResult<Self> {
        if waiting.fetch_add(1, Ordering::SeqCst) < most {
            return Ok(Self(waiting));
        }
        waiting.fetch_sub(1, Ordering::SeqCst);
        Err(BackendError::new(
            ErrorKind::Unavailable,
            format!("{most} calls are waiting already"),
        ))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
