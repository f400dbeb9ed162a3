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
    let mut computation = Computation {
        backend,
        key,
        time: ObservedTime::start(backend),
        is_over: false,
    };
    let computed = compute().await;
    computation.is_over = true;
    let event = match computed {
        Ok(_) => Event::Computed,
        Err(_) => Event::ComputeFailed,
    };
    computation.time.tell(backend, key, event);
    computed
}

/// A computation that has begun. One that is dropped before its end is told as dropped.
struct Computation<'c, B: Backend + ?Sized> {
    backend: &'c B,
    key: &'c Key,
    time: ObservedTime,
    is_over: bool,
}

impl<B: Backend + ?Sized> Drop for Computation<'_, B> {
    fn drop(&mut self) {
        if !self.is_over {
            let Self {
                backend, key, time, ..
            } = self;
            time.tell(*backend, key, Event::ComputeDropped);
        }
    }
}
