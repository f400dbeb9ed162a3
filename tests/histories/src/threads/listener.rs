//! Code of users that the store calls of its own accord: a listener, a layer and its observer.

use std::sync::{PoisonError, Weak};

use reinhardt_backends::layer::{Answer, Intercept, Next, Operation};
use reinhardt_backends::store::{Event, Observer};
use reinhardt_backends::{Backend, BackendResult, Cause, KeyStream, Removal};

use super::caller::{Caller, meddle};
use super::keys::{Register, key_of};
use super::{Scene, wait};

/// An entry that has left, as the listener was told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Departure {
    pub(super) key: u32,
    /// `None` if these aren't the bytes of the key.
    pub(super) value: Option<i64>,
    pub(super) cause: Cause,
}

/// To be called for every entry that leaves.
pub(super) fn told(scene: &Weak<Scene>, removal: &Removal<'_>) {
    let key = key_of(removal.key);
    let departure = key.map(|key| Departure {
        key,
        value: Register::read(key, &removal.stored()),
        cause: removal.cause,
    });
    if let Some(caller) = Caller::of_this_thread() {
        departure.into_iter().for_each(|it| caller.note(it));
        caller.meddle(key);
    } else if let Some(scene) = scene.upgrade() {
        let mut swept = scene.swept.lock().unwrap_or_else(PoisonError::into_inner);
        swept.extend(departure);
        drop(swept);
        // The sweeper's own thread calls the store as well.
        if let Err(error) = wait(scene.backend.exists(removal.key)) {
            panic!("a store in memory answers: {error}");
        }
    }
}

/// A layer that calls the store around each call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meddling;

impl Intercept for Meddling {
    const FAST_PATH: bool = true;

    async fn call<T: Answer>(&self, _: Operation<'_>, next: Next<'_, T>) -> BackendResult<T> {
        meddle(None);
        let answer = next.run().await;
        meddle(None);
        answer
    }

    fn call_now<T: Answer>(
        &self,
        _: Operation<'_>,
        next: impl FnOnce() -> BackendResult<T>,
    ) -> BackendResult<T> {
        meddle(None);
        let answer = next();
        meddle(None);
        answer
    }

    fn keys<'a>(&'a self, _: Operation<'_>, next: KeyStream<'a>) -> KeyStream<'a> {
        next
    }

    fn observer(&self) -> Option<&dyn Observer> {
        Some(self)
    }
}

impl Observer for Meddling {
    fn on_event(&self, _: &'static str, _: Event) {
        meddle(None);
    }
}
