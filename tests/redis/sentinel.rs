//! The primary that the sentinels name is found, and followed when it changes.

use std::time::{Duration, Instant};

use futures::future::join_all;
use reinhardt_backends::{Backend, ErrorKind, RedisBackend};
use reinhardt_backends_tests::{Proxy, Server, Service, Traffic, watching};
use tokio::runtime::{Builder, Runtime};

use super::{PATIENCE, builder, eventually};

/// Waits until a write works, and says how long that took.
async fn written(backend: &RedisBackend) -> Duration {
    let begun = Instant::now();
    while let Err(error) = backend.set("written", 1, None).await {
        assert!(error.is_transient(), "{error}");
        assert!(begun.elapsed() < PATIENCE, "{error}");
    }
    begun.elapsed()
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

fn only_address(backend: &RedisBackend) -> String {
    let nodes = backend.status().nodes;
    assert_eq!(nodes.len(), 1, "{nodes:?}");
    nodes[0].address.clone()
}

#[tokio::test]
async fn the_primary_is_found_by_whichever_sentinel_answers() {
    let service = Service::start();
    for dead in 0..=2 {
        if dead > 0 {
            service.kill_sentinel(dead - 1);
        }
        let backend = builder(&service.url()).build().await.unwrap();
        backend.set("k", dead, None).await.unwrap();
        assert_eq!(backend.get::<usize>("k").await.unwrap(), Some(dead));
        assert_eq!(only_address(&backend), service.address(0));
    }
    let nowhere = format!("redis-sentinel://127.0.0.1:1,127.0.0.1:2/{}", Service::NAME);
    let error = builder(&nowhere).build().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let said = error.to_string();
    assert!(
        said.contains("no sentinel names the primary of `cache`"),
        "{said}"
    );
    assert!(said.contains("127.0.0.1:"), "{said}");
}

/// Replication is asynchronous: the last writes that the primary acknowledged may be lost with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_is_killed_is_replaced_under_traffic() {
    let service = Service::start().that_is_quick();
    let traffic = Traffic::begin_with_losses(&service.url()).await;
    traffic.replicate(|| service.replicate(0));
    service.server(0).kill();
    println!("written again after {:?}", written(traffic.backend()).await);
    let primary = service.await_other_than(0);
    traffic.go_on().await;
    assert_eq!(only_address(traffic.backend()), service.address(primary));
    println!("{:?}", traffic.end().await);
}

/// Sentinels notice a promotion after up to a second. Writes that the old primary acknowledges
/// meanwhile are lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_that_was_asked_for_is_followed_under_traffic() {
    let service = Service::start();
    let traffic = Traffic::begin_with_losses(&service.url()).await;
    for _ in 0..2 {
        let primary = service.address(service.fail_over());
        let deadline = Instant::now() + PATIENCE;
        while only_address(traffic.backend()) != primary {
            assert!(
                Instant::now() < deadline,
                "{:?}",
                traffic.backend().status()
            );
            traffic.go_on().await;
        }
        traffic.go_on().await;
    }
    println!("{:?}", traffic.end().await);
}

/// The old primary still takes itself for the primary when it goes on.
#[test]
fn nothing_is_read_from_a_primary_that_was_replaced() {
    let service = Service::start().that_is_quick();
    let runtimes = [runtime(), runtime()];
    let backend = runtimes[0]
        .block_on(builder(&service.url()).build())
        .unwrap();
    for runtime in &runtimes {
        runtime.block_on(backend.set("k", "old", None)).unwrap();
    }
    service.server(0).pause();
    service.await_other_than(0);
    runtimes[0].block_on(async {
        while backend.get::<String>("k").await.is_err() {}
        backend.set("k", "new", None).await.unwrap();
    });
    service.server(0).resume();
    for runtime in &runtimes {
        let read =
            runtime.block_on(async { join_all((0..20).map(|_| backend.get::<String>("k"))).await });
        for read in read {
            assert_eq!(read.unwrap().unwrap(), "new");
        }
    }
}

#[tokio::test]
async fn a_switch_that_a_sentinel_tells_is_followed() {
    let service = Service::start().that_is_quick();
    let backend = builder(&service.url()).build().await.unwrap();
    backend.set("k", 1, None).await.unwrap();
    service.server(0).pause();
    service.await_other_than(0);
    // No call waits for an answer of the old primary: a sentinel alone tells of the switch.
    eventually(async || !backend.status().is_connected()).await;
    service.server(0).resume();
    let primary = service.primary();
    backend.set("k", 2, None).await.unwrap();
    assert_eq!(only_address(&backend), service.address(primary));
}

/// A sentinel that names another primary than the others is outvoted.
#[tokio::test]
async fn sentinels_that_disagree_are_told_from_the_others_by_their_number() {
    let service = Service::start();
    let port = service.server(1).port();
    // This sentinel would find the others and learn from them, if they could log in.
    let alone = Server::as_sentinel(&watching(port, &["requirepass secret"]));
    let alone = format!("127.0.0.1:{}", alone.port());
    let url = format!("redis-sentinel://{alone}/cache");
    let error = builder(&url).build().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("NOAUTH"), "{error}");
    let login = "?sentinel_password=secret";
    let error = builder(&format!("{url}{login}")).build().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let said = error.to_string();
    assert!(
        said.contains("is a replica") && said.contains("name it as the primary of `cache`"),
        "{said}"
    );
    // The others answer later.
    let proxies = [0, 1, 2].map(|index| {
        let port = service.sentinel_address(index);
        let port = port.rsplit(':').next().and_then(|port| port.parse().ok());
        Proxy::start(port.unwrap())
    });
    proxies.iter().for_each(|proxy| proxy.slow_down(3000));
    let far = proxies
        .each_ref()
        .map(|proxy| format!("127.0.0.1:{}", proxy.port()));
    let all = format!("redis-sentinel://{alone},{}/cache{login}", far.join(","));
    let backend = builder(&all).build().await.unwrap();
    backend.set("k", 1, None).await.unwrap();
    assert_eq!(only_address(&backend), service.address(0));
}

#[tokio::test]
async fn sentinels_have_a_login_of_their_own() {
    // The rights that the documentation names.
    let page = include_str!("../../backends/docs/redis.md");
    let rights = page.split("**Rights of the sentinels' user**: `").nth(1);
    let rights = rights.and_then(|rights| rights.split('`').next()).unwrap();
    let channels = "&+switch-master &+promoted-slave";
    assert!(
        channels
            .split(' ')
            .all(|channel| page.contains(&format!("`{channel}`")))
    );
    let rights: Vec<&str> = rights.split_whitespace().collect();
    let rights = rights.join(" ");
    let user = format!("user app on >secret resetchannels {channels} {rights}");
    let service = Service::with_settings(&[&user]);
    let login = "sentinel_username=app&sentinel_password=";
    let with = |password: &str| format!("{}/0?{login}{password}", service.url());
    let error = builder(&with("wr0ng")).build().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(!error.to_string().contains("wr0ng"), "{error}");
    let named = builder(&with("secret")).client_name("shop");
    let backend = named.build().await.unwrap();
    backend.set("k", 1, None).await.unwrap();
    // A sentinel is listened to, for as long as the backend is there.
    let listens = |client: &str| client.contains("name=shop") && client.contains("sub=2");
    let is_listened_to = || (0..3).any(|index| service.clients(index).lines().any(listens));
    eventually(async || is_listened_to()).await;
    assert!(backend.status().nodes[0].sentinel_failure.is_none());
    drop(backend);
    eventually(async || !is_listened_to()).await;
}

/// It is noticed all the same, a little later.
#[tokio::test]
async fn a_switch_is_followed_by_a_user_who_may_not_listen() {
    let rights = "+ping +info +client|setname +sentinel|get-master-addr-by-name";
    let user = format!("user app on >secret resetchannels {rights}");
    let service = Service::with_settings(&[&user]).that_is_quick();
    let login = "sentinel_username=app&sentinel_password=secret";
    let backend = builder(&format!("{}/0?{login}", service.url())).build();
    let backend = backend.await.unwrap();
    eventually(async || backend.status().nodes[0].sentinel_failure.is_some()).await;
    let failure = backend.status().nodes[0].sentinel_failure.clone();
    assert_eq!(failure.unwrap().kind(), ErrorKind::Denied);
    service.server(0).pause();
    service.await_other_than(0);
    // No call waits for an answer of the old primary.
    eventually(async || !backend.status().is_connected()).await;
    backend.set("k", 2, None).await.unwrap();
}
