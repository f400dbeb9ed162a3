//! A handle that reads from replicas has them answer plain reads alone, and the primary where none
//! does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use reinhardt_backends::layer::Op;
use reinhardt_backends::lease::Lease;
use reinhardt_backends::session::{SessionError, SessionStore};
use reinhardt_backends::throttle::Quota;
use reinhardt_backends::{Backend, ErrorKind, Keyspace, ReadFrom, RedisBackend};
use reinhardt_backends_tests::{Proxy, Recording, Server, Service};
use serde::{Deserialize, Serialize};

use super::{PATIENCE, builder, connect, eventually};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "replica-page", ttl = "1h", shared)]
struct Page {
    #[keyspace(key)]
    id: u32,
    text: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "replica-slide", ttl = "1h", sliding, shared)]
struct Slide {
    #[keyspace(key)]
    id: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "replica-move", ttl = "1h")]
struct Old {
    #[keyspace(key)]
    id: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "replica-move", ttl = "1h", version = 2, migrates = Old, shared)]
struct New {
    #[keyspace(key)]
    id: u32,
}

impl From<Old> for New {
    fn from(old: Old) -> Self {
        Self { id: old.id }
    }
}

#[derive(Keyspace)]
#[keyspace(prefix = "replica-leased", ttl = "1h", value = String, lease = "10s", shared)]
struct Leased {
    id: u32,
}

#[derive(Keyspace)]
#[keyspace(prefix = "replica-hits", ttl = "1h", counter)]
struct Hits {
    id: u32,
}

#[derive(Keyspace)]
#[keyspace(prefix = "replica-calls", limit = "1/day")]
struct Calls {
    id: u32,
}

#[derive(Keyspace)]
#[keyspace(prefix = "replica-computed", ttl = "1h", value = String)]
struct Computed {
    id: u32,
}

/// A primary and a replica. The replica takes writes of its own, so that it can be told from the
/// primary.
struct Pair {
    primary: Server,
    replica: Server,
    /// Reads from the primary.
    backend: RedisBackend,
    /// Reads from the replica.
    handle: RedisBackend,
}

/// Settings of a server that a replica is made of at once.
const AT_ONCE: [&str; 2] = ["--repl-diskless-sync-delay", "0"];

fn replica_of(primary: &Server, settings: &[&str]) -> Server {
    let port = primary.port().to_string();
    let follows = [
        "--replicaof",
        "127.0.0.1",
        &port,
        "--replica-read-only",
        "no",
    ];
    Server::on_tcp_with(&[&AT_ONCE[..], &follows, settings].concat())
}

async fn followed(primary: &Server) {
    eventually(async || primary.command("INFO replication").contains("state=online")).await;
}

impl Pair {
    async fn start() -> Self {
        Self::with_settings(&[]).await
    }

    async fn with_settings(settings: &[&str]) -> Self {
        let primary = Server::on_tcp_with(&AT_ONCE);
        let replica = replica_of(&primary, settings);
        followed(&primary).await;
        let backend = connect(&primary.url()).await;
        let handle = backend.reading_from(ReadFrom::Replica);
        let pair = Self {
            primary,
            replica,
            backend,
            handle,
        };
        pair.is_read_from().await;
        pair
    }

    /// Waits until the handle reads from the replica.
    async fn is_read_from(&self) {
        self.backend.set("probe", 1, None).await.unwrap();
        self.forget();
        eventually(async || self.handle.get::<u8>("probe").await.unwrap().is_none()).await;
        self.backend.delete("probe").await.unwrap();
    }

    /// Lets the replica lose all entries that there are by now.
    fn forget(&self) {
        // `WAIT` waits only for the last write of its own connection.
        let replies = self.primary.command("SET x 1\r\nWAIT 1 10000\r\nDEL x");
        assert!(replies.contains(":1"), "{replies}");
        let refusal = self.replica.command("FLUSHALL");
        assert!(refusal.is_empty(), "{refusal}");
    }
}

fn page(id: u32) -> Page {
    let text = "text".to_string();
    Page { id, text }
}

#[tokio::test]
async fn plain_reads_are_answered_by_a_replica() {
    let pair = Pair::start().await;
    let (backend, handle) = (&pair.backend, &pair.handle);
    for id in 0..3 {
        page(id).save(handle).await.unwrap();
        Hits { id }.increment(handle).await.unwrap();
    }
    handle.set("raw", 7, None).await.unwrap();
    pair.forget();
    for (from, seen) in [(backend, true), (handle, false)] {
        assert_eq!(from.get::<u8>("raw").await.unwrap().is_some(), seen);
        assert_eq!(
            from.get_with_ttl::<u8>("raw").await.unwrap().is_some(),
            seen
        );
        assert_eq!(from.exists("raw").await.unwrap(), seen);
        assert_eq!(from.ttl("raw").await.unwrap().is_some(), seen);
        let many = from.get_many::<u8>(&["raw", "none"]).await.unwrap();
        assert_eq!(many, [seen.then_some(7), None]);
        let keys: Vec<String> = from.scan("raw").try_collect().await.unwrap();
        assert_eq!(keys.len(), usize::from(seen));

        assert_eq!(Page::get(from, 1).await.unwrap().is_some(), seen);
        assert_eq!(Page::get_shared(from, 1).await.unwrap().is_some(), seen);
        assert_eq!(Page::exists(from, 1).await.unwrap(), seen);
        assert_eq!(Page::ttl(from, 1).await.unwrap().is_some(), seen);
        let many = Page::get_many(from, [0, 1]).await.unwrap();
        assert!(many.iter().all(|page| page.is_some() == seen));
        let count = if seen { 3 } else { 0 };
        assert_eq!(Page::scan(from).count().await, count);
        assert_eq!(Page::scan_keys(from).count().await, count);
        let hits = Hits { id: 1 };
        assert_eq!(hits.get(from).await.unwrap(), i64::from(seen));
        assert_eq!(hits.ttl(from).await.unwrap().is_some(), seen);
        assert_eq!(Hits::scan(from).count().await, count);

        // Whatever it is that holds the handle.
        let dynamic: Arc<dyn Backend> = Arc::new(from.clone());
        assert_eq!(dynamic.get::<u8>("raw").await.unwrap().is_some(), seen);
        assert_eq!(Page::get(&dynamic, 1).await.unwrap().is_some(), seen);
    }
    let status = backend.status();
    let replica = format!("127.0.0.1:{}", pair.replica.port());
    let is_told = |is_replica, address: &str| {
        let mut nodes = status.nodes.iter();
        nodes.any(|node| node.is_replica == is_replica && node.address == address)
    };
    assert!(
        status.is_connected() && is_told(true, &replica),
        "{status:?}"
    );
    assert_eq!(status.nodes.len(), 2);
}

#[tokio::test]
async fn a_layer_leaves_reads_to_the_replica_and_sees_them() {
    let pair = Pair::start().await;
    page(1).save(&pair.handle).await.unwrap();
    pair.handle.set("raw", 7, None).await.unwrap();
    pair.forget();
    for (from, seen) in [(&pair.backend, true), (&pair.handle, false)] {
        let recording = Recording::<false>::default();
        let layered = from.clone().layer(recording.clone());
        assert_eq!(layered.get::<u8>("raw").await.unwrap().is_some(), seen);
        assert_eq!(layered.ttl("raw").await.unwrap().is_some(), seen);
        assert_eq!(Page::get(&layered, 1).await.unwrap().is_some(), seen);
        let many = Page::get_many(&layered, [1]).await.unwrap();
        assert_eq!(many[0].is_some(), seen);
        assert_eq!(Page::scan(&layered).count().await, usize::from(seen));
        let calls = recording.take().into_iter();
        let calls: Vec<Op> = calls.map(|call| call.op).collect();
        let mut expected = vec![Op::Read, Op::ReadLife, Op::Read, Op::ReadMany, Op::Scan];
        expected.extend(seen.then_some(Op::ReadMany));
        assert_eq!(calls, expected);
    }
}

#[tokio::test]
async fn a_session_is_read_from_the_primary() {
    let pair = Pair::start().await;
    let sessions = SessionStore::<String, _>::new(pair.handle.clone());
    let mut session = sessions.create("ann", "new".to_string()).await.unwrap();
    pair.forget();
    let mut loaded = sessions.load(session.id()).await.unwrap().unwrap();
    assert_eq!(*loaded, "new");
    *loaded = "changed".to_string();
    sessions.save(&mut loaded).await.unwrap();
    pair.forget();
    // The session is told apart from a session that is gone.
    let refused = sessions.save(&mut session).await.unwrap_err();
    assert!(matches!(refused, SessionError::Conflict), "{refused}");
    assert!(sessions.touch(session.id()).await.unwrap());
    pair.forget();
    assert_eq!(sessions.delete_all("ann").await.unwrap(), 1);
    assert!(sessions.load(session.id()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_throttle_counts_on_the_primary() {
    let pair = Pair::start().await;
    let calls = Calls { id: 1 };
    assert!(calls.check(&pair.handle).await.unwrap().allowed);
    pair.forget();
    assert!(!calls.peek(&pair.handle).await.unwrap().allowed);
    assert!(!calls.check(&pair.handle).await.unwrap().allowed);
    let raw = reinhardt_backends::throttle::Throttle::new(
        "api",
        Quota::gcra(1, Duration::from_secs(3600)),
    )
    .unwrap();
    assert!(raw.check(&pair.handle, "k").await.unwrap().allowed);
    pair.forget();
    assert!(!raw.check(&pair.handle, "k").await.unwrap().allowed);
}

#[tokio::test]
async fn a_lease_is_held_on_the_primary() {
    let pair = Pair::start().await;
    let lease = || Lease::new(pair.handle.clone(), "job", Duration::from_secs(60)).unwrap();
    let held = lease().acquire().await.unwrap().unwrap();
    pair.forget();
    assert!(lease().acquire().await.unwrap().is_none());
    drop(held);
}

#[tokio::test]
async fn what_reads_in_order_to_write_reads_from_the_primary() {
    let pair = Pair::start().await;
    let handle = &pair.handle;
    page(1).save(handle).await.unwrap();
    handle.set("raw", 7, None).await.unwrap();
    pair.forget();
    let update = Page::update(handle, 1, |page| page.text.push('!'));
    assert_eq!(update.await.unwrap().unwrap().text, "text!");
    pair.forget();
    let page_of_2 = page(2);
    let computed = || Computed { id: 1 };
    computed().set(handle, "text").await.unwrap();
    pair.forget();
    assert!(computed().get(handle).await.unwrap().is_none());
    let found = computed().get_or_compute(handle, async || "other".to_string());
    assert_eq!(found.await.unwrap(), "text");
    assert!(!page(1).save_if_absent(handle).await.unwrap());
    assert!(page(1).save_if_present(handle).await.unwrap());
    assert!(!page_of_2.save_if_present(handle).await.unwrap());
    pair.forget();
    let stored = handle.get_stored("raw").await.unwrap().unwrap();
    assert!(
        handle
            .compare_and_set("raw", &stored, 8, reinhardt_backends::Life::Keep)
            .await
            .unwrap()
    );
    pair.forget();
    assert!(Page::touch(handle, 1).await.unwrap());
    pair.forget();
    assert_eq!(Page::take(handle, 1).await.unwrap().unwrap().text, "text");
    assert_eq!(handle.take::<u8>("raw").await.unwrap(), Some(8));
}

#[tokio::test]
async fn a_keyspace_that_slides_is_read_from_the_primary() {
    let pair = Pair::start().await;
    let handle = &pair.handle;
    Slide { id: 1 }.save(handle).await.unwrap();
    pair.forget();
    assert!(Slide::get(handle, 1).await.unwrap().is_some());
    pair.forget();
    assert!(Slide::exists(handle, 1).await.unwrap());
    assert!(Slide::ttl(handle, 1).await.unwrap().is_some());
    assert!(Slide::get_shared(handle, 1).await.unwrap().is_some());
    pair.forget();
    assert_eq!(
        Slide::get_many(handle, [1]).await.unwrap(),
        [Some(Slide { id: 1 })]
    );
    pair.forget();
    assert_eq!(Slide::scan(handle).count().await, 1);
    assert_eq!(Slide::scan_keys(handle).count().await, 1);
}

#[tokio::test]
async fn a_keyspace_that_migrates_is_read_from_the_primary() {
    let pair = Pair::start().await;
    let handle = &pair.handle;
    Old { id: 1 }.save(handle).await.unwrap();
    New { id: 2 }.save(handle).await.unwrap();
    pair.forget();
    for id in 1..=2 {
        assert!(New::get(handle, id).await.unwrap().is_some());
        assert!(New::exists(handle, id).await.unwrap());
        assert!(New::ttl(handle, id).await.unwrap().is_some());
        assert!(New::get_shared(handle, id).await.unwrap().is_some());
    }
    let both = [Some(New { id: 1 }), Some(New { id: 2 })];
    assert_eq!(New::get_many(handle, [1, 2]).await.unwrap(), both);
    assert_eq!(New::scan(handle).count().await, 2);
    assert_eq!(New::scan_keys(handle).count().await, 2);
    // The older version by itself is a plain keyspace.
    assert!(Old::get(handle, 1).await.unwrap().is_none());
    assert_eq!(New::clear(handle).await.unwrap(), 2);
}

#[tokio::test]
async fn a_keyspace_with_leases_is_read_from_the_primary() {
    let pair = Pair::start().await;
    let handle = &pair.handle;
    let leased = || Leased { id: 1 };
    leased().set(handle, "text").await.unwrap();
    pair.forget();
    assert!(leased().get(handle).await.unwrap().is_some());
    assert!(leased().exists(handle).await.unwrap());
    assert!(leased().ttl(handle).await.unwrap().is_some());
    assert!(leased().get_shared(handle).await.unwrap().is_some());
    assert_eq!(Leased::scan(handle).count().await, 1);
    let computed = leased().get_or_compute(handle, async || "other".to_string());
    assert_eq!(computed.await.unwrap(), "text");
}

#[tokio::test]
async fn what_is_cleared_is_found_on_the_primary() {
    let pair = Pair::start().await;
    let handle = &pair.handle;
    for id in 0..3 {
        page(id).save(handle).await.unwrap();
    }
    handle.set("raw", 1, None).await.unwrap();
    pair.forget();
    assert_eq!(Page::clear(handle).await.unwrap(), 3);
    assert_eq!(handle.clear_prefix("raw").await.unwrap(), 1);
    handle.set("raw", 1, None).await.unwrap();
    pair.forget();
    handle.clear().await.unwrap();
    assert_eq!(pair.backend.get::<u8>("raw").await.unwrap(), None);
}

/// Reads of one key don't go back in time between two replicas, however the replicas are told and
/// whichever of them comes back.
#[tokio::test]
async fn one_key_is_read_from_one_replica() {
    let primary = Server::on_tcp_with(&AT_ONCE);
    let replicas = [replica_of(&primary, &[]), replica_of(&primary, &[])];
    let online = |count| {
        let told = primary.command("INFO replication");
        told.matches("state=online").count() == count
    };
    eventually(async || online(2)).await;
    let handle = connect(&primary.url())
        .await
        .reading_from(ReadFrom::Replica);
    let told = primary.command("SET x 1\r\nWAIT 2 10000\r\nDEL x");
    assert!(told.contains(":2"), "{told}");
    // Each replica says which one it is.
    for (index, replica) in replicas.iter().enumerate() {
        for key in 0..20 {
            let refusal = replica.command(&format!("SET reinhardt:k{key} {index}"));
            assert!(refusal.is_empty(), "{refusal}");
        }
    }
    let answers = async || {
        let mut answers = Vec::new();
        for key in 0..20 {
            answers.push(handle.get::<usize>(&format!("k{key}")).await.unwrap());
        }
        answers
    };
    let mut first = Vec::new();
    eventually(async || {
        first = answers().await;
        first.iter().all(Option::is_some)
    })
    .await;
    // Some keys are read from each replica, unless chance has it otherwise once in half a million
    // times.
    assert!(
        first.contains(&Some(0)) && first.contains(&Some(1)),
        "{first:?}"
    );
    for _ in 0..5 {
        assert_eq!(answers().await, first);
    }
    // The link of the first one is lost, so that it is told after the other from now on.
    let lines = primary.command("CLIENT LIST TYPE replica");
    let id = lines
        .split_whitespace()
        .find_map(|word| word.strip_prefix("id="))
        .unwrap();
    primary.command(&format!("CLIENT KILL ID {id}"));
    eventually(async || online(2)).await;
    let reread = Instant::now() + Duration::from_secs(11);
    while Instant::now() < reread {
        assert_eq!(answers().await, first);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_replica_that_refuses_means_the_primary() {
    let pair = Pair::start().await;
    pair.backend.set("k", 1, None).await.unwrap();
    let replies = pair.primary.command("SET x 1\r\nWAIT 1 10000");
    assert!(replies.contains(":1"), "{replies}");
    let url = format!("redis://app:pa55@127.0.0.1:{}", pair.primary.port());
    pair.primary
        .command("ACL SETUSER app reset on >pa55 ~* +@all");
    pair.replica
        .command("ACL SETUSER app reset on >pa55 ~* +@all -@read");
    let handle = connect(&url).await.reading_from(ReadFrom::Replica);
    for _ in 0..20 {
        assert_eq!(handle.get::<u8>("k").await.unwrap(), Some(1));
        assert!(handle.exists("k").await.unwrap());
        assert_eq!(handle.get_many::<u8>(&["k"]).await.unwrap(), [Some(1)]);
        assert_eq!(handle.scan("k").count().await, 1);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let replica = |handle: &RedisBackend| {
        let mut nodes = handle.status().nodes.into_iter();
        nodes.find(|node| node.is_replica).unwrap()
    };
    assert_eq!(replica(&handle).connections, 1);
}

#[tokio::test]
async fn sentinels_that_are_gone_mean_the_primary() {
    let service = Service::start();
    let backend = builder(&service.url()).build().await.unwrap();
    page(1).save(&backend).await.unwrap();
    (0..3).for_each(|sentinel| service.kill_sentinel(sentinel));
    let handle = backend.reading_from(ReadFrom::Replica);
    assert!(Page::get(&handle, 1).await.unwrap().is_some());
    assert!(Page::get_many(&handle, [1]).await.unwrap()[0].is_some());
    assert_eq!(Page::scan(&handle).count().await, 1);
}

#[tokio::test]
async fn a_replica_that_is_down_means_the_primary() {
    let mut pair = Pair::start().await;
    pair.backend.set("k", 1, None).await.unwrap();
    pair.replica.kill();
    for _ in 0..100 {
        assert_eq!(pair.handle.get::<u8>("k").await.unwrap(), Some(1));
    }
    assert_eq!(pair.handle.get_many::<u8>(&["k"]).await.unwrap(), [Some(1)]);
    assert_eq!(pair.handle.scan("").count().await, 1);
    // The replica is asked again as soon as it is there.
    pair.replica.restart();
    followed(&pair.primary).await;
    pair.is_read_from().await;
}

#[tokio::test]
async fn a_replica_that_loads_means_the_primary() {
    // While it loads a server looks at its sockets once every 2 MiB, which are some forty values.
    let slowly = ["--key-load-delay", "20000", "--rdbcompression", "no"];
    let mut pair = Pair::with_settings(&slowly).await;
    let text = "x".repeat(50_000);
    let keys: Vec<String> = (0..500).map(|index| format!("k{index}")).collect();
    let entries: Vec<_> = keys.iter().map(|key| (key.as_str(), &text)).collect();
    pair.backend.set_many(&entries, None).await.unwrap();
    let replies = pair.primary.command("SET x 1\r\nWAIT 1 10000");
    assert!(replies.contains(":1"), "{replies}");
    pair.replica.command("SAVE");
    pair.replica.kill();
    pair.replica.restart();
    let refusal = pair.replica.command("GET k");
    assert!(refusal.starts_with("-LOADING"), "{refusal}");
    let reads = (0..20).map(|_| pair.handle.get::<String>("k1"));
    for read in futures::future::join_all(reads).await {
        assert_eq!(read.unwrap().as_ref(), Some(&text));
    }
    let many = pair.handle.get_many::<String>(&["k1", "k2"]).await.unwrap();
    assert!(many.iter().all(Option::is_some));
    assert_eq!(pair.handle.scan("k").count().await, 500);
}

#[tokio::test]
async fn a_replica_that_has_lost_its_primary_and_says_so_means_the_primary() {
    let pair = Pair::start().await;
    pair.backend.set("k", 1, None).await.unwrap();
    pair.replica
        .command("CONFIG SET replica-serve-stale-data no");
    pair.replica.command("REPLICAOF 127.0.0.1 1");
    let refusal = pair.replica.command("GET k");
    assert!(refusal.starts_with("-MASTERDOWN"), "{refusal}");
    for _ in 0..20 {
        assert_eq!(pair.handle.get::<u8>("k").await.unwrap(), Some(1));
    }
    assert_eq!(pair.handle.get_many::<u8>(&["k"]).await.unwrap(), [Some(1)]);
    assert_eq!(pair.handle.scan("").count().await, 1);
    assert!(pair.handle.exists("k").await.unwrap());
}

#[tokio::test]
async fn a_replica_that_stands_still_means_the_primary() {
    let pair = Pair::start().await;
    pair.backend.set("k", 1, None).await.unwrap();
    let limit = Duration::from_secs(4);
    let backend = builder(&pair.primary.url()).call_timeout(limit).build();
    let handle = backend.await.unwrap().reading_from(ReadFrom::Replica);
    pair.forget();
    eventually(async || handle.get::<u8>("k").await.unwrap().is_none()).await;
    pair.replica.pause();
    let begun = Instant::now();
    for read in futures::future::join_all((0..50).map(|_| handle.get::<u8>("k"))).await {
        assert_eq!(read.unwrap(), Some(1));
    }
    // The replica is left alone: otherwise each of these reads would wait for half the limit.
    for _ in 0..50 {
        assert_eq!(handle.get::<u8>("k").await.unwrap(), Some(1));
        assert!(handle.exists("k").await.unwrap());
    }
    assert!(begun.elapsed() < limit * 10, "{:?}", begun.elapsed());
    assert_eq!(handle.get_many::<u8>(&["k"]).await.unwrap(), [Some(1)]);
    assert_eq!(handle.scan("").count().await, 1);
    pair.replica.resume();
    eventually(async || handle.get::<u8>("k").await.unwrap().is_none()).await;
}

/// Something comes all the time: nobody asks for the same again elsewhere.
#[tokio::test]
async fn a_replica_whose_answer_takes_long_is_waited_for() {
    let primary = Server::on_tcp_with(&AT_ONCE);
    let replica = replica_of(&primary, &[]);
    followed(&primary).await;
    let proxy = Proxy::start(replica.port());
    let announce = format!("CONFIG SET replica-announce-port {}", proxy.port());
    replica.command(&announce);
    primary.command("CLIENT KILL TYPE replica");
    let address = format!("port={},state=online", proxy.port());
    eventually(async || primary.command("INFO replication").contains(&address)).await;
    let limit = Duration::from_secs(6);
    let backend = builder(&primary.url()).call_timeout(limit).build();
    let backend = backend.await.unwrap();
    let handle = backend.reading_from(ReadFrom::Replica);
    let text = "x".repeat(60_000);
    backend.set("k", &text, None).await.unwrap();
    backend.set("probe", 1, None).await.unwrap();
    let replies = primary.command("SET x 1\r\nWAIT 1 10000");
    assert!(replies.contains(":1"), "{replies}");
    replica.command("DEL reinhardt:probe");
    eventually(async || handle.get::<u8>("probe").await.unwrap().is_none()).await;
    // From now on the primary can be told from the replica.
    replica.command("REPLICAOF 127.0.0.1 1");
    backend.set("k", "short", None).await.unwrap();
    proxy.slow_down(15_000);
    let begun = Instant::now();
    assert_eq!(
        handle.get::<String>("k").await.unwrap().as_ref(),
        Some(&text)
    );
    assert!(
        begun.elapsed() > limit / 2,
        "it was to take longer than the patience"
    );
}

#[tokio::test]
async fn a_replica_answers_while_the_primary_is_down() {
    let mut pair = Pair::start().await;
    page(1).save(&pair.backend).await.unwrap();
    let replies = pair.primary.command("SET x 1\r\nWAIT 1 10000\r\nDEL x");
    assert!(replies.contains(":1"), "{replies}");
    pair.primary.kill();
    for _ in 0..20 {
        assert!(Page::get(&pair.handle, 1).await.unwrap().is_some());
    }
    assert!(Page::exists(&pair.handle, 1).await.unwrap());
    assert!(Page::get_many(&pair.handle, [1]).await.unwrap()[0].is_some());
    assert_eq!(Page::scan(&pair.handle).count().await, 1);
    let brief = builder(&pair.primary.url()).call_timeout(super::BRIEF);
    let other = brief.build_lazy().unwrap();
    let error = Page::get(&other, 1).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn a_handle_on_a_server_without_replicas_is_told_so() {
    let primary = Server::on_tcp_with(&AT_ONCE);
    let backend = connect(&primary.url()).await;
    let handle = backend.reading_from(ReadFrom::Replica);
    let address = format!("127.0.0.1:{}", primary.port());
    let errors = [
        handle.get::<u8>("k").await.unwrap_err(),
        handle.get_many::<u8>(&["k"]).await.unwrap_err(),
        handle.exists("k").await.unwrap_err(),
        handle.scan("").try_collect::<Vec<_>>().await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        let said = error.to_string();
        assert!(
            said.contains(&address) && said.contains("has no replicas"),
            "{said}"
        );
    }
    // All other calls are as they were.
    handle.set("k", 1, None).await.unwrap();
    assert_eq!(handle.take::<u8>("k").await.unwrap(), Some(1));
    assert_eq!(backend.get::<u8>("k").await.unwrap(), None);
    let primary_again = handle.reading_from(ReadFrom::Primary);
    assert_eq!(primary_again.get::<u8>("k").await.unwrap(), None);
    // A replica that comes is found.
    let _replica = replica_of(&primary, &[]);
    followed(&primary).await;
    eventually(async || handle.get::<u8>("k").await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_replicas_of_a_service_answer_through_a_failover() {
    let service = Service::start();
    let backend = builder(&service.url()).build().await.unwrap();
    let handle = backend.reading_from(ReadFrom::Replica);
    page(1).save(&backend).await.unwrap();
    service.replicate(0);
    assert!(Page::get(&handle, 1).await.unwrap().is_some());
    let replicas = || {
        let nodes = backend.status().nodes.into_iter();
        let replicas = nodes.filter(|node| node.is_replica);
        let mut addresses: Vec<_> = replicas.map(|node| node.address).collect();
        addresses.sort();
        addresses
    };
    let mut expected = [service.address(1), service.address(2)];
    expected.sort();
    assert_eq!(replicas(), expected);
    let is_up = || {
        backend
            .status()
            .nodes
            .iter()
            .any(|node| node.is_replica && node.connections > 0)
    };
    eventually(async || {
        assert!(Page::get(&handle, 1).await.unwrap().is_some());
        is_up()
    })
    .await;
    let reads = tokio::spawn({
        let handle = handle.clone();
        async move {
            let mut reads = 0;
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(3) {
                assert!(Page::get(&handle, 1).await.unwrap().is_some());
                reads += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            reads
        }
    });
    let primary = service.fail_over();
    assert!(reads.await.unwrap() > 0);
    // The primary of before is a replica by now.
    let begun = Instant::now();
    while replicas().contains(&service.address(primary)) || replicas().len() != 2 {
        assert!(begun.elapsed() < PATIENCE, "{:?}", backend.status());
        assert!(Page::get(&handle, 1).await.unwrap().is_some());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
