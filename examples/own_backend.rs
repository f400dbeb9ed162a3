//! A backend of one's own: the six required methods of `Store` over a `Mutex<BTreeMap>`; the rest
//! of `Store`, and `Backend` with all that users call, come with them.
//!
//! The project's own tests hold this file against every clause of the contract.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use reinhardt_backends::codec::parse_integer;
use reinhardt_backends::store::{Limits, Store};
use reinhardt_backends::{
    Backend, BackendError, BackendResult, Condition, Counted, ErrorKind, Expiry, KeyStream, Life,
    Stored, Write,
};
use tokio::time::Instant;

/// Keeps entries in a sorted map under one lock.
#[derive(Debug, Default)]
pub struct MapBackend {
    /// The lock is held for one operation, never across an `.await`.
    entries: Mutex<BTreeMap<String, Entry>>,
    limits: Limits,
}

#[derive(Debug, Clone)]
struct Entry {
    value: Stored,
    deadline: Option<Instant>,
}

impl MapBackend {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks the key and returns the entries, without the entry under the key if that entry has
    /// ended.
    fn entries_at(&self, key: &str) -> BackendResult<MutexGuard<'_, BTreeMap<String, Entry>>> {
        self.limits.check_key(key)?;
        let mut entries = self.lock();
        if entries.get(key).is_some_and(|entry| !entry.is_live()) {
            entries.remove(key);
        }
        Ok(entries)
    }
}

impl Entry {
    fn is_live(&self) -> bool {
        self.deadline
            .is_none_or(|deadline| Instant::now() < deadline)
    }

    fn expiry(&self) -> Expiry {
        self.deadline.map_or(Expiry::Never, |deadline| {
            // An entry that is live at the look-up may end before this line, but the time left must
            // never be zero.
            let left = deadline.saturating_duration_since(Instant::now());
            Expiry::In(left.max(Duration::from_millis(1)))
        })
    }
}

fn deadline(life: Life, present: Option<&Entry>) -> Option<Instant> {
    match life {
        Life::Keep => present.and_then(|entry| entry.deadline),
        Life::Never => None,
        Life::In(ttl) => Instant::now().checked_add(ttl),
    }
}

#[async_trait]
impl Store for MapBackend {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        let entries = self.entries_at(key)?;
        let entry = entries.get(key);
        Ok(entry.map(|entry| (entry.value.clone(), entry.expiry())))
    }

    async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        let life = options.life.checked()?;
        self.limits.check_value(value)?;
        let mut entries = self.entries_at(key)?;
        let present = entries.get(key);
        let holds = match options.condition {
            Condition::Always => true,
            Condition::Absent => present.is_none(),
            Condition::Present => present.is_some(),
            Condition::Equals(bytes) => present.is_some_and(|e| e.value.as_bytes() == bytes),
        };
        if holds {
            let deadline = deadline(life, present);
            let value = Stored::from(value);
            entries.insert(key.to_string(), Entry { value, deadline });
        }
        Ok(holds)
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        let mut entries = self.entries_at(key)?;
        let holds = entries
            .get(key)
            .is_some_and(|entry| expected.is_none_or(|bytes| entry.value.as_bytes() == bytes));
        if holds {
            entries.remove(key);
        }
        Ok(holds)
    }

    async fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        let window = Life::from(ttl).checked()?;
        let mut entries = self.entries_at(key)?;
        let present = entries.get(key);
        let count = match present {
            None => 0,
            Some(entry) => parse_integer(entry.value.as_bytes())
                .ok_or_else(|| BackendError::new(ErrorKind::WrongType, "not a counter"))?,
        };
        let value = count
            .checked_add(delta)
            .ok_or_else(|| BackendError::new(ErrorKind::Overflow, "the sum leaves i64"))?;
        let end = present.and_then(|entry| entry.deadline);
        let entry = Entry {
            value: Stored::from(value.to_string().into_bytes()),
            deadline: end.or_else(|| deadline(window, None)),
        };
        let expiry = entry.expiry();
        entries.insert(key.to_string(), entry);
        Ok(Counted { value, expiry })
    }

    async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool> {
        let life = life.checked()?;
        let mut entries = self.entries_at(key)?;
        let Some(entry) = entries.get_mut(key) else {
            return Ok(false);
        };
        entry.deadline = deadline(life, Some(entry));
        Ok(true)
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        if let Err(error) = self.limits.check_prefix(prefix) {
            return stream::iter([Err(error)]).boxed();
        }
        let entries = self.lock();
        let under = entries
            .range(prefix.to_string()..)
            .take_while(|(key, _)| key.starts_with(prefix));
        let live = under.filter(|(_, entry)| entry.is_live());
        let keys: Vec<_> = live.map(|(key, _)| Ok(key.clone())).collect();
        stream::iter(keys).boxed()
    }
}

#[allow(dead_code)]
#[tokio::main]
async fn main() -> BackendResult<()> {
    let backend = MapBackend::default();

    backend.set("greeting", "hello", None).await?;
    let greeting: Option<String> = backend.get("greeting").await?;
    println!("`set` and `get` come with the trait: {greeting:?}");

    let hits = backend
        .increment("hits", Some(Duration::from_secs(60)))
        .await?;
    println!("`increment` is `add`, one of our six methods: {hits}");

    let taken: Option<String> = backend.take("greeting").await?;
    println!("`take` is made of `read` and `remove`: {taken:?}");

    let shared: std::sync::Arc<dyn Backend> = std::sync::Arc::new(backend);
    println!(
        "as a trait object it counts on: {}",
        shared.increment("hits", None).await?
    );
    println!(
        "nobody else's key is there: {}",
        shared.exists("greeting").await?
    );
    Ok(())
}
