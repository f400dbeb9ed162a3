//! A status tells the state of the servers of a backend and counts its calls.

use std::time::Instant;

use futures::FutureExt;
use futures::future::join_all;
use reinhardt_backends::{Backend, ErrorKind, NodeStatus, RedisBackend};
use reinhardt_backends_tests::Server;

use super::{PATIENCE, builder, connect, recovered, runtime};

fn node(backend: &RedisBackend) -> NodeStatus {
    backend.status().nodes.remove(0)
}

#[tokio::test]
async fn a_status_tells_the_server_and_the_connection() {
    let server = Server::on_tcp();
    let lazy = builder(&server.url()).build_lazy().unwrap();
    assert!(!lazy.status().is_connected());
    assert!(node(&lazy).version.is_none() && node(&lazy).connected_for.is_none());
    lazy.ping().await.unwrap();
    let (status, node) = (lazy.status(), node(&lazy));
    assert!(status.is_connected());
    assert_eq!(node.address, format!("127.0.0.1:{}", server.port()));
    assert_eq!(node.mode.as_deref(), Some("standalone"));
    assert_eq!((node.connections, node.reconnections), (1, 0));
    assert!(node.connected_for.is_some() && node.failure.is_none());
    let info = server.command("INFO server");
    let told = ["valkey_version:", "redis_version:"].map(|name| {
        let mut lines = info.lines();
        lines.find_map(|line| line.strip_prefix(name).map(str::trim_end))
    });
    assert_eq!(node.version.as_deref(), told[0].or(told[1]));
    let by_resp2 = connect(&format!("{}?protocol=2", server.url())).await;
    assert_eq!(self::node(&by_resp2).version, node.version);
}

#[test]
fn a_status_counts_the_connections_of_all_runtimes() {
    let server = Server::start();
    let backend = builder(&server.url()).build_lazy().unwrap();
    let runtimes = [runtime(), runtime()];
    for (count, runtime) in (1..).zip(&runtimes) {
        runtime.block_on(backend.ping()).unwrap();
        assert_eq!(node(&backend).connections, count);
    }
    drop(runtimes);
    assert_eq!(node(&backend).connections, 0);
    assert_eq!(node(&backend).reconnections, 0);
}

#[tokio::test]
async fn a_status_counts_what_waits_and_what_was_merged() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    let keys: Vec<String> = (0..100).map(|index| format!("k{index}")).collect();
    backend.get::<u8>("k").await.unwrap();
    assert_eq!(backend.status().merged_calls, 0);
    join_all(keys.iter().map(|key| backend.get::<u8>(key))).await;
    let merged = backend.status().merged_calls;
    assert!((50..=200).contains(&merged), "{merged}");
    server.pause();
    let calls = keys.iter().map(|key| backend.set(key, 1, None).boxed());
    let mut waiting: Vec<_> = calls.collect();
    for call in &mut waiting {
        assert!(futures::poll!(call).is_pending());
    }
    let status = backend.status();
    assert_eq!(status.waiting_calls, 100);
    assert!(status.waiting_bytes > 1000, "{}", status.waiting_bytes);
    server.resume();
    join_all(waiting).await;
    let status = backend.status();
    assert_eq!((status.waiting_calls, status.waiting_bytes), (0, 0));
}

#[tokio::test]
async fn a_status_tells_of_an_outage_and_of_its_end() {
    let mut server = Server::start();
    let backend = connect(&server.url()).await;
    server.kill();
    let deadline = Instant::now() + PATIENCE;
    while node(&backend).failure.is_none() {
        assert!(backend.get::<u8>("k").await.is_err() && Instant::now() < deadline);
    }
    let failure = node(&backend).failure.unwrap();
    assert_eq!(failure.kind(), ErrorKind::Unavailable);
    assert!(!backend.status().is_connected());
    server.restart();
    recovered(&backend).await;
    let node = node(&backend);
    assert!(node.failure.is_none());
    assert_eq!((node.connections, node.reconnections), (1, 1));
}
