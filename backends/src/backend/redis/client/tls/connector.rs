//! The handshake, and the socket that comes of it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::fault;
use crate::backend::redis::client::dial::Place;
use crate::backend::redis::client::driver::Socket;
use crate::error::BackendResult;

/// All that the handshakes of one attempt take.
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
        place: &Place,
    ) -> BackendResult<Box<dyn Socket>> {
        match self.connector.connect(self.name.clone(), socket).await {
            Ok(socket) => Ok(Box::new(Secured {
                socket,
                failure: None,
            })),
            Err(error) => Err(fault::of_handshake(place, error)),
        }
    }
}

/// A socket that says of nothing that it wasn't sent, if a part of it may have been.
///
/// The session encrypts what it is given and writes it in several steps. Where a later step fails,
/// the server may have all that came before, but the session says only that the write failed. So
/// what was given to it counts as written, and its failure is told afterwards.
struct Secured<S> {
    socket: S,
    failure: Option<io::Error>,
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
        Poll::Ready(match std::task::ready!(written) {
            Err(failure) => {
                self.failure = Some(failure);
                Ok(bytes.len())
            }
            written => written,
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
        Secured {
            socket: Failed,
            failure: None,
        }
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
