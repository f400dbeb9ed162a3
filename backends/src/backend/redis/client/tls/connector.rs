//! The handshake, and the socket that it makes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, SupportedCipherSuite};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::fault;
use crate::backend::redis::client::location::ServerLocation;
use crate::backend::redis::client::socket::Socket;
use crate::error::BackendResult;

/// All that the handshakes of one attempt need.
pub(in crate::backend::redis::client) struct Connector {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Connector {
    pub(super) fn new(config: Arc<ClientConfig>, name: ServerName<'static>) -> Self {
        Self {
            connector: config.into(),
            name,
        }
    }

    /// Shakes hands with the server on a connected socket.
    ///
    /// # Errors
    ///
    /// `Denied` where one side refuses the other's certificate.
    pub(in crate::backend::redis::client) async fn secure(
        &self,
        socket: TcpStream,
        location: &ServerLocation,
    ) -> BackendResult<Box<dyn Socket>> {
        match self.connector.connect(self.name.clone(), socket).await {
            Ok(socket) => {
                let records = records_of_a_connection(socket.get_ref().1);
                Ok(Box::new(Secured::new(socket, records)))
            }
            Err(error) => Err(fault::of_handshake(location, error)),
        }
    }
}

/// Returns the number of records after which another connection is to be made.
///
/// A key encrypts so many records and no more: some 16 million by AES-GCM. TLS 1.3 replaces the
/// key; in TLS 1.2 the session ends and drops the data that it is given. Half of the records leaves
/// enough for the data that is under way meanwhile.
fn records_of_a_connection(session: &ClientConnection) -> u64 {
    match session.negotiated_cipher_suite() {
        Some(SupportedCipherSuite::Tls12(suite)) => suite.common.confidentiality_limit / 2,
        _ => u64::MAX,
    }
}

/// A socket that never says that data wasn't sent if a part of it may have been.
///
/// The session encrypts the data that it is given and writes it in several steps. If a later step
/// fails, the server may have all that came before, but the session says only that the write
/// failed. So the data that was given to the session counts as written, and the failure is told
/// afterwards.
struct Secured<S> {
    socket: S,
    failure: Option<io::Error>,
    /// The number of records that may still be written, at least.
    records: u64,
}

impl<S> Secured<S> {
    fn new(socket: S, records: u64) -> Self {
        Self {
            socket,
            failure: None,
            records,
        }
    }

    /// Counts the records of a write: most have 16 KiB, and fewer bytes may make one.
    fn count(&mut self, bytes: usize) {
        self.records = self.records.saturating_sub(1 + bytes as u64 / 4096);
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for Secured<S> {
    fn is_worn_out(&self) -> bool {
        self.records == 0
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Secured<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Secured<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(failure) = self.failure.take() {
            return Poll::Ready(Err(failure));
        }
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        Poll::Ready(match ready!(written) {
            Err(failure) => {
                self.failure = Some(failure);
                Ok(bytes.len())
            }
            Ok(count) => {
                self.count(count);
                Ok(count)
            }
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.failure.take() {
            Some(failure) => Poll::Ready(Err(failure)),
            None => Pin::new(&mut self.socket).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// A socket of which the network failed.
    struct Failed;

    impl AsyncWrite for Failed {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn secured() -> Secured<Failed> {
        Secured::new(Failed, u64::MAX)
    }

    /// A write of the session may fail after the network has taken a part of it.
    #[tokio::test]
    async fn what_may_have_been_sent_counts_as_written_before_its_failure_is_told() {
        let mut socket = secured();
        assert_eq!(socket.write(b"SET k v").await.unwrap(), 7);
        let failure = socket.write(b"SET k v").await.unwrap_err();
        assert_eq!(failure.kind(), io::ErrorKind::BrokenPipe);
        let mut socket = secured();
        socket.write_all(b"SET k v").await.unwrap();
        assert!(socket.flush().await.is_err());
    }
}
