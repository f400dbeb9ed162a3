//! The search for a server that takes writes, when the known one does not.

use tokio::runtime::Handle;

use super::Node;
use super::purpose::{ConnectOutcome, Purpose};
use crate::backend::redis::client::connection::Connection;
use crate::error::BackendError;

/// The reason for which a search brought no server to write to.
pub(in crate::backend::redis::client) enum NotFound {
    Failed(BackendError),
    /// The caller can't search: it is on no runtime, or the client is closed.
    Impossible,
}

impl Node {
    /// Begins to look for the server to write to: this connection leads to a server that takes no
    /// writes. Reads may go on over this connection meanwhile.
    pub(in crate::backend::redis::client) fn begin_search(&self, connection: &Connection) {
        drop(self.searching(connection));
    }

    /// Looks for the server to write to, or waits for the search that is under way. Afterwards a
    /// request that was refused may be sent again, perhaps to the same server.
    pub(in crate::backend::redis::client) async fn search(
        &self,
        connection: &Connection,
    ) -> Result<(), NotFound> {
        let Some(mut outcome) = self.searching(connection)? else {
            return Ok(());
        };
        match outcome.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Err(error))) => Err(NotFound::Failed(error.clone())),
            Ok(_) => Ok(()),
            Err(_) => Err(NotFound::Impossible),
        }
    }

    /// Returns the search of the present runtime; nothing if it has another connection by now.
    fn searching(&self, connection: &Connection) -> Result<Option<ConnectOutcome>, NotFound> {
        let runtime = Handle::try_current().map_err(|_| NotFound::Impossible)?;
        let mut states = self.shared.states.lock();
        if states.is_closed {
            return Err(NotFound::Impossible);
        }
        let present = states.living(runtime.id());
        if present.is_none_or(|present| present.id != connection.id) {
            return Ok(None);
        }
        if let Some(attempt) = states.attempt(runtime.id()) {
            return Ok(Some(attempt.outcome.clone()));
        }
        let outcome = self
            .shared
            .begin(&mut states, &runtime, Purpose::Switch, false);
        outcome.map(Some).map_err(NotFound::Failed)
    }
}
