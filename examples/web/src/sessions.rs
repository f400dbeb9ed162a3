//! Sessions: who is logged in, under an id that only the browser's cookie knows.
//!
//! The cookie is `HttpOnly` (no script reads it), `SameSite=Lax` (no other site's form or script sends it along) and, over https,
//! `Secure` under a `__Host-` name, which no other host can set. It ends with the browser; the session ends 30 minutes after
//! its last request.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use reinhardt_backends::{BackendResult, Keyspace};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::app::AppState;
use crate::error::AppError;
use crate::users::User;

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m", sliding)]
struct Session {
    /// 122 random bits from the operating system: nobody guesses one.
    #[keyspace(key)]
    id: String,
    user: String,
}

/// Who makes the request; a handler that asks for it sends all others to the login form.
#[derive(Debug)]
pub(crate) struct SignedIn {
    pub(crate) user: String,
}

/// Begins a session and returns the cookie; one that the browser brought along ends, so that an id from before the login is
/// worth nothing after it.
pub(crate) async fn begin(
    state: &AppState,
    jar: CookieJar,
    user: &User,
) -> BackendResult<CookieJar> {
    let jar = end(state, jar).await?;
    let session = Session {
        id: Uuid::new_v4().to_string(),
        user: user.name.to_string(),
    };
    session.save(&state.backend).await?;
    Ok(jar.add(cookie(state, session.id)))
}

/// Ends the session, also for requests that are under way, and takes the cookie away.
pub(crate) async fn end(state: &AppState, jar: CookieJar) -> BackendResult<CookieJar> {
    if let Some(id) = id(state, &jar) {
        Session::delete(&state.backend, id).await?;
    }
    Ok(jar.remove(cookie(state, String::new())))
}

async fn find(state: &AppState, jar: &CookieJar) -> BackendResult<Option<SignedIn>> {
    let Some(id) = id(state, jar) else {
        return Ok(None);
    };
    let session = Session::get(&state.backend, id).await?;
    Ok(session.map(|session| SignedIn { user: session.user }))
}

/// Returns the id that the browser sent; text that can't be one is none, and isn't looked up.
fn id(state: &AppState, jar: &CookieJar) -> Option<String> {
    let cookie = jar.get(cookie_name(state))?;
    let id = Uuid::try_parse(cookie.value()).ok()?;
    Some(id.to_string())
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
            Ok(None) => Err(Redirect::to("/login").into_response()),
            Err(error) => Err(error.into_response()),
        }
    }
}
