#![doc = include_str!("../../docs/caching.md")]

mod flight;
mod handle;
mod infallible;
#[cfg(interleavings)]
pub mod interleavings;
mod leader;
mod observed;
mod pauses;
pub mod single_flight;
mod spawned;
mod turn;

use std::future::Future;

use tokio::runtime::Handle;

use self::flight::{Joined, Lead, join, look, try_lead};
pub use self::handle::BackendHandle;
pub use self::infallible::{get_or_compute, get_or_refresh};
use self::leader::{Arrival, Leader, Stale, arrive};
use self::observed::compute_observed;
use self::pauses::RefreshAttempt;
pub use self::spawned::get_or_set_spawned;
use crate::backend::Stored;
use crate::backend::store::{Event, ObservedTime, tell};
use crate::error::{BackendError, BackendResult};
use crate::keyspace::value::decode;
use crate::keyspace::{Key, Valued};

/// Returns the live value, or has it computed by one caller across all processes and stored for the
/// keyspace's own time.
///
/// For keyspaces with the word `lease`: others don't compile. [The module](self) has what is
/// guaranteed.
///
/// # Errors
///
/// The error of `compute`, for its own caller only; and `E::from` of the backend's error before
/// that, when the backend is asked for the value or the lease. A computed value that can't be
/// stored is nobody's error: its callers get the value.
///
/// # Cancel safety
///
/// A dropped future may have stored the value. A leader that is dropped gives its lease back in the
/// background.
#[doc(alias("memoize", "cache aside", "stampede"))]
pub async fn get_or_set_with<K, B, F, Fut, E>(
    backend: &B,
    key: Key,
    compute: F,
) -> Result<K::Value, E>
where
    K: Valued,
    B: BackendHandle,
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

/// Returns the live value, or an old value, which one caller then refreshes in the background. Has
/// a missing value computed as [`get_or_set_with`] does.
///
/// For keyspaces with the word `stale`: others don't compile. [The module](self) has what is
/// guaranteed.
///
/// # Errors
///
/// As [`get_or_set_with`]. Failures of a refresh in the background reach nobody: a later caller
/// refreshes.
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
    B: BackendHandle,
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
    match look_or_refresh::<K, B, F, Fut, E>(backend, &key, compute).await? {
        Looked::There(value) => Ok(value),
        Looked::Missing(compute) => compute_once::<K, B, F, Fut, E>(backend, &key, compute).await,
    }
}

/// The outcome of a look that may have begun a refresh.
enum Looked<V, F> {
    There(V),
    /// Nothing is there; the closure is still to be called.
    Missing(F),
}

/// Returns the live value, or an old value, whose refresh by `compute` it then begins.
async fn look_or_refresh<K, B, F, Fut, E>(
    backend: &B,
    key: &Key,
    compute: F,
) -> Result<Looked<K::Value, F>, E>
where
    K: Valued + 'static,
    B: BackendHandle,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<K::Value, E>> + Send + 'static,
    E: From<BackendError> + 'static,
{
    let Some((stored, expiry)) = backend.read(key).await? else {
        // An older version may have the value. It isn't refreshed: it goes with the next write.
        let older = match K::INFO.migrates {
            Some(_) => look::<K, B>(backend, key).await?,
            None => None,
        };
        return Ok(older.map_or(Looked::Missing(compute), Looked::There));
    };
    let Some(value) = decode::<K, B>(backend, key, 0, &stored)? else {
        return Ok(Looked::Missing(compute));
    };
    if !K::INFO.is_stale(expiry) {
        return Ok(Looked::There(value));
    }
    let fresh = begin_refresh::<K, B, F, Fut, E>(backend, key, compute).await?;
    if fresh.is_none() {
        tell(backend, key, Event::ServedStale);
    }
    Ok(Looked::There(fresh.unwrap_or(value)))
}

/// Begins to refresh an old value, unless somebody else does. On no runtime it refreshes the value
/// at once, and returns it.
async fn begin_refresh<K, B, F, Fut, E>(
    backend: &B,
    key: &Key,
    compute: F,
) -> BackendResult<Option<K::Value>>
where
    K: Valued + 'static,
    B: BackendHandle,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<K::Value, E>> + Send + 'static,
    E: 'static,
{
    let Some(attempt) = RefreshAttempt::begin::<K>(backend.info().instance, key) else {
        return Ok(None);
    };
    // The refresh may outlive the borrow that the instance of `backend` stands for, but not that of
    // a clone of its own, which doesn't move. If the two differ, the lease alone keeps others from
    // the same.
    let own = Box::new(backend.clone());
    let Some(lead) = try_lead(own.info().instance, key) else {
        attempt.succeed();
        return Ok(None);
    };
    let key = key.clone();
    let refresh = async move {
        let refresh = refresh::<K, B, F, Fut, E>(&own, &key, lead, compute);
        let outcome = refresh.await;
        if outcome.is_some() {
            attempt.succeed();
        }
        (outcome.flatten(), key)
    };
    let Ok(runtime) = Handle::try_current() else {
        // Nobody else would run it.
        return match refresh.await {
            (Some(fresh), key) => decode::<K, B>(backend, &key, 0, &fresh),
            (None, _) => Ok(None),
        };
    };
    runtime.spawn(refresh);
    Ok(None)
}

/// Waits for the callers in this process, then for callers in other processes; computes the value
/// if it is still missing.
async fn compute_once<K, B, F, Fut, E>(backend: &B, key: &Key, compute: F) -> Result<K::Value, E>
where
    K: Valued,
    B: BackendHandle,
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<K::Value, E>>,
    E: From<BackendError>,
{
    match wait_to_lead::<K, B>(backend, key).await? {
        Waited::There(value) => Ok(value),
        Waited::Alone => compute_observed(backend, key, compute).await,
        Waited::Leader(lead, leader) => {
            compute_and_land::<K, B, F, Fut, E>(backend, key, lead, leader, compute).await
        }
    }
}

/// The end of a wait under a lease.
enum Waited<B: BackendHandle, V> {
    /// Another caller had the value.
    There(V),
    /// This caller is to compute the value, for all that wait.
    Leader(Lead, Leader<B>),
    /// The value can't be shared: each caller computes for itself.
    Alone,
}

/// Waits for the callers in this process, then for callers in other processes.
async fn wait_to_lead<K, B>(backend: &B, key: &Key) -> BackendResult<Waited<B, K::Value>>
where
    K: Valued,
    B: BackendHandle,
{
    let waiting = ObservedTime::start(backend);
    let waited = wait_or_lead::<K, B>(backend, key).await?;
    if let Waited::There(_) = &waited {
        waiting.tell(backend, key, Event::Waited);
    }
    Ok(waited)
}

async fn wait_or_lead<K, B>(backend: &B, key: &Key) -> BackendResult<Waited<B, K::Value>>
where
    K: Valued,
    B: BackendHandle,
{
    loop {
        let lead = match join::<K, B>(backend, key).await? {
            Joined::There(value) => return Ok(Waited::There(value)),
            Joined::Alone => return Ok(Waited::Alone),
            Joined::Lead(lead) => lead,
        };
        if lead.has_landed()
            && let Some(value) = lead.look_up::<K, B>(backend, key).await?
        {
            return Ok(Waited::There(value));
        }
        match arrive::<K, B>(backend, key, &lead).await? {
            Arrival::There(value) => return Ok(Waited::There(value)),
            Arrival::Leader(leader) => return Ok(Waited::Leader(lead, leader)),
            Arrival::PassedBy => {}
        }
    }
}

/// Computes the value under the lease, passes it on and stores it.
///
/// Across an `await` it holds nothing of the value but the result that `compute` gave: a task of
/// its own needs that alone to be `Send`.
async fn compute_and_land<K, B, F, Fut, E>(
    backend: &B,
    key: &Key,
    lead: Lead,
    mut leader: Leader<B>,
    compute: F,
) -> Result<K::Value, E>
where
    K: Valued,
    B: BackendHandle,
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<K::Value, E>>,
{
    let computing = lead.begin_step();
    let computing_value = compute_observed(backend, key, compute);
    let computed = leader.run(&lead, computing_value).await;
    let encoded = computed.as_ref().ok();
    let Some(encoded) = encoded.and_then(|value| lead.encode::<K>(computing, value)) else {
        leader.resign().await;
        return computed;
    };
    let storing = lead.begin_step();
    match leader.land::<K>(backend, key, encoded.as_bytes()).await {
        Ok(true) => {
            lead.land(storing, 0, &encoded);
            computed
        }
        // Somebody wrote or removed the value since this caller began to compute, or the lease was
        // lost: the value that is there counts.
        Ok(false) => match lead.look_up::<K, B>(backend, key).await {
            Ok(Some(present)) => Ok(present),
            Ok(None) | Err(_) => computed,
        },
        // A caller that can't store its value has it all the same.
        Err(_) => computed,
    }
}

/// Computes an old value anew if nobody else does, and stores the result if nobody has written or
/// removed the value. Returns the stored value, `None` if the refresh failed or somebody else is at
/// it.
///
/// The lead keeps the callers in this process from doing the same.
async fn refresh<K, B, F, Fut, E>(
    backend: &B,
    key: &Key,
    lead: Lead,
    compute: F,
) -> Option<Option<Stored>>
where
    K: Valued,
    B: BackendHandle,
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<K::Value, E>>,
{
    let mut leader = match Leader::of_stale::<K>(backend, key, &lead).await.ok()? {
        Stale::Leader(leader) => leader,
        Stale::Fresh => return Some(None),
        Stale::Led => return None,
    };
    let computing = lead.begin_step();
    let computed = async {
        let value = compute_observed(backend, key, compute).await.ok()?;
        // For those who found nothing meanwhile, too.
        lead.encode::<K>(computing, &value)
    };
    let Some(encoded) = leader.run(&lead, computed).await else {
        leader.resign().await;
        return None;
    };
    let storing = lead.begin_step();
    let landed = leader.land::<K>(backend, key, encoded.as_bytes()).await;
    let landed = landed.ok()?;
    if landed {
        lead.land(storing, 0, &encoded);
    }
    Some(landed.then_some(encoded))
}
