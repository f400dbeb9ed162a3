//! The client: it knows RESP, sockets and servers, and of the contract nothing but `Stored`, into
//! which a value is copied once.
//!
//! A call passes the gate, which counts places. The router chooses the node, a server, which has a
//! connection for each runtime. The multiplexer puts requests into the inbox of a connection, and
//! the driver is the task that owns its socket. A request whose reply was lost is sent again only
//! if that is harmless, and a request that was refused only if nothing of it was executed.

mod access;
mod cluster;
mod dial;
mod driver;
mod endpoint;
mod gate;
mod handshake;
mod ids;
mod in_flight;
mod inbox;
mod location;
mod login;
mod logins;
mod merge;
mod multiplexer;
mod node;
mod outage;
#[cfg(feature = "redis-commands")]
mod raw;
mod read_buffer;
mod readings;
mod reads;
mod refusal;
mod renewal;
mod replicas;
mod request;
mod resend;
mod resp;
mod rest;
mod router;
mod script;
mod sentinel;
mod settings;
mod slot;
mod socket;
mod socket_error;
mod states;
mod tls;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

pub(crate) use self::access::Access;
use self::cluster::Cluster;
pub(crate) use self::endpoint::Endpoint;
use self::gate::Gate;
pub(crate) use self::ids::{ConnectionId, NodeId};
use self::in_flight::{InFlight, Lost};
#[cfg(feature = "redis-commands")]
pub(crate) use self::raw::Raw;
pub(crate) use self::refusal::{code, is_unknown, refusal, refusal_of_kind};
use self::request::{Request, RequestTarget};
use self::resend::{Resend, is_from_wrong_server, is_logged_out};
pub(crate) use self::resp::{Argument, Command, ErrorReply, Reply};
use self::rest::Rest;
use self::router::Router;
pub(crate) use self::router::{Deployment, Servers};
pub(crate) use self::script::{Invocation, KeyedInvocation, Script};
pub(crate) use self::sentinel::Service;
pub(crate) use self::settings::{ClientIdentity, ClientLimits};
pub(crate) use self::slot::{SLOTS, Slots, slot};
use self::states::Connection;
#[cfg(feature = "tls")]
pub use self::tls::Tls;
#[cfg(not(feature = "tls"))]
pub(crate) use self::tls::Tls;
use super::read_from::ReadFrom;
use super::status::RedisStatus;
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::time::deadline::deadlines;

/// The most times that a request is sent on to another node of a cluster.
const MOST_HOPS: u32 = 5;

/// A client of one server, or of a cluster. A reply may be an error of the server: its meaning is
/// the caller's to say.
pub(crate) struct Client {
    gate: Gate,
    router: Router,
    call_limit: Duration,
    /// A replica that is silent for so long is left for the primary.
    patience: Duration,
    /// Shortens the pauses before a request is sent again, so that clients that were refused
    /// together don't all come back together. The calls of one client come back together, and are
    /// merged.
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
    /// The last refusal of which nothing was executed. The refusal tells more than the passed
    /// limit.
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
    pub(crate) fn new(servers: Servers, identity: ClientIdentity, limits: ClientLimits) -> Self {
        Self {
            gate: Gate::new(limits.waiting, limits.waiting_bytes),
            router: Router::new(servers, identity, limits),
            call_limit: limits.call,
            patience: limits.patience(),
            factor: 1.0 - fastrand::f64() / 5.0,
        }
    }

    /// Makes a client of the same servers with the same logins and limits, and connections of its
    /// own.
    #[cfg(feature = "redis-commands")]
    pub(crate) fn beside(&self) -> Self {
        let limits = self.router.limits();
        Self {
            gate: Gate::new(limits.waiting, limits.waiting_bytes),
            router: self.router.beside(),
            ..*self
        }
    }

    /// Connects, unless there is a connection.
    #[cfg(feature = "redis-commands")]
    pub(crate) async fn connected(&self) -> BackendResult<()> {
        match self.router.is_up() {
            true => Ok(()),
            false => self.connect().await,
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
            redirections: self.router.cluster().map_or(0, Cluster::redirections),
            refreshes: self.router.cluster().map_or(0, Cluster::refreshes),
        }
    }

    /// Reads the value under a key, merged with the reads of other callers at the same time.
    pub(crate) async fn get(&self, key: Argument, from: ReadFrom) -> BackendResult<Reply> {
        let request = Request::Get(key);
        Ok(self.call(request, Access::Read(from)).await?.reply)
    }

    /// Runs a script with one key, merged with the scripts of other callers at the same time.
    pub(crate) async fn keyed(&self, invocation: KeyedInvocation) -> BackendResult<Reply> {
        let request = Request::Keyed(invocation);
        Ok(self.call(request, Access::Write).await?.reply)
    }

    pub(crate) async fn command(&self, command: Command, access: Access) -> BackendResult<Reply> {
        Ok(self.call(Request::One(command), access).await?.reply)
    }

    /// Sends a command, to one node of a cluster if it names one, and tells by which connection the
    /// reply came.
    pub(crate) async fn traced(
        &self,
        node: Option<NodeId>,
        command: Command,
        access: Access,
    ) -> BackendResult<Traced> {
        let target = node.map_or(RequestTarget::Owner, RequestTarget::Node);
        let request = InFlight::to(target, Request::One(command), access);
        self.call_with(request).await
    }

    /// Runs a script, by its hash if the server knows it.
    pub(crate) async fn script(
        &self,
        invocation: Invocation,
        access: Access,
    ) -> BackendResult<Reply> {
        Ok(self.call(Request::Script(invocation), access).await?.reply)
    }

    /// Sends commands in one go; the reply is an array of theirs, errors among them.
    pub(crate) async fn pipeline(&self, commands: Vec<Command>) -> BackendResult<Reply> {
        Ok(self
            .call(Request::Many(commands), Access::Write)
            .await?
            .reply)
    }

    /// Sends commands that a program made itself. The reply is `OneKeyOnly` where there is a
    /// cluster, and nobody can say which node the commands are for.
    #[cfg(feature = "redis-commands")]
    pub(crate) async fn raw(&self, raw: Raw) -> BackendResult<Reply> {
        Ok(self.call(Request::Raw(raw), Access::Write).await?.reply)
    }

    /// Sends one command that a program made itself to each node that serves slots. Returns a reply
    /// that is an error, or else any of the replies: a node that can't be reached doesn't matter as
    /// long as another node is reached.
    #[cfg(feature = "redis-commands")]
    pub(crate) async fn raw_on_each_node(&self, raw: Raw) -> BackendResult<Reply> {
        let _permit = self.gate.enter(raw.packed.len())?;
        let deadlines = deadlines()?;
        let asked = async {
            let nodes = match self.router.meets_cluster().await? {
                Some(cluster) => cluster.owners(ReadFrom::Primary).await?,
                None => Vec::new(),
            };
            let target =
                |node: Option<NodeId>| node.map_or(RequestTarget::Owner, RequestTarget::Node);
            let nodes = match nodes.is_empty() {
                true => vec![target(None)],
                false => nodes.into_iter().map(Some).map(target).collect(),
            };
            let calls = nodes.into_iter().map(|node| {
                let request = InFlight::to(node, Request::Raw(raw.clone()), Access::Write);
                async move {
                    let mut progress = Progress::default();
                    let reply = {
                        let exchange = pin!(self.exchange(None, request, &mut progress));
                        deadlines.within(self.patience, exchange).await
                    };
                    reply.unwrap_or_else(|| Err(self.timed_out(progress)))
                }
            });
            let (mut taken, mut failed) = (None, None);
            for outcome in join_all(calls).await {
                match outcome.map(|traced| traced.reply) {
                    Ok(refused @ Reply::Error(_)) => return Ok(refused),
                    Ok(reply) => taken = Some(reply),
                    Err(error) => failed = Some(error),
                }
            }
            taken.ok_or_else(|| failed.unwrap_or_else(|| self.timed_out(Progress::default())))
        };
        let outcome = deadlines.within(self.call_limit, pin!(asked)).await;
        outcome.unwrap_or_else(|| Err(self.timed_out(Progress::default())))
    }

    /// Returns the database that connections use.
    #[cfg(feature = "redis-commands")]
    pub(crate) fn database(&self) -> i64 {
        self.router.database()
    }

    /// Says whether further calls are refused.
    #[cfg(feature = "redis-commands")]
    pub(crate) fn is_closed(&self) -> bool {
        self.gate.is_closed()
    }

    /// Says whether there is a cluster, which takes a connection to know.
    pub(crate) async fn is_cluster(&self) -> BackendResult<bool> {
        match self.router.is_cluster() {
            Some(is_cluster) => Ok(is_cluster),
            None => Ok(self.limited(self.router.meets_cluster()).await?.is_some()),
        }
    }

    /// Returns the nodes that have all keys between them: of a cluster the nodes that serve slots,
    /// or a replica of each that has one up. `None` where there is one server to ask.
    pub(crate) async fn nodes(&self, from: ReadFrom) -> BackendResult<Option<Vec<NodeId>>> {
        self.is_cluster().await?;
        match self.router.cluster() {
            Some(cluster) => self.limited(cluster.owners(from)).await.map(Some),
            None => {
                let replica = self.limited(self.router.replica(from)).await?;
                Ok(replica.map(|replica| vec![replica]))
            }
        }
    }

    /// Reads the map of a cluster again, for requests to chosen nodes: no key corrects it there.
    pub(crate) async fn refreshed(&self) -> BackendResult<()> {
        match self.router.cluster() {
            Some(cluster) => self.limited(cluster.refreshed()).await,
            None => Ok(()),
        }
    }

    /// Waits for work that belongs to no request, for as long as a call may take.
    async fn limited<T>(&self, work: impl Future<Output = BackendResult<T>>) -> BackendResult<T> {
        let outcome = deadlines()?.within(self.call_limit, pin!(work)).await;
        outcome.unwrap_or_else(|| Err(self.timed_out(Progress::default())))
    }

    /// Waits before the next try of something that was tried in vain `tried` times.
    pub(crate) async fn pause(&self, tried: u32) -> BackendResult<()> {
        deadlines()?.sleep(resend::pause(tried, self.factor)).await;
        Ok(())
    }

    /// Sends commands to the nodes of a cluster that serve their keys, all commands for one node in
    /// one go. Each command has its keys in one slot. A command that was not executed has no
    /// outcome: it is to be sent by itself.
    pub(crate) async fn by_node(
        &self,
        commands: &[Command],
        access: Access,
    ) -> Vec<Option<BackendResult<Reply>>> {
        let mut outcomes: Vec<_> = commands.iter().map(|_| None).collect();
        let Some(cluster) = self.router.cluster() else {
            return outcomes;
        };
        if access == Access::Read(ReadFrom::Replica)
            && let Err(error) = self.limited(cluster.check_replicas()).await
        {
            return vec![Some(Err(error)); commands.len()];
        }
        let calls = cluster.by_node(commands, access).into_iter();
        let calls = calls.map(|(node, positions)| async move {
            let those = positions.iter().map(|position| commands[*position].clone());
            let request = Request::Many(those.collect());
            let reply = self.call_with(InFlight::to(RequestTarget::Node(node), request, access));
            (positions, reply.await)
        });
        for (positions, outcome) in join_all(calls).await {
            let replies = match outcome {
                Ok(Traced {
                    reply: Reply::Array(replies),
                    ..
                }) => {
                    let replies = replies.into_iter();
                    replies
                        .map(|reply| (!resend::is_refused(&reply)).then_some(Ok(reply)))
                        .collect()
                }
                Err(error) if error.outcome_unknown() || error.kind() == ErrorKind::Timeout => {
                    vec![Some(Err(error)); positions.len()]
                }
                Ok(_) | Err(_) => vec![None; positions.len()],
            };
            for (position, outcome) in positions.into_iter().zip(replies) {
                outcomes[position] = outcome;
            }
        }
        outcomes
    }

    /// Refuses calls from now on, waits for those that are under way, for as long as a call may
    /// take, and closes the connections.
    pub(crate) async fn close(&self) {
        self.gate.close();
        // A call that was begun and is polled no more never gives its permit back.
        if let Ok(deadlines) = deadlines() {
            let emptied = pin!(self.gate.emptied());
            deadlines.within(self.call_limit, emptied).await;
        }
        self.router.close();
    }

    /// Makes one call within the limit of time.
    ///
    /// Every call has such a future, in a box: so the future holds the request by a pointer, and
    /// large and rare parts in boxes.
    fn call(
        &self,
        request: Request,
        access: Access,
    ) -> impl Future<Output = BackendResult<Traced>> {
        self.call_with(InFlight::new(request, access))
    }

    async fn call_with(&self, request: Arc<InFlight>) -> BackendResult<Traced> {
        let _permit = self.gate.enter(request.length())?;
        let ready = self.router.ready(&request);
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
    /// if its reply was lost and sending again is harmless. Notes in `progress` what is sent, for
    /// the case that the limit passes.
    async fn exchange(
        &self,
        mut ready: Option<Arc<Connection>>,
        mut request: Arc<InFlight>,
        progress: &mut Progress,
    ) -> BackendResult<Traced> {
        let mut was_lost = false;
        let (mut refused_before, mut hops) = (0, 0);
        loop {
            let connection = match ready.take() {
                Some(connection) => connection,
                None => {
                    let refused = &mut progress.refused;
                    Box::pin(self.router.connection(&request, refused)).await?
                }
            };
            let may_have_several = request.names_many_keys() || request.is_raw();
            if may_have_several && !takes_keys_of(&connection, &request) {
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
            let rest = sent.connection.rest.as_ref();
            let reply = match rest {
                None => multiplexer.exchange(&sent.request).await,
                Some(rest) => {
                    Box::pin(self.exchange_with_replica(&sent.connection, rest, &sent.request))
                        .await
                }
            };
            let Ok(reply) = reply else {
                if rest.is_some() {
                    if let RequestTarget::Node(_) = sent.request.target() {
                        return Err(sent.connection.lost());
                    }
                } else if sent.request.was_sent() {
                    // A request that wasn't sent hasn't been tried yet.
                    let error = || sent.connection.lost();
                    self.router.doubt();
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
            if let Some(rest) = rest {
                if is_refusal && replicas::is_refused(&reply) {
                    rest.begin();
                    self.router.doubt();
                    if let RequestTarget::Node(_) = sent.request.target() {
                        return Err(replicas::has_refused(&sent.connection.location));
                    }
                    request = sent.request.again();
                    continue;
                }
                rest.end();
            }
            // A server by itself has no other node to send a request to.
            let cluster = self.router.cluster();
            let cluster = cluster.filter(|_| sent.connection.is_cluster);
            let mut moved = None;
            let resend = resend.filter(|(resend, refused)| match resend {
                Resend::Elsewhere | Resend::Later => true,
                Resend::Moved => {
                    moved = cluster.and_then(|to| to.moved(&sent.connection, refused));
                    moved.is_some()
                }
                Resend::Asked => cluster.is_some(),
            });
            if let Some((_, refused)) = &resend
                && cluster.is_some()
                && code(refused) == "TRYAGAIN"
                && sent.request.is_script()
                && sent.request.names_many_keys()
            {
                // While a slot moves, its keys are on two nodes, and no script may name several.
                return Ok(Traced {
                    reply: Reply::OneKeyOnly,
                    connection: sent.connection.id,
                });
            }
            let Some((resend, line)) = resend else {
                if rest.is_none() && is_from_wrong_server(&reply) {
                    self.router.begin_search(&sent.connection);
                }
                #[cfg(feature = "redis-commands")]
                if let Some(cluster) = cluster.filter(|_| sent.request.is_raw()) {
                    cluster.learn(&sent.connection, &reply);
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
            let sent = sent.request.clone();
            // The request had no effect, should there be no time left to send it again.
            progress.last = None;
            if matches!(resend, Resend::Moved | Resend::Asked) {
                hops += 1;
                if hops > MOST_HOPS {
                    return Err(disagreement(&line));
                }
                if hops > 1 {
                    // The nodes may not have heard of each other's change yet.
                    let pause = resend::pause(hops - 2, self.factor);
                    Box::pin(connection.deadlines.sleep(pause)).await;
                }
            } else {
                hops = 0;
                progress.refused = Some(refusal(&line));
            }
            if let (Resend::Asked, Some(cluster)) = (resend, cluster)
                && let Some(Ok(importing)) = Box::pin(cluster.importing(&connection, &line)).await
            {
                request = sent.again_asking();
                ready = Some(importing);
                continue;
            }
            request = match moved {
                Some(slot) => sent.again_in(slot),
                None => sent.again(),
            };
            match resend {
                // At once: meanwhile the map may be read again, from a node that knows less.
                Resend::Moved => ready = self.router.ready(&request),
                Resend::Elsewhere if cluster.is_none() => {
                    Box::pin(self.router.elsewhere(&connection, &refusal(&line))).await?;
                }
                Resend::Elsewhere | Resend::Later | Resend::Asked => {
                    self.router.doubt();
                    let pause = resend::pause(refused_before, self.factor);
                    Box::pin(connection.deadlines.sleep(pause)).await;
                    refused_before += 1;
                }
            }
        }
    }

    /// Sends a request to a replica. A silent replica is left for the primary in time: the request
    /// counts as lost.
    async fn exchange_with_replica(
        &self,
        connection: &Connection,
        rest: &Rest,
        request: &Arc<InFlight>,
    ) -> Result<Reply, Lost> {
        let multiplexer = &connection.multiplexer;
        let mut exchange = pin!(multiplexer.exchange(request));
        loop {
            let activity = multiplexer.activity();
            let within = connection
                .deadlines
                .within(self.patience, exchange.as_mut());
            if let Some(reply) = within.await {
                return reply;
            }
            // An answer that is on its way takes as long as it takes.
            if multiplexer.activity() == activity {
                rest.begin();
                request.lose();
                return Err(Lost);
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

/// Says whether a request that names several keys may be sent by this connection.
fn takes_keys_of(connection: &Connection, request: &InFlight) -> bool {
    #[cfg(feature = "redis-commands")]
    if request.is_raw() {
        return !connection.is_cluster || request.has_one_node();
    }
    match (connection.is_cluster, request.target()) {
        (true, RequestTarget::Node(_)) => true,
        (true, RequestTarget::Owner | RequestTarget::Replica | RequestTarget::Importing) => {
            request.slots() != Slots::Several
        }
        (false, _) => connection.takes_many_keys || !request.is_script(),
    }
}

/// Nodes whose maps differ send a request to each other.
fn disagreement(refused: &ErrorReply) -> BackendError {
    let slot = refused.details().split(' ').next().unwrap_or_default();
    let message = match slot.parse::<u16>() {
        Ok(slot) => format!("the nodes of the cluster disagree about who serves hash slot {slot}"),
        Err(_) => "the nodes of the cluster disagree".to_string(),
    };
    BackendError::new(ErrorKind::Unavailable, message)
}
