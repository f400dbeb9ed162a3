//! A provider of logins that fails, and its error, which is never shown.

use std::future::pending;
use std::time::Duration;

use reinhardt_backends::Credentials;
use reinhardt_backends_tests::{Server, patient};

use super::page::row;
use super::witness::Witness;
use super::{BRIEF, as_user, connect, lazy, shared};

#[tokio::test]
async fn a_provider_of_logins_that_fails() {
    let server = Server::on_tcp();
    let witness = Witness::of(connect(&server.url()).await).await;
    as_user(&server, "~* +@all");
    let limited = || patient(&server.url()).connect_timeout(BRIEF);
    let fails = limited().credentials(|| async { Err("the vault says topsecret")? });
    let hangs = limited().credentials(pending);
    let panics = limited().credentials(|| async { panic!("topsecret") });
    let ended = limited()
        .credentials(|| async { Ok(Credentials::new("app", "pa55").valid_for(Duration::ZERO)) });
    let none = row!(
        "no login for ..: the provider of `credentials` ..",
        Unavailable,
        NotSent
    );
    for (builder, why) in [
        (fails, "failed"),
        (hangs, "didn't answer within 400ms"),
        (panics, "panicked"),
        (ended, "ended already"),
    ] {
        let error = builder.clone().build().await.unwrap_err();
        none.check(&error);
        assert!(error.to_string().contains(why), "{error}");
        let place = format!("127.0.0.1:{}", server.port());
        assert!(error.to_string().contains(&place), "{error}");
        witness.refuses(&shared(lazy(builder)), &[none]).await;
    }
    assert!(!server.command("CLIENT LIST").contains("user=app"));
    witness.sees_no_change().await;
}

#[tokio::test]
async fn empty_credentials() {
    let server = Server::on_tcp();
    let witness = Witness::of(connect(&server.url()).await).await;
    let empty = row!(
        "the provider of `credentials` returned an empty ..",
        InvalidConfig,
        NotSent
    );
    for credentials in [
        || Credentials::new("app", ""),
        || Credentials::new("", "pa55"),
        || Credentials::password(""),
    ] {
        let builder = patient(&server.url()).credentials(move || async move { Ok(credentials()) });
        empty.check(&builder.clone().build().await.unwrap_err());
        witness.refuses(&shared(lazy(builder)), &[empty]).await;
    }
    witness.sees_no_change().await;
}
