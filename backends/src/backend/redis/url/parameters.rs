//! The parameters of a URL.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use redis::ProtocolVersion;

use super::errors::{invalid, perhaps_encoding};
use super::number::database;
use super::text::check_text;
use super::transport::Transport;
use crate::error::{BackendError, BackendResult};

#[derive(Default)]
pub(super) struct Parameters {
    pub(super) database: Option<i64>,
    pub(super) protocol: Option<ProtocolVersion>,
}

impl Parameters {
    /// Reads the decoded pairs of `query`. Of the login only the names are checked: the redis crate
    /// reads the values.
    pub(super) fn read<'q>(
        pairs: impl Iterator<Item = (Cow<'q, str>, Cow<'q, str>)>,
        query: &str,
        transport: Transport,
    ) -> BackendResult<Self> {
        check_text("a parameter", query)?;
        let mut parameters = Self::default();
        let mut names = Vec::new();
        for (name, value) in pairs {
            if names.contains(&name) {
                return Err(invalid(format!("the URL has the parameter `{name}` twice")));
            }
            match (&*name, transport) {
                ("db", _) => parameters.database = Some(database(&value)?),
                ("protocol", _) => parameters.protocol = Some(protocol(&value)?),
                ("user" | "pass", Transport::Unix) => {}
                _ => {
                    return Err(match is_parameter(&name, query, names.len()) {
                        true => unknown_parameter(&name, transport),
                        false => perhaps_encoding("the URL has an unknown parameter"),
                    });
                }
            }
            names.push(name);
        }
        Ok(parameters)
    }
}

/// Says whether an unknown name, that of pair number `index`, surely is a name, and no piece of a
/// password with a `?` before an `@`, or with a `&`: of `pass=a&b=c` all may be the password. That
/// is also so where `pass` is no name: in `db=1?pass=a&b=c` a `?` stands for a `&`.
pub(super) fn is_parameter(name: &str, query: &str, index: usize) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let names_a_password = |pair: &str| {
        let decoded = percent_decode_str(pair).decode_utf8_lossy();
        decoded.to_ascii_lowercase().contains("pass")
    };
    !pairs(query).take(index).any(names_a_password)
        && name.len() <= 32
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(is_part)
        && !query.contains('@')
}

/// Returns the pairs of a query, as they stand in it.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter(|pair| !pair.is_empty())
}

fn unknown_parameter(name: &str, transport: Transport) -> BackendError {
    let known = match transport {
        Transport::Tcp | Transport::Tls => {
            "`db` and `protocol`, and the login stands before the host"
        }
        Transport::Unix => "`db`, `user`, `pass` and `protocol`",
    };
    invalid(format!(
        "the URL's parameter `{name}` is not known: known are {known}"
    ))
}

fn protocol(text: &str) -> BackendResult<ProtocolVersion> {
    match text {
        "2" | "resp2" => Ok(ProtocolVersion::RESP2),
        "3" | "resp3" => Ok(ProtocolVersion::RESP3),
        _ => Err(invalid(
            "the URL's parameter `protocol` is not one of `2`, `resp2`, `3` and `resp3`",
        )),
    }
}
