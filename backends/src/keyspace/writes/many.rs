//! The writes and removals of many entries.

use std::future::Future;

use super::replacing;
use super::voiding::{void, void_prefix};
use crate::backend::Backend;
use crate::backend::store::NewEntry;
use crate::error::BackendResult;
use crate::keyspace::info::KeyspaceInfo;
use crate::keyspace::key::Key;
use crate::keyspace::versions::VersionedKeys;
use crate::keyspace::{Keyspace, Valued, going_on};

/// Writes all entries for the keyspace's own time, whatever was there.
pub(in crate::keyspace) fn write_many<'b, K, B>(
    backend: &'b B,
    keys: Vec<Key>,
    encoded: BackendResult<Vec<Vec<u8>>>,
) -> impl Future<Output = BackendResult<()>> + Send + use<'b, K, B>
where
    K: Valued,
    B: Backend + ?Sized,
{
    async move {
        let encoded = encoded?;
        let entries = keys.iter().zip(&encoded);
        let entries: Vec<_> = entries
            .map(|(key, value)| NewEntry {
                key,
                value,
                life: K::INFO.new_life(),
            })
            .collect();
        if const { K::INFO.has_leases() || K::INFO.migrates.is_some() || K::INFO.goes_on() } {
            backend.info().limits.check_entries(&entries)?;
        }
        if const { K::INFO.goes_on() } {
            // The answer to no write says nothing about the store.
            if keys.is_empty() {
                return Ok(());
            }
            let written = write_entries::<K, B>(backend, &keys, &entries);
            let written = going_on::write::<K, B, _>(backend, &keys, written).await;
            return written.map(drop);
        }
        write_entries::<K, B>(backend, &keys, &entries).await
    }
}

/// Writes entries; those of a keyspace with several versions or leases keep the limits.
fn write_entries<'a, K, B>(
    backend: &'a B,
    keys: &'a [Key],
    entries: &'a [NewEntry<'a>],
) -> impl Future<Output = BackendResult<()>> + Send + use<'a, K, B>
where
    K: Valued,
    B: Backend + ?Sized,
{
    async move {
        if let Some(voided) = void::<K, B>(backend, keys) {
            voided.await?;
        }
        if const { K::INFO.migrates.is_some() } {
            let versions = VersionedKeys::all::<K>(keys);
            return replacing::write_many(backend, &versions, entries).await;
        }
        backend.put_many(entries).await
    }
}

/// Removes every version of all entries, and returns how many live ones there were.
pub(in crate::keyspace) async fn remove_many<K, B>(backend: &B, keys: &[Key]) -> BackendResult<u64>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    if let Some(voided) = void::<K, B>(backend, keys) {
        voided.await?;
    }
    let versions = VersionedKeys::all::<K>(keys);
    let texts: Vec<&str> = versions.iter().flat_map(VersionedKeys::texts).collect();
    let removed = backend.delete_many(&texts).await?;
    going_on::acknowledge::<K, B, _>(backend, keys, removed)
}

/// Removes all entries of a keyspace, without its older versions, whose keys begin with `prefix`.
/// Returns how many there were.
pub(in crate::keyspace) async fn clear<B: Backend + ?Sized>(
    backend: &B,
    keyspace: &KeyspaceInfo,
    prefix: &str,
) -> BackendResult<u64> {
    void_prefix(backend, keyspace, prefix).await?;
    backend.clear_prefix(prefix).await
}
