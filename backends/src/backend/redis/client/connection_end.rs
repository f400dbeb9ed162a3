//! The end of a connection, and its cause.

use std::io;

/// The end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionEnd {
    /// By the server, or by the network.
    Failed(io::ErrorKind),
    /// The server sent something that isn't RESP.
    Malformed,
    /// By this side.
    Closed,
}
