//! The checks by which a request comes from the inspector's own pages.

use http::Method;
use http::header::ORIGIN;
use http::request::Parts;

use super::hosts::asked_host;
use super::problem::Problem;

/// Refuses what a page of another site asks for, but for a link that somebody follows.
///
/// A browser says from where a request comes, and a page can't change that.
///
/// # Errors
///
/// `OtherSite`.
pub(super) fn same_site(parts: &Parts) -> Result<(), Problem> {
    let is_own = match header(parts, "sec-fetch-site") {
        None | Some("same-origin" | "none") => true,
        Some(_) => {
            parts.method == Method::GET
                && header(parts, "sec-fetch-mode") == Some("navigate")
                && header(parts, "sec-fetch-dest") == Some("document")
        }
    };
    is_own.then_some(()).ok_or(Problem::OtherSite)
}

/// Makes sure that a form was sent by a page of this host.
///
/// The pages have no referrer, and so some browsers send `Origin: null` with their forms: then
/// `Sec-Fetch-Site` says it. Over plain HTTP they say neither, and the token in the form alone
/// tells that the form is from here: no other page can read it.
///
/// # Errors
///
/// `OtherSite`.
pub(super) fn same_origin(parts: &Parts) -> Result<(), Problem> {
    let mut origins = parts.headers.get_all(ORIGIN).iter();
    let (origin, second) = (origins.next(), origins.next());
    let origin = match origin {
        None => None,
        Some(origin) => Some(origin.to_str().map_err(|_| Problem::OtherSite)?),
    };
    let is_same = match origin {
        _ if second.is_some() => false,
        None | Some("null") => {
            matches!(header(parts, "sec-fetch-site"), None | Some("same-origin"))
        }
        Some(origin) => {
            let host = origin
                .strip_prefix("https://")
                .or_else(|| origin.strip_prefix("http://"));
            let asked = asked_host(parts);
            host.zip(asked)
                .is_some_and(|(host, asked)| host.eq_ignore_ascii_case(asked))
        }
    };
    is_same.then_some(()).ok_or(Problem::OtherSite)
}

/// Compares two texts in a time that says nothing about the place where they differ.
pub(super) fn is_equal(one: &str, other: &str) -> bool {
    let bytes = one.bytes().zip(other.bytes());
    let difference = bytes.fold(0, |difference, (one, other)| difference | (one ^ other));
    one.len() == other.len() && std::hint::black_box(difference) == 0
}

/// Returns a header; the empty text if it is no text or is there more than once.
fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    let mut all = parts.headers.get_all(name).iter();
    let first = all.next()?;
    match all.next() {
        Some(_) => Some(""),
        None => Some(first.to_str().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn request(method: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_link_of_another_site_is_followed_and_nothing_else_of_it() {
        let of = |method, mode, dest| {
            let headers = [
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", mode),
                ("sec-fetch-dest", dest),
            ];
            same_site(&request(method, &headers)).is_ok()
        };
        assert!(of("GET", "navigate", "document"));
        assert!(!of("POST", "navigate", "document"));
        assert!(!of("GET", "navigate", "iframe"));
        assert!(!of("GET", "no-cors", "script"));
        assert!(!of("GET", "cors", "empty"));
        for site in ["same-origin", "none"] {
            assert!(same_site(&request("GET", &[("sec-fetch-site", site)])).is_ok());
        }
        assert!(same_site(&request("GET", &[("sec-fetch-site", "same-site")])).is_err());
        assert!(same_site(&request("GET", &[])).is_ok());
        let twice = [
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "cross-site"),
        ];
        assert!(same_site(&request("GET", &twice)).is_err());
    }

    #[test]
    fn a_form_comes_from_a_page_of_the_host() {
        let of = |headers: &[(&str, &str)]| same_origin(&request("POST", headers)).is_ok();
        let host = ("host", "ops.example.com:8080");
        assert!(of(&[host, ("origin", "http://ops.example.com:8080")]));
        assert!(of(&[host, ("origin", "https://OPS.example.com:8080")]));
        assert!(of(&[("origin", "null"), ("sec-fetch-site", "same-origin")]));
        assert!(of(&[("sec-fetch-site", "same-origin")]));
        assert!(of(&[host]) && of(&[host, ("origin", "null")]));
        for origin in [
            "http://ops.example.com",
            "http://ops.example.com:8081",
            "http://evil.example",
            "ops.example.com:8080",
            "ftp://ops.example.com:8080",
            "",
        ] {
            assert!(!of(&[host, ("origin", origin)]), "{origin}");
        }
        assert!(!of(&[("origin", "http://ops.example.com")]));
        let own = ("origin", "http://ops.example.com:8080");
        assert!(!of(&[host, own, ("origin", "http://evil.example")]));
        assert!(!of(&[("origin", "null"), ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn texts_are_equal_to_the_letter() {
        assert!(is_equal("", "") && is_equal("abc", "abc"));
        assert!(!is_equal("abc", "abd") && !is_equal("abc", "ab") && !is_equal("", "a"));
    }
}
