//! A backend serves the servers that it can, proxies and old ones among them.

use std::time::Duration;

use futures::future::join_all;
use reinhardt_backends::store::{NewEntry, Store, Touch};
use reinhardt_backends::{Backend, ErrorKind, Expiry, Life, RedisBackend};
use reinhardt_backends_tests::{Answer, FakeServer, Proxy, Server};

use super::{builder, connect};

const MINUTE: Duration = Duration::from_secs(60);

fn greets(answer: impl Fn() -> Answer + Send + Sync + 'static) -> FakeServer {
    FakeServer::start(move |_, command| (command[0] == "HELLO").then(&answer))
}

#[tokio::test]
async fn a_server_that_knows_no_resp3_is_spoken_to_in_resp2() {
    let server = Server::on_tcp_with(&["--rename-command", "HELLO", "", "--requirepass", "pa55"]);
    let url = format!("redis://:pa55@127.0.0.1:{}/2", server.port());
    let backend = connect(&url).await;
    let counts = (0..64).map(|_| backend.increment("hits", Some(MINUTE)));
    let mut counted: Vec<i64> = join_all(counts)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    counted.sort_unstable();
    assert_eq!(counted, (1..=64).collect::<Vec<_>>());
    assert_eq!(backend.get::<u8>("nothing").await.unwrap(), None);
}

/// A proxy in the words of one that is much used: it knows some commands, and no code words.
fn proxy(answer: impl Fn(&[String]) -> Option<Answer> + Send + Sync + 'static) -> FakeServer {
    FakeServer::start(move |_, command| {
        answer(command).or_else(|| {
            let (name, keys) = (command[0].as_str(), command.len());
            Some(match name {
                "HELLO" | "INFO" | "UNLINK" | "GETDEL" | "GETEX" | "CLIENT" => {
                    Answer::line(&format!("-unsupported command '{name}'"))
                }
                "DEL" => Answer::line(":1"),
                "EVALSHA" if keys == 6 => Answer::line("*2\r\n:1\r\n:-1"),
                "EVALSHA" => Answer::line("$1\r\n1"),
                "SET" => Answer::line("$-1"),
                _ => return None,
            })
        })
    })
}

#[tokio::test]
async fn a_proxy_that_knows_few_commands_is_served_by_others() {
    for url in ["", "?protocol=2"] {
        let proxy = proxy(|_| None);
        let backend = connect(&format!("{}{url}", proxy.url())).await;
        assert!(backend.delete("k").await.unwrap());
        assert!(backend.delete("k").await.unwrap());
        assert_eq!((proxy.count("UNLINK"), proxy.count("DEL")), (1, 2));
        assert_eq!(backend.take::<u8>("k").await.unwrap(), Some(1));
        let restarted = backend.read_value("k", Touch::Restart(MINUTE)).await;
        assert!(restarted.unwrap().is_some());
    }
}

/// A call on many keys takes one place among the waiting calls, however many commands it is.
#[tokio::test]
async fn a_call_on_many_keys_is_within_the_limit_of_waiting_calls() {
    let proxy = proxy(|_| None);
    let backend = builder(&proxy.url()).waiting_limit(40).build().await;
    let backend = backend.unwrap();
    let keys: Vec<String> = (0..200).map(|index| format!("k{index}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    for touch in [Touch::Extend(MINUTE), Touch::Restart(MINUTE)] {
        let read = backend.read_values(&keys, touch).await.unwrap();
        assert!(read.iter().all(Option::is_some));
    }
}

/// Some refuse everything but `AUTH` before a login, `HELLO` with a login too.
#[tokio::test]
async fn a_login_is_sent_by_auth_where_hello_is_refused_for_want_of_one() {
    let fake = FakeServer::start(|_, command| {
        (command[0] == "HELLO").then(|| Answer::line("-NOAUTH Authentication required."))
    });
    let url = fake.url().replace("redis://", "redis://:pa55@");
    connect(&url).await.set("k", 1, None).await.unwrap();
    assert_eq!(fake.commands("AUTH"), [["AUTH", "pa55"]]);
}

/// A server that can't save refuses `PING`, and a user may lack the permission for it.
#[tokio::test]
async fn a_refused_ping_is_a_sign_of_life() {
    for refused in [
        "MISCONF Errors writing to the AOF file",
        "LOADING",
        "NOPERM",
    ] {
        let fake = proxy(move |command| {
            (command[0] == "PING").then(|| Answer::line(&format!("-{refused}")))
        });
        let backend = connect(&fake.url()).await;
        assert_eq!(backend.get::<u8>("k").await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_server_without_a_password_takes_any_login() {
    let server = Server::on_tcp();
    for protocol in ["", "?protocol=2"] {
        let url = format!("redis://:pa55@127.0.0.1:{}{protocol}", server.port());
        connect(&url).await.set("k", 1, None).await.unwrap();
    }
}

/// A refusal at the greeting says nothing of the commands that the next server knows.
#[tokio::test]
async fn a_command_is_not_missing_because_there_is_no_connection() {
    let other = greets(|| Answer::LastWords("-ERR unknown command 'HELLO'\r\n".into()));
    let url = other.url();
    let (_, port) = url.trim_end_matches('/').rsplit_once(':').unwrap();
    let server = Server::on_tcp();
    let proxy = Proxy::start(port.parse().unwrap());
    let backend = builder(&proxy.url()).build_lazy().unwrap();
    for error in [
        backend.delete("k").await.unwrap_err(),
        backend.take::<u8>("k").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
    proxy.lead_to(server.port());
    super::recovered(&backend).await;
    backend.delete("k").await.unwrap();
    backend.take::<u8>("k").await.unwrap();
    let stats = server.command("INFO commandstats");
    assert!(stats.contains("cmdstat_unlink:"), "{stats}");
    assert!(stats.contains("cmdstat_getdel:"), "{stats}");
}

#[tokio::test]
async fn a_renewing_read_that_is_refused_in_part_has_renewed_the_rest() {
    let server = Server::on_tcp();
    connect(&server.url())
        .await
        .set("b", 1, None)
        .await
        .unwrap();
    server.command("ACL SETUSER app on >pa55 ~reinhardt:b +@all");
    let url = format!("redis://app:pa55@127.0.0.1:{}", server.port());
    let backend = connect(&url).await;
    let read = backend
        .read_values(&["a", "b"], Touch::Restart(MINUTE))
        .await;
    let error = read.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.outcome_unknown());
    assert!(matches!(
        backend.ttl("b").await.unwrap(),
        Some(Expiry::In(_))
    ));
}

/// A proxy may stand before several servers: it runs a script on the server that has the first key.
#[tokio::test]
async fn without_the_word_of_a_single_server_no_script_names_two_keys() {
    let fake = proxy(|_| None);
    let backend = connect(&fake.url()).await;
    for count in join_all((0..64).map(|_| backend.increment("hits", None))).await {
        assert_eq!(count.unwrap(), 1);
    }
    backend
        .read_values(&["a", "b", "c"], Touch::Extend(MINUTE))
        .await
        .unwrap();
    let to = NewEntry {
        key: "b",
        value: b"2",
        life: Life::Keep,
    };
    assert!(!backend.move_entry("a", b"1", to, None).await.unwrap());
    let scripts = fake.commands("EVALSHA");
    assert!(scripts.len() >= 67, "{}", scripts.len());
    assert!(
        scripts.iter().all(|command| command[2] == "1"),
        "{scripts:?}"
    );
}

/// A user who may not ask which kind of server this is.
#[tokio::test]
async fn a_user_without_info_is_greeted() {
    let server = Server::on_tcp();
    server.command("ACL SETUSER app on >pa55 ~* +@all -info -client");
    let url = format!("redis://app:pa55@127.0.0.1:{}", server.port());
    for protocol in ["", "?protocol=resp2"] {
        let backend = RedisBackend::new(&format!("{url}{protocol}"))
            .await
            .unwrap();
        assert!(backend.increment("hits", None).await.unwrap() > 0);
    }
}
