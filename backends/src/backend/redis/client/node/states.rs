//! The known state of a server and of the connections to it, by runtime.

use std::collections::VecDeque;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Id;

use super::purpose::{ConnectAttempt, Purpose};
use super::recognised::Recognised;
use crate::backend::redis::client::connection::Connection;
use crate::backend::redis::client::handshake::Introduction;
use crate::backend::redis::client::location::ServerLocation;
use crate::backend::redis::client::outage::{ConnectFailure, Outage, Searches};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The most runtimes that have connections at one time.
const MOST_RUNTIMES: usize = 1024;

/// The known state of a server, and of the connections to it.
pub(super) struct States {
    /// The runtimes that use the node are few, so the search is short.
    by_runtime: Vec<(Id, RuntimeState)>,
    /// Rises when the address turns out to lead to another server, before any caller gets an answer
    /// of that server. No call that begins later uses a connection of an older generation.
    pub(super) generation: u64,
    pub(super) is_closed: bool,
    pub(super) outage: Outage,
    pub(super) searches: Searches,
    /// The server of the last greeting.
    pub(super) introduction: Option<Introduction>,
    /// The place of that server.
    pub(super) location: Option<Arc<ServerLocation>>,
    pub(super) reconnections: u64,
    /// The last runtimes that had a connection which isn't made again yet.
    missing: VecDeque<Id>,
    /// The time at which a runtime began to look whether the server answers. Other runtimes wait
    /// for its result.
    replacing: Option<Instant>,
    server: Recognised,
    /// The process that made the connections. A child after `fork` never uses them.
    process: u32,
}

/// The connection of one runtime, and the attempt to make one.
#[derive(Default)]
pub(super) struct RuntimeState {
    pub(super) connection: Option<Arc<Connection>>,
    pub(super) attempt: Option<ConnectAttempt>,
    /// The connection for reads alone, while writes are held up on the other.
    pub(super) reads: Option<Arc<Connection>>,
    /// The time at which the attempt to make the connection for reads must have ended, while there
    /// is such an attempt.
    pub(super) reads_overdue: Option<Instant>,
}

impl RuntimeState {
    fn connections(&self) -> impl Iterator<Item = &Arc<Connection>> {
        self.connection.iter().chain(&self.reads)
    }
}

impl States {
    pub(super) fn new() -> Self {
        Self {
            by_runtime: Vec::new(),
            generation: 0,
            is_closed: false,
            outage: Outage::default(),
            searches: Searches::default(),
            introduction: None,
            location: None,
            reconnections: 0,
            missing: VecDeque::new(),
            replacing: None,
            server: Recognised::default(),
            process: process::id(),
        }
    }

    pub(super) fn state(&self, runtime: Id) -> Option<&RuntimeState> {
        let mut states = self.by_runtime.iter();
        states.find_map(|(id, state)| (*id == runtime).then_some(state))
    }

    pub(super) fn state_mut(&mut self, runtime: Id) -> Option<&mut RuntimeState> {
        let mut states = self.by_runtime.iter_mut();
        states.find_map(|(id, state)| (*id == runtime).then_some(state))
    }

    /// Returns the attempt of a runtime that is under way.
    pub(super) fn attempt(&self, runtime: Id) -> Option<&ConnectAttempt> {
        let attempt = self.state(runtime)?.attempt.as_ref();
        attempt.filter(|attempt| attempt.is_under_way())
    }

    /// Returns the connection of a runtime that is up, for a plain read or anything else.
    pub(super) fn of(&self, runtime: Id, is_plain_read: bool) -> Option<&Arc<Connection>> {
        let state = self.state(runtime)?;
        let reads = is_plain_read.then(|| self.living_reads_in(state)).flatten();
        reads.or_else(|| self.usable(state))
    }

    /// Returns the connection of any runtime, for a caller on none.
    pub(super) fn of_any(&self) -> Option<&Arc<Connection>> {
        if self.process != process::id() {
            return None;
        }
        let mut states = self.by_runtime.iter();
        states.find_map(|(_, state)| self.usable(state))
    }

    fn usable<'s>(&self, state: &'s RuntimeState) -> Option<&'s Arc<Connection>> {
        let connection = self.living_in(state)?;
        let is_doubted = state
            .attempt
            .as_ref()
            .is_some_and(|attempt| attempt.purpose.doubts(connection) && attempt.is_under_way());
        (!is_doubted).then_some(connection)
    }

    /// Returns the connection of a runtime, if it leads to the present server and takes requests,
    /// even if it is doubted.
    pub(super) fn living(&self, runtime: Id) -> Option<&Arc<Connection>> {
        self.living_in(self.state(runtime)?)
    }

    fn living_in<'s>(&self, state: &'s RuntimeState) -> Option<&'s Arc<Connection>> {
        let connection = state.connection.as_ref();
        connection.filter(|connection| self.is_living(connection))
    }

    /// Returns the connection of a runtime for reads alone, if it leads to the present server.
    pub(super) fn living_reads(&self, runtime: Id) -> Option<&Arc<Connection>> {
        self.living_reads_in(self.state(runtime)?)
    }

    fn living_reads_in<'s>(&self, state: &'s RuntimeState) -> Option<&'s Arc<Connection>> {
        let reads = state.reads.as_ref();
        reads.filter(|reads| self.is_living(reads))
    }

    fn is_living(&self, connection: &Connection) -> bool {
        connection.generation == self.generation && !connection.multiplexer.is_draining()
    }

    /// Returns the connections that are up.
    pub(super) fn up(&self) -> impl Iterator<Item = &Arc<Connection>> {
        let states = self.by_runtime.iter();
        let connections = states.flat_map(|(_, state)| state.connections());
        connections.filter(|connection| self.is_living(connection))
    }

    /// Notes an attempt of a runtime.
    pub(super) fn begin(&mut self, runtime: Id, attempt: ConnectAttempt) -> BackendResult<()> {
        self.tidy();
        if let Some(state) = self.state_mut(runtime) {
            state.attempt = Some(attempt);
            return Ok(());
        }
        if self.by_runtime.len() >= MOST_RUNTIMES {
            return Err(BackendError::new(
                ErrorKind::Unavailable,
                format!("{MOST_RUNTIMES} runtimes have connections already"),
            ));
        }
        let state = RuntimeState {
            attempt: Some(attempt),
            ..RuntimeState::default()
        };
        self.by_runtime.push((runtime, state));
        Ok(())
    }

    /// Returns the time before which no attempt of this purpose is to begin, if that isn't past.
    pub(super) fn earliest(
        &self,
        purpose: Purpose,
        limit: Duration,
        now: Instant,
    ) -> Option<Instant> {
        let other = match purpose {
            Purpose::Connect | Purpose::Relieve => None,
            Purpose::Switch => self.searches.next(),
            // The runtime that looks may have come to a standstill.
            Purpose::Replace { .. } | Purpose::Part => self.replacing.map(|since| since + limit),
        };
        let earliest = self.outage.next().max(other);
        earliest.filter(|earliest| now < *earliest)
    }

    /// Takes the turn to make an attempt, which takes `limit` at most.
    ///
    /// # Errors
    ///
    /// The time before which it isn't one's turn.
    pub(super) fn claim(
        &mut self,
        purpose: Purpose,
        limit: Duration,
        now: Instant,
    ) -> Result<(), Instant> {
        if let Some(earliest) = self.earliest(purpose, limit, now) {
            return Err(earliest);
        }
        self.outage.claim(now);
        match purpose {
            Purpose::Connect | Purpose::Relieve => {}
            Purpose::Switch => self.searches.claim(now),
            Purpose::Replace { .. } | Purpose::Part => self.replacing = Some(now),
        }
        Ok(())
    }

    /// Notes the end of an attempt.
    pub(super) fn ended(&mut self, purpose: Purpose, failed: Option<&ConnectFailure>) {
        let now = Instant::now();
        match failed {
            None => self.outage.ended(now),
            Some(failure) => self.outage.failed(now, failure),
        }
        match purpose {
            Purpose::Connect | Purpose::Relieve => {}
            Purpose::Switch => self.searches.ended += u64::from(failed.is_none()),
            Purpose::Replace { .. } | Purpose::Part => self.replacing = None,
        }
    }

    /// Notes that a connection was made, in place of another if `replaces` says so.
    pub(super) fn made(&mut self, runtime: Id, replaces: bool) {
        let missing = self.missing.iter().position(|missing| *missing == runtime);
        if let Some(missing) = missing {
            self.missing.remove(missing);
        }
        self.reconnections += u64::from(replaces || missing.is_some());
    }

    /// Takes away the connection of a runtime if it can't be used any more.
    pub(super) fn take_unusable(&mut self, runtime: Id) -> Option<Arc<Connection>> {
        let last = self.state_mut(runtime)?.connection.take()?;
        miss(&mut self.missing, runtime);
        // A connection that takes no further requests, or is of an older generation, isn't lost,
        // but left.
        let has_ended = last.multiplexer.end().is_some();
        if has_ended && last.generation == self.generation {
            self.lost();
        }
        Some(last)
    }

    /// Notes that a connection was lost.
    pub(super) fn lost(&mut self) {
        self.outage.lost(Instant::now());
        self.doubt_server();
    }

    /// Notes that the address may lead to another server by now.
    pub(super) fn doubt_server(&mut self) {
        self.server.is_in_doubt = true;
    }

    /// Says whether the known server has told its id.
    pub(super) fn knows_id(&self) -> bool {
        self.server.run_id.is_some()
    }

    /// Says whether the known server has this id.
    pub(super) fn is_known(&self, run_id: Option<&str>) -> bool {
        run_id.is_some() && self.server.run_id.as_deref() == run_id
    }

    /// Notes the server that an attempt of generation `began` has reached, and returns the
    /// generation of the connection to it.
    pub(super) fn recognise(&mut self, run_id: Option<&str>, purpose: Purpose, began: u64) -> u64 {
        let is_known = self.is_known(run_id);
        // An attempt that began before tells of the past, unless it reached the same server.
        if self.generation != began {
            return if is_known { self.generation } else { began };
        }
        let is_other = self.server.is_other(run_id);
        self.generation += u64::from(is_other || purpose == Purpose::Switch && !is_known);
        self.generation
    }

    /// Notes that another server has taken the place of the present one, and returns all
    /// connections. These connections are of an older generation from now on.
    pub(super) fn switched(&mut self) -> Vec<Arc<Connection>> {
        self.forget_others();
        self.generation += 1;
        self.doubt_server();
        // An attempt under way may reach it once more.
        self.server.run_id = None;
        let mut connections = Vec::new();
        for (runtime, state) in &mut self.by_runtime {
            if state.connection.is_some() {
                miss(&mut self.missing, *runtime);
            }
            connections.extend(
                [state.connection.take(), state.reads.take()]
                    .into_iter()
                    .flatten(),
            );
        }
        connections
    }

    /// Returns all connections, forgets them, and makes no further ones.
    pub(super) fn close(&mut self) -> Vec<Arc<Connection>> {
        self.is_closed = true;
        self.leave()
    }

    /// Returns all connections, and forgets them.
    pub(super) fn leave(&mut self) -> Vec<Arc<Connection>> {
        self.forget_others();
        let states = std::mem::take(&mut self.by_runtime);
        let states = states.into_iter().map(|(_, state)| state);
        let connections = states.flat_map(|state| [state.connection, state.reads]);
        connections.flatten().collect()
    }

    /// Forgets the connections and attempts of the process that this one was forked from.
    fn forget_others(&mut self) {
        let process = process::id();
        if self.process != process {
            // Dropping a connection wakes its driver, on a runtime whose threads the child of a
            // `fork` doesn't have and whose locks they may have held.
            std::mem::forget(std::mem::take(&mut self.by_runtime));
            self.process = process;
        }
    }

    /// Removes the connections and attempts that runtimes which have ended left behind.
    fn tidy(&mut self) {
        self.forget_others();
        self.by_runtime.retain(|(_, state)| {
            let attempt = state.attempt.as_ref();
            let mut connections = state.connections();
            connections.any(|connection| connection.multiplexer.end().is_none())
                || attempt.is_some_and(|attempt| attempt.outcome.has_changed().is_ok())
        });
    }
}

/// Notes a runtime whose connection was lost or left.
fn miss(missing: &mut VecDeque<Id>, runtime: Id) {
    if missing.len() >= MOST_RUNTIMES {
        missing.pop_front();
    }
    missing.push_back(runtime);
}

impl Drop for States {
    fn drop(&mut self) {
        self.forget_others();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(states: &mut States, run_id: Option<&str>, purpose: Purpose) -> u64 {
        let began = states.generation;
        states.recognise(run_id, purpose, began);
        states.generation
    }

    #[test]
    fn another_server_behind_the_address_raises_the_generation() {
        let mut states = States::new();
        assert_eq!(reached(&mut states, Some("a"), Purpose::Connect), 0);
        assert_eq!(reached(&mut states, Some("a"), Purpose::Connect), 0);
        states.lost();
        assert_eq!(reached(&mut states, Some("a"), Purpose::Connect), 0);
        assert_eq!(reached(&mut states, Some("b"), Purpose::Connect), 1);
        // A search that ends where it began has found nothing new.
        assert_eq!(reached(&mut states, Some("b"), Purpose::Switch), 1);
        assert_eq!(reached(&mut states, Some("c"), Purpose::Switch), 2);
    }

    #[test]
    fn a_lost_connection_may_mean_another_server_where_none_tells_its_id() {
        let mut states = States::new();
        assert_eq!(reached(&mut states, None, Purpose::Connect), 0);
        assert_eq!(reached(&mut states, None, Purpose::Connect), 0);
        states.lost();
        assert_eq!(reached(&mut states, None, Purpose::Connect), 1);
        assert_eq!(reached(&mut states, None, Purpose::Connect), 1);
        assert_eq!(reached(&mut states, None, Purpose::Switch), 2);
    }

    #[test]
    fn servers_that_take_turns_behind_an_address_are_not_followed() {
        let mut states = States::new();
        for run_id in ["a", "b", "a"] {
            reached(&mut states, Some(run_id), Purpose::Connect);
        }
        let before = states.generation;
        for run_id in ["b", "a", "c"] {
            reached(&mut states, Some(run_id), Purpose::Connect);
        }
        assert_eq!(states.generation, before);
    }

    #[test]
    fn an_attempt_that_began_before_a_switch_tells_nothing_of_the_server() {
        let mut states = States::new();
        reached(&mut states, Some("a"), Purpose::Connect);
        assert_eq!(reached(&mut states, Some("b"), Purpose::Connect), 1);
        assert_eq!(states.recognise(Some("a"), Purpose::Connect, 0), 0);
        // Unless it reached the same server.
        assert_eq!(states.recognise(Some("b"), Purpose::Connect, 0), 1);
        assert_eq!(reached(&mut states, Some("b"), Purpose::Connect), 1);
        assert_eq!(reached(&mut states, Some("c"), Purpose::Connect), 2);
    }

    #[test]
    fn who_reaches_a_primary_again_that_was_left_tells_of_the_past() {
        let mut states = States::new();
        reached(&mut states, Some("a"), Purpose::Connect);
        assert!(states.switched().is_empty());
        assert_eq!(states.generation, 1);
        assert_eq!(states.recognise(Some("a"), Purpose::Connect, 0), 0);
        assert!(reached(&mut states, Some("b"), Purpose::Connect) > 1);
    }

    #[test]
    fn runtimes_take_turns_to_search_and_to_replace_a_connection() {
        let mut states = States::new();
        let (now, limit) = (Instant::now(), Duration::from_secs(5));
        let replace = Purpose::Replace { activity: 0 };
        for purpose in [Purpose::Switch, replace] {
            assert!(states.claim(purpose, limit, now).is_ok());
            assert!(states.claim(purpose, limit, now).is_err());
        }
        assert_eq!(states.claim(replace, limit, now), Err(now + limit));
        // Those who have no connection don't wait for either.
        assert!(states.claim(Purpose::Connect, limit, now).is_ok());
        states.ended(replace, None);
        assert!(states.claim(replace, limit, now).is_ok());
        let later = states.searches.next().unwrap();
        assert!(states.claim(Purpose::Switch, limit, later).is_ok());
    }

    #[test]
    fn an_attempt_that_began_before_a_switch_does_not_count_as_new() {
        let mut states = States::new();
        reached(&mut states, Some("a"), Purpose::Connect);
        assert_eq!(states.recognise(Some("b"), Purpose::Switch, 0), 1);
        assert_eq!(states.recognise(Some("a"), Purpose::Connect, 0), 0);
        assert_eq!(states.generation, 1);
    }
}
