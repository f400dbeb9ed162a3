//! A sleep for tasks of any runtime.

use std::time::Duration;

use futures_timer::Delay;
use tokio::runtime::Handle;

/// Waits on tokio's clock where there is one.
pub(crate) async fn sleep(time: Duration) {
    match Handle::try_current() {
        Ok(_) => tokio::time::sleep(time).await,
        Err(_) => Delay::new(time).await,
    }
}
