//! Cache-aside in one process: of all callers that miss one key at one time, one computes.
//!
//! For keyspaces without the words `lease` and `stale`. With one of them the functions of
//! [`cache`](super) have one caller across all processes compute.

use std::future::Future;
use std::time::Duration;

use futures_util::FutureExt;

use super::flight::{Joined, Lead, join, look};
use super::observed::compute_observed;
use crate::backend::store::{Event, ObservedTime, Touch};
use crate::backend::{Backend, Condition, Stored, Write, fast_path};
use crate::error::{BackendError, BackendResult};
use crate::keyspace::value::{check_key, decode};
use crate::keyspace::versions::VersionedKeys;
use crate::keyspace::writes::remove_all_older;
use crate::keyspace::{Key, Valued, going_on};

/// Returns the live value, or computes it, stores it for the keyspace's own time and returns it.
///
/// For keyspaces without the words `lease` and `stale`: keyspaces with one of them don't compile,
/// as the value would go around the lease.
///
/// Of all callers in this process that miss the same key of the same store at the same time, one,
/// the leader, runs its `compute`, and the others, its followers, get its value
/// ([`StoreInfo::instance`](crate::store::StoreInfo::instance) tells what one store is). A leader
/// that fails, is dropped or panics wakes one of its followers, which becomes the leader. A value
/// that another writer stored while `compute` ran is not overwritten: that value is returned in
/// place of the computed one.
///
/// If the value can't be stored, the leader gets it all the same, and so do the followers that have
/// waited since before it was computed; nobody gets the error. A value that doesn't even encode
/// can't be shared: the leader gets it, and the followers compute for themselves, side by side, and
/// store nothing.
///
/// A keyspace with [`OnUnavailable::Miss`](crate::keyspace::OnUnavailable::Miss) computes while the
/// store is away, and stores nothing.
///
/// A follower waits as long as the computations before it last: the limits of the backend don't
/// cover `compute`. `compute` must not ask for the same key itself: it would wait for its own end.
///
/// The leader's runtime has to run. If nobody drives that runtime any more, or all its threads are
/// blocked, followers wait for a second and a half at most: they pass the leader by, and one of
/// them computes anew. If the leader goes on later, its value is its own, and doesn't take the
/// place of the value that they have stored. A leader that runs on no tokio runtime can't be asked
/// for a sign of life, and is waited for.
///
/// # Errors
///
/// The error of `compute`, for its own caller only; `E::from` of `InvalidKey` for a computed entry
/// whose key isn't `key`; and `E::from` of the backend's error when it is asked for the value. A
/// transient error of the backend is also returned to the followers that waited when the failing
/// call was made, so that they don't wait for the same error one after the other.
///
/// # Cancel safety
///
/// A dropped future may have stored the value.
#[doc(alias("memoize", "cache aside", "stampede"))]
pub async fn get_or_set_with<K, B, F, Fut, E>(
    backend: &B,
    key: Key,
    compute: F,
) -> Result<K::Value, E>
where
    K: Valued,
    B: Backend + ?Sized,
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<K::Value, E>>,
    E: From<BackendError>,
{
    const {
        assert!(
            K::INFO.lease.is_none(),
            "the keyspace has a `lease`: call the function of this name in `cache`"
        );
    }
    if let Some(value) = look::<K, B>(backend, &key).await? {
        return Ok(value);
    }
    match join_and_look::<K, B>(backend, &key).await? {
        Joined::There(value) => Ok(value),
        Joined::Alone => compute_observed(backend, &key, compute).await,
        Joined::Lead(lead) => {
            compute_and_store::<K, B, F, Fut, E>(backend, &key, lead, None, compute).await
        }
    }
}

/// Returns the live value, or computes it, stores it for the keyspace's own time and returns it.
///
/// This is [`get_or_set_with`] for a `compute` that can't fail: it returns a value and no `Result`.
///
/// # Errors
///
/// The error of the backend when it is asked for the value.
///
/// # Cancel safety
///
/// A dropped future may have stored the value.
pub fn get_or_compute<K, B, F, Fut>(
    backend: &B,
    key: Key,
    compute: F,
) -> impl Future<Output = BackendResult<K::Value>>
where
    K: Valued,
    B: Backend + ?Sized,
    F: FnOnce() -> Fut,
    Fut: Future<Output = K::Value>,
{
    get_or_set_with::<K, B, _, _, BackendError>(backend, key, || compute().map(Ok))
}

/// Waits until there is a value, in the store or with another leader, or until it is this caller's
/// turn to compute.
pub(super) async fn join_and_look<K, B>(backend: &B, key: &Key) -> BackendResult<Joined<K::Value>>
where
    K: Valued,
    B: Backend + ?Sized,
{
    let waiting = ObservedTime::start(backend);
    let joined = look_or_lead::<K, B>(backend, key).await?;
    if let Joined::There(_) = &joined {
        waiting.tell(backend, key, Event::Waited);
    }
    Ok(joined)
}

async fn look_or_lead<K, B>(backend: &B, key: &Key) -> BackendResult<Joined<K::Value>>
where
    K: Valued,
    B: Backend + ?Sized,
{
    loop {
        let lead = match join::<K, B>(backend, key).await? {
            Joined::Lead(lead) => lead,
            joined => return Ok(joined),
        };
        // A flight that ended between the first look and the seat has left its value in the store.
        if let Some(value) = lead.look_up::<K, B>(backend, key).await? {
            return Ok(Joined::There(value));
        }
        if !lead.was_passed_by() {
            return Ok(Joined::Lead(lead));
        }
    }
}

/// Computes the value as the leader, passes it on and stores it. No follower waits for it for
/// longer than `at_most`, if that is given.
///
/// Across an `await` it holds nothing of the value but the result that `compute` gave: a task of
/// its own needs that result alone to be `Send`.
pub(super) async fn compute_and_store<K, B, F, Fut, E>(
    backend: &B,
    key: &Key,
    lead: Lead,
    at_most: Option<Duration>,
    compute: F,
) -> Result<K::Value, E>
where
    K: Valued,
    B: Backend + ?Sized,
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<K::Value, E>>,
    E: From<BackendError>,
{
    let computing = lead.begin_step();
    let computing_value = compute_observed(backend, key, compute);
    let computed = match at_most {
        Some(at_most) => lead.lead_at_most(at_most, computing_value).await,
        None => computing_value.await,
    };
    if let Ok(value) = &computed {
        check_key::<K>(key, value)?;
    }
    let encoded = computed.as_ref().ok();
    let Some(encoded) = encoded.and_then(|value| lead.encode::<K>(computing, value)) else {
        return computed;
    };
    let storing = lead.begin_step();
    let versions = VersionedKeys::of::<K>(key);
    let stored = store::<K, B>(backend, &versions, &encoded);
    let stored = if const { K::INFO.goes_on() } {
        going_on::write_in_flight::<K, B, _>(backend, key, stored).await
    } else {
        stored.await.map(Some)
    };
    match stored {
        Ok(Some(Some((stored, present)))) => {
            lead.land(storing, 0, &stored);
            Ok(present)
        }
        Ok(Some(None)) => {
            lead.land(storing, 0, &encoded);
            computed
        }
        // A leader that can't store the value returns it all the same.
        Ok(None) | Err(_) => computed,
    }
}

/// Stores a computed value where there is none, or bytes that count as none; otherwise returns the
/// value that is there.
async fn store<K, B>(
    backend: &B,
    versions: &VersionedKeys<'_>,
    encoded: &Stored,
) -> BackendResult<Option<(Stored, K::Value)>>
where
    K: Valued,
    B: Backend + ?Sized,
{
    let (key, encoded) = (versions.newest(), encoded.as_bytes());
    let absent = Write::new(K::INFO.new_life()).when(Condition::Absent);
    if !fast_path::put(backend, key, encoded, absent).await?
        && let Some(stored) = fast_path::read_value(backend, key, Touch::Keep).await?
    {
        if let Some(present) = decode::<K, B>(backend, key, 0, &stored)? {
            return Ok(Some((stored, present)));
        }
        let instead = Write::new(K::INFO.new_life()).when(Condition::Equals(stored.as_bytes()));
        fast_path::put(backend, key, encoded, instead).await?;
    }
    remove_all_older(backend, &[versions]).await?;
    Ok(None)
}
