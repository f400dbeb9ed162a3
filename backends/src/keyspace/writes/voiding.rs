//! Ending the right of other callers to store the values that they compute, before an entry is
//! written or removed.
//!
//! In a keyspace with the word `lease` (or `stale`) every key K has a sibling K', the lease. A
//! caller that computes a value holds K' with a token of its own, and stores the value by a move
//! from K' to K: in one step the token, which must still be there, goes and the value comes. Every
//! accessor that writes or removes K first removes K', whichever caller holds it.
//!
//! So a write and a removal stay in effect, whatever computations run meanwhile. Take an accessor A
//! that begins at the time a, removes K' at b and writes or removes K at c; and a computation that
//! took K' at t.
//!
//! * t before b: the token of the computation is gone at b, so from then on it can't store. If it
//!   stored before b, then before c, and A has the last word.
//! * t after b: the computation began after a, when A was called. A caller that changed the source
//!   and then called A has changed the source before a, so this computation has read the source as
//!   it is now. The value that it stores is right, before c or after it: a removal at c may take
//!   the value away, which costs another computation, and a write at c leaves nothing for the move,
//!   which asks for K to be as it was when the computation began.
//!
//! The bytes under K alone couldn't tell this: a write of the same bytes, and a removal followed by
//! a write, look like nothing. A value that is computed from the old value of K is the business of
//! `update`, which compares.

use std::slice;

use futures_util::future::BoxFuture;

use crate::backend::{Backend, Life};
use crate::error::BackendResult;
use crate::keyspace::Keyspace;
use crate::keyspace::info::KeyspaceInfo;
use crate::keyspace::key::Key;
use crate::keyspace::segments::of_lease;

/// Removes the leases of the keys in all versions; `None` in a keyspace without leases.
///
/// The removal is a future in a box, which keyspaces without leases are spared: an `async fn` would
/// cost each of their writes a future that does nothing.
#[must_use = "the leases are removed when this is awaited"]
pub(super) fn void<'a, K, B>(
    backend: &'a B,
    keys: &'a [Key],
) -> Option<BoxFuture<'a, BackendResult<()>>>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    const { K::INFO.has_leases() }.then(|| remove_leases::<K, B>(backend, keys))
}

/// Does what [`void`] does before a value is written, unless it will be refused.
#[must_use = "the leases are removed when this is awaited"]
pub(super) fn void_for_write<'a, K, B>(
    backend: &'a B,
    key: &'a Key,
    value: &'a [u8],
    life: Life,
) -> Option<BoxFuture<'a, BackendResult<()>>>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    const { K::INFO.has_leases() }.then(|| -> BoxFuture<'a, _> {
        Box::pin(async move {
            backend.info().limits.check_value(value)?;
            life.checked()?;
            remove_leases::<K, B>(backend, slice::from_ref(key)).await
        })
    })
}

fn remove_leases<'a, K, B>(backend: &'a B, keys: &'a [Key]) -> BoxFuture<'a, BackendResult<()>>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    Box::pin(async move {
        let leases: Vec<Key> = keys.iter().flat_map(leases::<K>).collect();
        let texts: Vec<&str> = leases.iter().map(Key::as_str).collect();
        backend.delete_many(&texts).await.map(drop)
    })
}

/// Returns the keys of the leases of all versions that have any.
fn leases<K: Keyspace>(key: &Key) -> impl Iterator<Item = Key> {
    let newest = const { &K::INFO };
    let versions = newest
        .versions()
        .filter(|version| version.lease.is_some())
        .filter_map(|version| Some(key.moved(newest, version)?.of_lease(version)));
    versions.collect::<Vec<_>>().into_iter()
}

/// Removes the leases of all keys that begin with `prefix`.
pub(super) async fn void_prefix<B: Backend + ?Sized>(
    backend: &B,
    keyspace: &KeyspaceInfo,
    prefix: &str,
) -> BackendResult<()> {
    if keyspace.lease.is_none() {
        return Ok(());
    }
    match of_lease(prefix, keyspace) {
        Some(leases) => backend.clear_prefix(&leases).await.map(drop),
        None => Ok(()),
    }
}
