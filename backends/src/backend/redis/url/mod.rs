//! URLs of servers.
//!
//! The redis crate reads URLs, and overlooks parameters that it doesn't know. The checks before the
//! crate refuse such parameters by their name, and say which part of a URL is wrong. In place of a
//! scheme of TLS the crate sees the scheme without TLS: it reads schemes of TLS only with features
//! of its own.
//!
//! No message quotes a part of the URL that may be a secret. A password whose special characters
//! aren't percent-encoded may pass for any part behind the scheme.

pub(super) mod address;
mod authority;
pub(super) mod errors;
#[cfg(any(test, fuzzing))]
mod fuzzing;
mod number;
mod parameters;
mod server;
mod several;
#[cfg(test)]
mod tests;
mod text;
mod transport;

use std::env::VarError;

use redis::ConnectionInfo;

use self::errors::invalid;
#[cfg(any(test, fuzzing))]
pub use self::fuzzing::urls;
use self::server::server;
use self::several::SeveralHosts;
use self::text::check_fragment;
use super::client::Servers;
use crate::error::BackendResult;

/// Reads a URL.
///
/// # Errors
///
/// `InvalidConfig`. It says which part of the URL is at fault, and has no source: an error of the
/// parser may quote the URL.
pub(super) fn servers(url: &str) -> BackendResult<Servers<ConnectionInfo>> {
    // The parser trims the same characters.
    let url = url.trim_matches(|character| character <= ' ');
    if url.is_empty() {
        return Err(invalid("the URL is empty"));
    }
    // The parser leaves tabs and line breaks out, so a password with one would be another.
    if url.contains(|character: char| character.is_ascii_control()) {
        return Err(invalid(
            "the URL has a control character in it, for instance a line break",
        ));
    }
    let Some(several) = SeveralHosts::of(url) else {
        return server(url).map(Servers::one);
    };
    check_fragment(url)?;
    match several.are_sentinels {
        true => several.sentinels(),
        false => several.nodes(),
    }
}

/// Returns the URL in the environment variable `REDIS_URL`.
///
/// # Errors
///
/// `InvalidConfig`.
pub(super) fn from_env() -> BackendResult<String> {
    match std::env::var("REDIS_URL") {
        Ok(url) if !url.trim().is_empty() => Ok(url),
        Ok(_) | Err(VarError::NotPresent) => Err(invalid(
            "the environment variable `REDIS_URL` is not set, or empty",
        )),
        Err(VarError::NotUnicode(_)) => {
            Err(invalid("the environment variable `REDIS_URL` is not UTF-8"))
        }
    }
}
