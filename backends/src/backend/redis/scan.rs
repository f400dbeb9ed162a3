//! Walks over all keys of a namespace: scans and clears.

use std::sync::Arc;

use futures_util::{Stream, TryStreamExt, stream};

use super::client::{Access, Command, ConnectionId, NodeId, Traced};
use super::commands::{BATCH, Commands};
use super::layout::SlotLayout;
use super::read_from::ReadFrom;
use super::reply::{self, Unread};
use crate::backend::stored::Stored;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The most walks of `clear` for keys that came while it ran.
const PASSES: usize = 16;
/// The most restarts of a walk over one server whose connection was replaced.
const RESTARTS: usize = 8;

impl Commands {
    /// Streams the keys that begin with `prefix`, which is checked.
    pub(super) fn scan<'a>(
        &'a self,
        prefix: &str,
        from: ReadFrom,
    ) -> impl Stream<Item = BackendResult<String>> + Send + use<'a> {
        let pattern = Arc::<[u8]>::from(self.pattern(prefix));
        let pages = stream::try_unfold(Walk::over(from), move |mut walk| {
            let pattern = pattern.clone();
            async move {
                let page = self.next_page(&mut walk, &pattern).await?;
                Ok(page.map(|page| (stream::iter(page.keys.into_iter().map(Ok)), walk)))
            }
        });
        let own = self.prefix.len();
        // A key that isn't UTF-8 is none of this library's.
        pages.try_flatten().try_filter_map(move |key: Stored| {
            let key = key.as_bytes().get(own..);
            let key = key.and_then(|key| str::from_utf8(key).ok());
            std::future::ready(Ok(key.map(str::to_string)))
        })
    }

    /// Removes the keys that begin with `prefix`, again and again until a pass over the whole key
    /// space finds none.
    pub(super) async fn clear(&self, prefix: &str) -> BackendResult<u64> {
        self.limits.check_prefix(prefix)?;
        if self.prefix.is_empty() && prefix.is_empty() {
            return Err(BackendError::new(
                ErrorKind::Unsupported,
                "without a namespace nothing says which keys to clear",
            ));
        }
        let pattern = self.pattern(prefix);
        let mut removed = 0;
        for _ in 0..PASSES {
            let mut has_found = false;
            let mut walk = Walk::over(ReadFrom::Primary);
            loop {
                let page = self.next_page(&mut walk, &pattern).await;
                let Some(page) = page.map_err(|error| error.after(removed > 0))? else {
                    break;
                };
                has_found |= !page.keys.is_empty();
                let name = |name: &str, keys: &[Stored]| {
                    let keys = keys.iter().map(Stored::as_bytes);
                    keys.fold(Command::new(name), |command, key| command.key(&[], key))
                };
                let count = self.unlink_all(&page.keys, name).await;
                removed += count.map_err(|error| error.after(removed > 0))?;
            }
            if !has_found {
                break;
            }
        }
        Ok(removed)
    }

    /// Returns the next page of a walk; `None` once the walk has been over all keys.
    async fn next_page(&self, walk: &mut Walk, pattern: &[u8]) -> BackendResult<Option<Page>> {
        loop {
            let Some(pass) = &mut walk.pass else {
                let pass = self.begin_pass(walk.from).await?;
                // While keys move, a walk is worth nothing.
                let is_settled = pass.layout.as_ref().is_none_or(SlotLayout::is_settled);
                match is_settled {
                    true => walk.pass = Some(pass),
                    false => self.begin_again(walk).await?,
                }
                continue;
            };
            if let Some(place) = &mut pass.present {
                let page = match self.page(place.server, pattern, place.cursor).await {
                    // The node may have left the cluster.
                    Err(error) if place.server.is_some() && error.is_transient() => {
                        if walk.passes + 1 == MOST_PASSES {
                            return Err(error);
                        }
                        self.begin_again(walk).await?;
                        continue;
                    }
                    page => page?,
                };
                if place.pass(&page)? {
                    pass.present = None;
                }
                return Ok(Some(page));
            }
            if let Some(server) = pass.left.pop() {
                pass.present = Some(ScanPosition::at(server));
                continue;
            }
            let has_moved = match &pass.layout {
                Some(layout) => layout.has_moved(&self.layout().await?.unwrap_or_default()),
                None => false,
            };
            if !has_moved {
                return Ok(None);
            }
            self.begin_again(walk).await?;
        }
    }

    /// Lets the next pass begin, after a while.
    async fn begin_again(&self, walk: &mut Walk) -> BackendResult<()> {
        walk.pass = None;
        walk.passes += 1;
        if walk.passes == MOST_PASSES {
            return Err(BackendError::new(
                ErrorKind::Unavailable,
                "hash slots of the cluster were moved again and again while keys were scanned",
            ));
        }
        self.client.pause(walk.passes).await?;
        self.client.refreshed().await
    }

    async fn begin_pass(&self, from: ReadFrom) -> BackendResult<ScanPass> {
        let layout = self.layout().await?;
        if layout.is_none() {
            // Nothing tells whether the map is right.
            self.client.refreshed().await?;
        }
        let left = match self.client.nodes(from).await? {
            Some(nodes) => nodes.into_iter().map(Some).collect(),
            None => vec![None],
        };
        Ok(ScanPass {
            layout,
            left,
            present: None,
        })
    }

    pub(super) async fn page(
        &self,
        server: Option<NodeId>,
        pattern: &[u8],
        cursor: u64,
    ) -> BackendResult<Page> {
        let scan = Command::new("SCAN").number(cursor);
        let scan = scan.arg("MATCH").arg(pattern).arg("COUNT").number(BATCH);
        let traced = self.client.traced(server, scan, Access::READ);
        let Traced { reply, connection } = traced.await?;
        let (next, keys) = reply::page(reply).map_err(Unread::of_read)?;
        Ok(Page {
            next,
            keys,
            connection,
        })
    }

    /// Returns the pattern that all keys with `prefix` and no others match.
    pub(super) fn pattern(&self, prefix: &str) -> Vec<u8> {
        let mut pattern = Vec::new();
        for byte in self.prefix.bytes().chain(prefix.bytes()) {
            if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\' | b'^' | b'-') {
                pattern.push(b'\\');
            }
            pattern.push(byte);
        }
        pattern.push(b'*');
        pattern
    }
}

/// The most passes of a walk whose servers change meanwhile.
const MOST_PASSES: u32 = 10;

/// A walk over all keys of a namespace: one pass, unless keys move between servers meanwhile.
struct Walk {
    from: ReadFrom,
    passes: u32,
    pass: Option<ScanPass>,
}

impl Walk {
    fn over(from: ReadFrom) -> Self {
        Self {
            from,
            passes: 0,
            pass: None,
        }
    }
}

/// A pass over the servers: one, or the nodes of a cluster.
struct ScanPass {
    /// The layout of the cluster before.
    layout: Option<SlotLayout>,
    left: Vec<Option<NodeId>>,
    present: Option<ScanPosition>,
}

/// A page of a scan.
pub(super) struct Page {
    next: u64,
    /// The keys, with the namespace.
    pub(super) keys: Vec<Stored>,
    connection: ConnectionId,
}

/// The place where the walk over one server goes on.
pub(super) struct ScanPosition {
    server: Option<NodeId>,
    pub(super) cursor: u64,
    came_by: Option<ConnectionId>,
    restarts: usize,
}

impl ScanPosition {
    pub(super) fn at(server: Option<NodeId>) -> Self {
        Self {
            server,
            cursor: 0,
            came_by: None,
            restarts: 0,
        }
    }

    /// Says whether the walk has begun anew.
    #[cfg(feature = "derive")]
    pub(super) fn has_restarted(&self) -> bool {
        self.restarts > 0
    }

    /// Moves on behind `page`, and says whether it was the last page. A walk by a new connection
    /// starts over, because the cursor of a server that has been restarted would leave keys out. A
    /// key may come twice.
    pub(super) fn pass(&mut self, page: &Page) -> BackendResult<bool> {
        let came_by = self.came_by.replace(page.connection);
        let was_replaced = came_by.is_some_and(|connection| connection != page.connection);
        if !was_replaced {
            self.cursor = page.next;
            return Ok(page.next == 0);
        }
        if self.restarts == RESTARTS {
            return Err(BackendError::new(
                ErrorKind::Unavailable,
                "the connection was replaced again and again while keys were scanned",
            ));
        }
        self.restarts += 1;
        self.cursor = 0;
        Ok(false)
    }
}
