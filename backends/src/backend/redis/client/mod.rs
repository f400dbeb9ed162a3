//! The client: it knows RESP, sockets and servers, and of the contract nothing but `Stored`, into
//! which a value is copied once.
//!
//! A call passes the gate, which counts places. The router chooses the node, a server, which has a
//! connection for each runtime. The multiplexer puts requests into the inbox of a connection, and
//! the driver is the task that owns its socket. A request whose reply was lost is sent again only
//! if that is harmless, and a request that was refused only if nothing of it was executed.

// The protocol, and what is sent by it.
mod access;
#[cfg(feature = "redis-commands")]
mod raw;
mod refusal;
mod request;
mod resend;
mod resp;
mod script;
mod slot;

// A connection that many callers share.
mod connection;
mod connection_end;
mod driver;
mod in_flight;
mod inbox;
#[cfg(interleavings)]
pub mod interleavings;
mod merge;
mod multiplexer;
mod read_buffer;
mod renewal;
mod task;

// The way to a server, up to its greeting.
mod conversation;
mod dial;
mod endpoint;
mod handshake;
mod info;
mod location;
mod login;
mod logins;
mod socket;
mod socket_error;
mod tls;

// The servers, and what is known of them.
mod cluster;
mod context;
mod ids;
mod node;
mod outage;
mod readings;
mod replicas;
mod rest;
mod router;
mod sentinel;
mod settings;

// Tests.
#[cfg(any(test, fuzzing))]
mod fuzzing;

// Calls.
mod call;
mod gate;
mod node_calls;
#[cfg(feature = "redis-commands")]
mod raw_calls;

use std::pin::pin;

pub(crate) use self::access::Access;
use self::call::Calls;
pub(crate) use self::call::Traced;
use self::cluster::Cluster;
pub(crate) use self::endpoint::Endpoint;
#[cfg(any(test, fuzzing))]
pub use self::fuzzing::replies;
pub(crate) use self::ids::{ConnectionId, NodeId};
use self::in_flight::InFlight;
#[cfg(feature = "derive")]
pub(crate) use self::info::Info;
#[cfg(feature = "redis-commands")]
pub(crate) use self::raw::Raw;
pub(crate) use self::refusal::{code, is_unknown, refusal, refusal_of_kind};
use self::request::{Request, RequestTarget};
pub(crate) use self::resp::{Argument, Command, ErrorReply, Reply};
pub(crate) use self::router::{Deployment, Servers};
pub(crate) use self::script::{Invocation, KeyedInvocation, Script};
pub(crate) use self::sentinel::Service;
pub(crate) use self::settings::{ClientIdentity, ClientLimits};
#[cfg(feature = "redis-commands")]
pub(crate) use self::slot::Slots;
pub(crate) use self::slot::{SLOTS, slot};
#[cfg(feature = "tls")]
pub use self::tls::Tls;
#[cfg(not(feature = "tls"))]
pub(crate) use self::tls::Tls;
use super::read_from::ReadFrom;
use super::status::RedisStatus;
use crate::error::BackendResult;
use crate::time::deadline::deadlines;

/// A client of one server, or of a cluster. A reply may be an error of the server: its meaning is
/// the caller's to say.
pub(crate) struct Client {
    calls: Calls,
}

impl Client {
    pub(crate) fn new(servers: Servers, identity: ClientIdentity, limits: ClientLimits) -> Self {
        Self {
            calls: Calls::new(servers, identity, limits),
        }
    }

    /// Connects, for as long as an attempt may take.
    pub(crate) async fn connect(&self) -> BackendResult<()> {
        self.calls.router.connect().await
    }

    /// Returns the number of the node of a cluster that owns the slot of a key; elsewhere zero.
    pub(crate) fn part_of(&self, key: impl FnOnce() -> Vec<u8>) -> u64 {
        let cluster = self.calls.router.cluster();
        cluster.map_or(0, |cluster| cluster.part_of(slot(&key())))
    }

    pub(crate) fn status(&self) -> RedisStatus {
        let (waiting_calls, waiting_bytes) = self.calls.gate.waiting();
        RedisStatus {
            nodes: self.calls.router.status(),
            waiting_calls,
            waiting_bytes,
            merged_calls: self.calls.router.merged(),
            redirections: self.calls.router.cluster().map_or(0, Cluster::redirections),
            refreshes: self.calls.router.cluster().map_or(0, Cluster::refreshes),
        }
    }

    /// Reads the value under a key, merged with the reads of other callers at the same time.
    pub(crate) async fn get(&self, key: Argument, from: ReadFrom) -> BackendResult<Reply> {
        let request = Request::Get(key);
        Ok(self.calls.call(request, Access::Read(from)).await?.reply)
    }

    /// Runs a script with one key, merged with the scripts of other callers at the same time.
    pub(crate) async fn keyed(&self, invocation: KeyedInvocation) -> BackendResult<Reply> {
        let request = Request::Keyed(invocation);
        Ok(self.calls.call(request, Access::Write).await?.reply)
    }

    pub(crate) async fn command(&self, command: Command, access: Access) -> BackendResult<Reply> {
        Ok(self.calls.call(Request::One(command), access).await?.reply)
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
        self.calls.call_with(request).await
    }

    /// Runs a script, by its hash if the server knows it.
    pub(crate) async fn script(
        &self,
        invocation: Invocation,
        access: Access,
    ) -> BackendResult<Reply> {
        Ok(self
            .calls
            .call(Request::Script(invocation), access)
            .await?
            .reply)
    }

    /// Sends commands in one go; the reply is an array of theirs, errors among them.
    pub(crate) async fn pipeline(&self, commands: Vec<Command>) -> BackendResult<Reply> {
        let request = Request::Many(commands);
        Ok(self.calls.call(request, Access::Write).await?.reply)
    }

    /// Waits before the next try of something that was tried in vain `tried` times.
    pub(crate) async fn pause(&self, tried: u32) -> BackendResult<()> {
        deadlines()?.sleep(self.calls.pause(tried)).await;
        Ok(())
    }

    /// Refuses calls from now on, waits for those that are under way, for as long as a call may
    /// take, and closes the connections.
    pub(crate) async fn close(&self) {
        self.calls.gate.close();
        // A call that was begun and is polled no more never gives its permit back.
        if let Ok(deadlines) = deadlines() {
            let emptied = pin!(self.calls.gate.emptied());
            deadlines.within(self.calls.call_limit, emptied).await;
        }
        self.calls.router.close();
    }
}
