//! The stores that ours is compared with, used as their own users would.

use std::future::ready;
use std::time::Duration;

use bytes::Bytes;
use dashmap::DashMap;
use foldhash::fast::RandomState;
use moka::Expiry;
use quick_cache::sync::{Cache as QuickCache, EntryAction, EntryResult};
use reinhardt_backends::codec::{Cbor, Codec};
use tokio::time::Instant;

use crate::traffic::{Session, TTL, Traffic, WINDOW, encoded};

/// Encoded sessions in a `DashMap`, with the instant of their end.
pub(crate) struct Map<V>(DashMap<String, (V, Instant), RandomState>);

impl<V: Clone + From<Vec<u8>> + AsRef<[u8]>> Map<V> {
    pub(crate) fn filled(traffic: &Traffic) -> Self {
        let map = Self(DashMap::default());
        for (key, session) in traffic.distinct() {
            map.insert(&key, encoded(session).into());
        }
        map
    }

    pub(crate) fn get(&self, key: &str) -> Option<V> {
        let entry = self.0.get(key)?;
        (Instant::now() < entry.1).then(|| entry.0.clone())
    }

    pub(crate) fn get_decoded(&self, key: &str) -> Option<Session> {
        let value = self.get(key)?;
        Some(Cbor::decode(value.as_ref()).expect("it was encoded"))
    }

    fn insert(&self, key: &str, value: V) {
        self.0
            .insert(key.to_string(), (value, Instant::now() + TTL));
    }
}

impl Map<Bytes> {
    pub(crate) fn insert_encoded(&self, key: &str, session: &Session, buffer: &mut Vec<u8>) {
        buffer.clear();
        ciborium::into_writer(session, &mut *buffer).expect("sessions can be encoded");
        self.insert(key, Bytes::copy_from_slice(buffer));
    }
}

/// Counters in a `DashMap`, with the instant at which their window closes.
#[derive(Default)]
pub(crate) struct MapOfCounters(DashMap<String, (i64, Instant), RandomState>);

impl MapOfCounters {
    pub(crate) fn increment(&self, key: &str) -> i64 {
        let now = Instant::now();
        let mut entry = self.0.entry(key.to_string()).or_insert((0, now));
        count(&mut entry, now)
    }

    /// Like `increment`, but for a key that is present, which needs no `String`.
    pub(crate) fn increment_present(&self, key: &str) -> i64 {
        let now = Instant::now();
        match self.0.get_mut(key) {
            Some(mut entry) => count(&mut entry, now),
            None => self.increment(key),
        }
    }
}

/// Sessions in a `moka::future::Cache` in which each entry has its end.
pub(crate) struct Moka(moka::future::Cache<String, Session>);

impl Moka {
    pub(crate) async fn filled(traffic: &Traffic) -> Self {
        let cache = moka::future::Cache::builder()
            .max_capacity(ROOM)
            .expire_after(EndsAfter(TTL));
        let moka = Self(cache.build());
        for (key, session) in traffic.distinct() {
            moka.insert(&key, session.clone()).await;
        }
        moka.0.run_pending_tasks().await;
        moka
    }

    pub(crate) async fn get(&self, key: &str) -> Option<Session> {
        self.0.get(key).await
    }

    pub(crate) async fn insert(&self, key: &str, session: Session) {
        self.0.insert(key.to_string(), session).await;
    }
}

/// Counters in a `moka::future::Cache`.
pub(crate) struct MokaOfCounters(moka::future::Cache<String, i64>);

impl Default for MokaOfCounters {
    fn default() -> Self {
        let cache = moka::future::Cache::builder()
            .max_capacity(ROOM)
            .expire_after(WindowOpens);
        Self(cache.build())
    }
}

impl MokaOfCounters {
    pub(crate) async fn increment(&self, key: &str) -> i64 {
        let entry = self.0.entry_by_ref(key).and_upsert_with(|present| {
            let value = present.map_or(0, |entry| entry.into_value());
            ready(value + 1)
        });
        entry.await.into_value()
    }
}

/// Sessions in a `quick_cache`, which knows no ends, with the instant of theirs.
pub(crate) struct Quick(QuickCache<String, (Session, Instant)>);

impl Quick {
    pub(crate) fn filled(traffic: &Traffic) -> Self {
        let quick = Self(QuickCache::new(QUICK_ROOM));
        for (key, session) in traffic.distinct() {
            quick.insert(&key, session.clone());
        }
        quick
    }

    pub(crate) fn get(&self, key: &str) -> Option<Session> {
        let (session, end) = self.0.get(key)?;
        (Instant::now() < end).then_some(session)
    }

    pub(crate) fn insert(&self, key: &str, session: Session) {
        let end = Instant::now() + TTL;
        self.0.insert(key.to_string(), (session, end));
    }
}

/// Counters in a `quick_cache`.
pub(crate) struct QuickOfCounters(QuickCache<String, (i64, Instant)>);

impl Default for QuickOfCounters {
    fn default() -> Self {
        Self(QuickCache::new(QUICK_ROOM))
    }
}

impl QuickOfCounters {
    pub(crate) fn increment(&self, key: &str) -> i64 {
        let now = Instant::now();
        let entry = self
            .0
            .entry(key, None, |_, entry| EntryAction::Retain(count(entry, now)));
        match entry {
            EntryResult::Retained(value) => value,
            EntryResult::Vacant(place) => {
                let inserted = place.insert((1, now + WINDOW));
                inserted.expect("nobody else removes counters");
                1
            }
            _ => unreachable!("entries are retained, and nothing waits with a limit"),
        }
    }
}

/// Gives entries their time at each write.
struct EndsAfter(Duration);

impl Expiry<String, Session> for EndsAfter {
    fn expire_after_create(
        &self,
        _key: &String,
        _value: &Session,
        _created: std::time::Instant,
    ) -> Option<Duration> {
        Some(self.0)
    }

    fn expire_after_update(
        &self,
        _key: &String,
        _value: &Session,
        _updated: std::time::Instant,
        _left: Option<Duration>,
    ) -> Option<Duration> {
        Some(self.0)
    }
}

/// Gives entries their time at the first write alone.
struct WindowOpens;

impl Expiry<String, i64> for WindowOpens {
    fn expire_after_create(
        &self,
        _key: &String,
        _value: &i64,
        _created: std::time::Instant,
    ) -> Option<Duration> {
        Some(WINDOW)
    }
}

/// Adds one, or begins again where the window has closed.
fn count((value, end): &mut (i64, Instant), now: Instant) -> i64 {
    if now >= *end {
        (*value, *end) = (0, now + WINDOW);
    }
    *value += 1;
    *value
}

/// So much that no cache evicts: eviction isn't measured here.
const ROOM: u64 = 100_000_000;
/// The same for `quick_cache`, which reserves memory for all entries that it may hold.
const QUICK_ROOM: usize = 400_000;
