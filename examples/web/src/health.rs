//! Probes, for the system that starts and restarts instances and sends requests to them.
//!
//! Probes say nothing to a visitor, so their errors are plain responses and no pages.

use std::time::Duration;

use axum::extract::State;
use reinhardt_backends::{Backend, BackendError, BackendResult, ErrorKind};
use tokio::time::timeout;

use crate::app::AppState;

/// Says that the process runs. This probe doesn't ask the store: otherwise an outage of the store
/// would restart every instance.
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

/// Shorter than a call may take, so that a probe is answered before its sender gives up.
const LIMIT: Duration = Duration::from_millis(500);
