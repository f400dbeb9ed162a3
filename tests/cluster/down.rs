//! Nodes that don't answer, and runtimes that stand still, hold up no call beyond its limit.

use std::time::{Duration, Instant};

use futures::{FutureExt, TryStreamExt};
use reinhardt_backends::store::{Store, Touch};
use reinhardt_backends::{Backend, BackendResult, ErrorKind};
use reinhardt_backends_tests::{Cluster, Proxy, eventually, recovered};
use tokio::runtime::Builder;

use super::builder;

/// The limit of a call.
const LIMIT: Duration = Duration::from_millis(400);
/// A time that no machine needs to end a call that is over its limit.
const SLACK: Duration = Duration::from_secs(4);

#[tokio::test]
async fn calls_with_many_keys_end_within_their_limit() {
    let cluster = Cluster::of_primaries(3, &[]);
    let backend = builder(&cluster.url(0)).call_timeout(LIMIT);
    let backend = backend.build().await.unwrap();
    let keys: Vec<String> = (0..40).map(|index| format!("k{index}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let entries: Vec<(&str, u8)> = keys.iter().map(|key| (*key, 1)).collect();
    backend.set_many(&entries, None).await.unwrap();
    let ttl = Duration::from_secs(60);
    type Call<'a> = (&'a str, BackendResult<()>, Duration);
    async fn timed<'a, T>(name: &'a str, call: impl Future<Output = BackendResult<T>>) -> Call<'a> {
        let begun = Instant::now();
        (name, call.await.map(drop), begun.elapsed())
    }
    for is_killed in [false, true] {
        match is_killed {
            false => cluster.pause(1),
            true => cluster.kill(1),
        }
        let calls = [
            timed("get_many", backend.get_many::<u8>(&keys)).await,
            timed("set_many", backend.set_many(&entries, None)).await,
            timed("delete_many", backend.delete_many(&keys)).await,
            timed("restart", backend.read_values(&keys, Touch::Restart(ttl))).await,
            timed("extend", backend.read_values(&keys, Touch::Extend(ttl))).await,
            timed("scan", backend.scan("").try_collect::<Vec<String>>()).await,
            timed("clear", backend.clear_prefix("")).await,
        ];
        for (call, outcome, took) in calls {
            let error = outcome.expect_err(call);
            let kind = error.kind();
            let is_usual = matches!(kind, ErrorKind::Unavailable | ErrorKind::Timeout);
            assert!(is_usual, "{call}: {error}");
            // The part of a call that was not executed in one go is sent once more by itself.
            assert!(took < LIMIT * 3 + SLACK, "{call} took {took:?}: {error}");
        }
        if !is_killed {
            cluster.resume(1);
            assert_eq!(backend.get_many::<u8>(&keys).await.unwrap().len(), 40);
        }
    }
}

/// A map that is read on a runtime which nobody drives any more is read on another one.
#[test]
fn a_runtime_that_stands_still_keeps_the_map_from_nobody() {
    let cluster = Cluster::of_primaries(2, &[]);
    let runtime = || {
        let mut builder = Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let limit = Duration::from_secs(3);
    let still = runtime();
    let backend = still.block_on(async {
        let backend = builder(&cluster.url(0)).call_timeout(limit);
        let backend = backend.build().await.unwrap();
        backend.set("k", 1, None).await.unwrap();
        for node in 0..2 {
            cluster.pause(node);
        }
        // No node answers, so the map is read, and that goes on behind the end of the call.
        let error = backend.get::<u8>("k").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        backend
    });
    for node in 0..2 {
        cluster.resume(node);
    }
    runtime().block_on(async {
        let keys: Vec<String> = backend.scan("").try_collect().await.unwrap();
        assert_eq!(keys, ["k"]);
    });
    assert!(still.block_on(backend.ping()).is_ok());
    assert!(still.block_on(async { backend.get::<u8>("k").now_or_never().is_none() }));
}

/// The node of the first key is out of reach, which is certain. The answer of the other node is
/// lost.
#[tokio::test]
async fn a_removal_on_several_nodes_says_that_one_of_them_may_have_done_it() {
    let cluster = Cluster::of_primaries(2, &[]);
    let proxies = [0, 1].map(|node| Proxy::start(cluster.port(node)));
    if !cluster.announce(&proxies.each_ref().map(Proxy::port)) {
        return;
    }
    let backend = builder(&cluster.url(0)).call_timeout(LIMIT);
    let backend = backend.build().await.unwrap();
    // It has the time of a machine that is busy.
    let patient = builder(&cluster.url(0)).build().await.unwrap();
    let on = |node: usize| {
        let mut keys = (0..).map(|index| format!("k{index}"));
        let found =
            keys.find(|key| cluster.owner_of(cluster.slot_of(&format!("reinhardt:{key}"))) == node);
        found.expect("there are keys on each node")
    };
    let (near, far) = (on(0), on(1));
    for first in [&near, &far] {
        let other = if first == &near { &far } else { &near };
        let dead = usize::from(first == &far);
        let keys = [&**first, &**other];
        patient
            .set_many(&keys.map(|key| (key, 1)), None)
            .await
            .unwrap();
        // It is connected to both.
        eventually(async || backend.get_many::<u8>(&keys).await.is_ok()).await;
        proxies[dead].refuse();
        proxies[dead].cut();
        backend.get::<u8>(first).await.unwrap_err();
        let alone = backend.delete(first).await.unwrap_err();
        assert!(!alone.outcome_unknown(), "{alone}");
        proxies[1 - dead].hold_answers();
        let error = backend.delete_many(&keys).await.unwrap_err();
        assert!(error.outcome_unknown(), "{error}");
        proxies.iter().for_each(Proxy::cut_and_release);
        recovered(&patient).await;
        assert_eq!(
            patient.get_many::<u8>(&keys).await.unwrap(),
            [Some(1), None]
        );
    }
}
