//! The gate that every call passes: how many may wait, and whether the client is closed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::error::{BackendError, BackendResult, ErrorKind};

pub(super) struct Gate {
    most: usize,
    waiting: AtomicUsize,
    closed: AtomicBool,
    /// Tells that no call waits any more, once the gate is closed.
    emptied: Notify,
}

/// A place among the calls that wait, given back when dropped.
pub(super) struct Place<'a>(&'a Gate);

impl Gate {
    /// Makes a gate for at most so many calls at once.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            waiting: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            emptied: Notify::new(),
        }
    }

    /// Takes a place, unless too many calls wait or the client is closed.
    pub(super) fn enter(&self) -> BackendResult<Place<'_>> {
        let before = self.waiting.fetch_add(1, Ordering::SeqCst);
        let place = Place(self);
        if before >= self.most {
            return Err(BackendError::new(
                ErrorKind::Unavailable,
                format!("{} calls are waiting already", self.most),
            ));
        }
        if self.closed.load(Ordering::SeqCst) {
            return Err(closed());
        }
        Ok(place)
    }

    /// Refuses calls from now on.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Waits until no call is under way in a gate that is closed.
    pub(super) async fn emptied(&self) {
        loop {
            // Made before the look: it is told of each end after that.
            let emptied = self.emptied.notified();
            if self.waiting.load(Ordering::SeqCst) == 0 {
                return;
            }
            emptied.await;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let was_last = self.0.waiting.fetch_sub(1, Ordering::SeqCst) == 1;
        if was_last && self.0.closed.load(Ordering::SeqCst) {
            self.0.emptied.notify_waiters();
        }
    }
}

pub(super) fn closed() -> BackendError {
    BackendError::new(ErrorKind::Unavailable, "the backend was closed")
}
