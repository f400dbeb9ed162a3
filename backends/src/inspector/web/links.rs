//! Links between pages, relative to the page that they stand on: so they lead to the right place
//! wherever the router is nested, also behind a proxy that changes paths.

use axum::extract::OriginalUri;
use http::request::Parts;

/// The way from a page to the first page.
#[derive(Debug)]
pub(super) struct Links {
    /// Ends with a slash.
    base: String,
}

impl Links {
    /// Returns the links of the page that a request asks for.
    pub(super) fn of(parts: &Parts) -> Self {
        let inner = parts.uri.path();
        let below = inner.matches('/').count().saturating_sub(1);
        let base = match below {
            0 if inner == "/" => {
                let outer = parts.extensions.get::<OriginalUri>();
                let outer = outer.map_or(inner, |outer| outer.path());
                // From `/inspector`, the last part of the path is the folder to go into.
                let last = outer.rsplit('/').next().unwrap_or_default();
                match last {
                    "" => "./".to_string(),
                    last => format!("./{last}/"),
                }
            }
            0 => "./".to_string(),
            below => "../".repeat(below),
        };
        Self { base }
    }

    /// Returns the link to the page with all keyspaces. It isn't the folder of the router itself:
    /// `Router::nest` doesn't serve that with a slash at its end.
    pub(super) fn home(&self) -> String {
        self.to("keyspaces")
    }

    /// Returns the link to a path below the first page.
    pub(super) fn to(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn links(inner: &str, outer: &str) -> Links {
        let mut request = Request::builder().uri(inner).body(()).unwrap();
        let outer = OriginalUri(outer.parse().unwrap());
        request.extensions_mut().insert(outer);
        Links::of(&request.into_parts().0)
    }

    #[test]
    fn a_link_leads_from_each_page_to_the_first_one() {
        for (inner, outer, home) in [
            ("/", "/inspector", "./inspector/keyspaces"),
            ("/", "/a/b:c?x", "./b:c/keyspaces"),
            ("/", "/inspector/", "./keyspaces"),
            ("/", "/", "./keyspaces"),
            ("/keyspaces", "/i/keyspaces", "./keyspaces"),
            ("/keyspaces/a", "/i/keyspaces/a", "../keyspaces"),
        ] {
            assert_eq!(links(inner, outer).home(), home);
        }
        assert_eq!(
            links("/entries/a/delete", "/x").to("style.css"),
            "../../style.css"
        );
    }
}
