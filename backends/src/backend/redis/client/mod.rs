//! The client: it knows RESP, sockets and servers, and of the contract nothing but `Stored`, into
//! which a value is copied once.
//!
//! A call passes the gate, which counts places. The router chooses the node, a server, which has a
//! connection for each runtime. The multiplexer puts requests into the inbox of a connection, and
//! the driver is the task that owns its socket. A request whose reply was lost is sent again only
//! if that is harmless, and one that was refused only if nothing of it was executed.

mod deadline;
mod dial;
mod driver;
mod endpoint;
mod gate;
mod handshake;
mod inbox;
mod login;
mod logins;
mod merge;
mod multiplexer;
mod node;
mod outage;
mod read_buffer;
mod reads;
mod refusal;
mod renewal;
mod request;
mod resend;
mod resp;
mod router;
mod script;
mod states;
mod tls;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use self::deadline::deadlines;
pub(crate) use self::endpoint::Endpoint;
use self::gate::Gate;
pub(crate) use self::refusal::{code, is_unknown, refusal, refusal_of_kind};
use self::request::{InFlight, Request};
use self::resend::{Resend, is_from_wrong_server, is_logged_out};
pub(crate) use self::resp::{Argument, Command, ErrorReply, Reply};
use self::router::Router;
pub(crate) use self::script::{Invocation, KeyedInvocation, Script};
use self::states::Connection;
pub(crate) use self::states::ConnectionId;
#[cfg(feature = "tls")]
pub use self::tls::Tls;
#[cfg(not(feature = "tls"))]
pub(crate) use self::tls::Tls;
use super::credentials::Provider;
use super::status::RedisStatus;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The time limits of a client, in real time, and what may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientLimits {
    /// The limit of one attempt to connect, the greeting and the login included.
    pub(crate) connect: Duration,
    /// The limit of one call: queueing, connecting and, if it may be repeated, the repetition.
    pub(crate) call: Duration,
    /// The silence after which a server is asked whether it is there.
    pub(crate) keep_alive: Duration,
    /// The most calls that may wait at once.
    pub(crate) waiting: usize,
    /// The most bytes that the calls which wait may send.
    pub(crate) waiting_bytes: usize,
}

/// What connections say of their client when they greet, besides the settings of the server.
#[derive(Default)]
pub(crate) struct ClientIdentity {
    pub(crate) name: Option<String>,
    /// Asked for the login in place of the settings of the server.
    pub(crate) provider: Option<Provider>,
}

/// Says whether a request may be sent again if its reply was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It may: it changes nothing.
    Safely,
    /// It may not: it might be executed twice.
    Never,
}

/// A client of one server. A reply may be an error of the server: its meaning is the caller's to
/// say.
pub(crate) struct Client {
    gate: Gate,
    router: Router,
    call_limit: Duration,
    /// Shortens the pauses before a request is sent again, so that clients that were refused
    /// together don't all come back together. The calls of one client do, and are merged.
    factor: f64,
}

/// A reply, and the connection that it came by.
pub(crate) struct Traced {
    pub(crate) reply: Reply,
    pub(crate) connection: ConnectionId,
}

/// The progress of a call, for the case that its limit passes.
#[derive(Default)]
struct Progress {
    last: Option<LastSend>,
    /// The last refusal, of which nothing was executed. It tells more than that the limit passed.
    refused: Option<BackendError>,
}

/// The last send of a request.
struct LastSend {
    connection: Arc<Connection>,
    request: Arc<InFlight>,
    /// The activity of the connection before.
    activity: u64,
}

impl Client {
    pub(crate) fn new(server: Endpoint, identity: ClientIdentity, limits: ClientLimits) -> Self {
        Self {
            gate: Gate::new(limits.waiting, limits.waiting_bytes),
            router: Router::new(server, identity, limits),
            call_limit: limits.call,
            factor: 1.0 - fastrand::f64() / 5.0,
        }
    }

    /// Connects, for as long as an attempt may take.
    pub(crate) async fn connect(&self) -> BackendResult<()> {
        self.router.connect().await
    }

    pub(crate) fn status(&self) -> RedisStatus {
        let (waiting_calls, waiting_bytes) = self.gate.waiting();
        RedisStatus {
            nodes: self.router.status(),
            waiting_calls,
            waiting_bytes,
            merged_calls: self.router.merged(),
        }
    }

    /// Reads the value under a key, merged with the reads of others at the same time.
    pub(crate) async fn get(&self, key: Argument) -> BackendResult<Reply> {
        Ok(self.call(Request::Get(key), Repeat::Safely).await?.reply)
    }

    /// Runs a script with one key, merged with those of others at the same time.
    pub(crate) async fn keyed(&self, invocation: KeyedInvocation) -> BackendResult<Reply> {
        let request = Request::Keyed(invocation);
        Ok(self.call(request, Repeat::Never).await?.reply)
    }

    pub(crate) async fn command(&self, command: Command, repeat: Repeat) -> BackendResult<Reply> {
        Ok(self.traced(command, repeat).await?.reply)
    }

    /// Sends a command and tells by which connection the reply came.
    pub(crate) async fn traced(&self, command: Command, repeat: Repeat) -> BackendResult<Traced> {
        self.call(Request::One(command), repeat).await
    }

    /// Runs a script, by its hash if the server knows it.
    pub(crate) async fn script(
        &self,
        invocation: Invocation,
        repeat: Repeat,
    ) -> BackendResult<Reply> {
        Ok(self.call(Request::Script(invocation), repeat).await?.reply)
    }

    /// Sends commands in one go; the reply is an array of theirs, errors among them.
    pub(crate) async fn pipeline(&self, commands: Vec<Command>) -> BackendResult<Reply> {
        Ok(self
            .call(Request::Many(commands), Repeat::Never)
            .await?
            .reply)
    }

    /// Refuses calls from now on, waits for those that are under way, for as long as a call may
    /// take, and closes the connections.
    pub(crate) async fn close(&self) {
        self.gate.close();
        // A call that was begun and is polled no more never gives its place back.
        if let Ok(deadlines) = deadlines() {
            let emptied = pin!(self.gate.emptied());
            deadlines.within(self.call_limit, emptied).await;
        }
        self.router.close();
    }

    /// Makes one call within the limit of time.
    ///
    /// Every call has such a future, in a box: so it holds the request by a pointer, and in boxes
    /// what is large and rare.
    fn call(
        &self,
        request: Request,
        repeat: Repeat,
    ) -> impl Future<Output = BackendResult<Traced>> {
        self.call_with(InFlight::new(request, repeat))
    }

    async fn call_with(&self, request: Arc<InFlight>) -> BackendResult<Traced> {
        let _place = self.gate.enter(request.length())?;
        let ready = self.router.ready(request.is_plain_read());
        let deadlines = match &ready {
            Some(connection) => connection.deadlines,
            None => deadlines()?,
        };
        let mut progress = Progress::default();
        let outcome = {
            let exchange = pin!(self.exchange(ready, request, &mut progress));
            deadlines.within(self.call_limit, exchange).await
        };
        outcome.unwrap_or_else(|| Err(self.timed_out(progress)))
    }

    /// Sends the request; again if it was refused before anything was executed, and a second time
    /// if its reply was lost and that is harmless. Notes in `progress` what is sent, for the case
    /// that the limit passes.
    async fn exchange(
        &self,
        mut ready: Option<Arc<Connection>>,
        mut request: Arc<InFlight>,
        progress: &mut Progress,
    ) -> BackendResult<Traced> {
        let mut was_lost = false;
        let mut refused_before = 0;
        loop {
            let connection = match ready.take() {
                Some(connection) => connection,
                None => Box::pin(self.router.connection(request.is_plain_read())).await?,
            };
            if request.names_many_keys() && !connection.takes_many_keys {
                return Ok(Traced {
                    reply: Reply::OneKeyOnly,
                    connection: connection.id,
                });
            }
            let sent = progress.last.insert(LastSend {
                activity: connection.multiplexer.activity(),
                connection,
                request,
            });
            let multiplexer = &sent.connection.multiplexer;
            let Ok(reply) = multiplexer.exchange(&sent.request).await else {
                // One that wasn't sent hasn't been tried yet.
                if sent.request.was_sent() {
                    let error = || self.router.lost(multiplexer.end());
                    if !sent.request.is_repeatable() {
                        return Err(error().with_outcome_unknown());
                    }
                    if was_lost {
                        return Err(error());
                    }
                    was_lost = true;
                }
                request = sent.request.again();
                continue;
            };
            let is_refusal = matches!(reply, Reply::Error(_) | Reply::Array(_));
            let resend = is_refusal.then(|| sent.request.resend(&reply)).flatten();
            let Some((resend, refused)) = resend else {
                if is_from_wrong_server(&reply) {
                    self.router.begin_search(&sent.connection);
                }
                if is_refusal && is_logged_out(&reply) {
                    self.router.logged_out(&sent.connection);
                }
                return Ok(Traced {
                    reply,
                    connection: sent.connection.id,
                });
            };
            let connection = sent.connection.clone();
            request = sent.request.again();
            // It had no effect, should there be no time left to send it again.
            progress.last = None;
            let refused = progress.refused.insert(refusal(&refused));
            match resend {
                Resend::Elsewhere => {
                    Box::pin(self.router.elsewhere(&connection, refused)).await?;
                }
                Resend::Later => {
                    let pause = resend::pause(refused_before, self.factor);
                    Box::pin(connection.deadlines.sleep(pause)).await;
                    refused_before += 1;
                }
            }
        }
    }

    /// Returns the error of a call whose limit has passed.
    fn timed_out(&self, progress: Progress) -> BackendError {
        let message = format!("no answer within {:?}", self.call_limit);
        let timeout = BackendError::new(ErrorKind::Timeout, message);
        let Some(last) = progress.last else {
            return progress.refused.unwrap_or(timeout);
        };
        let multiplexer = &last.connection.multiplexer;
        let is_silent = multiplexer.activity() == last.activity;
        if is_silent && last.connection.since.elapsed() >= self.call_limit {
            // Nothing at all has come by this connection for a whole call: a cut cable looks like
            // this for many minutes. A connection that was made while the call waited hasn't had as
            // long.
            self.router.gone_silent(&last.connection);
        }
        if last.request.was_sent() && !last.request.is_repeatable() {
            return timeout.with_outcome_unknown();
        }
        progress.refused.unwrap_or(timeout)
    }
}
