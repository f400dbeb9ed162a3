//! The pages in place of those that were asked for.

use axum::response::Response;
use http::{HeaderValue, Method, StatusCode, header};
use maud::{Markup, html};

use super::answer::page;
use super::links::Links;
use super::pages::{bare, framed};
use crate::error::BackendError;
use crate::inspector::catalog::Listed;

/// The reason why there is another page.
#[derive(Debug)]
pub(super) enum Problem {
    /// Nobody has authorized the request.
    Forbidden,
    /// The request names a host under which the pages don't answer.
    WrongHost(String),
    /// A page of another site has sent the request.
    OtherSite,
    /// The form has another token than this router's.
    OldForm,
    TooLarge,
    NoPage,
    WrongMethod(&'static [Method]),
    /// The handle is unknown, or not any more.
    OldHandle,
    /// The key fields name no key of the keyspace.
    NoKey(&'static Listed),
    /// There is no entry under the key.
    NoEntry(&'static Listed),
    /// The keyspace has no `inspect`.
    NotShown,
    /// Nobody may delete here.
    NoDeletes,
    /// A deletion would take versions along that aren't shown.
    HiddenVersion,
    /// The entry isn't the one any more that the deletion was asked for.
    Changed(&'static Listed),
    /// Others read as many entries as may be read at once.
    Busy,
    Store(BackendError),
    TooSlow {
        may_be_done: bool,
    },
}

impl Problem {
    pub(super) fn page(&self, links: &Links) -> Response {
        if let Self::Forbidden = self {
            return page(StatusCode::FORBIDDEN, bare("Forbidden"));
        }
        let (status, title) = self.title();
        let content = html! {
            p { (self.text()) }
            @match self {
                Self::Store(error) => pre.error role="alert" { (error) },
                Self::NoKey(listed) | Self::NoEntry(listed) | Self::Changed(listed) => p {
                    a href=(links.to(&format!("keyspaces/{}", listed.name))) {
                        "Back to " (listed.name)
                    }
                },
                _ => {}
            }
            // Under another name, or for another site, a link would lead to this page again.
            @if !matches!(self, Self::WrongHost(_)) {
                p { a href=(links.home()) { "All keyspaces" } }
            }
        };
        let mut response = page(status, framed(links, title, &content));
        if let Self::WrongMethod(methods) = self {
            let methods: Vec<&str> = methods.iter().map(Method::as_str).collect();
            if let Ok(methods) = HeaderValue::from_str(&methods.join(", ")) {
                response.headers_mut().insert(header::ALLOW, methods);
            }
        }
        response
    }

    fn title(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Forbidden => (StatusCode::FORBIDDEN, "Forbidden"),
            Self::WrongHost(_) => (StatusCode::MISDIRECTED_REQUEST, "Unknown host"),
            Self::OtherSite => (StatusCode::FORBIDDEN, "Sent by another site"),
            Self::OldForm => (StatusCode::FORBIDDEN, "Old form"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Too large"),
            Self::NoPage => (StatusCode::NOT_FOUND, "No such page"),
            Self::WrongMethod(_) => (StatusCode::METHOD_NOT_ALLOWED, "Not like this"),
            Self::OldHandle => (StatusCode::NOT_FOUND, "This link has ended"),
            Self::NoKey(_) => (StatusCode::UNPROCESSABLE_ENTITY, "No such key"),
            Self::NoEntry(_) => (StatusCode::NOT_FOUND, "No entry"),
            Self::NotShown => (StatusCode::FORBIDDEN, "Not shown"),
            Self::NoDeletes => (StatusCode::FORBIDDEN, "Deleting is switched off"),
            Self::HiddenVersion => (StatusCode::FORBIDDEN, "Not deleted here"),
            Self::Changed(_) => (StatusCode::CONFLICT, "It has changed"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "Busy"),
            Self::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "The store has failed"),
            Self::TooSlow { .. } => (StatusCode::SERVICE_UNAVAILABLE, "The store is too slow"),
        }
    }

    fn text(&self) -> Markup {
        html! {
            @match self {
                Self::Forbidden => {},
                Self::WrongHost(host) if host.is_empty() => "The host that this request names can't be one.",
                Self::WrongHost(host) => {
                    "These pages don't answer under the name " code { (host) } ". If that is right, name it in the program: "
                    code { "Inspector::new(..).hosts([\"" (host) "\"])" } "."
                },
                Self::OtherSite => "A page of another site has sent this request. Only a link to a page is followed from there.",
                Self::OldForm => "This form is from before the program was started, or from elsewhere. Load its page again.",
                Self::TooLarge => "The form is too large.",
                Self::NoPage => "There is no page at this address.",
                Self::WrongMethod(_) => "This address doesn't take this kind of request.",
                Self::OldHandle => {
                    "Links to entries are kept for a while, and until the program ends. "
                    "Go back to the list, and open the entry from there."
                },
                Self::NoKey(listed) => {
                    "The fields name no key of " code { (listed.name) }
                    ". Each field is written as it is shown in the list: a number without a plus or a leading zero."
                },
                Self::NoEntry(listed) => {
                    "There is no entry under this key. It may have ended or been removed."
                    @if let Some(older) = listed.info.migrates {
                        " What an older program has written is an entry of " code { (older.name) }
                        ", version " (older.version) "."
                    }
                },
                Self::NotShown => {
                    "Keys and values of this keyspace aren't shown: its declaration has no " code { "inspect" } "."
                },
                Self::NoDeletes => {
                    "Nothing can be deleted here. The program switches it on: "
                    code { "Inspector::new(..).deletes(..)" } "."
                },
                Self::HiddenVersion => {
                    "A deletion takes the older versions of an entry along, and one of them isn't shown: "
                    "its declaration has no " code { "inspect" } "."
                },
                Self::Changed(_) => {
                    "The entry has changed since you were asked, and is not deleted. Look at it again."
                },
                Self::Busy => "As many entries as may be shown at once are being shown. Please try again.",
                Self::Store(error) => {
                    @if error.outcome_unknown() {
                        "The store has failed. What you did may have been done all the same."
                    } @else {
                        "The store has failed."
                    }
                },
                Self::TooSlow { may_be_done: true } => {
                    "The store didn't answer in time. What you did may have been done all the same."
                },
                Self::TooSlow { may_be_done: false } => "The store didn't answer in time. Please try again.",
            }
        }
    }
}
