//! The future of a call through the users' half of the contract.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::answers::Counted;
use super::life::Expiry;
use super::store::{BoxedCall, Store, SyncStore, Touch};
use super::stored::Stored;
use super::write::Write;
use crate::error::BackendResult;

/// The future of a call of [`Backend`](super::Backend); its output is a `BackendResult<T>`.
///
/// The call begins when the future is polled first. The call makes one allocation. `get_stored`,
/// `write` and the increments make none if the store is in this process and answers at once.
///
/// # Panics
///
/// When it is polled again after it was ready, as most futures do.
#[must_use = "a call does nothing unless it is awaited"]
pub struct Call<'a, T>(Source<'a, T>);

/// The call of the store, and the function that makes the answer of the store's answer.
enum Source<'a, T> {
    Same(BoxedCall<'a, T>),
    Life(BoxedCall<'a, Option<Expiry>>, fn(Option<Expiry>) -> T),
    Counted(BoxedCall<'a, Counted>, fn(Counted) -> T),
    Number(BoxedCall<'a, u64>, fn(u64) -> T),
    ReadNow(Now<'a>, fn(Option<Stored>) -> T),
    PutNow(Now<'a>, &'a [u8], Write<'a>, fn(bool) -> T),
    AddNow(Now<'a>, i64, Option<Duration>, fn(Counted) -> T),
}

/// A store that answers at once, until it has been asked, and the key.
struct Now<'a> {
    store: Option<&'a dyn SyncStore>,
    key: &'a str,
}

impl<'a, T> Call<'a, T> {
    pub(super) fn same(call: BoxedCall<'a, T>) -> Self {
        Self(Source::Same(call))
    }

    pub(super) fn of_life(
        call: BoxedCall<'a, Option<Expiry>>,
        answer: fn(Option<Expiry>) -> T,
    ) -> Self {
        Self(Source::Life(call, answer))
    }

    pub(super) fn of_number(call: BoxedCall<'a, u64>, answer: fn(u64) -> T) -> Self {
        Self(Source::Number(call, answer))
    }

    #[inline]
    pub(super) fn add<S: Store + ?Sized>(
        store: &'a S,
        key: &'a str,
        delta: i64,
        ttl: Option<Duration>,
        answer: fn(Counted) -> T,
    ) -> Self {
        Self(match Now::of(store, key) {
            Some(now) => Source::AddNow(now, delta, ttl, answer),
            None => Source::Counted(store.add(key, delta, ttl), answer),
        })
    }
}

impl<'a> Call<'a, Option<Stored>> {
    #[inline]
    pub(super) fn read<S: Store + ?Sized>(store: &'a S, key: &'a str) -> Self {
        Self(match Now::of(store, key) {
            Some(now) => Source::ReadNow(now, |stored| stored),
            None => Source::Same(store.read_value(key, Touch::Keep)),
        })
    }
}

impl<'a> Call<'a, bool> {
    #[inline]
    pub(super) fn put<S: Store + ?Sized>(
        store: &'a S,
        key: &'a str,
        value: &'a [u8],
        options: Write<'a>,
    ) -> Self {
        Self(match Now::of(store, key) {
            Some(now) => Source::PutNow(now, value, options, |done| done),
            None => Source::Same(store.put(key, value, options)),
        })
    }
}

impl<'a> Now<'a> {
    #[inline]
    fn of<S: Store + ?Sized>(store: &'a S, key: &'a str) -> Option<Self> {
        let store = Some(store.as_sync()?);
        Some(Self { store, key })
    }

    #[inline]
    fn ask(&mut self) -> (&'a dyn SyncStore, &'a str) {
        let store = self.store.take();
        (
            store.expect("a call is polled no more once it is ready"),
            self.key,
        )
    }
}

impl<T> Future for Call<'_, T> {
    type Output = BackendResult<T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match &mut self.0 {
            Source::Same(call) => ready!(call.as_mut().poll(context)),
            Source::Life(call, answer) => ready!(call.as_mut().poll(context)).map(answer),
            Source::Counted(call, answer) => ready!(call.as_mut().poll(context)).map(answer),
            Source::Number(call, answer) => ready!(call.as_mut().poll(context)).map(answer),
            Source::ReadNow(now, answer) => {
                let (store, key) = now.ask();
                store.read_value(key, Touch::Keep).map(answer)
            }
            Source::PutNow(now, value, options, answer) => {
                let (store, key) = now.ask();
                store.put(key, value, *options).map(answer)
            }
            Source::AddNow(now, delta, ttl, answer) => {
                let (store, key) = now.ask();
                store.add(key, *delta, *ttl).map(answer)
            }
        })
    }
}

/// Shows nothing of the call, whose key may be a secret.
impl<T> fmt::Debug for Call<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_can_be_sent_and_moved() {
        fn check<T: Send + Unpin>() {}
        check::<Call<'_, bool>>();
    }

    #[cfg(feature = "memory")]
    #[test]
    fn a_call_begins_when_it_is_polled_and_has_one_effect() {
        use futures_util::FutureExt;

        use crate::{Backend, MemoryBackend};

        let backend = MemoryBackend::new();
        drop(backend.increment("hits", None));
        let mut call = backend.increment("hits", None);
        assert_eq!((&mut call).now_or_never().unwrap().unwrap(), 1);
        let again =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (&mut call).now_or_never()));
        assert!(again.is_err());
        drop(call);
        assert_eq!(
            backend
                .increment("hits", None)
                .now_or_never()
                .unwrap()
                .unwrap(),
            2
        );
    }
}
