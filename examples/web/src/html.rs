//! The frame of all pages. `maud` escapes all text that is put into a page.

use maud::{DOCTYPE, Markup, html};

use crate::sessions::SignedIn;

/// Puts `content` into a page with a head and a way out.
pub(crate) fn page(title: &str, signed_in: Option<&SignedIn>, content: &Markup) -> Markup {
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
                        @if signed_in.is_some() {
                            a href="/counter" { "Counter" }
                            a href="/reports" { "Reports" }
                        }
                    }
                    @if let Some(SignedIn { name, .. }) = signed_in {
                        form method="post" action="/logout" {
                            button.quiet type="submit" { "Log out " (name) }
                        }
                    }
                }
                main {
                    h1 { (title) }
                    (content)
                }
            }
        }
    }
}

pub(crate) const STYLE: &str = include_str!("style.css");
