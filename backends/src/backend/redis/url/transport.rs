//! The way to a server, by the scheme of its URL.

use super::errors::{invalid, no_tls};
use crate::error::BackendResult;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp,
    Tls,
    Unix,
}

impl Transport {
    pub(super) fn of(url: &str) -> BackendResult<Self> {
        let (scheme, rest) = url.split_once(':').unwrap_or_default();
        let scheme = scheme.to_ascii_lowercase();
        if matches!(&*scheme, "unix" | "redis+unix" | "valkey+unix") {
            return Ok(Self::Unix);
        }
        if !rest.starts_with("//") || !is_scheme(&scheme) {
            // The text may be a password, or `host:port`.
            return Err(invalid(
                "the URL has no scheme: write `redis://` in front of the host, \
                 or `unix://` in front of the path",
            ));
        }
        match &*scheme {
            "redis" | "valkey" => Ok(Self::Tcp),
            "rediss" | "valkeys" if cfg!(feature = "tls") => Ok(Self::Tls),
            "rediss" | "valkeys" => Err(no_tls(&format!("the URL's scheme `{scheme}`"))),
            _ => Err(invalid(format!(
                "the URL's scheme `{scheme}` is not known: write `redis://` or `unix://`"
            ))),
        }
    }
}

/// Says whether a text in front of `://` is a scheme (RFC 3986, section 3.1) of usual length.
fn is_scheme(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.len() <= 24
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(is_part)
}
