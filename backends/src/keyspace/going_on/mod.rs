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
//! away alone. Reads of replicas are away by themselves, too. A write that nobody answers makes all
//! of the part away.
//!
//! A flight asks for nobody's turn: its followers would wait for it. The look with which each call
//! begins does.
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
//!   were under way when the store went away.
//! * Their keys are noted for [a time](on_their_way) after which no write is on its way any more.
//!   As long as a key is noted, a removal of it in any version, by this backend or a clone, is
//!   executed and then says that its outcome is unknown. A take, an update and a conditional write
//!   don't begin. All of them are `Unavailable`: to be tried again, as after any failure of the
//!   store.
//!
//! The same holds for a conditional write at r, with "overwritten" for "removed".
//!
//! Left is a write by one process or backend that was lost when the store went away, and a removal
//! by another one within that time. Nobody can know of both. `lease` exists for that, and is
//! refused beside this word because no lease can be kept without the store. Left is also a removal
//! by the raw API, which knows of no keyspace.
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

pub use self::counts::WentOn;
use self::counts::{Without, went_on};
use self::outage::{Ended, Extent, Probe, Standing};
use super::Keyspace;
use super::key::Key;
use super::versions::VersionedKeys;
use crate::backend::Backend;
use crate::backend::store::Instance;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// Makes a lookup of a keyspace that goes on; `None` if the store is away.
///
/// `keys` are those that are looked up, for the count of what went on.
pub(crate) async fn read<K, B, T>(
    backend: &B,
    keys: &[Key],
    lookup: impl Future<Output = BackendResult<T>>,
) -> BackendResult<Option<T>>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    check_keys(backend, keys)?;
    let extent = match K::INFO.reads_are_plain() && backend.replica_reads().is_some() {
        true => Extent::Replicas,
        false => Extent::All,
    };
    let found = match asked::standing(backend, keys, &[extent]) {
        Standing::Up(ended) => asked::while_up(backend, keys, extent, ended, lookup.await),
        Standing::Asked(probe) => asked::probed(backend, keys, probe, lookup.await),
        Standing::Away => Ok(None),
    }?;
    if found.is_none() {
        went_on(backend, &K::INFO, Without::Reads(keys.len()));
    }
    Ok(found)
}

/// Makes a lookup on the primary as [`read`] does, once more for a call whose lookup was counted
/// already. It asks for nobody's turn: others wait for this call.
pub(crate) async fn read_in_flight<B, T>(
    backend: &B,
    key: &Key,
    lookup: impl Future<Output = BackendResult<T>>,
) -> BackendResult<Option<T>>
where
    B: Backend + ?Sized,
{
    let keys = std::slice::from_ref(key);
    check_keys(backend, keys)?;
    match asked::if_up(backend, keys, &[Extent::All]) {
        Some(ended) => asked::while_up(backend, keys, Extent::All, ended, lookup.await),
        None => Ok(None),
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
    let asked = match asked::standing(backend, keys, &WRITING) {
        Standing::Up(ended) => Some((ended, None)),
        Standing::Asked(probe) => asked::is_there(backend, keys, probe).await,
        Standing::Away => None,
    };
    let written = match asked {
        Some((ended, probe)) => write_now(backend, keys, ended, probe, written).await?,
        None => None,
    };
    Ok(written.or_else(|| lost_writes::<K, B, T>(backend, keys)))
}

/// Makes a write as [`write`] does. It asks for nobody's turn: others wait for this call.
pub(crate) async fn write_in_flight<K, B, T>(
    backend: &B,
    key: &Key,
    written: impl Future<Output = BackendResult<T>>,
) -> BackendResult<Option<T>>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    let keys = std::slice::from_ref(key);
    let written = match asked::if_up(backend, keys, &WRITING) {
        Some(ended) => write_now(backend, keys, ended, None, written).await?,
        None => None,
    };
    Ok(written.or_else(|| lost_writes::<K, B, T>(backend, keys)))
}

/// The places that a write needs.
const WRITING: [Extent; 2] = [Extent::All, Extent::Writes];

/// Makes a write of a store that is there, as the one who asks whether it takes writes, if `probe`
/// is given.
async fn write_now<B, T>(
    backend: &B,
    keys: &[Key],
    ended: Ended,
    probe: Option<Probe>,
    written: impl Future<Output = BackendResult<T>>,
) -> BackendResult<Option<T>>
where
    B: Backend + ?Sized,
{
    let answer = written.await;
    note_if_lost(backend, keys, &answer);
    if let Some(probe) = probe {
        return asked::probed(backend, keys, probe, answer);
    }
    // An error with a known outcome is a refusal, or there was no connection.
    let is_unanswered =
        |error: &BackendError| error.kind() == ErrorKind::Timeout || error.outcome_unknown();
    let extent = match &answer {
        Err(error) if !is_unanswered(error) => Extent::Writes,
        _ => Extent::All,
    };
    asked::while_up(backend, keys, extent, ended, answer)
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
    let answer: BackendResult<()> = Err(error);
    note_if_lost(backend, keys, &answer);
    lost_writes::<K, B, ()>(backend, keys);
    Ok(())
}

/// Acknowledges the removal of entries in all versions, unless a write of one of them may come
/// after it.
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
    match require_order::<K, B>(backend, keys) {
        Ok(()) => Ok(removed),
        Err(error) => Err(error.with_outcome_unknown()),
    }
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
    let is_noted = const { K::INFO.goes_on_in_a_version() }
        && prefixes.any(|prefix| on_their_way::is_under(instance(backend), prefix));
    match is_noted {
        true => Err(may_come_late().with_outcome_unknown()),
        false => Ok(removed),
    }
}

/// Refuses to change entries while a write of one of them, in any version, may come after the
/// change.
///
/// # Errors
///
/// `Unavailable`.
#[inline]
pub(super) fn require_order<K, B>(backend: &B, keys: &[Key]) -> BackendResult<()>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    if const { K::INFO.goes_on_in_a_version() } && is_any_noted::<K, B>(backend, keys) {
        return Err(may_come_late());
    }
    Ok(())
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
    on_their_way::is_any(instance(backend), texts)
}

fn instance<B: Backend + ?Sized>(backend: &B) -> Instance {
    backend.info().instance
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
fn note_if_lost<B, T>(backend: &B, keys: &[Key], answer: &BackendResult<T>)
where
    B: Backend + ?Sized,
{
    let Err(error) = answer else { return };
    if !(is_away(error) && error.outcome_unknown()) {
        return;
    }
    let failed = error.failed_indices();
    let is_lost = |index: usize| failed.is_empty() || failed.contains(&index);
    let lost = keys.iter().enumerate().filter(|(index, _)| is_lost(*index));
    on_their_way::note(instance(backend), lost.map(|(_, key)| key.as_str()));
}

fn lost_writes<K, B, T>(backend: &B, keys: &[Key]) -> Option<T>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    went_on(backend, &K::INFO, Without::Writes(keys.len()));
    None
}

#[cold]
fn may_come_late() -> BackendError {
    BackendError::new(
        ErrorKind::Unavailable,
        "a write whose answer was lost may still be on its way to the store, for two minutes after the store is back",
    )
}
