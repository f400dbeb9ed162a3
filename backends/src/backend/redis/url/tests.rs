//! The meaning of URLs of one server, and the mistakes in them.

use std::error::Error;

use percent_encoding::percent_decode_str;
use redis::{ConnectionAddr, ConnectionInfo, ProtocolVersion};

use super::servers;
use crate::error::{BackendError, BackendResult, ErrorKind};

fn server(url: &str) -> BackendResult<ConnectionInfo> {
    Ok(servers(url)?.first)
}

/// A URL, and the address, user, password and database that it means. All speak RESP3.
type Meaning<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a str>, i64);

const GOOD: &[Meaning<'_>] = &[
    ("redis://localhost", "localhost:6379", None, None, 0),
    ("redis://localhost/", "localhost:6379", None, None, 0),
    ("redis://localhost:", "localhost:6379", None, None, 0),
    ("redis://localhost?", "localhost:6379", None, None, 0),
    ("  redis://localhost\n", "localhost:6379", None, None, 0),
    ("REDIS://Cache_1:6380", "Cache_1:6380", None, None, 0),
    ("valkey://10.0.0.1:1/2", "10.0.0.1:1", None, None, 2),
    ("redis://h/3/", "h:6379", None, None, 3),
    ("redis://h/007", "h:6379", None, None, 7),
    ("redis://h?db=3", "h:6379", None, None, 3),
    ("redis://h/?d%62=3&protocol=3", "h:6379", None, None, 3),
    ("redis://h/2147483647", "h:6379", None, None, 2_147_483_647),
    ("redis://[::1]", "::1:6379", None, None, 0),
    ("redis://[2001:DB8::1]:7/1", "2001:db8::1:7", None, None, 1),
    ("redis://u:p@h:7", "h:7", Some("u"), Some("p"), 0),
    ("redis://:p@[::1]:7", "::1:7", None, Some("p"), 0),
    // A user that needs no password.
    ("redis://u@h", "h:6379", Some("u"), None, 0),
    ("redis://u:@h", "h:6379", Some("u"), None, 0),
    ("redis://@h", "h:6379", None, None, 0),
    ("redis://:@h", "h:6379", None, None, 0),
    (
        "redis://a%40b%3Ac%2Fd%25e:%40%3A%2F%25%3F%23+@h",
        "h:6379",
        Some("a@b:c/d%e"),
        Some("@:/%?#+"),
        0,
    ),
    // The last `@` ends the login, and its first colon the user.
    ("redis://u:a@b:c[@h", "h:6379", Some("u"), Some("a@b:c["), 0),
    ("redis://u:50%@h", "h:6379", Some("u"), Some("50%"), 0),
];

#[cfg(unix)]
const GOOD_SOCKETS: &[Meaning<'_>] = &[
    ("unix:///run/redis.sock", "/run/redis.sock", None, None, 0),
    ("UNIX:/run/redis.sock", "/run/redis.sock", None, None, 0),
    ("redis+unix:///s?db=4", "/s", None, None, 4),
    ("valkey+unix://localhost/s%20t", "/s t", None, None, 0),
    (
        "unix:///s?user=u&pass=p%26%40",
        "/s",
        Some("u"),
        Some("p&@"),
        0,
    ),
    (
        "unix:///s?pass=a@b&protocol=resp3",
        "/s",
        None,
        Some("a@b"),
        0,
    ),
    ("unix:///s?user=u&pass=", "/s", Some("u"), Some(""), 0),
    ("unix:///s?user=&pass=", "/s", None, None, 0),
    // A plus sign is a space in a parameter, and only there.
    ("unix:///s?pass=a+b%2Bc", "/s", None, Some("a b+c"), 0),
];

fn check_meaning(&(url, address, user, password, database): &Meaning<'_>) {
    let server = server(url).unwrap_or_else(|error| panic!("{url}: {error}"));
    let settings = server.redis_settings();
    assert_eq!(server.addr().to_string(), address, "{url}");
    assert_eq!(settings.username(), user, "{url}");
    assert_eq!(settings.password(), password, "{url}");
    assert_eq!(settings.db(), database, "{url}");
    assert_eq!(settings.protocol(), ProtocolVersion::RESP3, "{url}");
}

#[test]
fn a_url_means_what_it_says() {
    GOOD.iter().for_each(check_meaning);
}

#[cfg(unix)]
#[test]
fn a_url_of_a_socket_means_what_it_says() {
    GOOD_SOCKETS.iter().for_each(check_meaning);
}

#[cfg(feature = "tls")]
#[test]
fn a_url_of_tls_means_the_same_by_tls() {
    for &(url, address, user, password, database) in GOOD {
        let (scheme, rest) = url.split_once(':').unwrap();
        let url = format!("{scheme}s:{rest}").replace("REDISs", "REDISS");
        check_meaning(&(&url, address, user, password, database));
        match server(&url).unwrap().addr() {
            ConnectionAddr::TcpTls {
                insecure: false,
                tls_params: None,
                ..
            } => {}
            other => panic!("{url}: {other:?}"),
        }
    }
    assert_refused("names no host", &["rediss://", "valkeys://u:S3cret@"]);
    assert_refused("`tls` is not known", &["rediss://h?tls=S3cret"]);
    assert_refused("names a database twice", &["rediss://h/3?db=3"]);
    assert_refused(
        "`#insecure`",
        &["rediss://u:S3cret@h#insecure", "valkeys://h/1#insecure"],
    );
}

#[test]
fn a_url_asks_for_resp2() {
    for url in ["redis://h?protocol=2", "redis://h/1?protocol=resp2"] {
        let protocol = server(url).unwrap().redis_settings().protocol();
        assert_eq!(protocol, ProtocolVersion::RESP2, "{url}");
    }
}

/// Asserts that the URLs are refused with a word, and that no part of the secret `S3cret` is
/// shown.
fn assert_refused(word: &str, urls: &[&str]) {
    for url in urls {
        let error = server(url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{url}");
        assert!(error.to_string().contains(word), "{url}: {error}");
        assert_shows_no_secret(&error);
    }
}

fn assert_shows_no_secret(error: &BackendError) {
    let shown = format!("{error} {error:?}").to_lowercase();
    assert!(!shown.contains("s3") && !shown.contains("cret"), "{shown}");
    assert!(error.source().is_none(), "{shown}");
}

#[test]
fn a_missing_scheme_is_named() {
    assert_refused(
        "has no scheme: write `redis://`",
        &[
            "localhost",
            "localhost:6379",
            "redis:6379",
            "redis:/localhost",
            "//localhost",
            "://localhost",
            "/run/redis.sock",
            "S3cret",
            "user:S3cret@localhost",
            "user:S3cret://@localhost",
            "1S3cret://localhost",
            "S3cretS3cretS3cretS3cretS3cret://localhost",
        ],
    );
    assert_refused("the URL is empty", &["", " \n"]);
}

#[test]
fn a_scheme_that_can_not_be_used_is_named() {
    let cases: [(&str, &[&str]); 2] = [
        #[cfg(not(feature = "tls"))]
        (
            "asks for TLS, which takes the feature `tls`",
            &["rediss", "valkeys"],
        ),
        #[cfg(feature = "tls")]
        ("is not known", &["redisss", "rediss-tls", "tls"]),
        ("is not known", &["http", "redis-socket", "my-cluster"]),
    ];
    for (wrong, schemes) in cases {
        for scheme in schemes {
            let loud = scheme.to_uppercase();
            assert_refused(
                &format!("`{scheme}` {wrong}"),
                &[
                    &format!("{scheme}://u:S3cret@a:1,b:2/main?pass=S3cret#S3cret"),
                    &format!("{loud}://h"),
                ],
            );
        }
    }
}

#[test]
fn a_wrong_host_or_port_is_named() {
    assert_refused(
        "names no host",
        &[
            "redis://",
            "redis:///3",
            "redis://?db=3",
            "redis://:6379",
            "redis://u:S3cret@",
            "redis://u:S3cret@:6379/1",
            "redis://:12?S3cret@h",
        ],
    );
    assert_refused(
        "the URL's port",
        &[
            "redis://h:0",
            "redis://h:65536",
            "redis://h:0x1",
            "redis://h:+1",
            "redis://h:-1",
            "redis://::1",
            "redis://::1:6379",
            "redis://[::1]6379",
            "redis://u:S3cret/@h",
            "redis://u:S3cret?@h",
            "redis://u:1:S3cret/@h:6379",
        ],
    );
    assert_refused(
        "the URL's host is no address and not one name",
        &[
            "redis://a,b",
            "redis://%2Frun%2FS3cret.sock",
            "redis://b\u{fc}cher",
            "redis://S3cret word",
            "redis://u:S3cret@h]",
        ],
    );
    assert_refused(
        "no IPv6 address",
        &[
            "redis://[::1",
            "redis://[S3cret]",
            "redis://[fe80::1%25eth0]",
        ],
    );
    assert_refused(
        "a wildcard address",
        &[
            "redis://0.0.0.0",
            "redis://[::]:6379",
            "redis://[0::ffff:0.0.0.0]",
        ],
    );
    assert_refused(
        "a control character",
        &["redis://u:S3\tcret@h", "redis://u:S3cret\n@h"],
    );
}

#[test]
fn a_wrong_database_is_named() {
    assert_refused(
        "the URL's database is not a number from 0 to 2147483647",
        &[
            "redis://h/x",
            "redis://h/-1",
            "redis://h/+1",
            "redis://h/1/2",
            "redis://h/../1",
            "redis://h/2147483648",
            "redis://h/99999999999999999999",
            "redis://h?db=-1",
            "redis://h?db=%2B1",
            "redis://h?db=",
            "redis://h?db",
            "redis://h?db=S3cret",
            "unix:///s?db=-1",
            "redis://u/S3cret@h",
            "redis://u:12/S3cret@h",
        ],
    );
    assert_refused(
        "names a database twice",
        &[
            "redis://h/3?db=3",
            "redis://h/0?db=1",
            "redis://:S3cret@h/1/?db=0",
        ],
    );
}

#[test]
fn a_wrong_parameter_is_named_and_its_value_is_not() {
    assert_refused("the parameter `db` twice", &["redis://h?db=3&db=3"]);
    assert_refused(
        "the parameter `protocol` twice",
        &["redis://h?protocol=3&protocol=2"],
    );
    assert_refused(
        "the parameter `pass` twice",
        &["unix:///s?pass=S3cret&pass=S3cret"],
    );
    assert_refused(
        "the parameter `user` twice",
        &["unix:///s?user=&user=S3cret"],
    );
    assert_refused(
        "`protocol` is not one of",
        &["redis://h?protocol=4", "redis://h?protocol"],
    );
    assert_refused("`protocol` is not one of", &["unix:///s?protocol=RESP3"]);
    assert_refused("`timeout` is not known", &["redis://h/1?timeout=S3cret"]);
    assert_refused(
        "`pass` is not known",
        &["redis://h?pass=S3cret", "redis://h?db=3&pass="],
    );
    assert_refused("`password` is not known", &["unix:///s?password=S3cret"]);
    assert_refused(
        "`timeout` is not known",
        &["unix:///s?timeout=S3cret&pass=S3cret"],
    );
    assert_refused("`DB` is not known", &["redis://h?DB=3"]);
    assert_refused(
        "an unknown parameter",
        &[
            "redis://h?=3",
            "redis://u:12?S3cret@h",
            "redis://u:12?S3cret=1@h",
            "redis://u:12?S3cret%40h",
            "redis://u:12?a&S3cret=1&b@h:6379/0",
            "redis://u:12?S3cretS3cretS3cretS3cretS3cretS3cret",
            "unix:///s?pass=S3cret&S3cret",
            "unix:///s?pass=a&S3cret=1",
            "unix:///s?pass=a&timeout=1",
        ],
    );
    assert_refused(
        "a parameter in the URL is not UTF-8",
        &["unix:///s?pass=S3cret%ff"],
    );
    assert_refused(
        "the password in the URL is not UTF-8",
        &["redis://:S3cret%ff@h"],
    );
    assert_refused(
        "the user in the URL is not UTF-8",
        &["redis://%ff:S3cret@h"],
    );
}

#[test]
fn a_fragment_is_refused() {
    assert_refused(
        "`#insecure`",
        &["redis://h#insecure", "redis://h/1?db=S3cret#insecure"],
    );
    assert_refused(
        "a fragment",
        &[
            "redis://h#",
            "redis://u:S3cret#S3cret@h",
            "unix:///s?pass=S3cret#S3cret",
        ],
    );
}

/// Whatever a password holds, it is read as it is meant or refused, and never shown.
#[test]
fn a_password_that_is_not_encoded_is_never_taken_for_something_else() {
    let parts = [
        "S3cret", "1", "db=", "/", "?", "#", "@", ":", "%", "&", "=", "[", "]",
    ];
    let mut passwords = vec![String::new()];
    for _ in 0..4 {
        let longer = passwords
            .iter()
            .flat_map(|start| parts.map(|part| format!("{start}{part}")));
        passwords = longer.collect();
        let schemes = ["redis", "rediss"];
        let urls = passwords.iter().flat_map(|password| {
            schemes.map(|scheme| (password, format!("{scheme}://user:{password}@host:7/1")))
        });
        for (password, url) in urls {
            match server(&url) {
                Ok(server) => {
                    assert_eq!(server.addr().to_string(), "host:7", "{password}");
                    let read = server.redis_settings().password();
                    let meant = percent_decode_str(password).decode_utf8().unwrap();
                    assert_eq!(read, Some(&*meant), "{password}");
                }
                Err(error) => assert_shows_no_secret(&error),
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn a_url_of_a_socket_has_a_path_and_nothing_before_it() {
    let long = format!("unix:///{}", "x".repeat(200));
    assert_refused("too long for a unix socket", &[&long, "unix:///a%00b"]);
    assert_refused(
        "names no path of a socket",
        &[
            "unix://",
            "unix:///",
            "unix:run/s",
            "unix://run/s",
            "unix:///s/",
        ],
    );
    assert_refused(
        "write `unix:///path?user=..&pass=..`",
        &[
            "unix://u:S3cret@localhost/s",
            "unix://:S3cret@localhost/s",
            "unix://localhost:1/s",
        ],
    );
    assert_refused("not the URL of a server", &["unix://u:S3cret@/s"]);
}
