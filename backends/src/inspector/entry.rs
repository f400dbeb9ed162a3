//! One entry, as it is shown.

use std::error::Error;
use std::slice;

use tokio::sync::OwnedSemaphorePermit;

use super::catalog::Listed;
use super::fields::is_key;
use crate::backend::{Backend, Expiry, Stored};
use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::fingerprint::Fingerprint;
use crate::keyspace::tree::{MOST_TEXT, Tree, shortened};
use crate::keyspace::{Inspected, Key};
use crate::quota::{Attempt, Decision, Quota};

/// The number of bytes that are shown of a value that doesn't decode.
const FIRST_BYTES: usize = 64;

/// An entry.
#[derive(Debug)]
pub(super) struct Entry {
    /// The rest of its life; `None` if that can't be read.
    pub(super) expiry: Option<Expiry>,
    /// The number of its bytes; `None` if it has a type of its own on the server.
    pub(super) size: Option<usize>,
    pub(super) content: EntryContent,
}

/// The content of an entry.
#[derive(Debug)]
pub(super) enum EntryContent {
    Value(Tree),
    /// The quotas of a throttle.
    Quotas(Vec<(Quota, Decision)>),
    /// Bytes that are no value of the keyspace.
    NoValue {
        why: String,
        first: Vec<u8>,
    },
    /// A key of another type of Redis.
    ForeignType {
        why: String,
    },
}

/// Reads an entry and decodes it, if people may look at its keyspace and the key is one of the
/// keyspace; `None` if there is no such entry.
///
/// The value's own code runs on a thread for such work: it may take long, and it may panic.
///
/// # Errors
///
/// The errors of the store.
pub(super) async fn read(
    backend: &dyn Backend,
    listed: &'static Listed,
    key: &Key,
    permit: Option<OwnedSemaphorePermit>,
) -> BackendResult<Option<Entry>> {
    let Some(inspected) = listed.inspected.filter(|_| is_key(listed, key)) else {
        return Ok(None);
    };
    let (stored, expiry) = match backend.read(key).await {
        Ok(Some(read)) => read,
        Ok(None) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::WrongType => {
            return Ok(Some(Entry {
                expiry: backend.read_life(key).await.ok().flatten(),
                size: None,
                content: EntryContent::ForeignType {
                    why: error.to_string(),
                },
            }));
        }
        Err(error) => return Err(error),
    };
    let content = match shown(inspected, key, &stored, permit).await {
        Ok(_) if !inspected.quotas.is_empty() => {
            EntryContent::Quotas(peek(backend, inspected.quotas, key).await?)
        }
        Ok(tree) => EntryContent::Value(tree),
        Err(why) => {
            let bytes = stored.as_bytes();
            let first = bytes[..bytes.len().min(FIRST_BYTES)].to_vec();
            EntryContent::NoValue { why, first }
        }
    };
    Ok(Some(Entry {
        expiry: Some(expiry),
        size: Some(stored.as_bytes().len()),
        content,
    }))
}

/// Decodes a value. The permit is given back when that is over, also if nobody waits for it.
async fn shown(
    inspected: Inspected,
    key: &Key,
    stored: &Stored,
    permit: Option<OwnedSemaphorePermit>,
) -> Result<Tree, String> {
    let (key, stored) = (key.clone(), stored.clone());
    let decoding = move || {
        let shown = (inspected.tree)(&key, stored.as_bytes()).map_err(|error| in_full(&error));
        drop(permit);
        shown
    };
    match tokio::task::spawn_blocking(decoding).await {
        Ok(shown) => shown,
        Err(_) => Err("the code of its type panicked".to_string()),
    }
}

/// Returns what tells the present content of an entry from another one; `None` if there is none.
///
/// # Errors
///
/// The errors of the store.
pub(super) async fn digest(backend: &dyn Backend, key: &Key) -> BackendResult<Option<Digest>> {
    match backend.read(key).await {
        Ok(Some((stored, _))) => Ok(Some(Digest(Some(Fingerprint::of(stored.as_bytes()))))),
        Ok(None) => Ok(None),
        Err(error) if error.kind() == ErrorKind::WrongType => Ok(Some(Digest(None))),
        Err(error) => Err(error),
    }
}

/// The content of an entry, for comparison: the fingerprint of its bytes, or that it is of another
/// type of Redis.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest(Option<Fingerprint>);

/// Asks how much is used up of each quota, without using anything up.
async fn peek(
    backend: &dyn Backend,
    quotas: &'static [Quota],
    key: &Key,
) -> BackendResult<Vec<(Quota, Decision)>> {
    let mut peeked = Vec::with_capacity(quotas.len());
    for quota in quotas {
        let attempt = Attempt::new(slice::from_ref(quota)).peeking();
        peeked.push((*quota, backend.throttle(key, attempt).await?));
    }
    Ok(peeked)
}

/// Returns the text of an error and of its causes, no longer than people read: a codec of one's own
/// may put the value into it.
pub(super) fn in_full(error: &BackendError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause
        && text.len() < MOST_TEXT
    {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    shortened(text)
}
