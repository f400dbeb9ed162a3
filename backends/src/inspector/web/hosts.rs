//! The host names under which the pages answer.

use std::net::Ipv6Addr;

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;

use super::problem::Problem;

/// The names of this machine, as its own browser writes them.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The names under which the pages answer, in lower case and without ports.
#[derive(Debug)]
pub(super) struct Hosts(Vec<String>);

impl Hosts {
    pub(super) fn new(more: &[String]) -> Self {
        let more = more
            .iter()
            .map(|host| {
                host.trim_start_matches("https://")
                    .trim_start_matches("http://")
            })
            .map(|host| host.split('/').next().unwrap_or_default())
            .filter_map(|host| match host.parse::<Ipv6Addr>() {
                Ok(address) => Some(format!("[{address}]")),
                Err(_) => name(host),
            });
        Self(
            LOOPBACK
                .map(str::to_string)
                .into_iter()
                .chain(more)
                .collect(),
        )
    }

    /// Makes sure that the request was sent to one of the names. A request without a name is no
    /// browser's.
    ///
    /// # Errors
    ///
    /// `WrongHost`.
    pub(super) fn check(&self, parts: &Parts) -> Result<(), Problem> {
        for host in asked(parts) {
            let known = host.and_then(name).filter(|name| self.0.contains(name));
            if known.is_none() {
                let shown = host.and_then(name).unwrap_or_default();
                return Err(Problem::WrongHost(shown));
            }
        }
        Ok(())
    }
}

/// Returns the host that a request names, with its port, as the browser writes it in `Origin` too.
pub(super) fn asked_host(parts: &Parts) -> Option<&str> {
    asked(parts).flatten().next()
}

/// Returns every host that a request names; `None` for one that is no text.
fn asked(parts: &Parts) -> impl Iterator<Item = Option<&str>> {
    let headers = parts.headers.get_all(HOST).iter();
    let headers = headers.map(|host| host.to_str().ok());
    let authority = parts.uri.authority();
    headers.chain(authority.map(|authority| Some(authority.as_str())))
}

/// Returns the name of a host in lower case, without its port; `None` if it is none.
fn name(host: &str) -> Option<String> {
    let authority: Authority = host.parse().ok()?;
    let is_plain = !host.contains('@') && !authority.host().is_empty();
    is_plain.then(|| authority.host().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn passes(hosts: &Hosts, host: &str) -> bool {
        let request = Request::builder().header(HOST, host).body(()).unwrap();
        hosts.check(&request.into_parts().0).is_ok()
    }

    #[test]
    fn this_machine_and_named_hosts_pass_at_any_port() {
        let named = ["Ops.example.com", "https://other.example:8443/", "fd00::1"];
        let hosts = Hosts::new(&named.map(str::to_string));
        for host in [
            "localhost",
            "LOCALHOST:3000",
            "127.0.0.1:80",
            "[::1]:3000",
            "ops.example.com",
            "ops.EXAMPLE.com:443",
            "other.example",
            "[fd00::1]:1",
        ] {
            assert!(passes(&hosts, host), "{host}");
        }
    }

    #[test]
    fn others_do_not() {
        let hosts = Hosts::new(&["ops.example.com".to_string()]);
        for host in [
            "evil.example",
            "ops.example.com.evil.example",
            "evil.example:localhost",
            "user@localhost",
            "localhost@evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.2",
            "::1",
            "",
            "local host",
        ] {
            assert!(!passes(&hosts, host), "{host}");
        }
    }

    #[test]
    fn of_several_hosts_each_has_to_be_known() {
        let hosts = Hosts::new(&[]);
        let request = Request::builder()
            .uri("http://evil.example/")
            .header(HOST, "localhost");
        assert!(
            hosts
                .check(&request.body(()).unwrap().into_parts().0)
                .is_err()
        );
        let without = Request::builder().uri("/").body(()).unwrap();
        assert!(hosts.check(&without.into_parts().0).is_ok());
    }
}
