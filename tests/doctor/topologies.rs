//! Every primary is examined, whatever stands behind a backend.

use std::sync::Arc;

use reinhardt_backends::doctor::{FindingKind, doctor};
use reinhardt_backends::{Backend, ErrorKind, RedisBackend};
use reinhardt_backends_tests::{Cluster, Server, Service, patient};

use super::{Teaser, fill, row, the};

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
        assert!(server.keys.unwrap() > 0);
    }
    let addresses = report.servers.iter().map(|server| &server.address);
    assert_eq!(
        addresses.collect::<std::collections::BTreeSet<_>>().len(),
        3
    );
    assert_eq!(row(&report, "teaser").entries, 301, "{report}");
    assert_eq!(row(&report, "login@2").entries, 1);
    assert!(report.keys.is_whole);
    assert!(report.has(FindingKind::NoEnd));
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
        the(&report, FindingKind::Undeclared)
            .message
            .starts_with("1 key ")
    );
}

#[tokio::test]
async fn a_server_that_dies_meanwhile_is_an_error() {
    let mut server = Server::start();
    let backend = server.connect().await;
    fill(&backend).await;
    server.kill();
    let error = doctor(&backend).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}
