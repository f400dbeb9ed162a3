//! The types of TLS if the library is built without it.

use std::io;

use tokio::net::TcpStream;

use crate::backend::redis::client::location::ServerLocation;
use crate::backend::redis::client::socket::Socket;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The settings of TLS, of which there are none.
#[derive(Clone)]
pub(crate) enum Tls {}

impl Tls {
    /// Refuses an address that asks for TLS.
    pub(in crate::backend::redis::client) fn unless_set() -> BackendResult<Self> {
        Err(BackendError::new(
            ErrorKind::InvalidConfig,
            "the server's address asks for TLS, which takes the feature `tls` of \
             reinhardt-backends",
        ))
    }

    pub(in crate::backend::redis::client) fn unneeded(&self) -> BackendError {
        match *self {}
    }

    pub(in crate::backend::redis::client) fn check(&self, _: &str) -> BackendResult<()> {
        match *self {}
    }

    pub(in crate::backend::redis::client) async fn connector(
        &self,
        _: &str,
        _: &ServerLocation,
        _: bool,
    ) -> BackendResult<Connector> {
        match *self {}
    }
}

pub(in crate::backend::redis::client) enum Connector {}

impl Connector {
    pub(in crate::backend::redis::client) async fn secure(
        &self,
        _: TcpStream,
        _: &ServerLocation,
    ) -> BackendResult<Box<dyn Socket>> {
        match *self {}
    }
}

/// Returns nothing: a socket without TLS has no fault of TLS.
pub(in crate::backend::redis::client) fn fault(
    _: &ServerLocation,
    _: &io::Error,
) -> Option<BackendError> {
    None
}
