//! The commands that a server turned out not to know.

use std::sync::atomic::{AtomicBool, Ordering};

use super::client::{Reply, is_unknown};

/// The commands that the server turned out not to know. Another way stands in for each.
#[derive(Default)]
pub(super) struct Missing {
    pub(super) unlink: UnknownCommand,
    pub(super) getdel: UnknownCommand,
    pub(super) getex: UnknownCommand,
}

/// True once the server is known not to know a command.
#[derive(Default)]
pub(super) struct UnknownCommand(AtomicBool);

impl UnknownCommand {
    pub(super) fn is_known(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Says whether the reply means that the server doesn't know the command, and remembers it. The
    /// server did nothing then.
    pub(super) fn is_told_by(&self, reply: &Reply) -> bool {
        let is_told = matches!(reply, Reply::Error(error) if is_unknown(error));
        if is_told {
            self.0.store(true, Ordering::Relaxed);
        }
        is_told
    }
}
