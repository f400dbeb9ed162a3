//! The doctor finds what is wrong in a store, on every kind of store, and shows nothing of it.

mod bounds;
mod findings;
mod rights;
mod topologies;

use std::time::Duration;

use reinhardt_backends::doctor::{Finding, FindingKind, KeyspaceReport, Report, Severity, doctor};
use reinhardt_backends::{Backend, Keyspace, MemoryBackend, register_sessions, register_throttle};
use reinhardt_backends_tests::Server;
use serde::{Deserialize, Serialize};

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "login", ttl = "30m")]
struct LoginV1 {
    #[keyspace(key)]
    id: String,
}

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "login", ttl = "30m", version = 2, migrates = LoginV1)]
struct Login {
    #[keyspace(key)]
    id: String,
    user: u64,
}

impl From<LoginV1> for Login {
    fn from(LoginV1 { id }: LoginV1) -> Self {
        Self { id, user: 0 }
    }
}

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "pass", ttl = "30m")]
struct PassV1 {
    #[keyspace(key)]
    id: String,
}

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "pass", ttl = "30m", version = 2, migrates = PassV1)]
struct PassV2 {
    #[keyspace(key)]
    id: String,
}

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "pass", ttl = "30m", version = 3, migrates = PassV2)]
struct Pass {
    #[keyspace(key)]
    id: String,
}

impl From<PassV1> for PassV2 {
    fn from(PassV1 { id }: PassV1) -> Self {
        Self { id }
    }
}

impl From<PassV2> for Pass {
    fn from(PassV2 { id }: PassV2) -> Self {
        Self { id }
    }
}

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "solo", ttl = "30m", version = 2)]
struct Solo {
    #[keyspace(key)]
    id: String,
}

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "account", ttl = never)]
struct Account {
    #[keyspace(key)]
    id: String,
}

#[derive(Keyspace)]
#[keyspace(prefix = "forgiving", ttl = "5m", value = u64, on_decode_error = "miss")]
struct Forgiving {
    id: u64,
}

#[derive(Keyspace)]
#[keyspace(prefix = "teaser", ttl = "5m", value = String, stale = "1m")]
struct Teaser {
    page: u64,
}

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter)]
struct Hits {
    route: String,
}

#[derive(Keyspace)]
#[keyspace(prefix = "tries", limit = "5/min")]
struct Tries {
    user: u64,
}

#[derive(Keyspace)]
#[keyspace(prefix = "settings", ttl = never, value = u64)]
struct Settings;

register_sessions!("staff", u64);
register_throttle!("api");

/// Returns the findings of a kind.
fn of_kind(report: &Report, kind: FindingKind) -> Vec<&Finding> {
    let all = report.findings.iter();
    all.filter(|finding| finding.kind == kind).collect()
}

/// Returns the only finding of a kind.
fn the(report: &Report, kind: FindingKind) -> &Finding {
    match of_kind(report, kind)[..] {
        [finding] => finding,
        ref other => panic!("{kind:?}: {other:?}"),
    }
}

fn row<'r>(report: &'r Report, keys: &str) -> &'r KeyspaceReport {
    let mut rows = report.keyspaces.iter();
    rows.find(|row| row.keyspace == keys).unwrap()
}

/// Has a server make so many teasers.
fn populate(server: &Server, count: u32) {
    let script =
        format!("for page = 1, {count} do redis.call('SET', 'reinhardt:teaser:' .. page, 'x') end");
    server.command(&format!("EVAL \"{script}\" 0"));
}

/// Writes an entry of each keyspace, as a program does.
async fn fill(backend: &dyn Backend) {
    let login = Login {
        id: "S3cret".to_string(),
        user: 7,
    };
    login.save(backend).await.unwrap();
    let teaser = Teaser { page: 7 };
    teaser.set(backend, "V4lue".to_string()).await.unwrap();
    let hits = Hits {
        route: "/S3cret".to_string(),
    };
    hits.increment(backend).await.unwrap();
    assert!(Tries { user: 7 }.check(backend).await.unwrap().allowed);
    Settings.set(backend, 1).await.unwrap();
}

#[tokio::test]
async fn a_healthy_store_has_no_fault() {
    let backend = MemoryBackend::new();
    fill(&backend).await;
    let report = doctor(&backend).await.unwrap();
    assert_eq!(report.worst(), Some(Severity::Note), "{report}");
    assert!(report.has(FindingKind::MigratesUnneeded));
    assert_eq!(report.findings.len(), 1, "{report}");
    assert!(report.is_whole);
    for keys in ["login@2", "teaser", "hits", "tries", "settings"] {
        let row = row(&report, keys);
        assert_eq!(
            (row.entries, row.sampled, row.undecodable),
            (1, 1, 0),
            "{row:?}"
        );
        assert!(row.is_read_whole);
    }
    assert_eq!(row(&report, "settings").without_ttl, 1);
    let life = row(&report, "login@2").ttl.unwrap().longest;
    assert!(life <= 30 * MINUTE && life > 29 * MINUTE, "{life:?}");
}

#[tokio::test]
async fn an_empty_store_is_no_reason_to_worry() {
    let report = doctor(&MemoryBackend::new()).await.unwrap();
    assert_eq!(report.worst(), None, "{report}");
    assert!(report.to_string().contains("login@2"));
    assert_eq!(row(&report, "login").share(0).high, 0.0);
}
