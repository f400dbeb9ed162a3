//! Cache-aside with computations that can't fail.

use std::future::Future;

use futures_util::FutureExt;

use super::flight::get_or_set_with;
use super::{Key, Valued};
use crate::backend::Backend;
use crate::error::{BackendError, BackendResult};

/// Returns the live value, or computes it, stores it for the keyspace's own time and returns it.
///
/// This is [`get_or_set_with`] for a `compute` that can't fail: it returns a value and no `Result`.
///
/// # Errors
///
/// The error of the backend when it is asked for the value.
///
/// # Cancel safety
///
/// A dropped future may have stored the value.
pub fn get_or_compute<K, B, F, Fut>(
    backend: &B,
    key: Key,
    compute: F,
) -> impl Future<Output = BackendResult<K::Value>>
where
    K: Valued,
    B: Backend + ?Sized,
    F: FnOnce() -> Fut,
    Fut: Future<Output = K::Value>,
{
    get_or_set_with::<K, B, _, _, BackendError>(backend, key, || compute().map(Ok))
}
