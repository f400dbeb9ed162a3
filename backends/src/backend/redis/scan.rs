//! Walks over all keys of a namespace: scans and clears.

use std::sync::Arc;

use futures_util::{Stream, TryStreamExt, stream};

use super::client::{Command, ConnectionId, Repeat, Traced};
use super::commands::{BATCH, Commands};
use super::reply::{self, Unread};
use crate::backend::stored::Stored;
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The most walks of `clear` for keys that came while it ran.
const PASSES: usize = 16;
/// The most restarts of a scan whose connection was replaced.
const RESTARTS: usize = 8;

impl Commands {
    /// Streams the keys that begin with `prefix`, which is checked.
    pub(super) fn scan<'a>(
        &'a self,
        prefix: &str,
    ) -> impl Stream<Item = BackendResult<String>> + Send + use<'a> {
        let pattern = Arc::<[u8]>::from(self.pattern(prefix));
        let begin = Progress {
            cursor: 0,
            came_by: None,
            restarts: 0,
        };
        let pages = stream::try_unfold(Some(begin), move |progress| {
            let pattern = pattern.clone();
            async move {
                let Some(progress) = progress else {
                    return Ok(None);
                };
                let page = self.page(&pattern, progress.cursor).await?;
                let next = progress.after(&page)?;
                Ok(Some((stream::iter(page.keys.into_iter().map(Ok)), next)))
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

    /// Removes what begins with `prefix`, again and again until a pass over the whole key space
    /// finds nothing.
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
            let mut cursor = 0;
            let mut came_by = None;
            loop {
                let page = self.page(&pattern, cursor).await;
                let page = page.map_err(|error| error.after(removed > 0))?;
                // A cursor means nothing to a server that has been restarted: such a pass isn't the
                // last.
                has_found |= !page.keys.is_empty()
                    || came_by.is_some_and(|connection| connection != page.connection);
                came_by = Some(page.connection);
                let batches = page.keys.chunks(BATCH).map(|keys| {
                    |name: &str| Command::new(name).args(keys.iter().map(Stored::as_bytes))
                });
                let batch = self.unlink_all(batches).await;
                removed += batch.map_err(|error| error.after(removed > 0))?;
                cursor = page.next;
                if cursor == 0 {
                    break;
                }
            }
            if !has_found {
                break;
            }
        }
        Ok(removed)
    }

    async fn page(&self, pattern: &[u8], cursor: u64) -> BackendResult<Page> {
        let scan = Command::new("SCAN").number(cursor);
        let scan = scan.arg("MATCH").arg(pattern).arg("COUNT").number(BATCH);
        let Traced { reply, connection } = self.client.traced(scan, Repeat::Safely).await?;
        let (next, keys) = reply::page(reply).map_err(Unread::of_read)?;
        Ok(Page {
            next,
            keys,
            connection,
        })
    }

    /// Returns the pattern that all keys with `prefix` and no others match.
    fn pattern(&self, prefix: &str) -> Vec<u8> {
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

/// A page of a scan.
struct Page {
    next: u64,
    /// With the namespace.
    keys: Vec<Stored>,
    connection: ConnectionId,
}

/// The place where a scan goes on.
#[derive(Clone, Copy)]
struct Progress {
    cursor: u64,
    came_by: Option<ConnectionId>,
    restarts: usize,
}

impl Progress {
    /// Returns the place after `page`. A scan by a new connection starts over, because the cursor
    /// of a server that has been restarted would leave keys out. A key may come twice.
    fn after(self, page: &Page) -> BackendResult<Option<Self>> {
        let replaced = self
            .came_by
            .is_some_and(|connection| connection != page.connection);
        if replaced && self.restarts == RESTARTS {
            return Err(BackendError::new(
                ErrorKind::Unavailable,
                "the connection was replaced again and again while keys were scanned",
            ));
        }
        if !replaced && page.next == 0 {
            return Ok(None);
        }
        Ok(Some(Self {
            cursor: if replaced { 0 } else { page.next },
            came_by: Some(page.connection),
            restarts: self.restarts + usize::from(replaced),
        }))
    }
}
