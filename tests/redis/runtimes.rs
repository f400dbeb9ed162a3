//! Runtimes share a backend, whether they end or stand still, and so does the child of a fork.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use futures::FutureExt;
use reinhardt_backends::{Backend, ErrorKind, RedisBackend};
use reinhardt_backends_tests::{PeerProcess, Server};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use super::{BRIEF, PATIENCE, builder, runtime};

fn shared(server: &Server) -> RedisBackend {
    builder(&server.url()).build_lazy().unwrap()
}

/// The ids of the backends' connections, as the server has them.
fn connections(server: &Server) -> Vec<String> {
    let clients = server.command("CLIENT LIST");
    // The connection that asks belongs to none of them. Redis 6.2 doesn't tell which clients speak
    // RESP3.
    let ours = clients.lines().filter(|line| !line.contains("cmd=client"));
    let id = |line: &str| Some(line.split_once("id=")?.1.split(' ').next()?.to_string());
    ours.filter_map(id).collect()
}

#[test]
fn runtimes_that_alternate_are_answered() {
    let server = Server::start();
    let backend = shared(&server);
    let runtimes = [runtime(), runtime()];
    for count in 1..=20 {
        let runtime = &runtimes[count as usize % 2];
        let counted = runtime.block_on(backend.increment("hits", None));
        assert_eq!(counted.unwrap(), count);
    }
    assert_eq!(connections(&server).len(), 2);
}

#[test]
fn short_runtimes_in_parallel_threads_miss_no_call() {
    let server = Server::start();
    let backend = shared(&server);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let call = backend.increment("hits", None);
                    runtime().block_on(call).unwrap();
                }
            });
        }
    });
    let hits = runtime().block_on(backend.get::<u32>("hits"));
    assert_eq!(hits.unwrap(), Some(800));
}

#[test]
fn an_ended_runtime_leaves_no_connection_behind() {
    let server = Server::start();
    let backend = shared(&server);
    for _ in 0..30 {
        runtime().block_on(backend.ping()).unwrap();
    }
    let deadline = Instant::now() + PATIENCE;
    while !connections(&server).is_empty() {
        assert!(Instant::now() < deadline, "{:?}", connections(&server));
    }
}

#[test]
fn a_runtime_that_stands_still_holds_up_no_other() {
    let server = Server::start();
    let backend = shared(&server);
    let (is_still, may_go) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            runtime().block_on(async {
                backend.ping().await.unwrap();
                is_still.store(true, Ordering::SeqCst);
                // Blocks the only thread of the runtime.
                while !may_go.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
                backend.ping().await.unwrap();
            });
        });
        while !is_still.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        let counted = runtime().block_on(backend.increment("hits", None));
        may_go.store(true, Ordering::SeqCst);
        assert_eq!(counted.unwrap(), 1);
    });
}

/// A connection that is up serves callers on no runtime too, which can't make one.
#[test]
fn a_caller_on_no_runtime_uses_any_connection() {
    let server = Server::start();
    let backend = shared(&server);
    let error = futures::executor::block_on(backend.ping()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(backend.ping()).unwrap();
    futures::executor::block_on(backend.ping()).unwrap();
}

#[tokio::test]
async fn closing_waits_no_longer_than_a_call_for_one_that_is_polled_no_more() {
    let server = Server::start();
    let backend = builder(&server.url()).call_timeout(BRIEF).build().await;
    let backend = backend.unwrap();
    server.pause();
    let mut left = Box::pin(backend.get::<u8>("k"));
    assert!((&mut left).now_or_never().is_none());
    let begun = Instant::now();
    tokio::time::timeout(PATIENCE, backend.close())
        .await
        .unwrap();
    assert!(begun.elapsed() >= BRIEF);
    let error = backend.ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let error = left.await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    server.resume();
}

#[tokio::test]
async fn closing_waits_for_calls_under_way_and_not_longer() {
    let server = Server::start();
    let backend = builder(&server.url()).build().await.unwrap();
    let calls = (0..100).map(|_| backend.increment("hits", None));
    let calls = futures::future::join_all(calls);
    let (counted, ()) = tokio::join!(calls, async {
        tokio::task::yield_now().await;
        backend.close().await;
    });
    assert!(counted.iter().all(Result::is_ok));
}

/// The child of a `fork` has none of the threads of its parent: not those of its runtime, and not
/// the one that ends calls.
#[tokio::test]
async fn the_child_of_a_fork_is_answered_and_its_parent_still_is() {
    let server = Server::start();
    // Takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("redis://{}", silent.local_addr().unwrap());
    let arguments = ["fork", &server.url(), &silent];
    let forked = tokio::task::spawn_blocking({
        let arguments = arguments.map(str::to_string);
        move || {
            let [fork, url, silent] = &arguments;
            let peer = PeerProcess::start(env!("CARGO_BIN_EXE_peer-process"), &[fork, url, silent]);
            peer.line()
        }
    });
    assert_eq!(forked.await.unwrap(), "child: 2, parent: 3");
}
