//! A task that ends with its owner.

use tokio::task::AbortHandle;

/// A task that is aborted when this is dropped.
pub(super) struct Task(pub(super) AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
