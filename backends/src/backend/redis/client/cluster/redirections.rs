//! The redirections of nodes that don't serve a slot any more, or not yet.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Cluster;
use super::topology::{Redirection, Role};
use crate::backend::redis::client::connection::Connection;
use crate::backend::redis::client::location::Address;
#[cfg(feature = "redis-commands")]
use crate::backend::redis::client::resend::is_refused;
use crate::backend::redis::client::resp::ErrorReply;
#[cfg(feature = "redis-commands")]
use crate::backend::redis::client::resp::Reply;
use crate::error::BackendResult;

impl Cluster {
    /// Follows a node that doesn't serve a slot any more, for all calls that follow. Returns the
    /// slot, if the refusal can be read.
    pub(in crate::backend::redis::client) fn moved(
        &self,
        connection: &Connection,
        refused: &ErrorReply,
    ) -> Option<u16> {
        let moved = Redirection::read(refused, connection.location.host())?;
        let shared = &self.shared;
        let make = |address: &Address| shared.node(address, Role::Primary);
        shared.topology.write().patch(&moved, make).ok()?;
        shared.redirections.fetch_add(1, Ordering::Relaxed);
        shared.changed.notify_waiters();
        // The other node may have taken more slots over than this one.
        shared.doubt();
        Some(moved.slot)
    }

    /// Corrects the map by a redirection in the reply to a request that isn't sent again, or has it
    /// read again after another refusal.
    #[cfg(feature = "redis-commands")]
    pub(in crate::backend::redis::client) fn learn(&self, connection: &Connection, reply: &Reply) {
        let replies = match reply {
            Reply::Array(replies) => replies,
            reply => std::slice::from_ref(reply),
        };
        let moved = replies.iter().find_map(|reply| match reply {
            Reply::Error(error) if error.code() == "MOVED" => Some(error),
            _ => None,
        });
        if let Some(moved) = moved {
            self.moved(connection, moved);
        } else if replies.iter().any(is_refused) {
            self.doubt();
        }
    }

    /// Returns a connection to the node that a key is on its way to.
    pub(in crate::backend::redis::client) async fn importing(
        &self,
        connection: &Connection,
        refused: &ErrorReply,
    ) -> Option<BackendResult<Arc<Connection>>> {
        let asked = Redirection::read(refused, connection.location.host())?;
        self.shared.redirections.fetch_add(1, Ordering::Relaxed);
        let known = self.shared.topology.read().at(&asked.address).cloned();
        let node = known.map_or_else(|| self.shared.importing(&asked.address), Ok);
        Some(match node {
            Ok(node) => node.connection(false).await,
            Err(error) => Err(error),
        })
    }
}
