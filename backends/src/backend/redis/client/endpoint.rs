//! The settings of the way to a server: its address, its login, and TLS.

use std::time::Duration;

use redis::io::tcp::socket2::TcpKeepalive;
use redis::{ConnectionAddr, ConnectionInfo};

use super::location::{Address, ServerLocation};
use super::tls::Tls;
use crate::error::BackendResult;

/// The address and the login of a server, and the settings of TLS if it is spoken to by TLS.
#[derive(Clone)]
pub(crate) struct Endpoint {
    /// The address is one of TCP, or of a unix socket.
    pub(super) info: ConnectionInfo,
    pub(super) tls: Option<Tls>,
}

impl Endpoint {
    /// Makes an endpoint from the settings in a URL or a client. An address of TLS is spoken to by
    /// the settings in `tls`. After the silence `keep_alive` the kernel probes a connection, unless
    /// a client says otherwise.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` for settings that can't be right, or that have no use.
    pub(crate) fn new(
        info: ConnectionInfo,
        tls: Option<Tls>,
        keep_alive: Duration,
    ) -> BackendResult<Self> {
        let info = with_keep_alive(info, keep_alive);
        let ConnectionAddr::TcpTls { host, port, .. } = info.addr() else {
            return match tls {
                None => Ok(Self { info, tls }),
                Some(tls) => Err(tls.unneeded()),
            };
        };
        let tls = tls.map_or_else(Tls::unless_set, Ok)?;
        tls.check(host)?;
        let address = ConnectionAddr::Tcp(host.clone(), *port);
        Ok(Self {
            info: info.set_addr(address),
            tls: Some(tls),
        })
    }

    /// Returns the place of the server. A server behind a unix socket is on this machine.
    pub(super) fn location(&self) -> ServerLocation {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, port) => ServerLocation::tcp(host, *port, self.tls.is_some()),
            ConnectionAddr::Unix(path) => ServerLocation::local(path.display().to_string()),
            _ => ServerLocation::local("the server".to_string()),
        }
    }

    /// Returns the same endpoint at another address.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` for a host that no certificate can be for.
    pub(super) fn at(&self, address: &Address) -> BackendResult<Self> {
        if let Some(tls) = &self.tls {
            tls.check(&address.host)?;
        }
        let address = ConnectionAddr::Tcp(address.host.to_string(), address.port);
        Ok(Self {
            info: self.info.clone().set_addr(address),
            tls: self.tls.clone(),
        })
    }
}

/// The longest silence that Linux takes for a connection of TCP.
const LONGEST_KEEP_ALIVE: Duration = Duration::from_secs(i16::MAX as u64);
/// The number of probes without an answer after which the kernel ends a connection.
const PROBES: u32 = 3;

fn with_keep_alive(info: ConnectionInfo, keep_alive: Duration) -> ConnectionInfo {
    let settings = info.tcp_settings();
    if settings.keepalive().is_some() {
        return info;
    }
    let time = keep_alive.min(LONGEST_KEEP_ALIVE);
    let interval = (time / PROBES).max(Duration::from_secs(1));
    let probes = TcpKeepalive::new().with_time(time).with_interval(interval);
    #[cfg(not(windows))]
    let probes = probes.with_retries(PROBES);
    let settings = settings.clone().set_keepalive(probes);
    info.set_tcp_settings(settings)
}
