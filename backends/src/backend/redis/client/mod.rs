//! The client: it knows RESP, sockets and servers, and of the contract nothing but `Stored`, into
//! which a value is copied once.
//!
//! A call passes the gate, which counts places. The node has a connection for each runtime: the
//! multiplexer puts requests into its inbox, and the driver is the task that owns its socket. A
//! request whose reply was lost is sent again only if that is harmless.

mod deadline;
mod driver;
mod gate;
mod handshake;
mod inbox;
mod merge;
mod multiplexer;
mod node;
mod read_buffer;
mod refusal;
mod request;
mod resp;
mod script;

use std::sync::Arc;
use std::time::Duration;

use redis::ConnectionInfo;

use self::deadline::deadlines;
use self::gate::Gate;
use self::handshake::end_failure;
pub(crate) use self::node::ConnectionId;
use self::node::{Connection, Node};
use self::refusal::is_from_wrong_server;
pub(crate) use self::refusal::{code, refusal, refusal_of_kind};
use self::request::{InFlight, Lost, Request};
pub(crate) use self::resp::{Argument, Command, ErrorReply, Reply};
pub(crate) use self::script::{Invocation, KeyedInvocation, Script};
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
}

/// A reply, and the connection that it came by.
pub(crate) struct Traced {
    pub(crate) reply: Reply,
    pub(crate) connection: ConnectionId,
}

/// The last send of a request, for the case that the call is dropped.
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
            node: Node::new(server, limits.connect),
            call_limit: limits.call,
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
        let mut last: Option<LastSend> = None;
        let exchange = self.exchange(ready, request, repeat, &mut last);
        let outcome = deadlines.within(self.call_limit, exchange).await;
        if let Some(outcome) = outcome {
            return outcome;
        }
        let error = BackendError::new(
            ErrorKind::Timeout,
            format!("no answer within {:?}", self.call_limit),
        );
        let Some(last) = last else {
            return Err(error);
        };
        let multiplexer = &last.connection.multiplexer;
        let is_silent = multiplexer.activity() == last.activity;
        if is_silent && last.connection.since.elapsed() >= self.call_limit {
            // Nothing at all has come by this connection for a whole call: a cut cable looks like
            // this for many minutes. A connection that was made while the call waited hasn't had as
            // long.
            multiplexer.drain();
        }
        match repeat {
            Repeat::Never if last.request.was_sent() => Err(error.with_outcome_unknown()),
            _ => Err(error),
        }
    }

    /// Sends the request, a second time if that is harmless and the first reply was lost. Notes in
    /// `last` what is sent, for the case that this is dropped.
    async fn exchange(
        &self,
        mut ready: Option<Arc<Connection>>,
        mut request: Request,
        repeat: Repeat,
        last: &mut Option<LastSend>,
    ) -> BackendResult<Traced> {
        let mut is_repetition = false;
        loop {
            let connection = match ready.take() {
                Some(connection) => connection,
                None => self.node.connection().await?,
            };
            let sent = last.insert(LastSend {
                activity: connection.multiplexer.activity(),
                connection,
                request: InFlight::new(request),
            });
            let multiplexer = &sent.connection.multiplexer;
            let outcome = multiplexer.exchange(&sent.request).await;
            if outcome.as_ref().is_ok_and(is_from_wrong_server) {
                self.node.leave(&sent.connection);
            }
            match outcome {
                Ok(Reply::Error(error)) if error.code() == "NOSCRIPT" => {
                    request = Request::One(match sent.request.take_request() {
                        Request::Script(invocation) => invocation.in_full(),
                        Request::Keyed(invocation) => invocation.in_full(),
                        _ => return Err(refusal(&error)),
                    });
                    // It had no effect, should there be no time left to send it again.
                    *last = None;
                }
                Ok(reply) => {
                    return Ok(Traced {
                        reply,
                        connection: sent.connection.id,
                    });
                }
                Err(Lost) => {
                    let failure = end_failure(multiplexer.end());
                    if repeat == Repeat::Never && sent.request.was_sent() {
                        return Err(failure.with_outcome_unknown());
                    }
                    if is_repetition {
                        return Err(failure);
                    }
                    is_repetition = true;
                    request = sent.request.take_request();
                }
            }
        }
    }
}
