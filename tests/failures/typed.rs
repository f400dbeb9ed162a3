//! Keyspaces, sessions, leases, throttles and caches: what their own errors say of a write.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;
use futures::executor::block_on;
use reinhardt_backends::layer::{Answer, Intercept, Next, Op, Operation};
use reinhardt_backends::lease::Lease;
use reinhardt_backends::session::{SessionError, SessionStore, TowerSessions};
use reinhardt_backends::store::{NewEntry, Store, StoreInfo, SyncStore};
use reinhardt_backends::throttle::{Attempt, Quota, Throttle, WhenDown};
use reinhardt_backends::{
    Backend, BackendError, BackendResult, Condition, Counted, ErrorKind, Expiry, KeyStream,
    Keyspace, Life, MemoryBackend, Stored, Write,
};
use reinhardt_backends_tests::{
    Proxy, Recording, Server, StepwiseBackend, eventually, on_both_backends, patient,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tower_sessions::SessionStore as _;
use tower_sessions::session::{Id, Record};

use super::page::row;
use super::{BRIEF, connect, lazy, recovered};

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "guest", ttl = "5m")]
struct Guest {
    #[keyspace(key)]
    id: String,
    name: String,
}

fn guest(id: &str) -> Guest {
    Guest {
        id: id.into(),
        name: "topsecret".into(),
    }
}

on_both_backends! {
    bytes_that_are_no_value
    entries_under_other_keys
    a_writer_who_is_never_the_fastest
    sessions_that_are_not_written
    a_counter_of_leases_that_somebody_changed
}

async fn bytes_that_are_no_value(backend: Arc<dyn Backend>) {
    backend
        .set("guest:hiddenkey", "topsecret", None)
        .await
        .unwrap();
    let odd = row!(".. at byte .., for `..`", Decode, NoWrite);
    odd.check(&Guest::get(&backend, "hiddenkey").await.unwrap_err());
    let updated = Guest::update(&backend, "hiddenkey", |guest| guest.name.clear()).await;
    row!(".. at byte .., for `..`", Decode, NotSent).check(&updated.unwrap_err());
    let text = backend.get::<String>("guest:hiddenkey").await.unwrap();
    assert_eq!(text.unwrap(), "topsecret", "it is still there");
    let taken = Guest::take(&backend, "hiddenkey").await.unwrap_err();
    row!(".. at byte .., for `..`", Decode, Taken).check(&taken);
    assert!(!backend.exists("guest:hiddenkey").await.unwrap());
}

async fn entries_under_other_keys(backend: Arc<dyn Backend>) {
    backend
        .set("guest:hiddenkey", guest("another"), None)
        .await
        .unwrap();
    let other = row!(
        "the stored entry has other key fields than those that it was read by",
        Decode,
        NoWrite
    );
    other.check(&Guest::get(&backend, "hiddenkey").await.unwrap_err());
    assert!(backend.exists("guest:hiddenkey").await.unwrap());
    let taken = Guest::take(&backend, "hiddenkey").await.unwrap_err();
    row!(
        "the stored entry has other key fields than those that it was read by",
        Decode,
        Taken
    )
    .check(&taken);
    assert!(!backend.exists("guest:hiddenkey").await.unwrap());

    backend.set("guest:hiddenkey:more", 1, None).await.unwrap();
    let scanned: BackendResult<Vec<Guest>> = Guest::scan(&backend).try_collect().await;
    row!(
        "a text under the prefix of `..` is none of its keys",
        InvalidKey,
        NoWrite
    )
    .check(&scanned.unwrap_err());
    assert!(backend.exists("guest:hiddenkey:more").await.unwrap());
}

/// The closure itself is the other writer, at each of the tries.
async fn a_writer_who_is_never_the_fastest(backend: Arc<dyn Backend>) {
    guest("hiddenkey").save(&backend).await.unwrap();
    let mut tries = 0;
    let updated = Guest::update(&backend, "hiddenkey", |guest| {
        tries += 1;
        let faster = Guest {
            id: "hiddenkey".into(),
            name: format!("topsecret {tries}"),
        };
        let saving = async { faster.save(&backend).await };
        tokio::task::block_in_place(|| block_on(saving)).unwrap();
        guest.name.clear();
    });
    row!(
        "gave up after .. tries: another writer was faster each time",
        Conflict,
        Refused
    )
    .check(&updated.await.unwrap_err());
    let found = Guest::get(&backend, "hiddenkey").await.unwrap().unwrap();
    assert_eq!(found.name, format!("topsecret {tries}"));
}

/// Other callers are faster than the second and the third step of a move.
struct Meddling(MemoryBackend);

impl Intercept for Meddling {
    const FAST_PATH: bool = false;

    async fn call<T: Answer>(
        &self,
        operation: Operation<'_>,
        next: Next<'_, T>,
    ) -> BackendResult<T> {
        if operation.op() == Op::Remove && operation.key() == Some("hiddenkey:from") {
            self.0.set("hiddenkey:from", "faster", None).await?;
            self.0.set("hiddenkey:to", "faster", None).await?;
        }
        next.run().await
    }

    fn call_now<T: Answer>(
        &self,
        _: Operation<'_>,
        next: impl FnOnce() -> BackendResult<T>,
    ) -> BackendResult<T> {
        next()
    }

    fn keys<'a>(&'a self, _: Operation<'_>, next: KeyStream<'a>) -> KeyStream<'a> {
        next
    }
}

#[tokio::test]
async fn a_move_whose_entries_others_change() {
    let memory = MemoryBackend::new();
    let backend = StepwiseBackend(memory.clone().layer(Meddling(memory.clone())));
    memory.set("hiddenkey:from", 7, None).await.unwrap();
    let to = NewEntry {
        key: "hiddenkey:to",
        value: b"topsecret",
        life: Life::Never,
    };
    let moved = backend.move_entry("hiddenkey:from", b"7", to, None).await;
    row!(
        made up,
        "other callers have changed both entries of a move that is made in steps",
        Conflict,
        Unknown
    )
    .check(&moved.unwrap_err());
    for key in ["hiddenkey:from", "hiddenkey:to"] {
        let found = memory.get::<String>(key).await.unwrap();
        assert_eq!(found.as_deref(), Some("faster"));
    }
}

async fn sessions_that_are_not_written(backend: Arc<dyn Backend>) {
    let sessions: SessionStore<String, _> = SessionStore::new(backend.clone());
    let mut ann = sessions
        .create("hiddenkey", "topsecret".into())
        .await
        .unwrap();
    let mut twin = sessions.load(ann.id()).await.unwrap().unwrap();
    twin.push('!');
    sessions.save(&mut twin).await.unwrap();
    ann.push('?');
    let outdated = sessions.save(&mut ann).await.unwrap_err();
    row!(
        "somebody else has saved the session since it was loaded",
        SessionConflict,
        Refused
    )
    .check(&outdated);
    let stored = sessions.load(twin.id()).await.unwrap().unwrap();
    assert_eq!(*stored, "topsecret!");

    let mut session = sessions.load(twin.id()).await.unwrap().unwrap();
    let taken_over = sessions.cycle(&mut session, "somebody").await.unwrap_err();
    row!(
        "the session belongs to another owner",
        SessionOtherOwner,
        NotSent
    )
    .check(&taken_over);
    assert!(sessions.load(twin.id()).await.unwrap().is_some());
    assert_eq!(sessions.delete_all("somebody").await.unwrap(), 0);

    assert!(sessions.delete(twin.id()).await.unwrap());
    let gone = sessions.save(&mut session).await.unwrap_err();
    row!("the session is gone", SessionGone, Refused).check(&gone);
    assert!(sessions.load(twin.id()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_whose_store_fails() {
    let server = Server::on_tcp();
    let proxy = Proxy::start(server.port());
    let near = lazy(patient(&proxy.url()).call_timeout(BRIEF));
    let sessions: SessionStore<String, _> = SessionStore::new(near.clone());
    let far: SessionStore<String, _> = SessionStore::new(connect(&server.url()).await);
    let mut ann = far.create("hiddenkey", "topsecret".into()).await.unwrap();
    let mut session = sessions.load(ann.id()).await.unwrap().unwrap();
    let mut next = sessions.load(ann.id()).await.unwrap().unwrap();
    session.push('!');
    next.push('?');
    // Makes the script known.
    ann.push('.');
    far.save(&mut ann).await.unwrap();
    let id = ann.id().clone();

    let mut session = {
        drop(session);
        let mut session = sessions.load(&id).await.unwrap().unwrap();
        session.push('!');
        session
    };
    proxy.hold_answers();
    let error = sessions.save(&mut session).await.unwrap_err();
    row!("the session's backend failed", SessionBackend, Unknown).check(&error);
    let is_saved = async || far.load(&id).await.unwrap().unwrap().ends_with('!');
    eventually(is_saved).await;
    proxy.release();
    recovered(&near).await;

    server.command("ACL SETUSER app reset on >pa55 ~* +@all -set");
    let url = format!("redis://app:pa55@127.0.0.1:{}", server.port());
    let denied: SessionStore<String, _> = SessionStore::new(connect(&url).await);
    let mut session = denied.load(&id).await.unwrap().unwrap();
    session.push('?');
    let error = denied.save(&mut session).await.unwrap_err();
    row!("the session's backend failed", SessionBackend, Refused).check(&error);
    assert!(matches!(error, SessionError::Backend(_)));
    near.close().await;
    let error = sessions.save(&mut session).await.unwrap_err();
    row!("the session's backend failed", SessionBackend, NotSent).check(&error);
    assert!(is_saved().await);
}

/// The lease is given back: somebody else gets it once the counter is mended.
async fn a_counter_of_leases_that_somebody_changed(backend: Arc<dyn Backend>) {
    backend.set("lease@fence", -5, None).await.unwrap();
    let lease = Lease::new(backend.clone(), "report", MINUTE).unwrap();
    row!(
        "the counter of fencing numbers was changed by somebody else: it is below zero",
        WrongType,
        Refused
    )
    .check(&lease.acquire().await.unwrap_err());
    backend.delete("lease@fence").await.unwrap();
    eventually(async || lease.acquire().await.unwrap().is_some()).await;
}

/// A store whose comparisons never hold, as under writers who are always faster.
struct Slow(MemoryBackend);

#[async_trait]
impl Store for Slow {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        self.0.read(key).await
    }

    async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        match options.condition {
            Condition::Always => Store::put(&self.0, key, value, options).await,
            _ => Ok(false),
        }
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        self.0.remove(key, expected).await
    }

    async fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        Store::add(&self.0, key, delta, ttl).await
    }

    async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool> {
        self.0.set_life(key, life).await
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.0.keys(prefix)
    }

    fn info(&self) -> StoreInfo {
        self.0.info()
    }
}

/// A store that answers at once when it is asked whether it does, and later doesn't.
struct Fickle {
    memory: MemoryBackend,
    asked: AtomicUsize,
}

#[async_trait]
impl Store for Fickle {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        self.memory.read(key).await
    }

    async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        Store::put(&self.memory, key, value, options).await
    }

    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        self.memory.remove(key, expected).await
    }

    async fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        Store::add(&self.memory, key, delta, ttl).await
    }

    async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool> {
        self.memory.set_life(key, life).await
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.memory.keys(prefix)
    }

    fn info(&self) -> StoreInfo {
        self.memory.info()
    }

    fn as_sync(&self) -> Option<&dyn SyncStore> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        self.memory.as_sync().filter(|_| asked == 0)
    }
}

#[tokio::test]
async fn a_store_in_a_layer_that_does_not_keep_its_word() {
    let memory = MemoryBackend::new();
    let fickle = Fickle {
        memory: memory.clone(),
        asked: AtomicUsize::new(0),
    };
    let backend = fickle.layer(Recording::<true>::default());
    let error = backend.set("hiddenkey", "topsecret", None).await;
    row!(
        made up,
        "the store inside of a layer doesn't answer at once any more",
        Other,
        NotSent
    )
    .check(&error.unwrap_err());
    assert!(!memory.exists("hiddenkey").await.unwrap());
}

#[tokio::test]
async fn a_record_of_tower_sessions_that_would_not_be_read_back() {
    let memory = MemoryBackend::new();
    let store = TowerSessions::new(memory.clone());
    let mut nested = serde_json::json!("topsecret");
    (0..300).for_each(|_| nested = serde_json::json!([nested]));
    let mut record = Record {
        id: Id::default(),
        data: [("hiddenkey".to_string(), nested)].into(),
        expiry_date: OffsetDateTime::now_utc() + MINUTE,
    };
    let error = store.create(&mut record).await.unwrap_err();
    row!("`..` isn't stored: ..", Encode, NotSent).check(&error);
    assert_eq!(memory.stats().entries, 0);
}

#[tokio::test]
async fn an_attempt_that_is_never_the_fastest() {
    let memory = MemoryBackend::new();
    let backend = Slow(memory.clone());
    let quotas = [Quota::gcra(5, MINUTE)];
    let error = backend.throttle("hiddenkey", Attempt::new(&quotas)).await;
    row!(made up, "other attempts were faster every time", Conflict, Refused)
        .check(&error.unwrap_err());
    assert!(!memory.exists("hiddenkey").await.unwrap());
}

#[derive(Keyspace)]
#[keyspace(prefix = "teaser", ttl = "5m", value = String, on_unavailable = "miss")]
struct Teaser {
    id: u32,
}

/// A write whose answer was lost may come after the removal.
#[tokio::test]
async fn a_cache_that_goes_on_and_does_not_know_what_is_on_its_way() {
    let server = Server::on_tcp();
    let proxy = Proxy::start(server.port());
    let near = lazy(patient(&proxy.url()).call_timeout(BRIEF));
    let far = connect(&server.url()).await;
    recovered(&near).await;
    let teaser = Teaser { id: 1 };
    proxy.hold_answers();
    teaser.set(&near, "topsecret").await.unwrap();
    eventually(async || teaser.exists(&far).await.unwrap()).await;
    proxy.release();
    recovered(&near).await;
    let on_its_way = row!(
        "a write whose answer was lost may still be on its way to the store, ..",
        Unavailable,
        NotSent
    );
    on_its_way.check(&teaser.take(&near).await.unwrap_err());
    on_its_way.check(&teaser.set_if_absent(&near, "other").await.unwrap_err());
    assert_eq!(teaser.get(&far).await.unwrap().unwrap(), "topsecret");
    let removed = teaser.delete(&near).await.unwrap_err();
    row!(
        "a write whose answer was lost may still be on its way to the store, ..",
        Unavailable,
        Unknown
    )
    .check(&removed);
    assert!(!teaser.exists(&far).await.unwrap(), "the removal was made");
}

/// What the page says of each kind, on a server that is gone.
#[tokio::test]
async fn kinds_without_their_store() {
    let mut server = Server::on_tcp();
    let backend = lazy(patient(&server.url()).call_timeout(BRIEF));
    let sessions: SessionStore<u8, _> = SessionStore::new(backend.clone());
    let session = sessions.create("ann", 1).await.unwrap();
    let short = BRIEF * 5;
    let lease = Lease::new(backend.clone(), "report", short).unwrap();
    let mut guard = lease.acquire().await.unwrap().unwrap();
    let throttle = Throttle::new("api", [Quota::gcra(5, MINUTE)]).unwrap();
    assert!(throttle.check(&backend, "ann").await.unwrap().allowed);
    server.kill();

    assert!(
        sessions.load(session.id()).await.is_err(),
        "neither there nor gone"
    );
    let decided = throttle.check(&backend, "ann").await;
    assert!(decided.is_err());
    assert!(WhenDown::Allow.allows(&decided) && !WhenDown::Refuse.allows(&decided));
    let report = Report { id: 1 };
    let computed = report.get_or_set_with(&backend, async || Ok::<_, BackendError>(7));
    assert!(computed.await.is_err());
    let teaser = Teaser { id: 1 };
    let text = async || Ok::<_, BackendError>("topsecret".to_string());
    let computed = teaser.get_or_set_with(&backend, text).await;
    assert_eq!(computed.unwrap(), "topsecret");
    assert!(teaser.delete(&backend).await.is_err());
    assert!(lease.acquire().await.is_err());
    assert!(guard.renew().await.is_err());
    eventually(async || !guard.is_held()).await;
    backend.close().await;
    let closed = backend.ping().await.unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::Unavailable);
}

/// The task was asked to store what it computed, and its runtime ended before the answer.
#[test]
fn a_computation_whose_runtime_ended() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let (first, second) = (runtime(), runtime());
    let server = Server::on_tcp();
    let proxy = Arc::new(Proxy::start(server.port()));
    let near = lazy(patient(&proxy.url()));
    let far = second.block_on(connect(&server.url()));
    let report = Report { id: 1 };
    let mut call = Box::pin(report.get_or_set_spawned(&near, async move || {
        proxy.hold_answers();
        Ok::<_, BackendError>(7)
    }));
    let found = Report { id: 1 };
    let is_stored = eventually(async || found.exists(&far).await.unwrap());
    first.block_on(async {
        tokio::select! {
            _ = &mut call => unreachable!("the answer is held"),
            () = is_stored => {}
        }
    });
    drop(first);
    let error = second.block_on(call).unwrap_err();
    row!("the runtime of a computation ended", Unavailable, Unknown).check(&error);
    let stored = second.block_on(report.get(&far)).unwrap();
    assert_eq!(stored, Some(7), "it was stored all the same");
}

#[derive(Keyspace)]
#[keyspace(prefix = "report", ttl = "5m", value = u64)]
struct Report {
    id: u32,
}
