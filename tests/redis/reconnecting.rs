//! A dead connection, or one to the wrong server, is replaced, and no write is repeated.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use futures::future::join_all;
use reinhardt_backends::{Backend, BackendResult, ErrorKind};
use reinhardt_backends_tests::{Answer, FakeServer, Proxy, Server};

use super::{BRIEF, PATIENCE, builder, connect, recovered, runtime};

/// Two servers that hold different values under `k`, and a cable that leads to the first one.
async fn two_servers() -> ([Server; 2], Proxy) {
    let servers = [Server::on_tcp(), Server::on_tcp()];
    for (index, server) in servers.iter().enumerate() {
        let direct = connect(&server.url()).await;
        direct.set("k", index, None).await.unwrap();
    }
    let proxy = Proxy::start(servers[0].port());
    (servers, proxy)
}

/// A write that a replica refuses, until its limit passes: perhaps just before another refusal.
fn is_refused(write: BackendResult<()>) {
    let error = write.unwrap_err();
    let (kind, is_unknown) = (error.kind(), error.outcome_unknown());
    let is_late = kind == ErrorKind::Timeout && is_unknown;
    assert!(kind == ErrorKind::Unavailable || is_late, "{error}");
}

#[tokio::test]
async fn a_read_that_meets_a_dead_connection_is_asked_again_over_another() {
    let server = Server::on_tcp();
    connect(&server.url())
        .await
        .set("k", 7, None)
        .await
        .unwrap();
    let proxy = Proxy::start(server.port());
    let limit = Duration::from_secs(4);
    let backend = builder(&proxy.url()).call_timeout(limit).build().await;
    let backend = backend.unwrap();
    backend.ping().await.unwrap();
    proxy.forget();
    let reads = (0..100).map(|_| backend.get::<u8>("k"));
    for read in join_all(reads).await {
        assert_eq!(read.unwrap(), Some(7));
    }
    assert_eq!(proxy.connections(), 2);
    assert_eq!(backend.increment("hits", None).await.unwrap(), 1);
}

#[tokio::test]
async fn a_write_that_met_a_dead_connection_is_not_repeated_and_those_after_it_are_answered() {
    let server = Server::on_tcp();
    let proxy = Proxy::start(server.port());
    let limit = Duration::from_secs(2);
    let backend = builder(&proxy.url()).call_timeout(limit).build().await;
    let backend = backend.unwrap();
    backend.increment("hits", None).await.unwrap();
    proxy.forget();
    let lost = backend.increment("hits", None);
    let later = async {
        // By then it is known that the connection is dead.
        tokio::time::sleep(limit * 3 / 4).await;
        backend.increment("other hits", None).await
    };
    let (lost, later) = tokio::join!(lost, later);
    let error = lost.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.outcome_unknown());
    assert_eq!(later.unwrap(), 1);
    assert_eq!(backend.increment("hits", None).await.unwrap(), 2);
}

/// A server that stands still for a while isn't taken for a dead connection.
#[tokio::test]
async fn a_server_that_stands_still_keeps_its_connection() {
    let server = Server::on_tcp();
    let proxy = Proxy::start(server.port());
    let limit = Duration::from_secs(4);
    let backend = builder(&proxy.url()).call_timeout(limit).build().await;
    let backend = Arc::new(backend.unwrap());
    backend.increment("hits", None).await.unwrap();
    server.pause();
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let backend = backend.clone();
            tokio::spawn(async move { backend.increment("hits", None).await })
        })
        .collect();
    // Longer than a server may owe an answer without being doubted.
    tokio::time::sleep(limit * 5 / 8).await;
    server.resume();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(backend.get::<u8>("hits").await.unwrap(), Some(5));
}

/// Eight runtimes whose server stands still find that out by one connection, not by eight.
#[test]
fn runtimes_that_doubt_their_connections_let_one_ask() {
    let server = Server::on_tcp();
    let proxy = Proxy::start(server.port());
    let limit = Duration::from_secs(4);
    let backend = builder(&proxy.url()).call_timeout(limit).build_lazy();
    let backend = backend.unwrap();
    let are_up = Barrier::new(9);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                runtime().block_on(async {
                    backend.ping().await.unwrap();
                    are_up.wait();
                    // The server stands still from here.
                    are_up.wait();
                    backend.increment("hits", None).await.unwrap();
                });
            });
        }
        are_up.wait();
        server.pause();
        are_up.wait();
        std::thread::sleep(limit * 5 / 8);
        server.resume();
    });
    assert!(proxy.connections() < 16, "{}", proxy.connections());
}

/// A doubted connection that answers before another one is made serves the waiters, too.
#[tokio::test]
async fn a_call_that_waits_for_another_connection_goes_on_with_one_that_answers_again() {
    let limit = Duration::from_secs(4);
    let fake = FakeServer::start(move |connection, command| {
        match (connection, command[0].as_str()) {
            (0, "GET") if command[1].ends_with("slow") => std::thread::sleep(limit * 3 / 4),
            (1.., "HELLO") => return Some(Answer::Silence),
            (_, "EVALSHA") => return Some(Answer::line("*2\r\n:1\r\n:-1")),
            _ => {}
        }
        None
    });
    let backend = builder(&fake.url()).call_timeout(limit).build().await;
    let backend = backend.unwrap();
    let slow = backend.get::<u8>("slow");
    let waiting = async {
        let deadline = Instant::now() + PATIENCE;
        while fake.connections() < 2 {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let waiting = backend.increment("hits", None);
        assert_eq!(waiting.await.unwrap(), 1);
    };
    let (slow, ()) = tokio::join!(slow, waiting);
    assert_eq!(slow.unwrap(), None);
}

#[tokio::test]
async fn a_connection_that_nothing_came_by_for_long_is_probed_before_it_is_written_to() {
    let server = Server::on_tcp();
    let proxy = Proxy::start(server.port());
    let backend = builder(&proxy.url())
        .call_timeout(Duration::from_secs(4))
        .build()
        .await
        .unwrap();
    backend.increment("hits", None).await.unwrap();
    proxy.forget();
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(backend.increment("hits", None).await.unwrap(), 2);
}

/// A changed password: each attempt is logged by the server, and may lock the user out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_is_refused_is_tried_less_and_less() {
    let fake = FakeServer::start(|_, command| {
        let refused = Answer::line("-WRONGPASS invalid username-password pair");
        (command[0] == "HELLO").then_some(refused)
    });
    let backend = builder(&fake.url()).build_lazy().unwrap();
    let end = Instant::now() + Duration::from_secs(4);
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let backend = backend.clone();
            tokio::spawn(async move {
                while Instant::now() < end {
                    let error = backend.get::<u8>("k").await.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(
        (3..=40).contains(&fake.connections()),
        "{}",
        fake.connections()
    );
}

/// All runtimes go by one schedule: eight of them don't ask eight times as often.
#[test]
fn runtimes_share_the_attempts_at_a_server_that_is_down() {
    let fake = FakeServer::that_hangs_up_after(b"");
    let backend = builder(&fake.url()).build_lazy().unwrap();
    let end = Instant::now() + Duration::from_secs(3);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                runtime().block_on(async {
                    while Instant::now() < end {
                        let error = backend.get::<u8>("k").await.unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                    }
                });
            });
        }
    });
    // 8 at once before anything is known, and then some 45 of one schedule.
    assert!(fake.connections() < 90, "{}", fake.connections());
}

/// A runtime that waits for its turn is told when another runtime has found the server.
#[test]
fn a_server_that_is_back_is_found_by_all_runtimes() {
    let mut server = Server::start();
    let backend = builder(&server.url()).build_lazy().unwrap();
    let is_back = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    runtime().block_on(async {
                        backend.ping().await.unwrap();
                        let deadline = Instant::now() + PATIENCE;
                        while !is_back.load(Ordering::SeqCst) || backend.ping().await.is_err() {
                            assert!(Instant::now() < deadline);
                            tokio::task::yield_now().await;
                        }
                    });
                })
            })
            .collect();
        std::thread::sleep(BRIEF);
        server.kill();
        std::thread::sleep(BRIEF);
        server.restart();
        is_back.store(true, Ordering::SeqCst);
        for caller in callers {
            caller.join().unwrap();
        }
    });
}

#[tokio::test]
async fn a_write_to_a_server_that_became_a_replica_goes_on_to_the_primary() {
    let ([old, new], proxy) = two_servers().await;
    let backend = connect(&proxy.url()).await;
    assert_eq!(backend.get::<u8>("k").await.unwrap(), Some(0));
    old.command("REPLICAOF 127.0.0.1 1");
    let writes = [
        backend.increment("hits", None),
        backend.increment("hits", None),
    ];
    let switched = async {
        tokio::time::sleep(BRIEF).await;
        // Reads go on meanwhile.
        let read = backend.get::<u8>("k").await;
        proxy.lead_to(new.port());
        read
    };
    let (mut hits, read) = tokio::join!(join_all(writes), switched);
    assert_eq!(read.unwrap(), Some(0));
    hits.sort_by_key(|hit| *hit.as_ref().unwrap());
    assert_eq!(
        hits.iter()
            .map(|hit| *hit.as_ref().unwrap())
            .collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(
        connect(&new.url()).await.get::<u8>("hits").await.unwrap(),
        Some(2)
    );
    assert_eq!(backend.get::<u8>("k").await.unwrap(), Some(1));
}

/// Each write that waits for a primary is executed once, whichever command or script it takes.
#[tokio::test]
async fn a_replica_that_is_promoted_gets_what_it_refused_once() {
    let server = Server::on_tcp();
    let backend = connect(&server.url()).await;
    backend.set("taken", 5, None).await.unwrap();
    server.command("REPLICAOF 127.0.0.1 1");
    let promoted = async {
        tokio::time::sleep(BRIEF).await;
        server.command("REPLICAOF NO ONE");
    };
    let (hits, taken, many, ()) = tokio::join!(
        join_all((0..8).map(|_| backend.increment("hits", None))),
        backend.take::<u8>("taken"),
        backend.set_many(&[("a", 1), ("b", 2)], None),
        promoted,
    );
    assert!(hits.iter().all(Result::is_ok), "{hits:?}");
    assert_eq!(taken.unwrap(), Some(5));
    many.unwrap();
    assert_eq!(backend.get::<u8>("hits").await.unwrap(), Some(8));
    assert_eq!(
        backend.get_many::<u8>(&["a", "b"]).await.unwrap(),
        [Some(1), Some(2)]
    );
}

/// One writer beside many readers: the readers are answered as ever, and few connections are made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_are_not_held_up_by_writes_that_a_replica_refuses() {
    let server = Server::on_tcp();
    let proxy = Proxy::start(server.port());
    let limit = Duration::from_secs(2);
    let backend = builder(&proxy.url()).call_timeout(limit).build().await;
    let backend = Arc::new(backend.unwrap());
    server.command("REPLICAOF 127.0.0.1 1");
    let before = proxy.connections();
    let end = Instant::now() + Duration::from_secs(3);
    let writer = {
        let backend = backend.clone();
        tokio::spawn(async move {
            while Instant::now() < end {
                is_refused(backend.set("k", 1, None).await);
            }
        })
    };
    let mut reads = 0;
    while Instant::now() < end {
        assert_eq!(backend.get::<u8>("k").await.unwrap(), None);
        reads += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    writer.await.unwrap();
    assert!(reads > 100, "{reads}");
    let made = proxy.connections() - before;
    assert!((2..=50).contains(&made), "{made}");
}

/// A proxy may hide that the server behind it became a replica. Then eight runtimes search as often
/// as one, and their readers are answered meanwhile.
#[test]
fn runtimes_share_the_searches_for_a_server_that_takes_writes() {
    let says_its_id = Answer::Say(b"$14\r\nrun_id:0123456\r\n".to_vec());
    // Without an id every search may have found another server, and each runtime follows it.
    for (id, most) in [(Some(says_its_id), 90), (None, 8 * 60)] {
        let fake = FakeServer::start(move |_, command| match command[0].as_str() {
            "SET" => Some(Answer::line("-READONLY")),
            "INFO" => id.clone(),
            _ => None,
        });
        let limit = Duration::from_secs(2);
        let backend = builder(&fake.url()).call_timeout(limit).build_lazy();
        let backend = backend.unwrap();
        let end = Instant::now() + Duration::from_secs(3);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let write = async {
                        while Instant::now() < end {
                            is_refused(backend.set("k", 1, None).await);
                        }
                    };
                    let read = async {
                        while Instant::now() < end {
                            assert_eq!(backend.get::<u8>("k").await.unwrap(), None);
                            tokio::time::sleep(Duration::from_millis(1)).await;
                        }
                    };
                    runtime().block_on(async { tokio::join!(write, read) });
                });
            }
        });
        assert!(fake.connections() > 10, "{}", fake.connections());
        assert!(fake.connections() <= most, "{}", fake.connections());
    }
}

/// The answer to a write is that the new primary refuses the login, and not that the old primary is
/// none.
#[tokio::test]
async fn a_server_that_was_found_and_refuses_the_login_is_named() {
    let fake = FakeServer::start(|connection, command| match command[0].as_str() {
        "HELLO" if connection > 0 => Some(Answer::line("-WRONGPASS invalid password")),
        "SET" => Some(Answer::line("-READONLY")),
        _ => None,
    });
    let backend = connect(&fake.url()).await;
    let error = backend.set("k", 1, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert_eq!(backend.get::<u8>("k").await.unwrap(), None);
}

/// A failover that one runtime learns of holds for the other runtime: no call that begins after the
/// first answer of the new server goes to the old server.
#[test]
fn no_runtime_asks_the_old_server_after_another_one_has_met_the_new() {
    let one = runtime();
    let ([old, new], proxy) = one.block_on(two_servers());
    let backend = builder(&proxy.url()).build_lazy().unwrap();
    let other = runtime();
    for runtime in [&one, &other] {
        let read = runtime.block_on(backend.get::<u8>("k"));
        assert_eq!(read.unwrap(), Some(0));
    }
    old.command("REPLICAOF 127.0.0.1 1");
    proxy.lead_to(new.port());
    one.block_on(backend.set("k", 9, None)).unwrap();
    assert_eq!(other.block_on(backend.get::<u8>("k")).unwrap(), Some(9));
    assert_eq!(proxy.connections(), 4);
}

/// The same where no caller wrote: a new connection alone finds the new server.
#[test]
fn a_new_connection_that_meets_another_server_ends_the_old_ones() {
    let one = runtime();
    let ([_old, new], proxy) = one.block_on(two_servers());
    let backend = builder(&proxy.url()).build_lazy().unwrap();
    assert_eq!(one.block_on(backend.get::<u8>("k")).unwrap(), Some(0));
    proxy.lead_to(new.port());
    assert_eq!(one.block_on(backend.get::<u8>("k")).unwrap(), Some(0));
    let other = runtime();
    assert_eq!(other.block_on(backend.get::<u8>("k")).unwrap(), Some(1));
    assert_eq!(one.block_on(backend.get::<u8>("k")).unwrap(), Some(1));
}

#[tokio::test]
async fn a_server_that_is_not_ready_is_asked_again() {
    for refusal in ["LOADING", "CLUSTERDOWN", "TRYAGAIN"] {
        let refused = std::sync::atomic::AtomicUsize::new(0);
        let fake = FakeServer::start(move |_, command| match command[0].as_str() {
            "SET" if refused.fetch_add(1, Ordering::SeqCst) < 3 => {
                Some(Answer::line(&format!("-{refusal} not yet")))
            }
            _ => None,
        });
        let backend = connect(&fake.url()).await;
        backend.set("k", 1, None).await.unwrap();
        assert_eq!(fake.count("SET"), 4, "{refusal}");
        assert_eq!(fake.connections(), 1, "{refusal}");
    }
}

#[tokio::test]
async fn a_call_to_a_server_that_is_known_to_be_down_ends_early() {
    let mut server = Server::start();
    let backend = connect(&server.url()).await;
    server.kill();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        let before = Instant::now();
        let error = backend.get::<u8>("k").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(before.elapsed() < PATIENCE / 10);
    }
    server.restart();
    recovered(&backend).await;
}
