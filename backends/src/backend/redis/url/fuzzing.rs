//! The fuzz target of URLs: a URL means what it says, or is refused without showing its password.

use std::error::Error;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use redis::{ConnectionAddr, ConnectionInfo};

use super::servers;
use crate::backend::redis::client::{Deployment, Servers};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// Reads a text as a URL, and as the parts of one, each on a line of its own: the scheme, the
/// user, the password, the host, the port, the path, the query.
pub fn urls(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let _ = read(text);
    let parts: Vec<&str> = text.split('\n').collect();
    if let [scheme, user, password, host, port, path, query] = parts[..] {
        let parts = Parts {
            scheme,
            user,
            host,
            port,
            path,
            query,
        };
        if parts.have_a_scheme() && !parts.show_the_secret() {
            parts.with_password(&secret(password));
            parts.with_password_as_parameter(&secret(password));
        }
    }
}

/// A part of every password, of which nothing is ever shown.
const SECRET: &str = "S3cret";

/// Puts the secret into a password.
fn secret(password: &str) -> String {
    let mut middle = password.len() / 2;
    while !password.is_char_boundary(middle) {
        middle -= 1;
    }
    let (start, end) = password.split_at(middle);
    format!("{start}{SECRET}{end}")
}

fn read(url: &str) -> BackendResult<Servers<ConnectionInfo>> {
    let read = servers(url);
    match &read {
        Ok(read) => agree(url, read),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.source().is_none());
        }
    }
    read
}

/// The redis crate's own reading, by the crate url, has the same address and login.
fn agree(url: &str, read: &Servers<ConnectionInfo>) {
    if read.deployment != Deployment::Server {
        return;
    }
    let (
        Some((_, rest)),
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. },
    ) = (url.split_once(':'), read.first.addr())
    else {
        return;
    };
    let is_tls = matches!(read.first.addr(), ConnectionAddr::TcpTls { .. });
    assert_eq!(is_tls, asks_for_tls(url), "{url}");
    let parsed = redis::parse_redis_url(&format!("redis:{rest}")).expect("it was read");
    let theirs = parsed.host_str().expect("it has a host");
    let theirs = theirs.trim_start_matches('[').trim_end_matches(']');
    assert_eq!((theirs, parsed.port().unwrap_or(6379)), (&**host, *port));
    let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let user = Some(decoded(parsed.username())).filter(|user| !user.is_empty());
    assert_eq!(read.first.redis_settings().username(), user.as_deref());
    let password = parsed
        .password()
        .map(decoded)
        .filter(|password| !password.is_empty());
    let ours = read.first.redis_settings().password();
    assert_eq!(ours.filter(|ours| !ours.is_empty()), password.as_deref());
}

fn all(read: &Servers<ConnectionInfo>) -> impl Iterator<Item = &ConnectionInfo> {
    [&read.first].into_iter().chain(&read.others)
}

/// An `s` behind either word of the scheme asks for TLS.
fn asks_for_tls(url: &str) -> bool {
    let scheme = url.trim().split(':').next().unwrap_or_default();
    scheme
        .to_lowercase()
        .split(['-', '+'])
        .any(|word| matches!(word, "rediss" | "valkeys" | "clusters" | "sentinels"))
}

/// The parts of a URL besides its password.
#[derive(Clone, Copy)]
struct Parts<'a> {
    scheme: &'a str,
    user: &'a str,
    host: &'a str,
    port: &'a str,
    path: &'a str,
    query: &'a str,
}

impl Parts<'_> {
    fn have_a_scheme(&self) -> bool {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        self.scheme.bytes().all(is_part)
    }

    /// A part that may be shown is a piece of the secret by chance.
    fn show_the_secret(&self) -> bool {
        let all = [
            self.scheme,
            self.user,
            self.host,
            self.port,
            self.path,
            self.query,
        ];
        shows_secret(&all.join("\n"))
    }

    fn with_password(self, password: &str) {
        let Self {
            scheme,
            user,
            host,
            port,
            path,
            query,
        } = self;
        let rest = format!("{host}:{port}/{path}?{query}");
        self.check(scheme, &format!("{user}:{password}"), &rest);
        let (user, password) = (encoded(user), encoded(password));
        self.check(scheme, &format!("{user}:{password}"), &rest);
    }

    fn with_password_as_parameter(self, password: &str) {
        let Self {
            scheme,
            host,
            path,
            query,
            ..
        } = self;
        let encoded = encoded(password);
        for password in [password, &*encoded] {
            for url in [
                format!("unix:///{path}?user=u&pass={password}&{query}"),
                format!("unix:///{path}?{query}&pass={password}"),
                format!("{scheme}-sentinel://{host}/{path}?sentinel_password={password}&{query}"),
            ] {
                match servers(&url) {
                    Err(error) => hides_secret(&url, &error),
                    Ok(read) => self.has_service(&url, &read, &encoded),
                }
            }
        }
    }

    /// A service is asked for by its own name and with the password of the sentinels.
    fn has_service(self, url: &str, read: &Servers<ConnectionInfo>, encoded: &str) {
        let Deployment::Sentinel(service) = &read.deployment else {
            return;
        };
        if !self.are_plain() || self.path.contains(['?', '#']) {
            return;
        }
        let name = self.path.split('/').next().unwrap_or_default();
        assert_eq!(
            service.name,
            percent_decode_str(name).decode_utf8_lossy(),
            "{url}"
        );
        if url.contains(encoded) {
            let meant = percent_decode_str(encoded).decode_utf8_lossy();
            assert_eq!(service.password.as_deref(), Some(&*meant), "{url}");
        }
        for server in all(read) {
            let login = server.redis_settings();
            assert!(
                login
                    .password()
                    .is_none_or(|password| !shows_secret(password)),
                "{url}"
            );
        }
    }

    /// Whatever a password holds, it is read as it is meant or refused, and never shown.
    fn check(self, scheme: &str, login: &str, rest: &str) {
        let url = &format!("{scheme}://{login}@{rest}");
        let read = match read(url) {
            Ok(read) => read,
            Err(error) => return hides_secret(url, &error),
        };
        // The first colon ends the user.
        let (user, password) = login.split_once(':').expect("it was put there");
        let is_path = user.starts_with('/') && scheme.eq_ignore_ascii_case("unix");
        if !self.are_plain() || is_path {
            return;
        }
        let default = match read.deployment {
            Deployment::Sentinel(_) => 26_379,
            _ => 6379,
        };
        let servers: Vec<_> = all(&read).collect();
        let hosts: Vec<&str> = self.host.split(',').collect();
        assert_eq!(servers.len(), hosts.len(), "{url}");
        for (index, (server, meant)) in servers.iter().zip(&hosts).enumerate() {
            let (host, port) = match server.addr() {
                ConnectionAddr::Tcp(host, port) if !asks_for_tls(url) => (host, *port),
                ConnectionAddr::TcpTls {
                    host,
                    port,
                    insecure: false,
                    ..
                } if asks_for_tls(url) => (host, *port),
                other => panic!("{url}: {other:?}"),
            };
            assert_eq!(host, meant, "{url}");
            // The port is behind the last host.
            let is_named = index + 1 == hosts.len() && !self.port.is_empty();
            let meant = if is_named {
                self.port.parse()
            } else {
                Ok(default)
            };
            assert_eq!(meant, Ok(port), "{url}");
            self.has_login(url, server, [user, password]);
        }
        if read.deployment != Deployment::Server {
            return;
        }
        let settings = read.first.redis_settings();
        // Without one the query may name the database.
        let database = self.path.trim_end_matches('/');
        if !database.is_empty() {
            assert_eq!(database.parse().unwrap_or(0), settings.db(), "{url}");
        }
    }

    fn has_login(self, url: &str, server: &ConnectionInfo, [user, password]: [&str; 2]) {
        let settings = server.redis_settings();
        let meant = percent_decode_str(password).decode_utf8();
        assert_eq!(settings.password(), meant.ok().as_deref(), "{url}");
        let meant = percent_decode_str(user).decode_utf8().ok();
        let meant = meant.filter(|user| !user.is_empty());
        assert_eq!(settings.username(), meant.as_deref(), "{url}");
    }

    /// Nothing behind the login can be taken for another part.
    fn are_plain(&self) -> bool {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._,".contains(&byte);
        self.host.bytes().all(is_plain) && self.port.bytes().all(|byte| byte.is_ascii_digit())
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn hides_secret(url: &str, error: &BackendError) {
    assert!(
        !shows_secret(&format!("{error} {error:?}")),
        "{url}: {error}"
    );
}

/// Looks for each half, whatever its case is: a host is shown in lower case.
fn shows_secret(text: &str) -> bool {
    let text = text.to_lowercase();
    let (start, end) = SECRET.split_at(2);
    text.contains(&start.to_lowercase()) || text.contains(end)
}
