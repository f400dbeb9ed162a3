//! The interception of calls: the part of a layer that its author writes.

use std::fmt;
use std::future::Future;

use super::answer::Answer;
use super::operation::Operation;
use crate::backend::KeyStream;
use crate::backend::store::{BoxedCall, Observer};
use crate::error::BackendResult;

/// Goes around every call of a backend: the whole of a layer that changes neither keys nor values.
///
/// There is one method for all calls, so none can be forgotten, one for streams of keys, and one
/// for the fast path, which is there if it is asked for. [The module](super) has an example.
/// The [limits and the identity](crate::store::StoreInfo) are those of the store inside, and
/// closing goes straight to it.
pub trait Intercept: Send + Sync {
    /// True if the fast path stays: the calls that a store in this process answers without a future
    /// go through [`call_now`](Self::call_now). By default they take the way by
    /// [`call`](Self::call), as all others do.
    const FAST_PATH: bool = false;

    /// Makes a call, by [`Next::run`], and may do something before and after.
    ///
    /// A call that isn't run has no effect. The error of a call that had its effect all the same
    /// must say that its outcome is unknown
    /// ([`with_outcome_unknown`](crate::BackendError::with_outcome_unknown)).
    ///
    /// # Cancel safety
    ///
    /// The future is dropped with the call of the user, at any `.await`.
    fn call<T: Answer>(
        &self,
        operation: Operation<'_>,
        next: Next<'_, T>,
    ) -> impl Future<Output = BackendResult<T>> + Send;

    /// Makes a call on the fast path, by calling `next`: reads and writes of one key, and
    /// increments. It may not block. A layer whose [`FAST_PATH`](Self::FAST_PATH) is true has to
    /// write it: the default doesn't compile there, as it would let calls pass unseen.
    fn call_now<T: Answer>(
        &self,
        operation: Operation<'_>,
        next: impl FnOnce() -> BackendResult<T>,
    ) -> BackendResult<T> {
        const {
            assert!(
                !Self::FAST_PATH,
                "a layer with a fast path writes `call_now`"
            );
        }
        let _ = operation;
        next()
    }

    /// Makes the stream of the keys under a prefix, of the one that the store inside makes.
    ///
    /// The prefix is [`Operation::key`].
    fn keys<'a>(&'a self, operation: Operation<'_>, next: KeyStream<'a>) -> KeyStream<'a>;

    /// Returns the observer of the layer, which is told of what calls don't show: that values don't
    /// decode, are computed, served old. `None` unless overridden. The observers of layers further
    /// in are told as well.
    fn observer(&self) -> Option<&dyn Observer> {
        None
    }
}

/// The rest of a call: the layers further in, and the store.
#[must_use = "a call that isn't run has no effect"]
pub struct Next<'a, T>(BoxedCall<'a, T>);

impl<'a, T> Next<'a, T> {
    pub(super) fn new(call: BoxedCall<'a, T>) -> Self {
        Self(call)
    }

    /// Makes the call.
    ///
    /// # Errors
    ///
    /// The errors of the store, and of the layers further in.
    pub fn run(self) -> impl Future<Output = BackendResult<T>> + Send + 'a
    where
        T: 'a,
    {
        self.0
    }
}

/// Shows nothing of the call.
impl<T> fmt::Debug for Next<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").finish_non_exhaustive()
    }
}
