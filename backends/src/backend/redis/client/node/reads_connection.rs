//! The connection of a runtime for reads alone, beside the main connection, while writes are held
//! up there.
//!
//! A server that is paused for writes (`CLIENT PAUSE .. WRITE`, a failover that an operator asked
//! for) answers reads. It answers the commands of one connection in their order, so a read behind a
//! write would wait with it. Writes keep to one connection: a write that timed out must not be
//! executed after a write that came later. So the reads go by another connection, until a write is
//! answered.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Handle;

use super::NodeShared;
use super::attempt::AttemptTurn;
use super::establish::Takes;
use super::purpose::Purpose;
use crate::backend::redis::client::connection::Connection;
use crate::backend::redis::client::driver::Sign;
use crate::backend::redis::client::ids::ConnectionId;
use crate::time::deadline::{Deadlines, deadlines};

impl NodeShared {
    /// Hands the reads that wait behind a write to another connection, as soon as there is one.
    pub(super) fn part_reads(self: &Arc<Self>, connection: ConnectionId) {
        let (Ok(runtime), Ok(deadlines)) = (Handle::try_current(), deadlines()) else {
            return;
        };
        let now = Instant::now();
        let mut states = self.states.lock();
        let present = states.living(runtime.id());
        let present = present.filter(|present| present.id == connection).cloned();
        let Some(present) = present.filter(|_| !states.is_closed) else {
            return;
        };
        if states.living_reads(runtime.id()).is_some() {
            drop(states);
            present.multiplexer.hand_back_reads();
            return;
        }
        let generation = states.generation;
        if !states.knows_id() {
            return;
        }
        let Some(state) = states.state_mut(runtime.id()) else {
            return;
        };
        if state.reads_overdue.is_some_and(|overdue| now < overdue) {
            return;
        }
        state.reads_overdue = Some(now + self.context.limits.connect * 2);
        drop(states);
        let turn = AttemptTurn {
            purpose: Purpose::Part,
            generation,
        };
        let shared = self.clone();
        runtime.spawn(async move {
            let reads = shared.reads_beside(&present, turn, deadlines).await;
            shared.take_reads(&present, reads.map(Arc::new));
            shared.news.notify_waiters();
        });
    }

    /// Connects once more to the server of another connection. A failure says no more than the
    /// silence of that connection will.
    async fn reads_beside(
        self: &Arc<Self>,
        present: &Connection,
        mut turn: AttemptTurn,
        deadlines: &'static Deadlines,
    ) -> Option<Connection> {
        self.turn(&mut turn, deadlines).await.ok()?;
        let reached = self.reach(deadlines, false).await;
        let mut states = self.states.lock();
        states.ended(turn.purpose, reached.as_ref().err());
        let reached = reached.ok()?;
        // Without an id nothing tells that both connections lead to one server.
        let is_same = states.is_known(reached.greeted.server.run_id.as_deref());
        drop(states);
        let (id, generation) = (present.id, present.generation);
        is_same.then(|| self.establish(reached, id, Takes::Reads, generation, deadlines))
    }

    /// Notes the end of the attempt to make a connection for reads.
    fn take_reads(&self, present: &Connection, reads: Option<Arc<Connection>>) {
        let runtime = Handle::current().id();
        // Dropped after the lock: that wakes a driver.
        let _before;
        {
            let mut states = self.states.lock();
            let living = states.living(runtime).filter(|_| !states.is_closed);
            let is_current = living.is_some_and(|living| living.id == present.id);
            let Some(state) = states.state_mut(runtime) else {
                return;
            };
            // If it is gone, the writes flow again by now.
            let is_wanted = state.reads_overdue.take().is_some();
            if !is_current || !is_wanted || reads.is_none() {
                return;
            }
            _before = std::mem::replace(&mut state.reads, reads);
        }
        present.multiplexer.hand_back_reads();
    }

    /// Lets reads go by the connection of the writes again.
    pub(super) fn join_reads(&self, connection: ConnectionId) {
        self.leave_reads(Some(connection));
    }

    /// Does what a sign of the connection for reads calls for.
    pub(super) fn note_of_reads(&self, sign: Sign) {
        if let Sign::Silent | Sign::Wasted = sign
            && let Some(reads) = self.leave_reads(None)
        {
            reads.multiplexer.hand_back();
        }
    }

    /// Forgets the present runtime's connection for reads; with `beside` only if `beside` is the
    /// main connection.
    fn leave_reads(&self, beside: Option<ConnectionId>) -> Option<Arc<Connection>> {
        let runtime = Handle::try_current().ok()?;
        let mut states = self.states.lock();
        let state = states.state_mut(runtime.id())?;
        let present = state.connection.as_ref();
        if present
            .zip(beside)
            .is_some_and(|(present, beside)| present.id != beside)
        {
            return None;
        }
        state.reads_overdue = None;
        state.reads.take()
    }
}
