#![doc = include_str!("../../docs/caching.md")]

mod leader;

use std::future::Future;

use tokio::runtime::Handle;

use self::leader::{Arrival, Leader, arrive};
use crate::backend::{Backend, Stored};
use crate::error::BackendError;
use crate::keyspace::flight::{Lead, Seat, look};
use crate::keyspace::value::{ValueArg, decode};
use crate::keyspace::{Key, Valued};

/// Returns the live value, or has it computed by one caller across all processes and stored for the keyspace's own time.
///
/// For keyspaces with the word `lease`: others don't compile. [The module](self) has what is guaranteed.
///
/// # Errors
///
/// What `compute` fails with, for its own caller only; and `E::from` of what the backend fails with.
///
/// # Cancel safety
///
/// A dropped future may have stored the value. A leader that is dropped gives its lease back in the background.
pub async fn get_or_set_with<K, B, F, Fut, E>(
    backend: &B,
    key: Key,
    compute: F,
) -> Result<K::Value, E>
where
    K: Valued,
    B: Backend + Clone + 'static,
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<K::Value, E>>,
    E: From<BackendError>,
{
    const { assert!(K::INFO.lease.is_some(), "the keyspace has no `lease`") };
    if let Some(value) = look::<K, B>(backend, &key).await? {
        return Ok(value);
    }
    compute_once::<K, B, F, Fut, E>(backend, &key, compute).await
}

/// Returns the live value, an old one too, which is then refreshed by one caller in the background; or has it computed as
/// [`get_or_set_with`] does.
///
/// For keyspaces with the word `stale`: others don't compile. [The module](self) has what is guaranteed.
///
/// # Errors
///
/// What `compute` fails with, for its own caller only; and `E::from` of what the backend fails with. Failures of a refresh
/// in the background are nobody's: the next caller refreshes.
///
/// # Cancel safety
///
/// As [`get_or_set_with`]. A refresh that was begun goes on.
pub async fn get_or_refresh_with<K, B, F, Fut, E>(
    backend: &B,
    key: Key,
    compute: F,
) -> Result<K::Value, E>
where
    K: Valued + 'static,
    B: Backend + Clone + 'static,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<K::Value, E>> + Send + 'static,
    E: From<BackendError> + 'static,
{
    const {
        assert!(
            K::INFO.stale.is_some() && K::INFO.lease.is_some(),
            "the keyspace isn't `stale`"
        );
    }
    let Some((stored, expiry)) = backend.read(&key).await? else {
        // An older version may have it, which isn't refreshed: it goes with the next write.
        if K::INFO.migrates.is_some() {
            return get_or_set_with::<K, B, F, Fut, E>(backend, key, compute).await;
        }
        return compute_once::<K, B, F, Fut, E>(backend, &key, compute).await;
    };
    let Some(value) = decode::<K>(0, &stored)? else {
        return compute_once::<K, B, F, Fut, E>(backend, &key, compute).await;
    };
    if !K::INFO.is_stale(expiry) {
        return Ok(value);
    }
    let Some(lead) = Seat::take(backend.instance(), &key).try_lead() else {
        return Ok(value);
    };
    let refresh = refresh::<K, B, F, Fut, E>(backend.clone(), key, lead, compute);
    let Ok(runtime) = Handle::try_current() else {
        // Nobody else would run it.
        return match refresh.await {
            Some(fresh) => Ok(decode::<K>(0, &fresh)?.unwrap_or(value)),
            None => Ok(value),
        };
    };
    runtime.spawn(refresh);
    Ok(value)
}

/// Waits for the callers in this process, then for those in others; computes if it is still missing.
async fn compute_once<K, B, F, Fut, E>(backend: &B, key: &Key, compute: F) -> Result<K::Value, E>
where
    K: Valued,
    B: Backend + Clone + 'static,
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<K::Value, E>>,
    E: From<BackendError>,
{
    let seat = Seat::take(backend.instance(), key);
    let _turn = seat.turn().await;
    if let Some(landed) = seat.landed()
        && let Some(value) = decode::<K>(0, landed)?
    {
        return Ok(value);
    }
    if seat.has_landed()
        && let Some(value) = look::<K, B>(backend, key).await?
    {
        return Ok(value);
    }
    let mut leader = match arrive::<K, B>(backend, key, &seat).await? {
        Arrival::There(value) => return Ok(value),
        Arrival::Leader(leader) => leader,
    };
    let value = match leader.run(compute()).await {
        Ok(value) => value,
        Err(error) => {
            leader.resign().await;
            return Err(error);
        }
    };
    let encoded = ValueArg::<K::Value>::encode::<K::Codec>(&value)?;
    let step = seat.begin_step();
    if leader.land::<K>(backend, key, &encoded).await? {
        seat.land(step, Stored::from(encoded));
        return Ok(value);
    }
    // Somebody wrote or removed it since this one began to compute, or the lease was lost: what is there counts, and what
    // was computed is nobody else's.
    Ok(look::<K, B>(backend, key).await?.unwrap_or(value))
}

/// Computes an old value anew if nobody else does, and stores it if nobody has written or removed it; returns what it stored.
///
/// The lead keeps the callers in this process from doing the same.
async fn refresh<K, B, F, Fut, E>(backend: B, key: Key, _lead: Lead, compute: F) -> Option<Stored>
where
    K: Valued,
    B: Backend + Clone + 'static,
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<K::Value, E>>,
{
    let mut leader = Leader::of_stale::<K>(&backend, &key).await.ok()??;
    let computed = async {
        let value = compute().await.ok()?;
        ValueArg::<K::Value>::encode::<K::Codec>(&value).ok()
    };
    let Some(encoded) = leader.run(computed).await else {
        leader.resign().await;
        return None;
    };
    let landed = leader.land::<K>(&backend, &key, &encoded).await;
    landed.ok()?.then(|| encoded.into())
}
