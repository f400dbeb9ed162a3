//! Computations that outlive the callers that wait for them.

use std::future::Future;
use std::panic::resume_unwind;
use std::time::Duration;

use tokio::runtime::Handle;

use super::flight::{Joined, Lead, look};
use super::handle::BackendHandle;
use super::leader::Leader;
use super::observed::compute_observed;
use super::single_flight::{compute_and_store, join_and_look};
use super::{Looked, Waited, compute_and_land, look_or_refresh, wait_to_lead};
use crate::backend::Backend;
use crate::error::{BackendError, ErrorKind};
use crate::keyspace::{Key, Valued};

/// Returns the live value, or has it computed in a task of its own, which stores the value even if
/// its callers have left.
///
/// For all keyspaces with `value = T`, and with what their words `lease` and `stale` promise. It
/// does what their `get_or_set_with` does, except that the leader waits for a task of the tokio
/// runtime in use. A caller that is dropped, by a timeout for instance, leaves the task alone: the
/// task goes on, other callers wait for it, and the value that it computes is stored.
///
/// The task is begun when it is the caller's turn to compute. So a caller that is dropped while it
/// waits for others has begun nothing, and its closure is never called.
///
/// Without a runtime the caller computes the value itself, as with `get_or_set_with`, and its
/// computation ends with it. The same is true on a backend whose clones are other stores by
/// [`StoreInfo::instance`](crate::store::StoreInfo::instance).
///
/// Callers that wait for a value that can't be encoded compute the value themselves as well.
///
/// A task that hangs holds nobody up for ever: after ten times the `lease`, or five minutes without
/// one, the next caller computes anew, and the value that the task makes at last is its own
/// caller's. If the store refuses the value and all callers have left, nothing is kept and nobody
/// is told.
///
/// # Errors
///
/// The error of `compute`, for its own caller only, or for nobody if that caller has left;
/// `E::from` of the backend's error before that, when the backend is asked for the value or the
/// lease; and of `Unavailable` if the runtime ends before the task does.
///
/// # Panics
///
/// If `compute` does, and its caller still waits; another caller computes then.
///
/// # Cancel safety
///
/// A future that is dropped while its closure runs leaves the computation to the task. Otherwise
/// nothing was begun, or the lease is given back in the background.
pub async fn get_or_set_spawned<K, B, F, Fut, E>(
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
    Result<K::Value, E>: Send,
{
    let compute = if const { K::INFO.stale.is_some() } {
        match look_or_refresh::<K, B, F, Fut, E>(backend, &key, compute).await? {
            Looked::There(value) => return Ok(value),
            Looked::Missing(compute) => compute,
        }
    } else if let Some(value) = look::<K, B>(backend, &key).await? {
        return Ok(value);
    } else {
        compute
    };
    let (lead, leader) = if const { K::INFO.lease.is_some() } {
        match wait_to_lead::<K, B>(backend, &key).await? {
            Waited::There(value) => return Ok(value),
            Waited::Alone => return compute_observed(backend, &key, compute).await,
            Waited::Leader(lead, leader) => (lead, Some(leader)),
        }
    } else {
        match join_and_look::<K, B>(backend, &key).await? {
            Joined::There(value) => return Ok(value),
            Joined::Alone => return compute_observed(backend, &key, compute).await,
            Joined::Lead(lead) => (lead, None),
        }
    };
    let Some((runtime, own)) = detached(backend) else {
        return make::<K, B, F, Fut, E>(backend, &key, lead, leader, compute).await;
    };
    lead.runs_on(&runtime);
    let task = runtime
        .spawn(async move { make::<K, B, F, Fut, E>(&*own, &key, lead, leader, compute).await });
    match task.await {
        Ok(computed) => computed,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The store may have been asked to keep the value by then.
            Err(_) => Err(E::from(
                BackendError::new(ErrorKind::Unavailable, "the runtime of a computation ended")
                    .with_outcome_unknown(),
            )),
        },
    }
}

/// Computes the value as the leader, under the lease if there is one, and stores it.
async fn make<K, B, F, Fut, E>(
    backend: &B,
    key: &Key,
    lead: Lead,
    leader: Option<Leader<B>>,
    compute: F,
) -> Result<K::Value, E>
where
    K: Valued,
    B: BackendHandle,
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<K::Value, E>>,
    E: From<BackendError>,
{
    match leader {
        Some(leader) => {
            compute_and_land::<K, B, F, Fut, E>(backend, key, lead, leader, compute).await
        }
        None => {
            let at_most = Some(LEADS_AT_MOST);
            compute_and_store::<K, B, F, Fut, E>(backend, key, lead, at_most, compute).await
        }
    }
}

/// A task of a keyspace without a lease is waited for so long: a task that takes longer has
/// probably hung.
const LEADS_AT_MOST: Duration = Duration::from_secs(5 * 60);

/// Returns the two things that a task needs to outlive its caller: a runtime, and a clone of the
/// backend.
///
/// The task leads in the flight of the caller's store. The clone keeps that store's address from
/// another one, unless it is a store of its own.
fn detached<B: Backend + Clone>(backend: &B) -> Option<(Handle, Box<B>)> {
    let runtime = Handle::try_current().ok()?;
    let own = Box::new(backend.clone());
    (own.info().instance == backend.info().instance).then_some((runtime, own))
}
