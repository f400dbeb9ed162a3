//! The host, the port and the path of a URL.

use std::net::Ipv6Addr;

use super::address::check_address;
use super::errors::{invalid, perhaps_encoding};
use super::number::{database, number};
use crate::error::{BackendError, BackendResult};

/// The parts of a URL between `://` and `?`, as they are written. The parser would say of any
/// mistake in them that the text is no URL, and would take `..` out of the path.
pub(super) struct Authority<'a> {
    address: &'a str,
    path: &'a str,
}

impl<'a> Authority<'a> {
    pub(super) fn of(url: &'a str) -> Self {
        let (_, rest) = url.split_once("://").unwrap_or_default();
        let rest = rest.split('?').next().unwrap_or_default();
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let address = authority.rsplit_once('@');
        let address = address.map_or(authority, |(_login, address)| address);
        Self { address, path }
    }

    pub(super) fn checked(self) -> BackendResult<Self> {
        let (host, port) = self.host_and_port()?;
        let port = port.filter(|port| !port.is_empty());
        let port = port
            .map_or(Some(DEFAULT_PORT), number)
            .ok_or_else(no_port)?;
        if host.is_empty() {
            return Err(perhaps_encoding("the URL names no host"));
        }
        check_address(host, port, "URL")?;
        Ok(self)
    }

    /// Returns the database that the path names.
    pub(super) fn database(&self) -> BackendResult<Option<i64>> {
        match self.path.strip_suffix('/').unwrap_or(self.path) {
            "" => Ok(None),
            path => database(path).map(Some),
        }
    }

    fn host_and_port(&self) -> BackendResult<(&'a str, Option<&'a str>)> {
        if let Some(bracketed) = self.address.strip_prefix('[') {
            let no_address = || {
                invalid("the URL's host in brackets is no IPv6 address; a zone (`%`) can't be used")
            };
            let (host, rest) = bracketed.split_once(']').ok_or_else(no_address)?;
            if host.parse::<Ipv6Addr>().is_err() {
                return Err(no_address());
            }
            return match rest.strip_prefix(':') {
                Some(port) => Ok((host, Some(port))),
                None if rest.is_empty() => Ok((host, None)),
                None => Err(no_port()),
            };
        }
        let (host, port) = match self.address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (self.address, None),
        };
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if !host.bytes().all(is_part) {
            return Err(perhaps_encoding(
                "the URL's host is no address and not one name of ASCII letters, digits, `-`, `.` \
                 and `_`",
            ));
        }
        Ok((host, port))
    }
}

fn no_port() -> BackendError {
    perhaps_encoding(
        "the URL's port is not a number from 1 to 65535, or an IPv6 address has no brackets",
    )
}

/// The port of the redis crate, for the check of a URL without one.
pub(super) const DEFAULT_PORT: u16 = 6379;
