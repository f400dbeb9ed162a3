//! A server and the connection to it: made when it is needed, replaced when it is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_timer::Delay;
use parking_lot::Mutex;
use redis::ConnectionInfo;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::deadline::within;
use super::gate::closed;
use super::handshake;
use super::multiplexer::Multiplexer;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The time between two attempts to connect: short, so that a server that is back is found at once.
const RECONNECT_PAUSE: Duration = Duration::from_millis(25);

pub(super) struct Node {
    server: ConnectionInfo,
    /// The limit of one attempt to connect, the greeting and the login included.
    limit: Duration,
    /// Held to look at the state or to change it, never across an `.await`.
    state: Arc<Mutex<State>>,
}

enum State {
    Down {
        /// The time at which the last attempt failed.
        failed: Option<Instant>,
    },
    Connecting {
        attempt: Attempt,
        /// The time at which the attempt must have ended: an attempt on a runtime that nobody drives
        /// any more never does.
        overdue: Instant,
    },
    Up(Arc<Connection>),
    Closed,
}

/// An established connection.
pub(super) struct Connection {
    pub(super) multiplexer: Multiplexer,
    pub(super) generation: Generation,
    /// The time at which the connection was made.
    pub(super) since: Instant,
}

/// Tells one connection from those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation(usize);

/// The outcome of an attempt to connect, for all who wait for it.
type Attempt = watch::Receiver<Option<BackendResult<Arc<Connection>>>>;

impl Node {
    pub(super) fn new(server: ConnectionInfo, limit: Duration) -> Self {
        Self {
            server,
            limit,
            state: Arc::new(Mutex::new(State::Down { failed: None })),
        }
    }

    /// Connects, for as long as an attempt may take.
    pub(super) async fn connect(&self) -> BackendResult<()> {
        // The attempt has its own limit; this outer one passes if the runtime never polls it.
        match within(self.limit * 2, self.connection()).await {
            Some(connection) => connection.map(drop),
            None => Err(handshake::timeout(self.limit)),
        }
    }

    /// Makes no further connection, and closes the one that there is.
    pub(super) fn close(&self) {
        // Dropped after the lock: that wakes the driver.
        let last = std::mem::replace(&mut *self.state.lock(), State::Closed);
        drop(last);
    }

    /// Returns the present connection, or waits for the attempt to make one that is under way or
    /// begins now.
    pub(super) async fn connection(&self) -> BackendResult<Arc<Connection>> {
        let mut was_dropped = false;
        loop {
            let mut attempt = {
                let mut state = self.state.lock();
                match &*state {
                    State::Up(connection) if !connection.multiplexer.is_draining() => {
                        return Ok(connection.clone());
                    }
                    State::Closed => return Err(closed()),
                    State::Connecting { attempt, overdue }
                        if attempt.has_changed().is_ok() && Instant::now() < *overdue =>
                    {
                        attempt.clone()
                    }
                    State::Up(connection) => {
                        // A server that hangs up on everybody isn't called without a pause.
                        let since = Some(connection.since);
                        self.begin_attempt(&mut state, since)?
                    }
                    State::Connecting { .. } => self.begin_attempt(&mut state, None)?,
                    State::Down { failed } => {
                        let failed = *failed;
                        self.begin_attempt(&mut state, failed)?
                    }
                }
            };
            let Ok(outcome) = attempt.wait_for(Option::is_some).await else {
                if was_dropped {
                    return Err(BackendError::new(
                        ErrorKind::Unavailable,
                        "the runtime ended before there was a connection",
                    ));
                }
                was_dropped = true;
                continue;
            };
            if let Some(outcome) = outcome.as_ref() {
                return outcome.clone();
            }
        }
    }

    /// Connects on a task of its own, so that a caller that gives up doesn't take the attempt from
    /// the others.
    fn begin_attempt(&self, state: &mut State, last: Option<Instant>) -> BackendResult<Attempt> {
        let runtime = Handle::try_current().map_err(|_| {
            BackendError::new(ErrorKind::Other, "there is no tokio runtime to connect on")
        })?;
        let (tell, attempt) = watch::channel(None);
        let (server, limit) = (self.server.clone(), self.limit);
        *state = State::Connecting {
            attempt: attempt.clone(),
            overdue: Instant::now() + (RECONNECT_PAUSE + limit) * 2,
        };
        let state = self.state.clone();
        runtime.spawn(async move {
            if let Some(last) = last {
                Delay::new(RECONNECT_PAUSE.saturating_sub(last.elapsed())).await;
            }
            let multiplexer = handshake::connect(&server, limit).await;
            let outcome = multiplexer.map(|multiplexer| Arc::new(Connection::new(multiplexer)));
            let mut state = state.lock();
            // Another attempt may have been quicker, or the node closed.
            if matches!(*state, State::Connecting { .. }) {
                *state = match &outcome {
                    Ok(connection) => State::Up(connection.clone()),
                    Err(_) => State::Down {
                        failed: Some(Instant::now()),
                    },
                };
            }
            drop(state);
            let _ = tell.send(Some(outcome));
        });
        Ok(attempt)
    }
}

impl Connection {
    fn new(multiplexer: Multiplexer) -> Self {
        static GENERATIONS: AtomicUsize = AtomicUsize::new(0);
        Self {
            multiplexer,
            generation: Generation(GENERATIONS.fetch_add(1, Ordering::Relaxed)),
            since: Instant::now(),
        }
    }
}
