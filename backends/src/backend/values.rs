//! The generic half of the raw API: one encoding or decoding around one byte-level call.

use std::future::Future;
use std::time::Duration;

use super::fast_path::{put_now, read_now};
use super::life::{Expiry, Life};
use super::plain;
use super::store::{NewEntry, Store, Touch, tell_if_undecodable};
use super::stored::Stored;
use super::write::{Condition, Write};
use crate::codec::{Decode, Encode, Encoded};
use crate::error::{BackendResult, Failures};

pub(crate) async fn get<S: Store + ?Sized, V: Decode>(
    store: &S,
    key: &str,
) -> BackendResult<Option<V>> {
    match read_now!(store, key, Touch::Keep, true) {
        Ok(stored) => decoded(store, key, stored),
        Err(error) => Err(error),
    }
}

pub(crate) async fn take<S: Store + ?Sized, V: Decode>(
    store: &S,
    key: &str,
) -> BackendResult<Option<V>> {
    let taken = store.take_value(key).await?;
    decoded(store, key, taken)
}

pub(crate) async fn get_with_ttl<S: Store + ?Sized, V: Decode>(
    store: &S,
    key: &str,
) -> BackendResult<Option<(V, Expiry)>> {
    let Some((stored, expiry)) = plain::read(store, key).await? else {
        return Ok(None);
    };
    let value = decoded(store, key, Some(stored))?;
    Ok(value.map(|value| (value, expiry)))
}

pub(crate) async fn get_many<S: Store + ?Sized, V: Decode>(
    store: &S,
    keys: &[&str],
) -> BackendResult<Vec<Option<V>>> {
    let all = plain::read_values(store, keys, Touch::Keep, true).await?;
    let all = keys.iter().zip(all);
    all.map(|(key, stored)| decoded(store, key, stored))
        .collect()
}

/// Writes a value that is encoded before the future is made, so that the value itself need not be
/// `Send`.
pub(crate) fn write<'b, 'k, 'c, S: Store + ?Sized, V: Encode + ?Sized>(
    store: &'b S,
    key: &'k str,
    value: &V,
    condition: Condition<'c>,
    life: Life,
) -> impl Future<Output = BackendResult<bool>> + Send + use<'b, 'k, 'c, S, V> {
    let encoded = value.encode().map(Encoded::from);
    async move {
        let options = Write::new(life).when(condition);
        match encoded {
            Ok(mut encoded) => put_now!(store, key, encoded, options),
            Err(error) => Err(error),
        }
    }
}

pub(crate) fn set_many<'b, 'e, 'k, S: Store + ?Sized, V: Encode>(
    store: &'b S,
    entries: &'e [(&'k str, V)],
    ttl: Option<Duration>,
) -> impl Future<Output = BackendResult<()>> + Send + use<'b, 'e, 'k, S, V> {
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
        store.put_many(&entries).await
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

fn decoded<S: Store + ?Sized, V: Decode>(
    store: &S,
    key: &str,
    stored: Option<Stored>,
) -> BackendResult<Option<V>> {
    let decoded = stored.map(|stored| stored.decode()).transpose();
    decoded.inspect_err(|error| tell_if_undecodable(store, key, error))
}
