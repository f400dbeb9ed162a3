//! The operations on a keyspace as a whole, and on the entries under some of its leading key
//! fields.

use std::future::Future;
use std::sync::Arc;
use std::task::{Poll, ready};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};

use super::counter::decode_sum;
use super::info::KeyspaceInfo;
use super::key::Key;
use super::leading::{Leading, Prefix};
use super::segments::moved;
use super::value::decode;
use super::versions::VersionedKeys;
use super::{Counter, Keyspace, Valued, going_on, writes};
use crate::backend::store::Touch;
use crate::backend::{Backend, Stored, plain};
use crate::error::{BackendError, BackendResult, ErrorKind};

/// The number of values that a scan reads in one round trip.
const SCAN_BATCH: usize = 128;

/// Streams the results of `make` for the keys and values under `leading`, in no order; an entry may
/// come more than once.
///
/// The scan looks through all keys of the store, those of others too: see [what a prefix
/// costs](Backend#what-a-prefix-costs).
///
/// An entry that goes while the scan runs may be missing. A value that can't be read and text under
/// the prefix that is no key of the keyspace are error items, and the stream goes on; the latter
/// (`InvalidKey`) name the text.
#[doc(alias("iterate"))]
pub fn scan<'b, K, B, T>(
    backend: &'b B,
    leading: Leading<K>,
    make: fn(K::OwnedKey, K::Value) -> T,
) -> impl Stream<Item = BackendResult<T>> + Send + Unpin + use<'b, K, B, T>
where
    K: Valued,
    B: Backend + ?Sized,
{
    let found = found(backend, leading.prefixes(), expected::<K>());
    decoded(found, move |found: ScannedEntry| {
        let value = decode::<K, B>(backend, &found.key, found.back, &found.stored);
        let value = value.transpose()?;
        let key = K::parse_key(&found.key)?;
        Some(value.map(|value| make(key, value)))
    })
}

/// Streams the keys and the sums of the live counters, as [`scan`] does.
pub fn scan_counts<'b, K, B, T>(
    backend: &'b B,
    leading: Leading<K>,
    make: fn(K::OwnedKey, i64) -> T,
) -> impl Stream<Item = BackendResult<T>> + Send + Unpin + use<'b, K, B, T>
where
    K: Counter,
    B: Backend + ?Sized,
{
    let found = found(backend, leading.prefixes(), expected::<K>());
    decoded(found, move |found: ScannedEntry| {
        let sum = decode_sum(backend, &found.key, &found.stored);
        let key = K::parse_key(&found.key)?;
        Some(sum.map(|sum| make(key, sum)))
    })
}

/// Streams the keys of the live entries without reading their values, as [`scan`] does.
pub fn scan_keys<'b, K, B, T>(
    backend: &'b B,
    leading: Leading<K>,
    make: fn(K::OwnedKey) -> T,
) -> impl Stream<Item = BackendResult<T>> + Send + Unpin + use<'b, K, B, T>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    let keys = keys(backend, leading.prefixes(), K::INFO.reads_are_plain());
    decoded(keys, move |(prefix, text): (Prefix, String)| {
        let key = moved(&text, &prefix.keyspace, &K::INFO).and_then(|key| K::parse_key(&key));
        Some(key.map(make).ok_or_else(|| foreign(K::INFO.name)))
    })
}

/// Removes what lies under `leading` and nothing else, and returns how many entries there were.
///
/// The removal looks through all keys of the store, those of others too, twice for each version on
/// a server: see [what a prefix costs](Backend#what-a-prefix-costs).
pub fn clear<'b, K, B>(
    backend: &'b B,
    leading: Leading<K>,
) -> impl Future<Output = BackendResult<u64>> + Send + use<'b, K, B>
where
    K: Keyspace,
    B: Backend + ?Sized,
{
    let prefixes = leading.prefixes();
    async move {
        let (mut removed, prefixes) = (0, prefixes?);
        for prefix in &prefixes {
            let cleared = writes::clear(backend, &prefix.keyspace, &prefix.text).await;
            removed += cleared.map_err(|error| error.after(removed > 0))?;
        }
        let texts = prefixes.iter().map(|prefix| &*prefix.text);
        going_on::acknowledge_under::<K, B, _>(backend, texts, removed)
    }
}

/// An entry that a scan has met.
struct ScannedEntry {
    /// The key's text, as of the newest version.
    key: Key,
    /// The number of versions behind the newest at which the entry was met.
    back: usize,
    stored: Stored,
}

/// The keys that a scan of a keyspace takes for its own.
struct ExpectedKeys {
    keyspace: KeyspaceInfo,
    is_key: fn(&str) -> bool,
}

fn expected<K: Keyspace>() -> ExpectedKeys {
    ExpectedKeys {
        keyspace: K::INFO,
        is_key: |text| K::parse_key(text).is_some(),
    }
}

/// Streams the texts of the keys under all prefixes, one prefix after the other.
fn keys<'b, B: Backend + ?Sized>(
    backend: &'b B,
    prefixes: BackendResult<Vec<Prefix>>,
    is_plain: bool,
) -> BoxStream<'b, BackendResult<(Prefix, String)>> {
    each(prefixes, move |prefix| {
        let keys = plain::keys(backend, &prefix.text, is_plain);
        keys.map(move |text| Ok((prefix.clone(), text?))).boxed()
    })
}

/// Streams the entries under all prefixes. The entries of one prefix have been read before the next
/// prefix is begun: an entry that is moved before it is read turns up under a newer prefix.
fn found<'b, B: Backend + ?Sized>(
    backend: &'b B,
    prefixes: BackendResult<Vec<Prefix>>,
    expected: ExpectedKeys,
) -> BoxStream<'b, BackendResult<ScannedEntry>> {
    let is_plain = expected.keyspace.reads_are_plain();
    let expected = Arc::new(expected);
    each(prefixes, move |prefix| {
        let expected = expected.clone();
        let keys = plain::keys(backend, &prefix.text, is_plain);
        let batches = keys.ready_chunks(SCAN_BATCH);
        let found = batches.then(move |batch| {
            let (prefix, expected) = (prefix.clone(), expected.clone());
            async move { read_batch(backend, batch, &prefix, &expected).await }
        });
        found.flat_map(stream::iter).boxed()
    })
}

/// Goes through the prefixes, the oldest version's first.
fn each<'b, T: Send + 'b>(
    prefixes: BackendResult<Vec<Prefix>>,
    look: impl FnMut(Prefix) -> BoxStream<'b, BackendResult<T>> + Send + 'b,
) -> BoxStream<'b, BackendResult<T>> {
    match prefixes {
        Ok(prefixes) => stream::iter(prefixes).flat_map(look).boxed(),
        Err(error) => stream::iter([Err(error)]).boxed(),
    }
}

/// Reads the entries under the keys of a batch. Left out are entries that are gone by now, and
/// those that have a newer version, which comes by itself.
async fn read_batch<B: Backend + ?Sized>(
    backend: &B,
    batch: Vec<BackendResult<String>>,
    prefix: &Prefix,
    expected: &ExpectedKeys,
) -> Vec<BackendResult<ScannedEntry>> {
    let mut items = Vec::with_capacity(batch.len());
    let mut entries = Vec::with_capacity(batch.len());
    for key in batch {
        match key.and_then(|text| expected.met(prefix, &text)) {
            Ok(entry) => entries.push(entry),
            Err(error) => items.push(Err(error)),
        }
    }
    let keys = entries.iter().flat_map(|met: &Met| &met.keys);
    let texts: Vec<&str> = keys.map(Key::as_str).collect();
    let is_plain = expected.keyspace.reads_are_plain();
    let mut all = match plain::read_values(backend, &texts, Touch::Keep, is_plain).await {
        Ok(all) => all.into_iter(),
        Err(error) => {
            items.push(Err(error));
            return items;
        }
    };
    let back = prefix.back;
    for Met { key, keys } in entries {
        let own = all.next().flatten();
        let newer = all.by_ref().take(keys.len() - 1).flatten().count();
        if let (Some(stored), 0) = (own, newer) {
            items.push(Ok(ScannedEntry { key, back, stored }));
        }
    }
    items
}

/// A key that a scan has met.
struct Met {
    /// As of the newest version.
    key: Key,
    /// As it was met, and then as of each newer version.
    keys: Vec<Key>,
}

impl ExpectedKeys {
    fn met(&self, prefix: &Prefix, text: &str) -> BackendResult<Met> {
        let key = moved(text, &prefix.keyspace, &self.keyspace)
            .filter(|key| (self.is_key)(key))
            .ok_or_else(|| foreign(self.keyspace.name))?;
        let versions = VersionedKeys::new(&key, &self.keyspace);
        let keys = versions
            .oldest_first()
            .filter(|(back, _)| *back <= prefix.back);
        let keys = keys.map(|(_, key)| key.clone()).collect();
        Ok(Met { key, keys })
    }
}

/// Makes items of the entries that were found: outside of the box, so that they need not be `Send`.
fn decoded<'b, F, T, M>(
    mut found: BoxStream<'b, BackendResult<F>>,
    mut make: M,
) -> impl Stream<Item = BackendResult<T>> + Send + Unpin + use<'b, F, T, M>
where
    M: FnMut(F) -> Option<BackendResult<T>> + Send + Unpin,
{
    stream::poll_fn(move |context| {
        loop {
            let item = match ready!(found.poll_next_unpin(context)) {
                Some(Ok(found)) => make(found),
                Some(Err(error)) => Some(Err(error)),
                None => return Poll::Ready(None),
            };
            if item.is_some() {
                return Poll::Ready(item);
            }
        }
    })
}

/// The error of a text that no user of the keyspace has written. It isn't shown: in the key of an
/// older layout there may be a secret, such as the id of a session.
fn foreign(keyspace: &str) -> BackendError {
    BackendError::new(
        ErrorKind::InvalidKey,
        format!("a text under the prefix of `{keyspace}` is none of its keys"),
    )
}
