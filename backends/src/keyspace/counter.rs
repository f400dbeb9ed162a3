//! The operations on counters.

use std::time::Duration;

use super::Counter;
use super::key::Key;
use crate::backend::{Backend, Counted, Life};
use crate::codec::Decode;
use crate::error::BackendResult;

/// Adds one and returns the sum; the window starts at the first hit and isn't moved by later ones.
pub async fn increment<K, B>(backend: &B, key: Key) -> BackendResult<i64>
where
    K: Counter,
    B: Backend + ?Sized,
{
    backend.increment(&key, window::<K>()).await
}

/// Adds `delta`, which may be negative, and returns the sum.
///
/// # Errors
///
/// `Overflow` if the sum leaves the range of `i64`; the counter is unchanged.
pub async fn increment_by<K, B>(backend: &B, key: Key, delta: i64) -> BackendResult<i64>
where
    K: Counter,
    B: Backend + ?Sized,
{
    let counted = backend.increment_by(&key, delta, window::<K>()).await?;
    Ok(counted.value)
}

/// Adds one and returns the sum and what is left of the window.
pub async fn hit<K, B>(backend: &B, key: Key) -> BackendResult<Counted>
where
    K: Counter,
    B: Backend + ?Sized,
{
    backend.increment_by(&key, 1, window::<K>()).await
}

/// Returns the sum; zero if there is no live counter.
pub async fn count<K, B>(backend: &B, key: Key) -> BackendResult<i64>
where
    K: Counter,
    B: Backend + ?Sized,
{
    match backend.get_stored(&key).await? {
        Some(stored) => i64::decode(stored.as_bytes()),
        None => Ok(0),
    }
}

fn window<K: Counter>() -> Option<Duration> {
    match K::INFO.life {
        Life::In(ttl) => Some(ttl),
        Life::Never | Life::Keep => None,
    }
}
