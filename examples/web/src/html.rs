//! The frame of all pages. `maud` escapes all text that is put into a page.

use std::time::Duration;

use maud::{DOCTYPE, Markup, html};

use crate::place;
use crate::sessions::SignedIn;

/// The one who reads a page.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reader<'a> {
    /// A visitor who isn't logged in, as far as the page knows.
    Visitor,
    /// A visitor who has tried to log in, and has so many tries left.
    Trying(u64),
    User(&'a SignedIn),
}

impl<'a> From<Option<&'a SignedIn>> for Reader<'a> {
    fn from(signed_in: Option<&'a SignedIn>) -> Self {
        signed_in.map_or(Self::Visitor, Self::User)
    }
}

/// Puts `content` into a page with a head, a way out and a foot that says where it comes from.
pub(crate) fn page(title: &str, reader: Reader<'_>, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href="/style.css";
            }
            body {
                header {
                    nav aria-label="Main" {
                        a href="/" { "Home" }
                        @if let Reader::User(_) = reader {
                            a href="/counter" { "Counter" }
                            a href="/reports" { "Reports" }
                        }
                    }
                    @if let Reader::User(SignedIn { name, .. }) = reader {
                        form method="post" action="/logout" {
                            button.quiet type="submit" { "Log out " (name) }
                        }
                    }
                }
                main {
                    h1 { (title) }
                    (content)
                }
                (foot(reader))
            }
        }
    }
}

fn foot(reader: Reader<'_>) -> Markup {
    html! {
        footer {
            @if let Some(place) = place::get() {
                span #store { "Store: " (place.store) }
                span #instance { "Instance: process " (place.process) " on port " (place.port) }
            }
            @match reader {
                Reader::User(user) => span #session { "Session ends in " (minutes(user.left)) " without a request" },
                Reader::Trying(left) => span #tries { "Tries left: " (left) },
                Reader::Visitor => {},
            }
        }
    }
}

fn minutes(left: Duration) -> String {
    match left.as_secs().div_ceil(60) {
        1 => "1 minute".to_string(),
        minutes => format!("{minutes} minutes"),
    }
}

pub(crate) const STYLE: &str = include_str!("style.css");
