//! Routes, layers and the state that handlers share.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use reinhardt_backends::inspector::Reads;
use reinhardt_backends::{Backend, BackendResult};
use tower_http::csrf::CsrfLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::{DefaultMakeSpan, DefaultOnRequest, DefaultOnResponse, TraceLayer};
use tracing::Level;

use crate::error::AppError;
use crate::sessions::{Sessions, SignedIn};
use crate::{counter, health, html, inspect, login, metrics, report, throttle};

/// The state that handlers share.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) backend: Arc<dyn Backend>,
    /// The reads of `backend`, by keyspace.
    pub(crate) reads: Reads,
    pub(crate) sessions: Sessions,
    pub(crate) secure_cookies: bool,
    pub(crate) report_time: Duration,
    pub(crate) metrics: PrometheusHandle,
}

/// The time that a request may take.
pub(crate) const REQUEST_TIME: Duration = Duration::from_secs(10);

/// Every request that changes something is a `POST`. A browser sends the session's cookie along
/// with no `POST` from another site (`SameSite=Lax`). `CsrfLayer` refuses a `POST` if the browser
/// says that it came from another origin. This covers the login form and sibling domains as well.
///
/// # Errors
///
/// The error with which the limits of the login form are refused.
pub(crate) fn router(state: AppState) -> BackendResult<Router> {
    let log_in = post(login::log_in)
        .layer(throttle::by_address(state.backend.clone())?)
        .layer(map_response(throttle::explain));
    let foreign = |_| AppError::ForeignForm.into_response();
    let trace = TraceLayer::new_for_http()
        .make_span_with(DefaultMakeSpan::new().level(Level::INFO))
        .on_request(DefaultOnRequest::new().level(Level::INFO))
        .on_response(DefaultOnResponse::new().level(Level::INFO));
    Ok(Router::new()
        .route("/", get(login::home))
        .route("/login", get(login::form).merge(log_in))
        .route("/logout", post(login::log_out))
        .route("/logout/everywhere", post(login::log_out_everywhere))
        .route("/counter", get(counter::show).post(counter::click))
        .route("/reports", get(report::list))
        .route("/reports/{region}", get(report::show))
        .route("/style.css", get(style))
        .route("/live", get(health::live))
        .route("/ready", get(health::ready))
        .route("/metrics", get(metrics::show))
        .nest("/inspector", inspect::router(&state))
        .fallback(async |signed_in: Result<Option<SignedIn>, AppError>| {
            AppError::NotFound(signed_in.unwrap_or_default())
        })
        .with_state(state)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(CsrfLayer::new().with_rejection_response(foreign))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            REQUEST_TIME,
        ))
        // Pages name the user who is logged in: no cache keeps them, nor does the browser after a
        // logout.
        .layer(header(header::CACHE_CONTROL, "no-store"))
        .layer(header(header::CONTENT_SECURITY_POLICY, POLICY))
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::REFERRER_POLICY, "same-origin"))
        .layer(trace))
}

async fn style() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "max-age=3600"),
    ];
    (headers, html::STYLE)
}

fn header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// No scripts at all, no frames around the forms.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The largest size of a form, in bytes: a form has three short fields at most.
const BODY_LIMIT: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    #[test]
    fn no_two_keyspaces_share_keys() {
        reinhardt_backends::check_keyspaces().unwrap();
    }
}
