//! Each example runs as its page says, in memory, and on a server if the example takes one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use reinhardt_backends_tests::{Cluster, Server, Service};

/// Returns the examples by name, with their source.
fn examples() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let sources = files.filter(|file| file.extension().is_some_and(|end| end == "rs"));
    let named = |file: PathBuf| {
        let name = file.file_stem().unwrap().to_str().unwrap().to_string();
        (name, fs::read_to_string(file).unwrap())
    };
    sources.map(named).collect()
}

/// Runs an example that cargo has built beside this test.
fn run(name: &str, arguments: &[&str]) -> Output {
    let own = std::env::current_exe().unwrap();
    let profile = own.parent().and_then(Path::parent).unwrap();
    let program = profile.join("examples").join(name);
    let output = Command::new(&program)
        .args(arguments)
        .env_remove("REDIS_URL")
        .output();
    output.unwrap_or_else(|error| {
        let program = program.display();
        panic!(
            "{program}: {error}; build it by `cargo build --workspace --examples --all-features`"
        )
    })
}

fn ends_well(name: &str, arguments: &[&str]) {
    let output = run(name, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {said}");
    assert!(!output.stdout.is_empty(), "{name} prints nothing");
}

#[test]
fn every_example_runs_alone() {
    let examples = examples();
    assert!(examples.len() >= 10, "{}", examples.len());
    for (name, _) in examples {
        ends_well(&name, &[]);
    }
}

/// Returns the names of the examples that take a server.
fn examples_on_servers() -> Vec<String> {
    let on_servers = examples().into_iter();
    let on_servers: Vec<_> = on_servers
        .filter(|(_, source)| source.contains("\"--redis\""))
        .map(|(name, _)| name)
        .collect();
    for name in ["quickstart", "logins", "credentials", "leaderboard"] {
        assert!(on_servers.iter().any(|found| found == name), "{name}");
    }
    on_servers
}

#[test]
fn examples_that_take_a_server_run_on_one() {
    let server = Server::on_tcp();
    for name in examples_on_servers() {
        server.command("CONFIG RESETSTAT");
        ends_well(&name, &["--redis", &server.url()]);
        let asked = server.command("INFO commandstats");
        assert!(asked.contains("cmdstat_hello:"), "{name}: {asked}");
    }
}

#[test]
fn examples_that_take_a_server_run_on_a_cluster() {
    let cluster = Cluster::of_primaries(3, &[]);
    for name in examples_on_servers() {
        ends_well(&name, &["--redis", &cluster.url(1)]);
    }
}

#[test]
fn examples_that_take_a_server_run_where_sentinels_watch() {
    let service = Service::start();
    for name in examples_on_servers() {
        ends_well(&name, &["--redis", &service.url()]);
    }
}

#[test]
fn the_doctor_fails_a_job_where_asked_to_and_prints_data() {
    assert!(run("doctor", &[]).status.success());
    assert_eq!(
        run("doctor", &["--fail-on", "fault"]).status.code(),
        Some(1)
    );
    let printed = run("doctor", &["--json"]).stdout;
    let report: serde_json::Value = serde_json::from_slice(&printed).unwrap();
    let kinds = report["findings"].as_array().unwrap().iter();
    let kinds: Vec<&str> = kinds
        .map(|finding| finding["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "undecodable",
            "malformed_key",
            "missing_ttl",
            "older_version",
            "undeclared_keys"
        ]
    );
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let output = run("quickstart", &["--redis", "redis://127.0.0.1:1"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("127.0.0.1:1"), "{said}");
}
