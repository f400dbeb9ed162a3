//! Reads go on while a server lets writes wait (`CLIENT PAUSE .. WRITE`), as one does before a
//! failover that was asked for.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::{FutureExt, StreamExt, TryStreamExt};
use reinhardt_backends::{Backend, BackendError, ErrorKind, Expiry, RedisBackend};
use reinhardt_backends_tests::Server;
use tokio::task::JoinHandle;

use super::{PATIENCE, builder, connect};

fn pause_writes(server: &Server) {
    assert_eq!(server.command("CLIENT PAUSE 120000 WRITE"), "");
}

fn let_writes_through(server: &Server) {
    assert_eq!(server.command("CLIENT UNPAUSE"), "");
}

/// Begins a write, which waits.
fn begin_write(backend: &RedisBackend) -> JoinHandle<Result<(), BackendError>> {
    let backend = backend.clone();
    tokio::spawn(async move { backend.set("written", 2, None).await })
}

/// Waits until the backend has so many connections.
async fn has_connections(backend: &RedisBackend, count: usize) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let connections = backend.status().nodes[0].connections;
        if connections == count {
            return;
        }
        assert!(Instant::now() < deadline, "{connections} connections");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn reads_go_on_while_writes_wait() {
    let server = Server::on_tcp();
    let backend = connect(&server.url()).await;
    backend.set("k", 1, None).await.unwrap();
    pause_writes(&server);
    let write = begin_write(&backend);
    for _ in 0..3 {
        assert_eq!(backend.get::<u8>("k").await.unwrap(), Some(1));
        assert!(backend.exists("k").await.unwrap());
        assert_eq!(backend.ttl("k").await.unwrap(), Some(Expiry::Never));
        let many = backend.get_many::<u8>(&["k", "none"]).await.unwrap();
        assert_eq!(many, [Some(1), None]);
        assert_eq!(backend.scan("").count().await, 1);
        backend.ping().await.unwrap();
    }
    assert!(!write.is_finished());
    has_connections(&backend, 2).await;
    let_writes_through(&server);
    write.await.unwrap().unwrap();
    // The other connection isn't needed any more, and the written value is seen.
    assert_eq!(backend.get::<u8>("written").await.unwrap(), Some(2));
    has_connections(&backend, 1).await;
    assert_eq!(backend.status().nodes[0].reconnections, 0);
}

#[tokio::test]
async fn reads_that_were_sent_behind_a_write_are_answered() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    backend.set("k", 1, None).await.unwrap();
    pause_writes(&server);
    let mut write = Box::pin(backend.set("written", 2, None));
    assert!((&mut write).now_or_never().is_none());
    let reads = (0..100).map(|_| backend.get::<u8>("k"));
    for read in futures::future::join_all(reads).await {
        assert_eq!(read.unwrap(), Some(1));
    }
    assert!((&mut write).now_or_never().is_none());
    let_writes_through(&server);
    write.await.unwrap();
}

/// A call that came later is never executed before one that came earlier.
#[tokio::test]
async fn writes_keep_to_one_connection_while_reads_have_another() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    pause_writes(&server);
    let mut writes: Vec<_> = (0..10)
        .map(|_| Box::pin(backend.increment("count", None)))
        .collect();
    for (index, write) in writes.iter_mut().enumerate() {
        assert!(write.now_or_never().is_none());
        if index % 3 == 0 {
            assert_eq!(backend.get::<u8>("k").await.unwrap(), None);
        }
    }
    let_writes_through(&server);
    for (write, count) in writes.into_iter().zip(1..) {
        assert_eq!(write.await.unwrap(), count);
    }
}

#[tokio::test]
async fn a_scan_goes_on_while_writes_wait() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    let keys: BTreeSet<String> = (0..4000).map(|index| format!("k{index}")).collect();
    let entries: Vec<(&str, u8)> = keys.iter().map(|key| (key.as_str(), 1)).collect();
    backend.set_many(&entries, None).await.unwrap();
    let mut scan = Box::pin(backend.scan("k"));
    let mut seen = BTreeSet::from([scan.next().await.unwrap().unwrap()]);
    pause_writes(&server);
    let write = begin_write(&backend);
    backend.get::<u8>("k").await.unwrap();
    let rest: Vec<String> = scan.try_collect().await.unwrap();
    // Both connections lead to one process of the server: nothing comes twice.
    assert_eq!(rest.len(), keys.len() - 1);
    seen.extend(rest);
    assert_eq!(seen, keys);
    let_writes_through(&server);
    write.await.unwrap().unwrap();
}

/// The connection of the writes is doubted meanwhile, again and again.
#[tokio::test]
async fn writes_that_time_out_disturb_no_reads() {
    let server = Server::start();
    let brief = Duration::from_millis(400);
    let impatient = builder(&server.url()).call_timeout(brief);
    let impatient = impatient.build().await.unwrap();
    let patient = connect(&server.url()).await;
    patient.set("k", 1, None).await.unwrap();
    pause_writes(&server);
    let begun = Instant::now();
    let mut reads = (0, 0);
    while begun.elapsed() < brief * 4 {
        let write = impatient.increment("count", None);
        let read = async {
            // Reads are begun all the time that the write takes.
            for _ in 0..4 {
                let read = impatient.get::<u8>("k").await;
                match read {
                    Ok(value) => {
                        assert_eq!(value, Some(1));
                        reads.0 += 1;
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
                        reads.1 += 1;
                    }
                }
                tokio::time::sleep(brief / 5).await;
            }
        };
        let (written, ()) = tokio::join!(write, read);
        let error = written.unwrap_err();
        assert!(error.outcome_unknown(), "{error}");
    }
    // A slow machine may not connect in time.
    assert!(reads.0 > reads.1, "{reads:?}");
    let_writes_through(&server);
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = impatient.increment("count", None).await {
        assert!(Instant::now() < deadline, "{error}");
    }
}
