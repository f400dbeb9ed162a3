//! The operations on throttles.

use std::future::Future;

use super::Throttled;
use super::key::Key;
use crate::backend::Backend;
use crate::backend::throttle::{Attempt, Decision};
use crate::error::BackendResult;

/// Uses up one of each quota if all have room, and says whether they had.
pub fn check<'b, K, B>(
    backend: &'b B,
    key: Key,
) -> impl Future<Output = BackendResult<Decision>> + Send + use<'b, K, B>
where
    K: Throttled,
    B: Backend + ?Sized,
{
    check_n::<K, B>(backend, key, 1)
}

/// Uses up `cost` of each quota if all have room, and says whether they had.
///
/// # Errors
///
/// `TooLarge` for a cost over the capacity of a quota.
pub fn check_n<'b, K, B>(
    backend: &'b B,
    key: Key,
    cost: u32,
) -> impl Future<Output = BackendResult<Decision>> + Send + use<'b, K, B>
where
    K: Throttled,
    B: Backend + ?Sized,
{
    async move {
        let attempt = Attempt::new(K::QUOTAS).cost(cost);
        backend.throttle(&key, attempt).await
    }
}

/// Says whether one of each quota would be used up now, and uses up nothing.
pub fn peek<'b, K, B>(
    backend: &'b B,
    key: Key,
) -> impl Future<Output = BackendResult<Decision>> + Send + use<'b, K, B>
where
    K: Throttled,
    B: Backend + ?Sized,
{
    async move { backend.throttle(&key, Attempt::new(K::QUOTAS).peek()).await }
}
