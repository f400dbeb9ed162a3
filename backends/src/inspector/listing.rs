//! The entries of one keyspace, as many as a person looks through.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use super::catalog::Listed;
use super::fields::is_key;
use crate::backend::{Backend, Expiry};
use crate::error::BackendResult;
use crate::keyspace::{Key, scan_prefix};

/// The number of entries of a first page.
pub(super) const FIRST: usize = 50;
/// The largest number of entries that are listed.
pub(super) const MOST: usize = 1_000;
/// The longest time that the list is looked for: a server goes through all of its keys.
const WALK_TIME: Duration = Duration::from_secs(3);
/// The number of lives that are read at once.
const AT_ONCE: usize = 64;

/// Some entries of a keyspace, in the order in which the store yields them.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) entries: Vec<ListedEntry>,
    pub(super) rest: Rest,
    /// The number of texts under the prefix that are no keys of the keyspace.
    pub(super) foreign: usize,
}

/// An entry of a list.
#[derive(Debug)]
pub(super) struct ListedEntry {
    pub(super) key: Key,
    /// The rest of its life; `None` if that couldn't be read.
    pub(super) expiry: Option<Expiry>,
}

/// The reason why a list has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// There are no more entries.
    Nothing,
    /// There are more entries.
    More,
    /// The time was used up, and there may be more entries.
    OutOfTime,
}

/// Lists entries of a keyspace. An entry that ends meanwhile is left out.
///
/// # Errors
///
/// The errors of the store.
pub(super) async fn list(
    backend: &dyn Backend,
    listed: &Listed,
    most: usize,
) -> BackendResult<Listing> {
    let end = Instant::now() + WALK_TIME;
    let prefix = scan_prefix(listed.info);
    let limits = backend.info().limits;
    let mut keys = backend.keys(&prefix);
    // A store may yield a key more than once.
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut foreign = 0;
    let rest = loop {
        let Ok(next) = timeout_at(end, keys.next()).await else {
            break Rest::OutOfTime;
        };
        let Some(text) = next else {
            break Rest::Nothing;
        };
        let text = text?;
        // Keys that are there at once leave no moment in which the time limit is looked at.
        if Instant::now() >= end {
            break Rest::OutOfTime;
        }
        match is_key(listed, &text) && limits.check_key(&text).is_ok() {
            false => foreign += 1,
            true if seen.contains(&text) => {}
            true if found.len() == most => break Rest::More,
            true => {
                found.push(Key::of_parts([text.as_str()]));
                seen.insert(text);
            }
        }
    };
    drop(keys);
    let entries = with_lives(backend, found).await?;
    Ok(Listing {
        entries,
        rest,
        foreign,
    })
}

async fn with_lives(backend: &dyn Backend, keys: Vec<Key>) -> BackendResult<Vec<ListedEntry>> {
    let end = Instant::now() + WALK_TIME;
    let calls: Vec<_> = keys.iter().map(|key| backend.read_life(key)).collect();
    let mut lives = stream::iter(calls).buffered(AT_ONCE);
    let mut entries = Vec::with_capacity(keys.len());
    for key in &keys {
        let life = timeout_at(end, lives.next()).await.ok().flatten();
        let expiry = match life {
            Some(Ok(None)) => continue,
            Some(Ok(expiry)) => expiry,
            // The store is gone: the list says nothing any more.
            Some(Err(error)) if error.is_transient() => return Err(error),
            Some(Err(_)) | None => None,
        };
        let key = key.clone();
        entries.push(ListedEntry { key, expiry });
    }
    Ok(entries)
}
