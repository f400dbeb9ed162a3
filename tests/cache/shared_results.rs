//! Callers who wait for one value get the result of the one caller that is at work.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::poll;
use reinhardt_backends::layer::Op;
use reinhardt_backends::testing::{Flaky, Held};
use reinhardt_backends::{Backend, BackendError, ErrorKind, Keyspace, MemoryBackend, RedisBackend};
use reinhardt_backends_tests::Server;
use tokio::task::JoinHandle;

use crate::{PAGE, PLAIN, Plain, Source, flaky, until};

const MANY: usize = 50;

type Got = Result<String, BackendError>;

/// A backend that stops before the first call of a kind until it may go on.
fn stopping(op: Op) -> (Flaky<MemoryBackend>, Held) {
    let store = flaky();
    let held = store.on(op).nth(1).hold();
    (store, held)
}

/// Starts readers of a page whose computed value doesn't get stored, because another caller deletes
/// the page meanwhile. On one thread, a reader that has looked waits, too.
fn readers(source: &Arc<Source>, store: &Flaky<MemoryBackend>) -> Vec<JoinHandle<Got>> {
    let readers = (0..MANY).map(|_| {
        let (source, backend) = (source.clone(), store.clone());
        tokio::spawn(async move {
            let compute = || async {
                let page = source.compute().await;
                PAGE.delete(backend.inner()).await?;
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
    let (store, held) = stopping(Op::Write);
    let source = Source::closed();
    let early = readers(&source, &store);
    until("all have looked", async || store.count(Op::Read) == MANY).await;
    held.open();
    until("one computes", async || source.begun() == 1).await;
    let before = store.count(Op::Read);
    let late = readers(&source, &store);
    until("all have looked", async || {
        store.count(Op::Read) == before + MANY
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
    let store = Flaky::new(MemoryBackend::builder().max_entries(0).build());
    let held = store.on(Op::Read).nth(2).hold();
    let source = Source::open();
    let readers = (0..MANY).map(|_| {
        let (source, backend) = (source.clone(), store.clone());
        tokio::spawn(async move {
            let compute = || async { source.compute().await };
            PLAIN.get_or_set_with(&backend, compute).await
        })
    });
    let readers: Vec<_> = readers.collect();
    until("all have looked", async || {
        store.count(Op::Read) == MANY + 1
    })
    .await;
    held.open();
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
    let (store, held) = stopping(Op::Write);
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
    until("all have looked", async || store.count(Op::Read) == looks).await;
    PLAIN.set(store.inner(), "older").await.unwrap();
    held.open();
    for page in all(readers).await {
        assert_eq!(page.unwrap(), "older");
    }
    assert_eq!(store.count(Op::Read), looks + 2, "one looked again");
    let lease = store.inner().exists("plain@2@lease:2").await;
    assert!(!lease.unwrap(), "it was given back before they returned");
}

/// Returns the number of calls of this kind that many waiting callers make, if these calls fail,
/// and the number of these callers that fail.
async fn failing(op: Op, kind: ErrorKind) -> (usize, usize) {
    let failing = flaky();
    // The first look of each caller is answered.
    failing.on(Op::Read).first(MANY).pass();
    let error = BackendError::new(kind, "the call fails");
    let fails = failing.on(op).prefix("page").fail_with(error);
    let store = Flaky::new(failing);
    let held = store.on(Op::Write).hold();
    let source = Source::open();
    let readers = (0..MANY).map(|_| {
        let (source, backend) = (source.clone(), store.clone());
        tokio::spawn(async move {
            let compute = || async { source.compute().await };
            PAGE.get_or_set_with(&backend, compute).await
        })
    });
    let readers: Vec<_> = readers.collect();
    until("all have looked", async || store.count(Op::Read) == MANY).await;
    held.open();
    let errors = all(readers).await;
    let mut failed = 0;
    for error in errors.into_iter().filter_map(Result::err) {
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains("the call fails"), "{error}");
        failed += 1;
    }
    (fails.applied(), failed)
}

#[tokio::test]
async fn who_leaves_while_the_value_is_stored_lets_nobody_compute_it_again() {
    let (store, held) = stopping(Op::Write);
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
    held.open();
    assert_eq!(leader.await.unwrap(), "computed 0");
    assert_eq!(newcomer.await.unwrap(), "computed 0");
    assert_eq!(source.begun(), 1);
}

#[tokio::test]
async fn a_failure_that_may_pass_is_that_of_all_who_waited() {
    // One of the callers that ask while the first call hangs makes another call, for all of them.
    for (op, most) in [(Op::Write, 2), (Op::Read, 1)] {
        let (calls, failed) = failing(op, ErrorKind::Timeout).await;
        assert_eq!((calls, failed), (most, MANY), "{op}");
    }
}

#[tokio::test]
async fn a_failure_of_storing_is_nobodys() {
    for kind in [ErrorKind::Timeout, ErrorKind::Denied] {
        assert_eq!(failing(Op::Move, kind).await, (1, 0), "{kind}");
    }
}

#[tokio::test]
async fn a_failure_of_another_kind_is_its_callers_own() {
    assert_eq!(failing(Op::Write, ErrorKind::Denied).await, (MANY, MANY));
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
