//! Errors, each as a page with a proper status.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use reinhardt_backends::BackendError;

use crate::html::page;

/// The reason why a request isn't answered with the page that it asked for.
#[derive(Debug)]
pub(crate) enum AppError {
    Backend(Arc<BackendError>),
    NotFound,
    TooManyTries { retry_after: Duration },
    ForeignForm,
}

impl From<BackendError> for AppError {
    fn from(error: BackendError) -> Self {
        Self::Backend(Arc::new(error))
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        match self {
            Self::Backend(error) => failed(&error),
            Self::NotFound => answer(
                StatusCode::NOT_FOUND,
                "No such page",
                &html! { p { a href="/" { "Back to the first page" } } },
            ),
            Self::TooManyTries { retry_after } => {
                // Rounded up: a client that comes after that many seconds is let in.
                let seconds = retry_after.as_millis().div_ceil(1000).max(1) as u64;
                let content = html! {
                    p role="alert" { "Please wait " strong #wait { (seconds) } " seconds before you try again." }
                    p { a href="/login" { "Back to the login form" } }
                };
                let page = answer(StatusCode::TOO_MANY_REQUESTS, "Too many tries", &content);
                retry(page, seconds)
            }
            Self::ForeignForm => answer(
                StatusCode::FORBIDDEN,
                "This form came from elsewhere",
                &html! { p { "Only forms of this site are taken." } },
            ),
        }
    }
}

/// Answers 503 if the store can't be reached now. Any other failure is a mistake of ours, and a
/// 500. The error itself goes to the log. It holds no value and no key, but it is of no use to a
/// visitor.
fn failed(error: &BackendError) -> Response {
    tracing::error!(%error, "the backend failed");
    let content = html! {
        p { "Please try again in a moment." }
        @if error.outcome_unknown() {
            p { "What you did may have been done all the same." }
        }
    };
    if error.is_transient() {
        let page = answer(StatusCode::SERVICE_UNAVAILABLE, "Not available", &content);
        return retry(page, 1);
    }
    let title = "Something went wrong";
    answer(StatusCode::INTERNAL_SERVER_ERROR, title, &content)
}

fn answer(status: StatusCode, title: &str, content: &Markup) -> Response {
    (status, page(title, None, content)).into_response()
}

fn retry(mut response: Response, seconds: u64) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}
