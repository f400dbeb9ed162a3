//! A server and the connections to it, one for each runtime: made when one is needed, replaced when
//! it is lost.
//!
//! The driver of a connection is a task, which stands still where nobody drives its runtime and
//! ends with it. So a call uses the connection of the runtime that polls it, and none waits for
//! another runtime. What one connection learns of the server holds for all: a generation number
//! rises when the server turns out to be the wrong one, and no call that begins later uses a
//! connection of an older generation.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::ConnectionInfo;
use tokio::runtime::{Handle, Id};
use tokio::sync::watch;

use super::deadline::{Deadlines, deadlines};
use super::gate::closed;
use super::handshake;
use super::multiplexer::Multiplexer;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The time between two attempts to connect: short, so that a server that is back is found at once.
const RECONNECT_PAUSE: Duration = Duration::from_millis(25);
/// The most runtimes that have connections at one time.
const MOST_RUNTIMES: usize = 1024;

pub(super) struct Node {
    server: ConnectionInfo,
    /// The limit of one attempt to connect, the greeting and the login included.
    limit: Duration,
    /// Held to look at a state or to change it, never across an `.await`.
    states: Arc<Mutex<States>>,
}

struct States {
    /// The runtimes that use the node are few, so the search is short.
    by_runtime: Vec<(Id, State)>,
    generation: u64,
    is_closed: bool,
    /// The process that made the connections. A child after `fork` never uses them.
    process: u32,
}

/// The connection of one runtime.
enum State {
    Down {
        /// The time at which the last attempt failed.
        failed: Instant,
    },
    Connecting {
        attempt: Attempt,
        /// The time at which the attempt must have ended: an attempt on a runtime that nobody
        /// drives any more never does.
        overdue: Instant,
    },
    Up(Arc<Connection>),
}

/// An established connection.
pub(super) struct Connection {
    pub(super) multiplexer: Multiplexer,
    pub(super) id: ConnectionId,
    /// The time limits of the process that made it.
    pub(super) deadlines: &'static Deadlines,
    /// The time at which the connection was made.
    pub(super) since: Instant,
    /// The generation of the node when the attempt to connect began.
    generation: u64,
}

/// Tells one connection from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionId(usize);

/// The outcome of an attempt to connect, for all who wait for it.
type Attempt = watch::Receiver<Option<BackendResult<Arc<Connection>>>>;

impl Node {
    pub(super) fn new(server: ConnectionInfo, limit: Duration) -> Self {
        Self {
            server,
            limit,
            states: Arc::new(Mutex::new(States {
                by_runtime: Vec::new(),
                generation: 0,
                is_closed: false,
                process: process::id(),
            })),
        }
    }

    /// Connects, for as long as an attempt may take.
    pub(super) async fn connect(&self) -> BackendResult<()> {
        // The attempt has its own limit; this outer one passes if the runtime never polls it.
        let connected = deadlines()?.within(self.limit * 2, self.connection());
        match connected.await {
            Some(connection) => connection.map(drop),
            None => Err(handshake::timeout(self.limit)),
        }
    }

    /// Makes no further connection, and ends those that there are.
    pub(super) fn close(&self) {
        let last = {
            let mut states = self.states.lock();
            states.is_closed = true;
            std::mem::take(&mut states.by_runtime)
        };
        for (_, state) in last {
            if let State::Up(connection) = state {
                connection.multiplexer.close();
            }
        }
    }

    /// Returns the present runtime's connection, if it is up.
    pub(super) fn ready(&self) -> Option<Arc<Connection>> {
        match Handle::try_current() {
            Ok(runtime) => self.states.lock().of(runtime.id()).cloned(),
            Err(_) => self.states.lock().of_any().cloned(),
        }
    }

    /// Takes no further calls over connections to the server that this one leads to: it is the
    /// wrong server to ask.
    pub(super) fn leave(&self, connection: &Connection) {
        connection.multiplexer.drain();
        let mut states = self.states.lock();
        if states.generation == connection.generation {
            states.generation += 1;
        }
    }

    /// Returns the present runtime's connection, or waits for the attempt to make one that is under
    /// way or begins now.
    pub(super) async fn connection(&self) -> BackendResult<Arc<Connection>> {
        let mut was_dropped = false;
        loop {
            let mut attempt = match self.look()? {
                Look::Up(connection) => return Ok(connection),
                Look::Connecting(attempt) => attempt,
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

    fn look(&self) -> BackendResult<Look> {
        let runtime = Handle::try_current();
        let mut states = self.states.lock();
        if states.is_closed {
            return Err(closed());
        }
        let Ok(runtime) = runtime else {
            let connection = states.of_any().cloned().map(Look::Up);
            return connection.ok_or_else(|| {
                BackendError::new(ErrorKind::Other, "there is no tokio runtime to connect on")
            });
        };
        if let Some(connection) = states.of(runtime.id()) {
            return Ok(Look::Up(connection.clone()));
        }
        let last = match states.state(runtime.id()) {
            Some(State::Connecting { attempt, overdue })
                if attempt.has_changed().is_ok() && Instant::now() < *overdue =>
            {
                return Ok(Look::Connecting(attempt.clone()));
            }
            // A server that hangs up on everybody isn't called without a pause.
            Some(State::Up(connection)) => Some(connection.since),
            Some(State::Down { failed }) => Some(*failed),
            Some(State::Connecting { .. }) | None => None,
        };
        let (attempt, replaced) = self.begin_attempt(&mut states, &runtime, last)?;
        drop(states);
        // Dropped after the lock: that wakes a driver.
        drop(replaced);
        Ok(Look::Connecting(attempt))
    }

    /// Connects on a task of its own, so that a caller that gives up doesn't take the attempt from
    /// the others. Returns the state that the attempt takes the place of.
    fn begin_attempt(
        &self,
        states: &mut States,
        runtime: &Handle,
        last: Option<Instant>,
    ) -> BackendResult<(Attempt, Option<State>)> {
        let deadlines = deadlines()?;
        states.tidy();
        let (tell, attempt) = watch::channel(None);
        let (server, limit) = (self.server.clone(), self.limit);
        let (id, generation) = (runtime.id(), states.generation);
        let connecting = State::Connecting {
            attempt: attempt.clone(),
            overdue: Instant::now() + (RECONNECT_PAUSE + limit) * 2,
        };
        let replaced = states.set(id, connecting)?;
        let states = self.states.clone();
        runtime.spawn(async move {
            let pause = last.map(|last| RECONNECT_PAUSE.saturating_sub(last.elapsed()));
            if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
                deadlines.sleep(pause).await;
            }
            let connecting = handshake::connect(&server, limit, deadlines).await;
            let outcome = connecting
                .map(|multiplexer| Arc::new(Connection::new(multiplexer, deadlines, generation)));
            let mut states = states.lock();
            // Another attempt may have been quicker, or the node closed.
            if let Some(state) = states.state_mut(id)
                && matches!(state, State::Connecting { .. })
            {
                *state = match &outcome {
                    Ok(connection) => State::Up(connection.clone()),
                    Err(_) => State::Down {
                        failed: Instant::now(),
                    },
                };
            }
            drop(states);
            let _ = tell.send(Some(outcome));
        });
        Ok((attempt, replaced))
    }
}

/// The outcome of a look at the present runtime's state.
enum Look {
    Up(Arc<Connection>),
    Connecting(Attempt),
}

impl States {
    fn state(&self, runtime: Id) -> Option<&State> {
        let mut states = self.by_runtime.iter();
        states.find_map(|(id, state)| (*id == runtime).then_some(state))
    }

    fn state_mut(&mut self, runtime: Id) -> Option<&mut State> {
        let mut states = self.by_runtime.iter_mut();
        states.find_map(|(id, state)| (*id == runtime).then_some(state))
    }

    /// Returns the connection of a runtime, if it is up.
    fn of(&self, runtime: Id) -> Option<&Arc<Connection>> {
        self.state(runtime).and_then(|state| self.usable(state))
    }

    /// Returns the connection of any runtime, for a caller on none.
    fn of_any(&self) -> Option<&Arc<Connection>> {
        if self.process != process::id() {
            return None;
        }
        let mut states = self.by_runtime.iter();
        states.find_map(|(_, state)| self.usable(state))
    }

    fn usable<'s>(&self, state: &'s State) -> Option<&'s Arc<Connection>> {
        match state {
            State::Up(connection)
                if !connection.multiplexer.is_draining()
                    && connection.generation == self.generation =>
            {
                Some(connection)
            }
            _ => None,
        }
    }

    fn set(&mut self, runtime: Id, state: State) -> BackendResult<Option<State>> {
        if let Some(present) = self.state_mut(runtime) {
            return Ok(Some(std::mem::replace(present, state)));
        }
        if self.by_runtime.len() >= MOST_RUNTIMES {
            return Err(BackendError::new(
                ErrorKind::Unavailable,
                format!("{MOST_RUNTIMES} runtimes have connections already"),
            ));
        }
        self.by_runtime.push((runtime, state));
        Ok(None)
    }

    /// Removes the connections and attempts that runtimes which have ended left behind.
    fn tidy(&mut self) {
        let process = process::id();
        if self.process != process {
            // Dropping a connection wakes its driver, on a runtime whose threads the child of a
            // `fork` doesn't have and whose locks they may have held.
            std::mem::forget(std::mem::take(&mut self.by_runtime));
            self.process = process;
        }
        self.by_runtime.retain(|(_, state)| match state {
            State::Up(connection) => connection.multiplexer.end().is_none(),
            State::Connecting { attempt, .. } => attempt.has_changed().is_ok(),
            State::Down { failed } => failed.elapsed() < RECONNECT_PAUSE,
        });
    }
}

impl Connection {
    fn new(multiplexer: Multiplexer, deadlines: &'static Deadlines, generation: u64) -> Self {
        static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);
        Self {
            multiplexer,
            id: ConnectionId(CONNECTIONS.fetch_add(1, Ordering::Relaxed)),
            deadlines,
            since: Instant::now(),
            generation,
        }
    }
}
