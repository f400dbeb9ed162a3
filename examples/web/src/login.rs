//! The front page, the login form, login and logout.

use std::net::SocketAddr;

use axum::Form;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::app::AppState;
use crate::error::AppError;
use crate::html::{Reader, page};
use crate::sessions::{self, SignedIn};
use crate::{throttle, users};

pub(crate) async fn home(signed_in: Option<SignedIn>) -> Markup {
    let content = html! {
        @if let Some(SignedIn { id, name, .. }) = &signed_in {
            p { "You are logged in as " strong #user { (name) } "." }
            ul {
                li { a href="/counter" { "Counter" } ": every click counts, from every instance." }
                li { a href="/reports" { "Reports" } ": slow to compute, so computed once." }
                @if users::is_operator(*id) {
                    li { a href="/inspector" { "Inspector" } ": what the store holds, for operators." }
                }
            }
            (hints())
            form method="post" action="/logout/everywhere" {
                button.quiet type="submit" { "Log out in every browser" }
            }
        } @else {
            p { "Sessions, limits and cached pages, in memory or on Redis." }
            p { a href="/login" { "Log in" } }
        }
    };
    page("Welcome", signed_in.as_ref().into(), &content)
}

/// Things to try, and what they show.
fn hints() -> Markup {
    html! {
        h2 { "Try this" }
        ul {
            li { "Log in with another browser, click in both, and log out in every browser from one." }
            li { "Mistype a password six times: the sixth has to wait, and so has the right one." }
            li { "Open a report in two windows at once: its computation has one number." }
            li { "Start a second instance with the same " code { "REDIS_URL" } " and another " code { "PORT" }
                ": this session, the clicks and the limits are there too." }
            li { "Stop the server of the store: pages say that it isn't there, and nobody gets in meanwhile." }
        }
    }
}

/// The place to go after a login.
#[derive(Deserialize)]
pub(crate) struct Destination {
    to: Option<String>,
}

pub(crate) async fn form(
    signed_in: Option<SignedIn>,
    Query(Destination { to }): Query<Destination>,
) -> Response {
    let to = inside(to.as_deref());
    if signed_in.is_some() {
        return Redirect::to(to).into_response();
    }
    form_page("", to, Reader::Visitor, None).into_response()
}

/// Returns the address of the login form that leads back to the page of a request.
pub(crate) fn leading_back(request: &Parts) -> String {
    let page = request.uri.path_and_query().map(|page| page.as_str());
    match page.filter(|_| request.method == Method::GET) {
        Some(page) => format!("/login?to={}", utf8_percent_encode(page, NON_ALPHANUMERIC)),
        None => "/login".to_string(),
    }
}

/// Returns the page to go to, if it is one of this site: anybody can make a link to the form.
fn inside(to: Option<&str>) -> &str {
    let is_inside = |to: &&str| {
        let mut characters = to.chars();
        to.len() <= TO_LIMIT
            && to.starts_with('/')
            && !to.starts_with("//")
            && characters.all(|c| c.is_ascii_graphic() && c != '\\')
    };
    to.filter(is_inside).unwrap_or("/")
}

#[derive(Deserialize)]
pub(crate) struct Credentials {
    user: String,
    password: String,
    to: Option<String>,
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
    Form(Credentials { user, password, to }): Form<Credentials>,
) -> Result<Response, AppError> {
    let to = inside(to.as_deref());
    // No user has a longer name. Such a try isn't counted, and its password isn't looked at either.
    if user.len() > NAME_LIMIT {
        return Ok(refused("", to, Reader::Visitor));
    }
    let left = throttle::admit(&state.backend, client.ip(), &user).await?;
    let Some(known) = users::check(&user, &password) else {
        return Ok(refused(&user, to, Reader::Trying(left)));
    };
    throttle::forgive(&state.backend, client.ip(), &user).await?;
    let jar = sessions::begin(&state, jar, known).await?;
    Ok((jar, Redirect::to(to)).into_response())
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

fn refused(user: &str, to: &str, reader: Reader<'_>) -> Response {
    let page = form_page(user, to, reader, Some("The name or the password is wrong."));
    (StatusCode::FORBIDDEN, page).into_response()
}

fn form_page(user: &str, to: &str, reader: Reader<'_>, mistake: Option<&str>) -> Markup {
    let content = html! {
        @if let Some(mistake) = mistake {
            p.mistake role="alert" { (mistake) }
        }
        form method="post" action="/login" {
            @if to != "/" {
                input type="hidden" name="to" value=(to);
            }
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
    page("Log in", reader, &content)
}

const NAME_LIMIT: usize = 64;
const TO_LIMIT: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_nowhere_else() {
        for to in ["/", "/counter", "/reports/north?x=%2F"] {
            assert_eq!(inside(Some(to)), to);
        }
        for to in [
            "",
            "counter",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a b",
            "/\r\nx: y",
            "/é",
        ] {
            assert_eq!(inside(Some(to)), "/", "{to:?}");
        }
        assert_eq!(inside(None), "/");
        assert_eq!(inside(Some(&"/".repeat(TO_LIMIT + 1))), "/");
    }
}
