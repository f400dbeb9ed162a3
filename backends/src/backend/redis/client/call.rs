//! The policy of a call: its limit of time, and when its request is sent again.
//!
//! A request whose reply was lost is sent once more if that is harmless. A request that was refused
//! is sent again, as long as there is time, if nothing of it was executed.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::access::Access;
use super::cluster::Cluster;
use super::connection::Connection;
use super::gate::Gate;
use super::ids::ConnectionId;
use super::in_flight::{InFlight, Lost};
use super::refusal::{code, refusal};
use super::replicas;
use super::request::{Request, RequestTarget};
use super::resend::{self, Resend, is_from_wrong_server, is_logged_out};
use super::resp::{ErrorReply, Reply};
use super::rest::Rest;
use super::router::{Router, Servers};
use super::settings::{ClientIdentity, ClientLimits};
use super::slot::Slots;
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::time::deadline::deadlines;

/// The most times that a request is sent on to another node of a cluster.
const MOST_HOPS: u32 = 5;

/// The way of calls: in by the gate, and by the router to the servers.
pub(super) struct Calls {
    pub(super) gate: Gate,
    pub(super) router: Router,
    pub(super) call_limit: Duration,
    /// A replica that is silent for so long is left for the primary.
    pub(super) patience: Duration,
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

/// The progress of a call.
#[derive(Default)]
pub(super) struct Progress {
    /// What was sent last, for the case that the limit passes.
    last: Option<LastSend>,
    /// The last refusal of which nothing was executed. The refusal tells more than the passed
    /// limit.
    last_refusal: Option<BackendError>,
    /// True if a reply was lost.
    was_lost: bool,
    /// The number of refusals by servers that weren't ready.
    refusals: u32,
    /// The number of times that the request was sent on to another node, one after the other.
    hops: u32,
}

/// The last send of a request.
struct LastSend {
    connection: Arc<Connection>,
    request: Arc<InFlight>,
    /// The activity of the connection before.
    activity: u64,
}

/// The meaning of a reply for its request.
enum ReplyMeaning {
    Answer(Reply),
    /// A replica doesn't serve: the primary may.
    Unserved,
    Refused(RefusedRequest),
}

/// A refusal of which nothing was executed.
struct RefusedRequest {
    resend: Resend,
    line: ErrorReply,
    /// The slot that another node serves, if the refusal tells one.
    moved: Option<u16>,
    connection: Arc<Connection>,
    request: Arc<InFlight>,
}

/// The next send of a request.
struct NextSend {
    request: Arc<InFlight>,
    /// The connection to send it by, if it is chosen already.
    connection: Option<Arc<Connection>>,
}

impl Calls {
    pub(super) fn new(servers: Servers, identity: ClientIdentity, limits: ClientLimits) -> Self {
        Self::over(Router::new(servers, identity, limits), limits)
    }

    /// Makes a caller of the same servers with the same logins and limits, and connections of its
    /// own.
    #[cfg(feature = "redis-commands")]
    pub(super) fn beside(&self) -> Self {
        Self {
            factor: self.factor,
            ..Self::over(self.router.beside(), self.router.limits())
        }
    }

    fn over(router: Router, limits: ClientLimits) -> Self {
        Self {
            gate: Gate::new(limits.waiting, limits.waiting_bytes),
            router,
            call_limit: limits.call,
            patience: limits.patience(),
            factor: 1.0 - fastrand::f64() / 5.0,
        }
    }

    /// Makes one call within the limit of time.
    ///
    /// Every call has such a future, in a box: so the future holds the request by a pointer, and
    /// large and rare parts in boxes.
    pub(super) fn call(
        &self,
        request: Request,
        access: Access,
    ) -> impl Future<Output = BackendResult<Traced>> {
        self.call_with(InFlight::new(request, access))
    }

    pub(super) async fn call_with(&self, request: Arc<InFlight>) -> BackendResult<Traced> {
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

    /// Waits for work that belongs to no request, for as long as a call may take.
    pub(super) async fn limited<T>(
        &self,
        work: impl Future<Output = BackendResult<T>>,
    ) -> BackendResult<T> {
        let outcome = deadlines()?.within(self.call_limit, pin!(work)).await;
        outcome.unwrap_or_else(|| Err(self.timed_out(Progress::default())))
    }

    /// Returns the pause before the next try of something that was tried in vain `tried` times.
    pub(super) fn pause(&self, tried: u32) -> Duration {
        resend::pause(tried, self.factor)
    }

    /// Sends the request, until it has an answer or is not to be sent again. Notes in `progress`
    /// what is sent, for the case that the limit passes.
    pub(super) async fn exchange(
        &self,
        mut ready: Option<Arc<Connection>>,
        mut request: Arc<InFlight>,
        progress: &mut Progress,
    ) -> BackendResult<Traced> {
        loop {
            let connection = match ready.take() {
                Some(connection) => connection,
                None => {
                    let refused = &mut progress.last_refusal;
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
            let reply = match sent.connection.rest.as_ref() {
                None => sent.connection.multiplexer.exchange(&sent.request).await,
                Some(rest) => Box::pin(self.exchange_with_replica(sent, rest)).await,
            };
            let Ok(reply) = reply else {
                request = self.after_loss(sent, &mut progress.was_lost)?;
                continue;
            };
            let connection = sent.connection.id;
            // Nothing of the reply is held across the wait.
            let refused = match self.judge(sent, reply)? {
                ReplyMeaning::Answer(reply) => return Ok(Traced { reply, connection }),
                ReplyMeaning::Unserved => {
                    request = sent.request.again();
                    continue;
                }
                ReplyMeaning::Refused(refused) => refused,
            };
            let next = Box::pin(self.after_refusal(refused, progress)).await?;
            (request, ready) = (next.request, next.connection);
        }
    }

    /// Returns the request of a lost reply, to be sent once more if that is harmless.
    fn after_loss(&self, sent: &LastSend, was_lost: &mut bool) -> BackendResult<Arc<InFlight>> {
        let error = || sent.connection.lost();
        if sent.connection.rest.is_some() {
            if let RequestTarget::Node(_) = sent.request.target() {
                return Err(error());
            }
        } else if sent.request.was_sent() {
            // A request that wasn't sent hasn't been tried yet.
            self.router.doubt();
            if !sent.request.is_repeatable() {
                return Err(error().with_outcome_unknown());
            }
            if std::mem::replace(was_lost, true) {
                return Err(error());
            }
        }
        Ok(sent.request.again())
    }

    /// Finds the meaning of a reply, and has the router learn from it.
    fn judge(&self, sent: &LastSend, mut reply: Reply) -> BackendResult<ReplyMeaning> {
        let is_refusal = matches!(reply, Reply::Error(_) | Reply::Array(_));
        if is_refusal && sent.connection.is_cluster {
            reply.name_node(&sent.connection.location);
        }
        let rest = sent.connection.rest.as_ref();
        if let Some(rest) = rest {
            if is_refusal && replicas::is_refused(&reply) {
                rest.begin();
                self.router.doubt();
                return match sent.request.target() {
                    RequestTarget::Node(_) => Err(replicas::has_refused(&sent.connection.location)),
                    _ => Ok(ReplyMeaning::Unserved),
                };
            }
            rest.end();
        }
        if let Some(refused) = is_refusal
            .then(|| self.refused_request(sent, &reply))
            .flatten()
        {
            return Ok(match self.is_between_nodes(&refused) {
                true => ReplyMeaning::Answer(Reply::OneKeyOnly),
                false => ReplyMeaning::Refused(refused),
            });
        }
        if rest.is_none() && is_from_wrong_server(&reply) {
            self.router.begin_search(&sent.connection);
        }
        #[cfg(feature = "redis-commands")]
        if sent.request.is_raw()
            && let Some(cluster) = self.cluster_of(&sent.connection)
        {
            cluster.learn(&sent.connection, &reply);
        }
        if is_refusal && is_logged_out(&reply) {
            self.router.logged_out(&sent.connection);
        }
        Ok(ReplyMeaning::Answer(reply))
    }

    /// Returns the refusal, if the request can be sent again after it.
    fn refused_request(&self, sent: &LastSend, reply: &Reply) -> Option<RefusedRequest> {
        let (resend, line) = sent.request.resend(reply)?;
        let moved = match resend {
            Resend::Elsewhere | Resend::Later => None,
            Resend::Moved => {
                let cluster = self.cluster_of(&sent.connection)?;
                Some(cluster.moved(&sent.connection, &line)?)
            }
            Resend::Asked => {
                self.cluster_of(&sent.connection)?;
                None
            }
        };
        Some(RefusedRequest {
            resend,
            line,
            moved,
            connection: sent.connection.clone(),
            request: sent.request.clone(),
        })
    }

    /// Says whether a script was refused because its slot moves: its keys are on two nodes
    /// meanwhile, and no script may name several.
    fn is_between_nodes(&self, refused: &RefusedRequest) -> bool {
        let request = &refused.request;
        code(&refused.line) == "TRYAGAIN"
            && request.is_script()
            && request.names_many_keys()
            && self.cluster_of(&refused.connection).is_some()
    }

    /// Returns the cluster whose node a connection leads to. A server by itself has no other node
    /// to send a request to.
    fn cluster_of(&self, connection: &Connection) -> Option<&Cluster> {
        self.router.cluster().filter(|_| connection.is_cluster)
    }

    /// Waits until a request that was refused may be sent again.
    ///
    /// # Errors
    ///
    /// The reason for which it can't be sent again.
    async fn after_refusal(
        &self,
        refused: RefusedRequest,
        progress: &mut Progress,
    ) -> BackendResult<NextSend> {
        // The request had no effect, should there be no time left to send it again.
        progress.last = None;
        let RefusedRequest {
            resend,
            line,
            moved,
            connection,
            request,
        } = refused;
        let cluster = self.cluster_of(&connection);
        if matches!(resend, Resend::Moved | Resend::Asked) {
            progress.hops += 1;
            self.before_hop(progress.hops, &connection, &line).await?;
        } else {
            progress.hops = 0;
            progress.last_refusal = Some(refusal(&line));
        }
        if let (Resend::Asked, Some(cluster)) = (resend, cluster)
            && let Some(Ok(importing)) = cluster.importing(&connection, &line).await
        {
            return Ok(NextSend {
                request: request.again_asking(),
                connection: Some(importing),
            });
        }
        let request = match moved {
            Some(slot) => request.again_in(slot),
            None => request.again(),
        };
        let mut ready = None;
        match resend {
            // At once: meanwhile the map may be read again, from a node that knows less.
            Resend::Moved => ready = self.router.ready(&request),
            Resend::Elsewhere if cluster.is_none() => {
                let refused = refusal(&line);
                self.router.elsewhere(&connection, &refused).await?;
            }
            Resend::Elsewhere | Resend::Later | Resend::Asked => {
                self.router.doubt();
                let pause = self.pause(progress.refusals);
                connection.deadlines.sleep(pause).await;
                progress.refusals += 1;
            }
        }
        Ok(NextSend {
            request,
            connection: ready,
        })
    }

    /// Waits until a request may go on to another node, for the `hops`th time.
    async fn before_hop(
        &self,
        hops: u32,
        connection: &Connection,
        refused: &ErrorReply,
    ) -> BackendResult<()> {
        if hops > MOST_HOPS {
            return Err(disagreement(refused));
        }
        if hops > 1 {
            // The nodes may not have heard of each other's change yet.
            connection.deadlines.sleep(self.pause(hops - 2)).await;
        }
        Ok(())
    }

    /// Sends a request to a replica. A silent replica is left for the primary in time: the request
    /// counts as lost.
    async fn exchange_with_replica(&self, sent: &LastSend, rest: &Rest) -> Result<Reply, Lost> {
        let LastSend {
            connection,
            request,
            ..
        } = sent;
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
    pub(super) fn timed_out(&self, progress: Progress) -> BackendError {
        let message = format!("no answer within {:?}", self.call_limit);
        let timeout = BackendError::new(ErrorKind::Timeout, message);
        let Some(last) = progress.last else {
            return progress.last_refusal.unwrap_or(timeout);
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
        progress.last_refusal.unwrap_or(timeout)
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
