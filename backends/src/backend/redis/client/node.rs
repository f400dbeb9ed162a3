//! A server and the connections to it, one for each runtime: made when one is needed, replaced when
//! it is lost.
//!
//! The driver of a connection is a task, which stands still where nobody drives its runtime and
//! ends with it. So a call uses the connection of the runtime that polls it, and none waits for
//! another runtime. What one connection learns of the server holds for all: that it is down, and
//! that the address leads to another one now.

use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures_util::future::select;
use parking_lot::Mutex;
use redis::ConnectionInfo;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use super::ClientLimits;
use super::deadline::{Deadlines, deadlines};
use super::dial::{self, Place, dial};
use super::driver::Terms;
use super::gate::closed;
use super::handshake::Greeted;
use super::inbox::End;
use super::multiplexer::Multiplexer;
use super::states::{Attempt, Connection, ConnectionId, Outcome, Purpose, States};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// A call waits no longer for a server of which is known why it can't be reached. It is longer than
/// the pauses between attempts in the first second of an outage.
const KNOWN_DOWN: Duration = Duration::from_millis(150);

/// A server owes an answer for half the limit of a call before it is doubted that the connection is
/// alive, within these bounds.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(25);
const LONGEST_PATIENCE: Duration = Duration::from_secs(30);
/// Load balancers forget connections that were silent for longer, and tell nobody.
const SILENCE: Duration = Duration::from_secs(30);

pub(super) struct Node {
    shared: Arc<Shared>,
}

struct Shared {
    server: ConnectionInfo,
    place: Place,
    limits: ClientLimits,
    /// Held to look at a state or to change it, never across an `.await`.
    states: Mutex<States>,
    /// Tells those whose attempt hasn't begun yet how another one ended.
    news: Notify,
}

/// The caller can't look for another server: it is on no runtime, or the client is closed.
pub(super) struct Impossible;

/// The outcome of a look at the present runtime's state.
enum Look {
    Up(Arc<Connection>),
    Connecting(Outcome),
}

impl Node {
    pub(super) fn new(server: ConnectionInfo, limits: ClientLimits) -> Self {
        let shared = Shared {
            place: Place::of(&server),
            server,
            limits,
            states: Mutex::new(States::new()),
            news: Notify::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Connects, for as long as an attempt may take, and judges the settings.
    pub(super) async fn connect(&self) -> BackendResult<()> {
        let limit = self.shared.limits.connect;
        // The attempt has its own limit; this outer one passes if the runtime never polls it.
        let connected = deadlines()?.within(limit * 2, self.connection_or_judgement(true));
        match connected.await {
            Some(connection) => connection.map(drop),
            None => Err(dial::timeout(&self.shared.place, limit, false)),
        }
    }

    /// Makes no further connection, and ends those that there are.
    pub(super) fn close(&self) {
        let last = self.shared.states.lock().close();
        self.shared.news.notify_waiters();
        last.iter()
            .for_each(|connection| connection.multiplexer.close());
    }

    /// Returns the present runtime's connection, if it is up.
    pub(super) fn ready(&self) -> Option<Arc<Connection>> {
        let states = self.shared.states.lock();
        match Handle::try_current() {
            Ok(runtime) => states.of(runtime.id()).cloned(),
            Err(_) => states.of_any().cloned(),
        }
    }

    /// Returns the present runtime's connection, or waits for the attempt to make one that is under
    /// way or begins now.
    pub(super) async fn connection(&self) -> BackendResult<Arc<Connection>> {
        self.connection_or_judgement(false).await
    }

    async fn connection_or_judgement(&self, is_judging: bool) -> BackendResult<Arc<Connection>> {
        let mut was_dropped = false;
        loop {
            let (mut outcome, known) = match self.look(is_judging)? {
                (Look::Up(connection), _) => return Ok(connection),
                (Look::Connecting(outcome), known) => (outcome, known),
            };
            let ended = outcome.wait_for(Option::is_some);
            let ended = match known {
                None => ended.await,
                Some(error) => match deadlines()?.within(KNOWN_DOWN, ended).await {
                    Some(ended) => ended,
                    None => return Err(error),
                },
            };
            let Ok(outcome) = ended else {
                if was_dropped {
                    return Err(BackendError::new(
                        ErrorKind::Unavailable,
                        "the runtime ended before there was a connection",
                    ));
                }
                was_dropped = true;
                continue;
            };
            match outcome.as_ref() {
                // The address was found to lead elsewhere while the attempt was under way.
                Some(Ok(connection)) if !self.shared.is_current(connection) => {}
                Some(outcome) => return outcome.clone(),
                None => {}
            }
        }
    }

    /// Returns the connection or the attempt of the present runtime; beside the attempt the reason
    /// why the server is down, if it is known.
    fn look(&self, is_judging: bool) -> BackendResult<(Look, Option<BackendError>)> {
        let runtime = Handle::try_current();
        let mut states = self.shared.states.lock();
        if states.is_closed {
            return Err(closed());
        }
        let Ok(runtime) = runtime else {
            let connection = states.of_any().cloned().map(Look::Up);
            let connection = connection.ok_or_else(|| {
                BackendError::new(ErrorKind::Other, "there is no tokio runtime to connect on")
            });
            return Ok((connection?, None));
        };
        if let Some(connection) = states.of(runtime.id()) {
            return Ok((Look::Up(connection.clone()), None));
        }
        let known = states.outage.recent_failure(Instant::now());
        let known = known.filter(|_| !is_judging).cloned();
        if let Some(attempt) = states.attempt(runtime.id()) {
            return Ok((Look::Connecting(attempt.outcome.clone()), known));
        }
        let state = states.state(runtime.id());
        let last = state.and_then(|state| state.connection.as_ref());
        // One of an older generation isn't lost, but left.
        if last.is_some_and(|last| last.generation == states.generation) {
            states.lost();
        }
        let outcome = self
            .shared
            .begin(&mut states, &runtime, Purpose::Connect, is_judging)?;
        Ok((Look::Connecting(outcome), known))
    }

    /// Begins to look for the server to write to: this connection leads to one that takes no
    /// writes. Whoever reads may go on with it meanwhile.
    pub(super) fn begin_search(&self, connection: &Connection) {
        drop(self.searching(connection));
    }

    /// Looks for the server to write to, or waits for the search that is under way, and says
    /// whether there is another connection now.
    pub(super) async fn search(&self, connection: &Connection) -> Result<bool, Impossible> {
        let Some(mut outcome) = self.searching(connection)? else {
            return Ok(true);
        };
        match outcome.wait_for(Option::is_some).await {
            Ok(outcome) => Ok(matches!(*outcome, Some(Ok(_)))),
            Err(_) => Err(Impossible),
        }
    }

    /// Returns the search of the present runtime; nothing if the connection isn't the present one.
    fn searching(&self, connection: &Connection) -> Result<Option<Outcome>, Impossible> {
        let runtime = Handle::try_current().map_err(|_| Impossible)?;
        let mut states = self.shared.states.lock();
        if states.is_closed {
            return Err(Impossible);
        }
        if states.generation != connection.generation {
            return Ok(None);
        }
        if let Some(attempt) = states.attempt(runtime.id()) {
            return Ok(Some(attempt.outcome.clone()));
        }
        states.lost();
        let outcome = self
            .shared
            .begin(&mut states, &runtime, Purpose::Switch, false);
        outcome.map(Some).map_err(|_| Impossible)
    }

    /// Returns the error of a connection that has ended.
    pub(super) fn lost(&self, end: Option<End>) -> BackendError {
        let place = &self.shared.place;
        match end {
            Some(End::Malformed) => BackendError::new(
                ErrorKind::Unavailable,
                format!("the answer of {place} is not RESP"),
            ),
            Some(End::Failed(kind)) => dial::failure(place, kind.into()),
            Some(End::Closed) | None => {
                dial::failure(place, std::io::ErrorKind::ConnectionAborted.into())
            }
        }
    }
}

impl Shared {
    /// Connects on a task of its own, so that a caller that gives up doesn't take the attempt from
    /// the others.
    fn begin(
        self: &Arc<Self>,
        states: &mut States,
        runtime: &Handle,
        purpose: Purpose,
        is_judging: bool,
    ) -> BackendResult<Outcome> {
        let deadlines = deadlines()?;
        let (tell, outcome) = watch::channel(None);
        let now = Instant::now();
        let pause = states
            .outage
            .next()
            .map_or(Duration::ZERO, |next| next - now);
        let attempt = Attempt {
            outcome: outcome.clone(),
            purpose,
            overdue: now + (pause + self.limits.connect) * 2,
        };
        states.begin(runtime.id(), attempt)?;
        let began = states.generation;
        let (shared, own) = (self.clone(), outcome.clone());
        runtime.spawn(async move {
            let reached = match shared.turn(deadlines).await {
                Ok(()) => {
                    let limit = shared.limits.connect;
                    let reached =
                        dial(&shared.server, &shared.place, limit, deadlines, is_judging).await;
                    shared.note(&reached);
                    reached
                }
                Err(error) => Err(error),
            };
            let outcome = shared.settle(reached, purpose, began, &own, deadlines);
            let _ = tell.send(Some(outcome));
        });
        Ok(outcome)
    }

    /// Waits until an attempt may begin.
    ///
    /// # Errors
    ///
    /// The failure of another attempt that ended meanwhile.
    async fn turn(&self, deadlines: &Deadlines) -> BackendResult<()> {
        let mut seen = None;
        loop {
            // Made before the look: it is told of what happens after that.
            let news = self.news.notified();
            let pause = {
                let mut states = self.states.lock();
                if states.is_closed {
                    return Err(closed());
                }
                let outage = &mut states.outage;
                let seen = *seen.get_or_insert(outage.failures());
                if let Some(error) = outage.failure_after(seen) {
                    return Err(error.clone());
                }
                let now = Instant::now();
                if outage.claim(now) {
                    return Ok(());
                }
                outage.next().map_or(Duration::ZERO, |next| next - now)
            };
            select(pin!(deadlines.sleep(pause)), pin!(news)).await;
        }
    }

    /// Notes how an attempt ended, for those that wait for their turn.
    fn note(&self, reached: &BackendResult<Greeted>) {
        let now = Instant::now();
        match reached {
            Ok(_) => self.states.lock().outage.ended(now),
            Err(error) => self.states.lock().outage.failed(now, error),
        }
        self.news.notify_waiters();
    }

    fn is_current(&self, connection: &Connection) -> bool {
        self.states.lock().generation == connection.generation
    }

    /// Ends an attempt of the present runtime, and returns the connection to use from now on.
    fn settle(
        self: &Arc<Self>,
        reached: BackendResult<Greeted>,
        purpose: Purpose,
        began: u64,
        own: &Outcome,
        deadlines: &'static Deadlines,
    ) -> BackendResult<Arc<Connection>> {
        let runtime = Handle::current().id();
        let mut states = self.states.lock();
        if states.is_closed {
            return Err(closed());
        }
        // One that was overdue may have been replaced by another.
        let is_own = |attempt: &Attempt| attempt.outcome.same_channel(own);
        let state = states.state(runtime);
        let attempt = state.and_then(|state| state.attempt.as_ref());
        let is_own = attempt.is_some_and(is_own);
        let present = state.and_then(|state| state.connection.clone());
        let stands_still = matches!(&reached, Err(error) if error.kind() == ErrorKind::Timeout);
        let is_kept = present.as_ref().is_some_and(|present| match purpose {
            Purpose::Replace { .. } => {
                // A server that doesn't greet anybody stands still, and may go on.
                let may_live = stands_still || !purpose.doubts(present);
                may_live && !present.multiplexer.is_draining()
            }
            Purpose::Switch => reached.is_err(),
            Purpose::Connect => false,
        });
        if matches!(purpose, Purpose::Replace { .. }) && !is_kept {
            states.doubt_server();
        }
        let outcome = reached.map(|greeted| {
            let run_id = greeted.server.run_id.as_deref();
            let generation = states.recognise(run_id, purpose, began);
            Arc::new(self.connection(greeted, generation, deadlines))
        });
        let generation = states.generation;
        let Some(state) = states.state_mut(runtime).filter(|_| is_own) else {
            return outcome;
        };
        state.attempt = None;
        if let (Some(present), Purpose::Replace { .. }) = (&present, purpose)
            && is_kept
            && present.generation == generation
        {
            // Before the other connection is dropped: that wakes a driver.
            drop(states);
            return Ok(present.clone());
        }
        let replaced = match &outcome {
            Ok(connection) => state.connection.replace(connection.clone()),
            Err(_) if is_kept => None,
            Err(_) => state.connection.take(),
        };
        drop(states);
        // After the lock: these wake a driver.
        if let Some(replaced) = replaced {
            match purpose {
                Purpose::Replace { .. } => replaced.multiplexer.hand_back(),
                _ => replaced.multiplexer.drain(),
            }
        }
        outcome
    }

    fn connection(
        self: &Arc<Self>,
        greeted: Greeted,
        generation: u64,
        deadlines: &'static Deadlines,
    ) -> Connection {
        let id = ConnectionId::next();
        let shared: Weak<Self> = Arc::downgrade(self);
        let takes_many_keys = greeted.server.takes_many_keys;
        let terms = Terms {
            deadlines,
            patience: (self.limits.call / 2).clamp(SHORTEST_PATIENCE, LONGEST_PATIENCE),
            silence: SILENCE,
            merges_scripts: takes_many_keys,
            doubt: Box::new(move || {
                if let Some(shared) = shared.upgrade() {
                    shared.doubt(id);
                }
            }),
        };
        Connection {
            multiplexer: Multiplexer::start(greeted.socket, greeted.input, terms),
            id,
            deadlines,
            since: Instant::now(),
            takes_many_keys,
            generation,
        }
    }

    /// Finds out whether the present runtime's connection is dead: it owes an answer for long.
    fn doubt(self: &Arc<Self>, connection: ConnectionId) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut states = self.states.lock();
        let present = states
            .of(runtime.id())
            .filter(|present| present.id == connection);
        let Some(activity) = present.map(|present| present.multiplexer.activity()) else {
            return;
        };
        if states.is_closed || states.attempt(runtime.id()).is_some() {
            return;
        }
        // Without a thread for the time limits no call comes this far.
        drop(self.begin(&mut states, &runtime, Purpose::Replace { activity }, false));
    }
}
