//! A backend whose calls are intercepted.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::intercept::{Intercept, Next};
use super::operation::{Op, Operation};
use super::parts::InterceptedParts;
use crate::backend::store::{
    BoxedCall, Layer, NewEntry, Observer, ReplicaReads, Store, StoreInfo, SyncStore, Touch,
};
use crate::backend::{Counted, Expiry, KeyStream, Life, Stored, Write};
use crate::quota::{Attempt, Decision};

/// A backend with an [`Intercept`] around it: the product of
/// [`Backend::layer`](crate::Backend::layer). Clones share both.
pub struct Intercepted<I, B> {
    parts: Arc<InterceptedParts<I, B>>,
}

impl<I, B> Intercepted<I, B> {
    pub(super) fn new(intercept: I, inner: B) -> Self {
        Self {
            parts: Arc::new(InterceptedParts { intercept, inner }),
        }
    }

    /// Returns the backend inside.
    pub fn inner(&self) -> &B {
        &self.parts.inner
    }

    /// Returns the interception that goes around the calls.
    pub fn intercept(&self) -> &I {
        &self.parts.intercept
    }
}

impl<I: Intercept, B: Store> Layer<B> for I {
    type Backend = Intercepted<I, B>;

    fn layer(self, inner: B) -> Self::Backend {
        Intercepted::new(self, inner)
    }
}

impl<I, B> Clone for Intercepted<I, B> {
    fn clone(&self) -> Self {
        Self {
            parts: self.parts.clone(),
        }
    }
}

impl<I: fmt::Debug, B: fmt::Debug> fmt::Debug for Intercepted<I, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intercepted")
            .field("intercept", &self.parts.intercept)
            .field("inner", &self.parts.inner)
            .finish()
    }
}

/// Implements the methods as `#[async_trait]` would spell them, each by a call of the store inside
/// and the interception of that call.
macro_rules! intercept_calls {
    ($($method:ident<$($life:lifetime),*>($($argument:ident: $type:ty),*) -> $output:ty
        as $operation:expr;)*) => {
        $(fn $method<'s, $($life,)* 'f>(&'s self, $($argument: $type),*) -> BoxedCall<'f, $output>
        where
            's: 'f,
            $($life: 'f,)*
            Self: 'f,
        {
            let InterceptedParts { intercept, inner } = &*self.parts;
            let operation = $operation;
            let next = Next::new(inner.$method($($argument),*));
            Box::pin(intercept.call(operation, next))
        })*
    };
}

#[deny(clippy::missing_trait_methods)]
impl<I: Intercept, B: Store> Store for Intercepted<I, B> {
    intercept_calls! {
        read<'k>(key: &'k str) -> Option<(Stored, Expiry)> as Operation::on(Op::Read, key);
        put<'k, 'v, 'o>(key: &'k str, value: &'v [u8], options: Write<'o>) -> bool
            as Operation::on(Op::Write, key);
        remove<'k, 'v>(key: &'k str, expected: Option<&'v [u8]>) -> bool
            as Operation::on(Op::Remove, key);
        add<'k>(key: &'k str, delta: i64, ttl: Option<Duration>) -> Counted
            as Operation::on(Op::Increment, key);
        set_life<'k>(key: &'k str, life: Life) -> bool as Operation::on(Op::Expire, key);
        read_value<'k>(key: &'k str, touch: Touch) -> Option<Stored>
            as Operation::on(Op::Read, key).touching(touch);
        read_values<'k, 'l>(keys: &'k [&'l str], touch: Touch) -> Vec<Option<Stored>>
            as Operation::on_many(Op::ReadMany, keys).touching(touch);
        read_life<'k>(key: &'k str) -> Option<Expiry> as Operation::on(Op::ReadLife, key);
        take_value<'k>(key: &'k str) -> Option<Stored> as Operation::on(Op::Take, key);
        put_many<'e, 'n>(entries: &'e [NewEntry<'n>]) -> ()
            as Operation::on_entries(Op::WriteMany, entries);
        remove_many<'k, 'l>(keys: &'k [&'l str]) -> u64
            as Operation::on_many(Op::RemoveMany, keys);
        remove_prefix<'k>(prefix: &'k str) -> u64 as Operation::on(Op::Clear, prefix);
        move_entry<'k, 'e, 'n, 'o>(
            from: &'k str, expected: &'e [u8], to: NewEntry<'n>, over: Option<&'o [u8]>
        ) -> bool as Operation::from_to(Op::Move, from, to.key);
        throttle<'k, 'a>(key: &'k str, attempt: Attempt<'a>) -> Decision
            as Operation::on(Op::Throttle, key);
        probe<>() -> () as Operation::without_key(Op::Ping);
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        let InterceptedParts { intercept, inner } = &*self.parts;
        intercept.keys(Operation::on(Op::Scan, prefix), inner.keys(prefix))
    }

    fn shut_down<'s, 'f>(&'s self) -> Pin<Box<dyn Future<Output = ()> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        self.parts.inner.shut_down()
    }

    fn info(&self) -> StoreInfo {
        self.parts.inner.info()
    }

    fn as_sync(&self) -> Option<&dyn SyncStore> {
        let answers_at_once = I::FAST_PATH && self.parts.inner.as_sync().is_some();
        answers_at_once.then_some(&*self.parts as &dyn SyncStore)
    }

    fn replica_reads(&self) -> Option<&dyn ReplicaReads> {
        self.parts.inner.replica_reads()?;
        Some(&*self.parts)
    }

    fn part_of(&self, key: &str) -> u64 {
        self.parts.inner.part_of(key)
    }

    fn observer(&self) -> Option<&dyn Observer> {
        let InterceptedParts { intercept, inner } = &*self.parts;
        match (intercept.observer(), inner.observer()) {
            (Some(_), Some(_)) => Some(&*self.parts),
            (own, inner) => own.or(inner),
        }
    }
}
