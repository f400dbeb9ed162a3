//! The wait of a caller for a connection of its runtime.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use tokio::runtime::Handle;

use super::Node;
use super::purpose::{ConnectOutcome, Purpose};
use crate::backend::redis::client::connection::Connection;
use crate::backend::redis::client::gate::closed;
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::time::deadline::deadlines;

/// The outcome of a look at the present runtime's state.
enum ConnectionLook {
    Up(Arc<Connection>),
    Connecting {
        outcome: ConnectOutcome,
        /// True if a connection is doubted. It may answer before the attempt has ended.
        is_doubt: bool,
        /// The reason why the server is down, if it is known.
        known: Option<BackendError>,
    },
}

/// The longest wait of a call for a server that is known to be down. This time is longer than the
/// pauses between attempts in the first second of an outage.
const KNOWN_DOWN: Duration = Duration::from_millis(150);

impl Node {
    /// Returns the present runtime's connection if it is up, and begins to make it otherwise.
    pub(in crate::backend::redis::client) fn up_or_begun(&self) -> Option<Arc<Connection>> {
        match self.look(true, false) {
            Ok(ConnectionLook::Up(connection)) => Some(connection),
            Ok(ConnectionLook::Connecting { .. }) | Err(_) => None,
        }
    }

    /// Returns the present runtime's connection, or waits for the attempt to make one that is under
    /// way or begins now.
    pub(in crate::backend::redis::client) async fn connection(
        &self,
        is_plain_read: bool,
    ) -> BackendResult<Arc<Connection>> {
        self.connection_or_judgement(is_plain_read, false).await
    }

    pub(super) async fn connection_or_judgement(
        &self,
        is_plain_read: bool,
        is_judging: bool,
    ) -> BackendResult<Arc<Connection>> {
        let began = Instant::now();
        let mut was_dropped = false;
        loop {
            // Made before the look: it is told of what happens after that.
            let news = self.shared.news.notified();
            let (mut outcome, is_doubt, known) = match self.look(is_plain_read, is_judging)? {
                ConnectionLook::Up(connection) => return Ok(connection),
                ConnectionLook::Connecting {
                    outcome,
                    is_doubt,
                    known,
                } => (outcome, is_doubt, known),
            };
            let ended = pin!(async {
                let ended = pin!(outcome.wait_for(Option::is_some));
                if !is_doubt {
                    return Some(ended.await);
                }
                match select(ended, pin!(news)).await {
                    Either::Left((ended, _)) => Some(ended),
                    Either::Right(_) => None,
                }
            });
            let ended = match known {
                None => ended.await,
                Some(error) => {
                    let left = KNOWN_DOWN.saturating_sub(began.elapsed());
                    match deadlines()?.within(left, ended).await {
                        Some(ended) => ended,
                        None => return Err(error),
                    }
                }
            };
            match ended.map(|ended| ended.map(|outcome| outcome.clone())) {
                // The address was found to lead elsewhere while the attempt was under way.
                Some(Ok(Some(Ok(connection)))) if !self.shared.is_current(&connection) => {}
                Some(Ok(Some(outcome))) => return outcome,
                Some(Err(_)) if was_dropped => {
                    return Err(BackendError::new(
                        ErrorKind::Unavailable,
                        "the runtime ended before there was a connection",
                    ));
                }
                Some(Err(_)) => was_dropped = true,
                Some(Ok(None)) | None => {}
            }
        }
    }

    /// Returns the connection or the attempt of the present runtime.
    fn look(&self, is_plain_read: bool, is_judging: bool) -> BackendResult<ConnectionLook> {
        // Dropped after the lock: that wakes a driver.
        let _lost;
        let runtime = Handle::try_current();
        let mut states = self.shared.states.lock();
        if states.is_closed {
            return Err(closed());
        }
        let Ok(runtime) = runtime else {
            let connection = states.of_any().cloned().map(ConnectionLook::Up);
            return connection.ok_or_else(|| {
                BackendError::new(ErrorKind::Other, "there is no tokio runtime to connect on")
            });
        };
        if let Some(connection) = states.of(runtime.id(), is_plain_read) {
            return Ok(ConnectionLook::Up(connection.clone()));
        }
        let known = states.outage.recent_failure(Instant::now());
        let known = known.filter(|_| !is_judging).cloned();
        if let Some(attempt) = states.attempt(runtime.id()) {
            return Ok(ConnectionLook::Connecting {
                outcome: attempt.outcome.clone(),
                is_doubt: attempt.purpose.hands_back(),
                known,
            });
        }
        _lost = states.take_unusable(runtime.id());
        let outcome = self
            .shared
            .begin(&mut states, &runtime, Purpose::Connect, is_judging)?;
        Ok(ConnectionLook::Connecting {
            outcome,
            is_doubt: false,
            known,
        })
    }
}
