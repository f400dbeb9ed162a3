//! Sentinels that name no primary, or one that can't be used.

use std::time::{Duration, Instant};

use reinhardt_backends::Backend;
use reinhardt_backends_tests::{Server, eventually, patient, watching};

use super::page::row;
use super::witness::Witness;
use super::{BRIEF, PATIENCE, THAT_KEEPS, connect, lazy, refused, shared};

/// A sentinel that watches a server, in the words of its settings.
fn sentinel_of(server: &Server, settings: &[&str]) -> Server {
    let sentinel = Server::as_sentinel(&watching(server.port(), settings));
    let deadline = Instant::now() + PATIENCE;
    let ask = "SENTINEL GET-MASTER-ADDR-BY-NAME cache";
    while settings.is_empty() && !sentinel.command(ask).contains(&server.port().to_string()) {
        assert!(Instant::now() < deadline, "the sentinel names no primary");
    }
    sentinel
}

fn url(sentinel: &Server, rest: &str) -> String {
    format!("redis-sentinel://127.0.0.1:{}/{rest}", sentinel.port())
}

#[tokio::test]
async fn sentinels_that_name_no_primary() {
    let server = Server::on_tcp();
    let witness = Witness::of(connect(&server.url()).await).await;
    let sentinel = sentinel_of(&server, &[]);
    let no_service = row!(
        "the sentinel .. knows no service ..",
        InvalidConfig,
        NotSent
    );
    no_service.check(&refused(&url(&sentinel, "other")).await);
    // Later the service may be there.
    let unknown = row!(
        "no sentinel names the primary of `..`: ..",
        Unavailable,
        NotSent
    );
    let brief = |url: &str| {
        let builder = patient(url).call_timeout(BRIEF * 4).connect_timeout(BRIEF);
        shared(lazy(builder))
    };
    witness
        .refuses(&brief(&url(&sentinel, "other")), &[unknown])
        .await;

    let not_there = "redis-sentinel://127.0.0.1:1,127.0.0.1:2/cache";
    unknown.check(&refused(not_there).await);
    witness.refuses(&brief(not_there), &[unknown]).await;

    let silent = row!(
        "no sentinel names the primary of `..`: ..",
        Timeout,
        NotSent
    );
    let found = brief(&url(&sentinel, "cache"));
    sentinel.pause();
    witness.refuses(&found, &[silent]).await;
    sentinel.resume();
    witness.sees_no_change_later(&found).await;

    let guarded = sentinel_of(&server, &["requirepass pa55word"]);
    let denied = row!("no sentinel names the primary of `..`: ..", Denied, NotSent);
    denied.check(&refused(&url(&guarded, "cache")).await);
    witness
        .refuses(&brief(&url(&guarded, "cache")), &[denied])
        .await;
    witness.sees_no_change().await;
}

#[tokio::test]
async fn servers_and_sentinels_in_each_others_place() {
    let server = Server::on_tcp();
    let witness = Witness::of(connect(&server.url()).await).await;
    let sentinel = sentinel_of(&server, &[]);
    let no_sentinel = row!(".. is no Sentinel", InvalidConfig, NotSent);
    no_sentinel.check(&refused(&url(&server, "cache")).await);
    let is_one = row!(
        ".. is a Sentinel, which keeps no entries: ..",
        InvalidConfig,
        NotSent
    );
    is_one.check(&refused(&sentinel.url()).await);
    let backend = shared(lazy(patient(&sentinel.url())));
    witness.refuses(&backend, &[is_one]).await;
    witness.sees_no_change().await;
}

#[tokio::test]
async fn a_primary_that_the_sentinels_name_and_that_is_of_no_use() {
    let mut server = Server::on_tcp_with(&THAT_KEEPS);
    let witness = Witness::of(connect(&server.url()).await).await;
    let sentinel = sentinel_of(&server, &[]);
    let url = url(&sentinel, "cache");
    let builder = patient(&url)
        .connect_timeout(BRIEF)
        .call_timeout(Duration::from_secs(5));

    let silent = row!(
        "..: the sentinels name it as the primary of `..`",
        Timeout,
        NotSent
    );
    let backend = shared(lazy(builder.clone()));
    server.pause();
    witness.refuses(&backend, &[silent]).await;
    server.resume();
    witness.sees_no_change_later(&backend).await;

    server.command("CONFIG SET requirepass pa55word");
    let denied = row!(
        "..: the sentinels name it as the primary of `..`",
        Denied,
        NotSent
    );
    witness
        .refuses(&shared(lazy(builder.clone())), &[denied])
        .await;
    server.command("AUTH pa55word\r\nCONFIG SET requirepass \"\"");
    witness.sees_no_change().await;

    let backend = shared(lazy(builder));
    server.kill();
    let gone = row!(
        "..: the sentinels name it as the primary of `..`",
        Unavailable,
        NotSent
    );
    witness.refuses(&backend, &[gone]).await;
    server.restart();
    witness.sees_no_change_later(&backend).await;
}

/// The connection to the primary goes on.
#[tokio::test]
async fn a_user_who_may_not_listen_to_the_sentinels() {
    let server = Server::on_tcp();
    let rights = "+ping +info +client|setname +sentinel|get-master-addr-by-name";
    let user = format!("user app on >pa55 resetchannels {rights}");
    let sentinel = sentinel_of(&server, &[&user]);
    let login = "sentinel_username=app&sentinel_password=pa55";
    let backend = connect(&url(&sentinel, &format!("cache?{login}"))).await;
    let failure = || backend.status().nodes[0].sentinel_failure.clone();
    eventually(async || failure().is_some()).await;
    row!(".. lets nobody listen: ..", Denied, NoWrite).check(&failure().unwrap());
    backend.set("hiddenkey", 1, None).await.unwrap();
}
