//! Errors, each as a page with a proper status.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use reinhardt_backends::BackendError;

use crate::html::{Reader, page};
use crate::sessions::SignedIn;

/// The reason why a request isn't answered with the page that it asked for.
#[derive(Debug)]
pub(crate) enum AppError {
    Backend(Arc<BackendError>),
    /// There is no such page, for the user if one is logged in.
    NotFound(Option<SignedIn>),
    TooManyTries {
        retry_after: Duration,
    },
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
            Self::NotFound(signed_in) => answer(
                StatusCode::NOT_FOUND,
                "No such page",
                signed_in.as_ref().into(),
                &html! { p { a href="/" { "Back to the first page" } } },
            ),
            Self::TooManyTries { retry_after } => {
                // Rounded up: a client that comes after that many seconds is let in.
                let seconds = retry_after.as_millis().div_ceil(1000).max(1) as u64;
                let content = html! {
                    p role="alert" { "Please wait " strong #wait { (seconds) } " seconds before you try again." }
                    p { a href="/login" { "Back to the login form" } }
                };
                let status = StatusCode::TOO_MANY_REQUESTS;
                let page = answer(status, "Too many tries", Reader::Trying(0), &content);
                retry(page, seconds)
            }
            Self::ForeignForm => answer(
                StatusCode::FORBIDDEN,
                "This form came from elsewhere",
                Reader::Visitor,
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
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let page = answer(status, "Not available", Reader::Visitor, &content);
        return retry(page, 1);
    }
    let title = "Something went wrong";
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    answer(status, title, Reader::Visitor, &content)
}

fn answer(status: StatusCode, title: &str, reader: Reader<'_>, content: &Markup) -> Response {
    (status, page(title, reader, content)).into_response()
}

fn retry(mut response: Response, seconds: u64) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}
