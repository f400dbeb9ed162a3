//! Every primary is examined, whatever stands behind a backend.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use futures::StreamExt;
use reinhardt_backends::doctor::{Doctor, FindingKind, doctor};
use reinhardt_backends::{Backend, ErrorKind, RedisBackend};
use reinhardt_backends_tests::{Cluster, Server, Service, eventually, patient};

use super::{Teaser, fill, populate, row, the};

#[tokio::test]
async fn each_primary_of_a_cluster_is_examined() {
    let cluster = Cluster::shared();
    let backend = patient(&cluster.url(0))
        .namespace("doctored")
        .build()
        .await
        .unwrap();
    backend.clear().await.unwrap();
    fill(&backend).await;
    for page in 0..300 {
        let key = Teaser { page: page + 100 }.key();
        backend.set(&key, "x", None).await.unwrap();
    }
    let report = doctor(&backend).await.unwrap();
    assert_eq!(report.servers.len(), 3, "{report}");
    for server in &report.servers {
        assert_eq!(server.mode.as_deref(), Some("cluster"), "{report}");
        assert!(server.key_count.unwrap() > 0);
    }
    let addresses = report.servers.iter().map(|server| &server.address);
    assert_eq!(
        addresses.collect::<std::collections::BTreeSet<_>>().len(),
        3
    );
    assert_eq!(row(&report, "teaser").entries, 301, "{report}");
    assert_eq!(row(&report, "login@2").entries, 1);
    assert!(report.is_whole);
    assert!(report.has(FindingKind::MissingTtl));
    backend.clear().await.unwrap();
}

#[tokio::test]
async fn the_primary_of_a_service_is_examined() {
    let service = Service::start();
    let backend = patient(&service.url()).build().await.unwrap();
    fill(&backend).await;
    let report = doctor(&backend).await.unwrap();
    assert_eq!(report.servers.len(), 1, "{report}");
    assert_eq!(row(&report, "teaser").entries, 1);
}

#[tokio::test]
async fn a_backend_is_examined_behind_an_arc_and_without_a_namespace() {
    let server = Server::start();
    let builder = RedisBackend::builder().url(&server.url());
    let backend = Arc::new(builder.namespace_none().build().await.unwrap());
    fill(&*backend).await;
    server.command("SET other:key x");
    let report = doctor(&backend).await.unwrap();
    assert_eq!(row(&report, "hits").entries, 1);
    assert!(
        the(&report, FindingKind::UndeclaredKeys)
            .message
            .starts_with("1 key ")
    );
}

/// Waits until a server was sent a command.
async fn is_sent(server: &Server, command: &str) {
    let field = format!("cmdstat_{command}:");
    eventually(async || server.command("INFO commandstats").contains(&field)).await;
}

/// Keys are counted once, whatever happens to the connection.
#[tokio::test]
async fn a_walk_whose_connection_was_replaced_begins_anew() {
    let server = Server::start();
    populate(&server, 20_000);
    let backend = server.connect().await;
    let doctor = Doctor::new().commands_per_second(150).sample_size(1);
    let killing = async {
        is_sent(&server, "scan").await;
        server.command("CLIENT KILL TYPE normal SKIPME yes");
    };
    let ((), report) = tokio::join!(killing, doctor.examine(&backend));
    let report = report.unwrap();
    assert_eq!(row(&report, "teaser").entries, 20_000, "{report}");
    assert!(report.is_whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_slot_moves_is_counted_once_or_nothing_is_certain() {
    let cluster = Arc::new(Cluster::of_primaries(3, &[]));
    let backend = cluster.connect().await;
    for page in 0..200 {
        Teaser { page }.set(&backend, String::new()).await.unwrap();
    }
    let slot = cluster.slot_of("reinhardt:teaser:7");
    let is_over = Arc::new(AtomicBool::new(false));
    let moving = tokio::task::spawn_blocking({
        let (cluster, is_over) = (cluster.clone(), is_over.clone());
        move || {
            while !is_over.load(SeqCst) {
                let owner = cluster.owner_of(slot);
                cluster.move_slot(slot, (owner + 1) % 3);
            }
        }
    });
    let doctor = Doctor::new().commands_per_second(100_000).sample_size(1);
    let examine = async |_| doctor.examine(&backend).await;
    let reports = futures::stream::iter(0..5).then(examine);
    let reports: Vec<_> = reports.collect().await;
    // What fails here fails once the slot moves no more.
    is_over.store(true, SeqCst);
    moving.await.unwrap();
    for report in reports {
        let report = report.unwrap();
        let entries = row(&report, "teaser").entries;
        assert!(entries == 200 || !report.is_whole, "{report}");
    }
}

#[tokio::test]
async fn a_server_that_is_dead_is_an_error() {
    let mut server = Server::start();
    let backend = server.connect().await;
    fill(&backend).await;
    server.kill();
    let error = doctor(&backend).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_before_a_server_died_is_reported() {
    let mut server = Server::start();
    let backend = patient(&server.url()).call_timeout(std::time::Duration::from_millis(500));
    let backend = backend.build().await.unwrap();
    for page in 0..100 {
        Teaser { page }.set(&backend, String::new()).await.unwrap();
    }
    let doctor = Doctor::new().commands_per_second(100);
    let killing = async {
        is_sent(&server, "getrange").await;
        tokio::task::block_in_place(|| server.kill());
    };
    let ((), report) = tokio::join!(killing, doctor.examine(&backend));
    let report = report.unwrap();
    assert_eq!(row(&report, "teaser").entries, 100);
    assert!(row(&report, "teaser").sampled < 100, "{report}");
    let unread = report
        .findings
        .iter()
        .find(|finding| finding.subject == "store");
    assert_eq!(unread.unwrap().kind, FindingKind::Unread, "{report}");
}
