//! Writing the newest version of an entry in the room of the older ones.
//!
//! A write of the newest key that is followed by a removal of the older ones needs room for both in
//! between, which a full store hasn't, or takes from another entry. A move needs room for the
//! difference alone. A move is one step where the backend takes one; elsewhere it writes the newer
//! key first as well, so the order of [`VersionedKeys`] is kept.

use futures_util::future::BoxFuture;

use super::older::{remove_all_older, remove_older};
use crate::backend::distinct::Distinct;
use crate::backend::store::{Event, NewEntry, Touch, tell};
use crate::backend::{Backend, Life, Stored, Write, fast_path};
use crate::error::{BackendError, BackendResult, ErrorKind, Failures};
use crate::keyspace::key::Key;
use crate::keyspace::versions::VersionedKeys;
use crate::time::back_off::{MAX_TRIES, back_off, gave_up};

/// An entry under the key of an older version.
pub(super) struct Older<'p> {
    pub(super) key: &'p Key,
    /// The number of versions that the entry is behind the newest.
    pub(super) back: usize,
    pub(super) stored: Stored,
}

/// Says whether a look for older entries comes before each write: in memory, where it costs little.
///
/// Elsewhere the look would be one more round trip, so only a write that found no room looks, once.
/// That helps where memory is behind a wrapper, which can't be told from a server. A server that is
/// over its bound refuses the move as well.
pub(super) fn looks_first<B: Backend + ?Sized>(backend: &B) -> bool {
    backend.as_sync().is_some()
}

/// Writes an entry, whatever was there, and removes its older versions.
///
/// The future is in a box, which keyspaces that don't migrate are spared.
pub(super) fn write<'a, B: Backend + ?Sized>(
    backend: &'a B,
    versions: &'a VersionedKeys<'a>,
    value: &'a [u8],
    life: Life,
) -> BoxFuture<'a, BackendResult<()>> {
    Box::pin(async move {
        write_newest(backend, versions, value, life).await?;
        remove_all_older(backend, &[versions]).await
    })
}

/// Writes entries that keep the limits as [`write`] does.
pub(super) fn write_many<'a, B: Backend + ?Sized>(
    backend: &'a B,
    versions: &'a [VersionedKeys<'a>],
    entries: &'a [NewEntry<'a>],
) -> BoxFuture<'a, BackendResult<()>> {
    Box::pin(async move {
        let distinct = Distinct::new(entries);
        let written = write_distinct(backend, versions, &distinct).await;
        distinct.name(written)
    })
}

/// Finds the newest of the older versions.
pub(super) async fn find_older<'p, B: Backend + ?Sized>(
    backend: &B,
    versions: &'p VersionedKeys<'_>,
) -> BackendResult<Option<Older<'p>>> {
    for (back, key) in versions.older() {
        // Not counted as a read, as most often nothing is there.
        if backend.read_life(key).await?.is_some()
            && let Some(stored) = fast_path::read_value(backend, key, Touch::Keep).await?
        {
            return Ok(Some(Older { key, back, stored }));
        }
    }
    Ok(None)
}

/// Moves an older version to the newest key, where nothing is or exactly `over`, and says whether
/// it did.
pub(super) async fn move_up<B: Backend + ?Sized>(
    backend: &B,
    versions: &VersionedKeys<'_>,
    older: &Older<'_>,
    to: NewEntry<'_>,
    over: Option<&[u8]>,
) -> BackendResult<bool> {
    let expected = older.stored.as_bytes();
    // Entries that are older still give their room back, too. Nobody sees them behind this one. A
    // store that evicts isn't full: it would take that room from another entry.
    let mut gave_back = looks_first(backend) && remove_older(backend, versions, older.back).await?;
    let mut moved = backend.move_entry(older.key, expected, to, over).await;
    if !looks_first(backend)
        && matches!(&moved, Err(error) if error.kind() == ErrorKind::Full)
        && remove_older(backend, versions, older.back).await?
    {
        gave_back = true;
        moved = backend.move_entry(older.key, expected, to, over).await;
    }
    moved.map_err(|error| error.after(gave_back))
}

async fn write_newest<B: Backend + ?Sized>(
    backend: &B,
    versions: &VersionedKeys<'_>,
    value: &[u8],
    life: Life,
) -> BackendResult<()> {
    if !looks_first(backend) {
        match fast_path::put(backend, versions.newest(), value, Write::new(life)).await {
            Err(full) if full.kind() == ErrorKind::Full => {
                let has_older = have_older(backend, [versions]).await?;
                if !has_older.contains(&true) {
                    return Err(full);
                }
            }
            written => return written.map(drop),
        }
    }
    write_over_older(backend, versions, value, life).await
}

/// Writes an entry in the room of its older versions, if there are any.
async fn write_over_older<B: Backend + ?Sized>(
    backend: &B,
    versions: &VersionedKeys<'_>,
    value: &[u8],
    life: Life,
) -> BackendResult<()> {
    let key = versions.newest();
    for lost in 0..MAX_TRIES {
        back_off(lost).await;
        let Some(older) = find_older(backend, versions).await? else {
            let written = fast_path::put(backend, key, value, Write::new(life)).await;
            return written.map(drop);
        };
        let newest = fast_path::read_value(backend, key, Touch::Keep).await?;
        let over = newest.as_ref().map(Stored::as_bytes);
        let to = NewEntry { key, value, life };
        if move_up(backend, versions, &older, to, over).await? {
            return Ok(());
        }
        tell(backend, key, Event::Conflict);
    }
    tell(backend, key, Event::GaveUp);
    Err(gave_up())
}

/// Says of each entry whether older versions of it are there, in one look for all.
async fn have_older<'p, B: Backend + ?Sized>(
    backend: &B,
    versions: impl IntoIterator<Item = &'p VersionedKeys<'p>>,
) -> BackendResult<Vec<bool>> {
    let all: Vec<Vec<&str>> = versions
        .into_iter()
        .map(|versions| versions.older_than(0))
        .collect();
    let stored = backend.read_values(&all.concat(), Touch::Keep).await?;
    let mut stored = stored.into_iter();
    let has_older = |keys: Vec<&str>| {
        let found = stored.by_ref().take(keys.len());
        found.filter(Option::is_some).count() > 0
    };
    Ok(all.into_iter().map(has_older).collect())
}

/// Writes all entries at once where that takes fewer round trips, and then one by one those that
/// found no room.
async fn write_distinct<B: Backend + ?Sized>(
    backend: &B,
    versions: &[VersionedKeys<'_>],
    distinct: &Distinct<'_>,
) -> BackendResult<()> {
    let entries = &distinct.entries;
    let versions = distinct.firsts.iter().map(|first| &versions[*first]);
    let versions: Vec<&VersionedKeys<'_>> = versions.collect();
    let mut failures = Failures::default();
    let all = 0..entries.len();
    if looks_first(backend) {
        move_each(
            backend,
            &versions,
            entries,
            &all.collect::<Vec<_>>(),
            &mut failures,
        )
        .await;
        return failures.into_result();
    }
    let Err(error) = backend.put_many(entries).await else {
        return remove_all_older(backend, &versions).await;
    };
    let Some(is_refused) = refused_entries(&error, entries.len()) else {
        return Err(error);
    };
    let (refused, written): (Vec<usize>, Vec<usize>) = all.partition(|index| is_refused[*index]);
    let of = |indices: &[usize]| {
        indices
            .iter()
            .map(|index| versions[*index])
            .collect::<Vec<_>>()
    };
    let looked = match remove_all_older(backend, &of(&written)).await {
        Ok(()) => have_older(backend, of(&refused)).await,
        Err(error) => Err(error),
    };
    let has_older = match looked {
        Ok(has_older) => has_older,
        Err(error) => return Err(error.with_failed_indices(refused)),
    };
    let (mut moved, mut left) = (Vec::new(), Vec::new());
    for (index, has_older) in refused.into_iter().zip(has_older) {
        let either = if has_older { &mut moved } else { &mut left };
        either.push(index);
    }
    if !left.is_empty() {
        failures.add(left, error);
    }
    move_each(backend, &versions, entries, &moved, &mut failures).await;
    failures.into_result()
}

/// Writes the entries at `indices` one by one in the room of their older versions.
async fn move_each<B: Backend + ?Sized>(
    backend: &B,
    versions: &[&VersionedKeys<'_>],
    entries: &[NewEntry<'_>],
    indices: &[usize],
    failures: &mut Failures,
) {
    for (done, index) in indices.iter().enumerate() {
        let NewEntry { value, life, .. } = entries[*index];
        let versions = versions[*index];
        let moved = match write_over_older(backend, versions, value, life).await {
            Ok(()) => remove_all_older(backend, &[versions]).await,
            Err(error) => Err(error),
        };
        let Err(error) = moved else {
            continue;
        };
        if error.is_transient() {
            // The entries that follow would most likely fail the same way, after as long a wait.
            failures.add(indices[done..].iter().copied(), error);
            break;
        }
        failures.add([*index], error);
    }
}

/// Says of each entry whether it found no room; nothing if the error doesn't tell, so that any of
/// them may not be there.
fn refused_entries(error: &BackendError, count: usize) -> Option<Vec<bool>> {
    if error.kind() != ErrorKind::Full || error.outcome_unknown() {
        return None;
    }
    let mut is_refused = vec![false; count];
    for index in error.failed_indices() {
        *is_refused.get_mut(*index)? = true;
    }
    is_refused.contains(&true).then_some(is_refused)
}
