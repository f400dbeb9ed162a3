//! Optimistic updates: read, change, compare and set, again if somebody else was faster.

use std::future::Future;
use std::time::Duration;

use futures_timer::Delay;

use super::Valued;
use super::key::Key;
use super::value::ValueArg;
use crate::backend::{Backend, Condition, Life, Write};
use crate::codec::Codec;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// After so many lost races an update gives up.
const MAX_TRIES: u32 = 128;

/// Changes the value in one atomic step and returns it as stored; `None` if there is no live entry.
///
/// The bytes as read are compared when the changed value is stored. If another writer was faster the value is read and
/// changed again, so `change` may run several times. What is left of the life stays.
///
/// # Errors
///
/// `Conflict` when other writers were faster 128 times.
///
/// # Cancel safety
///
/// A dropped future has stored the whole change or nothing.
pub fn update<'b, K, B, F>(
    backend: &'b B,
    key: Key,
    change: F,
) -> impl Future<Output = BackendResult<Option<K::Value>>> + use<'b, K, B, F>
where
    K: Valued,
    B: Backend + ?Sized,
    F: FnMut(&mut K::Value),
{
    update_checked::<K, B, F>(backend, key, change, |_, _| Ok(()))
}

/// As [`update`], and `check` may refuse the changed value before it is stored.
pub(super) async fn update_checked<K, B, F>(
    backend: &B,
    key: Key,
    mut change: F,
    check: fn(&Key, &K::Value) -> BackendResult<()>,
) -> BackendResult<Option<K::Value>>
where
    K: Valued,
    B: Backend + ?Sized,
    F: FnMut(&mut K::Value),
{
    for lost in 0..MAX_TRIES {
        back_off(lost).await;
        let Some(stored) = backend.get_stored(&key).await? else {
            return Ok(None);
        };
        let mut value: K::Value = K::Codec::decode(stored.as_bytes())?;
        change(&mut value);
        check(&key, &value)?;
        let encoded = ValueArg::<K::Value>::encode::<K::Codec>(&value)?;
        let options = Write::new(Life::Keep).when(Condition::Equals(stored.as_bytes()));
        if backend.write(&key, &encoded, options).await? {
            return Ok(Some(value));
        }
    }
    Err(BackendError::new(
        ErrorKind::Conflict,
        format!("another writer was faster {MAX_TRIES} times"),
    ))
}

/// Waits for a random time below 0.25 ms doubled with every lost race, 16 ms at most ("full jitter").
///
/// Not on tokio's clock, which a test with paused time would see jump.
async fn back_off(lost: u32) {
    if lost == 0 {
        return;
    }
    let most = Duration::from_micros(250) * (1 << lost.min(6));
    Delay::new(most.mul_f64(fastrand::f64())).await;
}
