//! The answer to the question whether a request may come in.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// The answer of the check that is asked before every request: `bool`, or a boxed future of `bool`
/// for a check that has to ask a store.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::MemoryBackend;
/// use reinhardt_backends::inspector;
///
/// # async fn is_operator(cookie: Option<http::HeaderValue>) -> bool { false }
/// let router: axum::Router = inspector::router(MemoryBackend::new(), |request| {
///     let cookie = request.headers.get("cookie").cloned();
///     Box::pin(async move { is_operator(cookie).await })
/// });
/// ```
#[must_use = "a request that nobody has authorized is refused"]
pub struct Authorized(Answer);

enum Answer {
    Now(bool),
    Later(Pin<Box<dyn Future<Output = bool> + Send>>),
}

impl Authorized {
    /// Waits for the answer.
    pub(super) async fn answer(self) -> bool {
        match self.0 {
            Answer::Now(is_authorized) => is_authorized,
            Answer::Later(answer) => answer.await,
        }
    }
}

impl From<bool> for Authorized {
    fn from(is_authorized: bool) -> Self {
        Self(Answer::Now(is_authorized))
    }
}

impl<F: Future<Output = bool> + Send + ?Sized + 'static> From<Pin<Box<F>>> for Authorized {
    fn from(answer: Pin<Box<F>>) -> Self {
        Self(Answer::Later(Box::pin(answer)))
    }
}

impl fmt::Debug for Authorized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorized").finish_non_exhaustive()
    }
}
