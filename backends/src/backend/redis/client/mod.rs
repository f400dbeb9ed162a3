//! The client: it knows RESP, sockets and servers, and of the contract nothing but `Stored`, into
//! which a value is copied once.
//!
//! A call passes the gate, which counts places. The node has a connection for each runtime: the
//! multiplexer puts requests into its inbox, and the driver is the task that owns its socket. A
//! request whose reply was lost is sent again only if that is harmless, and one that was refused
//! only if nothing of it was executed.

mod deadline;
mod dial;
mod driver;
mod gate;
mod handshake;
mod inbox;
mod merge;
mod multiplexer;
mod node;
mod outage;
mod read_buffer;
mod refusal;
mod request;
mod resend;
mod resp;
mod script;
mod states;

use std::sync::Arc;
use std::time::Duration;

use redis::ConnectionInfo;

use self::deadline::deadlines;
use self::gate::Gate;
use self::node::{Impossible, Node};
pub(crate) use self::refusal::{code, is_unknown, refusal, refusal_of_kind};
use self::request::{InFlight, Request};
use self::resend::{Resend, is_from_wrong_server};
pub(crate) use self::resp::{Argument, Command, ErrorReply, Reply};
pub(crate) use self::script::{Invocation, KeyedInvocation, Script};
use self::states::Connection;
pub(crate) use self::states::ConnectionId;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The time limits of a client, in real time, and the number of calls that may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientLimits {
    /// The limit of one attempt to connect, the greeting and the login included.
    pub(crate) connect: Duration,
    /// The limit of one call: queueing, connecting and, if it may be repeated, the repetition.
    pub(crate) call: Duration,
    /// The most calls that may wait at once.
    pub(crate) waiting: usize,
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
    node: Node,
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
    pub(crate) fn new(server: ConnectionInfo, limits: ClientLimits) -> Self {
        Self {
            gate: Gate::new(limits.waiting),
            node: Node::new(server, limits),
            call_limit: limits.call,
            factor: 1.0 - fastrand::f64() / 5.0,
        }
    }

    /// Connects, for as long as an attempt may take.
    pub(crate) async fn connect(&self) -> BackendResult<()> {
        self.node.connect().await
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
            let emptied = deadlines.within(self.call_limit, self.gate.emptied());
            emptied.await;
        }
        self.node.close();
    }

    /// Makes one call within the limit of time.
    async fn call(&self, request: Request, repeat: Repeat) -> BackendResult<Traced> {
        let _place = self.gate.enter()?;
        let ready = self.node.ready();
        let deadlines = match &ready {
            Some(connection) => connection.deadlines,
            None => deadlines()?,
        };
        let mut progress = Progress::default();
        let exchange = self.exchange(ready, request, repeat, &mut progress);
        let outcome = deadlines.within(self.call_limit, exchange).await;
        if let Some(outcome) = outcome {
            return outcome;
        }
        let Some(last) = progress.last else {
            return Err(progress.refused.unwrap_or_else(|| self.timeout()));
        };
        let multiplexer = &last.connection.multiplexer;
        let is_silent = multiplexer.activity() == last.activity;
        if is_silent && last.connection.since.elapsed() >= self.call_limit {
            // Nothing at all has come by this connection for a whole call: a cut cable looks like
            // this for many minutes. A connection that was made while the call waited hasn't had as
            // long.
            multiplexer.drain();
        }
        if repeat == Repeat::Never && last.request.was_sent() {
            return Err(self.timeout().with_outcome_unknown());
        }
        Err(progress.refused.unwrap_or_else(|| self.timeout()))
    }

    /// Sends the request; again if it was refused before anything was executed, and a second time
    /// if its reply was lost and that is harmless. Notes in `progress` what is sent, for the case
    /// that this is dropped.
    async fn exchange(
        &self,
        mut ready: Option<Arc<Connection>>,
        mut request: Request,
        repeat: Repeat,
        progress: &mut Progress,
    ) -> BackendResult<Traced> {
        let mut is_repetition = false;
        let mut refused_before = 0;
        loop {
            let connection = match ready.take() {
                Some(connection) => connection,
                None => self.node.connection().await?,
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
                request: InFlight::new(request, repeat),
            });
            let multiplexer = &sent.connection.multiplexer;
            let Ok(reply) = multiplexer.exchange(&sent.request).await else {
                if repeat == Repeat::Never && sent.request.was_sent() {
                    return Err(self.node.lost(multiplexer.end()).with_outcome_unknown());
                }
                if is_repetition {
                    return Err(self.node.lost(multiplexer.end()));
                }
                is_repetition = true;
                request = sent.request.take_request();
                continue;
            };
            let is_refusal = matches!(reply, Reply::Error(_) | Reply::Array(_));
            let resend = is_refusal.then(|| sent.request.resend(&reply)).flatten();
            let Some((resend, refused)) = resend else {
                if is_from_wrong_server(&reply) {
                    self.node.begin_search(&sent.connection);
                }
                return Ok(Traced {
                    reply,
                    connection: sent.connection.id,
                });
            };
            let connection = sent.connection.clone();
            request = sent.request.take_request();
            // It had no effect, should there be no time left to send it again.
            progress.last = None;
            let refused = progress.refused.insert(refusal(&refused));
            match resend {
                Resend::InFull => request.send_in_full(),
                Resend::Elsewhere => {
                    if let Err(Impossible) = self.elsewhere(&connection).await {
                        return Err(refused.clone());
                    }
                }
                Resend::Later => {
                    let pause = resend::pause(refused_before, self.factor);
                    connection.deadlines.sleep(pause).await;
                    refused_before += 1;
                }
            }
        }
    }

    /// Waits until there is a connection to another server than this one leads to.
    async fn elsewhere(&self, connection: &Connection) -> Result<(), Impossible> {
        while !self.node.search(connection).await? {}
        Ok(())
    }

    fn timeout(&self) -> BackendError {
        let message = format!("no answer within {:?}", self.call_limit);
        BackendError::new(ErrorKind::Timeout, message)
    }
}
