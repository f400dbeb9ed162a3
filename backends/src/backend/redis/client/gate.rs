//! The gate that every call passes: how many may wait, and whether the client is closed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_timer::Delay;

use crate::error::{BackendError, BackendResult, ErrorKind};

pub(super) struct Gate {
    most: usize,
    waiting: AtomicUsize,
    closed: AtomicBool,
}

/// A place among the calls that wait, given back when dropped.
pub(super) struct Place<'a>(&'a AtomicUsize);

impl Gate {
    /// Makes a gate for at most so many calls at once.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            waiting: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// Takes a place, unless too many calls wait or the client is closed.
    pub(super) fn enter(&self) -> BackendResult<Place<'_>> {
        if self.waiting.fetch_add(1, Ordering::SeqCst) >= self.most {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            return Err(BackendError::new(
                ErrorKind::Unavailable,
                format!("{} calls are waiting already", self.most),
            ));
        }
        let place = Place(&self.waiting);
        if self.closed.load(Ordering::SeqCst) {
            return Err(closed());
        }
        Ok(place)
    }

    /// Refuses calls from now on, and waits for those that are under way.
    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        while self.waiting.load(Ordering::SeqCst) > 0 {
            Delay::new(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(super) fn closed() -> BackendError {
    BackendError::new(ErrorKind::Unavailable, "the backend was closed")
}
