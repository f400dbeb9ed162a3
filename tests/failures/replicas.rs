//! Reads from replicas, where there are none or nobody tells of them. Writes never go there.

use reinhardt_backends::{Backend, ReadFrom};
use reinhardt_backends_tests::{Server, watching};

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
