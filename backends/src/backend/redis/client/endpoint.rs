//! The way to a server: its address, its login, and the settings of TLS.

use redis::{ConnectionAddr, ConnectionInfo};

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
    /// Makes an endpoint of what a URL or a client says. An address of TLS is spoken to by the
    /// settings in `tls`.
    ///
    /// # Errors
    ///
    /// `InvalidConfig` for settings that can't be right, or that have no use.
    pub(crate) fn new(info: ConnectionInfo, tls: Option<Tls>) -> BackendResult<Self> {
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
}
