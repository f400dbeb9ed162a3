//! Settings and URLs hold as they are written, or are refused before anything is sent.

use std::sync::Arc;

use futures::TryStreamExt;
use redis::IntoConnectionInfo;
#[cfg(target_os = "linux")]
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use reinhardt_backends::{Backend, BackendError, ErrorKind, MemoryBackend, RedisBackend};
use reinhardt_backends_tests::Server;

use super::{PATIENCE, builder, connect, said};

#[tokio::test]
async fn what_is_no_url_of_a_server_is_refused() {
    for url in [
        "",
        "localhost",
        "http://localhost",
        "redis://",
        "redis://localhost:0x1",
        "redis://localhost/x",
        "rediss://user:topsecret@localhost#insecure",
        "redis://user:topsecret@localhost:99999",
    ] {
        let error = RedisBackend::connect_lazy(url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{url}");
        assert!(!said(&error).contains("topsecret"), "{}", said(&error));
        assert_eq!(
            RedisBackend::new(url).await.unwrap_err().kind(),
            ErrorKind::InvalidConfig
        );
    }
}

/// The list of refused URLs stands beside the code that reads URLs.
#[tokio::test]
async fn a_url_that_is_refused_connects_to_nothing() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    for (url, said) in [
        (
            format!("redis://{address}/1?db=1"),
            "names a database twice",
        ),
        (format!("redis://{address}?timeout=5"), "`timeout`"),
        (format!("rediss://{address}#insecure"), "`#insecure`"),
        (format!("redis-cluster://{address}/1"), "database 0 alone"),
        (format!("redis-sentinel://{address}"), "names no service"),
        (address.to_string(), "write `redis://`"),
    ] {
        let error = RedisBackend::new(&url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
    let accepted = listener.accept().unwrap_err();
    assert_eq!(accepted.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn settings_that_can_not_be_right_are_refused() {
    let zero = std::time::Duration::ZERO;
    for builder in [
        RedisBackend::builder().namespace(""),
        RedisBackend::builder().call_timeout(zero),
        RedisBackend::builder().connect_timeout(zero),
        RedisBackend::builder().keep_alive(zero),
        RedisBackend::builder().keep_alive(std::time::Duration::from_millis(999)),
        RedisBackend::builder().waiting_limit(0),
        RedisBackend::builder().waiting_bytes(1024),
        RedisBackend::builder()
            .waiting_bytes(1 << 26)
            .value_limit(1 << 27),
    ] {
        assert_eq!(
            builder.build_lazy().unwrap_err().kind(),
            ErrorKind::InvalidConfig
        );
    }
}

#[test]
fn no_debug_shows_a_password() {
    let builder = RedisBackend::builder().url("redis://user:topsecret@localhost");
    let shown = format!("{builder:?} {:?}", builder.clone().build_lazy().unwrap());
    assert!(!shown.contains("topsecret"), "{shown}");
}

#[tokio::test]
async fn keys_begin_with_the_namespace() {
    let server = Server::start();
    let url = server.url();
    connect(&url).await.set("a:b", 1, None).await.unwrap();
    assert_eq!(server.command("GET reinhardt:a:b"), "$1\r\n1\r\n");
    let odd = builder(&url).namespace("te:am *{x}").build().await.unwrap();
    odd.set("k", 2, None).await.unwrap();
    assert_eq!(server.command("GET te%3Aam%20%2A%7Bx%7D:k"), "$1\r\n2\r\n");
    assert_eq!(odd.scan("").try_collect::<Vec<_>>().await.unwrap(), ["k"]);
}

#[tokio::test]
async fn a_namespace_that_begins_like_another_is_another() {
    let server = Server::start();
    let short = builder(&server.url()).namespace("a").build().await.unwrap();
    let long = builder(&server.url())
        .namespace("a:b")
        .build()
        .await
        .unwrap();
    short.set("b:k", 1, None).await.unwrap();
    long.set("k", 2, None).await.unwrap();
    assert_eq!(short.get::<u8>("b:k").await.unwrap(), Some(1));
    short.clear().await.unwrap();
    assert_eq!(long.get::<u8>("k").await.unwrap(), Some(2));
}

#[tokio::test]
async fn without_a_namespace_keys_are_as_they_are_and_clear_is_refused() {
    let server = Server::start();
    let backend = builder(&server.url())
        .namespace_none()
        .build()
        .await
        .unwrap();
    server.command("SET foreign 5");
    assert_eq!(backend.get::<u8>("foreign").await.unwrap(), Some(5));
    backend.set("own:k", 1, None).await.unwrap();
    assert_eq!(
        backend.clear().await.unwrap_err().kind(),
        ErrorKind::Unsupported
    );
    assert_eq!(
        backend.clear_prefix("").await.unwrap_err().kind(),
        ErrorKind::Unsupported
    );
    assert_eq!(backend.clear_prefix("own:").await.unwrap(), 1);
    assert!(backend.exists("foreign").await.unwrap());
}

#[tokio::test]
async fn a_url_names_the_database() {
    let server = Server::on_tcp();
    let second = connect(&format!("{}/2", server.url())).await;
    second.set("k", 2, None).await.unwrap();
    assert_eq!(
        connect(&server.url()).await.get::<u8>("k").await.unwrap(),
        None
    );
    second.clear().await.unwrap();
    assert!(server.command("DBSIZE").starts_with(":0"));
    let error = RedisBackend::new(&format!("{}/99", server.url()))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
}

#[tokio::test]
async fn a_parameter_names_the_database() {
    let server = Server::on_tcp();
    let third = connect(&format!("{}?db=3", server.url())).await;
    third.set("k", 3, None).await.unwrap();
    assert!(server.command("INFO keyspace").contains("db3:keys=1"));
    let same = connect(&format!("{}/3", server.url())).await;
    assert_eq!(same.get::<u8>("k").await.unwrap(), Some(3));
}

#[tokio::test]
async fn special_characters_of_a_login_are_percent_encoded() {
    let server = Server::on_tcp();
    server.command("ACL SETUSER a@b:c on >p@:/%?#d ~* +@all");
    let login = "a%40b%3Ac:p%40%3A%2F%25%3F%23d";
    let backend = connect(&format!("redis://{login}@127.0.0.1:{}", server.port())).await;
    backend.set("k", 1, None).await.unwrap();
    assert!(server.command("CLIENT LIST").contains("user=a@b:c"));
}

#[tokio::test]
async fn a_user_without_a_password_logs_in() {
    let server = Server::on_tcp();
    server.command("ACL SETUSER open on nopass ~* +@all");
    let backend = connect(&format!("redis://open@127.0.0.1:{}", server.port())).await;
    backend.set("k", 1, None).await.unwrap();
    assert!(server.command("CLIENT LIST").contains("user=open"));
}

#[tokio::test]
async fn the_environment_names_the_url() {
    let server = Server::on_tcp();
    let store = |url: Option<&std::ffi::OsStr>| {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_peer-process"));
        let program = program.arg("from-env").env_remove("REDIS_URL");
        let output = program.envs(url.map(|url| ("REDIS_URL", url))).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    assert_eq!(
        store(Some(format!("{}/2", server.url()).as_ref())),
        "stored\n"
    );
    assert!(server.command("INFO keyspace").contains("db2:keys=1"));
    let no_text = std::os::unix::ffi::OsStrExt::from_bytes(b"redis://:topsecret\xff@localhost");
    for (url, wrong) in [
        (None, "`REDIS_URL` is not set"),
        (Some("".as_ref()), "`REDIS_URL` is not set, or empty"),
        (Some(no_text), "`REDIS_URL` is not UTF-8"),
    ] {
        let said = store(url);
        assert!(
            said.starts_with("InvalidConfig") && said.contains(wrong),
            "{said}"
        );
        assert!(!said.contains("topsecret"), "{said}");
    }
}

#[tokio::test]
async fn a_unix_socket_takes_user_password_and_database() {
    let server = Server::start();
    server.command("ACL SETUSER app on >pa55 ~* +@all");
    let url = format!("{}?db=3&user=app&pass=pa55", server.url());
    let backend = connect(&url).await;
    backend.set("k", 1, None).await.unwrap();
    assert!(server.command("INFO keyspace").contains("db3:keys=1"));
}

#[tokio::test]
async fn a_client_of_redis_rs_brings_its_own_settings() {
    let server = Server::on_tcp_with(&["--requirepass", "pa55"]);
    let url = format!("redis://:pa55@127.0.0.1:{}/1", server.port());
    let client = redis::Client::open(url.as_str()).unwrap();
    let backend = RedisBackend::from_client(client).await.unwrap();
    backend.set("k", 1, None).await.unwrap();
    assert_eq!(connect(&url).await.get::<u8>("k").await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_client_of_redis_rs_goes_with_a_namespace_and_limits() {
    let server = Server::start();
    let client = redis::Client::open(server.url()).unwrap();
    let builder = RedisBackend::builder().client(client);
    let builder = builder.namespace("shop").value_limit(4);
    let backend = builder.call_timeout(PATIENCE).build().await.unwrap();
    backend.set("k", 1, None).await.unwrap();
    assert_eq!(server.command("GET shop:k"), "$1\r\n1\r\n");
    let error = backend.set("k", "abcd", None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn connections_have_the_name_of_the_client() {
    let server = Server::on_tcp();
    for (protocol, name) in [("", "shop-web"), ("?protocol=2", "shop-{old}")] {
        let url = format!("{}{protocol}", server.url());
        let named = builder(&url).client_name(name);
        let backend = named.build().await.unwrap();
        backend.set("k", 1, None).await.unwrap();
        let clients = server.command("CLIENT LIST");
        assert!(clients.contains(&format!(" name={name} ")), "{clients}");
    }
    let client = redis::Client::open(server.url()).unwrap();
    let named = RedisBackend::builder().client(client).client_name("jobs");
    let _backend = named.build().await.unwrap();
    let clients = server.command("CLIENT LIST");
    assert!(clients.contains(" name=jobs "), "{clients}");
}

#[tokio::test]
async fn a_user_who_may_not_set_a_name_is_greeted() {
    let server = Server::on_tcp();
    server.command("ACL SETUSER app on >pa55 ~* +@all -client");
    let url = format!("redis://app:pa55@127.0.0.1:{}", server.port());
    for protocol in ["", "?protocol=resp2"] {
        let named = builder(&format!("{url}{protocol}")).client_name("shop-web");
        let backend = named.build().await.unwrap();
        assert!(backend.increment("hits", None).await.unwrap() > 0);
    }
}

#[test]
fn a_name_that_no_server_takes_is_refused() {
    for name in [
        "",
        "shop web",
        "shop\nweb",
        "shop\tweb",
        "shop\u{7f}",
        "größe",
    ] {
        let error = RedisBackend::builder().client_name(name).build_lazy();
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{name}");
        assert!(error.to_string().contains("`client_name`"), "{error}");
    }
}

/// The server's protocol for a connection is told by the only command that changes it.
#[tokio::test]
async fn a_client_of_redis_rs_decides_on_the_protocol() {
    for (parameter, greets) in [("", false), ("?protocol=2", false), ("?protocol=3", true)] {
        let server = Server::on_tcp();
        let client = redis::Client::open(format!("{}/{parameter}", server.url())).unwrap();
        let builder = RedisBackend::builder().client(client);
        let backend = builder.call_timeout(PATIENCE).build().await.unwrap();
        backend.set("k", 1, None).await.unwrap();
        assert_eq!(backend.get::<u8>("k").await.unwrap(), Some(1));
        let commands = server.command("INFO commandstats");
        assert_eq!(commands.contains("cmdstat_hello:"), greets, "{parameter}");
    }
}

/// Returns the time after which the kernel probes a connection to the server, in hundredths of a
/// second.
#[cfg(target_os = "linux")]
async fn keep_alive(server: &Server) -> u64 {
    let loopback = u32::from_ne_bytes([127, 0, 0, 1]);
    let far = format!("{loopback:08X}:{:04X} 01 ", server.port());
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let socket = sockets.lines().find_map(|line| line.split_once(&far));
        let timer = socket.and_then(|(_, rest)| rest.split(' ').nth(1));
        // While data isn't acknowledged, another timer runs.
        if let Some(time) = timer.and_then(|timer| timer.strip_prefix("02:")) {
            return u64::from_str_radix(time, 16).unwrap();
        }
        assert!(std::time::Instant::now() < deadline, "{timer:?}");
        tokio::task::yield_now().await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_of_redis_rs_brings_its_keep_alive() {
    let server = Server::on_tcp();
    let time = TcpKeepalive::new().with_time(std::time::Duration::from_secs(1_000));
    let settings = TcpSettings::default().set_keepalive(time);
    let info = server.url().into_connection_info().unwrap();
    let client = redis::Client::open(info.set_tcp_settings(settings)).unwrap();
    let builder = RedisBackend::builder().client(client);
    let _backend = builder.connect_timeout(PATIENCE).build().await.unwrap();
    let hundredths = keep_alive(&server).await;
    assert!((90_000..=100_000).contains(&hundredths), "{hundredths}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_kernel_probes_after_the_silence_that_is_set() {
    let server = Server::on_tcp();
    let builder = builder(&server.url()).keep_alive(std::time::Duration::from_secs(2_000));
    let _backend = builder.build().await.unwrap();
    let hundredths = keep_alive(&server).await;
    assert!((190_000..=200_000).contains(&hundredths), "{hundredths}");
    // More than a system takes, and than anybody waits for.
    let endless = RedisBackend::builder().url(&server.url());
    let endless = endless.keep_alive(std::time::Duration::MAX);
    endless.connect_timeout(PATIENCE).build().await.unwrap();
}

#[tokio::test]
async fn a_silent_connection_is_asked_whether_it_is_there() {
    let server = Server::start();
    let builder = builder(&server.url()).keep_alive(std::time::Duration::from_secs(1));
    let _backend = builder.build().await.unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    while !server
        .command("INFO commandstats")
        .contains("cmdstat_ping:")
    {
        assert!(std::time::Instant::now() < deadline, "nothing was asked");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[test]
fn a_client_that_can_not_be_used_is_refused() {
    let refused = |server: redis::ConnectionInfo| {
        let client = redis::Client::open(server).unwrap();
        let error = RedisBackend::builder().client(client).build_lazy();
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        error.to_string()
    };
    let at = |address: redis::ConnectionAddr| address.into_connection_info().unwrap();
    let tls = redis::ConnectionAddr::TcpTls {
        host: "localhost".to_string(),
        port: 6379,
        insecure: true,
        tls_params: None,
    };
    let tcp = |host: &str, port| redis::ConnectionAddr::Tcp(host.to_string(), port);
    let long = redis::ConnectionAddr::Unix("x".repeat(200).into());
    for (address, wrong) in [
        (tls, "the client is `insecure`"),
        (tcp("", 6379), "the client names no host"),
        (tcp("::", 6379), "the client's host is a wildcard address"),
        (tcp("localhost", 0), "the client's port is 0"),
        (long, "the client's path is too long"),
    ] {
        let said = refused(at(address));
        assert!(said.contains(wrong), "{said}");
    }
    let minus = redis::RedisConnectionInfo::default().set_db(-1);
    let said = refused(at(tcp("localhost", 6379)).set_redis_settings(minus));
    assert!(said.contains("the client's database"), "{said}");
}

#[tokio::test]
async fn limits_can_be_set() {
    let server = Server::start();
    let backend = builder(&server.url())
        .key_limit(4)
        .value_limit(4)
        .build()
        .await
        .unwrap();
    backend.set("four", "abc", None).await.unwrap();
    assert_eq!(
        backend.set("fives", 1, None).await.unwrap_err().kind(),
        ErrorKind::InvalidKey
    );
    assert_eq!(
        backend.set("four", "abcd", None).await.unwrap_err().kind(),
        ErrorKind::TooLarge
    );
    assert_eq!(
        backend.get::<String>("four").await.unwrap().as_deref(),
        Some("abc")
    );
}

#[tokio::test]
async fn whoever_knows_the_trait_alone_closes_the_backend() {
    let server = Server::start();
    let redis = connect(&server.url()).await;
    let backend: Arc<dyn Backend> = Arc::new(Box::new(redis.clone()));
    backend.set("k", 1, None).await.unwrap();
    backend.close().await;
    backend.close().await;
    for closed in [&backend.ping().await, &redis.ping().await] {
        let kind = closed.as_ref().map_err(BackendError::kind);
        assert_eq!(kind, Err(ErrorKind::Unavailable));
    }

    let memory: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    memory.close().await;
    assert_eq!(memory.increment("k", None).await.unwrap(), 1);
}

#[tokio::test]
async fn a_closed_backend_refuses_calls_and_leaves_the_server() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    let clone = backend.clone();
    let under_way = clone.set("k", 1, None);
    tokio::pin!(under_way);
    assert!(futures::poll!(&mut under_way).is_pending());
    let (stored, ()) = futures::join!(under_way, backend.close());
    stored.unwrap();
    let error = clone.get::<u8>("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(!error.outcome_unknown());
    let deadline = std::time::Instant::now() + PATIENCE;
    while server.command("CLIENT LIST").contains("resp=3") {
        assert!(
            std::time::Instant::now() < deadline,
            "the connection stays open"
        );
        tokio::task::yield_now().await;
    }
    assert_eq!(
        connect(&server.url()).await.get::<u8>("k").await.unwrap(),
        Some(1)
    );
}

#[tokio::test]
async fn a_limit_without_end_is_a_day() {
    let server = Server::start();
    let backend = RedisBackend::builder()
        .url(&server.url())
        .connect_timeout(std::time::Duration::MAX)
        .call_timeout(std::time::Duration::MAX)
        .build()
        .await
        .unwrap();
    backend.set("k", 1, None).await.unwrap();
}
