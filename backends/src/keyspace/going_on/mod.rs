//! Going on without a store that is away: the word `on_unavailable = "miss"`.
//!
//! A store is away when a call fails with `Unavailable` or `Timeout`. Then a read finds nothing,
//! and a write that asks for nothing is as if its entry had ended at once. Everything else is the
//! error that it is in other keyspaces: removals, takes, updates, conditional writes, lives, scans.
//!
//! # What is away
//!
//! An [outage](outage) is about one part of a store, such as a node of a cluster. A write that the
//! store refuses, or that it can't be connected to for, says nothing about reads: it makes writes
//! away alone. A write that nobody answers makes both away, and each is asked for itself. Reads of
//! replicas are away by themselves, too. Where a call that needs several parts fails, each of them
//! is asked at once.
//!
//! A caller that computes for others asks no store that is away, as they would wait for the answer.
//! The look with which each call begins does.
//!
//! # Nothing that was removed is served again
//!
//! A removal that was acknowledged is final, and so is a conditional write. Say that a removal of K
//! was acknowledged at the time r, and look at all ways by which a read that begins later could
//! find a value from before r.
//!
//! * From this process: it keeps no values. Nothing is queued to be written later, nothing is
//!   written again after an outage, and a read that can't be made finds nothing. A flight passes a
//!   value on to callers that have waited since before it was computed, as it always does.
//! * From the store as it was before r: the removal was executed, as only an answer of the store
//!   acknowledges it. A removal that isn't known to have been executed is an error. So a caller
//!   whose removal fails tries again, and until then nothing is removed. (A replica that is behind,
//!   a failover and a restart from an older file may forget what was acknowledged, this as well as
//!   anything else.)
//! * From a write that begins after r: then the value isn't from before r. The value that
//!   `get_or_set_with` stores may be computed before r: that is so with a store that is there, too,
//!   in every keyspace without the word `lease`.
//! * From a write that began before r and isn't answered at r: the two are at the same time, and
//!   either order is right.
//! * From an older version of the entry: a lookup that fails is a miss as a whole. No older version
//!   is taken because the newest couldn't be asked.
//! * From a write that was sent before r, and whose answer was lost. Here alone going on does harm:
//!   its caller was told of success, and the write may be executed after the removal, as a request
//!   on its way isn't called back. The client of Redis keeps the order of calls on one connection
//!   alone, and leaves a connection that has gone silent.
//!
//! So there are few such writes, and removals know of them:
//!
//! * While a store is away it is sent no write. The writer whose turn it is reads the life of its
//!   entry, which changes nothing, and writes when that is answered. What remains are writes that
//!   were under way when the store went away, and one at a time where writes alone are away.
//! * Their keys are noted for [a time](on_their_way) after which no write is on its way any more.
//!   As long as a key is noted, a removal of it in any version, by this backend or a clone, is
//!   executed and then says that its outcome is unknown. A take, an update and a conditional write
//!   don't begin. All of them are `Unavailable`: to be tried again, as after any failure of the
//!   store.
//!
//! The same holds for a conditional write at r, with "overwritten" for "removed".
//!
//! Left is a write by one process or backend that was lost when the store went away, and a removal
//! by another one within that time: nobody can know of both. `lease` exists for that. It is refused
//! beside this word because no lease can be kept without the store. Left are also a write whose
//! caller has dropped it, and a removal by the raw API, which knows of no keyspace.
//!
//! # What isn't removed is served
//!
//! A write that went on without the store leaves what was there before. So readers may see the
//! older value when the store is back, until that ends: as with any cache that lost a write.
//! Remembering the keys would help this process alone, and none of the others. Who changes a source
//! and must not see it as it was before removes the entry, and tries again until that succeeds.

mod asked;
mod counts;
mod on_their_way;
mod outage;

use std::future::Future;
use std::slice;

use futures_util::future::BoxFuture;

use self::asked::{GoingCall, Ready, failed_keys};
pub use self::counts::WentOn;
use self::counts::{Without, went_on};
use self::outage::Extent;
use super::Keyspace;
use super::key::Key;
use super::versions::VersionedKeys;
use crate::backend::Backend;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// Makes a lookup of a keyspace that goes on; `None` if the store is away. The lookup goes to
/// replicas if it `is_plain` and the backend reads from them.
///
/// `keys` are those that are looked up, for the count of what went on.
pub(crate) async fn read<K, B, T>(
    backend: &B,
    keys: &[Key],
    is_plain: bool,
    lookup: impl Future<Output = BackendResult<T>>,
) -> BackendResult<Option<T>>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    check_keys(backend, keys)?;
    let extents: &[Extent] = match is_plain && backend.replica_reads().is_some() {
        true => &[Extent::Replicas],
        false => &[Extent::All],
    };
    let call = GoingCall {
        backend,
        keys,
        extents,
    };
    let found = match call.ready(true).await {
        Some(ready) => call.take(ready, lookup.await, extents)?,
        None => None,
    };
    if found.is_none() {
        went_on(backend, &K::INFO, Without::Reads(keys.len()));
    }
    Ok(found)
}

/// Makes a lookup on the primary as [`read`] does, once more for a call whose lookup was counted
/// already. It asks no store that is away: others wait for this call.
pub(crate) async fn read_in_flight<B, T>(
    backend: &B,
    key: &Key,
    lookup: impl Future<Output = BackendResult<T>>,
) -> BackendResult<Option<T>>
where
    B: Backend + ?Sized,
{
    let call = GoingCall {
        backend,
        keys: slice::from_ref(key),
        extents: &[Extent::All],
    };
    check_keys(backend, call.keys)?;
    match call.is_up() {
        true => call.take(Ready::now(), lookup.await, call.extents),
        false => Ok(None),
    }
}

/// Makes an unconditional write of a keyspace that goes on; `None` if the store is away.
///
/// The caller has checked that the entries keep the limits: nobody does if the store is away.
pub(crate) async fn write<K, B, T>(
    backend: &B,
    keys: &[Key],
    written: impl Future<Output = BackendResult<T>>,
) -> BackendResult<Option<T>>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    let call = GoingCall {
        backend,
        keys,
        extents: &[Extent::All, Extent::Writes],
    };
    match call.ready(false).await {
        Some(ready) => write_now::<K, B, T>(&call, ready, written).await,
        None => Ok(lost_writes::<K, B, T>(backend, keys.len())),
    }
}

/// Makes a write as [`write`] does. It asks no store that is away, as others wait for this call;
/// but one that is there it asks whether it takes writes again, or nobody would.
pub(crate) async fn write_in_flight<K, B, T>(
    backend: &B,
    key: &Key,
    written: impl Future<Output = BackendResult<T>>,
) -> BackendResult<Option<T>>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    let keys = slice::from_ref(key);
    let of = |extents| GoingCall {
        backend,
        keys,
        extents,
    };
    let call = of(&[Extent::Writes]);
    if of(&[Extent::All]).is_up()
        && let Some(ready) = call.ready(true).await
    {
        return write_now::<K, B, T>(&call, ready, written).await;
    }
    Ok(lost_writes::<K, B, T>(backend, keys.len()))
}

/// Makes a write of a store that is there.
async fn write_now<K, B, T>(
    call: &GoingCall<'_, B>,
    ready: Ready,
    written: impl Future<Output = BackendResult<T>>,
) -> BackendResult<Option<T>>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    let GoingCall { backend, keys, .. } = *call;
    let answer = written.await;
    let mut failed = 0;
    let mut extents: &[Extent] = &[];
    if let Err(error) = &answer {
        note_if_lost(backend, keys, error);
        failed = failed_keys(keys, error).count();
        // An error with a known outcome is a refusal, or there was no connection: it says nothing
        // about reads. Where nobody answers, writes may be held back alone, or all be away.
        extents = match error.kind() == ErrorKind::Timeout || error.outcome_unknown() {
            true => &[Extent::All, Extent::Writes],
            false => &[Extent::Writes],
        };
    }
    let written = call.take(ready, answer, extents)?;
    Ok(written.or_else(|| lost_writes::<K, B, T>(backend, failed)))
}

/// Turns the failure of a lookup into a miss, in a keyspace that goes on. The store is in this
/// process, so it is asked again by the next call.
#[cold]
pub(super) fn missed<K, B, T>(backend: &B, error: BackendError) -> BackendResult<Option<T>>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    if !(K::INFO.goes_on() && is_away(&error)) {
        return Err(error);
    }
    went_on(backend, &K::INFO, Without::Reads(1));
    Ok(None)
}

/// Turns the failure of unconditional writes into a success, in a keyspace that goes on. The store
/// is in this process, so it is asked again by the next call.
#[cold]
pub(super) fn lost<K, B>(backend: &B, keys: &[Key], error: BackendError) -> BackendResult<()>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    if !(K::INFO.goes_on() && is_away(&error)) {
        return Err(error);
    }
    note_if_lost(backend, keys, &error);
    lost_writes::<K, B, ()>(backend, failed_keys(keys, &error).count());
    Ok(())
}

/// Acknowledges the removal of entries in all versions, unless a write of one of them may come
/// after it. The removal is an answer of the store: an outage ends.
///
/// # Errors
///
/// `Unavailable`, and the outcome is unknown.
#[inline]
pub(super) fn acknowledge<K, B, T>(backend: &B, keys: &[Key], removed: T) -> BackendResult<T>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    if const { K::INFO.goes_on_in_a_version() } && is_any_noted::<K, B>(backend, keys) {
        let parts = keys.iter().map(|key| backend.part_of(key));
        of_all(backend, keys).answered(parts);
        return Err(may_come_late().with_outcome_unknown());
    }
    Ok(removed)
}

/// Acknowledges the removal of all entries under prefixes, as [`acknowledge`] does.
///
/// # Errors
///
/// `Unavailable`, and the outcome is unknown.
pub(super) fn acknowledge_under<'p, K, B, T>(
    backend: &B,
    mut prefixes: impl Iterator<Item = &'p str>,
    removed: T,
) -> BackendResult<T>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    if const { !K::INFO.goes_on_in_a_version() } {
        return Ok(removed);
    }
    let noted = |prefix| Some((prefix, on_their_way::parts_under(backend, prefix)?));
    let Some((prefix, parts)) = prefixes.find_map(noted) else {
        return Ok(removed);
    };
    let named = [Key::of_parts([prefix])];
    of_all(backend, &named).answered(parts.into_iter());
    Err(may_come_late().with_outcome_unknown())
}

/// Refuses to change entries while a write of one of them, in any version, may come after the
/// change; `None` if none may. The refusal asks a store that is away, if it is this caller's turn:
/// a program that does nothing else would be refused for ever.
#[inline]
pub(super) fn refused<'a, K, B>(
    backend: &'a B,
    keys: &'a [Key],
) -> Option<BoxFuture<'a, BackendError>>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    if const { K::INFO.goes_on_in_a_version() } && is_any_noted::<K, B>(backend, keys) {
        return Some(Box::pin(async move {
            drop(of_all(backend, keys).ready(false).await);
            may_come_late()
        }));
    }
    None
}

fn of_all<'c, B: ?Sized>(backend: &'c B, keys: &'c [Key]) -> GoingCall<'c, B> {
    GoingCall {
        backend,
        keys,
        extents: &[Extent::All],
    }
}

fn is_any_noted<K, B>(backend: &B, keys: &[Key]) -> bool
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    if !on_their_way::may_be_any() {
        return false;
    }
    let versions = VersionedKeys::all::<K>(keys);
    let texts = versions.iter().flat_map(VersionedKeys::texts);
    on_their_way::is_any(backend, texts)
}

fn check_keys<B: Backend + ?Sized>(backend: &B, keys: &[Key]) -> BackendResult<()> {
    let limits = backend.info().limits;
    keys.iter().try_for_each(|key| limits.check_key(key))
}

/// Says whether a call failed because the store is away.
fn is_away(error: &BackendError) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}

/// Notes the writes that may still be on their way: of several, those that weren't acknowledged.
fn note_if_lost<B>(backend: &B, keys: &[Key], error: &BackendError)
where
    B: Backend + ?Sized,
{
    if is_away(error) && error.outcome_unknown() {
        on_their_way::note(backend, failed_keys(keys, error).map(Key::as_str));
    }
}

fn lost_writes<K, B, T>(backend: &B, count: usize) -> Option<T>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    went_on(backend, &K::INFO, Without::Writes(count));
    None
}

#[cold]
fn may_come_late() -> BackendError {
    BackendError::new(
        ErrorKind::Unavailable,
        "a write whose answer was lost may still be on its way to the store, until two minutes after the store is back",
    )
}
