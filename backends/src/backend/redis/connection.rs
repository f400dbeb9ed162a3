//! The one connection of a backend: made when it is needed, replaced when it is lost, never waited for without a limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_timer::Delay;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, Pipeline, ProtocolVersion, PushInfo, PushKind, RedisError,
    RedisResult, Value,
};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::deadline::within;
use super::gather::{Gatherer, Way};
use super::reply::{self, refusal};
use super::script::Invocation;
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
    client: Client,
    limits: TimeLimits,
    /// Held to look at the state or to change it, never across an `.await`.
    state: Arc<Mutex<State>>,
    waiting: AtomicUsize,
    closed: AtomicBool,
    pub(super) gatherer: Gatherer,
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
    Up(Link),
    Closed,
}

/// An established connection.
#[derive(Clone)]
struct Link {
    connection: MultiplexedConnection,
    health: Arc<Health>,
}

struct Health {
    id: usize,
    /// When the connection was made.
    since: Instant,
    /// Set when the connection has ended, or isn't worth waiting for any more.
    lost: AtomicBool,
    /// How many answers have arrived.
    answers: AtomicU64,
}

/// Tells all who wait for an attempt to connect how it ended.
type Attempt = watch::Receiver<Option<Result<Link, Failure>>>;

/// Why a connection could not be made, for all who waited for it.
type Failure = Arc<dyn Fn() -> BackendError + Send + Sync>;

/// What a call sends.
#[derive(Clone, Copy)]
enum Request<'a> {
    Command(&'a Cmd),
    Script(&'a Invocation),
    Pipeline(&'a Pipeline),
}

/// An answer, and which link it came by.
pub(super) struct Answer {
    pub(super) value: Value,
    pub(super) link: LinkId,
}

/// Tells one link of a backend from those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LinkId(usize);

impl Connection {
    pub(super) fn new(client: Client, limits: TimeLimits) -> BackendResult<Self> {
        let info = client.get_connection_info().clone();
        // RESP3 tells of a lost connection when it is lost, not when it is next used.
        let settings = info
            .redis_settings()
            .clone()
            .set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.set_redis_settings(settings));
        Ok(Self {
            client: client.map_err(|error| reply::failure(&error).0)?,
            limits,
            state: Arc::new(Mutex::new(State::Down { failed: None })),
            waiting: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            gatherer: Gatherer::default(),
        })
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
    pub(super) async fn get(self: &Arc<Self>, key: &[u8]) -> BackendResult<Value> {
        let _place = self.place()?;
        match self.gatherer.enter(self, key, self.limits.call * 2) {
            Way::Alone(_alone) => self.get_alone(key).await,
            Way::Gathered(answer) => {
                let call = async {
                    match answer.await {
                        Ok(value) => Ok(value),
                        Err(_) => self.get_alone(key).await,
                    }
                };
                let answer = within(self.limits.call, call).await;
                answer.unwrap_or_else(|| Err(self.timeout()))
            }
        }
    }

    async fn get_alone(&self, key: &[u8]) -> BackendResult<Value> {
        let mut command = redis::cmd("GET");
        command.arg(key);
        let request = Request::Command(&command);
        Ok(self.exchange(request, Repeat::Safely).await?.value)
    }

    fn timeout(&self) -> BackendError {
        BackendError::new(
            ErrorKind::Timeout,
            format!("no answer within {:?}", self.limits.call),
        )
    }

    pub(super) async fn command(&self, command: &Cmd, repeat: Repeat) -> BackendResult<Value> {
        Ok(self.traced(command, repeat).await?.value)
    }

    /// Sends a command and tells by which link the answer came.
    pub(super) async fn traced(&self, command: &Cmd, repeat: Repeat) -> BackendResult<Answer> {
        self.call(Request::Command(command), repeat).await
    }

    /// Runs a script, by its hash if the server knows it.
    pub(super) async fn script(
        &self,
        invocation: &Invocation,
        repeat: Repeat,
    ) -> BackendResult<Value> {
        Ok(self.call(Request::Script(invocation), repeat).await?.value)
    }

    /// Sends commands in one go; each has an answer of its own, an error among them.
    pub(super) async fn pipeline(&self, pipeline: &Pipeline) -> BackendResult<Vec<Value>> {
        match self
            .call(Request::Pipeline(pipeline), Repeat::Never)
            .await?
            .value
        {
            Value::Array(replies) => Ok(replies),
            other => reply::unexpected(other),
        }
    }

    /// Refuses calls from now on, waits for those that are under way, and closes the connection.
    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        while self.waiting.load(Ordering::SeqCst) > 0 {
            Delay::new(Duration::from_millis(1)).await;
        }
        *self.state.lock() = State::Closed;
    }

    /// Makes one call within all limits.
    async fn call(&self, request: Request<'_>, repeat: Repeat) -> BackendResult<Answer> {
        let _place = self.place()?;
        self.exchange(request, repeat).await
    }

    /// Takes a place among the calls that wait, unless there are too many or the backend is closed.
    fn place(&self) -> BackendResult<Place<'_>> {
        let place = Place::take(&self.waiting, self.limits.waiting)?;
        if self.closed.load(Ordering::SeqCst) {
            return Err(closed());
        }
        Ok(place)
    }

    /// Sends a request within the limit of time, and a second time if that is harmless and the first answer was lost.
    async fn exchange(&self, request: Request<'_>, repeat: Repeat) -> BackendResult<Answer> {
        let mut sent: Option<(Link, u64)> = None;
        let call = async {
            loop {
                let is_repetition = sent.is_some();
                let link = self.link().await?;
                sent = Some((link.clone(), link.health.answers.load(Ordering::Relaxed)));
                let failure = match link.send(request).await {
                    Ok(Value::ServerError(error)) => {
                        if matches!(error.code(), "READONLY" | "MASTERDOWN") {
                            // After a failover the address may lead to another server.
                            link.health.lost.store(true, Ordering::Relaxed);
                        }
                        return Err(refusal(&error));
                    }
                    Ok(value) => {
                        return Ok(Answer {
                            value,
                            link: link.id(),
                        });
                    }
                    Err(error) => match reply::failure(&error) {
                        (refusal, true) => return Err(refusal),
                        (failure, false) => failure,
                    },
                };
                link.health.lost.store(true, Ordering::Relaxed);
                match repeat {
                    Repeat::Safely if is_repetition => return Err(failure),
                    Repeat::Safely => {}
                    Repeat::Never => return Err(failure.with_outcome_unknown()),
                }
            }
        };
        if let Some(outcome) = within(self.limits.call, call).await {
            return outcome;
        }
        let error = self.timeout();
        let Some((link, answers)) = sent else {
            return Err(error);
        };
        if link.health.answers.load(Ordering::Relaxed) == answers {
            // Nothing at all has come by this link for a whole call: a cut cable looks like this for many minutes.
            link.health.lost.store(true, Ordering::Relaxed);
        }
        match repeat {
            Repeat::Safely => Err(error),
            Repeat::Never => Err(error.with_outcome_unknown()),
        }
    }

    /// Returns the present link, or waits for the attempt to make one that is under way or begins now.
    async fn link(&self) -> BackendResult<Link> {
        let mut was_dropped = false;
        loop {
            let mut attempt = {
                let mut state = self.state.lock();
                match &*state {
                    State::Up(link) if !link.is_lost() => return Ok(link.clone()),
                    State::Closed => return Err(closed()),
                    State::Connecting { attempt, overdue }
                        if attempt.has_changed().is_ok() && Instant::now() < *overdue =>
                    {
                        attempt.clone()
                    }
                    State::Up(link) => {
                        // A server that hangs up on everybody isn't called without a pause.
                        let since = Some(link.health.since);
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
        let client = self.client.clone();
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
            let outcome = connect(&client, limit).await;
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

impl Health {
    fn new() -> Self {
        static LINKS: AtomicUsize = AtomicUsize::new(0);
        Self {
            id: LINKS.fetch_add(1, Ordering::Relaxed),
            since: Instant::now(),
            lost: AtomicBool::new(false),
            answers: AtomicU64::new(0),
        }
    }
}

impl Link {
    async fn send(&self, request: Request<'_>) -> RedisResult<Value> {
        let mut connection = self.connection.clone();
        let answer = match request {
            Request::Command(command) => connection.send_packed_command(command).await,
            Request::Script(invocation) => {
                let answer = connection.send_packed_command(&invocation.by_hash()).await;
                if is_unknown_script(&answer) {
                    let in_full = invocation.in_full();
                    connection.send_packed_command(&in_full).await
                } else {
                    answer
                }
            }
            Request::Pipeline(pipeline) => {
                let replies = connection.send_packed_commands(pipeline, 0, pipeline.len());
                replies.await.map(Value::Array)
            }
        };
        if answer.is_ok() {
            self.health.answers.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    fn is_lost(&self) -> bool {
        self.health.lost.load(Ordering::Relaxed)
    }

    fn id(&self) -> LinkId {
        LinkId(self.health.id)
    }
}

async fn connect(client: &Client, limit: Duration) -> Result<Link, Failure> {
    let health = Arc::new(Health::new());
    let ended = Ended(health.clone());
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_push_sender(move |push: PushInfo| {
            if push.kind == PushKind::Disconnection {
                ended.0.lost.store(true, Ordering::Relaxed);
            }
            Ok::<_, std::convert::Infallible>(())
        });
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    match within(limit, connecting).await {
        Some(Ok(connection)) => Ok(Link { connection, health }),
        Some(Err(error)) => Err(Arc::new(move || connect_failure(&error))),
        None => Err(Arc::new(move || connect_timeout(limit))),
    }
}

fn connect_failure(error: &RedisError) -> BackendError {
    // What the server refuses while the connection is set up, other than the login, is the URL's fault (`SELECT`).
    match reply::failure(error) {
        (refused, true) if refused.kind() == ErrorKind::Other => BackendError::new(
            ErrorKind::InvalidConfig,
            "the server refused the URL's settings",
        ),
        (failure, _) => failure,
    }
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

fn is_unknown_script(answer: &RedisResult<Value>) -> bool {
    match answer {
        Ok(Value::ServerError(error)) => error.code() == "NOSCRIPT",
        Ok(_) => false,
        Err(error) => error.code() == Some("NOSCRIPT"),
    }
}

/// Tells the end of a connection's driver, also when a runtime that ends drops it.
struct Ended(Arc<Health>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.lost.store(true, Ordering::Relaxed);
    }
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
