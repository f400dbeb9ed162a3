//! A backend serves the servers that it can, and says of every other thing at an address what it
//! met.

use std::error::Error;
use std::time::Duration;

use futures::future::join_all;
use reinhardt_backends::store::{NewEntry, Store, Touch};
use reinhardt_backends::{Backend, BackendError, ErrorKind, Expiry, Life, RedisBackend, Stored};
use reinhardt_backends_tests::{Answer, FakeServer, Proxy, Server};

use super::{BRIEF, builder, connect, said};

const MINUTE: Duration = Duration::from_secs(60);

async fn refused(url: &str) -> BackendError {
    builder(url).build().await.unwrap_err()
}

/// `127.0.0.1:6379` of `redis://127.0.0.1:6379`.
fn place(url: &str) -> &str {
    url.split_once("://").unwrap().1
}

fn greets(answer: impl Fn() -> Answer + Send + Sync + 'static) -> FakeServer {
    FakeServer::start(move |_, command| (command[0] == "HELLO").then(&answer))
}

/// Each error names the place and what was met there, and says whether waiting helps.
#[tokio::test]
async fn what_is_met_at_the_address_is_said() {
    let hangs_up = FakeServer::that_hangs_up_after;
    let last_words = |words: &'static str| greets(move || Answer::LastWords(words.into()));
    let of_mode = |mode: &'static str| {
        greets(move || {
            let length = mode.len();
            Answer::line(&format!(
                "%2\r\n$5\r\nproto\r\n:3\r\n$4\r\nmode\r\n${length}\r\n{mode}"
            ))
        })
    };
    let (denied, config) = (ErrorKind::Denied, ErrorKind::InvalidConfig);
    let (unavailable, unsupported) = (ErrorKind::Unavailable, ErrorKind::Unsupported);
    let cases = [
        (
            hangs_up(b"-DENIED Redis is running in protected mode because\r\n"),
            denied,
            "protected mode",
        ),
        (
            last_words("-DENIED Redis is running in protected mode\r\n"),
            denied,
            "protected mode",
        ),
        (
            last_words("-NOAUTH HELLO must be called with\r\n"),
            denied,
            "demands a login",
        ),
        (
            last_words("-WRONGPASS invalid username-password\r\n"),
            denied,
            "WRONGPASS",
        ),
        (
            hangs_up(b"-ERR max number of clients reached\r\n"),
            unavailable,
            "no more clients",
        ),
        (
            last_words("-ERR max number of clients reached\r\n"),
            unavailable,
            "no more clients",
        ),
        (
            last_words("-ERR unknown command 'HELLO'\r\n"),
            unsupported,
            "know `HELLO`",
        ),
        (
            last_words("-MISCONF Redis is configured to\r\n"),
            unavailable,
            "MISCONF",
        ),
        (hangs_up(b""), unavailable, "hung up"),
        (
            hangs_up(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            config,
            "HTTP",
        ),
        (hangs_up(b"\x15\x03\x03\x00\x02\x02\x46"), config, "TLS"),
        (hangs_up(b"SSH-2.0-OpenSSH_9.2p1\r\n"), config, "RESP"),
        (FakeServer::echo(), config, "sends back"),
        (greets(|| Answer::line("+OK")), config, "no greeting"),
        (greets(|| Answer::line("*0")), config, "no greeting"),
        (of_mode("sentinel"), config, "Sentinel"),
    ];
    for (server, kind, words) in cases {
        let error = refused(&server.url()).await;
        assert_eq!(error.kind(), kind, "{words}: {error}");
        assert!(error.to_string().contains(words), "{words}: {error}");
        let place = server.url();
        assert!(error.to_string().contains(place[8..].trim()), "{error}");
        assert_eq!(error.is_transient(), kind == unavailable, "{error}");
    }
}

#[tokio::test]
async fn a_replica_is_refused_where_a_primary_is_needed() {
    let server = Server::on_tcp_with(&["--replicaof", "127.0.0.1", "1"]);
    for url in [server.url(), format!("{}?protocol=resp2", server.url())] {
        let error = refused(&url).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("is a replica"), "{error}");
        assert!(error.to_string().contains(place(&server.url())), "{error}");
    }
    // After a failover it may be the primary.
    server.command("REPLICAOF NO ONE");
    connect(&server.url())
        .await
        .set("k", 1, None)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_node_that_is_in_no_cluster_yet_is_told() {
    let server = Server::on_tcp_with(&["--cluster-enabled", "yes"]);
    let no_slots = (ErrorKind::Unavailable, "no node that serves a hash slot");
    let database = (ErrorKind::InvalidConfig, "database 0 alone");
    for (end, (kind, words)) in [
        ("", no_slots),
        ("?protocol=resp2", no_slots),
        ("/1?protocol=resp2", database),
    ] {
        let error = refused(&(server.url() + end)).await;
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_refused_connection_names_the_place_and_the_cause() {
    let mut server = Server::on_tcp();
    let url = server.url();
    server.kill();
    let error = refused(&url).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(place(&url)), "{error}");
    let cause = error.source().unwrap().downcast_ref::<std::io::Error>();
    assert_eq!(cause.unwrap().kind(), std::io::ErrorKind::ConnectionRefused);
    let error = refused("unix:///nowhere/redis.sock").await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("/nowhere/redis.sock"), "{error}");
    assert!(error.source().is_some());
}

/// A caller that builds a backend has the settings judged, if the resolver knows that the name is
/// wrong. A caller that connects lazily may come before the server.
#[tokio::test]
async fn a_name_that_does_not_resolve_is_named() {
    let url = "redis://:secret@no-such-host.invalid:6379";
    let eager = refused(url).await;
    let lazy = builder(url).build_lazy().unwrap();
    let lazy = lazy.get::<u8>("k").await.unwrap_err();
    assert_eq!(lazy.kind(), ErrorKind::Unavailable, "{lazy}");
    for error in [eager, lazy] {
        assert!(
            error.to_string().contains("no-such-host.invalid"),
            "{error}"
        );
        assert!(error.source().is_some());
        assert!(!said(&error).contains("secret"));
    }
}

#[tokio::test]
async fn a_port_that_accepts_and_says_nothing_is_told_from_one_that_is_not_there() {
    let silent = FakeServer::start(|_, _| Some(Answer::Silence));
    let backend = builder(&silent.url()).connect_timeout(BRIEF);
    let error = backend.build().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("doesn't greet"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_refused_is_named() {
    let server = Server::on_tcp();
    for url in ["/99", "/99?protocol=resp2"].map(|end| server.url() + end) {
        let error = refused(&url).await;
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        assert!(error.to_string().contains("database 99"), "{error}");
        assert!(error.to_string().contains("ERR"), "{error}");
    }
}

#[tokio::test]
async fn a_login_that_is_refused_says_which_server_refused_what() {
    let server = Server::on_tcp_with(&["--requirepass", "right"]);
    let port = server.port();
    for protocol in ["", "?protocol=resp2"] {
        for (login, code) in [
            ("", "NOAUTH"),
            (":wrong@", "WRONGPASS"),
            ("ann:right@", "WRONGPASS"),
        ] {
            let error = refused(&format!("redis://{login}127.0.0.1:{port}{protocol}")).await;
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
            assert!(error.to_string().contains(code), "{error}");
            assert!(
                error.to_string().contains(&format!("127.0.0.1:{port}")),
                "{error}"
            );
            assert!(!said(&error).contains("wrong") && !said(&error).contains("right"));
        }
        let url = format!("redis://:right@127.0.0.1:{port}/3{protocol}");
        let backend = connect(&url).await;
        backend.set("k", 1, None).await.unwrap();
        assert_eq!(backend.get::<u8>("k").await.unwrap(), Some(1));
    }
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

#[tokio::test]
async fn a_login_that_is_refused_without_a_code_word_is_denied() {
    let fake =
        proxy(|command| (command[0] == "AUTH").then(|| Answer::line("-ERR invalid password")));
    let error = refused(&fake.url().replace("redis://", "redis://:pa55@")).await;
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("refused the login"), "{error}");
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

#[tokio::test]
async fn a_command_that_is_missing_and_has_no_stand_in_is_named() {
    let server = Server::with_settings(&["--rename-command", "EVALSHA", ""]);
    let backend = connect(&server.url()).await;
    let error = backend.increment("k", None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("EVALSHA"), "{error}");
    assert!(!error.outcome_unknown());
}

#[tokio::test]
async fn an_odd_answer_to_a_write_leaves_its_outcome_unknown() {
    let fake = FakeServer::start(|_, command| {
        let is_greeting = matches!(command[0].as_str(), "HELLO" | "CLIENT" | "INFO");
        (!is_greeting).then(|| Answer::line("*3\r\n:1\r\n:2\r\n:3"))
    });
    let backend = connect(&fake.url()).await;
    let stored = Stored::from(&b"1"[..]);
    for write in [
        backend.set("k", 1, None).await.unwrap_err(),
        backend.increment("k", None).await.unwrap_err(),
        backend.take::<u8>("k").await.unwrap_err(),
        backend.delete("k").await.unwrap_err(),
        backend.expire("k", Life::Never).await.unwrap_err(),
        backend.compare_and_delete("k", &stored).await.unwrap_err(),
        backend.set_many(&[("k", 1)], None).await.unwrap_err(),
        backend.delete_many(&["k"]).await.unwrap_err(),
    ] {
        assert_eq!(write.kind(), ErrorKind::Other, "{write}");
        assert!(write.outcome_unknown(), "{write}");
    }
    for read in [
        backend.get::<u8>("k").await.unwrap_err(),
        backend.get_with_ttl::<u8>("k").await.unwrap_err(),
        backend.exists("k").await.unwrap_err(),
        backend.ttl("k").await.unwrap_err(),
        backend.ping().await.unwrap_err(),
    ] {
        assert_eq!(read.kind(), ErrorKind::Other, "{read}");
        assert!(!read.outcome_unknown(), "{read}");
    }
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
