//! The removal of the older versions of entries.

use crate::backend::Backend;
use crate::error::BackendResult;
use crate::keyspace::versions::VersionedKeys;

/// Removes the entries that are more than `back` versions old, and says whether there was one.
pub(super) async fn remove_older<B: Backend + ?Sized>(
    backend: &B,
    versions: &VersionedKeys<'_>,
    back: usize,
) -> BackendResult<bool> {
    let older = versions.older_than(back);
    if older.is_empty() {
        return Ok(false);
    }
    Ok(backend.delete_many(&older).await? > 0)
}

/// Removes the older versions of entries that were written.
pub(crate) async fn remove_all_older<B: Backend + ?Sized>(
    backend: &B,
    versions: &[&VersionedKeys<'_>],
) -> BackendResult<()> {
    let older = versions.iter().flat_map(|versions| versions.older_than(0));
    let older: Vec<&str> = older.collect();
    if older.is_empty() {
        return Ok(());
    }
    let removed = backend.delete_many(&older).await;
    removed.map(drop).map_err(|error| error.after(true))
}
