//! Byte-level calls that a backend in this process answers without a future.

use std::time::Duration;

use super::stored::Stored;
use super::{Backend, Write};
use crate::error::BackendResult;

/// Calls a method of [`Backend`], in an `async` block, or the one of the same name that answers at once.
///
/// An `async fn` would do the same in a future of its own, which costs a read a tenth of its time, as the compiler sees
/// through no future. Where that matters the answer is matched as it is, too: `?` moves it once more.
macro_rules! direct {
    ($backend:ident.$method:ident($($argument:expr),*)) => {
        match $backend.in_process() {
            Some(backend) => backend.$method($($argument),*),
            None => $backend.$method($($argument),*).await,
        }
    };
}
pub(crate) use direct;

/// Writes an encoded value, as [`direct`] calls.
macro_rules! write_direct {
    ($backend:ident, $key:expr, $encoded:ident, $options:expr) => {
        match $backend.in_process() {
            Some(backend) => backend.write_from($key, $encoded.as_buffer(), $options),
            None => $backend.write($key, &$encoded, $options).await,
        }
    };
}
pub(crate) use write_direct;

pub(crate) async fn get_stored<B: Backend + ?Sized>(
    backend: &B,
    key: &str,
) -> BackendResult<Option<Stored>> {
    direct!(backend.get_stored(key))
}

pub(crate) async fn write<B: Backend + ?Sized>(
    backend: &B,
    key: &str,
    value: &[u8],
    options: Write<'_>,
) -> BackendResult<bool> {
    direct!(backend.write(key, value, options))
}

pub(crate) async fn renew_stored<B: Backend + ?Sized>(
    backend: &B,
    key: &str,
    ttl: Duration,
) -> BackendResult<Option<Stored>> {
    direct!(backend.renew_stored(key, ttl))
}
