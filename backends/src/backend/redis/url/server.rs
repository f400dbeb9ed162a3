//! The URL of one server.

use std::borrow::Cow;
use std::path::Path;

use redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
};

use super::address::check_path;
use super::authority::Authority;
use super::errors::{invalid, no_url};
use super::parameters::Parameters;
use super::text::{check_fragment, check_text};
use super::transport::Transport;
use crate::error::BackendResult;

pub(super) fn server(url: &str) -> BackendResult<ConnectionInfo> {
    let transport = Transport::of(url)?;
    check_fragment(url)?;
    let in_path = match transport {
        Transport::Tcp | Transport::Tls => Authority::of(url).checked()?.database()?,
        Transport::Unix => None,
    };
    let url = match transport {
        Transport::Tls => Cow::from(without_tls(url)),
        Transport::Tcp | Transport::Unix => Cow::from(url),
    };
    let parsed = redis::parse_redis_url(&url).ok_or_else(no_url)?;
    let query = parsed.query().unwrap_or_default();
    let parameters = Parameters::read(parsed.query_pairs(), query, transport)?;
    check_text("the user", parsed.username())?;
    check_text("the password", parsed.password().unwrap_or_default())?;
    if transport == Transport::Unix {
        let has_login = !parsed.username().is_empty() || parsed.password().is_some();
        let path = parsed.to_file_path().ok();
        let path = path.filter(|_| !parsed.path().ends_with('/'));
        check_socket(has_login || parsed.port().is_some(), path.as_deref())?;
    }
    if in_path.is_some() && parameters.database.is_some() {
        return Err(invalid(
            "the URL names a database twice: in its path and as the parameter `db`",
        ));
    }
    let server = parsed.into_connection_info().map_err(|_| no_url())?;
    let login = server.redis_settings();
    let settings = RedisConnectionInfo::default()
        .set_db(in_path.or(parameters.database).unwrap_or_default())
        .set_protocol(parameters.protocol.unwrap_or(ProtocolVersion::RESP3));
    let settings = with_login(settings, login.username(), login.password());
    let server = server.set_redis_settings(settings);
    Ok(match (transport, server.addr()) {
        (Transport::Tls, ConnectionAddr::Tcp(host, port)) => {
            let address = ConnectionAddr::TcpTls {
                host: host.clone(),
                port: *port,
                insecure: false,
                tls_params: None,
            };
            server.set_addr(address)
        }
        _ => server,
    })
}

/// Writes another scheme in place of one of TLS.
fn without_tls(url: &str) -> String {
    let (_, rest) = url.split_once(':').unwrap_or_default();
    format!("redis:{rest}")
}

/// Checks the URL of a unix socket: only an empty host or `localhost`, and the path.
fn check_socket(names_more: bool, path: Option<&Path>) -> BackendResult<()> {
    if names_more {
        return Err(invalid(
            "the URL of a socket has no user, password or port before the path: \
             write `unix:///path?user=..&pass=..`",
        ));
    }
    match path {
        None if cfg!(unix) => Err(invalid(
            "the URL names no path of a socket: write `unix:///path`, with three slashes",
        )),
        path => check_path(path.unwrap_or(Path::new("")), "URL"),
    }
}

/// Takes the login over. An empty user, and an empty password without a user, count as not given:
/// `user=&pass=` comes from a template.
fn with_login(
    settings: RedisConnectionInfo,
    user: Option<&str>,
    password: Option<&str>,
) -> RedisConnectionInfo {
    let user = user.filter(|user| !user.is_empty());
    let password = password.filter(|password| user.is_some() || !password.is_empty());
    let settings = match user {
        Some(user) => settings.set_username(user),
        None => settings,
    };
    match password {
        Some(password) => settings.set_password(password),
        None => settings,
    }
}
