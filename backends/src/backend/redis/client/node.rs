//! A server and the connections to it, one for each runtime: made when one is needed, replaced when
//! it is lost.
//!
//! The driver of a connection is a task, which stands still where nobody drives its runtime and
//! ends with it. So a call uses the connection of the runtime that polls it, and no call waits for
//! another runtime. All connections share what one of them learns of the server: that it is down,
//! and that the address leads to another server now.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use parking_lot::{Mutex, MutexGuard};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use super::dial::dial;
use super::driver::{Sign, Terms};
use super::endpoint::Endpoint;
use super::gate::closed;
use super::handshake::{Greeted, Identity, Introduction, ServerKind};
use super::ids::{ConnectionId, NodeId};
use super::location::{Address, ServerLocation, address_hash};
use super::login::Login;
use super::logins::{Chosen, Logins};
use super::multiplexer::Multiplexer;
use super::outage::ConnectFailure;
use super::renewal;
use super::rest::Rest;
use super::sentinel::Sentinels;
use super::settings::{ClientIdentity, ClientLimits};
use super::socket_error::connect_timeout;
use super::states::{ConnectAttempt, ConnectOutcome, Connection, Purpose, States};
use crate::backend::redis::status::NodeStatus;
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::time::deadline::{Deadlines, deadlines};

/// The longest wait of a call for a server that is known to be down. This time is longer than the
/// pauses between attempts in the first second of an outage.
const KNOWN_DOWN: Duration = Duration::from_millis(150);

/// A write that waits for longer holds reads up, where that is more than a few round trips.
const SHORTEST_HOLD: Duration = Duration::from_millis(100);

#[derive(Clone)]
pub(super) struct Node {
    shared: Arc<NodeShared>,
}

/// The settings of a client and what all of its nodes share.
pub(super) struct Common {
    pub(super) client_name: Option<String>,
    logins: Logins,
    pub(super) limits: ClientLimits,
    /// The number of calls that went out as a part of a command for several callers.
    merged: Arc<AtomicU64>,
}

pub(super) struct NodeShared {
    id: NodeId,
    server: Endpoint,
    /// Asked for the address of the server, where that may change.
    sentinels: Option<Arc<Sentinels>>,
    /// Tells whether the server serves, if it is a replica.
    rest: Option<Arc<Rest>>,
    pub(super) common: Arc<Common>,
    location: Arc<ServerLocation>,
    address_hash: u64,
    /// Told that the node may be gone, where another one may serve in its place.
    doubt: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Held to look at a state, to change it or to spawn an attempt, never across an `.await`.
    pub(super) states: Mutex<States>,
    /// True if the server takes a transaction as a whole, as far as is known.
    may_transact: Arc<AtomicBool>,
    /// Tells waiting callers that an attempt has ended, or that a doubted connection answers.
    pub(super) news: Notify,
}

/// The reason for which a search brought no server to write to.
pub(super) enum NotFound {
    Failed(BackendError),
    /// The caller can't search: it is on no runtime, or the client is closed.
    Impossible,
}

/// An attempt of the present runtime, as its task knows it.
struct BegunAttempt {
    turn: AttemptTurn,
    outcome: ConnectOutcome,
    deadlines: &'static Deadlines,
}

/// The place of an attempt among those of all runtimes.
pub(super) struct AttemptTurn {
    pub(super) purpose: Purpose,
    /// The generation when it was its turn.
    pub(super) generation: u64,
}

/// A server that has greeted, and the login that it took.
pub(super) struct Reached {
    pub(super) greeted: Greeted,
    login: Option<Arc<Login>>,
    /// The address that the sentinels told.
    told: Option<Address>,
    location: Arc<ServerLocation>,
}

/// The requests that a connection takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    All {
        /// True if there is another connection for reads, for a while.
        but_reads: bool,
    },
    Reads,
}

/// The outcome of a look at the present runtime's state.
enum ConnectionLook {
    Up(Arc<Connection>),
    Connecting {
        outcome: ConnectOutcome,
        /// True if a connection is doubted. It may answer before the attempt has ended.
        is_doubt: bool,
        /// The reason why the server is down, if it is known.
        known: Option<BackendError>,
    },
}

impl Common {
    /// Takes the login from the settings of `server`, unless a provider has it.
    pub(super) fn new(
        server: &Endpoint,
        location: &ServerLocation,
        identity: ClientIdentity,
        limits: ClientLimits,
    ) -> Self {
        let settings = server.info.redis_settings();
        Self {
            logins: Logins::new(settings, identity.provider, limits.connect, location),
            client_name: identity.name,
            limits,
            merged: Arc::default(),
        }
    }

    /// Makes the settings of a client beside this one. They share the logins.
    #[cfg(feature = "redis-commands")]
    pub(super) fn beside(&self) -> Self {
        Self {
            client_name: self.client_name.clone(),
            logins: self.logins.clone(),
            limits: self.limits,
            merged: Arc::default(),
        }
    }

    /// Returns the number of calls that went out as a part of a command for several callers.
    pub(super) fn merged(&self) -> u64 {
        self.merged.load(Ordering::Relaxed)
    }
}

impl Node {
    pub(super) fn new(server: Endpoint, common: Arc<Common>) -> Self {
        let location = server.location();
        Self::of(server, location, None, None, common)
    }

    /// Makes a node that may be a replica.
    pub(super) fn replica(server: Endpoint, common: Arc<Common>) -> Self {
        let location = server.location();
        Self::of(server, location, None, Some(Arc::default()), common)
    }

    /// Makes the node of the primary that the sentinels name. `server` has its other settings.
    pub(super) fn named_by(
        sentinels: Arc<Sentinels>,
        server: Endpoint,
        common: Arc<Common>,
    ) -> Self {
        let location = sentinels.location();
        Self::of(server, location, Some(sentinels), None, common)
    }

    fn of(
        server: Endpoint,
        location: ServerLocation,
        sentinels: Option<Arc<Sentinels>>,
        rest: Option<Arc<Rest>>,
        common: Arc<Common>,
    ) -> Self {
        let shared = NodeShared {
            id: NodeId::next(),
            address_hash: address_hash(&location.to_string()),
            location: Arc::new(location),
            server,
            sentinels,
            rest,
            common,
            doubt: OnceLock::new(),
            states: Mutex::new(States::new()),
            may_transact: Arc::new(AtomicBool::new(true)),
            news: Notify::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Makes this node one of a cluster. `doubt` is called when it doesn't answer, or can't be
    /// reached.
    pub(super) fn join_cluster(&self, doubt: impl Fn() + Send + Sync + 'static) {
        // A node that has joined has its `doubt` already.
        let _ = self.shared.doubt.set(Box::new(doubt));
    }

    pub(super) fn is_at(&self, address: &Address) -> bool {
        self.shared.location.is_at(address)
    }

    pub(super) fn id(&self) -> NodeId {
        self.shared.id
    }

    pub(super) fn location(&self) -> &ServerLocation {
        &self.shared.location
    }

    /// Returns the hash of the node's address.
    pub(super) fn address_hash(&self) -> u64 {
        self.shared.address_hash
    }

    pub(super) fn call_limit(&self) -> Duration {
        self.shared.common.limits.call
    }

    /// Says whether the node is a replica that doesn't serve for a while.
    pub(super) fn rests(&self) -> bool {
        let rest = self.shared.rest.as_ref();
        rest.is_some_and(|rest| rest.is_resting())
    }

    /// Hands over the requests that are unsent, or harmless to repeat: other nodes serve in the
    /// place of this one. Writes that were sent wait for their answers.
    pub(super) fn leave(&self) {
        let connections = self.shared.states.lock().leave();
        // After the lock: these wake drivers.
        for connection in connections {
            connection.multiplexer.hand_back();
        }
    }

    /// Connects, for as long as an attempt may take, and judges the settings.
    pub(super) async fn connect(&self) -> BackendResult<()> {
        let limit = self.shared.common.limits.connect;
        let connection = pin!(self.connection_or_judgement(false, true));
        // The attempt has its own limit; this outer one passes if the runtime never polls it.
        match deadlines()?.within(limit * 2, connection).await {
            Some(connection) => connection.map(drop),
            None => Err(connect_timeout(&self.shared.location, limit)),
        }
    }

    /// Makes no further connection, and ends the present ones.
    pub(super) fn close(&self) {
        let last = self.shared.states.lock().close();
        self.shared.news.notify_waiters();
        last.iter()
            .for_each(|connection| connection.multiplexer.close());
    }

    pub(super) fn status(&self) -> NodeStatus {
        let states = self.shared.states.lock();
        let server = states.introduction.as_ref();
        let oldest = states.up().map(|connection| connection.since).min();
        let sentinels = self.shared.sentinels.as_ref();
        NodeStatus {
            address: states
                .location
                .as_ref()
                .unwrap_or(&self.shared.location)
                .to_string(),
            version: server.and_then(|server| server.version.clone()),
            mode: server.and_then(|server| server.mode.clone()),
            connections: states.up().count(),
            connected_for: oldest.map(|oldest| oldest.elapsed()),
            reconnections: states.reconnections,
            failure: states.outage.failure().cloned(),
            login_failure: self.shared.common.logins.failure(),
            sentinel_failure: sentinels.and_then(|sentinels| sentinels.failure()),
            is_replica: self.shared.rest.is_some(),
            slots: 0,
        }
    }

    /// Returns the present runtime's connection if it is up, and begins to make it otherwise.
    pub(super) fn up_or_begun(&self) -> Option<Arc<Connection>> {
        match self.look(true, false) {
            Ok(ConnectionLook::Up(connection)) => Some(connection),
            Ok(ConnectionLook::Connecting { .. }) | Err(_) => None,
        }
    }

    /// Returns the present runtime's connection for a plain read or anything else, if it is up.
    pub(super) fn ready(&self, is_plain_read: bool) -> Option<Arc<Connection>> {
        let states = self.shared.states.lock();
        match Handle::try_current() {
            Ok(runtime) => states.of(runtime.id(), is_plain_read).cloned(),
            Err(_) => states.of_any().cloned(),
        }
    }

    /// Returns the present runtime's connection, or waits for the attempt to make one that is under
    /// way or begins now.
    pub(super) async fn connection(&self, is_plain_read: bool) -> BackendResult<Arc<Connection>> {
        self.connection_or_judgement(is_plain_read, false).await
    }

    async fn connection_or_judgement(
        &self,
        is_plain_read: bool,
        is_judging: bool,
    ) -> BackendResult<Arc<Connection>> {
        let began = Instant::now();
        let mut was_dropped = false;
        loop {
            // Made before the look: it is told of what happens after that.
            let news = self.shared.news.notified();
            let (mut outcome, is_doubt, known) = match self.look(is_plain_read, is_judging)? {
                ConnectionLook::Up(connection) => return Ok(connection),
                ConnectionLook::Connecting {
                    outcome,
                    is_doubt,
                    known,
                } => (outcome, is_doubt, known),
            };
            let ended = pin!(async {
                let ended = pin!(outcome.wait_for(Option::is_some));
                if !is_doubt {
                    return Some(ended.await);
                }
                match select(ended, pin!(news)).await {
                    Either::Left((ended, _)) => Some(ended),
                    Either::Right(_) => None,
                }
            });
            let ended = match known {
                None => ended.await,
                Some(error) => {
                    let left = KNOWN_DOWN.saturating_sub(began.elapsed());
                    match deadlines()?.within(left, ended).await {
                        Some(ended) => ended,
                        None => return Err(error),
                    }
                }
            };
            match ended.map(|ended| ended.map(|outcome| outcome.clone())) {
                // The address was found to lead elsewhere while the attempt was under way.
                Some(Ok(Some(Ok(connection)))) if !self.shared.is_current(&connection) => {}
                Some(Ok(Some(outcome))) => return outcome,
                Some(Err(_)) if was_dropped => {
                    return Err(BackendError::new(
                        ErrorKind::Unavailable,
                        "the runtime ended before there was a connection",
                    ));
                }
                Some(Err(_)) => was_dropped = true,
                Some(Ok(None)) | None => {}
            }
        }
    }

    /// Returns the connection or the attempt of the present runtime.
    fn look(&self, is_plain_read: bool, is_judging: bool) -> BackendResult<ConnectionLook> {
        // Dropped after the lock: that wakes a driver.
        let _lost;
        let runtime = Handle::try_current();
        let mut states = self.shared.states.lock();
        if states.is_closed {
            return Err(closed());
        }
        let Ok(runtime) = runtime else {
            let connection = states.of_any().cloned().map(ConnectionLook::Up);
            return connection.ok_or_else(|| {
                BackendError::new(ErrorKind::Other, "there is no tokio runtime to connect on")
            });
        };
        if let Some(connection) = states.of(runtime.id(), is_plain_read) {
            return Ok(ConnectionLook::Up(connection.clone()));
        }
        let known = states.outage.recent_failure(Instant::now());
        let known = known.filter(|_| !is_judging).cloned();
        if let Some(attempt) = states.attempt(runtime.id()) {
            return Ok(ConnectionLook::Connecting {
                outcome: attempt.outcome.clone(),
                is_doubt: attempt.purpose.hands_back(),
                known,
            });
        }
        _lost = states.take_unusable(runtime.id());
        let outcome = self
            .shared
            .begin(&mut states, &runtime, Purpose::Connect, is_judging)?;
        Ok(ConnectionLook::Connecting {
            outcome,
            is_doubt: false,
            known,
        })
    }

    /// Begins to look for the server to write to: this connection leads to a server that takes no
    /// writes. Reads may go on over this connection meanwhile.
    pub(super) fn begin_search(&self, connection: &Connection) {
        drop(self.searching(connection));
    }

    /// Looks for the server to write to, or waits for the search that is under way. Afterwards a
    /// request that was refused may be sent again, perhaps to the same server.
    pub(super) async fn search(&self, connection: &Connection) -> Result<(), NotFound> {
        let Some(mut outcome) = self.searching(connection)? else {
            return Ok(());
        };
        match outcome.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Err(error))) => Err(NotFound::Failed(error.clone())),
            Ok(_) => Ok(()),
            Err(_) => Err(NotFound::Impossible),
        }
    }

    /// Returns the search of the present runtime; nothing if it has another connection by now.
    fn searching(&self, connection: &Connection) -> Result<Option<ConnectOutcome>, NotFound> {
        let runtime = Handle::try_current().map_err(|_| NotFound::Impossible)?;
        let mut states = self.shared.states.lock();
        if states.is_closed {
            return Err(NotFound::Impossible);
        }
        let present = states.living(runtime.id());
        if present.is_none_or(|present| present.id != connection.id) {
            return Ok(None);
        }
        if let Some(attempt) = states.attempt(runtime.id()) {
            return Ok(Some(attempt.outcome.clone()));
        }
        let outcome = self
            .shared
            .begin(&mut states, &runtime, Purpose::Switch, false);
        outcome.map(Some).map_err(NotFound::Failed)
    }

    /// Gives up a connection by which nothing has come for the whole of a call: it is as good as
    /// lost.
    pub(super) fn gone_silent(&self, connection: &Connection) {
        let was_draining = connection.multiplexer.is_draining();
        connection.multiplexer.drain();
        let mut states = self.shared.states.lock();
        if !was_draining && connection.generation == states.generation {
            states.lost();
        }
    }

    /// Gives up a connection on which the server has forgotten the login, if another login can be
    /// had.
    pub(super) fn logged_out(&self, connection: &Connection) {
        if self.shared.common.logins.provided().is_some() {
            connection.multiplexer.drain();
        }
    }
}

impl NodeShared {
    /// Connects on a task of its own, so that a caller that gives up doesn't take the attempt from
    /// the others.
    fn begin(
        self: &Arc<Self>,
        states: &mut States,
        runtime: &Handle,
        purpose: Purpose,
        is_judging: bool,
    ) -> BackendResult<ConnectOutcome> {
        let deadlines = deadlines()?;
        let (tell, outcome) = watch::channel(None);
        let limit = self.common.limits.connect;
        let now = Instant::now();
        let earliest = states.earliest(purpose, limit, now).unwrap_or(now);
        let attempt = ConnectAttempt {
            outcome: outcome.clone(),
            purpose,
            overdue: earliest + (earliest - now) + limit * 2,
        };
        states.begin(runtime.id(), attempt)?;
        let turn = AttemptTurn {
            purpose,
            generation: states.generation,
        };
        let mut begun = BegunAttempt {
            turn,
            outcome: outcome.clone(),
            deadlines,
        };
        let shared = self.clone();
        runtime.spawn(async move {
            let outcome = match shared.turn(&mut begun.turn, begun.deadlines).await {
                Ok(Some(present)) => Ok(present),
                Ok(None) => {
                    let reached = shared.reach(begun.deadlines, is_judging).await;
                    if reached.is_err() {
                        shared.doubt();
                    }
                    let mut states = shared.states.lock();
                    states.ended(begun.turn.purpose, reached.as_ref().err());
                    shared.settle(states, reached, &begun)
                }
                Err(failure) => shared.settle(shared.states.lock(), Err(failure), &begun),
            };
            let _ = tell.send(Some(outcome));
            shared.news.notify_waiters();
        });
        Ok(outcome)
    }

    /// Waits until an attempt of the present runtime may begin. Returns the runtime's connection
    /// instead if calls can go on with it: it answers again, or another runtime has reached the
    /// same server.
    ///
    /// # Errors
    ///
    /// The failure of another attempt that ended meanwhile.
    pub(super) async fn turn(
        &self,
        turn: &mut AttemptTurn,
        deadlines: &Deadlines,
    ) -> Result<Option<Arc<Connection>>, ConnectFailure> {
        let runtime = Handle::current().id();
        let mut seen = None;
        loop {
            // Made before the look: it is told of what happens after that.
            let news = self.news.notified();
            let now = Instant::now();
            let earliest = {
                let mut states = self.states.lock();
                if states.is_closed {
                    return Err(ConnectFailure::of(closed()));
                }
                let (failures, searches) =
                    *seen.get_or_insert((states.outage.failures(), states.searches.ended));
                if let Some(failure) = states.outage.failure_after(failures) {
                    return Err(failure.clone());
                }
                let present = states.living(runtime);
                let is_enough = |present: &&Arc<Connection>| match turn.purpose {
                    Purpose::Connect | Purpose::Relieve | Purpose::Part => false,
                    Purpose::Switch => states.searches.ended > searches,
                    Purpose::Replace { .. } => !turn.purpose.doubts(present),
                };
                if let Some(present) = present.filter(is_enough) {
                    return Ok(Some(present.clone()));
                }
                if present.is_none() && turn.purpose == Purpose::Switch {
                    // Another runtime has found another server: there is nothing to search for.
                    turn.purpose = Purpose::Connect;
                }
                turn.generation = states.generation;
                match states.claim(turn.purpose, self.common.limits.connect, now) {
                    Ok(()) => return Ok(None),
                    Err(earliest) => earliest,
                }
            };
            let pause = deadlines.sleep(earliest - now);
            select(pin!(pause), pin!(news)).await;
        }
    }

    /// Connects to the server within the limit. The time that a provider of credentials takes is
    /// part of it.
    pub(super) async fn reach(
        &self,
        deadlines: &'static Deadlines,
        is_judging: bool,
    ) -> Result<Reached, ConnectFailure> {
        let limit = self.common.limits.connect;
        let by = Instant::now() + limit;
        loop {
            let chosen = self.common.logins.choose(deadlines, by).await;
            let Chosen { login, is_fresh } = chosen.map_err(|error| ConnectFailure {
                error,
                lacks_login: true,
            })?;
            let left = match is_fresh {
                true => by.saturating_duration_since(Instant::now()),
                false => limit,
            };
            let identity = Identity {
                settings: self.server.info.redis_settings(),
                login: login.as_deref(),
                client_name: self.common.client_name.as_deref(),
                kind: match self.rest {
                    None => ServerKind::Primary,
                    Some(_) => ServerKind::Replica,
                },
            };
            match self.dial(identity, left, deadlines, is_judging).await {
                Ok((greeted, told, location)) => {
                    self.check(&greeted.server).map_err(ConnectFailure::of)?;
                    return Ok(Reached {
                        greeted,
                        login,
                        told,
                        location,
                    });
                }
                // The password was replaced before its time: the provider may know the new one.
                Err(_)
                    if Instant::now() < by
                        && self
                            .common
                            .logins
                            .should_ask_again(login.as_ref(), is_fresh) => {}
                Err(error) => return Err(ConnectFailure::of(error)),
            }
        }
    }

    /// Connects to the server, and returns its place too.
    async fn dial(
        &self,
        identity: Identity<'_>,
        limit: Duration,
        deadlines: &Deadlines,
        is_judging: bool,
    ) -> BackendResult<(Greeted, Option<Address>, Arc<ServerLocation>)> {
        let Some(sentinels) = &self.sentinels else {
            let (server, location) = (&self.server, &self.location);
            let greeted = dial(server, identity, location, limit, deadlines, is_judging).await?;
            return Ok((greeted, None, location.clone()));
        };
        let reached = sentinels.reach(identity, limit, deadlines, is_judging);
        let (greeted, address, location) = Box::pin(reached).await?;
        Ok((greeted, Some(address), Arc::new(location)))
    }

    /// Leaves the primary of a generation, in whose place another one serves, with all connections
    /// to it. The outcome of a write that it may have seen is unknown: its data is given up.
    fn switched(&self, generation: u64, left: &Address, other: &Address) {
        let connections = {
            let mut states = self.states.lock();
            // Other runtimes hear of it too, and one may have reached the other primary by now.
            if states.is_closed || states.generation != generation {
                return;
            }
            if let Some(sentinels) = &self.sentinels {
                sentinels.leave(left, other);
            }
            states.switched()
        };
        // After the lock: these wake drivers.
        for connection in connections {
            connection.multiplexer.close();
        }
        self.news.notify_waiters();
    }

    /// Checks that a node of a cluster still is one.
    fn check(&self, server: &Introduction) -> BackendResult<()> {
        if self.doubt.get().is_none() || self.is_in_cluster(server) {
            return Ok(());
        }
        Err(BackendError::new(
            ErrorKind::Unavailable,
            format!("{} is no node of a cluster any more", self.location),
        ))
    }

    /// Says whether a server that has greeted is a node of a cluster. A user may have no right to
    /// hear what kind of server it is.
    fn is_in_cluster(&self, server: &Introduction) -> bool {
        server.is_cluster() || server.mode.is_none() && self.doubt.get().is_some()
    }

    fn is_current(&self, connection: &Connection) -> bool {
        self.states.lock().generation == connection.generation
    }

    /// Ends an attempt of the present runtime, and returns the connection to use from now on.
    fn settle(
        self: &Arc<Self>,
        mut states: MutexGuard<'_, States>,
        reached: Result<Reached, ConnectFailure>,
        begun: &BegunAttempt,
    ) -> BackendResult<Arc<Connection>> {
        // Dropped after the lock: that wakes a driver.
        let _left;
        let runtime = Handle::current().id();
        let AttemptTurn {
            purpose,
            generation: began,
        } = begun.turn;
        if states.is_closed {
            return Err(closed());
        }
        // An attempt that was overdue may have been replaced by another one.
        let is_own = |attempt: &ConnectAttempt| attempt.outcome.same_channel(&begun.outcome);
        let state = states.state(runtime);
        let attempt = state.and_then(|state| state.attempt.as_ref());
        let is_own = attempt.is_some_and(is_own);
        let present = state.and_then(|state| state.connection.clone());
        // A server that doesn't greet anybody stands still, and may go on.
        let says_nothing = reached.as_ref().is_err_and(|failure| {
            failure.lacks_login || failure.error.kind() == ErrorKind::Timeout
        });
        let is_kept = present.as_ref().is_some_and(|present| match purpose {
            Purpose::Replace { .. } => {
                let may_live = says_nothing || !purpose.doubts(present);
                may_live && !present.multiplexer.is_draining()
            }
            Purpose::Switch | Purpose::Relieve => reached.is_err(),
            Purpose::Connect | Purpose::Part => false,
        });
        if matches!(purpose, Purpose::Replace { .. }) && !is_kept {
            states.doubt_server();
        }
        let outcome = reached.map_err(|failure| failure.error).map(|reached| {
            let run_id = reached.greeted.server.run_id.as_deref();
            let generation = states.recognise(run_id, purpose, began);
            if generation == states.generation {
                states.introduction = Some(reached.greeted.server.clone());
                states.location = Some(reached.location.clone());
            }
            let takes = Takes::All {
                but_reads: states.living_reads(runtime).is_some(),
            };
            let id = ConnectionId::next();
            Arc::new(self.connection(reached, id, takes, generation, begun.deadlines))
        });
        let generation = states.generation;
        let Some(state) = states.state_mut(runtime).filter(|_| is_own) else {
            return outcome;
        };
        state.attempt = None;
        if let Some(present) = &present
            && purpose.hands_back()
            && is_kept
            && present.generation == generation
        {
            // Before the other connection is dropped: that wakes a driver.
            drop(states);
            return Ok(present.clone());
        }
        let replaced = match &outcome {
            Ok(connection) => state.connection.replace(connection.clone()),
            Err(_) if is_kept => None,
            Err(_) => state.connection.take(),
        };
        if outcome.is_ok() {
            // Those that the server before was asked by.
            _left = state.reads.take_if(|reads| reads.generation != generation);
            states.made(runtime, purpose != Purpose::Connect);
        }
        drop(states);
        // After the lock: these wake a driver.
        if let Some(replaced) = replaced {
            match purpose.hands_back() {
                true => replaced.multiplexer.hand_back(),
                false => replaced.multiplexer.drain(),
            }
        }
        outcome
    }

    pub(super) fn connection(
        self: &Arc<Self>,
        reached: Reached,
        id: ConnectionId,
        takes: Takes,
        generation: u64,
        deadlines: &'static Deadlines,
    ) -> Connection {
        let Reached {
            greeted,
            login,
            told,
            location,
        } = reached;
        let shared = Arc::downgrade(self);
        let watcher = self.sentinels.as_ref().zip(told);
        let watcher = watcher.filter(|_| takes != Takes::Reads);
        let watcher = watcher.map(|(sentinels, primary)| {
            let (shared, limit) = (shared.clone(), self.common.limits.connect);
            sentinels.watch(primary, limit, deadlines, move |left, other| {
                if let Some(shared) = shared.upgrade() {
                    shared.switched(generation, left, other);
                }
            })
        });
        let is_cluster = self.is_in_cluster(&greeted.server);
        let takes_many_keys = greeted.server.takes_many_keys && !is_cluster;
        let terms = Terms {
            deadlines,
            patience: self.common.limits.patience(),
            silence: self.common.limits.keep_alive,
            hold: SHORTEST_HOLD.max(greeted.round_trip * 4),
            holds_writes: takes == Takes::All { but_reads: true },
            takes_many_keys,
            is_cluster,
            may_transact: self.may_transact.clone(),
            merged: self.common.merged.clone(),
            notice: Box::new(move |sign| {
                if let Some(shared) = shared.upgrade() {
                    match takes {
                        Takes::All { .. } => shared.note(id, sign),
                        Takes::Reads => shared.note_of_reads(sign),
                    }
                }
            }),
        };
        let multiplexer = Multiplexer::start(greeted.socket, greeted.input, terms);
        let renewal = login
            .zip(self.common.logins.provided())
            .and_then(|(login, provided)| {
                renewal::begin(provided, &login, &multiplexer.inbox, deadlines)
            });
        Connection {
            multiplexer,
            id,
            deadlines,
            since: Instant::now(),
            node: self.id,
            location,
            takes_many_keys,
            is_cluster,
            generation,
            rest: self.rest.clone(),
            _renewal: renewal,
            _watcher: watcher,
        }
    }

    /// Tells that the node may be gone.
    fn doubt(&self) {
        if let Some(doubt) = self.doubt.get() {
            doubt();
        }
    }

    /// Does what a sign of the present runtime's connection calls for.
    fn note(self: &Arc<Self>, connection: ConnectionId, sign: Sign) {
        match sign {
            Sign::Silent => {
                self.doubt();
                self.replace(connection, |activity| Purpose::Replace { activity });
            }
            Sign::Wasted => self.replace(connection, |_| Purpose::Relieve),
            Sign::Answers => self.news.notify_waiters(),
            Sign::Holds => self.part_reads(connection),
            Sign::Flows => self.join_reads(connection),
        }
    }

    /// Begins to replace the present runtime's connection, for a purpose by its activity.
    fn replace(self: &Arc<Self>, connection: ConnectionId, purpose: impl FnOnce(u64) -> Purpose) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut states = self.states.lock();
        let present = states
            .of(runtime.id(), false)
            .filter(|present| present.id == connection);
        let Some(activity) = present.map(|present| present.multiplexer.activity()) else {
            return;
        };
        if states.is_closed || states.attempt(runtime.id()).is_some() {
            return;
        }
        // Without a thread for the time limits no call comes this far.
        drop(self.begin(&mut states, &runtime, purpose(activity), false));
    }
}
