//! Calls that are merged are answered as single calls are, whatever happens to the batch.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::{FutureExt, StreamExt, stream};
use reinhardt_backends::store::Store;
use reinhardt_backends::{Backend, ErrorKind, Expiry, Life, RedisBackend, Write};
use reinhardt_backends_tests::{Proxy, Server};

use super::{BRIEF, builder, connect, recovered};

/// Returns how often the server has executed a command.
fn executed(server: &Server, command: &str) -> usize {
    let stats = server.command("INFO commandstats");
    let calls = stats.split_once(&format!("cmdstat_{command}:calls="));
    let digits = calls.map_or("0", |(_, rest)| rest.split(',').next().unwrap());
    digits.parse().unwrap()
}

#[tokio::test]
async fn one_caller_reads_one_key_at_a_time() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    backend.set("k", 1, None).await.unwrap();
    for _ in 0..50 {
        assert_eq!(backend.get::<u8>("k").await.unwrap(), Some(1));
    }
    assert_eq!(
        (executed(&server, "get"), executed(&server, "mget")),
        (50, 0)
    );
}

#[tokio::test]
async fn many_callers_share_commands() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    let keys: Vec<String> = (0..200).map(|index| format!("k{index}")).collect();
    for (index, key) in keys.iter().enumerate() {
        backend.set(key, index, None).await.unwrap();
    }
    for _ in 0..5 {
        let values = join_all(keys.iter().map(|key| backend.get::<usize>(key))).await;
        for (index, value) in values.into_iter().enumerate() {
            assert_eq!(value.unwrap(), Some(index));
        }
    }
    let commands = executed(&server, "get") + executed(&server, "mget");
    assert!(commands < 100, "{commands} commands for 1,000 reads");
    assert_eq!(executed(&server, "exists"), 0);
}

#[tokio::test]
async fn increments_made_together_share_scripts_and_each_has_its_own_sum() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    let minute = Some(Duration::from_secs(60));
    // Makes the script known.
    backend.increment("k0", minute).await.unwrap();
    let before = executed(&server, "evalsha");
    let keys: Vec<String> = (0..200).map(|index| format!("k{}", index % 50)).collect();
    let calls = keys.iter().map(|key| backend.increment_by(key, 3, minute));
    let mut sums = HashMap::<&str, Vec<i64>>::new();
    for (key, counted) in keys.iter().zip(join_all(calls).await) {
        let counted = counted.unwrap();
        assert!(matches!(counted.expiry, Expiry::In(left) if left <= Duration::from_secs(60)));
        sums.entry(key).or_default().push(counted.value);
    }
    for (key, mut sums) in sums {
        sums.sort_unstable();
        let begin = i64::from(key == "k0");
        assert_eq!(sums, [begin + 3, begin + 6, begin + 9, begin + 12], "{key}");
    }
    let scripts = executed(&server, "evalsha") - before;
    assert!(scripts < 50, "{scripts} scripts for 200 increments");
}

#[tokio::test]
async fn an_increment_that_fails_among_others_fails_its_own_caller() {
    let server = Server::on_tcp();
    server.command("ACL SETUSER app on >secret ~reinhardt:open:* +@all");
    server.command("RPUSH reinhardt:open:list 1");
    let admin = connect(&server.url()).await;
    admin.set("open:text", "text", None).await.unwrap();
    admin.set("open:full", i64::MAX, None).await.unwrap();
    let backend = connect(&format!("redis://app:secret@127.0.0.1:{}", server.port())).await;
    for with_forbidden in [false, true] {
        let mut keys = vec!["open:list", "open:text", "open:full"];
        if with_forbidden {
            keys.push("closed:key");
        }
        let names: Vec<String> = (0..40).map(|index| format!("open:{index}")).collect();
        keys.extend(names.iter().map(String::as_str));
        let calls = keys.iter().map(|key| backend.increment(key, None));
        for (key, counted) in keys.iter().zip(join_all(calls).await) {
            match *key {
                "open:list" | "open:text" => {
                    assert_eq!(counted.unwrap_err().kind(), ErrorKind::WrongType);
                }
                "open:full" => assert_eq!(counted.unwrap_err().kind(), ErrorKind::Overflow),
                "closed:key" => {
                    let error = counted.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Denied);
                    assert!(!error.outcome_unknown());
                }
                // Counted once a round, whatever happened to the script that was shared.
                _ => assert_eq!(counted.unwrap(), 1 + i64::from(with_forbidden), "{key}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_script_that_the_server_forgets_counts_nothing_twice() {
    let server = Arc::new(Server::start());
    let backend = connect(&server.url()).await;
    let tasks = (0..32).map(|_| {
        let backend = backend.clone();
        tokio::spawn(async move {
            for _ in 0..100 {
                backend.increment("hits", None).await.unwrap();
            }
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let forgetful = server.clone();
    let forgets = std::thread::spawn(move || {
        for _ in 0..20 {
            forgetful.command("SCRIPT FLUSH");
        }
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    forgets.join().unwrap();
    assert_eq!(backend.get::<i64>("hits").await.unwrap(), Some(3_200));
}

#[tokio::test]
async fn sums_are_exact_alone_and_among_others() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    let limit = 1_i64 << 53;
    let cases = [
        (limit - 1, 1),
        (limit, 1),
        (limit + 1, -1),
        (-limit, -1),
        (i64::MAX - 1, 1),
        (i64::MIN + 1, -1),
        (0, i64::MIN),
        (-1, i64::MAX),
    ];
    for alone in [true, false] {
        for (index, (start, _)) in cases.iter().enumerate() {
            backend.set(&index.to_string(), *start, None).await.unwrap();
        }
        let keys: Vec<String> = (0..cases.len()).map(|index| index.to_string()).collect();
        let calls = keys.iter().zip(cases);
        let calls = calls.map(|(key, (_, delta))| backend.increment_by(key, delta, None));
        let counted = match alone {
            true => {
                let mut all = Vec::new();
                for call in calls {
                    all.push(call.await);
                }
                all
            }
            false => join_all(calls).await,
        };
        for ((start, delta), counted) in cases.into_iter().zip(counted) {
            assert_eq!(counted.unwrap().value, start + delta, "{start} and {delta}");
        }
    }
}

#[tokio::test]
async fn gathered_reads_answer_as_single_ones() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    server.command("RPUSH reinhardt:list 1");
    for index in 0..40 {
        backend
            .set(&format!("there:{index}"), index, None)
            .await
            .unwrap();
    }
    for with_foreign in [false, true] {
        let keys = (0..40).flat_map(|index| {
            let foreign = with_foreign.then(|| "list".to_string());
            [
                Some(format!("there:{index}")),
                Some(format!("absent:{index}")),
                foreign,
            ]
        });
        let keys: Vec<String> = keys.flatten().collect();
        let reads = keys.iter().map(|key| backend.get::<u32>(key));
        for (key, read) in keys.iter().zip(join_all(reads).await) {
            match key.split_once(':') {
                Some(("there", index)) => assert_eq!(read.unwrap(), index.parse().ok()),
                Some(_) => assert_eq!(read.unwrap(), None),
                None => assert_eq!(read.unwrap_err().kind(), ErrorKind::WrongType),
            }
        }
    }
    assert!(executed(&server, "mget") > 0);
}

#[tokio::test]
async fn a_key_that_may_not_be_read_fails_its_own_caller() {
    let server = Server::on_tcp();
    server.command("ACL SETUSER app on >secret ~reinhardt:open:* +@all");
    let admin = connect(&server.url()).await;
    for index in 0..50 {
        for area in ["open", "closed"] {
            admin
                .set(&format!("{area}:{index}"), index, None)
                .await
                .unwrap();
        }
    }
    let backend = connect(&format!("redis://app:secret@127.0.0.1:{}", server.port())).await;
    let keys: Vec<String> = (0..50)
        .map(|index| match index % 10 {
            5 => format!("closed:{index}"),
            _ => format!("open:{index}"),
        })
        .collect();
    let reads = join_all(keys.iter().map(|key| backend.get::<usize>(key))).await;
    for (index, read) in reads.into_iter().enumerate() {
        match index % 10 {
            5 => assert_eq!(read.unwrap_err().kind(), ErrorKind::Denied),
            _ => assert_eq!(read.unwrap(), Some(index)),
        }
    }
}

/// Drops every other read at some point, and looks at the answers of the other reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_that_give_up_disturb_nobody() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    for index in 0..100 {
        backend
            .set(&format!("k{index}"), index, None)
            .await
            .unwrap();
    }
    let tasks = (0..64).map(|task| {
        let backend = backend.clone();
        tokio::spawn(async move {
            for round in 0..200 {
                let index = (task * 31 + round) % 100;
                let key = format!("k{index}");
                let mut read = Box::pin(backend.get::<usize>(&key));
                if (task + round) % 2 == 0 {
                    let waits = (&mut read).now_or_never().is_none();
                    if waits && round % 4 == 0 {
                        tokio::task::yield_now().await;
                        let _ = (&mut read).now_or_never();
                    }
                    continue;
                }
                assert_eq!(read.await.unwrap(), Some(index));
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_end_when_the_server_is_killed_and_are_answered_when_it_is_back() {
    let mut server = Server::on_tcp();
    let backend = connect(&server.url()).await;
    backend.set("k", 1, None).await.unwrap();
    let reads = |backend: &RedisBackend| {
        let backend = backend.clone();
        let reads = stream::iter(0..2_000).map(move |_| {
            let backend = backend.clone();
            async move { backend.get::<u8>("k").await }
        });
        tokio::spawn(reads.buffer_unordered(100).collect::<Vec<_>>())
    };
    let under_way = reads(&backend);
    server.kill();
    for read in under_way.await.unwrap() {
        match read {
            Ok(value) => assert_eq!(value, Some(1)),
            Err(error) => assert!(error.is_transient() && !error.outcome_unknown(), "{error}"),
        }
    }
    server.restart();
    recovered(&backend).await;
    backend.set("k", 2, None).await.unwrap();
    for read in reads(&backend).await.unwrap() {
        assert_eq!(read.unwrap(), Some(2));
    }
}

#[tokio::test]
async fn each_gathered_read_has_a_limit_of_its_own() {
    let server = Server::on_tcp();
    let direct = connect(&server.url()).await;
    direct.set("k", 1, None).await.unwrap();
    let proxy = Proxy::start(server.port());
    let backend = builder(&proxy.url()).call_timeout(BRIEF);
    let backend = Arc::new(backend.build().await.unwrap());
    proxy.hold_answers();
    let reads = join_all((0..50).map(|_| backend.get::<u8>("k"))).await;
    for read in reads {
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Timeout);
    }
    proxy.release();
    recovered(&backend).await;
    let patient = connect(&proxy.url()).await;
    for read in join_all((0..50).map(|_| patient.get::<u8>("k"))).await {
        assert_eq!(read.unwrap(), Some(1));
    }
}

#[tokio::test]
async fn too_many_gathered_reads_are_refused() {
    let server = Server::on_tcp();
    let proxy = Proxy::start(server.port());
    let backend = builder(&proxy.url())
        .waiting_limit(20)
        .build()
        .await
        .unwrap();
    proxy.hold_answers();
    let mut reads: Vec<_> = (0..20).map(|_| Box::pin(backend.get::<u8>("k"))).collect();
    for read in &mut reads {
        assert!(read.now_or_never().is_none());
    }
    let error = backend.get::<u8>("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    proxy.release();
    for read in join_all(reads).await {
        assert_eq!(read.unwrap(), None);
    }
}

#[test]
fn a_runtime_that_ends_takes_no_reader_with_it() {
    let server = Server::start();
    let current_thread = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let lasting = current_thread();
    let backend = lasting.block_on(connect(&server.url()));
    lasting.block_on(backend.set("k", 1, None)).unwrap();
    for _ in 0..5 {
        let brief = current_thread();
        brief.block_on(async {
            let mut reads: Vec<_> = (0..20).map(|_| Box::pin(backend.get::<u8>("k"))).collect();
            for read in &mut reads {
                let _ = read.now_or_never();
            }
        });
        // A batch of this runtime's may be under way.
        drop(brief);
        let reads = lasting.block_on(join_all((0..20).map(|_| backend.get::<u8>("k"))));
        for read in reads {
            assert_eq!(read.unwrap(), Some(1));
        }
    }
}

/// An answer of 32 MiB over a slow network, whose caller has gone: the calls behind it are
/// answered.
#[tokio::test]
async fn an_answer_that_nobody_waits_for_holds_nobody_up() {
    let server = Server::on_tcp();
    let large = 32 * 1024 * 1024;
    let direct = builder(&server.url()).value_limit(large).build().await;
    let direct = direct.unwrap();
    let value = vec![b'v'; large];
    let put = direct.put("large", &value, Write::new(Life::Never));
    assert!(put.await.unwrap());
    direct.set("small", 7, None).await.unwrap();
    let proxy = Proxy::start(server.port());
    let limit = Duration::from_secs(3);
    let backend = builder(&proxy.url()).call_timeout(limit).build().await;
    let backend = backend.unwrap();
    // The whole of it takes eight seconds.
    proxy.slow_down(4 * 1024 * 1024);
    let reading = tokio::time::timeout(BRIEF, backend.read("large"));
    assert!(reading.await.is_err());
    // On its way while nobody has noticed yet.
    assert_eq!(backend.get::<u8>("small").await.unwrap(), Some(7));
    for count in 1..=5 {
        assert_eq!(backend.increment("hits", None).await.unwrap(), count);
        assert_eq!(backend.get::<u8>("small").await.unwrap(), Some(7));
    }
    // A slow server holds the read back for a while, and other reads go around it.
    assert!(proxy.connections() <= 3, "{}", proxy.connections());
}
