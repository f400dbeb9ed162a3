//! The fast path: calls that a store in this process answers without a future.

use super::store::{Store, Touch};
use super::stored::Stored;
use super::write::Write;
use crate::error::BackendResult;

/// Calls a method of [`Store`], in an `async` block, or the one of the same name of its synchronous
/// part.
///
/// An `async fn` would do the same in a future of its own, which costs a read a tenth of its time,
/// as the compiler sees through no future. On a hot path the answer is matched as it is, too: `?`
/// moves it once more.
macro_rules! call_now {
    ($store:ident.$method:ident($($argument:expr),*)) => {
        match $store.as_sync() {
            Some(store) => store.$method($($argument),*),
            None => $store.$method($($argument),*).await,
        }
    };
}
pub(crate) use call_now;

/// Reads a value, as [`call_now`] calls; from a replica where that is asked for and `$is_plain`.
macro_rules! read_now {
    ($store:ident, $key:expr, $touch:expr, $is_plain:expr) => {
        match $store.as_sync() {
            Some(store) => store.read_value($key, $touch),
            None => crate::backend::plain::read_value($store, $key, $touch, $is_plain).await,
        }
    };
}
pub(crate) use read_now;

/// Writes an encoded value, as [`call_now`] calls.
macro_rules! put_now {
    ($store:ident, $key:expr, $encoded:ident, $options:expr) => {
        match $store.as_sync() {
            Some(store) => store.put_from($key, $encoded.as_buffer(), $options),
            None => $store.put($key, &$encoded, $options).await,
        }
    };
}
pub(crate) use put_now;

pub(crate) async fn read_value<S: Store + ?Sized>(
    store: &S,
    key: &str,
    touch: Touch,
) -> BackendResult<Option<Stored>> {
    call_now!(store.read_value(key, touch))
}

pub(crate) async fn put<S: Store + ?Sized>(
    store: &S,
    key: &str,
    value: &[u8],
    options: Write<'_>,
) -> BackendResult<bool> {
    call_now!(store.put(key, value, options))
}
