//! The URLs that name several servers: the nodes of a cluster, or sentinels.

use percent_encoding::percent_decode_str;
use redis::ConnectionInfo;

use super::authority::DEFAULT_PORT;
use super::errors::{invalid, no_url, perhaps_encoding};
use super::parameters::{is_parameter, pairs};
use super::server::server;
use super::text::check_text;
use crate::backend::redis::client::{Deployment, Servers, Service};
use crate::error::BackendResult;

/// The parts of a URL that names several servers.
pub(super) struct SeveralHosts<'u> {
    /// The scheme of each server.
    scheme: &'static str,
    pub(super) are_sentinels: bool,
    login: &'u str,
    hosts: &'u str,
    path: &'u str,
    query: &'u str,
}

impl<'u> SeveralHosts<'u> {
    /// Takes the URL of a cluster or of Sentinel apart; `None` if the URL is that of something
    /// else.
    pub(super) fn of(url: &'u str) -> Option<Self> {
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
            // A colon without a number behind it names no port.
            let without = match has_port {
                true => host.strip_suffix(':'),
                false => Some(host).filter(|host| !host.is_empty()),
            };
            let address = match without {
                Some(host) => format!("{host}:{port}"),
                None => host.to_string(),
            };
            let url = format!("{scheme}://{login}{address}{path}{query}");
            servers.push(server(&url)?);
        }
        let others = servers.split_off(1);
        let first = servers.pop().ok_or_else(no_url)?;
        Ok(Servers {
            first,
            others,
            deployment,
        })
    }

    pub(super) fn nodes(&self) -> BackendResult<Servers<ConnectionInfo>> {
        let nodes = self.each(DEFAULT_PORT, self.path, self.query, Deployment::Cluster)?;
        match nodes.first.redis_settings().db() {
            0 => Ok(nodes),
            database => Err(invalid(format!(
                "the URL names database {database}, and a cluster has database 0 alone"
            ))),
        }
    }

    /// Reads `host:port,host:port/service/database?sentinel_username=..&sentinel_password=..`.
    pub(super) fn sentinels(&self) -> BackendResult<Servers<ConnectionInfo>> {
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
        let query = self.query.strip_prefix('?').unwrap_or_default();
        for (index, pair) in pairs(query).enumerate() {
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
                    return Err(match is_parameter(unknown, query, index) {
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

const SENTINEL_PORT: u16 = 26_379;

#[cfg(test)]
mod tests {
    use redis::{ConnectionAddr, ProtocolVersion};

    use super::*;
    use crate::backend::redis::url::servers;
    use crate::error::ErrorKind;

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
            let url = format!("{scheme}://u:p%40@a:1,[::1],c,d:/my-service.1/3?{query}");
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
            let hosts = [("a", 1), ("::1", 26_379), ("c", 26_379), ("d", 26_379)];
            let all: Vec<_> = [&first].into_iter().chain(&others).collect();
            assert_eq!(all.len(), hosts.len());
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
                "redis-sentinel://a/s?sentinel_password=x&S3cret=1",
                "an unknown parameter",
            ),
            (
                "redis-sentinel://a/s?db=1?sentinel_password=x&S3cret=1",
                "an unknown parameter",
            ),
            (
                "redis-sentinel://a/s?x=1&sentinel_password=x&S3cret=1",
                "parameter `x`",
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
}
