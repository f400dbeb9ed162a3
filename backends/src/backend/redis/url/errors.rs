//! The errors of settings, in a URL or beside it.

use std::borrow::Cow;

use crate::error::{BackendError, ErrorKind};

pub(in crate::backend::redis) fn invalid(message: impl Into<Cow<'static, str>>) -> BackendError {
    BackendError::new(ErrorKind::InvalidConfig, message)
}

/// Makes the error of a part of the URL that is wrong, or is a piece of a password.
pub(super) fn perhaps_encoding(message: &str) -> BackendError {
    invalid(format!(
        "{message}; special characters of a user or a password are percent-encoded (`%40` is `@`)"
    ))
}

pub(super) fn no_url() -> BackendError {
    perhaps_encoding(
        "not the URL of a server: write `redis://host:port/database` or `unix:///path`",
    )
}

pub(super) fn no_tls(asking: &str) -> BackendError {
    invalid(format!(
        "{asking} asks for TLS, which takes the feature `tls` of reinhardt-backends"
    ))
}
