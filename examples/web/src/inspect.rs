//! The inspector: pages of what the store holds, for operators who are logged in.
//!
//! It shows the keys and values of keyspaces that say `inspect`. Sessions and the tries of the
//! login form don't: a key of theirs is a secret, or says who was where.

use axum::Router;
use axum::http::request::Parts;
use axum_extra::extract::CookieJar;
use reinhardt_backends::inspector::Inspector;

use crate::app::AppState;
use crate::{sessions, users};

/// Makes the pages, to be nested under `/inspector`.
///
/// They answer under the names of this machine. Behind a proxy, `Inspector::hosts` names the host
/// of the service.
pub(crate) fn router(state: &AppState) -> Router<AppState> {
    let of_check = state.clone();
    let is_operator = move |request: &Parts| {
        let state = of_check.clone();
        let jar = CookieJar::from_headers(&request.headers);
        Box::pin(async move { is_operator(&state, &jar).await })
    };
    Inspector::new(state.backend.clone(), is_operator.clone())
        .reads(&state.reads)
        .deletes(is_operator)
        .router()
}

/// Whoever can't be recognized is none: also while the store is away.
async fn is_operator(state: &AppState, jar: &CookieJar) -> bool {
    match sessions::find(state, jar).await {
        Ok(Some(signed_in)) => users::is_operator(signed_in.id),
        Ok(None) => false,
        Err(error) => {
            tracing::error!(%error, "nobody can be recognized");
            false
        }
    }
}
