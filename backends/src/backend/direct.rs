//! Byte-level calls that a backend in this process answers without a future.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::stored::Stored;
use super::{Backend, Counted, Write};
use crate::error::BackendResult;

/// An answer, or the wait for it.
///
/// A plain function returns it, so who asks has to be in a future that was polled: nothing may happen before. Made by an
/// `async fn` the answer would pass through a future of its own, which the compiler doesn't see through.
pub(crate) enum Answer<'a, T> {
    /// `None` once it was given.
    Now(Option<BackendResult<T>>),
    Later(Pin<Box<dyn Future<Output = BackendResult<T>> + Send + 'a>>),
}

impl<T> Answer<'_, T> {
    #[inline]
    pub(crate) fn now(answer: BackendResult<T>) -> Self {
        Self::Now(Some(answer))
    }
}

impl<T: Unpin> Future for Answer<'_, T> {
    type Output = BackendResult<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<BackendResult<T>> {
        match self.get_mut() {
            Self::Now(answer) => Poll::Ready(answer.take().expect("an answer is given once")),
            Self::Later(wait) => wait.as_mut().poll(context),
        }
    }
}

#[inline]
pub(crate) fn get_stored<'a, B: Backend + ?Sized>(
    backend: &'a B,
    key: &'a str,
) -> Answer<'a, Option<Stored>> {
    match backend.in_process() {
        Some(backend) => Answer::now(backend.get_stored(key)),
        None => Answer::Later(backend.get_stored(key)),
    }
}

#[inline]
pub(crate) fn write<'a, B: Backend + ?Sized>(
    backend: &'a B,
    key: &'a str,
    value: &'a [u8],
    options: Write<'a>,
) -> Answer<'a, bool> {
    match backend.in_process() {
        Some(backend) => Answer::now(backend.write(key, value, options)),
        None => Answer::Later(backend.write(key, value, options)),
    }
}

#[inline]
pub(crate) fn increment_by<'a, B: Backend + ?Sized>(
    backend: &'a B,
    key: &'a str,
    delta: i64,
    ttl: Option<Duration>,
) -> Answer<'a, Counted> {
    match backend.in_process() {
        Some(backend) => Answer::now(backend.increment_by(key, delta, ttl)),
        None => Answer::Later(backend.increment_by(key, delta, ttl)),
    }
}

#[inline]
pub(crate) fn renew_stored<'a, B: Backend + ?Sized>(
    backend: &'a B,
    key: &'a str,
    ttl: Duration,
) -> Answer<'a, Option<Stored>> {
    match backend.in_process() {
        Some(backend) => Answer::now(backend.renew_stored(key, ttl)),
        None => Answer::Later(backend.renew_stored(key, ttl)),
    }
}
