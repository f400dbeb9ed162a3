//! Byte-level calls that a backend in this process answers without a future.

use std::time::Duration;

use super::stored::Stored;
use super::{Backend, Counted, Write};
use crate::error::BackendResult;

pub(crate) async fn get_stored<B: Backend + ?Sized>(
    backend: &B,
    key: &str,
) -> BackendResult<Option<Stored>> {
    match backend.in_process() {
        Some(backend) => backend.get_stored(key),
        None => backend.get_stored(key).await,
    }
}

pub(crate) async fn write<B: Backend + ?Sized>(
    backend: &B,
    key: &str,
    value: &[u8],
    options: Write<'_>,
) -> BackendResult<bool> {
    match backend.in_process() {
        Some(backend) => backend.write(key, value, options),
        None => backend.write(key, value, options).await,
    }
}

pub(crate) async fn increment_by<B: Backend + ?Sized>(
    backend: &B,
    key: &str,
    delta: i64,
    ttl: Option<Duration>,
) -> BackendResult<Counted> {
    match backend.in_process() {
        Some(backend) => backend.increment_by(key, delta, ttl),
        None => backend.increment_by(key, delta, ttl).await,
    }
}

pub(crate) async fn renew_stored<B: Backend + ?Sized>(
    backend: &B,
    key: &str,
    ttl: Duration,
) -> BackendResult<Option<Stored>> {
    match backend.in_process() {
        Some(backend) => backend.renew_stored(key, ttl),
        None => backend.renew_stored(key, ttl).await,
    }
}
