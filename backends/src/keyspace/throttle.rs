//! The operations on throttles.

use std::future::Future;
use std::time::Duration;

use super::Throttled;
use super::key::Key;
use crate::backend::store::tell_if_refused;
use crate::backend::{Backend, Life};
use crate::error::BackendResult;
use crate::quota::{Attempt, Decision, Quota};

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
        let attempt = Attempt::new(K::QUOTAS).with_cost(cost);
        let decision = backend.throttle(&key, attempt).await?;
        tell_if_refused(backend, &key, K::QUOTAS, &decision);
        Ok(decision)
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
    peek_n::<K, B>(backend, key, 1)
}

/// Says whether `cost` of each quota would be used up now, and uses up nothing.
///
/// # Errors
///
/// `TooLarge` for a cost over the capacity of a quota.
pub fn peek_n<'b, K, B>(
    backend: &'b B,
    key: Key,
    cost: u32,
) -> impl Future<Output = BackendResult<Decision>> + Send + use<'b, K, B>
where
    K: Throttled,
    B: Backend + ?Sized,
{
    async move {
        let attempt = Attempt::new(K::QUOTAS).with_cost(cost).peeking();
        backend.throttle(&key, attempt).await
    }
}

/// For the derive: makes sure that a quota can be counted.
///
/// # Panics
///
/// If it can't: in a constant this is a compile error.
pub const fn checked_quota(quota: Quota) -> Quota {
    match quota.fault() {
        None => quota,
        Some(fault) => panic!("{}", fault),
    }
}

/// For the derive: returns the longest life that these quotas alone give an entry.
///
/// Other quotas that programs have on the key may give it a longer one.
pub const fn longest_life(quotas: &[Quota]) -> Life {
    let mut longest = Duration::from_millis(1);
    let mut at = 0;
    while at < quotas.len() {
        let memory = quotas[at].memory();
        if memory.as_nanos() > longest.as_nanos() {
            longest = memory;
        }
        at += 1;
    }
    Life::In(longest)
}
