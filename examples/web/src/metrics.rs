//! Metrics, as Prometheus reads them.

use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

use crate::app::AppState;

/// Has all metrics of the process kept from now on, by a task of the present runtime.
///
/// # Errors
///
/// If another recorder is installed already.
pub(crate) fn install() -> Result<PrometheusHandle, BuildError> {
    let metrics = PrometheusBuilder::new()
        .set_buckets(&BUCKETS)?
        .install_recorder()?;
    let kept = metrics.clone();
    tokio::spawn(async move {
        loop {
            // Samples pile up until somebody asks for the metrics, or this puts them into buckets.
            tokio::time::sleep(UPKEEP).await;
            kept.run_upkeep();
        }
    });
    Ok(metrics)
}

/// Shows all metrics. Where others than the monitoring reach the service, this belongs on a port of
/// its own.
pub(crate) async fn show(State(state): State<AppState>) -> impl IntoResponse {
    let headers = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (headers, state.metrics.render())
}

/// The bounds of the buckets of all times, in seconds: from a call in this process to one that runs
/// into its limit.
const BUCKETS: [f64; 13] = [
    0.000_01, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0,
];

const UPKEEP: Duration = Duration::from_secs(5);
