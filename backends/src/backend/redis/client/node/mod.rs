//! A server and the connections to it, one for each runtime: made when one is needed, replaced when
//! it is lost.
//!
//! The driver of a connection is a task, which stands still where nobody drives its runtime and
//! ends with it. So a call uses the connection of the runtime that polls it, and no call waits for
//! another runtime. All connections share what one of them learns of the server: that it is down,
//! and that the address leads to another server now.

mod attempt;
mod establish;
mod purpose;
mod reach;
mod reads_connection;
mod recognised;
mod search;
mod signs;
mod states;
mod waiting;

use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Notify;

pub(super) use self::search::NotFound;
use self::states::States;
use super::connection::Connection;
use super::context::ClientContext;
use super::endpoint::Endpoint;
use super::ids::NodeId;
use super::location::{Address, ServerLocation, address_hash};
use super::rest::Rest;
use super::sentinel::Sentinels;
use super::socket_error::connect_timeout;
use crate::backend::redis::status::NodeStatus;
use crate::error::BackendResult;
use crate::time::deadline::deadlines;

#[derive(Clone)]
pub(super) struct Node {
    shared: Arc<NodeShared>,
}

struct NodeShared {
    id: NodeId,
    server: Endpoint,
    /// Asked for the address of the server, where that may change.
    sentinels: Option<Arc<Sentinels>>,
    /// Tells whether the server serves, if it is a replica.
    rest: Option<Arc<Rest>>,
    context: Arc<ClientContext>,
    location: Arc<ServerLocation>,
    address_hash: u64,
    /// Told that the node may be gone, where another one may serve in its place.
    doubt: OnceLock<Box<dyn Fn() + Send + Sync>>,
    /// Held to look at a state, to change it or to spawn an attempt, never across an `.await`.
    states: Mutex<States>,
    /// True if the server takes a transaction as a whole, as far as is known.
    may_transact: Arc<AtomicBool>,
    /// Tells waiting callers that an attempt has ended, or that a doubted connection answers.
    news: Notify,
}

impl Node {
    pub(super) fn new(server: Endpoint, context: Arc<ClientContext>) -> Self {
        let location = server.location();
        Self::of(server, location, None, None, context)
    }

    /// Makes a node that may be a replica.
    pub(super) fn replica(server: Endpoint, context: Arc<ClientContext>) -> Self {
        let location = server.location();
        Self::of(server, location, None, Some(Arc::default()), context)
    }

    /// Makes the node of the primary that the sentinels name. `server` has its other settings.
    pub(super) fn named_by(
        sentinels: Arc<Sentinels>,
        server: Endpoint,
        context: Arc<ClientContext>,
    ) -> Self {
        let location = sentinels.location();
        Self::of(server, location, Some(sentinels), None, context)
    }

    fn of(
        server: Endpoint,
        location: ServerLocation,
        sentinels: Option<Arc<Sentinels>>,
        rest: Option<Arc<Rest>>,
        context: Arc<ClientContext>,
    ) -> Self {
        let shared = NodeShared {
            id: NodeId::next(),
            address_hash: address_hash(&location.to_string()),
            location: Arc::new(location),
            server,
            sentinels,
            rest,
            context,
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
        self.shared.context.limits.call
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
        let limit = self.shared.context.limits.connect;
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
            login_failure: self.shared.context.logins.failure(),
            sentinel_failure: sentinels.and_then(|sentinels| sentinels.failure()),
            is_replica: self.shared.rest.is_some(),
            slots: 0,
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
        if self.shared.context.logins.provided().is_some() {
            connection.multiplexer.drain();
        }
    }
}

impl NodeShared {
    fn is_current(&self, connection: &Connection) -> bool {
        self.states.lock().generation == connection.generation
    }

    /// Tells that the node may be gone.
    fn doubt(&self) {
        if let Some(doubt) = self.doubt.get() {
            doubt();
        }
    }
}
