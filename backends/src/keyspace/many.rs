//! The operations on many entries at once, in as few round trips as the backend allows.

use std::borrow::Borrow;
use std::future::Future;

use super::counter::decode_sum;
use super::key::Key;
use super::value::{ValueArg, decode, encode, encode_entry};
use super::versions::VersionedKeys;
use super::{Counter, Entry, Keyspace, Valued, going_on, writes};
use crate::backend::values::encode_all;
use crate::backend::{Backend, Stored, plain};
use crate::error::BackendResult;

/// Returns the live values, in the order of the keys; in a sliding keyspace their lives start over.
///
/// A keyspace with [`OnUnavailable::Miss`](super::OnUnavailable::Miss) finds none of them while the
/// store is away, or a part of it.
///
/// # Errors
///
/// `Decode` if one of them is not a value of the keyspace.
pub fn get_many<'b, K, B>(
    backend: &'b B,
    keys: Vec<Key>,
) -> impl Future<Output = BackendResult<Vec<Option<K::Value>>>> + Send + use<'b, K, B>
where
    K: Valued,
    B: Backend + ?Sized,
{
    async move {
        let found = find_many_or_miss::<K, B>(backend, &keys).await?;
        let values = keys.iter().zip(found).map(|(key, found)| match found {
            Some((back, stored)) => decode::<K, B>(backend, key, back, &stored),
            None => Ok(None),
        });
        values.collect()
    }
}

/// Returns the sums, in the order of the keys; zero where there is no live counter.
///
/// # Errors
///
/// `Decode` if one of them is no integer in the range of `i64`.
pub fn count_many<'b, K, B>(
    backend: &'b B,
    keys: Vec<Key>,
) -> impl Future<Output = BackendResult<Vec<i64>>> + Send + use<'b, K, B>
where
    K: Counter,
    B: Backend + ?Sized,
{
    async move {
        let found = find_many::<K, B>(backend, &keys).await?;
        let sums = keys.iter().zip(found).map(|(key, found)| match found {
            Some((_, stored)) => decode_sum(backend, key, &stored),
            None => Ok(0),
        });
        sums.collect()
    }
}

/// Stores all values for the keyspace's own time. Each one is atomic, all together are not; of
/// equal keys the last wins.
///
/// A keyspace with [`OnUnavailable::Miss`](super::OnUnavailable::Miss) may store nothing, or a
/// part, while the store is away, and that is no error.
///
/// # Errors
///
/// Bad input (`Encode`, `InvalidKey`, `TooLarge`) is refused as a whole before anything is sent;
/// [`failed_indices`](crate::BackendError::failed_indices) names the entries at fault, or later
/// those that were not stored. `Conflict` in a keyspace that migrates, when other writers were
/// faster 128 times.
pub fn set_many<'b, K, B, V, I>(
    backend: &'b B,
    entries: I,
) -> impl Future<Output = BackendResult<()>> + Send + use<'b, K, B, V, I>
where
    K: Valued,
    B: Backend + ?Sized,
    V: ValueArg<K::Value>,
    I: Iterator<Item = (Key, V)>,
{
    let (keys, encoded): (Vec<Key>, Vec<_>) = entries
        .map(|(key, value)| {
            let encoded = encode::<K, V>(&key, &value);
            (key, encoded)
        })
        .unzip();
    writes::write_many::<K, B>(backend, keys, encode_all(encoded.into_iter()))
}

/// Stores all entries as [`set_many`] does.
///
/// # Errors
///
/// As [`set_many`].
pub fn save_many<'b, K, B, I>(
    backend: &'b B,
    entries: I,
) -> impl Future<Output = BackendResult<()>> + Send + use<'b, K, B, I>
where
    K: Entry,
    B: Backend + ?Sized,
    I: IntoIterator<Item: Borrow<K>>,
{
    let (keys, encoded): (Vec<Key>, Vec<_>) = entries
        .into_iter()
        .map(|entry| {
            let entry = entry.borrow();
            (entry.entry_key(), encode_entry(entry))
        })
        .unzip();
    writes::write_many::<K, B>(backend, keys, encode_all(encoded.into_iter()))
}

/// Removes the entries and returns how many live ones there were.
pub fn delete_many<'b, K, B>(
    backend: &'b B,
    keys: Vec<Key>,
) -> impl Future<Output = BackendResult<u64>> + Send + use<'b, K, B>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    async move { writes::remove_many::<K, B>(backend, &keys).await }
}

/// Does what [`find_many`] does. In a keyspace that goes on it finds none of the entries while the
/// store is away.
async fn find_many_or_miss<K, B>(
    backend: &B,
    keys: &[Key],
) -> BackendResult<Vec<Option<(usize, Stored)>>>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    if const { !K::INFO.goes_on() } {
        return find_many::<K, B>(backend, keys).await;
    }
    // The answer to no question says nothing about the store.
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let lookup = find_many::<K, B>(backend, keys);
    let found = going_on::read::<K, B, _>(backend, keys, K::INFO.reads_are_plain(), lookup).await?;
    Ok(found.unwrap_or_else(|| vec![None; keys.len()]))
}

/// Finds the newest version of each entry, as if all had been read in one step where the backend
/// does that.
async fn find_many<K, B>(backend: &B, keys: &[Key]) -> BackendResult<Vec<Option<(usize, Stored)>>>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    let versions = VersionedKeys::all::<K>(keys);
    let texts: Vec<&str> = versions.iter().flat_map(VersionedKeys::texts).collect();
    let is_plain = K::INFO.reads_are_plain();
    let all = plain::read_values(backend, &texts, K::INFO.touch(), is_plain).await?;
    let mut all = all.into_iter();
    let newest = |versions: &VersionedKeys<'_>| {
        let versions = versions.oldest_first().zip(&mut all);
        let found = versions.filter_map(|((back, _), stored)| Some((back, stored?)));
        found.last()
    };
    let mut found: Vec<_> = versions.iter().map(newest).collect();
    if const { K::INFO.migrates.is_some() } {
        find_moved::<K, B>(backend, &versions, &mut found).await?;
    }
    Ok(found)
}

/// Looks once more for the entries that were found nowhere. If the keys of one call are read side
/// by side, as on a cluster, an entry may have left a version that was read late for one that was
/// read early. So the versions are read one after the other, the way that entries move.
async fn find_moved<K, B>(
    backend: &B,
    versions: &[VersionedKeys<'_>],
    found: &mut [Option<(usize, Stored)>],
) -> BackendResult<()>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    let missing: Vec<usize> = (0..versions.len())
        .filter(|entry| found[*entry].is_none())
        .collect();
    for version in 0.. {
        let keys = missing.iter().filter_map(|entry| {
            let (back, key) = versions[*entry].oldest_first().nth(version)?;
            Some((*entry, back, key.as_str()))
        });
        let keys: Vec<_> = keys.collect();
        if keys.is_empty() {
            break;
        }
        let texts: Vec<&str> = keys.iter().map(|(.., text)| *text).collect();
        let all = backend.read_values(&texts, K::INFO.touch()).await?;
        for ((entry, back, _), stored) in keys.into_iter().zip(all) {
            if let Some(stored) = stored {
                found[entry] = Some((back, stored));
            }
        }
    }
    Ok(())
}
