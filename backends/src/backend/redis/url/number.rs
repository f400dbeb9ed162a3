//! The port and the database in a URL.

use std::str::FromStr;

use super::errors::perhaps_encoding;
use crate::error::BackendResult;

pub(super) fn database(text: &str) -> BackendResult<i64> {
    let database = number(text).filter(|database| is_database(*database));
    database.ok_or_else(|| perhaps_encoding(&no_database("URL")))
}

/// Reads digits. `parse` alone would take a plus sign.
pub(super) fn number<N: FromStr>(text: &str) -> Option<N> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Servers keep the number in an `int`.
pub(super) fn is_database(number: i64) -> bool {
    (0..=i64::from(i32::MAX)).contains(&number)
}

pub(super) fn no_database(setting: &str) -> String {
    let most = i32::MAX;
    format!("the {setting}'s database is not a number from 0 to {most}")
}
