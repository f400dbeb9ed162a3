//! Probes, for whatever starts, restarts and sends requests to instances.
//!
//! They say nothing to a visitor, so their errors are plain responses and no pages.

use std::time::Duration;

use axum::extract::State;
use reinhardt_backends::{Backend, BackendError, BackendResult, ErrorKind};
use tokio::time::timeout;

use crate::app::AppState;

/// Says that the process runs. It doesn't ask the store, or an outage there would restart every
/// instance.
pub(crate) async fn live() -> &'static str {
    "live"
}

/// Says that the store answers: without it there is neither a login nor a page.
pub(crate) async fn ready(State(state): State<AppState>) -> BackendResult<&'static str> {
    let answered = timeout(LIMIT, state.backend.ping()).await;
    let answered = answered.unwrap_or_else(|_| {
        let late = format!("no answer to a probe within {LIMIT:?}");
        Err(BackendError::new(ErrorKind::Timeout, late))
    });
    answered.inspect_err(|error| tracing::warn!(%error, "not ready"))?;
    Ok("ready")
}

/// Shorter than a call may take, so that a probe is answered before the one who asks gives up.
const LIMIT: Duration = Duration::from_millis(500);
