//! The seam between the driver and the ways to a server: TCP, unix sockets, TLS.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

/// A connected socket.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {
    /// Says whether another one is to take its place soon, because it can't be written to for ever.
    fn is_worn_out(&self) -> bool {
        false
    }
}

impl Socket for TcpStream {}

#[cfg(unix)]
impl Socket for UnixStream {}

impl<S: Socket + ?Sized> Socket for Box<S> {
    fn is_worn_out(&self) -> bool {
        (**self).is_worn_out()
    }
}
