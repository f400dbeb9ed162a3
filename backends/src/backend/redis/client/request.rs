//! A request, and its way from a caller to the driver and back.

use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::Access;
#[cfg(feature = "redis-commands")]
use super::raw::Raw;
use super::resend::{Resend, resend};
use super::resp::{Argument, Command, ErrorReply, Reply};
use super::script::{Invocation, KeyedInvocation, Script};
use super::slot::slot;
use super::states::NodeId;
use crate::backend::redis::replica_reads::ReadFrom;

/// The commands that one call sends.
pub(super) enum Request {
    /// The `GET` of a key, which may be merged with others.
    Get(Argument),
    /// A script with one key, which may be merged with others.
    Keyed(KeyedInvocation),
    One(Command),
    /// A script.
    Script(Invocation),
    /// Several commands. The answer is an array of their answers.
    Many(Vec<Command>),
    /// Commands that a program made itself. Their replies come as they are, except errors.
    #[cfg(feature = "redis-commands")]
    Raw(Raw),
}

impl Request {
    fn names_many_keys(&self) -> bool {
        match self {
            Self::Get(_) | Self::Keyed(_) => false,
            Self::One(command) => command.names_many_keys(),
            Self::Script(invocation) => invocation.names_many_keys(),
            Self::Many(commands) => commands.len() > 1,
            #[cfg(feature = "redis-commands")]
            Self::Raw(_) => false,
        }
    }

    fn script(&self) -> Option<&'static Script> {
        match self {
            Self::Keyed(invocation) => Some(invocation.script()),
            Self::Script(invocation) => Some(invocation.script()),
            Self::Get(_) | Self::One(_) | Self::Many(_) => None,
            #[cfg(feature = "redis-commands")]
            Self::Raw(_) => None,
        }
    }

    /// Returns the hash slots of the request's keys.
    fn slots(&self) -> Slots {
        match self {
            Self::Get(key) => Slots::of([key.bytes()].into_iter()),
            Self::Keyed(invocation) => Slots::of([invocation.key()].into_iter()),
            Self::One(command) => Slots::of(command.keys()),
            Self::Script(invocation) => Slots::of(invocation.keys()),
            Self::Many(commands) => Slots::of(commands.iter().flat_map(Command::keys)),
            #[cfg(feature = "redis-commands")]
            Self::Raw(raw) => raw.slots,
        }
    }

    /// Returns about the number of bytes that the request takes.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Get(key) => key.length(),
            Self::Keyed(invocation) => invocation.length(),
            Self::One(command) => command.length(),
            Self::Script(invocation) => invocation.length(),
            Self::Many(commands) => commands.iter().map(Command::length).sum(),
            #[cfg(feature = "redis-commands")]
            Self::Raw(raw) => raw.packed.len(),
        }
    }

    fn is_raw(&self) -> bool {
        match self {
            Self::Get(_) | Self::Keyed(_) | Self::One(_) | Self::Script(_) | Self::Many(_) => false,
            #[cfg(feature = "redis-commands")]
            Self::Raw(_) => true,
        }
    }
}

/// The node of a cluster that a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestTarget {
    /// The node of the request's key; any node where it names no key.
    Owner,
    /// A replica of the node of the request's key, or that node itself where none is up.
    Replica,
    /// A node to which the request's key is on the way, and which answers only after `ASKING`.
    Importing,
    Node(NodeId),
}

/// The hash slots of the keys of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slots {
    None,
    One(u16),
    Several,
}

impl Slots {
    pub(crate) fn of<'k>(keys: impl Iterator<Item = &'k [u8]>) -> Self {
        keys.map(slot).fold(Self::None, |slots, slot| match slots {
            Self::None => Self::One(slot),
            Self::One(other) if other == slot => slots,
            _ => Self::Several,
        })
    }
}

/// A request in flight: shared by the caller, which waits, and the driver, which sends and answers.
pub(super) struct InFlight {
    length: usize,
    target: RequestTarget,
    access: Access,
    is_script: bool,
    is_raw: bool,
    names_many_keys: bool,
    /// Computed for a cluster alone.
    slots: OnceLock<Slots>,
    /// Held to look at the stage or to change it, or to copy what is sent; wakers are called and
    /// dropped after it.
    inner: Mutex<RequestState>,
}

struct RequestState {
    request: Request,
    stage: Stage,
    waiter: Option<Waker>,
}

enum Stage {
    /// The request isn't sent yet.
    Waiting,
    Sent,
    Answered(Reply),
    /// The connection ended before the answer.
    Lost {
        was_sent: bool,
    },
    /// The caller was dropped, or has the answer.
    Left {
        was_sent: bool,
    },
}

/// The connection ended before the answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lost;

impl InFlight {
    pub(super) fn new(request: Request, access: Access) -> Arc<Self> {
        let target = match access {
            Access::Read(ReadFrom::Replica) => RequestTarget::Replica,
            Access::Read(ReadFrom::Primary) | Access::Write => RequestTarget::Owner,
        };
        Self::to(target, request, access)
    }

    pub(super) fn to(target: RequestTarget, request: Request, access: Access) -> Arc<Self> {
        Arc::new(Self {
            target,
            length: request.length(),
            access,
            is_script: request.script().is_some(),
            is_raw: request.is_raw(),
            names_many_keys: request.names_many_keys(),
            slots: OnceLock::new(),
            inner: Mutex::new(RequestState {
                request,
                stage: Stage::Waiting,
                waiter: None,
            }),
        })
    }

    /// Returns about the number of bytes that the request sends.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Says whether the request names several keys.
    pub(super) fn names_many_keys(&self) -> bool {
        self.names_many_keys
    }

    pub(super) fn is_script(&self) -> bool {
        self.is_script
    }

    /// Says whether one node of a cluster can be chosen for commands that a program made itself.
    #[cfg(feature = "redis-commands")]
    pub(super) fn has_one_node(&self) -> bool {
        match (&self.inner.lock().request, self.target) {
            (_, RequestTarget::Node(_)) => true,
            (Request::Raw(raw), _) => raw.has_one_node(),
            _ => false,
        }
    }

    /// Says whether the request's replies are handed on as they come.
    pub(super) fn is_raw(&self) -> bool {
        self.is_raw
    }

    /// Says whether the request may be sent again though the server may have seen it.
    pub(super) fn is_repeatable(&self) -> bool {
        matches!(self.access, Access::Read(_))
    }

    /// Says whether the request is a read that no server holds up where the server lets writes
    /// wait. The server lets scripts wait with the writes, whatever the scripts do.
    pub(super) fn is_plain_read(&self) -> bool {
        self.is_repeatable() && !self.is_script
    }

    /// Says whether the caller was dropped, or has the answer.
    pub(super) fn was_left(&self) -> bool {
        matches!(self.inner.lock().stage, Stage::Left { .. })
    }

    /// Says whether the server may have seen the request.
    pub(super) fn was_sent(&self) -> bool {
        match self.inner.lock().stage {
            Stage::Waiting => false,
            Stage::Sent | Stage::Answered(_) => true,
            Stage::Lost { was_sent } | Stage::Left { was_sent } => was_sent,
        }
    }

    /// Returns the next step after this reply, if it refuses the request before anything was
    /// executed.
    ///
    /// Several commands for a node are sent again by the caller that chose the node, each by
    /// itself.
    pub(super) fn resend(&self, reply: &Reply) -> Option<(Resend, ErrorReply)> {
        if let (RequestTarget::Node(_), Reply::Array(_)) = (self.target, reply) {
            return None;
        }
        let (resend, refused) = resend(&self.inner.lock().request, reply)?;
        Some((resend, refused.clone()))
    }

    /// Takes the request back, to be sent once more; an empty request stays. A request that a
    /// replica was to answer goes to the primary.
    pub(super) fn again(&self) -> Arc<Self> {
        let target = match self.target {
            RequestTarget::Importing | RequestTarget::Replica => RequestTarget::Owner,
            target => target,
        };
        Self::to(target, self.take_request(), self.access)
    }

    /// Takes the request back, to be sent once more to the node of a slot. The server knows better
    /// where a command that a program made has its key.
    pub(super) fn again_in(&self, slot: u16) -> Arc<Self> {
        #[cfg(feature = "redis-commands")]
        if let Request::Raw(raw) = &mut self.inner.lock().request {
            raw.slots = Slots::One(slot);
        }
        let _ = slot;
        self.again()
    }

    /// Takes the request back, to be sent once more to a node that the key is on its way to.
    pub(super) fn again_asking(&self) -> Arc<Self> {
        Self::to(RequestTarget::Importing, self.take_request(), self.access)
    }

    /// Returns the node that the request is for.
    pub(super) fn target(&self) -> RequestTarget {
        self.target
    }

    /// Says whether the request asks a node for a key that is on its way there.
    pub(super) fn asks(&self) -> bool {
        self.target == RequestTarget::Importing
    }

    /// Returns the hash slots of the keys that the request names.
    pub(super) fn slots(&self) -> Slots {
        let compute = || self.inner.lock().request.slots();
        *self.slots.get_or_init(compute)
    }

    pub(super) fn take_request(&self) -> Request {
        std::mem::replace(&mut self.inner.lock().request, Request::Many(Vec::new()))
    }

    /// Waits for the reply. A caller that drops this future has left: a request that wasn't sent is
    /// not sent any more.
    pub(super) fn response(&self) -> Response<'_> {
        Response(self)
    }

    // For the driver.

    /// Hands the request out to be sent, if the caller still waits.
    pub(super) fn send<T>(&self, send: impl FnOnce(&Request) -> T) -> Option<T> {
        let mut inner = self.inner.lock();
        match inner.stage {
            Stage::Waiting | Stage::Sent => inner.stage = Stage::Sent,
            _ => return None,
        }
        Some(send(&inner.request))
    }

    /// Returns the script that the request runs.
    pub(super) fn script(&self) -> Option<&'static Script> {
        self.inner.lock().request.script()
    }

    pub(super) fn finish(&self, reply: Reply) {
        self.end(|_| Stage::Answered(reply));
    }

    pub(super) fn lose(&self) {
        self.end(|was_sent| Stage::Lost { was_sent });
    }

    /// Notes that the server has not begun the request, though it was handed out.
    pub(super) fn take_back(&self) {
        let mut inner = self.inner.lock();
        if matches!(inner.stage, Stage::Sent) {
            inner.stage = Stage::Waiting;
        }
    }

    /// Moves to a stage that depends on whether the request was sent, if the caller still waits.
    fn end(&self, stage: impl FnOnce(bool) -> Stage) {
        let waiter = {
            let mut inner = self.inner.lock();
            let was_sent = match inner.stage {
                Stage::Waiting => false,
                Stage::Sent => true,
                _ => return,
            };
            inner.stage = stage(was_sent);
            inner.waiter.take()
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}

/// The future of a reply.
pub(super) struct Response<'a>(&'a InFlight);

impl Future for Response<'_> {
    type Output = Result<Reply, Lost>;

    fn poll(self: std::pin::Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let replaced;
        let mut inner = self.0.inner.lock();
        match inner.stage {
            Stage::Waiting | Stage::Sent => {
                let is_known = |waiter: &Waker| waiter.will_wake(context.waker());
                if !inner.waiter.as_ref().is_some_and(is_known) {
                    replaced = inner.waiter.replace(context.waker().clone());
                    drop(inner);
                    drop(replaced);
                }
                Poll::Pending
            }
            Stage::Answered(_) => {
                let left = Stage::Left { was_sent: true };
                match std::mem::replace(&mut inner.stage, left) {
                    Stage::Answered(reply) => Poll::Ready(Ok(reply)),
                    _ => Poll::Ready(Err(Lost)),
                }
            }
            Stage::Lost { .. } | Stage::Left { .. } => Poll::Ready(Err(Lost)),
        }
    }
}

impl Drop for Response<'_> {
    fn drop(&mut self) {
        let _waiter;
        let mut inner = self.0.inner.lock();
        let was_sent = match inner.stage {
            Stage::Waiting => {
                // Bytes that nobody will send need not wait for the driver to come by.
                inner.request = Request::Many(Vec::new());
                false
            }
            Stage::Sent => true,
            Stage::Answered(_) | Stage::Lost { .. } | Stage::Left { .. } => return,
        };
        inner.stage = Stage::Left { was_sent };
        _waiter = inner.waiter.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_knows_the_slots_of_its_keys() {
        let one = |keys: &[&[u8]]| {
            let begin = Command::new("MGET");
            keys.iter()
                .fold(begin, |command, key| command.key(b"ns:", key))
        };
        let of = |request: Request| request.slots();
        let expected = Slots::One(slot(b"ns:a"));
        assert_eq!(of(Request::Get(Argument::joined(b"ns:", b"a"))), expected);
        assert_eq!(of(Request::One(one(&[b"a"]).arg("x"))), expected);
        assert_eq!(of(Request::One(one(&[b"a", b"a"]))), expected);
        assert_eq!(of(Request::One(one(&[b"a", b"b"]))), Slots::Several);
        assert_eq!(
            of(Request::One(one(&[b"{t}a", b"{t}b"]))),
            Slots::One(slot(b"t"))
        );
        assert_eq!(of(Request::One(Command::new("PING"))), Slots::None);
        assert_eq!(
            of(Request::Many(vec![one(&[b"a"]), one(&[b"b"])])),
            Slots::Several
        );
        let empty = Argument::joined(b"", b"");
        assert_eq!(of(Request::Get(empty)), Slots::One(0));
    }

    #[test]
    fn the_keys_of_a_script_stand_behind_its_hash_and_their_number() {
        static SCRIPT: std::sync::LazyLock<Script> =
            std::sync::LazyLock::new(|| Script::new("return 1"));
        let script = Invocation::new(&SCRIPT, 2)
            .key(b"ns:", b"{t}a")
            .key(b"ns:", b"{t}b");
        let request = Request::Script(script.arg("argument"));
        assert!(request.names_many_keys());
        assert_eq!(request.slots(), Slots::One(slot(b"t")));
    }
}
