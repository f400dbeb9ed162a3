//! A program that lacks a feature is told which one, and the advice helps.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

#[test]
fn the_schema_lock_says_how_to_have_it() {
    let program = Program::generate("schema_lock", SCHEMA_LOCK);
    let failed = program.cargo("check --tests");
    assert!(!failed.status.success());
    let said = String::from_utf8_lossy(&failed.stderr);
    let message = "error: the schema lock is behind a feature, for tests alone: run `cargo ";
    let (_, rest) = said.split_once(message).unwrap_or_else(|| panic!("{said}"));
    let (advice, rest) = rest.split_once('`').unwrap();
    assert!(
        rest.contains(r#"features = ["schema-lock"] }` to [dev-dependencies]"#),
        "{rest}"
    );

    program.succeed(advice);
    program.succeed("check --tests");
    let manifest = fs::read_to_string(program.folder.join("Cargo.toml")).unwrap();
    let (_, for_tests) = manifest.split_once("[dev-dependencies]").unwrap();
    assert!(for_tests.contains("schema-lock"), "{manifest}");
}

#[test]
fn a_url_of_tls_says_how_to_have_it() {
    let program = Program::generate("tls", TLS);
    program.succeed("add reinhardt-backends --features redis-backend");
    program.succeed("test");
}

/// Another dependency of a program may turn on TLS in the redis crate, which then reads more URLs
/// and has more to say in a client.
#[test]
fn urls_mean_the_same_where_the_redis_crate_has_tls_of_its_own() {
    let program = Program::generate("tls_of_redis", TLS_OF_REDIS);
    program.succeed("add reinhardt-backends --features tls");
    program.succeed("add redis@1.8 --no-default-features --features tls-rustls");
    program.succeed("test");
}

/// A package that depends on the library with its default features.
struct Program {
    folder: PathBuf,
}

impl Program {
    fn generate(name: &str, test: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let library = workspace.join("backends").display().to_string();
        for (file, text) in [
            ("Cargo.toml", MANIFEST.replace("LIBRARY", &library)),
            ("src/lib.rs", String::new()),
            ("tests/test.rs", test.to_string()),
        ] {
            let file = folder.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        // The versions of the workspace, which are there.
        fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
        Self { folder }
    }

    fn succeed(&self, arguments: &str) {
        let output = self.cargo(arguments);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success(), "{arguments}: {said}");
    }

    fn cargo(&self, arguments: &str) -> Output {
        let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_string());
        Command::new(cargo)
            .args(arguments.split(' '))
            .arg("--offline")
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", TARGET)
            .output()
            .unwrap()
    }
}

/// The target folder of the workspace, with its profile: the library's dependencies have been
/// checked there before.
const TARGET: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/..");

const SCHEMA_LOCK: &str = r#"
#[test]
fn what_is_stored_has_not_changed() {
    reinhardt_backends::assert_schema_lock!("keyspaces.lock");
}
"#;

const TLS: &str = r#"
use reinhardt_backends::{ErrorKind, RedisBackend};

#[test]
fn it_is_refused_by_name() {
    for (url, asking) in [
        ("rediss://:topsecret@localhost", "scheme `rediss` asks for TLS"),
        ("VALKEYS://localhost#insecure", "scheme `valkeys` asks for TLS"),
    ] {
        let error = RedisBackend::connect_lazy(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        let said = error.to_string();
        assert!(said.contains(asking) && said.contains("the feature `tls`"), "{said}");
    }
}
"#;

const TLS_OF_REDIS: &str = r#"
use redis::{Client, TlsCertificates};
use reinhardt_backends::{BackendError, ErrorKind, RedisBackend};

fn check(error: BackendError, word: &str) {
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains(word), "{error}");
}

#[test]
fn urls_are_refused_by_name() {
    for (url, word) in [
        ("rediss://localhost#insecure", "`#insecure`"),
        ("rediss://localhost#other", "a fragment"),
        ("rediss://localhost/1?db=2", "names a database twice"),
        ("valkeys://localhost?timeout=5", "`timeout`"),
    ] {
        check(RedisBackend::connect_lazy(url).unwrap_err(), word);
    }
}

#[test]
fn clients_are_refused_by_name() {
    let certificates = TlsCertificates {
        client_tls: None,
        root_cert: None,
    };
    let with_certificates = Client::build_with_tls("rediss://localhost", certificates);
    for (client, word) in [
        (Client::open("rediss://localhost#insecure"), "`insecure`"),
        (with_certificates, "set them by `tls` as well"),
    ] {
        let builder = RedisBackend::builder().client(client.unwrap());
        check(builder.build_lazy().unwrap_err(), word);
    }
}
"#;

const MANIFEST: &str = r#"[package]
name = "lacks-a-feature"
version = "0.0.0"
edition = "2024"
publish = false

[workspace]

[dependencies]
reinhardt-backends = { path = "LIBRARY" }

[profile.dev]
debug = "line-tables-only"
"#;
