//! The writes, removals and takes of entries: all go through here, and each first voids the leases
//! of the entry (`voiding`).
//!
//! The steps below that don't void are private to this folder: an accessor that changes entries
//! calls one of the functions here, and can't forget the leases.

mod many;
mod older;
mod replacing;
mod updating;
mod voiding;

use std::future::Future;
use std::slice;

use futures_util::future::BoxFuture;

pub(super) use self::many::{clear, remove_many, write_many};
pub(crate) use self::older::remove_all_older;
use self::older::remove_older;
pub(super) use self::updating::UpdatedEntry;
use self::voiding::{void, void_for_write};
use super::key::Key;
use super::versions::VersionedKeys;
use super::{Keyspace, Valued, going_on};
use crate::backend::fast_path::{self, put_now};
use crate::backend::{Backend, Condition, Life, Stored, Write};
use crate::codec::Encoded;
use crate::error::BackendResult;

/// Writes an entry, whatever was there.
pub(super) fn write<'b, K, B>(
    backend: &'b B,
    key: Key,
    encoded: BackendResult<Vec<u8>>,
    life: Life,
) -> impl Future<Output = BackendResult<()>> + Send + use<'b, K, B>
where
    K: Valued,
    B: Backend + ?Sized,
{
    let encoded = encoded.map(Encoded::from);
    async move {
        if const { K::INFO.goes_on() } && backend.as_sync().is_none() {
            return write_or_lose::<K, B>(backend, &key, encoded, life).await;
        }
        if let Ok(encoded) = &encoded
            && let Some(voided) = void_for_write::<K, B>(backend, &key, encoded, life)
            && let Err(error) = voided.await
        {
            return going_on::lost::<K, B>(backend, slice::from_ref(&key), error);
        }
        // Known when it is compiled, so that most keyspaces do without the rest.
        if const { K::INFO.migrates.is_some() } {
            let versions = VersionedKeys::of::<K>(&key);
            let written = replacing::write(backend, &versions, &encoded?, life).await;
            let lost = |error| going_on::lost::<K, B>(backend, slice::from_ref(&key), error);
            return written.or_else(lost);
        }
        let written = match encoded {
            Ok(mut encoded) => put_now!(backend, &key, encoded, Write::new(life)),
            Err(error) => Err(error),
        };
        match written {
            Ok(_) => Ok(()),
            Err(error) => going_on::lost::<K, B>(backend, slice::from_ref(&key), error),
        }
    }
}

/// Writes an entry as [`write`] does, in a keyspace that goes on while its store is away.
///
/// The future is in a box, which other keyspaces are spared.
fn write_or_lose<'a, K, B>(
    backend: &'a B,
    key: &'a Key,
    encoded: BackendResult<Encoded>,
    life: Life,
) -> BoxFuture<'a, BackendResult<()>>
where
    K: Valued,
    B: Backend + ?Sized,
{
    Box::pin(async move {
        let encoded = encoded?;
        // Refused whether the store is there or not.
        let limits = backend.info().limits;
        life.checked()?;
        limits.check_key(key)?;
        limits.check_value(&encoded)?;
        let written = async {
            if let Some(voided) = void_for_write::<K, B>(backend, key, &encoded, life) {
                voided.await?;
            }
            if const { K::INFO.migrates.is_some() } {
                let versions = VersionedKeys::of::<K>(key);
                return replacing::write(backend, &versions, &encoded, life).await;
            }
            backend.put(key, &encoded, Write::new(life)).await.map(drop)
        };
        let written = going_on::write::<K, B, _>(backend, slice::from_ref(key), written).await;
        written.map(drop)
    })
}

/// Writes an entry for the keyspace's own time if the condition is met, and says whether it was.
pub(super) fn write_if<'b, K, B>(
    backend: &'b B,
    key: Key,
    encoded: BackendResult<Vec<u8>>,
    condition: Condition<'static>,
) -> impl Future<Output = BackendResult<bool>> + Send + use<'b, K, B>
where
    K: Valued,
    B: Backend + ?Sized,
{
    let encoded = encoded.map(Encoded::from);
    async move {
        let encoded = encoded?;
        if let Some(refused) = going_on::refused::<K, B>(backend, slice::from_ref(&key)) {
            return Err(refused.await);
        }
        let life = K::INFO.new_life();
        if let Some(voided) = void_for_write::<K, B>(backend, &key, &encoded, life) {
            voided.await?;
        }
        let versions = VersionedKeys::of::<K>(&key);
        if let Condition::Present = condition {
            return updating::write_if_present(backend, versions, &encoded, life).await;
        }
        for older in versions.older_than(0) {
            if backend.read_life(older).await?.is_some() {
                return Ok(false);
            }
        }
        let options = Write::new(life).when(condition);
        fast_path::put(backend, versions.newest(), &encoded, options).await
    }
}

/// Removes every version of an entry, oldest first, and returns the newest one with the number of
/// versions that it is behind.
pub(super) async fn take<K, B>(backend: &B, key: &Key) -> BackendResult<Option<(usize, Stored)>>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    if let Some(refused) = going_on::refused::<K, B>(backend, slice::from_ref(key)) {
        return Err(refused.await);
    }
    if let Some(voided) = void::<K, B>(backend, slice::from_ref(key)) {
        voided.await?;
    }
    let versions = VersionedKeys::of::<K>(key);
    if versions.older_than(0).is_empty() {
        let stored = backend.take_value(versions.newest()).await?;
        return Ok(stored.map(|stored| (0, stored)));
    }
    for (back, key) in versions.search() {
        if backend.read_life(key).await?.is_none() {
            continue;
        }
        let older = remove_older(backend, &versions, back).await?;
        let taken = backend.take_value(key).await;
        if let Some(stored) = taken.map_err(|error| error.after(older))? {
            return Ok(Some((back, stored)));
        }
    }
    Ok(None)
}

/// Removes every version of an entry, oldest first, and says whether there was a live one.
pub(super) async fn remove<K, B>(backend: &B, key: &Key) -> BackendResult<bool>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    if let Some(voided) = void::<K, B>(backend, slice::from_ref(key)) {
        voided.await?;
    }
    let versions = VersionedKeys::of::<K>(key);
    let older = remove_older(backend, &versions, 0).await?;
    let newest = backend.delete(versions.newest()).await;
    let removed = newest.map_err(|error| error.after(older))? || older;
    going_on::acknowledge::<K, B, _>(backend, slice::from_ref(key), removed)
}
