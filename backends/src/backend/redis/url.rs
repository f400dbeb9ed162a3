//! URLs of servers.
//!
//! The redis crate reads URLs, and overlooks parameters that it doesn't know. The checks before the
//! crate refuse such parameters by their name, and say which part of a URL is wrong. In place of a
//! scheme of TLS the crate sees the scheme without TLS: it reads schemes of TLS only with features
//! of its own.
//!
//! No message quotes a part of the URL that may be a secret. A password whose special characters
//! aren't percent-encoded may pass for any part behind the scheme.

use std::borrow::Cow;
use std::env::VarError;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
};

use super::client::{Deployment, Servers, Service};
use crate::error::{BackendError, BackendResult, ErrorKind};

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

/// The parts of a URL that names several servers.
struct SeveralHosts<'u> {
    /// The scheme of each server.
    scheme: &'static str,
    are_sentinels: bool,
    login: &'u str,
    hosts: &'u str,
    path: &'u str,
    query: &'u str,
}

impl<'u> SeveralHosts<'u> {
    /// Takes the URL of a cluster or of Sentinel apart; `None` if the URL is that of something
    /// else.
    fn of(url: &'u str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let (base, topology) = scheme.split_once(['-', '+'])?;
        let is_tls = match base {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return None,
        };
        let (are_sentinels, are_by_tls) = match topology {
            "cluster" => (false, false),
            "clusters" => (false, true),
            "sentinel" => (true, false),
            "sentinels" => (true, true),
            _ => return None,
        };
        let (rest, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        Some(Self {
            // An `s` in either place asks for TLS: a user that may have meant TLS never gets a
            // plain connection.
            scheme: if is_tls || are_by_tls {
                "rediss"
            } else {
                "redis"
            },
            are_sentinels,
            login,
            hosts,
            path,
            query,
        })
    }

    /// Reads each of the servers, with a path and parameters of one.
    fn each(
        &self,
        port: u16,
        path: &str,
        query: &str,
        deployment: Deployment,
    ) -> BackendResult<Servers<ConnectionInfo>> {
        let (scheme, login) = (self.scheme, self.login);
        let mut servers = Vec::new();
        for host in self.hosts.split(',') {
            let has_port = host.rfind(':') > host.rfind(']');
            let port = match has_port || host.is_empty() {
                true => String::new(),
                false => format!(":{port}"),
            };
            servers.push(server(&format!(
                "{scheme}://{login}{host}{port}{path}{query}"
            ))?);
        }
        let others = servers.split_off(1);
        let first = servers.pop().ok_or_else(no_url)?;
        Ok(Servers {
            first,
            others,
            deployment,
        })
    }

    fn nodes(&self) -> BackendResult<Servers<ConnectionInfo>> {
        let nodes = self.each(DEFAULT_PORT, self.path, self.query, Deployment::Cluster)?;
        match nodes.first.redis_settings().db() {
            0 => Ok(nodes),
            database => Err(invalid(format!(
                "the URL names database {database}, and a cluster has database 0 alone"
            ))),
        }
    }

    /// Reads `host:port,host:port/service/database?sentinel_username=..&sentinel_password=..`.
    fn sentinels(&self) -> BackendResult<Servers<ConnectionInfo>> {
        let path = self.path.strip_prefix('/').unwrap_or_default();
        let (name, database) = path.split_at(path.find('/').unwrap_or(path.len()));
        let name = percent_decode_str(name).decode_utf8();
        let name = name.ok().filter(|name| is_service(name)).ok_or_else(|| {
            perhaps_encoding(
                "the URL names no service that the sentinels watch: write \
                 `redis-sentinel://host,host/service`, and its database behind another slash",
            )
        })?;
        let [mut user, mut password] = [None, None];
        let mut others = Vec::new();
        let pairs = self.query.strip_prefix('?').unwrap_or_default();
        for pair in pairs.split('&').filter(|pair| !pair.is_empty()) {
            let (parameter, value) = pair.split_once('=').unwrap_or((pair, ""));
            check_text("a parameter", pair)?;
            let parameter = form_decoded(parameter);
            let login = match &*parameter {
                "sentinel_username" => &mut user,
                "sentinel_password" => &mut password,
                "db" | "protocol" => {
                    others.push(pair);
                    continue;
                }
                // The text may be a piece of the password.
                unknown => {
                    return Err(match is_parameter(unknown, pairs, password.is_some()) {
                        true => invalid(format!(
                            "the URL's parameter `{unknown}` is not known: known are `db`, \
                             `protocol`, `sentinel_username` and `sentinel_password`"
                        )),
                        false => perhaps_encoding("the URL has an unknown parameter"),
                    });
                }
            };
            if login.replace(form_decoded(value)).is_some() {
                let message = format!("the URL has the parameter `{parameter}` twice");
                return Err(invalid(message));
            }
        }
        let query = match others.is_empty() {
            true => String::new(),
            false => format!("?{}", others.join("&")),
        };
        let service = Service {
            name: name.into_owned(),
            user: user.filter(|user| !user.is_empty()),
            password: password.filter(|password| !password.is_empty()),
        };
        if service.user.is_some() && service.password.is_none() {
            return Err(invalid(
                "the URL has the parameter `sentinel_username` without `sentinel_password`",
            ));
        }
        let deployment = Deployment::Sentinel(service);
        self.each(SENTINEL_PORT, database, &query, deployment)
    }
}

/// Decodes a part of a parameter, where a plus sign is a space.
fn form_decoded(encoded: &str) -> String {
    let spaced = encoded.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// Says whether sentinels can have a service of this name.
fn is_service(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !name.is_empty() && name.bytes().all(is_part)
}

fn server(url: &str) -> BackendResult<ConnectionInfo> {
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

/// Checks that a server can be connected to; `setting` is where it comes from. With `has_tls` the
/// settings of TLS stand elsewhere.
///
/// # Errors
///
/// `InvalidConfig` with the setting and what is wrong about it.
pub(super) fn check_server(
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

pub(super) fn invalid(message: impl Into<Cow<'static, str>>) -> BackendError {
    BackendError::new(ErrorKind::InvalidConfig, message)
}

fn check_address(host: &str, port: u16, setting: &str) -> BackendResult<()> {
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
fn check_path(path: &Path, setting: &str) -> BackendResult<()> {
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
fn check_path(_: &Path, setting: &str) -> BackendResult<()> {
    Err(invalid(format!(
        "the {setting} names a unix socket, and this is no unix"
    )))
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Tcp,
    Tls,
    Unix,
}

impl Transport {
    fn of(url: &str) -> BackendResult<Self> {
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

fn check_fragment(url: &str) -> BackendResult<()> {
    match url.split_once('#') {
        None => Ok(()),
        Some((_, "insecure")) => Err(invalid(
            "the URL ends in `#insecure`: the verification of certificates can't be switched off",
        )),
        Some(_) => Err(perhaps_encoding("the URL has a fragment (`#`)")),
    }
}

/// The parts of a URL between `://` and `?`, as they are written. The parser would say of any
/// mistake in them that the text is no URL, and would take `..` out of the path.
struct Authority<'a> {
    address: &'a str,
    path: &'a str,
}

impl<'a> Authority<'a> {
    fn of(url: &'a str) -> Self {
        let (_, rest) = url.split_once("://").unwrap_or_default();
        let rest = rest.split('?').next().unwrap_or_default();
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let address = authority.rsplit_once('@');
        let address = address.map_or(authority, |(_login, address)| address);
        Self { address, path }
    }

    fn checked(self) -> BackendResult<Self> {
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
    fn database(&self) -> BackendResult<Option<i64>> {
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

#[derive(Default)]
struct Parameters {
    database: Option<i64>,
    protocol: Option<ProtocolVersion>,
}

impl Parameters {
    /// Reads the decoded pairs of `query`. Of the login only the names are checked: the redis crate
    /// reads the values.
    fn read<'q>(
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
                    let is_after_password = names.iter().any(|name| name == "pass");
                    return Err(match is_parameter(&name, query, is_after_password) {
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

/// Says whether an unknown name surely is a name, and no piece of a password with a `?` before an
/// `@`, or with a `&`.
fn is_parameter(name: &str, query: &str, is_after_password: bool) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let is_bare = query.split('&').any(|pair| pair == name);
    name.len() <= 32
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(is_part)
        && !query.contains('@')
        && !(is_after_password && is_bare)
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

fn database(text: &str) -> BackendResult<i64> {
    let database = number(text).filter(|database| is_database(*database));
    database.ok_or_else(|| perhaps_encoding(&no_database("URL")))
}

/// Reads digits. `parse` alone would take a plus sign.
fn number<N: FromStr>(text: &str) -> Option<N> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Servers keep the number in an `int`.
fn is_database(number: i64) -> bool {
    (0..=i64::from(i32::MAX)).contains(&number)
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

fn check_text(part: &str, encoded: &str) -> BackendResult<()> {
    match percent_decode_str(encoded).decode_utf8() {
        Ok(_) => Ok(()),
        Err(_) => Err(invalid(format!("{part} in the URL is not UTF-8"))),
    }
}

fn no_url() -> BackendError {
    perhaps_encoding(
        "not the URL of a server: write `redis://host:port/database` or `unix:///path`",
    )
}

fn no_port() -> BackendError {
    perhaps_encoding(
        "the URL's port is not a number from 1 to 65535, or an IPv6 address has no brackets",
    )
}

fn no_database(setting: &str) -> String {
    let most = i32::MAX;
    format!("the {setting}'s database is not a number from 0 to {most}")
}

fn no_tls(asking: &str) -> BackendError {
    invalid(format!(
        "{asking} asks for TLS, which takes the feature `tls` of reinhardt-backends"
    ))
}

/// Makes the error of a part of the URL that is wrong, or is a piece of a password.
fn perhaps_encoding(message: &str) -> BackendError {
    invalid(format!(
        "{message}; special characters of a user or a password are percent-encoded (`%40` is `@`)"
    ))
}

/// The port of the redis crate, for the check of a URL without one.
const DEFAULT_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26_379;

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    fn server(url: &str) -> BackendResult<ConnectionInfo> {
        Ok(servers(url)?.first)
    }

    /// A URL, and the address, user, password and database that it means. All speak RESP3.
    type Meaning<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a str>, i64);

    const GOOD: &[Meaning<'_>] = &[
        ("redis://localhost", "localhost:6379", None, None, 0),
        ("redis://localhost/", "localhost:6379", None, None, 0),
        ("redis://localhost:", "localhost:6379", None, None, 0),
        ("redis://localhost?", "localhost:6379", None, None, 0),
        ("  redis://localhost\n", "localhost:6379", None, None, 0),
        ("REDIS://Cache_1:6380", "Cache_1:6380", None, None, 0),
        ("valkey://10.0.0.1:1/2", "10.0.0.1:1", None, None, 2),
        ("redis://h/3/", "h:6379", None, None, 3),
        ("redis://h/007", "h:6379", None, None, 7),
        ("redis://h?db=3", "h:6379", None, None, 3),
        ("redis://h/?d%62=3&protocol=3", "h:6379", None, None, 3),
        ("redis://h/2147483647", "h:6379", None, None, 2_147_483_647),
        ("redis://[::1]", "::1:6379", None, None, 0),
        ("redis://[2001:DB8::1]:7/1", "2001:db8::1:7", None, None, 1),
        ("redis://u:p@h:7", "h:7", Some("u"), Some("p"), 0),
        ("redis://:p@[::1]:7", "::1:7", None, Some("p"), 0),
        // A user that needs no password.
        ("redis://u@h", "h:6379", Some("u"), None, 0),
        ("redis://u:@h", "h:6379", Some("u"), None, 0),
        ("redis://@h", "h:6379", None, None, 0),
        ("redis://:@h", "h:6379", None, None, 0),
        (
            "redis://a%40b%3Ac%2Fd%25e:%40%3A%2F%25%3F%23+@h",
            "h:6379",
            Some("a@b:c/d%e"),
            Some("@:/%?#+"),
            0,
        ),
        // The last `@` ends the login, and its first colon the user.
        ("redis://u:a@b:c[@h", "h:6379", Some("u"), Some("a@b:c["), 0),
        ("redis://u:50%@h", "h:6379", Some("u"), Some("50%"), 0),
    ];

    #[cfg(unix)]
    const GOOD_SOCKETS: &[Meaning<'_>] = &[
        ("unix:///run/redis.sock", "/run/redis.sock", None, None, 0),
        ("UNIX:/run/redis.sock", "/run/redis.sock", None, None, 0),
        ("redis+unix:///s?db=4", "/s", None, None, 4),
        ("valkey+unix://localhost/s%20t", "/s t", None, None, 0),
        (
            "unix:///s?user=u&pass=p%26%40",
            "/s",
            Some("u"),
            Some("p&@"),
            0,
        ),
        (
            "unix:///s?pass=a@b&protocol=resp3",
            "/s",
            None,
            Some("a@b"),
            0,
        ),
        ("unix:///s?user=u&pass=", "/s", Some("u"), Some(""), 0),
        ("unix:///s?user=&pass=", "/s", None, None, 0),
        // A plus sign is a space in a parameter, and only there.
        ("unix:///s?pass=a+b%2Bc", "/s", None, Some("a b+c"), 0),
    ];

    fn check_meaning(&(url, address, user, password, database): &Meaning<'_>) {
        let server = server(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        let settings = server.redis_settings();
        assert_eq!(server.addr().to_string(), address, "{url}");
        assert_eq!(settings.username(), user, "{url}");
        assert_eq!(settings.password(), password, "{url}");
        assert_eq!(settings.db(), database, "{url}");
        assert_eq!(settings.protocol(), ProtocolVersion::RESP3, "{url}");
    }

    #[test]
    fn a_url_means_what_it_says() {
        GOOD.iter().for_each(check_meaning);
    }

    #[cfg(unix)]
    #[test]
    fn a_url_of_a_socket_means_what_it_says() {
        GOOD_SOCKETS.iter().for_each(check_meaning);
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_url_of_tls_means_the_same_by_tls() {
        for &(url, address, user, password, database) in GOOD {
            let (scheme, rest) = url.split_once(':').unwrap();
            let url = format!("{scheme}s:{rest}").replace("REDISs", "REDISS");
            check_meaning(&(&url, address, user, password, database));
            match server(&url).unwrap().addr() {
                ConnectionAddr::TcpTls {
                    insecure: false,
                    tls_params: None,
                    ..
                } => {}
                other => panic!("{url}: {other:?}"),
            }
        }
        assert_refused("names no host", &["rediss://", "valkeys://u:S3cret@"]);
        assert_refused("`tls` is not known", &["rediss://h?tls=S3cret"]);
        assert_refused("names a database twice", &["rediss://h/3?db=3"]);
        assert_refused(
            "`#insecure`",
            &["rediss://u:S3cret@h#insecure", "valkeys://h/1#insecure"],
        );
    }

    #[test]
    fn a_url_asks_for_resp2() {
        for url in ["redis://h?protocol=2", "redis://h/1?protocol=resp2"] {
            let protocol = server(url).unwrap().redis_settings().protocol();
            assert_eq!(protocol, ProtocolVersion::RESP2, "{url}");
        }
    }

    /// Asserts that the URLs are refused with a word, and that no part of the secret `S3cret` is
    /// shown.
    fn assert_refused(word: &str, urls: &[&str]) {
        for url in urls {
            let error = server(url).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{url}");
            assert!(error.to_string().contains(word), "{url}: {error}");
            assert_shows_no_secret(&error);
        }
    }

    fn assert_shows_no_secret(error: &BackendError) {
        let shown = format!("{error} {error:?}").to_lowercase();
        assert!(!shown.contains("s3") && !shown.contains("cret"), "{shown}");
        assert!(error.source().is_none(), "{shown}");
    }

    #[test]
    fn a_missing_scheme_is_named() {
        assert_refused(
            "has no scheme: write `redis://`",
            &[
                "localhost",
                "localhost:6379",
                "redis:6379",
                "redis:/localhost",
                "//localhost",
                "://localhost",
                "/run/redis.sock",
                "S3cret",
                "user:S3cret@localhost",
                "user:S3cret://@localhost",
                "1S3cret://localhost",
                "S3cretS3cretS3cretS3cretS3cret://localhost",
            ],
        );
        assert_refused("the URL is empty", &["", " \n"]);
    }

    #[test]
    fn a_url_of_a_cluster_names_several_nodes() {
        for scheme in [
            "redis-cluster",
            "redis+cluster",
            "valkey-cluster",
            "REDIS-CLUSTER",
        ] {
            let url = format!("{scheme}://u:p%40@a:1,[::1]:2,c?protocol=2");
            let Servers {
                first,
                others,
                deployment,
            } = servers(&url).unwrap();
            assert_eq!((deployment, others.len()), (Deployment::Cluster, 2));
            for (node, (host, port)) in
                [&first]
                    .into_iter()
                    .chain(&others)
                    .zip([("a", 1), ("::1", 2), ("c", 6379)])
            {
                let address = ConnectionAddr::Tcp(host.to_string(), port);
                assert_eq!(node.addr().to_string(), address.to_string());
                let settings = node.redis_settings();
                assert_eq!(
                    (settings.username(), settings.password()),
                    (Some("u"), Some("p@"))
                );
                assert!(matches!(settings.protocol(), ProtocolVersion::RESP2));
            }
        }
        let one = servers("redis://h").unwrap();
        assert_eq!(one.deployment, Deployment::Server);
        assert!(one.others.is_empty());
    }

    #[test]
    fn a_url_of_sentinel_names_a_service() {
        for scheme in ["redis-sentinel", "valkey+sentinel", "REDIS-SENTINEL"] {
            let query = "sentinel_username=s&protocol=2&sentinel%5Fpassword=%26+%2B";
            let url = format!("{scheme}://u:p%40@a:1,[::1],c/my-service.1/3?{query}");
            let Servers {
                first,
                others,
                deployment,
            } = servers(&url).unwrap();
            let service = Service {
                name: "my-service.1".to_string(),
                user: Some("s".to_string()),
                password: Some("& +".to_string()),
            };
            assert_eq!(deployment, Deployment::Sentinel(service));
            let hosts = [("a", 1), ("::1", 26_379), ("c", 26_379)];
            let all: Vec<_> = [&first].into_iter().chain(&others).collect();
            assert_eq!(all.len(), 3);
            for (server, (host, port)) in all.into_iter().zip(hosts) {
                let address = ConnectionAddr::Tcp(host.to_string(), port);
                assert_eq!(server.addr().to_string(), address.to_string());
                let settings = server.redis_settings();
                assert_eq!(
                    (settings.username(), settings.password(), settings.db()),
                    (Some("u"), Some("p@"), 3)
                );
                assert!(matches!(settings.protocol(), ProtocolVersion::RESP2));
            }
        }
        let plain = servers("redis-sentinel://a/s").unwrap();
        let service = Service {
            name: "s".to_string(),
            user: None,
            password: None,
        };
        assert_eq!(plain.deployment, Deployment::Sentinel(service));
        assert_eq!(plain.first.redis_settings().db(), 0);
    }

    #[test]
    fn what_is_wrong_with_the_url_of_sentinel_is_named() {
        for (url, wrong) in [
            ("redis-sentinel://S3cret@a", "names no service"),
            ("redis-sentinel://a,b/", "names no service"),
            ("redis-sentinel://a//0", "names no service"),
            ("redis-sentinel://a/S3cret%20", "names no service"),
            ("redis-sentinel://a/s/S3cret", "database is not a number"),
            ("redis-sentinel://a/s/1/S3cret", "database is not a number"),
            ("redis-sentinel://a/s/1?db=2", "names a database twice"),
            ("redis-sentinel://a,,b/s", "names no host"),
            ("redis-sentinel:///s", "names no host"),
            ("redis-sentinel://a:x/s", "port"),
            ("redis-sentinel://a,b:0/s", "port"),
            ("redis-sentinel://a/s?service=S3cret", "parameter `service`"),
            (
                "redis-sentinel://a/s?sentinel_password=x&S3cret",
                "an unknown parameter",
            ),
            (
                "redis-sentinel://a/s?sentinel_username=S3cret",
                "`sentinel_username` without `sentinel_password`",
            ),
            (
                "redis-sentinel://a/s?sentinel_password=S3cret&sentinel_password=S3cret",
                "the parameter `sentinel_password` twice",
            ),
            (
                "redis-sentinel://a/s?sentinel_password=%ff",
                "a parameter in the URL is not UTF-8",
            ),
            ("redis-sentinel://a/s#insecure", "verification"),
            (
                "redis-sentinel://a/s?sentinel_password=S3cret#insecure",
                "verification",
            ),
            ("redis-sentinel://a/s?sentinel_password=S3c#ret", "fragment"),
            ("redis-sentinel://a/s?sentinel_password=S3\tcret", "control"),
        ] {
            let error = servers(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{url}");
            let said = format!("{error} {error:?}");
            assert!(said.contains(wrong) && !said.contains("S3cret"), "{said}");
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_url_of_a_cluster_or_of_sentinel_asks_for_tls() {
        for scheme in [
            "rediss-cluster",
            "valkeys+cluster",
            "redis-clusters",
            "rediss-clusters",
            "rediss-sentinel",
            "valkey-sentinels",
        ] {
            let named =
                servers(&format!("{scheme}://a,b/")).or(servers(&format!("{scheme}://a,b/s")));
            let named = named.unwrap();
            for node in [&named.first, &named.others[0]] {
                assert!(
                    matches!(node.addr(), ConnectionAddr::TcpTls { .. }),
                    "{scheme}"
                );
            }
        }
    }

    #[test]
    fn what_is_wrong_with_the_url_of_a_cluster_is_named() {
        for (url, wrong) in [
            (
                "redis-cluster://a/3",
                "names database 3, and a cluster has database 0 alone",
            ),
            ("redis-cluster://a?db=1", "names database 1, and"),
            ("redis-cluster://a,,b", "names no host"),
            ("redis-cluster://", "names no host"),
            ("redis-cluster://a:x,b", "port"),
            ("redis-cluster://a,b:0", "port"),
            ("redis-cluster://a,b?x=1", "parameter `x`"),
            ("redis://a,b", "host"),
        ] {
            let error = servers(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.to_string().contains(wrong), "{url}: {error}");
        }
    }

    #[test]
    fn a_scheme_that_can_not_be_used_is_named() {
        let cases: [(&str, &[&str]); 2] = [
            #[cfg(not(feature = "tls"))]
            (
                "asks for TLS, which takes the feature `tls`",
                &["rediss", "valkeys"],
            ),
            #[cfg(feature = "tls")]
            ("is not known", &["redisss", "rediss-tls", "tls"]),
            ("is not known", &["http", "redis-socket", "my-cluster"]),
        ];
        for (wrong, schemes) in cases {
            for scheme in schemes {
                let loud = scheme.to_uppercase();
                assert_refused(
                    &format!("`{scheme}` {wrong}"),
                    &[
                        &format!("{scheme}://u:S3cret@a:1,b:2/main?pass=S3cret#S3cret"),
                        &format!("{loud}://h"),
                    ],
                );
            }
        }
    }

    #[test]
    fn a_wrong_host_or_port_is_named() {
        assert_refused(
            "names no host",
            &[
                "redis://",
                "redis:///3",
                "redis://?db=3",
                "redis://:6379",
                "redis://u:S3cret@",
                "redis://u:S3cret@:6379/1",
                "redis://:12?S3cret@h",
            ],
        );
        assert_refused(
            "the URL's port",
            &[
                "redis://h:0",
                "redis://h:65536",
                "redis://h:0x1",
                "redis://h:+1",
                "redis://h:-1",
                "redis://::1",
                "redis://::1:6379",
                "redis://[::1]6379",
                "redis://u:S3cret/@h",
                "redis://u:S3cret?@h",
                "redis://u:1:S3cret/@h:6379",
            ],
        );
        assert_refused(
            "the URL's host is no address and not one name",
            &[
                "redis://a,b",
                "redis://%2Frun%2FS3cret.sock",
                "redis://b\u{fc}cher",
                "redis://S3cret word",
                "redis://u:S3cret@h]",
            ],
        );
        assert_refused(
            "no IPv6 address",
            &[
                "redis://[::1",
                "redis://[S3cret]",
                "redis://[fe80::1%25eth0]",
            ],
        );
        assert_refused(
            "a wildcard address",
            &[
                "redis://0.0.0.0",
                "redis://[::]:6379",
                "redis://[0::ffff:0.0.0.0]",
            ],
        );
        assert_refused(
            "a control character",
            &["redis://u:S3\tcret@h", "redis://u:S3cret\n@h"],
        );
    }

    #[test]
    fn a_wrong_database_is_named() {
        assert_refused(
            "the URL's database is not a number from 0 to 2147483647",
            &[
                "redis://h/x",
                "redis://h/-1",
                "redis://h/+1",
                "redis://h/1/2",
                "redis://h/../1",
                "redis://h/2147483648",
                "redis://h/99999999999999999999",
                "redis://h?db=-1",
                "redis://h?db=%2B1",
                "redis://h?db=",
                "redis://h?db",
                "redis://h?db=S3cret",
                "unix:///s?db=-1",
                "redis://u/S3cret@h",
                "redis://u:12/S3cret@h",
            ],
        );
        assert_refused(
            "names a database twice",
            &[
                "redis://h/3?db=3",
                "redis://h/0?db=1",
                "redis://:S3cret@h/1/?db=0",
            ],
        );
    }

    #[test]
    fn a_wrong_parameter_is_named_and_its_value_is_not() {
        assert_refused("the parameter `db` twice", &["redis://h?db=3&db=3"]);
        assert_refused(
            "the parameter `protocol` twice",
            &["redis://h?protocol=3&protocol=2"],
        );
        assert_refused(
            "the parameter `pass` twice",
            &["unix:///s?pass=S3cret&pass=S3cret"],
        );
        assert_refused(
            "the parameter `user` twice",
            &["unix:///s?user=&user=S3cret"],
        );
        assert_refused(
            "`protocol` is not one of",
            &["redis://h?protocol=4", "redis://h?protocol"],
        );
        assert_refused("`protocol` is not one of", &["unix:///s?protocol=RESP3"]);
        assert_refused("`timeout` is not known", &["redis://h/1?timeout=S3cret"]);
        assert_refused(
            "`pass` is not known",
            &["redis://h?pass=S3cret", "redis://h?db=3&pass="],
        );
        assert_refused("`password` is not known", &["unix:///s?password=S3cret"]);
        assert_refused(
            "`timeout` is not known",
            &["unix:///s?pass=S3cret&timeout=S3cret"],
        );
        assert_refused("`DB` is not known", &["redis://h?DB=3"]);
        assert_refused(
            "an unknown parameter",
            &[
                "redis://h?=3",
                "redis://u:12?S3cret@h",
                "redis://u:12?S3cret=1@h",
                "redis://u:12?S3cret%40h",
                "redis://u:12?a&S3cret=1&b@h:6379/0",
                "redis://u:12?S3cretS3cretS3cretS3cretS3cretS3cret",
                "unix:///s?pass=S3cret&S3cret",
            ],
        );
        assert_refused(
            "a parameter in the URL is not UTF-8",
            &["unix:///s?pass=S3cret%ff"],
        );
        assert_refused(
            "the password in the URL is not UTF-8",
            &["redis://:S3cret%ff@h"],
        );
        assert_refused(
            "the user in the URL is not UTF-8",
            &["redis://%ff:S3cret@h"],
        );
    }

    #[test]
    fn a_fragment_is_refused() {
        assert_refused(
            "`#insecure`",
            &["redis://h#insecure", "redis://h/1?db=S3cret#insecure"],
        );
        assert_refused(
            "a fragment",
            &[
                "redis://h#",
                "redis://u:S3cret#S3cret@h",
                "unix:///s?pass=S3cret#S3cret",
            ],
        );
    }

    /// Whatever a password holds, it is read as it is meant or refused, and never shown.
    #[test]
    fn a_password_that_is_not_encoded_is_never_taken_for_something_else() {
        let parts = [
            "S3cret", "1", "db=", "/", "?", "#", "@", ":", "%", "&", "=", "[", "]",
        ];
        let mut passwords = vec![String::new()];
        for _ in 0..4 {
            let longer = passwords
                .iter()
                .flat_map(|start| parts.map(|part| format!("{start}{part}")));
            passwords = longer.collect();
            let schemes = ["redis", "rediss"];
            let urls = passwords.iter().flat_map(|password| {
                schemes.map(|scheme| (password, format!("{scheme}://user:{password}@host:7/1")))
            });
            for (password, url) in urls {
                match server(&url) {
                    Ok(server) => {
                        assert_eq!(server.addr().to_string(), "host:7", "{password}");
                        let read = server.redis_settings().password();
                        let meant = percent_decode_str(password).decode_utf8().unwrap();
                        assert_eq!(read, Some(&*meant), "{password}");
                    }
                    Err(error) => assert_shows_no_secret(&error),
                }
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_url_of_a_socket_has_a_path_and_nothing_before_it() {
        let long = format!("unix:///{}", "x".repeat(200));
        assert_refused("too long for a unix socket", &[&long, "unix:///a%00b"]);
        assert_refused(
            "names no path of a socket",
            &[
                "unix://",
                "unix:///",
                "unix:run/s",
                "unix://run/s",
                "unix:///s/",
            ],
        );
        assert_refused(
            "write `unix:///path?user=..&pass=..`",
            &[
                "unix://u:S3cret@localhost/s",
                "unix://:S3cret@localhost/s",
                "unix://localhost:1/s",
            ],
        );
        assert_refused("not the URL of a server", &["unix://u:S3cret@/s"]);
    }
}
