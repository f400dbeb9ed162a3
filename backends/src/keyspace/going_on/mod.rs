//! Going on without a store that is away: the word `on_unavailable = "miss"`.
//!
//! A store is away when a call fails with `Unavailable` or `Timeout`. Then a read finds nothing,
//! and a write that asks for nothing is as if its entry had ended at once. Everything else is the
//! error that it is in other keyspaces: removals, takes, updates, conditional writes, lives, scans.
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
//!   whose removal fails tries again, and until then nothing is removed.
//! * From a write that begins after r: then the value isn't from before r. The value that
//!   `get_or_set_with` stores may be computed before r: that is so with a store that is there, too,
//!   in every keyspace without the word `lease`.
//! * From an older version of the entry: a lookup that fails is a miss as a whole. No older version
//!   is taken because the newest couldn't be asked.
//! * From a write that was sent before r, and whose answer was lost. Here alone going on does harm:
//!   its caller was told of success, and the write may be executed after the removal, as a request
//!   on its way isn't called back. The client of Redis keeps the order of calls on one connection
//!   alone, and leaves a connection that has gone silent.
//!
//! So there are few such writes, and removals know of them:
//!
//! * While a store is away it is sent no write. The writer whose turn it is asks by a `ping`, which
//!   changes nothing, and writes when that is answered. What remains are writes that were under way
//!   when the store went away.
//! * Their keys are noted for [a time](on_their_way) after which no write is on its way any more.
//!   As long as a key is noted, a removal of it in this process is executed and then says that its
//!   outcome is unknown. A take, an update and a conditional write don't begin. All of them are
//!   `Unavailable`: to be tried again, as after any failure of the store.
//!
//! The same holds for a conditional write at r, with "overwritten" for "removed".
//!
//! Left is a write by one process that was lost when the store went away, and a removal by another
//! process within that time. No process can know of both. `lease` exists for that, and is refused
//! beside this word because no lease can be kept without the store.
//!
//! # What isn't removed is served
//!
//! A write that went on without the store leaves what was there before. So readers may see the
//! older value when the store is back, until that ends: as with any cache that lost a write.
//! Remembering the keys would help this process alone, and none of the others. Who changes a source
//! and must not see it as it was before removes the entry, and tries again until that succeeds.

mod counts;
mod on_their_way;
mod outage;

use std::future::Future;

pub use self::counts::WentOn;
use self::counts::{Without, went_on};
use self::outage::{Probe, Standing};
use super::Keyspace;
use super::key::Key;
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
    let found = read_again(backend, keys, lookup).await?;
    if found.is_none() {
        went_on(backend, &K::INFO, Without::Reads(keys.len()));
    }
    Ok(found)
}

/// Makes a lookup as [`read`] does, once more for a call whose lookup was counted already.
pub(crate) async fn read_again<B, T>(
    backend: &B,
    keys: &[Key],
    lookup: impl Future<Output = BackendResult<T>>,
) -> BackendResult<Option<T>>
where
    B: Backend + ?Sized,
{
    let info = backend.info();
    for key in keys {
        info.limits.check_key(key)?;
    }
    match standing(backend) {
        Standing::Up => while_up(backend, lookup.await),
        Standing::Asked(probe) => probed(probe, lookup.await),
        Standing::Away => Ok(None),
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
    let is_up = match standing(backend) {
        Standing::Up => true,
        // A write that a silent server gets may be executed at any later time.
        Standing::Asked(probe) => probed(probe, backend.ping().await)?.is_some(),
        Standing::Away => false,
    };
    let answer = match is_up {
        true => written.await,
        false => return Ok(lost_writes::<K, B, T>(backend, keys)),
    };
    note_if_lost(backend, keys, &answer);
    match while_up(backend, answer)? {
        Some(answer) => Ok(Some(answer)),
        None => Ok(lost_writes::<K, B, T>(backend, keys)),
    }
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

/// Acknowledges the removal of entries, unless a write of one of them may come after it.
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
    let is_noted = const { K::INFO.goes_on() }
        && prefixes.any(|prefix| on_their_way::is_under(instance(backend), prefix));
    match is_noted {
        true => Err(may_come_late().with_outcome_unknown()),
        false => Ok(removed),
    }
}

/// Refuses to change entries while a write of one of them may come after the change.
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
    if const { K::INFO.goes_on() } && on_their_way::is_any(instance(backend), keys) {
        return Err(may_come_late());
    }
    Ok(())
}

fn instance<B: Backend + ?Sized>(backend: &B) -> Instance {
    backend.info().instance
}

/// Says how things stand with a store. A store in this process is never away for long: it is asked
/// by every call.
fn standing<B: Backend + ?Sized>(backend: &B) -> Standing {
    match backend.as_sync() {
        Some(_) => Standing::Up,
        None => outage::standing(instance(backend)),
    }
}

fn while_up<B, T>(backend: &B, answer: BackendResult<T>) -> BackendResult<Option<T>>
where
    B: Backend + ?Sized,
{
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if is_away(&error) => {
            if backend.as_sync().is_none() {
                outage::begin(instance(backend));
            }
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn probed<T>(probe: Probe, answer: BackendResult<T>) -> BackendResult<Option<T>> {
    match answer {
        Err(error) if is_away(&error) => {
            probe.failed();
            Ok(None)
        }
        answer => {
            probe.answered();
            answer.map(Some)
        }
    }
}

fn is_away(error: &BackendError) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}

fn note_if_lost<B, T>(backend: &B, keys: &[Key], answer: &BackendResult<T>)
where
    B: Backend + ?Sized,
{
    if let Err(error) = answer
        && is_away(error)
        && error.outcome_unknown()
    {
        on_their_way::note(instance(backend), keys);
    }
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
        "a write whose answer was lost may still be on its way to the store",
    )
}
