//! The HTML of the pages. `maud` escapes all text that is put into a page.

mod entry;
mod keyspace;
mod keyspaces;
mod tree;

use maud::{DOCTYPE, Markup, html};

use super::links::Links;

pub(super) use self::entry::{ask_again, deleted, entry};
pub(super) use self::keyspace::{Found, keyspace};
pub(super) use self::keyspaces::keyspaces;

/// The things that all pages of a router need.
pub(super) struct Frame<'a> {
    pub(super) links: &'a Links,
    /// The secret in each form.
    pub(super) token: &'a str,
    /// True if entries may be deleted.
    pub(super) deletes: bool,
}

/// Returns the type and the content of a file that pages need.
pub(super) fn asset(name: &str) -> Option<(&'static str, &'static str)> {
    match name {
        "style.css" => Some(("text/css; charset=utf-8", include_str!("style.css"))),
        "script.js" => Some(("text/javascript; charset=utf-8", include_str!("script.js"))),
        "icon.svg" => Some(("image/svg+xml", include_str!("icon.svg"))),
        _ => None,
    }
}

/// Makes a page with the way back to the first one.
pub(super) fn framed(links: &Links, title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " - inspector" }
                link rel="icon" href=(links.to("icon.svg"));
                link rel="stylesheet" href=(links.to("style.css"));
                script src=(links.to("script.js")) defer {}
            }
            body {
                header {
                    nav aria-label="Main" { a href=(links.home()) { "Keyspaces" } }
                }
                main {
                    h1 { (title) }
                    (content)
                }
            }
        }
    }
}

/// Makes a page that says nothing but its title, and needs no other file.
pub(super) fn bare(title: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (title) }
            }
            body { h1 { (title) } }
        }
    }
}
