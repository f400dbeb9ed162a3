//! The address of a server, and its place as messages name it.

use std::fmt;

/// The address of a server, as another server tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: Box<str>,
    pub(super) port: u16,
}

impl Address {
    /// Reads the number of the port; `None` if the text is no such number.
    pub(super) fn read(host: &str, port: &str) -> Option<Self> {
        let (host, port) = (host.into(), port.parse().ok()?);
        Some(Self { host, port })
    }
}

/// The place of a server, as messages name it: `host:port`, or the path of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerLocation {
    name: String,
    host: String,
    /// The port, for TCP.
    port: Option<u16>,
    is_by_tls: bool,
}

impl ServerLocation {
    /// Names a server of TCP by its host and port.
    pub(super) fn tcp(host: &str, port: u16, is_by_tls: bool) -> Self {
        let name = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        Self {
            name,
            host: host.to_string(),
            port: Some(port),
            is_by_tls,
        }
    }

    /// Names a server on this machine.
    pub(super) fn local(name: String) -> Self {
        Self {
            name,
            host: "localhost".to_string(),
            port: None,
            is_by_tls: false,
        }
    }

    /// Names the primary of a service, wherever it is; the rest is the place of any of its servers.
    pub(super) fn into_primary_of(self, service: &str) -> Self {
        Self {
            name: format!("the primary of `{service}`"),
            ..self
        }
    }

    /// Says whether this is the place of the server at an address of TCP.
    pub(super) fn is_at(&self, address: &Address) -> bool {
        self.host == *address.host && self.port == Some(address.port)
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Says whether the server there is spoken to by TLS.
    pub(super) fn is_by_tls(&self) -> bool {
        self.is_by_tls
    }
}

impl fmt::Display for ServerLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Hashes the text of an address, by FNV-1a: the same in every process.
pub(super) fn address_hash(address: &str) -> u64 {
    address.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
