//! Servers are trusted by their certificates, refused with a reason, and followed when certificates
//! are replaced.

use std::error::Error;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use futures::future::join_all;
use redis::IntoConnectionInfo;
use reinhardt_backends::{
    Backend, BackendError, ErrorKind, Expiry, RedisBackend, RedisBackendBuilder, Tls,
};
use reinhardt_backends_tests::{Authority, Certificate, Proxy, Server, Service};

use rustls::{CipherSuiteCommon, SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite};

use super::{PATIENCE, builder, recovered, said};

const MINUTE: Duration = Duration::from_secs(60);
/// The settings of a server that wants to see a certificate, by either version.
const DEMANDING: [[&str; 4]; 2] = [
    ["--tls-auth-clients", "yes", "--tls-protocols", "TLSv1.2"],
    ["--tls-auth-clients", "yes", "--tls-protocols", "TLSv1.3"],
];

/// The authority that most servers here have their certificate from, and that certificate.
static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::named("authority"));
static CERTIFICATE: LazyLock<Certificate> =
    LazyLock::new(|| AUTHORITY.certify(&["localhost", "127.0.0.1"]));

fn server(settings: &[&str]) -> Server {
    Server::on_tls(&AUTHORITY, &CERTIFICATE, settings)
}

/// Trusts that authority.
fn trusting() -> Tls {
    Tls::ca_pem(AUTHORITY.pem()).unwrap()
}

fn by_tls(url: &str, tls: Tls) -> RedisBackendBuilder {
    builder(url).tls(tls)
}

async fn connect(server: &Server) -> RedisBackend {
    by_tls(&server.url(), trusting()).build().await.unwrap()
}

/// Tries to connect by these settings, and checks what every error says: the place, and no secret.
async fn refused(url: &str, tls: Tls) -> BackendError {
    let begun = Instant::now();
    let error = by_tls(url, tls).build().await.unwrap_err();
    assert!(begun.elapsed() < PATIENCE, "{error}");
    let (_, place) = url.split_once("://").unwrap();
    assert!(error.to_string().contains(place), "{error}");
    assert!(!said(&error).contains("PRIVATE KEY"), "{error:?}");
    error
}

async fn check_calls(backend: &RedisBackend) {
    backend.set("k", "value", Some(MINUTE)).await.unwrap();
    let value = backend.get::<String>("k").await.unwrap();
    assert_eq!(value.as_deref(), Some("value"));
    assert!(matches!(
        backend.ttl("k").await.unwrap(),
        Some(Expiry::In(_))
    ));
    assert_eq!(backend.increment("hits", None).await.unwrap(), 1);
    let many = backend.get_many::<String>(&["k", "nothing"]).await.unwrap();
    assert_eq!(many, [Some("value".to_string()), None]);
    let mut keys: Vec<String> = backend.scan("").try_collect().await.unwrap();
    keys.sort();
    assert_eq!(keys, ["hits", "k"]);
    let taken = backend.take::<String>("k").await.unwrap();
    assert_eq!(taken.as_deref(), Some("value"));
    backend.clear().await.unwrap();
    assert!(!backend.exists("hits").await.unwrap());
    backend.ping().await.unwrap();
}

#[tokio::test]
async fn calls_are_answered_by_either_version_of_tls_and_of_resp() {
    for version in ["TLSv1.2", "TLSv1.3"] {
        let server = server(&["--tls-protocols", version]);
        for (protocol, expected) in [("", "resp=3"), ("?protocol=2", "resp=2")] {
            let url = format!("{}{protocol}", server.url());
            let backend = by_tls(&url, trusting()).build().await.unwrap();
            check_calls(&backend).await;
            let clients = server.command("CLIENT LIST");
            assert!(clients.contains(expected), "{clients}");
        }
    }
}

#[tokio::test]
async fn a_host_is_found_in_the_certificate_as_a_name_and_as_an_address() {
    let server = server(&[]);
    let port = server.port();
    for host in ["localhost", "127.0.0.1"] {
        for scheme in ["rediss", "valkeys"] {
            let url = format!("{scheme}://{host}:{port}");
            let backend = by_tls(&url, trusting()).build().await.unwrap();
            backend.ping().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_login_and_a_database_go_with_tls() {
    let server = server(&["--requirepass", "pa55"]);
    let port = server.port();
    let url = format!("rediss://:pa55@localhost:{port}/3");
    let backend = by_tls(&url, trusting()).build().await.unwrap();
    check_calls(&backend).await;
    let url = format!("rediss://:wrong@localhost:{port}");
    let error = by_tls(&url, trusting()).build().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("WRONGPASS"), "{error}");
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_one_is_demanded() {
    let client = AUTHORITY.certify(&[]);
    let both = format!("{}{}", client.key, client.pem);
    for settings in DEMANDING {
        let server = server(&settings);
        for (certificate, key) in [(&client.pem, &client.key), (&both, &both)] {
            let tls = trusting().client_certificate_pem(certificate, key).unwrap();
            let backend = by_tls(&server.url(), tls).build().await.unwrap();
            check_calls(&backend).await;
        }
    }
}

#[tokio::test]
async fn a_server_has_another_name_than_its_host() {
    let certificate = AUTHORITY.certify(&["cache.example"]);
    let server = Server::on_tls(&AUTHORITY, &certificate, &[]);
    let tls = trusting().server_name("cache.example").unwrap();
    let backend = by_tls(&server.url(), tls).build().await.unwrap();
    check_calls(&backend).await;
    let tls = trusting().server_name("other.example").unwrap();
    let error = refused(&server.url(), tls).await;
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("`other.example`"), "{error}");
}

fn roots() -> rustls::RootCertStore {
    use rustls::pki_types::pem::PemObject;

    let pem = AUTHORITY.pem();
    let authority = rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.unwrap()).unwrap();
    roots
}

#[tokio::test]
async fn a_configuration_of_rustls_is_used_as_it_is() {
    let server = server(&[]);
    let provider = rustls::crypto::ring::default_provider();
    let config = rustls::ClientConfig::builder_with_provider(provider.into());
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots());
    let tls = Tls::from_rustls(Arc::new(config.with_no_client_auth()));
    let backend = by_tls(&server.url(), tls).build().await.unwrap();
    check_calls(&backend).await;
}

/// Very many calls, each of which gets its own answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_at_once_share_a_connection() {
    let server = server(&[]);
    let backend = connect(&server).await;
    let calls = (0..2_000).map(|index| {
        let backend = backend.clone();
        tokio::spawn(async move {
            let key = format!("k{index}");
            backend.set(&key, index, Some(MINUTE)).await.unwrap();
            assert_eq!(backend.get::<u32>(&key).await.unwrap(), Some(index));
            backend.increment("hits", None).await.unwrap()
        })
    });
    let mut counted: Vec<i64> = join_all(calls)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    counted.sort_unstable();
    assert_eq!(counted, (1..=2_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn large_values_pass_both_ways() {
    let server = server(&[]);
    let backend = connect(&server).await;
    let value: Vec<u8> = (0..8 << 20).map(|index: u32| (index >> 3) as u8).collect();
    let sets = (0..4).map(|index| {
        let (backend, value) = (&backend, &value);
        async move {
            let key = format!("k{index}");
            backend.set(&key, value, None).await.unwrap();
            let read = backend.get::<Vec<u8>>(&key).await.unwrap();
            assert!(read.as_ref() == Some(value));
        }
    });
    let pings = (0..50).map(|_| backend.ping());
    let (_, pings) = tokio::join!(join_all(sets), join_all(pings));
    assert!(pings.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_server_that_comes_back_is_connected_to_again() {
    let mut server = server(&[]);
    let backend = connect(&server).await;
    backend.set("k", 1, None).await.unwrap();
    server.kill();
    let error = backend.get::<u8>("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    server.restart();
    recovered(&backend).await;
    assert_eq!(backend.get::<u8>("k").await.unwrap(), None);
}

#[tokio::test]
async fn a_connection_that_is_cut_is_replaced() {
    let server = server(&[]);
    let proxy = Proxy::start(server.port());
    let url = proxy.url().replace("redis://", "rediss://");
    let backend = by_tls(&url, trusting()).build().await.unwrap();
    for count in 1..=3 {
        assert_eq!(backend.increment("hits", None).await.unwrap(), count);
        proxy.cut();
        assert_eq!(backend.get::<i64>("hits").await.unwrap(), Some(count));
    }
}

/// Returns settings by which a key is good for 256 records, instead of some millions.
fn with_short_lived_keys() -> Tls {
    let short_lived = |common: &CipherSuiteCommon| CipherSuiteCommon {
        confidentiality_limit: 256,
        ..*common
    };
    let mut provider = rustls::crypto::ring::default_provider();
    for suite in &mut provider.cipher_suites {
        *suite = match suite {
            SupportedCipherSuite::Tls12(suite) => {
                let common = short_lived(&suite.common);
                let suite = Tls12CipherSuite { common, ..**suite };
                SupportedCipherSuite::Tls12(Box::leak(Box::new(suite)))
            }
            SupportedCipherSuite::Tls13(suite) => {
                let common = short_lived(&suite.common);
                let suite = Tls13CipherSuite { common, ..**suite };
                SupportedCipherSuite::Tls13(Box::leak(Box::new(suite)))
            }
        };
    }
    let config = rustls::ClientConfig::builder_with_provider(provider.into());
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots());
    Tls::from_rustls(Arc::new(config.with_no_client_auth()))
}

/// By TLS 1.2 a connection ends with its key, and by TLS 1.3 the connection gets another key.
#[tokio::test]
async fn a_connection_is_replaced_before_its_key_is_used_up() {
    for (version, expected) in [("TLSv1.2", 8..20), ("TLSv1.3", 1..8)] {
        let server = server(&["--tls-protocols", version]);
        let tls = with_short_lived_keys();
        let backend = by_tls(&server.url(), tls).build().await.unwrap();
        for count in 1..=1_000 {
            assert_eq!(backend.increment("hits", None).await.unwrap(), count);
        }
        // Some of the connections are the test's own.
        let stats = server.command("INFO stats");
        let (_, connections) = stats.split_once("total_connections_received:").unwrap();
        let connections = connections.lines().next().unwrap().parse().unwrap();
        assert!(expected.contains(&connections), "{version}: {connections}");
    }
}

/// The server, and what it is trusted by, get a new authority. The program goes on.
#[tokio::test]
async fn certificates_are_replaced_while_the_program_runs() {
    let mut server = server(&["--tls-auth-clients", "yes"]);
    let client = AUTHORITY.certify(&[]);
    let file = Arc::new(Mutex::new((AUTHORITY.pem(), client)));
    let reads = Arc::new(AtomicUsize::new(0));
    let (of_provider, counted) = (file.clone(), reads.clone());
    let tls = Tls::from_provider(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let (authority, client) = of_provider.lock().unwrap().clone();
        async move { Ok(Tls::ca_pem(authority)?.client_certificate_pem(client.pem, client.key)?) }
    });
    let backend = by_tls(&server.url(), tls).build().await.unwrap();
    check_calls(&backend).await;
    assert_eq!(reads.load(Ordering::Relaxed), 1);

    let authority = Authority::new();
    server.kill();
    server.equip(&authority, &authority.certify(&["127.0.0.1"]));
    server.restart();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let error = backend.ping().await.unwrap_err();
        if error.kind() == ErrorKind::Denied {
            break;
        }
        assert!(Instant::now() < deadline, "{error}");
    }
    let client = authority.certify(&[]);
    *file.lock().unwrap() = (authority.pem(), client);
    recovered(&backend).await;
    check_calls(&backend).await;
}

#[tokio::test]
async fn a_provider_sets_the_name_or_leaves_it() {
    let certificate = AUTHORITY.certify(&["cache.example"]);
    let server = Server::on_tls(&AUTHORITY, &certificate, &[]);
    for (outer, inner, is_right) in [
        (Some("cache.example"), None, true),
        (None, Some("cache.example"), true),
        (Some("other.example"), Some("cache.example"), true),
        (Some("cache.example"), Some("other.example"), false),
        (None, None, false),
    ] {
        let mut tls = Tls::from_provider(move || async move {
            Ok(match inner {
                Some(name) => trusting().server_name(name)?,
                None => trusting(),
            })
        });
        if let Some(name) = outer {
            tls = tls.server_name(name).unwrap();
        }
        let built = by_tls(&server.url(), tls).build().await;
        assert_eq!(built.is_ok(), is_right, "{outer:?} {inner:?}");
    }
}

type Failed = Box<dyn Error + Send + Sync>;

#[tokio::test]
async fn a_provider_that_fails_is_asked_again() {
    let server = server(&[]);
    let asked = Arc::new(AtomicUsize::new(0));
    let of_provider = asked.clone();
    let tls = Tls::from_provider(move || {
        let asked = of_provider.fetch_add(1, Ordering::Relaxed);
        async move {
            match asked {
                0 => Err(Failed::from("topsecret")),
                1 => panic!("topsecret"),
                2 => Err(std::io::Error::from_raw_os_error(2).into()),
                3 => Err(std::io::Error::other("topsecret").into()),
                4 => Ok(Tls::ca_pem("topsecret")?),
                5 => Ok(Tls::from_provider(|| async { Ok(trusting()) })),
                _ => Ok(trusting()),
            }
        }
    });
    let backend = by_tls(&server.url(), tls).build_lazy().unwrap();
    let place = format!("127.0.0.1:{}", server.port());
    for (reason, source) in [
        ("failed", None),
        ("panicked", None),
        ("failed", Some("No such file")),
        ("failed", None),
        ("failed", Some("`Tls::ca_pem`")),
        ("failed", Some("another provider")),
    ] {
        let begun = asked.load(Ordering::Relaxed);
        let error = loop {
            // A call may be told of the failure before, as long as that is recent.
            let error = backend.ping().await.unwrap_err();
            if asked.load(Ordering::Relaxed) > begun {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        let expected = format!("{place}: the provider of `Tls` {reason}");
        assert!(error.to_string().contains(&expected), "{error}");
        assert!(!said(&error).contains("topsecret"), "{}", said(&error));
        let cause = error.source().map(ToString::to_string);
        assert_eq!(cause.is_some(), source.is_some(), "{cause:?}");
        assert!(
            cause
                .unwrap_or_default()
                .contains(source.unwrap_or_default())
        );
    }
    recovered(&backend).await;
}

#[tokio::test]
async fn settings_of_a_provider_that_can_not_be_right_are_told_when_a_backend_is_built() {
    let server = server(&[]);
    for (tls, word) in [
        (
            Tls::from_provider(|| async { Ok(Tls::ca_pem("none")?) }),
            "`Tls::ca_pem`",
        ),
        (
            Tls::from_provider(|| async { Ok(Tls::from_provider(|| async { Ok(trusting()) })) }),
            "another provider",
        ),
    ] {
        let error = by_tls(&server.url(), tls).build().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

/// Nothing is sent to a server if the settings can't be right.
#[test]
fn settings_that_can_not_be_right_are_refused_by_name() {
    let [certificate, other] = [(); 2].map(|()| AUTHORITY.certify(&["a"]));
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let torn = &AUTHORITY.pem()[..200];
    let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let no_base64 = "-----BEGIN CERTIFICATE-----\n??\n-----END CERTIFICATE-----\n";
    let ca = |pem: &str| Tls::ca_pem(pem);
    let showing =
        |certificate: &str, key: &str| trusting().client_certificate_pem(certificate, key);
    let (pem, key) = (certificate.pem.as_str(), certificate.key.as_str());
    for (tls, setting, word) in [
        (ca(""), "ca_pem", "no certificate"),
        (ca("topsecret"), "ca_pem", "no certificate"),
        (ca(key), "ca_pem", "no certificate"),
        (ca(torn), "ca_pem", "certificate"),
        (ca(no_der), "ca_pem", "can't be read"),
        (ca(no_base64), "ca_pem", "can't be read"),
        (showing("", key), "client_certificate_pem", "no certificate"),
        (
            showing(key, key),
            "client_certificate_pem",
            "no certificate",
        ),
        (
            showing(no_der, key),
            "client_certificate_pem",
            "can't be read",
        ),
        (showing(pem, ""), "client_certificate_pem", "no private key"),
        (
            showing(pem, pem),
            "client_certificate_pem",
            "no private key",
        ),
        (
            showing(pem, encrypted),
            "client_certificate_pem",
            "no private key",
        ),
        (
            showing(pem, &other.key),
            "client_certificate_pem",
            "isn't that of its certificate",
        ),
        (trusting().server_name(""), "server_name", "name of a host"),
        (
            trusting().server_name("a b"),
            "server_name",
            "name of a host",
        ),
        (
            trusting().server_name("a:6379"),
            "server_name",
            "name of a host",
        ),
        (
            Tls::from_provider(pending).client_certificate_pem(pem, key),
            "client_certificate_pem",
            "goes with",
        ),
    ] {
        let error = tls.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        assert!(
            error.to_string().contains(&format!("`Tls::{setting}`")),
            "{error}"
        );
        assert!(error.to_string().contains(word), "{error}");
        let said = said(&error);
        assert!(
            !said.contains("topsecret") && !said.contains("PRIVATE"),
            "{said}"
        );
    }
}

#[test]
fn settings_and_addresses_that_do_not_go_together_are_refused() {
    for (url, word) in [
        ("redis://localhost", "write `rediss://`"),
        ("unix:///run/redis.sock", "write `rediss://`"),
        ("rediss://localhost#insecure", "`#insecure`"),
        ("rediss://a..b", "`Tls::server_name`"),
        ("rediss://1.2.3", "`Tls::server_name`"),
    ] {
        let error = builder(url).tls(trusting()).build_lazy().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        assert!(error.to_string().contains(word), "{url}: {error}");
    }
    let named = trusting().server_name("cache.example").unwrap();
    builder("rediss://a..b").tls(named).build_lazy().unwrap();
}

fn client(server: &Server, insecure: bool) -> redis::Client {
    let address = redis::ConnectionAddr::TcpTls {
        host: "localhost".to_string(),
        port: server.port(),
        insecure,
        tls_params: None,
    };
    redis::Client::open(address.into_connection_info().unwrap()).unwrap()
}

#[tokio::test]
async fn a_client_of_redis_rs_asks_for_tls() {
    let server = server(&[]);
    let builder = RedisBackend::builder().client(client(&server, false));
    let backend = builder.clone().tls(trusting()).build().await.unwrap();
    check_calls(&backend).await;
    // The system doesn't know the authority.
    let error = builder.build().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    let error = RedisBackend::builder().client(client(&server, true));
    let error = error.tls(trusting()).build_lazy().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    assert!(error.to_string().contains("`insecure`"), "{error}");
}

#[test]
fn no_debug_shows_a_certificate_or_a_key() {
    let client = AUTHORITY.certify(&["client.example"]);
    let tls = trusting().client_certificate_pem(&client.pem, &client.key);
    let tls = tls.unwrap().server_name("cache.example").unwrap();
    let shown = format!("{tls:?}");
    assert_eq!(
        shown,
        r#"Tls { origin: "ca_pem", server_name: Some("cache.example"), .. }"#
    );
    let builder = builder("rediss://localhost").tls(tls);
    let shown = format!("{builder:?} {:?}", builder.clone().build_lazy().unwrap());
    assert!(
        !shown.contains("certif") && !shown.contains("client.example"),
        "{shown}"
    );
}

/// Runs a program that connects to the server that its environment names.
fn from_env(url: &str, file: &std::path::Path) -> String {
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_peer-process"));
    let program = program.arg("from-env").env("REDIS_URL", url);
    let program = program
        .env("SSL_CERT_FILE", file)
        .env_remove("SSL_CERT_DIR");
    String::from_utf8(program.output().unwrap().stdout).unwrap()
}

#[test]
fn the_authorities_of_the_system_are_those_that_the_environment_names() {
    let server = server(&[]);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let url = server.url();
    assert_eq!(
        from_env(&url, &file("right.pem", &AUTHORITY.pem())),
        "stored\n"
    );
    let other = file("other.pem", &Authority::new().pem());
    let said = from_env(&url, &other);
    assert!(
        said.starts_with("Denied") && said.contains("no authority that is trusted"),
        "{said}"
    );
    for file in [file("empty.pem", ""), folder.path().join("missing.pem")] {
        let said = from_env(&url, &file);
        assert!(said.starts_with("InvalidConfig"), "{said}");
        assert!(said.contains("finds no root certificate"), "{said}");
    }
    assert!(from_env(&url, &folder.path().join("missing.pem")).contains("NotFound"));
}

/// Both are spoken to alike.
#[tokio::test]
async fn sentinels_and_the_primary_that_they_name_are_spoken_to_by_tls() {
    let service = Service::on_tls(&AUTHORITY, &CERTIFICATE);
    let url = service.url().replace("redis-", "rediss-");
    let backend = builder(&url).tls(trusting()).build().await.unwrap();
    backend.set("k", 1, None).await.unwrap();
    let primary = service.address(service.fail_over());
    let deadline = Instant::now() + PATIENCE;
    // The sentinel's word is read as soon as this runtime goes on. A write on its way is cut off.
    while backend.status().nodes[0].address != primary {
        assert!(Instant::now() < deadline, "{:?}", backend.status());
        if let Err(error) = backend.set("k", 2, None).await {
            assert!(error.is_transient(), "{error}");
        }
    }
    let distrusting = Tls::ca_pem(Authority::named("another").pem()).unwrap();
    let error = builder(&url).tls(distrusting).build().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
}
