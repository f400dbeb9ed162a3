//! The generic half of the raw API: one encoding or decoding around one byte-level call.

use std::future::Future;
use std::time::Duration;

use super::direct::{direct, write_direct};
use super::life::{Expiry, Life};
use super::stored::Stored;
use super::{Backend, Condition, NewEntry, Write};
use crate::codec::{Decode, Encode, Encoded};
use crate::error::{BackendResult, Failures};

pub(crate) async fn get<B: Backend + ?Sized, V: Decode>(
    backend: &B,
    key: &str,
) -> BackendResult<Option<V>> {
    match direct!(backend.get_stored(key)) {
        Ok(stored) => decoded(stored),
        Err(error) => Err(error),
    }
}

pub(crate) async fn take<B: Backend + ?Sized, V: Decode>(
    backend: &B,
    key: &str,
) -> BackendResult<Option<V>> {
    decoded(backend.take_stored(key).await?)
}

pub(crate) async fn get_with_ttl<B: Backend + ?Sized, V: Decode>(
    backend: &B,
    key: &str,
) -> BackendResult<Option<(V, Expiry)>> {
    let Some((stored, expiry)) = backend.read(key).await? else {
        return Ok(None);
    };
    Ok(Some((stored.decode()?, expiry)))
}

pub(crate) async fn get_many<B: Backend + ?Sized, V: Decode>(
    backend: &B,
    keys: &[&str],
) -> BackendResult<Vec<Option<V>>> {
    let all = backend.get_many_stored(keys).await?;
    all.into_iter().map(decoded).collect()
}

/// Writes a value that is encoded before the future is made, so that the value itself need not be `Send`.
pub(crate) fn write<'b, 'k, 'c, B: Backend + ?Sized, V: Encode + ?Sized>(
    backend: &'b B,
    key: &'k str,
    value: &V,
    condition: Condition<'c>,
    life: Life,
) -> impl Future<Output = BackendResult<bool>> + Send + use<'b, 'k, 'c, B, V> {
    let encoded = value.encode().map(Encoded::from);
    async move {
        let options = Write::new(life).when(condition);
        match encoded {
            Ok(mut encoded) => write_direct!(backend, key, encoded, options),
            Err(error) => Err(error),
        }
    }
}

pub(crate) fn set_many<'b, 'e, 'k, B: Backend + ?Sized, V: Encode>(
    backend: &'b B,
    entries: &'e [(&'k str, V)],
    ttl: Option<Duration>,
) -> impl Future<Output = BackendResult<()>> + Send + use<'b, 'e, 'k, B, V> {
    let keys: Vec<&str> = entries.iter().map(|(key, _)| *key).collect();
    let encoded = encode_all(entries.iter().map(|(_, value)| value.encode()));
    async move {
        let encoded = encoded?;
        let entries = keys.iter().zip(&encoded);
        let entries: Vec<_> = entries
            .map(|(key, value)| NewEntry {
                key,
                value,
                life: ttl.into(),
            })
            .collect();
        backend.write_many(&entries).await
    }
}

/// Collects encoded values, or names all that don't encode.
pub(crate) fn encode_all(
    values: impl Iterator<Item = BackendResult<Vec<u8>>>,
) -> BackendResult<Vec<Vec<u8>>> {
    let mut all = Vec::with_capacity(values.size_hint().0);
    let mut failures = Failures::default();
    for (index, encoded) in values.enumerate() {
        match encoded {
            Ok(bytes) => all.push(bytes),
            Err(error) => failures.add([index], error),
        }
    }
    failures.into_result()?;
    Ok(all)
}

fn decoded<V: Decode>(stored: Option<Stored>) -> BackendResult<Option<V>> {
    match stored {
        Some(stored) => stored.decode().map(Some),
        None => Ok(None),
    }
}
