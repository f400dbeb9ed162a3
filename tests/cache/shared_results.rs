//! Callers who wait for one value get the result of the one caller that is at work.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::poll;
use reinhardt_backends::{Backend, BackendError, ErrorKind, Keyspace, MemoryBackend, RedisBackend};
use reinhardt_backends_tests::{ScriptedBackend, Server};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::{PAGE, PLAIN, Plain, Source, scripted, until};

const MANY: usize = 50;

type Got = Result<String, BackendError>;

/// A backend that stops before one call of one name until it may go on.
fn stopping(call: &'static str, at: usize) -> (ScriptedBackend, Arc<Semaphore>) {
    let (go, calls) = (Arc::new(Semaphore::new(0)), AtomicUsize::new(0));
    let gate = go.clone();
    let store = scripted().before(move |name, _| {
        let stops = name == call && calls.fetch_add(1, SeqCst) == at;
        let gate = gate.clone();
        async move {
            if stops {
                gate.acquire().await.unwrap().forget();
            }
            Ok(())
        }
    });
    (store, go)
}

/// Starts readers of a page whose computed value doesn't get stored, because another caller deletes
/// the page meanwhile. On one thread, a reader that has looked waits, too.
fn readers(source: &Arc<Source>, store: &ScriptedBackend) -> Vec<JoinHandle<Got>> {
    let readers = (0..MANY).map(|_| {
        let (source, backend) = (source.clone(), store.clone());
        tokio::spawn(async move {
            let compute = || async {
                let page = source.compute().await;
                PAGE.delete(&backend.inner).await?;
                page
            };
            PAGE.get_or_set_with(&backend, compute).await
        })
    });
    readers.collect()
}

async fn all(readers: Vec<JoinHandle<Got>>) -> Vec<Got> {
    let all = join_all(readers).await;
    all.into_iter().map(Result::unwrap).collect()
}

#[tokio::test]
async fn what_could_not_be_stored_is_for_all_who_asked_before_it_was_computed() {
    // The first one stops before it takes the lease.
    let (store, go) = stopping("put", 0);
    let source = Source::closed();
    let early = readers(&source, &store);
    until("all have looked", async || store.count("read") == MANY).await;
    go.add_permits(1);
    until("one computes", async || source.begun() == 1).await;
    let before = store.count("read");
    let late = readers(&source, &store);
    until("all have looked", async || {
        store.count("read") == before + MANY
    })
    .await;
    source.open_for(1000);
    for page in all(early).await {
        assert_eq!(page.unwrap(), "computed 0");
    }
    for page in all(late).await {
        assert_eq!(page.unwrap(), "computed 1", "not from before they asked");
    }
    assert_eq!(source.begun(), 2);
}

#[tokio::test]
async fn a_value_for_which_there_is_no_room_is_computed_once_in_a_process_for_all() {
    // The first reader stops before its second look.
    let (store, go) = stopping("read", 1);
    let store = store.over(MemoryBackend::builder().max_entries(0).build());
    let source = Source::open();
    let readers = (0..MANY).map(|_| {
        let (source, backend) = (source.clone(), store.clone());
        tokio::spawn(async move {
            let compute = || async { source.compute().await };
            PLAIN.get_or_set_with(&backend, compute).await
        })
    });
    let readers: Vec<_> = readers.collect();
    until("all have looked", async || store.count("read") == MANY + 1).await;
    go.add_permits(1);
    for page in all(readers).await {
        assert_eq!(page.unwrap(), "computed 0");
    }
    assert_eq!(source.begun(), 1);
}

/// The younger version of a plain page.
#[derive(Debug, Clone, Copy, PartialEq, Keyspace)]
#[keyspace(prefix = "plain", ttl = "5m", value = String, lease = "10s", version = 2, migrates = Plain)]
struct Leased {
    page: u32,
}

impl From<Plain> for Leased {
    fn from(Plain { page }: Plain) -> Self {
        Self { page }
    }
}

#[tokio::test]
async fn a_value_of_an_older_version_is_found_for_all_who_wait() {
    let (store, go) = stopping("put", 0);
    let readers = (0..MANY).map(|_| {
        let backend = store.clone();
        tokio::spawn(async move {
            let nothing = || async { Err(crate::failure()) };
            Leased { page: 2 }.get_or_set_with(&backend, nothing).await
        })
    });
    let readers: Vec<_> = readers.collect();
    // Newer, older, and newer again.
    let looks = 3 * MANY;
    until("all have looked", async || store.count("read") == looks).await;
    PLAIN.set(&store.inner, "older").await.unwrap();
    go.add_permits(1);
    for page in all(readers).await {
        assert_eq!(page.unwrap(), "older");
    }
    assert_eq!(store.count("read"), looks + 2, "one looked again");
    let lease = store.inner.exists("plain@2@lease:2").await;
    assert!(!lease.unwrap(), "it was given back before they returned");
}

/// Returns the number of calls of this name that many waiting callers make, if these calls fail,
/// and the number of these callers that fail.
async fn failing(name: &'static str, kind: ErrorKind) -> (usize, usize) {
    let (counted, calls) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (reads, go) = (counted.clone(), Arc::new(Semaphore::new(0)));
    let (made, gate) = (calls.clone(), go.clone());
    let store = scripted().before(move |call, key: &str| {
        let is_first = call == "read" && counted.fetch_add(1, SeqCst) < MANY;
        let fails = !is_first && call == name && key.starts_with("page");
        let number = fails.then(|| made.fetch_add(1, SeqCst));
        let waits = call == "put";
        let gate = gate.clone();
        async move {
            if waits {
                drop(gate.acquire().await.unwrap());
            }
            match number {
                Some(number) => Err(BackendError::new(kind, format!("call {number}"))),
                None => Ok(()),
            }
        }
    });
    let source = Source::open();
    let readers = (0..MANY).map(|_| {
        let (source, backend) = (source.clone(), store.clone());
        tokio::spawn(async move {
            let compute = || async { source.compute().await };
            PAGE.get_or_set_with(&backend, compute).await
        })
    });
    let readers: Vec<_> = readers.collect();
    until("all have looked", async || reads.load(SeqCst) == MANY).await;
    go.add_permits(1);
    let errors = all(readers).await;
    let mut failed = 0;
    for error in errors.into_iter().filter_map(Result::err) {
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains("call"), "{error}");
        failed += 1;
    }
    (calls.load(SeqCst), failed)
}

#[tokio::test]
async fn who_leaves_while_the_value_is_stored_lets_nobody_compute_it_again() {
    let (store, go) = stopping("put", 0);
    let source = Source::open();
    let read = || PLAIN.get_or_set_with(&store, || source.compute());
    let mut leader = Box::pin(read());
    assert!(poll!(&mut leader).is_pending());
    assert_eq!(source.begun(), 1, "it stores");
    let mut follower = Box::pin(read());
    assert!(poll!(&mut follower).is_pending());
    drop(follower);
    let mut newcomer = Box::pin(read());
    assert!(poll!(&mut newcomer).is_pending());
    go.add_permits(1);
    assert_eq!(leader.await.unwrap(), "computed 0");
    assert_eq!(newcomer.await.unwrap(), "computed 0");
    assert_eq!(source.begun(), 1);
}

#[tokio::test]
async fn a_failure_that_may_pass_is_that_of_all_who_waited() {
    // One of the callers that ask while the first call hangs makes another call, for all of them.
    for (call, most) in [("put", 2), ("read", 1)] {
        let (calls, failed) = failing(call, ErrorKind::Timeout).await;
        assert_eq!((calls, failed), (most, MANY), "{call}");
    }
}

#[tokio::test]
async fn a_failure_of_storing_is_nobodys() {
    for kind in [ErrorKind::Timeout, ErrorKind::Denied] {
        assert_eq!(failing("move_entry", kind).await, (1, 0), "{kind}");
    }
}

#[tokio::test]
async fn a_failure_of_another_kind_is_its_callers_own() {
    assert_eq!(failing("put", ErrorKind::Denied).await, (MANY, MANY));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_costs_those_who_wait_no_time_limit_each() {
    let limit = Duration::from_secs(2);
    let server = Server::start();
    let builder = RedisBackend::builder().url(&server.url());
    let backend = builder.call_timeout(limit).build().await.unwrap();
    // The lease of another process.
    let lease = backend.set("page@lease:1:2", "its token", None).await;
    lease.unwrap();
    let source = Source::open();
    let readers = (0..20).map(|_| {
        let (source, backend) = (source.clone(), backend.clone());
        tokio::spawn(async move {
            let compute = || async { source.compute().await };
            PAGE.get_or_set_with(&backend, compute).await
        })
    });
    let readers: Vec<_> = readers.collect();
    let misses = || {
        let info = server.command("INFO stats");
        let count = info.split("keyspace_misses:").nth(1).unwrap();
        count.lines().next().unwrap().parse::<usize>().unwrap()
    };
    until("all have looked, and one again", async || misses() > 20).await;
    server.pause();
    let began = Instant::now();
    for page in all(readers).await {
        assert_eq!(page.unwrap_err().kind(), ErrorKind::Timeout);
    }
    assert!(began.elapsed() < 10 * limit, "{:?}", began.elapsed());
    server.resume();
}
