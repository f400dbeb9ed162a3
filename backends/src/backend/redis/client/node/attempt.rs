//! An attempt to connect: its turn among the runtimes, and its end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::select;
use parking_lot::MutexGuard;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::NodeShared;
use super::establish::Takes;
use super::purpose::{ConnectAttempt, ConnectOutcome, Purpose};
use super::reach::Reached;
use super::states::States;
use crate::backend::redis::client::connection::Connection;
use crate::backend::redis::client::gate::closed;
use crate::backend::redis::client::ids::ConnectionId;
use crate::backend::redis::client::outage::ConnectFailure;
use crate::error::BackendResult;
use crate::time::deadline::{Deadlines, deadlines};

/// An attempt of the present runtime, as its task knows it.
struct BegunAttempt {
    turn: AttemptTurn,
    outcome: ConnectOutcome,
    deadlines: &'static Deadlines,
}

/// The place of an attempt among those of all runtimes.
pub(super) struct AttemptTurn {
    pub(super) purpose: Purpose,
    /// The generation when it was its turn.
    pub(super) generation: u64,
}

impl NodeShared {
    /// Connects on a task of its own, so that a caller that gives up doesn't take the attempt from
    /// the others.
    pub(super) fn begin(
        self: &Arc<Self>,
        states: &mut States,
        runtime: &Handle,
        purpose: Purpose,
        is_judging: bool,
    ) -> BackendResult<ConnectOutcome> {
        let deadlines = deadlines()?;
        let (tell, outcome) = watch::channel(None);
        let limit = self.context.limits.connect;
        let now = Instant::now();
        let earliest = states.earliest(purpose, limit, now).unwrap_or(now);
        let attempt = ConnectAttempt {
            outcome: outcome.clone(),
            purpose,
            overdue: earliest + (earliest - now) + limit * 2,
        };
        states.begin(runtime.id(), attempt)?;
        let turn = AttemptTurn {
            purpose,
            generation: states.generation,
        };
        let mut begun = BegunAttempt {
            turn,
            outcome: outcome.clone(),
            deadlines,
        };
        let shared = self.clone();
        runtime.spawn(async move {
            let outcome = match shared.turn(&mut begun.turn, begun.deadlines).await {
                Ok(Some(present)) => Ok(present),
                Ok(None) => {
                    let reached = shared.reach(begun.deadlines, is_judging).await;
                    if reached.is_err() {
                        shared.doubt();
                    }
                    let mut states = shared.states.lock();
                    states.ended(begun.turn.purpose, reached.as_ref().err());
                    shared.settle(states, reached, &begun)
                }
                Err(failure) => shared.settle(shared.states.lock(), Err(failure), &begun),
            };
            let _ = tell.send(Some(outcome));
            shared.news.notify_waiters();
        });
        Ok(outcome)
    }

    /// Waits until an attempt of the present runtime may begin. Returns the runtime's connection
    /// instead if calls can go on with it: it answers again, or another runtime has reached the
    /// same server.
    ///
    /// # Errors
    ///
    /// The failure of another attempt that ended meanwhile.
    pub(super) async fn turn(
        &self,
        turn: &mut AttemptTurn,
        deadlines: &Deadlines,
    ) -> Result<Option<Arc<Connection>>, ConnectFailure> {
        let runtime = Handle::current().id();
        let mut seen = None;
        loop {
            // Made before the look: it is told of what happens after that.
            let news = self.news.notified();
            let now = Instant::now();
            let earliest = {
                let mut states = self.states.lock();
                if states.is_closed {
                    return Err(ConnectFailure::of(closed()));
                }
                let (failures, searches) =
                    *seen.get_or_insert((states.outage.failures(), states.searches.ended));
                if let Some(failure) = states.outage.failure_after(failures) {
                    return Err(failure.clone());
                }
                let present = states.living(runtime);
                let is_enough = |present: &&Arc<Connection>| match turn.purpose {
                    Purpose::Connect | Purpose::Relieve | Purpose::Part => false,
                    Purpose::Switch => states.searches.ended > searches,
                    Purpose::Replace { .. } => !turn.purpose.doubts(present),
                };
                if let Some(present) = present.filter(is_enough) {
                    return Ok(Some(present.clone()));
                }
                if present.is_none() && turn.purpose == Purpose::Switch {
                    // Another runtime has found another server: there is nothing to search for.
                    turn.purpose = Purpose::Connect;
                }
                turn.generation = states.generation;
                match states.claim(turn.purpose, self.context.limits.connect, now) {
                    Ok(()) => return Ok(None),
                    Err(earliest) => earliest,
                }
            };
            let pause = deadlines.sleep(earliest - now);
            select(pin!(pause), pin!(news)).await;
        }
    }

    /// Ends an attempt of the present runtime, and returns the connection to use from now on.
    fn settle(
        self: &Arc<Self>,
        mut states: MutexGuard<'_, States>,
        reached: Result<Reached, ConnectFailure>,
        begun: &BegunAttempt,
    ) -> BackendResult<Arc<Connection>> {
        // Dropped after the lock: that wakes a driver.
        let _left;
        let runtime = Handle::current().id();
        let purpose = begun.turn.purpose;
        if states.is_closed {
            return Err(closed());
        }
        // An attempt that was overdue may have been replaced by another one.
        let is_own = |attempt: &ConnectAttempt| attempt.outcome.same_channel(&begun.outcome);
        let state = states.state(runtime);
        let attempt = state.and_then(|state| state.attempt.as_ref());
        let is_own = attempt.is_some_and(is_own);
        let present = state.and_then(|state| state.connection.clone());
        let failed = reached.as_ref().err();
        let is_kept = present
            .as_ref()
            .is_some_and(|present| purpose.keeps(present, failed));
        if matches!(purpose, Purpose::Replace { .. }) && !is_kept {
            states.doubt_server();
        }
        let outcome = reached
            .map(|reached| self.connection_to(&mut states, reached, begun))
            .map_err(|failure| failure.error);
        let generation = states.generation;
        let Some(state) = states.state_mut(runtime).filter(|_| is_own) else {
            return outcome;
        };
        state.attempt = None;
        if let Some(present) = &present
            && purpose.hands_back()
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
        if outcome.is_ok() {
            // Those that the server before was asked by.
            _left = state.reads.take_if(|reads| reads.generation != generation);
            states.made(runtime, purpose != Purpose::Connect);
        }
        drop(states);
        // After the lock: these wake a driver.
        if let Some(replaced) = replaced {
            match purpose.hands_back() {
                true => replaced.multiplexer.hand_back(),
                false => replaced.multiplexer.drain(),
            }
        }
        outcome
    }

    /// Makes the connection to the server that an attempt has reached, and notes the server.
    fn connection_to(
        self: &Arc<Self>,
        states: &mut States,
        reached: Reached,
        begun: &BegunAttempt,
    ) -> Arc<Connection> {
        let run_id = reached.greeted.server.run_id.as_deref();
        let AttemptTurn {
            purpose,
            generation: began,
        } = begun.turn;
        let generation = states.recognise(run_id, purpose, began);
        if generation == states.generation {
            states.introduction = Some(reached.greeted.server.clone());
            states.location = Some(reached.location.clone());
        }
        let takes = Takes::All {
            but_reads: states.living_reads(Handle::current().id()).is_some(),
        };
        let id = ConnectionId::next();
        Arc::new(self.establish(reached, id, takes, generation, begun.deadlines))
    }
}
