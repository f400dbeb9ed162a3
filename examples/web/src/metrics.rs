//! Metrics, as Prometheus reads them.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

use crate::app::AppState;

/// Has all metrics of the process kept from now on.
///
/// # Errors
///
/// If another recorder is installed already.
pub(crate) fn install() -> Result<PrometheusHandle, BuildError> {
    PrometheusBuilder::new()
        .set_buckets(&BUCKETS)?
        .install_recorder()
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
const BUCKETS: [f64; 10] = [
    0.000_01, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0,
];
