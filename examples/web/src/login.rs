//! The front page, the login form, login and logout.

use std::net::SocketAddr;

use axum::Form;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use maud::{Markup, html};
use serde::Deserialize;

use crate::app::AppState;
use crate::error::AppError;
use crate::html::page;
use crate::sessions::{self, SignedIn};
use crate::{throttle, users};

pub(crate) async fn home(signed_in: Option<SignedIn>) -> Markup {
    let content = html! {
        @if let Some(SignedIn { name, .. }) = &signed_in {
            p { "You are logged in as " strong #user { (name) } "." }
            ul {
                li { a href="/counter" { "Counter" } ": every click counts, from every instance." }
                li { a href="/reports" { "Reports" } ": slow to compute, so computed once." }
            }
            form method="post" action="/logout/everywhere" {
                button.quiet type="submit" { "Log out in every browser" }
            }
        } @else {
            p { "Sessions, limits and cached pages, in memory or on Redis." }
            p { a href="/login" { "Log in" } }
        }
    };
    page("Welcome", signed_in.as_ref(), &content)
}

pub(crate) async fn form(signed_in: Option<SignedIn>) -> Response {
    if signed_in.is_some() {
        return Redirect::to("/").into_response();
    }
    form_page("", None).into_response()
}

#[derive(Deserialize)]
pub(crate) struct Credentials {
    user: String,
    password: String,
}

/// Answers a wrong name and a wrong password alike, so that the form doesn't tell who has an
/// account.
///
/// The status of a refusal is 403: a 401 has to name a scheme of the `Authorization` header, and
/// this is a form.
pub(crate) async fn log_in(
    State(state): State<AppState>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    jar: CookieJar,
    Form(Credentials { user, password }): Form<Credentials>,
) -> Result<Response, AppError> {
    // No user has a longer name. Such a try isn't counted, and its password isn't looked at either.
    if user.len() > NAME_LIMIT {
        return Ok(refused(""));
    }
    throttle::admit(&state.backend, client.ip(), &user).await?;
    let Some(known) = users::check(&user, &password) else {
        return Ok(refused(&user));
    };
    throttle::forgive(&state.backend, client.ip(), &user).await?;
    let jar = sessions::begin(&state, jar, known).await?;
    Ok((jar, Redirect::to("/")).into_response())
}

pub(crate) async fn log_out(
    State(state): State<AppState>,
    jar: CookieJar,
) -> Result<(CookieJar, Redirect), AppError> {
    let jar = sessions::end(&state, jar).await?;
    Ok((jar, Redirect::to("/login")))
}

/// Ends all sessions that the user has now. If somebody else knows the user's credentials, a
/// service changes them before this.
pub(crate) async fn log_out_everywhere(
    State(state): State<AppState>,
    signed_in: SignedIn,
    jar: CookieJar,
) -> Result<(CookieJar, Redirect), AppError> {
    sessions::end_all(&state, &signed_in).await?;
    log_out(State(state), jar).await
}

fn refused(user: &str) -> Response {
    let page = form_page(user, Some("The name or the password is wrong."));
    (StatusCode::FORBIDDEN, page).into_response()
}

fn form_page(user: &str, mistake: Option<&str>) -> Markup {
    let content = html! {
        @if let Some(mistake) = mistake {
            p.mistake role="alert" { (mistake) }
        }
        form method="post" action="/login" {
            label for="user" { "Name" }
            input #user name="user" value=(user) maxlength=(NAME_LIMIT) autocomplete="username"
                autocapitalize="none" required autofocus;
            label for="password" { "Password" }
            input #password name="password" type="password" maxlength="128" autocomplete="current-password" required;
            button type="submit" { "Log in" }
        }
        details {
            summary { "Who may log in here" }
            dl {
                @for user in &users::USERS {
                    dt { (user.name) }
                    dd { (user.password) }
                }
            }
        }
    };
    page("Log in", None, &content)
}

const NAME_LIMIT: usize = 64;
