//! Writing the newest version of an entry in the room of the older ones.
//!
//! A write of the newest key that is followed by a removal of the older ones needs room for both in
//! between, which a full store hasn't, or takes from another entry. A move needs room for the
//! difference alone. It is one step where the backend takes one; elsewhere it writes the newer key
//! first as well, so the order of [`Places`] is kept.

use futures_util::future::BoxFuture;

use super::key::Key;
use super::update::gave_up;
use super::value::remove_older;
use super::versions::Places;
use crate::backend::distinct::Distinct;
use crate::backend::retry::{MAX_TRIES, back_off};
use crate::backend::{Backend, Life, NewEntry, Stored, Write, direct};
use crate::error::{BackendError, BackendResult, ErrorKind, Failures};

/// An entry under the key of an older version.
pub(super) struct Older<'p> {
    pub(super) key: &'p Key,
    /// How many versions back it is.
    pub(super) back: usize,
    pub(super) stored: Stored,
}

/// Says whether a look for older entries comes before each write: in memory, where it costs little.
///
/// Elsewhere it would be one more round trip, so only a write that found no room looks.
pub(super) fn looks_first<B: Backend + ?Sized>(backend: &B) -> bool {
    backend.in_process().is_some()
}

/// Writes an entry, whatever was there, and removes its older versions. In a box, which keyspaces
/// that don't migrate are spared.
pub(super) fn write<'a, B: Backend + ?Sized>(
    backend: &'a B,
    places: &'a Places<'a>,
    value: &'a [u8],
    life: Life,
) -> BoxFuture<'a, BackendResult<()>> {
    Box::pin(async move {
        write_newest(backend, places, value, life).await?;
        let removed = remove_older(backend, places, 0).await;
        removed.map(drop).map_err(|error| error.after(true))
    })
}

/// Writes entries that keep the limits as [`write`] does.
pub(super) fn write_many<'a, B: Backend + ?Sized>(
    backend: &'a B,
    places: &'a [Places<'a>],
    entries: &'a [NewEntry<'a>],
) -> BoxFuture<'a, BackendResult<()>> {
    Box::pin(async move {
        let distinct = Distinct::new(entries);
        let written = write_distinct(backend, places, &distinct).await;
        distinct.name(written)
    })
}

/// Finds the newest of the older versions.
pub(super) async fn find_older<'p, B: Backend + ?Sized>(
    backend: &B,
    places: &'p Places<'_>,
) -> BackendResult<Option<Older<'p>>> {
    for (back, key) in places.older() {
        // Not counted as a read, as most often nothing is there.
        if backend.exists(key).await?
            && let Some(stored) = direct::get_stored(backend, key).await?
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
    places: &Places<'_>,
    older: &Older<'_>,
    to: NewEntry<'_>,
    over: Option<&[u8]>,
) -> BackendResult<bool> {
    let expected = older.stored.as_bytes();
    let moved = backend.move_entry(older.key, expected, to, over).await;
    match moved {
        // What is older still gives its room back, too. Nobody sees it behind this one.
        Err(full)
            if full.kind() == ErrorKind::Full
                && remove_older(backend, places, older.back).await? =>
        {
            let moved = backend.move_entry(older.key, expected, to, over).await;
            moved.map_err(|error| error.after(true))
        }
        moved => moved,
    }
}

async fn write_newest<B: Backend + ?Sized>(
    backend: &B,
    places: &Places<'_>,
    value: &[u8],
    life: Life,
) -> BackendResult<()> {
    let key = places.newest();
    let mut looks = looks_first(backend);
    for lost in 0..MAX_TRIES {
        back_off(lost).await;
        if looks && let Some(older) = find_older(backend, places).await? {
            let newest = direct::get_stored(backend, key).await?;
            let over = newest.as_ref().map(Stored::as_bytes);
            let to = NewEntry { key, value, life };
            if move_up(backend, places, &older, to, over).await? {
                return Ok(());
            }
            continue;
        }
        match direct::write(backend, key, value, Write::new(life)).await {
            Err(error) if error.kind() == ErrorKind::Full && !looks => looks = true,
            written => return written.map(drop),
        }
    }
    Err(gave_up())
}

/// Writes all at once where that takes fewer round trips, and what found no room there one by one.
async fn write_distinct<B: Backend + ?Sized>(
    backend: &B,
    places: &[Places<'_>],
    distinct: &Distinct<'_>,
) -> BackendResult<()> {
    let entries = &distinct.entries;
    let places = |index: usize| &places[distinct.firsts[index]];
    let mut left: Vec<usize> = (0..entries.len()).collect();
    if !looks_first(backend) {
        let refused = backend.write_many(entries).await.err();
        let is_left = match &refused {
            Some(error) => refused_entries(error, entries.len()),
            None => Some(vec![false; entries.len()]),
        };
        let Some(is_left) = is_left else {
            return refused.map_or(Ok(()), Err);
        };
        left.retain(|index| is_left[*index]);
        let written = (0..entries.len()).filter(|index| !is_left[*index]);
        let older = written.flat_map(|index| places(index).older_than(0));
        let older: Vec<&str> = older.collect();
        if !older.is_empty() {
            let removed = backend.delete_many(&older).await;
            removed.map_err(|error| error.after(true))?;
        }
    }
    let mut failures = Failures::default();
    for (done, index) in left.iter().enumerate() {
        let NewEntry { value, life, .. } = entries[*index];
        let Err(error) = write(backend, places(*index), value, life).await else {
            continue;
        };
        if error.is_transient() {
            // What follows would most likely fail the same way, after as long a wait.
            failures.add(left[done..].iter().copied(), error);
            break;
        }
        failures.add([*index], error);
    }
    failures.into_result()
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
