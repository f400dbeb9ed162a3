//! The interception of calls of the parts of a store: at once, from replicas, and what its observer
//! is told.

use std::any::TypeId;
use std::time::Duration;

use super::answer::Answer;
use super::intercept::{Intercept, Next};
use super::operation::{Op, Operation};
use crate::backend::store::{
    BoxedCall, Decoded, DecodedOrBytes, Event, Observer, ReplicaReads, Store, SyncStore, Touch,
};
use crate::backend::{Counted, Expiry, KeyStream, Stored, Write};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The two parts of an intercepted backend, which its clones share. As an observer it tells the
/// observers of both.
pub(super) struct InterceptedParts<I, B> {
    pub(super) intercept: I,
    pub(super) inner: B,
}

impl<I: Intercept, B: Store> InterceptedParts<I, B> {
    fn call_now<T: Answer>(
        &self,
        operation: Operation<'_>,
        call: impl FnOnce(&dyn SyncStore) -> BackendResult<T>,
    ) -> BackendResult<T> {
        let next = || call(self.inner.as_sync().ok_or_else(gone)?);
        self.intercept.call_now(operation, next)
    }
}

#[deny(clippy::missing_trait_methods)]
impl<I: Intercept, B: Store> SyncStore for InterceptedParts<I, B> {
    fn read_value(&self, key: &str, touch: Touch) -> BackendResult<Option<Stored>> {
        let operation = Operation::on(Op::Read, key).touching(touch);
        self.call_now(operation, |store| store.read_value(key, touch))
    }

    fn read_decoded(&self, key: &str, decoded_as: TypeId) -> BackendResult<Option<DecodedOrBytes>> {
        let operation = Operation::on(Op::Read, key);
        self.call_now(operation, |store| store.read_decoded(key, decoded_as))
    }

    fn attach_decoded(&self, key: &str, stored: &Stored, decoded: Decoded) {
        if let Some(store) = self.inner.as_sync() {
            store.attach_decoded(key, stored, decoded);
        }
    }

    fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        let operation = Operation::on(Op::Write, key);
        self.call_now(operation, |store| store.put(key, value, options))
    }

    fn put_from(&self, key: &str, buffer: &mut Vec<u8>, options: Write<'_>) -> BackendResult<bool> {
        let operation = Operation::on(Op::Write, key);
        self.call_now(operation, |store| store.put_from(key, buffer, options))
    }

    fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        let operation = Operation::on(Op::Increment, key);
        self.call_now(operation, |store| store.add(key, delta, ttl))
    }

    fn ends_with_the_process(&self) -> bool {
        let store = self.inner.as_sync();
        store.is_some_and(SyncStore::ends_with_the_process)
    }
}

/// Makes the error of a store that answered at once when it was asked whether it does.
fn gone() -> BackendError {
    let message = "the store inside of a layer doesn't answer at once any more";
    BackendError::new(ErrorKind::Other, message)
}

/// Implements the methods as `#[async_trait]` would spell them.
macro_rules! intercept_reads {
    ($($method:ident<$($life:lifetime),*>($argument:ident: $type:ty) -> $output:ty
        as $operation:expr;)*) => {
        $(fn $method<'s, $($life,)* 'f>(&'s self, $argument: $type) -> BoxedCall<'f, $output>
        where
            's: 'f,
            $($life: 'f,)*
            Self: 'f,
        {
            let next = match self.inner.replica_reads() {
                Some(replicas) => replicas.$method($argument),
                None => Box::pin(std::future::ready(Err(gone()))),
            };
            Box::pin(self.intercept.call($operation, Next::new(next)))
        })*
    };
}

#[deny(clippy::missing_trait_methods)]
impl<I: Intercept, B: Store> ReplicaReads for InterceptedParts<I, B> {
    intercept_reads! {
        read<'k>(key: &'k str) -> Option<(Stored, Expiry)> as Operation::on(Op::Read, key);
        read_value<'k>(key: &'k str) -> Option<Stored> as Operation::on(Op::Read, key);
        read_values<'k, 'l>(keys: &'k [&'l str]) -> Vec<Option<Stored>>
            as Operation::on_many(Op::ReadMany, keys);
        read_life<'k>(key: &'k str) -> Option<Expiry> as Operation::on(Op::ReadLife, key);
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        let next = match self.inner.replica_reads() {
            Some(replicas) => replicas.keys(prefix),
            None => Box::pin(futures_util::stream::iter([Err(gone())])),
        };
        self.intercept.keys(Operation::on(Op::Scan, prefix), next)
    }
}

impl<I: Intercept, B: Store> Observer for InterceptedParts<I, B> {
    fn on_event(&self, keyspace: &'static str, event: Event) {
        let observers = [self.inner.observer(), self.intercept.observer()];
        for observer in observers.into_iter().flatten() {
            observer.on_event(keyspace, event);
        }
    }
}
