//! The operations on counters.

use std::future::Future;
use std::time::Duration;

use super::Counter;
use super::key::Key;
use crate::backend::fast_path::{call_now, read_now};
use crate::backend::store::{Touch, tell_if_undecodable};
use crate::backend::{Backend, Counted, Life, Stored};
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
    increment_by::<K, B>(backend, key, 1)
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
    async move {
        match call_now!(backend.add(&key, delta, window::<K>())) {
            Ok(counted) => Ok(counted.value),
            Err(error) => Err(error),
        }
    }
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
    async move { call_now!(backend.add(&key, 1, window::<K>())) }
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
        match read_now!(backend, &key, Touch::Keep, K::INFO.reads_are_plain()) {
            Ok(Some(stored)) => decode_sum(backend, &key, &stored),
            Ok(None) => Ok(0),
            Err(error) => Err(error),
        }
    }
}

/// Decodes the sum that was found under `key`.
pub(super) fn decode_sum<B>(backend: &B, key: &Key, stored: &Stored) -> BackendResult<i64>
where
    B: Backend + ?Sized,
{
    i64::decode(stored.as_bytes()).inspect_err(|error| tell_if_undecodable(backend, key, error))
}

fn window<K: Counter>() -> Option<Duration> {
    match K::INFO.life {
        Life::In(ttl) => Some(ttl),
        Life::Never | Life::Keep => None,
    }
}
