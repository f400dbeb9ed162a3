//! The gate before which held calls wait.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

/// The place where calls wait.
#[derive(Debug)]
pub(super) struct HoldGate {
    /// A permit lets one call go on. The semaphore is closed when all may.
    pub(super) permits: Semaphore,
    /// The number of calls that have come here.
    pub(super) reached: watch::Sender<usize>,
}

impl HoldGate {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            permits: Semaphore::new(0),
            reached: watch::Sender::new(0),
        })
    }

    /// Waits until a call may go on.
    pub(super) async fn pass(&self) {
        self.reached.send_modify(|count| *count += 1);
        // An error says that the gate is open for all.
        if let Ok(permit) = self.permits.acquire().await {
            permit.forget();
        }
    }
}
