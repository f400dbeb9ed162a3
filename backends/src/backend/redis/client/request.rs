//! A request, and its way from a caller to the driver and back.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::Repeat;
use super::resend::{Resend, resend};
use super::resp::{Argument, Command, ErrorReply, Reply};
use super::script::{Invocation, KeyedInvocation, Script};

/// The commands that one call sends.
pub(super) enum Request {
    /// The `GET` of a key, which may be merged with others.
    Get(Argument),
    /// A script with one key, which may be merged with others.
    Keyed(KeyedInvocation),
    One(Command),
    /// A script.
    Script(Invocation),
    /// Several commands; the answer is an array of theirs.
    Many(Vec<Command>),
}

impl Request {
    fn names_many_keys(&self) -> bool {
        matches!(self, Self::Script(invocation) if invocation.names_many_keys())
    }

    fn script(&self) -> Option<&'static Script> {
        match self {
            Self::Keyed(invocation) => Some(invocation.script()),
            Self::Script(invocation) => Some(invocation.script()),
            Self::Get(_) | Self::One(_) | Self::Many(_) => None,
        }
    }

    /// Returns about how many bytes it takes.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Get(key) => key.length(),
            Self::Keyed(invocation) => invocation.length(),
            Self::One(command) => command.length(),
            Self::Script(invocation) => invocation.length(),
            Self::Many(commands) => commands.iter().map(Command::length).sum(),
        }
    }
}

/// A request in flight: shared by the caller, which waits, and the driver, which sends and answers.
pub(super) struct InFlight {
    length: usize,
    repeat: Repeat,
    is_script: bool,
    names_many_keys: bool,
    /// Held to look at the stage or to change it, or to copy what is sent; wakers are called and
    /// dropped after it.
    inner: Mutex<Inner>,
}

struct Inner {
    request: Request,
    stage: Stage,
    waiter: Option<Waker>,
}

enum Stage {
    /// It isn't sent yet.
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
    pub(super) fn new(request: Request, repeat: Repeat) -> Arc<Self> {
        Arc::new(Self {
            length: request.length(),
            repeat,
            is_script: request.script().is_some(),
            names_many_keys: request.names_many_keys(),
            inner: Mutex::new(Inner {
                request,
                stage: Stage::Waiting,
                waiter: None,
            }),
        })
    }

    /// Returns about how many bytes it sends.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Says whether it is a script that names several keys.
    pub(super) fn names_many_keys(&self) -> bool {
        self.names_many_keys
    }

    /// Says whether the request may be sent again though the server may have seen it.
    pub(super) fn is_repeatable(&self) -> bool {
        self.repeat == Repeat::Safely
    }

    /// Says whether the request is a read that no server holds up where it lets writes wait. It
    /// lets scripts wait with them, whatever they do.
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

    /// Returns what to do about this reply, if it refuses the request before anything was executed.
    pub(super) fn resend(&self, reply: &Reply) -> Option<(Resend, ErrorReply)> {
        let (resend, refused) = resend(&self.inner.lock().request, reply)?;
        Some((resend, refused.clone()))
    }

    /// Takes the request back, to be sent once more; an empty one stays.
    pub(super) fn again(&self) -> Arc<Self> {
        Self::new(self.take_request(), self.repeat)
    }

    pub(super) fn take_request(&self) -> Request {
        std::mem::replace(&mut self.inner.lock().request, Request::Many(Vec::new()))
    }

    /// Waits for the reply. A caller that drops this has left: a request that wasn't sent is not
    /// sent any more.
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

    /// Returns the script that it runs.
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

    /// Goes on to a stage that depends on whether it was sent, if the caller still waits.
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
