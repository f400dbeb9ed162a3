//! The check that a server can be connected to, be it of a URL or of a client.

use std::net::IpAddr;
use std::path::Path;

use redis::{ConnectionAddr, ConnectionInfo};

use super::errors::{invalid, no_tls};
use super::number::{is_database, no_database};
use crate::error::BackendResult;

/// Checks that a server can be connected to; `setting` is where it comes from. With `has_tls` the
/// settings of TLS stand elsewhere.
///
/// # Errors
///
/// `InvalidConfig` with the setting and what is wrong about it.
pub(in crate::backend::redis) fn check_server(
    server: &ConnectionInfo,
    setting: &str,
    has_tls: bool,
) -> BackendResult<()> {
    let settings = server.redis_settings();
    if !is_database(settings.db()) {
        return Err(invalid(no_database(setting)));
    }
    match server.addr() {
        ConnectionAddr::Tcp(host, port) => check_address(host, *port, setting),
        ConnectionAddr::Unix(path) => check_path(path, setting),
        ConnectionAddr::TcpTls { .. } if !cfg!(feature = "tls") => {
            Err(no_tls(&format!("the {setting}")))
        }
        ConnectionAddr::TcpTls { insecure: true, .. } => Err(invalid(format!(
            "the {setting} is `insecure`: the verification of certificates can't be switched off"
        ))),
        ConnectionAddr::TcpTls {
            tls_params: Some(_),
            ..
        } if !has_tls => Err(invalid(format!(
            "the {setting} has certificates, which can't be read: set them by `tls` as well"
        ))),
        ConnectionAddr::TcpTls { host, port, .. } => check_address(host, *port, setting),
        _ => Err(invalid(format!(
            "the {setting}'s address is of an unknown kind"
        ))),
    }
}

pub(super) fn check_address(host: &str, port: u16, setting: &str) -> BackendResult<()> {
    if host.is_empty() {
        return Err(invalid(format!("the {setting} names no host")));
    }
    let address = host.parse::<IpAddr>().map(|address| address.to_canonical());
    if address.is_ok_and(|address| address.is_unspecified()) {
        return Err(invalid(format!(
            "the {setting}'s host is a wildcard address (0.0.0.0 or ::), \
             which servers listen on and nobody connects to"
        )));
    }
    if port == 0 {
        return Err(invalid(format!("the {setting}'s port is 0")));
    }
    Ok(())
}

#[cfg(unix)]
pub(super) fn check_path(path: &Path, setting: &str) -> BackendResult<()> {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::SocketAddr;

    let is_abstract = path.as_os_str().as_bytes().starts_with(b"\0");
    if path.as_os_str().is_empty() {
        Err(invalid(format!("the {setting} names no path of a socket")))
    } else if !is_abstract && SocketAddr::from_pathname(path).is_err() {
        Err(invalid(format!(
            "the {setting}'s path is too long for a unix socket, or has a zero byte in it"
        )))
    } else {
        Ok(())
    }
}

#[cfg(not(unix))]
pub(super) fn check_path(_: &Path, setting: &str) -> BackendResult<()> {
    Err(invalid(format!(
        "the {setting} names a unix socket, and this is no unix"
    )))
}
