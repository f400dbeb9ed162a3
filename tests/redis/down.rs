//! Every call to a server that is not there, or doesn't answer, ends within its limit.

use std::time::Instant;

use futures::future::join_all;
use futures::{FutureExt, TryStreamExt};
use reinhardt_backends::store::Store;
use reinhardt_backends::{Backend, BackendResult, ErrorKind, Life, RedisBackend, Stored, Write};
use reinhardt_backends_tests::{Proxy, Server};

use super::{BRIEF, PATIENCE, builder, connect, impatient, recovered, runtime};

/// Makes every kind of call and returns how each failed, reads first.
async fn failures(
    backend: &RedisBackend,
) -> [Vec<(&'static str, reinhardt_backends::BackendError)>; 2] {
    fn failure<T>(
        name: &'static str,
        result: BackendResult<T>,
    ) -> (&'static str, reinhardt_backends::BackendError) {
        let Err(error) = result else {
            panic!("`{name}` succeeded")
        };
        (name, error)
    }
    let stored = Stored::from(&b"1"[..]);
    let reads = vec![
        failure("get", backend.get::<u8>("k").await),
        failure("get_with_ttl", backend.get_with_ttl::<u8>("k").await),
        failure("get_many", backend.get_many::<u8>(&["k", "l"]).await),
        failure("exists", backend.exists("k").await),
        failure("ttl", backend.ttl("k").await),
        failure("scan", backend.scan("").try_collect::<Vec<_>>().await),
        failure("ping", backend.ping().await),
    ];
    let writes = vec![
        failure("set", backend.set("k", 1, None).await),
        failure("set_if_absent", backend.set_if_absent("k", 1, None).await),
        failure("set_if_present", backend.set_if_present("k", 1, None).await),
        failure("set_many", backend.set_many(&[("k", 1)], None).await),
        failure(
            "compare_and_set",
            backend.compare_and_set("k", &stored, 1, Life::Keep).await,
        ),
        failure(
            "compare_and_delete",
            backend.compare_and_delete("k", &stored).await,
        ),
        failure("take", backend.take::<u8>("k").await),
        failure("delete", backend.delete("k").await),
        failure("delete_many", backend.delete_many(&["k"]).await),
        failure("expire", backend.expire("k", Life::Never).await),
        failure("increment", backend.increment("k", None).await),
        failure("increment_by", backend.increment_by("k", 2, None).await),
    ];
    [reads, writes]
}

#[tokio::test]
async fn a_dead_server_is_an_error_of_every_call_and_never_a_miss() {
    let mut server = Server::start();
    let backend = connect(&server.url()).await;
    server.kill();
    let [reads, writes] = failures(&backend).await;
    for (name, error) in reads.iter().chain(&writes) {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{name}: {error}");
        assert!(error.is_transient());
    }
    // Nothing could be sent: the reads before have noticed that the connection is lost.
    assert!(writes.iter().all(|(_, error)| !error.outcome_unknown()));
    let clear = backend.clear().await.unwrap_err();
    assert_eq!(clear.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn every_call_to_a_stopped_server_ends_and_says_what_is_unknown() {
    let server = Server::start();
    let backend = impatient(&server.url()).await;
    for _ in 0..2 {
        server.pause();
        let before = Instant::now();
        let [reads, writes] = failures(&backend).await;
        assert!(before.elapsed() >= BRIEF);
        for (name, error) in &reads {
            assert_eq!(error.kind(), ErrorKind::Timeout, "{name}: {error}");
        }
        for (name, error) in &writes {
            assert_eq!(error.kind(), ErrorKind::Timeout, "{name}: {error}");
        }
        // The first call was sent; later ones waited for a connection that nobody accepted.
        let error = &writes[0].1;
        assert!(!error.outcome_unknown(), "{error}");
        server.resume();
        recovered(&backend).await;
    }
}

#[tokio::test]
async fn a_limit_covers_waiting_for_a_connection() {
    let server = Server::on_tcp();
    let proxy = Proxy::start(server.port());
    let backend = impatient(&proxy.url()).await;
    proxy.black_hole();
    proxy.cut();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let before = Instant::now();
        let error = backend.set("k", 1, None).await.unwrap_err();
        if error.kind() == ErrorKind::Timeout && !error.outcome_unknown() {
            assert!(before.elapsed() >= BRIEF);
            break;
        }
        assert!(Instant::now() < deadline, "{error}");
    }
    proxy.cut();
    proxy.release();
    recovered(&backend).await;
}

#[tokio::test]
async fn a_server_that_is_back_is_found() {
    let mut server = Server::start();
    let backend = connect(&server.url()).await;
    for round in 0..3 {
        backend.set("k", round, None).await.unwrap();
        server.kill();
        let dead = backend.get::<i32>("k").await.unwrap_err();
        assert_eq!(dead.kind(), ErrorKind::Unavailable);
        server.restart();
        recovered(&backend).await;
        assert_eq!(
            backend.get::<i32>("k").await.unwrap(),
            None,
            "the server lost what it had"
        );
    }
}

#[tokio::test]
async fn a_lazy_backend_finds_a_server_that_comes_later() {
    let mut server = Server::start();
    let url = server.url();
    server.kill();
    let backend = RedisBackend::connect_lazy(&url).unwrap();
    assert!(backend.ping().await.is_err());
    server.restart();
    recovered(&backend).await;
}

/// The bytes that wait are bounded, not the calls alone.
#[tokio::test]
async fn one_byte_too_many_is_refused_at_once() {
    let server = Server::start();
    let limit = 1024 * 1024;
    let builder = builder(&server.url()).value_limit(limit);
    let backend = builder.waiting_bytes(limit).build().await.unwrap();
    backend.set("k", 1, None).await.unwrap();
    // Alone, a value of the largest size may be sent, whatever its key adds to it.
    let largest = vec![b'v'; limit];
    let put = || backend.put("largest", &largest, Write::new(Life::Never));
    assert!(put().await.unwrap());
    server.pause();
    let part = vec![b'v'; limit / 10];
    let key = |index| format!("part{index}");
    let keys: Vec<String> = (0..100).map(key).collect();
    let puts = keys.iter();
    let puts = puts.map(|key| backend.put(key, &part, Write::new(Life::Never)));
    let mut waiting: Vec<_> = puts.collect();
    let mut refused = 0;
    waiting.retain_mut(|call| match call.now_or_never() {
        None => true,
        Some(outcome) => {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(!error.outcome_unknown());
            refused += 1;
            false
        }
    });
    assert_eq!((waiting.len(), refused), (9, 91));
    assert!(put().await.is_err());
    server.resume();
    for put in join_all(waiting).await {
        assert!(put.unwrap());
    }
    assert!(put().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_neither_fails_connections_nor_moves() {
    let server = Server::on_tcp();
    let before = tokio::time::Instant::now();
    for index in 0..20 {
        let backend = RedisBackend::new(&server.url()).await.unwrap();
        backend.set("k", index, None).await.unwrap();
        assert_eq!(backend.get::<i32>("k").await.unwrap(), Some(index));
    }
    assert_eq!(tokio::time::Instant::now(), before);
}

#[test]
fn a_backend_outlives_the_runtimes_that_use_it() {
    let server = Server::start();
    let backend = builder(&server.url()).build_lazy().unwrap();
    for index in 0..5 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            backend.set("k", index, None).await.unwrap();
            assert_eq!(backend.get::<i32>("k").await.unwrap(), Some(index));
        });
    }
}

#[test]
fn a_runtime_that_nobody_drives_any_more_is_left() {
    let server = Server::start();
    // Long enough that the first call is answered on any machine.
    let limit = BRIEF * 5;
    let backend = builder(&server.url())
        .call_timeout(limit)
        .build_lazy()
        .unwrap();
    let first = runtime();
    first.block_on(backend.set("k", 1, None)).unwrap();
    // The connection's driver lives on the first runtime, which stands still from now on.
    let second = runtime();
    second.block_on(recovered(&backend));
    assert_eq!(second.block_on(backend.get::<u8>("k")).unwrap(), Some(1));
    drop(first);
    second.block_on(recovered(&backend));
}

#[tokio::test]
async fn the_limits_hold_without_being_set() {
    let server = Server::start();
    let backend = RedisBackend::new(&server.url()).await.unwrap();
    server.pause();
    let before = Instant::now();
    let error = backend.get::<u8>("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(before.elapsed() >= std::time::Duration::from_secs(1));
    server.resume();
}
