//! Errors as responses of axum: a status, and no details of the failure.

use std::sync::Arc;

use axum_core::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};

use crate::error::BackendError;
use crate::session::SessionError;

/// Seconds. The least that the header can say: a server that is back is found within as much.
const RETRY_SECONDS: u64 = 1;

/// Makes a response of an error that a handler returns (feature `axum`).
///
/// * An error that [is transient](BackendError::is_transient) is `503 Service Unavailable` with
///   `Retry-After: 1`, a second.
/// * Every other error is `500 Internal Server Error`, `Full` and bad input of a client among them:
///   a handler that wants `413` for `TooLarge` looks at the [`kind`](BackendError::kind) first.
///
/// The body is the name of the status as plain text, the same for every error of that status.
/// Neither the body nor a header shows the kind, the message or the cause.
///
/// The error is an extension of the response, as an `Arc<BackendError>`, so that a layer can log it
/// or make a page of it. Without such a layer nobody sees what failed.
///
/// A client that repeats a request after `503` also repeats a call that took effect although no
/// answer came ([`outcome_unknown`](BackendError::outcome_unknown)). If that matters, the handler
/// answers such an error itself.
impl IntoResponse for BackendError {
    fn into_response(self) -> Response {
        if !self.is_transient() {
            return answer(StatusCode::INTERNAL_SERVER_ERROR, self);
        }
        let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, self);
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
        response
    }
}

/// Makes a response of an error that a handler returns (feature `axum`).
///
/// `Gone` is `401 Unauthorized`, `Conflict` is `409 Conflict`, `OtherOwner` is `500 Internal Server
/// Error`, and the error of a backend is that of the [`BackendError`].
///
/// The body is the name of the status. The error is an extension of the response: an
/// `Arc<BackendError>` where the backend failed, otherwise an `Arc<SessionError>`. A layer can make
/// a redirection to the login of a `401`.
impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Backend(error) => return error.into_response(),
            Self::Gone => StatusCode::UNAUTHORIZED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::OtherOwner => StatusCode::INTERNAL_SERVER_ERROR,
        };
        answer(status, self)
    }
}

/// Answers with a status and its name; the error itself goes to layers alone.
fn answer<E: Send + Sync + 'static>(status: StatusCode, error: E) -> Response {
    let name = status.canonical_reason().unwrap_or_default();
    let mut response = (status, name).into_response();
    response.extensions_mut().insert(Arc::new(error));
    response
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;
    use crate::error::ErrorKind;
    use crate::error::tests::ALL_KINDS;

    /// Text that must not be in a response.
    const SECRET: &str = "ann:hunter2";

    /// All that goes over the network.
    #[derive(Debug, PartialEq)]
    struct Sent {
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
    }

    async fn sent(response: Response) -> Sent {
        let (head, body) = response.into_parts();
        let headers = head.headers.iter().map(|(name, value)| {
            let value = value.to_str().expect("a header of ours is text");
            (name.to_string(), value.to_string())
        });
        let body: Vec<_> = body.into_data_stream().try_collect().await.unwrap();
        Sent {
            status: head.status.as_u16(),
            headers: headers.collect(),
            body: String::from_utf8(body.concat()).unwrap(),
        }
    }

    fn expected(status: u16, body: &str, more: &[(&str, &str)]) -> Sent {
        let plain = [("content-type", "text/plain; charset=utf-8")];
        let headers = plain.iter().chain(more);
        Sent {
            status,
            headers: headers
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            body: body.to_string(),
        }
    }

    #[tokio::test]
    async fn an_error_is_a_status_and_tells_nothing_else() {
        for kind in ALL_KINDS {
            let error = BackendError::new(kind, SECRET)
                .with_source(SECRET)
                .with_outcome_unknown()
                .with_failed_indices(vec![7]);
            let expected = match kind {
                ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Conflict => {
                    expected(503, "Service Unavailable", &[("retry-after", "1")])
                }
                _ => expected(500, "Internal Server Error", &[]),
            };
            assert_eq!(sent(error.into_response()).await, expected, "{kind:?}");
        }
    }

    #[tokio::test]
    async fn a_session_that_is_gone_is_not_a_failure() {
        for (error, status, body) in [
            (SessionError::Gone, 401, "Unauthorized"),
            (SessionError::Conflict, 409, "Conflict"),
            (SessionError::OtherOwner, 500, "Internal Server Error"),
        ] {
            let response = error.into_response();
            assert!(response.extensions().get::<Arc<SessionError>>().is_some());
            assert_eq!(sent(response).await, expected(status, body, &[]));
        }
        let down = BackendError::new(ErrorKind::Timeout, SECRET);
        let of_session = SessionError::from(down.clone()).into_response();
        assert_eq!(sent(of_session).await, sent(down.into_response()).await);
    }

    #[test]
    fn a_layer_finds_the_error() {
        let response = BackendError::new(ErrorKind::Denied, SECRET).into_response();
        let error = response.extensions().get::<Arc<BackendError>>().unwrap();
        assert_eq!(error.kind(), ErrorKind::Denied);
    }
}
