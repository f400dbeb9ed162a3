//! Every version sees the entries of older ones, and migrates them without losing any.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;
use futures::future::join_all;
use reinhardt_backends::store::{Store, Touch};
use reinhardt_backends::{
    Backend, BackendError, BackendResult, Counted, ErrorKind, Expiry, KeyStream, Keyspace, Life,
    MemoryBackend, Stored, Write,
};
use serde::{Deserialize, Serialize};

use crate::{MINUTE, about, on_every_backend};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "evolving", ttl = "30m")]
struct First {
    #[keyspace(key)]
    id: String,
    user: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "evolving", ttl = "30m", version = 2, migrates = First, codec = Postcard)]
struct Second {
    #[keyspace(key)]
    id: String,
    name: String,
    roles: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "evolving", ttl = "30m", version = 3, migrates = Second)]
struct Third {
    #[keyspace(key, tag)]
    id: String,
    name: String,
    admin: bool,
}

impl From<First> for Second {
    fn from(First { id, user: name }: First) -> Self {
        let roles = Vec::new();
        Self { id, name, roles }
    }
}

impl From<Second> for Third {
    fn from(Second { id, name, roles }: Second) -> Self {
        let admin = roles.iter().any(|role| role == "admin");
        Self { id, name, admin }
    }
}

fn first(id: &str) -> First {
    First {
        id: id.to_string(),
        user: "ann".to_string(),
    }
}

fn second(id: &str) -> Second {
    Second {
        id: id.to_string(),
        name: "bob".to_string(),
        roles: vec!["admin".to_string()],
    }
}

fn third(id: &str) -> Third {
    Third {
        id: id.to_string(),
        name: "cleo".to_string(),
        admin: false,
    }
}

/// Returns the value that the newest program reads of `first(id)`.
fn migrated(id: &str) -> Third {
    Second::from(first(id)).into()
}

on_every_backend! {
    a_read_converts_and_never_writes_back
    every_version_has_keys_of_its_own
    the_newest_version_wins
    a_save_writes_the_new_key_and_removes_the_old_ones
    an_update_moves_an_old_entry_and_keeps_its_life
    every_look_sees_old_entries
    the_conditional_saves_see_old_entries
    a_take_gives_an_old_entry_once_and_leaves_nothing
    after_a_delete_nothing_is_left_of_any_version
    many_at_once_see_and_remove_every_version
    a_scan_yields_each_entry_in_its_newest_version
    a_clear_takes_every_version
    side_by_side_each_program_sees_its_own_writes
    an_entry_that_is_moved_is_never_missed
    a_scan_misses_no_entry_that_is_moved
    an_update_brings_nothing_back_that_is_deleted_meanwhile
    values_migrate_too
}

async fn a_read_converts_and_never_writes_back(backend: Arc<dyn Backend>) {
    first("a").save(&backend).await.unwrap();
    let before = backend.get_stored("evolving:a").await.unwrap();
    assert_eq!(
        Third::get(&backend, "a").await.unwrap(),
        Some(migrated("a"))
    );
    assert_eq!(backend.get_stored("evolving:a").await.unwrap(), before);
    assert!(!backend.exists("evolving@3:{a}").await.unwrap());
    assert_eq!(Third::get(&backend, "b").await.unwrap(), None);
}

async fn every_version_has_keys_of_its_own(backend: Arc<dyn Backend>) {
    assert_eq!(&*First::key("a"), "evolving:a");
    assert_eq!(&*Second::key("a"), "evolving@2:a");
    assert_eq!(&*Third::key("a"), "evolving@3:{a}");
    third("a").save(&backend).await.unwrap();
    assert_eq!(First::get(&backend, "a").await.unwrap(), None);
    assert_eq!(Second::get(&backend, "a").await.unwrap(), None);
}

async fn the_newest_version_wins(backend: Arc<dyn Backend>) {
    second("a").save(&backend).await.unwrap();
    first("a").save(&backend).await.unwrap();
    assert_eq!(
        Third::get(&backend, "a").await.unwrap(),
        Some(second("a").into())
    );
    let many = Third::get_many(&backend, ["a"]).await.unwrap();
    assert_eq!(many, [Some(second("a").into())]);
    assert_eq!(
        Third::take(&backend, "a").await.unwrap(),
        Some(second("a").into())
    );
    assert_eq!(Third::get(&backend, "a").await.unwrap(), None);
}

async fn a_save_writes_the_new_key_and_removes_the_old_ones(backend: Arc<dyn Backend>) {
    for id in ["a", "b"] {
        second(id).save(&backend).await.unwrap();
        first(id).save(&backend).await.unwrap();
    }
    third("a").save(&backend).await.unwrap();
    Third::save_many(&backend, [third("b")]).await.unwrap();
    for id in ["a", "b"] {
        assert_eq!(Third::get(&backend, id).await.unwrap(), Some(third(id)));
        assert!(!First::exists(&backend, id).await.unwrap());
        assert!(!backend.exists(&Second::key(id)).await.unwrap());
    }
}

async fn an_update_moves_an_old_entry_and_keeps_its_life(backend: Arc<dyn Backend>) {
    first("a").save_for(&backend, 10 * MINUTE).await.unwrap();
    let updated = Third::update(&backend, "a", |entry| entry.admin = true).await;
    let expected = Third {
        admin: true,
        ..migrated("a")
    };
    assert_eq!(updated.unwrap(), Some(expected.clone()));
    assert!(about(Third::ttl(&backend, "a").await.unwrap(), 10 * MINUTE));
    assert!(backend.exists("evolving@3:{a}").await.unwrap());
    assert!(!backend.exists("evolving:a").await.unwrap());
    assert_eq!(Third::get(&backend, "a").await.unwrap(), Some(expected));
}

async fn every_look_sees_old_entries(backend: Arc<dyn Backend>) {
    first("a").save_for(&backend, 10 * MINUTE).await.unwrap();
    assert!(Third::exists(&backend, "a").await.unwrap());
    assert!(about(Third::ttl(&backend, "a").await.unwrap(), 10 * MINUTE));
    assert!(Third::touch(&backend, "a").await.unwrap());
    assert!(about(First::ttl(&backend, "a").await.unwrap(), 30 * MINUTE));
    assert!(!Third::exists(&backend, "b").await.unwrap());
    assert_eq!(Third::ttl(&backend, "b").await.unwrap(), None);
    assert!(!Third::touch(&backend, "b").await.unwrap());
}

async fn the_conditional_saves_see_old_entries(backend: Arc<dyn Backend>) {
    first("a").save(&backend).await.unwrap();
    assert!(!third("a").save_if_absent(&backend).await.unwrap());
    assert_eq!(
        Third::get(&backend, "a").await.unwrap(),
        Some(migrated("a"))
    );
    assert!(third("a").save_if_present(&backend).await.unwrap());
    assert_eq!(Third::get(&backend, "a").await.unwrap(), Some(third("a")));
    assert!(!First::exists(&backend, "a").await.unwrap());
    assert!(!third("b").save_if_present(&backend).await.unwrap());
    assert!(third("b").save_if_absent(&backend).await.unwrap());
    assert!(third("b").save_if_present(&backend).await.unwrap());
}

async fn a_take_gives_an_old_entry_once_and_leaves_nothing(backend: Arc<dyn Backend>) {
    first("a").save(&backend).await.unwrap();
    assert_eq!(
        Third::take(&backend, "a").await.unwrap(),
        Some(migrated("a"))
    );
    assert_eq!(Third::take(&backend, "a").await.unwrap(), None);
    assert!(!First::exists(&backend, "a").await.unwrap());
}

async fn after_a_delete_nothing_is_left_of_any_version(backend: Arc<dyn Backend>) {
    for present in 0..8 {
        if present & 1 != 0 {
            first("a").save(&backend).await.unwrap();
        }
        if present & 2 != 0 {
            backend.set("evolving@2:a", 7, None).await.unwrap();
        }
        if present & 4 != 0 {
            backend.set("evolving@3:{a}", 7, None).await.unwrap();
        }
        assert_eq!(Third::delete(&backend, "a").await.unwrap(), present > 0);
        assert_eq!(Third::get(&backend, "a").await.unwrap(), None);
        assert!(!Third::delete(&backend, "a").await.unwrap());
    }
}

async fn many_at_once_see_and_remove_every_version(backend: Arc<dyn Backend>) {
    first("a").save(&backend).await.unwrap();
    second("b").save(&backend).await.unwrap();
    third("c").save(&backend).await.unwrap();
    let many = Third::get_many(&backend, ["c", "none", "a", "b", "a"]);
    let expected = [
        Some(third("c")),
        None,
        Some(migrated("a")),
        Some(second("b").into()),
        Some(migrated("a")),
    ];
    assert_eq!(many.await.unwrap(), expected);
    let removed = Third::delete_many(&backend, ["a", "none", "b", "c"]);
    assert_eq!(removed.await.unwrap(), 3);
    let many = Third::get_many(&backend, ["a", "b", "c"]).await.unwrap();
    assert_eq!(many, [None, None, None]);
}

async fn a_scan_yields_each_entry_in_its_newest_version(backend: Arc<dyn Backend>) {
    first("a").save(&backend).await.unwrap();
    second("b").save(&backend).await.unwrap();
    first("b").save(&backend).await.unwrap();
    third("c").save(&backend).await.unwrap();
    backend.set("evolving@3:{c}x", 1, None).await.unwrap();
    let (entries, errors) = scanned(&backend).await;
    assert_eq!(entries, [migrated("a"), second("b").into(), third("c")]);
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].kind(), ErrorKind::InvalidKey, "{}", errors[0]);
    let keys = Third::scan_keys(&backend).filter_map_ok().await;
    assert_eq!(keys, ["a", "b", "c"]);
}

async fn a_clear_takes_every_version(backend: Arc<dyn Backend>) {
    first("a").save(&backend).await.unwrap();
    second("b").save(&backend).await.unwrap();
    third("c").save(&backend).await.unwrap();
    backend.set("evolving.other:a", 1, None).await.unwrap();
    assert_eq!(Third::clear(&backend).await.unwrap(), 3);
    assert_eq!(scanned(&backend).await.0, []);
    assert!(backend.exists("evolving.other:a").await.unwrap());
}

async fn side_by_side_each_program_sees_its_own_writes(backend: Arc<dyn Backend>) {
    first("a").save(&backend).await.unwrap();
    third("a").save(&backend).await.unwrap();
    assert_eq!(Third::get(&backend, "a").await.unwrap(), Some(third("a")));
    first("a").save(&backend).await.unwrap();
    assert_eq!(First::get(&backend, "a").await.unwrap(), Some(first("a")));
    assert_eq!(Third::get(&backend, "a").await.unwrap(), Some(third("a")));
}

async fn an_entry_that_is_moved_is_never_missed(backend: Arc<dyn Backend>) {
    for round in 0..40 {
        let id = format!("{round}");
        first(&id).save(&backend).await.unwrap();
        let readers = (0..4).map(|_| {
            let (backend, id) = (backend.clone(), id.clone());
            tokio::spawn(async move {
                for _ in 0..10 {
                    assert!(Third::get(&backend, &id).await.unwrap().is_some());
                    assert!(Third::exists(&backend, &id).await.unwrap());
                    assert!(Third::get_many(&backend, [&id]).await.unwrap()[0].is_some());
                }
            })
        });
        let movers = {
            let (backend, id) = (backend.clone(), id.clone());
            tokio::spawn(async move {
                Second::update(&backend, &id, |_| {}).await.unwrap();
                Third::update(&backend, &id, |_| {}).await.unwrap().unwrap();
            })
        };
        for task in join_all(readers.chain([movers]).collect::<Vec<_>>()).await {
            task.unwrap();
        }
    }
}

/// A memory that reads the last key of a call first, as a cluster may, and moves an entry then.
struct LastKeyFirst {
    inner: MemoryBackend,
    has_moved: AtomicBool,
}

#[async_trait]
impl Store for LastKeyFirst {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        self.inner.read(key).await
    }

    async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        self.inner.put(key, value, options).await
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        self.inner.remove(key, expected).await
    }

    async fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        self.inner.add(key, delta, ttl).await
    }

    async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool> {
        self.inner.set_life(key, life).await
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.inner.keys(prefix)
    }

    async fn read_values(&self, keys: &[&str], touch: Touch) -> BackendResult<Vec<Option<Stored>>> {
        let mut values = Vec::new();
        for key in keys.iter().rev() {
            values.push(self.inner.read_value(key, touch).await?);
            if !self.has_moved.swap(true, SeqCst) {
                Third::update(&self.inner, "a", |_| {}).await?;
            }
        }
        values.reverse();
        Ok(values)
    }
}

#[tokio::test]
async fn an_entry_that_moves_from_a_key_to_one_that_was_read_before_is_found() {
    let inner = MemoryBackend::new();
    first("a").save(&inner).await.unwrap();
    let has_moved = AtomicBool::new(false);
    let apart = LastKeyFirst { inner, has_moved };
    let found = Third::get_many(&apart, ["a"]).await.unwrap();
    assert_eq!(found, [Some(migrated("a"))]);
    assert!(apart.has_moved.load(SeqCst));
}

async fn a_scan_misses_no_entry_that_is_moved(backend: Arc<dyn Backend>) {
    let ids: Vec<String> = (0..300).map(|id| format!("{id:03}")).collect();
    for id in &ids {
        first(id).save(&backend).await.unwrap();
    }
    let mover = {
        let (backend, ids) = (backend.clone(), ids.clone());
        tokio::spawn(async move {
            for id in ids.iter().rev() {
                Third::update(&backend, id, |_| {}).await.unwrap().unwrap();
            }
        })
    };
    while !mover.is_finished() {
        let (entries, _) = scanned(&backend).await;
        let mut seen: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        seen.dedup();
        assert_eq!(seen, ids);
    }
    mover.await.unwrap();
}

async fn an_update_brings_nothing_back_that_is_deleted_meanwhile(backend: Arc<dyn Backend>) {
    for round in 0..100 {
        let id = format!("{round}");
        first(&id).save(&backend).await.unwrap();
        let writer = {
            let (backend, id) = (backend.clone(), id.clone());
            tokio::spawn(async move {
                Third::update(&backend, &id, |entry| entry.admin = true)
                    .await
                    .unwrap();
                third(&id).save_if_present(&backend).await.unwrap();
            })
        };
        assert!(Third::delete(&backend, &id).await.unwrap());
        writer.await.unwrap();
        assert_eq!(Third::get(&backend, &id).await.unwrap(), None);
    }
}

// On a cluster the two versions may be on two nodes, and a move isn't one step.
mod moved_in_one_step {
    use super::an_entry_that_is_moved_is_taken_at_most_once;

    reinhardt_backends_tests::on_both_backends! { an_entry_that_is_moved_is_taken_at_most_once }
}

async fn an_entry_that_is_moved_is_taken_at_most_once(backend: Arc<dyn Backend>) {
    for round in 0..50 {
        let id = format!("{round}");
        first(&id).save(&backend).await.unwrap();
        let takers = (0..4).map(|_| {
            let (backend, id) = (backend.clone(), id.clone());
            tokio::spawn(async move { Third::take(&backend, &id).await.unwrap() })
        });
        let takers: Vec<_> = takers.collect();
        Third::update(&backend, &id, |_| {}).await.unwrap();
        let taken = join_all(takers).await;
        let taken = taken.into_iter().filter_map(Result::unwrap).count();
        assert_eq!(taken, 1, "round {round}");
        assert!(!Third::exists(&backend, &id).await.unwrap());
    }
}

#[derive(Keyspace)]
#[keyspace(prefix = "text", ttl = "5m", value = String)]
struct Text<'a> {
    path: &'a str,
}

#[derive(Keyspace)]
#[keyspace(prefix = "text", ttl = "5m", value = Length, version = 2, migrates = Text<'a>)]
struct NewText<'a> {
    path: &'a str,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Length(usize);

impl From<String> for Length {
    fn from(text: String) -> Self {
        Self(text.len())
    }
}

async fn values_migrate_too(backend: Arc<dyn Backend>) {
    let (old, new) = (Text { path: "/" }, NewText { path: "/" });
    old.set(&backend, "four").await.unwrap();
    assert_eq!(new.get(&backend).await.unwrap(), Some(Length(4)));
    let compute = || async { Ok::<_, BackendError>(Length(0)) };
    let computed = new.get_or_set_with(&backend, compute);
    assert_eq!(computed.await.unwrap(), Length(4));
    let pairs: Vec<(String, Length)> = NewText::scan(&backend).try_collect().await.unwrap();
    assert_eq!(pairs, [("/".to_string(), Length(4))]);
    new.set_for(&backend, Length(5), Duration::from_secs(60))
        .await
        .unwrap();
    assert!(!old.exists(&backend).await.unwrap());
    assert_eq!(new.get(&backend).await.unwrap(), Some(Length(5)));
}

/// Returns the entries that a scan yields, in order, and the errors of those that it can't read.
async fn scanned(backend: &Arc<dyn Backend>) -> (Vec<Third>, Vec<BackendError>) {
    let mut stream = Third::scan(backend);
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    while let Some(item) = futures::StreamExt::next(&mut stream).await {
        match item {
            Ok(entry) => entries.push(entry),
            Err(error) => errors.push(error),
        }
    }
    entries.sort_by(|one, other| one.id.cmp(&other.id));
    (entries, errors)
}

/// Collects the keys that a stream yields besides errors, in order and each key once.
trait Readable {
    async fn filter_map_ok(self) -> Vec<String>;
}

impl<S: futures::Stream<Item = Result<String, BackendError>>> Readable for S {
    async fn filter_map_ok(self) -> Vec<String> {
        let items: Vec<_> = futures::StreamExt::collect(self).await;
        let mut keys: Vec<String> = items.into_iter().flatten().collect();
        keys.sort();
        keys.dedup();
        keys
    }
}
