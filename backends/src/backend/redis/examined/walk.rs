//! A walk over the names of all keys, for counting: begun anew if a name may have been left out or
//! counted twice.

use super::super::client::NodeId;
use super::super::commands::{BATCH, Commands};
use super::super::scan::ScanPosition;
use crate::backend::examined::{Pace, Visitor};
use crate::error::BackendResult;

/// The most walks that are begun.
const WALKS: u32 = 4;
/// A page of a thousand names is as much work for a server as so many commands on one key.
const WORK: u32 = 5;

/// The end of a walk.
enum Walked {
    /// All keys, or as many as were to be walked over.
    Well { is_whole: bool },
    /// Keys have moved between nodes, or a server has another process or primary: what was counted
    /// is worth nothing.
    InVain,
}

impl Commands {
    /// Walks over the keys of the namespace, and says whether these are all for certain.
    pub(super) async fn walk(
        &self,
        most: u64,
        pace: &mut Pace,
        visitor: &mut dyn Visitor,
    ) -> BackendResult<bool> {
        for walk in 1..=WALKS {
            match self.walk_once(most, pace, visitor).await? {
                Walked::Well { is_whole } => return Ok(is_whole),
                Walked::InVain if walk < WALKS => {
                    self.client.pause(walk).await?;
                    self.client.refreshed().await?;
                }
                Walked::InVain => {}
            }
        }
        Ok(false)
    }

    async fn walk_once(
        &self,
        most: u64,
        pace: &mut Pace,
        visitor: &mut dyn Visitor,
    ) -> BackendResult<Walked> {
        visitor.begin();
        let before = self.layout().await?;
        if before.as_ref().is_some_and(|layout| !layout.is_settled()) {
            return Ok(Walked::InVain);
        }
        let primaries = self.primaries().await?;
        let mut left = most;
        let mut is_whole = true;
        for (position, node) in primaries.iter().enumerate() {
            let share = left.div_ceil((primaries.len() - position) as u64);
            match self.walk_over(*node, share, pace, visitor).await {
                Ok(Some(walked)) => {
                    left = left.saturating_sub(walked.names);
                    is_whole &= walked.is_whole;
                }
                Ok(None) => return Ok(Walked::InVain),
                // The node may have left the cluster.
                Err(error) if node.is_some() && error.is_transient() => return Ok(Walked::InVain),
                Err(error) => return Err(error),
            }
        }
        let after = self.layout().await?;
        Ok(match (before, after) {
            (Some(before), Some(after)) if before.has_moved(&after) => Walked::InVain,
            (Some(_), Some(_)) => Walked::Well { is_whole },
            // A user who may not ask nodes for their slots can't tell whether keys moved.
            _ => Walked::Well {
                is_whole: is_whole && primaries == [None],
            },
        })
    }

    /// Walks over one server; `None` if its connection was replaced meanwhile.
    async fn walk_over(
        &self,
        node: Option<NodeId>,
        most: u64,
        pace: &mut Pace,
        visitor: &mut dyn Visitor,
    ) -> BackendResult<Option<WalkedOver>> {
        let pattern = self.pattern("");
        let mut place = ScanPosition::at(node);
        let mut names = 0;
        let mut is_whole = false;
        while names < most && !is_whole {
            pace.turns(WORK).await;
            let page = self.page(node, &pattern, place.cursor).await?;
            is_whole = place.pass(&page)?;
            if place.has_restarted() {
                return Ok(None);
            }
            for key in &page.keys {
                let own = key.as_bytes().get(self.prefix.len()..);
                visitor.visit(own.and_then(|own| str::from_utf8(own).ok()));
            }
            names += BATCH as u64;
        }
        Ok(Some(WalkedOver { names, is_whole }))
    }
}

/// The extent of a walk over one server.
struct WalkedOver {
    /// The number of names, in whole pages; those of other programs are among them.
    names: u64,
    is_whole: bool,
}
