//! Every node of a cluster is spoken to by TLS.

use std::time::Duration;

use reinhardt_backends::{ErrorKind, Tls};
use reinhardt_backends_tests::{Authority, Cluster};

use super::builder;
use super::settings::works;

#[tokio::test]
async fn every_node_is_spoken_to_by_tls() {
    let authority = Authority::new();
    let certificate = authority.certify(&["127.0.0.1"]);
    let cluster = Cluster::on_tls(&authority, &certificate);
    let tls = || Tls::ca_pem(authority.pem()).unwrap();
    let backend = builder(&cluster.url(0)).tls(tls()).build().await.unwrap();
    works(&backend).await;
    let url = cluster.url_of_all().replace("redis-", "rediss-");
    works(&builder(&url).tls(tls()).build().await.unwrap()).await;
    let plain = builder(&cluster.url_of_all()).connect_timeout(Duration::from_secs(1));
    assert!(plain.build().await.is_err());
}

/// Nodes are named as the cluster announces them, which is what a certificate is for.
#[tokio::test]
async fn nodes_are_reached_by_the_host_names_that_they_announce() {
    let authority = Authority::new();
    let certificate = authority.certify(&["localhost"]);
    let cluster = Cluster::on_tls(&authority, &certificate);
    let tls = || Tls::ca_pem(authority.pem()).unwrap();
    let wrong = builder(&cluster.url(0)).tls(tls()).build().await;
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Denied);
    let url = cluster.url(0).replace("127.0.0.1", "localhost");
    // The certificate doesn't name the addresses of the nodes.
    let wrong = builder(&url).tls(tls()).build().await;
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Denied);
    for node in 0..cluster.count() {
        let settings = [
            "cluster-announce-hostname localhost",
            "cluster-preferred-endpoint-type hostname",
        ];
        for setting in settings {
            let set = cluster.command(node, &format!("CONFIG SET {setting}"));
            if set.contains("Unknown option") || set.contains("Unsupported CONFIG") {
                // Servers before 7.0 announce addresses alone.
                return;
            }
        }
    }
    let backend = builder(&url).tls(tls()).build().await.unwrap();
    works(&backend).await;
    let nodes = backend.status().nodes;
    let mut addresses = nodes.iter().map(|node| &node.address);
    assert!(addresses.all(|address| address.starts_with("localhost:")));
}
