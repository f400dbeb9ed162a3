//! A page that counts: every click is one atomic step, however many clicks come at once and from
//! however many instances.

use axum::extract::State;
use axum::response::Redirect;
use maud::{Markup, html};
use reinhardt_backends::Keyspace;

use crate::app::AppState;
use crate::error::AppError;
use crate::html::{Reader, page};
use crate::sessions::SignedIn;

#[derive(Keyspace)]
#[keyspace(prefix = "clicks", ttl = never, counter, inspect)]
struct Clicks {
    user: u64,
}

pub(crate) async fn show(
    State(state): State<AppState>,
    signed_in: SignedIn,
) -> Result<Markup, AppError> {
    let user = signed_in.id;
    let clicks = Clicks { user }.get(&state.backend).await?;
    let content = html! {
        p { "You have clicked " strong #clicks { (clicks) } " times." }
        form method="post" action="/counter" {
            button type="submit" { "Click" }
        }
    };
    Ok(page("Counter", Reader::User(&signed_in), &content))
}

/// Answers with a redirect, so that reloading the page doesn't count again.
pub(crate) async fn click(
    State(state): State<AppState>,
    SignedIn { id: user, .. }: SignedIn,
) -> Result<Redirect, AppError> {
    Clicks { user }.increment(&state.backend).await?;
    Ok(Redirect::to("/counter"))
}
