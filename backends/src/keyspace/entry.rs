//! The operations of keyspaces whose entries are the structs themselves.

use std::future::Future;

use futures_core::Stream;
use futures_util::{StreamExt, stream};

use super::Entry;
use super::key::{Key, scan_prefix};
use super::update::update_checked;
use crate::backend::{Backend, Stored};
use crate::codec::Codec;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// How many values a scan reads in one round trip.
const SCAN_BATCH: usize = 128;

/// Changes the entry as [`update`](super::update) does.
///
/// # Errors
///
/// `InvalidKey` if `change` changes a key field; nothing is stored then.
pub fn update_entry<'b, K, B, F>(
    backend: &'b B,
    key: Key,
    change: F,
) -> impl Future<Output = BackendResult<Option<K>>> + use<'b, K, B, F>
where
    K: Entry,
    B: Backend + ?Sized,
    F: FnMut(&mut K),
{
    update_checked::<K, B, F>(backend, key, change, |key, entry| {
        if entry.entry_key() == *key {
            return Ok(());
        }
        Err(BackendError::new(
            ErrorKind::InvalidKey,
            "an update changed a key field",
        ))
    })
}

/// Streams the live entries of the keyspace, in no order; an entry may come more than once.
///
/// An entry that goes while the scan runs may be missing. One that can't be read is an error item, and the stream goes
/// on.
pub fn scan<'b, K, B>(
    backend: &'b B,
) -> impl Stream<Item = BackendResult<K>> + Send + Unpin + use<'b, K, B>
where
    K: Entry,
    B: Backend + ?Sized,
{
    let is_key: fn(&str) -> bool = |text| K::parse_key(text).is_some();
    let batches = backend
        .scan(&scan_prefix(&K::INFO))
        .ready_chunks(SCAN_BATCH);
    let stored = batches.then(move |batch| read_batch(backend, batch, is_key));
    // Entries are decoded last, outside of the box, so that they need not be `Send`.
    let stored = stored.flat_map(stream::iter).boxed();
    stored.map(|item| K::Codec::decode::<K::Value>(item?.as_bytes()))
}

/// Reads the values under the keys of a batch; keys that are gone by now are left out.
async fn read_batch<B: Backend + ?Sized>(
    backend: &B,
    batch: Vec<BackendResult<String>>,
    is_key: fn(&str) -> bool,
) -> Vec<BackendResult<Stored>> {
    let mut items = Vec::with_capacity(batch.len());
    let mut keys = Vec::with_capacity(batch.len());
    for key in batch {
        match key {
            Ok(key) if is_key(&key) => keys.push(key),
            Ok(_) => items.push(Err(foreign_key())),
            Err(error) => items.push(Err(error)),
        }
    }
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    match backend.get_many_stored(&keys).await {
        Ok(all) => items.extend(all.into_iter().flatten().map(Ok)),
        Err(error) => items.push(Err(error)),
    }
    items
}

fn foreign_key() -> BackendError {
    BackendError::new(
        ErrorKind::InvalidKey,
        "a key under the prefix is not a key of the keyspace",
    )
}
