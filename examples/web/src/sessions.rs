//! Sessions: each holds the user who is logged in, under an id that only the browser's cookie
//! knows.
//!
//! The cookie is `HttpOnly` (no script reads it), `SameSite=Lax` (no other site's form or script
//! sends it along) and, over https, `Secure` under a `__Host-` name, which no other host can set.
//! It ends with the browser; the session ends 30 minutes after its last request, and 12 hours after
//! the login whatever happens.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use reinhardt_backends::session::SessionStore;
use reinhardt_backends::{Backend, BackendResult, register_sessions};
use serde::{Deserialize, Serialize};

use crate::app::AppState;
use crate::error::AppError;
use crate::login;
use crate::users::User;

/// The store of all sessions. Each session has an owner, the id of a user. The owner stands in the
/// id of the session as well.
pub(crate) type Sessions = SessionStore<Profile>;

/// The data of a user that pages need, so that they don't ask the database of users.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) name: String,
}

const PREFIX: &str = "login-session";
const IDLE: Duration = Duration::from_secs(30 * 60);

register_sessions!(PREFIX, Profile);

/// The user who makes the request. A handler with this argument sends all other visitors to the
/// login form, which leads back.
#[derive(Debug)]
pub(crate) struct SignedIn {
    pub(crate) id: u64,
    pub(crate) name: String,
    /// The time that the session lives without a request.
    pub(crate) left: Duration,
}

pub(crate) fn open(backend: Arc<dyn Backend>) -> BackendResult<Sessions> {
    SessionStore::builder(backend)
        .prefix(PREFIX)
        .idle(IDLE)
        .absolute(Duration::from_secs(12 * 60 * 60))
        .build()
}

/// Begins a session and returns its cookie. A session that the browser brought along ends, so that
/// an id from before the login is worth nothing after it.
///
/// A service with something to keep, such as a basket from before the login, has
/// `SessionStore::cycle` for that.
pub(crate) async fn begin(
    state: &AppState,
    jar: CookieJar,
    user: &User,
) -> BackendResult<CookieJar> {
    let jar = end(state, jar).await?;
    let profile = Profile {
        name: user.name.to_string(),
    };
    let session = state.sessions.create(&user.id, profile).await?;
    Ok(jar.add(cookie(state, session.id().to_string())))
}

/// Ends the session, also for requests that are under way, and takes the cookie away.
pub(crate) async fn end(state: &AppState, jar: CookieJar) -> BackendResult<CookieJar> {
    if let Some(cookie) = jar.get(cookie_name(state)) {
        state.sessions.delete(cookie.value()).await?;
    }
    Ok(jar.remove(cookie(state, String::new())))
}

/// Ends all sessions of a user, in every browser.
pub(crate) async fn end_all(state: &AppState, user: &SignedIn) -> BackendResult<u64> {
    state.sessions.delete_all(&user.id).await
}

/// Returns the user whose session the browser has.
pub(crate) async fn find(state: &AppState, jar: &CookieJar) -> BackendResult<Option<SignedIn>> {
    let Some(cookie) = jar.get(cookie_name(state)) else {
        return Ok(None);
    };
    let Some(session) = state.sessions.load(cookie.value()).await? else {
        return Ok(None);
    };
    let until_the_end = session.ends_at().duration_since(SystemTime::now());
    let left = until_the_end.unwrap_or_default().min(IDLE);
    Ok(session.owner_as::<u64>().map(|id| SignedIn {
        id,
        name: session.into_data().name,
        left,
    }))
}

fn cookie(state: &AppState, id: String) -> Cookie<'static> {
    Cookie::build((cookie_name(state), id))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(state.secure_cookies)
        .build()
}

fn cookie_name(state: &AppState) -> &'static str {
    if state.secure_cookies {
        "__Host-session"
    } else {
        "session"
    }
}

impl OptionalFromRequestParts<AppState> for SignedIn {
    type Rejection = AppError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &AppState,
    ) -> Result<Option<Self>, AppError> {
        let jar = CookieJar::from_headers(&parts.headers);
        Ok(find(state, &jar).await?)
    }
}

impl FromRequestParts<AppState> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let found = <Self as OptionalFromRequestParts<_>>::from_request_parts(parts, state).await;
        match found {
            Ok(Some(signed_in)) => Ok(signed_in),
            Ok(None) => Err(Redirect::to(&login::leading_back(parts)).into_response()),
            Err(error) => Err(error.into_response()),
        }
    }
}
