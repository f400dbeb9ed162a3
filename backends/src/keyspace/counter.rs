//! The operations on counters.

use std::future::Future;
use std::time::Duration;

use super::Counter;
use super::key::Key;
use crate::backend::direct::{self, Answer};
use crate::backend::{Backend, Counted, Life};
use crate::codec::Decode;
use crate::error::BackendResult;

/// Adds one and returns the sum; the window starts at the first hit and isn't moved by later ones.
pub fn increment<'b, K, B>(
    backend: &'b B,
    key: Key,
) -> impl Future<Output = BackendResult<i64>> + Send + use<'b, K, B>
where
    K: Counter,
    B: Backend + ?Sized,
{
    async move { Ok(add::<K, B>(backend, &key, 1).await?.value) }
}

/// Adds `delta`, which may be negative, and returns the sum.
///
/// # Errors
///
/// `Overflow` if the sum leaves the range of `i64`; the counter is unchanged.
pub fn increment_by<'b, K, B>(
    backend: &'b B,
    key: Key,
    delta: i64,
) -> impl Future<Output = BackendResult<i64>> + Send + use<'b, K, B>
where
    K: Counter,
    B: Backend + ?Sized,
{
    async move { Ok(add::<K, B>(backend, &key, delta).await?.value) }
}

/// Adds one and returns the sum and what is left of the window.
pub fn hit<'b, K, B>(
    backend: &'b B,
    key: Key,
) -> impl Future<Output = BackendResult<Counted>> + Send + use<'b, K, B>
where
    K: Counter,
    B: Backend + ?Sized,
{
    async move { add::<K, B>(backend, &key, 1).await }
}

/// Returns the sum; zero if there is no live counter.
pub fn count<'b, K, B>(
    backend: &'b B,
    key: Key,
) -> impl Future<Output = BackendResult<i64>> + Send + use<'b, K, B>
where
    K: Counter,
    B: Backend + ?Sized,
{
    async move {
        match direct::get_stored(backend, &key).await? {
            Some(stored) => i64::decode(stored.as_bytes()),
            None => Ok(0),
        }
    }
}

#[inline]
fn add<'a, K: Counter, B: Backend + ?Sized>(
    backend: &'a B,
    key: &'a Key,
    delta: i64,
) -> Answer<'a, Counted> {
    direct::increment_by(backend, key, delta, window::<K>())
}

fn window<K: Counter>() -> Option<Duration> {
    match K::INFO.life {
        Life::In(ttl) => Some(ttl),
        Life::Never | Life::Keep => None,
    }
}
