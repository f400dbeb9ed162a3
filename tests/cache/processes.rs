//! Callers wait for a leader in another process, and for a killed one until its lease ends.

use std::sync::Arc;

use futures::future::join_all;
use reinhardt_backends::{BackendError, Keyspace, RedisBackend};
use reinhardt_backends_tests::{PeerProcess, Server};

use crate::{Source, until};

/// The same keyspace as in the peer process.
#[derive(Keyspace)]
#[keyspace(prefix = "report", ttl = "1h", value = String, lease = "5s")]
struct Report<'a> {
    name: &'a str,
}

fn computing(server: &Server) -> PeerProcess {
    let arguments = ["compute", &server.url(), "sales"];
    let peer = PeerProcess::start(env!("CARGO_BIN_EXE_peer-process"), &arguments);
    assert_eq!(peer.line(), "computing");
    peer
}

fn readers(
    source: &Arc<Source>,
    backend: &RedisBackend,
) -> Vec<tokio::task::JoinHandle<Result<String, BackendError>>> {
    let readers = (0..1000).map(|_| {
        let (source, backend) = (source.clone(), backend.clone());
        tokio::spawn(async move {
            let report = Report { name: "sales" };
            report.get_or_set_with(&backend, || source.compute()).await
        })
    });
    readers.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_misses_here_wait_for_the_computation_there() {
    let server = Server::start();
    let backend = server.connect().await;
    let mut peer = computing(&server);
    let source = Source::open();
    let readers = readers(&source, &backend);
    assert_eq!(peer.ask("from there"), "from there");
    for report in join_all(readers).await {
        assert_eq!(report.unwrap().unwrap(), "from there");
    }
    assert_eq!(source.begun(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_frees_who_waits_within_its_lease() {
    let server = Server::start();
    let backend = server.connect().await;
    let peer = computing(&server);
    let source = Source::open();
    let readers = readers(&source, &backend);
    peer.kill();
    until("one of them computes", async || source.begun() == 1).await;
    for report in join_all(readers).await {
        assert_eq!(report.unwrap().unwrap(), "computed 0");
    }
    assert_eq!(source.begun(), 1);
}
