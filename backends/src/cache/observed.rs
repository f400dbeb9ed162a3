//! What observers are told of computations.

use std::future::Future;

use crate::backend::Backend;
use crate::backend::store::{Event, ObservedTime};
use crate::keyspace::Key;

/// Computes a value, and tells the observer of the store how long that took.
pub(super) async fn compute_observed<B, F, Fut, V, E>(
    backend: &B,
    key: &Key,
    compute: F,
) -> Result<V, E>
where
    B: Backend + ?Sized,
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<V, E>>,
{
    let time = ObservedTime::start(backend);
    let computed = compute().await;
    let event = match computed {
        Ok(_) => Event::Computed,
        Err(_) => Event::ComputeFailed,
    };
    time.tell(backend, key, event);
    computed
}
