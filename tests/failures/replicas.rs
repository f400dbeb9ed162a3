//! Reads from replicas, where there are none or nobody tells of them. Writes never go there.

use reinhardt_backends::{Backend, ReadFrom};
use reinhardt_backends_tests::{Server, eventually, watching};

use super::page::row;
use super::{as_user, connect};

#[tokio::test]
async fn a_server_without_replicas() {
    let server = Server::on_tcp();
    let handle = connect(&server.url()).await.reading_from(ReadFrom::Replica);
    let none = row!(
        ".. has no replicas to read from: ..",
        InvalidConfig,
        NoWrite
    );
    none.check(&handle.get::<u8>("hiddenkey").await.unwrap_err());
    none.check(&handle.get_many::<u8>(&["hiddenkey"]).await.unwrap_err());
    none.check(&handle.exists("hiddenkey").await.unwrap_err());
    handle.set("hiddenkey", 1, None).await.unwrap();
}

#[tokio::test]
async fn a_user_who_may_not_ask_for_replicas() {
    let server = Server::on_tcp();
    let handle = as_user(&server, "~* +@all -info").reading_from(ReadFrom::Replica);
    let error = handle.get::<u8>("hiddenkey").await.unwrap_err();
    row!(".. doesn't tell its replicas: ..", Denied, NoWrite).check(&error);
    handle.set("hiddenkey", 1, None).await.unwrap();
}

#[tokio::test]
async fn a_user_who_may_not_ask_the_sentinels_for_replicas() {
    let server = Server::on_tcp();
    let rights = "+ping +info +client|setname +subscribe +sentinel|get-master-addr-by-name";
    let user = format!("user app on >pa55 resetchannels {rights}");
    let sentinel = Server::as_sentinel(&watching(server.port(), &[&user]));
    let login = "sentinel_username=app&sentinel_password=pa55";
    let url = format!(
        "redis-sentinel://127.0.0.1:{}/cache?{login}",
        sentinel.port()
    );
    let handle = connect(&url).await.reading_from(ReadFrom::Replica);
    let error = handle.get::<u8>("hiddenkey").await.unwrap_err();
    row!(
        "no sentinel tells the replicas of `..`: ..",
        Denied,
        NoWrite
    )
    .check(&error);
}

/// Reads go to the primary meanwhile.
#[tokio::test]
async fn a_replica_that_became_a_primary() {
    let at_once = ["--repl-diskless-sync-delay", "0"];
    let primary = Server::on_tcp_with(&at_once);
    let port = primary.port().to_string();
    let of_it = ["--replicaof", "127.0.0.1", &port];
    let replica = Server::on_tcp_with(&[&at_once[..], &of_it].concat());
    eventually(async || primary.command("INFO replication").contains("state=online")).await;
    let backend = connect(&primary.url()).await;
    let handle = backend.reading_from(ReadFrom::Replica);
    let told = || {
        backend
            .status()
            .nodes
            .into_iter()
            .find(|node| node.is_replica)
    };
    eventually(async || {
        handle.get::<u8>("hiddenkey").await.unwrap();
        told().is_some_and(|node| node.connections > 0)
    })
    .await;
    replica.command("REPLICAOF NO ONE");
    replica.command("SET reinhardt:hiddenkey 2");
    // Another program may have learned of it just before.
    replica.command("CLIENT KILL TYPE normal");
    let mut failure = None;
    eventually(async || {
        handle.get::<u8>("hiddenkey").await.unwrap();
        failure = told().and_then(|node| node.failure.clone());
        failure
            .as_ref()
            .is_some_and(|error| error.to_string().contains("was told"))
    })
    .await;
    row!(
        ".. is a primary, and was told as a replica",
        Unavailable,
        NoWrite
    )
    .check(&failure.unwrap());
    assert_eq!(handle.get::<u8>("hiddenkey").await.unwrap(), None);
}
