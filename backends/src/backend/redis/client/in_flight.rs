//! A request on its way from a caller to the driver and back.

use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::access::Access;
use super::request::{Request, RequestTarget};
use super::resend::{Resend, resend};
use super::resp::{ErrorReply, Reply};
use super::script::Script;
use super::slot::Slots;
use crate::backend::redis::read_from::ReadFrom;

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
