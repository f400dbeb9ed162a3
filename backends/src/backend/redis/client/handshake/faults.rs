//! Greetings that fail, in sentences.

use std::io;

use super::Greeting;
use crate::backend::redis::client::connection_end::ConnectionEnd;
use crate::backend::redis::client::refusal::{code, refusal};
use crate::backend::redis::client::resp::ErrorReply;
use crate::backend::redis::client::socket::Socket;
use crate::backend::redis::client::socket_error::{failure, is_hang_up};
use crate::backend::redis::client::tls;
use crate::error::{BackendError, ErrorKind};

impl<S: Socket> Greeting<'_, S> {
    /// Turns the refusal of `AUTH` into an error.
    pub(super) fn login_refused(&self, refused: &ErrorReply) -> BackendError {
        match self.refused(refused) {
            // Before Redis 6 there was no code word for it.
            other if other.kind() == ErrorKind::Other => {
                self.refuse_login();
                let (location, refused) = (self.location, refusal(refused));
                let message = format!("{location} refused the login: {}", refused.message());
                BackendError::new(ErrorKind::Denied, message)
            }
            refused => refused,
        }
    }

    /// Turns the refusal of the greeting into an error.
    pub(super) fn refused(&self, refused: &ErrorReply) -> BackendError {
        let location = self.location;
        if matches!(code(refused), "NOAUTH" | "WRONGPASS") {
            self.refuse_login();
        }
        let kind = refusal(refused).kind();
        let (kind, message) = match (code(refused), kind) {
            ("DENIED", _) => (
                ErrorKind::Denied,
                format!(
                    "{location} is in protected mode (DENIED): without a password it takes \
                     connections from its own machine alone"
                ),
            ),
            ("NOAUTH", _) if self.has_login() => (
                ErrorKind::Denied,
                format!("{location} demands another login (NOAUTH)"),
            ),
            ("NOAUTH", _) => (
                ErrorKind::Denied,
                format!("{location} demands a login (NOAUTH), and the settings have none"),
            ),
            ("WRONGPASS", _) => (
                ErrorKind::Denied,
                format!("{location} refused the user or the password (WRONGPASS)"),
            ),
            (_, ErrorKind::Unavailable) if code(refused) == "ERR" => (
                ErrorKind::Unavailable,
                format!("{location} takes no more clients (max number of clients)"),
            ),
            _ => {
                let refused = refusal(refused);
                (
                    kind,
                    format!(
                        "{location} doesn't take the greeting: {}",
                        refused.message()
                    ),
                )
            }
        };
        BackendError::new(kind, message)
    }

    /// Returns the reason why there is no answer, after a refusal: the refusal tells more than the
    /// end.
    pub(super) fn hung_up_after(&self, refused: Option<&ErrorReply>) -> BackendError {
        refused.map_or_else(|| self.silence(), |refused| self.refused(refused))
    }

    /// Returns the reason why there is no answer.
    pub(super) fn silence(&self) -> BackendError {
        let location = self.location;
        let failure_of_read = self.conversation.failure.as_ref();
        if let Some(fault) = failure_of_read.and_then(|failure| tls::fault(location, failure)) {
            return fault;
        }
        let unread = self.conversation.input.unread();
        if unread.starts_with(b"HTTP/") {
            return self.is_no_server("answered in HTTP");
        }
        // The first bytes of a record: an alert or a handshake, and the version.
        if let [0x15 | 0x16, 0x03, ..] = unread {
            return self.is_no_server("answered in TLS: that takes `rediss://`");
        }
        match self.conversation.end {
            Some(ConnectionEnd::Malformed) => {
                self.is_no_server("answered in something that isn't RESP")
            }
            Some(ConnectionEnd::Failed(kind)) if is_hang_up(kind) => {
                let hint = match location.is_by_tls() {
                    true => "as a server may that demands a client certificate",
                    false => "as a port for TLS does (`rediss://`)",
                };
                let message = format!("{location} hung up on the greeting, {hint}");
                BackendError::new(ErrorKind::Unavailable, message)
                    .with_source(io::Error::from(kind))
            }
            Some(ConnectionEnd::Failed(kind)) => failure(location, kind.into()),
            Some(ConnectionEnd::Closed) | None => {
                failure(location, io::ErrorKind::ConnectionAborted.into())
            }
        }
    }

    pub(super) fn is_no_server(&self, met: &str) -> BackendError {
        let message = format!("{} is no Redis server: it {met}", self.location);
        BackendError::new(ErrorKind::InvalidConfig, message)
    }
}
