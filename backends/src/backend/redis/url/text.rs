//! Checks of the text of a URL and of its parts.

use percent_encoding::percent_decode_str;

use super::errors::{invalid, perhaps_encoding};
use crate::error::BackendResult;

pub(super) fn check_fragment(url: &str) -> BackendResult<()> {
    match url.split_once('#') {
        None => Ok(()),
        Some((_, "insecure")) => Err(invalid(
            "the URL ends in `#insecure`: the verification of certificates can't be switched off",
        )),
        Some(_) => Err(perhaps_encoding("the URL has a fragment (`#`)")),
    }
}

pub(super) fn check_text(part: &str, encoded: &str) -> BackendResult<()> {
    match percent_decode_str(encoded).decode_utf8() {
        Ok(_) => Ok(()),
        Err(_) => Err(invalid(format!("{part} in the URL is not UTF-8"))),
    }
}
