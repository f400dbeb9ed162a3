//! Cached values whose computation can't fail.

use std::future::Future;

use futures_util::FutureExt;

use super::handle::BackendHandle;
use super::{get_or_refresh_with, get_or_set_with};
use crate::error::{BackendError, BackendResult};
use crate::keyspace::{Key, Valued};

/// Returns the live value, or has it computed by one caller across all processes and stored for
/// the keyspace's own time.
///
/// This is [`get_or_set_with`] for a `compute` that can't fail: it returns a value and no `Result`.
///
/// # Errors
///
/// The error of the backend when it is asked for the value or the lease.
///
/// # Cancel safety
///
/// As [`get_or_set_with`].
pub fn get_or_compute<K, B, F, Fut>(
    backend: &B,
    key: Key,
    compute: F,
) -> impl Future<Output = BackendResult<K::Value>>
where
    K: Valued,
    B: BackendHandle,
    F: FnOnce() -> Fut,
    Fut: Future<Output = K::Value>,
{
    get_or_set_with::<K, B, _, _, BackendError>(backend, key, || compute().map(Ok))
}

/// Returns the live value, or an old value, which one caller then refreshes in the background. Has
/// a missing value computed as [`get_or_compute`] does.
///
/// This is [`get_or_refresh_with`] for a `compute` that can't fail.
///
/// # Errors
///
/// As [`get_or_compute`]. Failures of a refresh in the background reach nobody.
///
/// # Cancel safety
///
/// As [`get_or_refresh_with`].
pub fn get_or_refresh<K, B, F, Fut>(
    backend: &B,
    key: Key,
    compute: F,
) -> impl Future<Output = BackendResult<K::Value>>
where
    K: Valued + 'static,
    B: BackendHandle,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = K::Value> + Send + 'static,
{
    get_or_refresh_with::<K, B, _, _, BackendError>(backend, key, || compute().map(Ok))
}
