//! The gate that every call passes: it limits the calls that wait and the bytes that they send, and
//! refuses calls once the client is closed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::error::{BackendError, BackendResult, ErrorKind};

pub(super) struct Gate {
    most: usize,
    most_bytes: usize,
    waiting: AtomicUsize,
    /// The bytes of the requests of the calls that wait.
    bytes: AtomicUsize,
    closed: AtomicBool,
    /// Tells that no call waits any more, once the gate is closed.
    emptied: Notify,
}

/// The permit of a call that waits, given back when dropped.
pub(super) struct Permit<'a> {
    gate: &'a Gate,
    bytes: usize,
}

impl Gate {
    /// Makes a gate for at most `most` calls at once, which send at most `most_bytes` bytes.
    pub(super) fn new(most: usize, most_bytes: usize) -> Self {
        Self {
            most,
            most_bytes,
            waiting: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            emptied: Notify::new(),
        }
    }

    /// Says whether calls are refused.
    #[cfg(feature = "redis-commands")]
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Takes a permit for a call that sends so many bytes, unless too much waits or the client is
    /// closed. A call that is alone may send more.
    pub(super) fn enter(&self, bytes: usize) -> BackendResult<Permit<'_>> {
        let before = self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut permit = Permit {
            gate: self,
            bytes: 0,
        };
        if before >= self.most {
            return Err(BackendError::new(
                ErrorKind::Unavailable,
                format!("{} calls are waiting already", self.most),
            ));
        }
        let with_these = |before: usize| {
            let sum = before.saturating_add(bytes);
            (before == 0 || sum <= self.most_bytes).then_some(sum)
        };
        let relaxed = Ordering::Relaxed;
        if let Err(before) = self.bytes.fetch_update(relaxed, relaxed, with_these) {
            return Err(BackendError::new(
                ErrorKind::Unavailable,
                format!("the calls that are waiting send {before} bytes already"),
            ));
        }
        permit.bytes = bytes;
        if self.closed.load(Ordering::SeqCst) {
            return Err(closed());
        }
        Ok(permit)
    }

    /// Returns the number of calls that wait, and of the bytes that they send.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let bytes = self.bytes.load(Ordering::Relaxed);
        (self.waiting.load(Ordering::Relaxed), bytes)
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

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let gate = self.gate;
        gate.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        let was_last = gate.waiting.fetch_sub(1, Ordering::SeqCst) == 1;
        if was_last && gate.closed.load(Ordering::SeqCst) {
            gate.emptied.notify_waiters();
        }
    }
}

pub(super) fn closed() -> BackendError {
    BackendError::new(ErrorKind::Unavailable, "the backend was closed")
}
