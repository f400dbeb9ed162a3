//! Without a connection nothing is sent, and the error says what was met at the address.

use std::error::Error;
use std::net::Ipv4Addr;

use reinhardt_backends::{Backend, RedisBackend};
use reinhardt_backends_tests::{Answer, FakeServer, Proxy, Server, patient};
use tokio::net::TcpSocket;

use super::page::{Claim, row};
use super::witness::Witness;
use super::{BRIEF, THAT_KEEPS, as_user, connect, lazy, recovered, refused, shared};

/// Checks that a made-up server is an error of this claim, when a backend is built and of a write,
/// and that no write got there.
async fn meets(server: &FakeServer, claim: Claim) {
    meets_at(server, &server.url(), claim).await;
}

async fn meets_at(server: &FakeServer, url: &str, claim: Claim) {
    claim.check(&refused(url).await);
    let backend = lazy(patient(url));
    let error = backend.set("hiddenkey", "topsecret", None).await;
    claim.check(&error.unwrap_err());
    assert_eq!(server.count("SET"), 0);
}

fn greets(answer: &'static str) -> FakeServer {
    FakeServer::start(move |_, command| {
        (command[0] == "HELLO").then(|| Answer::LastWords(answer.into()))
    })
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    let mut server = Server::on_tcp_with(&THAT_KEEPS);
    let witness = Witness::of(connect(&server.url()).await).await;
    let up = connect(&server.url()).await;
    server.kill();
    // The connection is found to be lost by the first read.
    assert!(up.get::<u8>("hiddenkey:set").await.is_err());
    let gone = row!(".. refused the connection", Unavailable, NotSent);
    let late = shared(lazy(patient(&server.url())));
    let up = shared(up);
    for backend in [&up, &late] {
        witness.refuses(backend, &[gone]).await;
    }
    let error = late.ping().await.unwrap_err();
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    let cause: &std::io::Error = cause.unwrap();
    assert_eq!(cause.kind(), std::io::ErrorKind::ConnectionRefused);
    server.restart();
    for backend in [&up, &late] {
        witness.sees_no_change_later(backend).await;
    }
}

#[tokio::test]
async fn a_socket_that_is_not_there() {
    let server = Server::start();
    let witness = Witness::of(connect(&server.url()).await).await;
    let url = server.url();
    std::fs::remove_file(url.strip_prefix("unix://").unwrap()).unwrap();
    let backend = shared(lazy(patient(&url)));
    let gone = row!("there is no socket at ..", Unavailable, NotSent);
    witness.refuses(&backend, &[gone]).await;
    witness.sees_no_change().await;
}

/// A caller that builds a backend has the settings judged. A caller that connects lazily may come
/// before the name is there.
#[tokio::test]
async fn a_name_that_is_not_there() {
    let url = "redis://:pa55@no-such-host.invalid:6379";
    let none = row!("the host name `..` doesn't resolve", InvalidConfig, NotSent);
    let unknown = row!("the host name `..` doesn't resolve", Unavailable, NotSent);
    let backend = lazy(patient(url));
    let error = backend.set("hiddenkey", "topsecret", None).await;
    unknown.check(&error.unwrap_err());
    none.check(&refused(url).await);
}

/// As at a firewall that drops packets: a listener that has as many connections as it may have
/// drops those that come.
#[tokio::test]
async fn an_address_that_says_nothing_at_all() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(connected)) =
        tokio::time::timeout(BRIEF, tokio::net::TcpStream::connect(address)).await
    {
        waiting.push(connected);
    }
    let builder = patient(&format!("redis://{address}")).connect_timeout(BRIEF);
    let silent = row!(made up, "no connection to .. within ..", Timeout, NotSent);
    silent.check(&builder.clone().build().await.unwrap_err());
    let error = lazy(builder).set("hiddenkey", "topsecret", None).await;
    silent.check(&error.unwrap_err());
}

/// No network takes a connection to everybody.
#[tokio::test]
async fn an_address_that_the_system_does_not_take() {
    let backend = lazy(patient("redis://255.255.255.255:6379"));
    let error = backend.set("hiddenkey", "topsecret", None).await;
    row!("the connection to .. failed", Unavailable, NotSent).check(&error.unwrap_err());
}

#[tokio::test]
async fn a_server_that_stands_still() {
    let server = Server::on_tcp();
    let witness = Witness::of(connect(&server.url()).await).await;
    let backend = shared(lazy(patient(&server.url()).connect_timeout(BRIEF)));
    server.pause();
    let silent = row!(
        "no connection to .. within ..: it accepts and doesn't greet",
        Timeout,
        NotSent
    );
    witness.refuses(&backend, &[silent]).await;
    server.resume();
    witness.sees_no_change_later(&backend).await;
}

#[tokio::test]
async fn a_server_that_hangs_up_at_once() {
    let server = Server::on_tcp();
    let witness = Witness::of(connect(&server.url()).await).await;
    let proxy = Proxy::start(server.port());
    let backend = shared(lazy(patient(&proxy.url())));
    proxy.refuse();
    let hangs_up = row!(".. hung up on the greeting, ..", Unavailable, NotSent);
    witness.refuses(&backend, &[hangs_up]).await;
    proxy.release();
    witness.sees_no_change_later(&backend).await;
}

/// Whatever else listens there.
#[tokio::test]
async fn what_is_no_server() {
    let no_server = row!(made up, ".. is no Redis server: it ..", InvalidConfig, NotSent);
    let hangs_up = FakeServer::that_hangs_up_after;
    for (server, word) in [
        (
            hangs_up(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "answered in HTTP",
        ),
        (hangs_up(b"\x15\x03\x03\x00\x02\x02\x46"), "answered in TLS"),
        (hangs_up(b"SSH-2.0-OpenSSH_9.2p1\r\n"), "isn't RESP"),
        (FakeServer::echo(), "sends back"),
        (greets("+OK\r\n"), "no greeting"),
        (greets("*0\r\n"), "no greeting"),
    ] {
        let error = refused(&server.url()).await;
        assert!(error.to_string().contains(word), "{word}: {error}");
        meets(&server, no_server).await;
    }
}

#[tokio::test]
async fn a_login_that_is_missing_or_wrong() {
    let server = Server::on_tcp();
    let witness = Witness::of(connect(&server.url()).await).await;
    server.command("CONFIG SET requirepass pa55word");
    for protocol in ["", "?protocol=2"] {
        let at = |login: &str| format!("redis://{login}127.0.0.1:{}{protocol}", server.port());
        let missing = row!(
            ".. demands a login (NOAUTH), and the settings have none",
            Denied,
            NotSent
        );
        let wrong = row!(
            ".. refused the user or the password (WRONGPASS)",
            Denied,
            NotSent
        );
        for (login, claim) in [("", missing), (":pa55@", wrong), ("ann:pa55@", wrong)] {
            claim.check(&refused(&at(login)).await);
            let backend = shared(lazy(patient(&at(login))));
            witness.refuses(&backend, &[claim]).await;
        }
        witness.sees_no_change().await;
    }
    // Whoever logs in right isn't kept out by those.
    connect(&format!("redis://:pa55word@127.0.0.1:{}", server.port())).await;
}

#[tokio::test]
async fn logins_in_the_words_of_other_servers() {
    const WORDS: &str = "-DENIED Redis is running in protected mode because\r\n";
    let claim = row!(made up, ".. is in protected mode (DENIED): ..", Denied, NotSent);
    meets(&greets(WORDS), claim).await;
    let at_once = FakeServer::that_hangs_up_after(WORDS.as_bytes());
    meets(&at_once, claim).await;

    let other = FakeServer::start(|_, command| match command[0].as_str() {
        "HELLO" | "PING" => Some(Answer::line("-NOAUTH Authentication required.")),
        _ => None,
    });
    let with_login = |server: &FakeServer| server.url().replace("redis://", "redis://:pa55@");
    let claim = row!(made up, ".. demands another login (NOAUTH)", Denied, NotSent);
    meets_at(&other, &with_login(&other), claim).await;

    // Before Redis 6 there was no code word for a wrong password.
    let old = FakeServer::start(|_, command| match command[0].as_str() {
        "HELLO" => Some(Answer::line("-ERR unknown command 'HELLO'")),
        "AUTH" => Some(Answer::line("-ERR invalid password")),
        _ => None,
    });
    let claim = row!(made up, ".. refused the login: ..", Denied, NotSent);
    meets_at(&old, &with_login(&old), claim).await;
}

#[tokio::test]
async fn a_server_with_too_many_clients() {
    let server = Server::start();
    let witness = Witness::of(connect(&server.url()).await).await;
    server.command("CONFIG SET maxclients 1");
    let full = row!(
        ".. takes no more clients (max number of clients)",
        Unavailable,
        NotSent
    );
    full.check(&refused(&server.url()).await);
    let backend = shared(lazy(patient(&server.url())));
    witness.refuses(&backend, &[full]).await;
    witness.sees_no_change().await;
}

#[tokio::test]
async fn a_greeting_that_is_not_taken() {
    let unknown = ["HELLO", "AUTH"].map(|command| ["--rename-command", command, ""]);
    let server = Server::on_tcp_with(unknown.as_flattened());
    let url = server.url().replace("redis://", "redis://:pa55@");
    let claim = row!(".. doesn't take the greeting: ..", Unsupported, NotSent);
    claim.check(&refused(&url).await);
    let error = lazy(patient(&url))
        .set("hiddenkey", "topsecret", None)
        .await;
    claim.check(&error.unwrap_err());
    assert!(server.command("DBSIZE").starts_with(":0"));
    // Where the server says that it isn't ready, and where it hangs up on what it doesn't know.
    let claim = row!(made up, ".. doesn't take the greeting: ..", Unavailable, NotSent);
    meets(&greets("-MISCONF Redis is configured to\r\n"), claim).await;
    let claim = row!(made up, ".. doesn't take the greeting: ..", Unsupported, NotSent);
    meets(&greets("-ERR unknown command 'HELLO'\r\n"), claim).await;
}

#[tokio::test]
async fn a_database_that_is_refused() {
    let server = Server::on_tcp();
    let witness = Witness::of(connect(&server.url()).await).await;
    let none = row!(".. refused database ..: ..", InvalidConfig, NotSent);
    for end in ["/99", "/99?protocol=2"] {
        let url = format!("{}{end}", server.url());
        none.check(&refused(&url).await);
        witness.refuses(&shared(lazy(patient(&url))), &[none]).await;
    }
    as_user(&server, "~* +@all -select");
    let url = format!("redis://app:pa55@127.0.0.1:{}/3", server.port());
    let denied = row!(".. refused database ..: ..", Denied, NotSent);
    denied.check(&refused(&url).await);
    witness
        .refuses(&shared(lazy(patient(&url))), &[denied])
        .await;
    as_user(&server, "~* +@all");
    let mended: RedisBackend = lazy(patient(&url));
    recovered(&mended).await;
    witness.sees_no_change().await;
}
