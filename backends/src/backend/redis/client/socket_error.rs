//! The failures of a socket, as errors that name the server.

use std::io;
use std::time::Duration;

use super::location::ServerLocation;
use crate::error::{BackendError, ErrorKind};

/// Turns the failure to reach a place into an error.
pub(super) fn failure(location: &ServerLocation, error: io::Error) -> BackendError {
    let message = match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("{location} refused the connection"),
        io::ErrorKind::NotFound => format!("there is no socket at {location}"),
        io::ErrorKind::TimedOut => format!("the connection to {location} timed out"),
        kind if is_hang_up(kind) => format!("the connection to {location} was lost"),
        _ => format!("the connection to {location} failed"),
    };
    BackendError::new(ErrorKind::Unavailable, message).with_source(error)
}

/// Returns the error of an attempt whose last step isn't known.
pub(super) fn connect_timeout(location: &ServerLocation, limit: Duration) -> BackendError {
    let message = format!("no connection to {location} within {limit:?}");
    BackendError::new(ErrorKind::Timeout, message)
}

/// Says whether the other side was there and ended the connection.
pub(super) fn is_hang_up(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}
