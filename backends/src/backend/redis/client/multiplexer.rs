//! A connection that many callers share: they put requests into a queue, and wake the driver.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::connection_end::ConnectionEnd;
use super::driver::{Driver, Terms};
use super::in_flight::{InFlight, Lost};
use super::inbox::{Inbox, Pushed};
use super::read_buffer::ReadBuffer;
use super::resp::Reply;
use super::socket::Socket;

/// The callers' end of a connection. Dropping it closes the connection.
pub(super) struct Multiplexer {
    pub(super) inbox: Arc<Inbox>,
}

impl Multiplexer {
    /// Starts the driver of a connection on the present runtime.
    pub(super) fn start(socket: Box<dyn Socket>, input: ReadBuffer, terms: Terms) -> Self {
        let inbox = Arc::new(Inbox::new());
        tokio::spawn(Driver::new(inbox.clone(), socket, input, terms));
        Self { inbox }
    }

    /// Sends the request and waits for its reply.
    ///
    /// A dropped future leaves a request that wasn't sent unsent.
    pub(super) async fn exchange(&self, request: &Arc<InFlight>) -> Result<Reply, Lost> {
        exchange(&self.inbox, request).await
    }

    /// Says whether the connection has ended or takes no further requests.
    pub(super) fn is_draining(&self) -> bool {
        self.inbox.is_draining.load(Ordering::Relaxed)
    }

    /// Returns a number that grows whenever something comes from the server.
    pub(super) fn activity(&self) -> u64 {
        self.inbox.activity.load(Ordering::Relaxed)
    }

    /// Takes no further requests; those in flight may still be answered.
    pub(super) fn drain(&self) {
        self.inbox.is_draining.store(true, Ordering::Relaxed);
    }

    /// Hands everything back that is unsent or harmless to repeat: another connection takes over.
    pub(super) fn hand_back(&self) {
        self.inbox.hand_back();
    }

    /// Hands the reads back that wait behind a write: another connection is there for them.
    pub(super) fn hand_back_reads(&self) {
        self.inbox.hand_back_reads();
    }

    /// Ends the connection, with all requests that are under way.
    pub(super) fn close(&self) {
        self.inbox.end(ConnectionEnd::Closed);
    }

    /// Returns the end of the connection, if it has ended.
    pub(super) fn end(&self) -> Option<ConnectionEnd> {
        self.inbox.queue.lock().end
    }
}

/// As [`Multiplexer::exchange`], by the inbox alone, which doesn't keep the connection open.
pub(super) async fn exchange(inbox: &Inbox, request: &Arc<InFlight>) -> Result<Reply, Lost> {
    let response = request.response();
    loop {
        let room = inbox.room.notified();
        match inbox.push(request) {
            Pushed::Yes => return response.await,
            Pushed::NoRoom => room.await,
            Pushed::Ended => {
                // The caller hasn't left: the request is wanted for another connection.
                request.lose();
                return Err(Lost);
            }
        }
    }
}

impl Drop for Multiplexer {
    fn drop(&mut self) {
        self.close();
    }
}
