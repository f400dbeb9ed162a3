//! The signs of a connection, and what each calls for.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::NodeShared;
use super::purpose::Purpose;
use crate::backend::redis::client::driver::Sign;
use crate::backend::redis::client::ids::ConnectionId;

impl NodeShared {
    /// Does what a sign of the present runtime's connection calls for.
    pub(super) fn note(self: &Arc<Self>, connection: ConnectionId, sign: Sign) {
        match sign {
            Sign::Silent => {
                self.doubt();
                self.replace(connection, |activity| Purpose::Replace { activity });
            }
            Sign::Wasted => self.replace(connection, |_| Purpose::Relieve),
            Sign::Answers => self.news.notify_waiters(),
            Sign::Holds => self.part_reads(connection),
            Sign::Flows => self.join_reads(connection),
        }
    }

    /// Begins to replace the present runtime's connection, for a purpose by its activity.
    fn replace(self: &Arc<Self>, connection: ConnectionId, purpose: impl FnOnce(u64) -> Purpose) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut states = self.states.lock();
        let present = states
            .of(runtime.id(), false)
            .filter(|present| present.id == connection);
        let Some(activity) = present.map(|present| present.multiplexer.activity()) else {
            return;
        };
        if states.is_closed || states.attempt(runtime.id()).is_some() {
            return;
        }
        // Without a thread for the time limits no call comes this far.
        drop(self.begin(&mut states, &runtime, purpose(activity), false));
    }
}
