//! A doctor looks at a store in which five things went wrong.
//!
//! `cargo run --example doctor` makes the faults in memory, `-- --redis redis://localhost:6379` or
//! `REDIS_URL` in a namespace of its own on a server. `-- --json` prints the report for other
//! programs. `-- --fail-on fault` (or `warning`, `note`) ends with exit code 1 if there is such a
//! finding or a worse one, as a job of CI would.

use std::process::ExitCode;
use std::time::Duration;

use reinhardt_backends::doctor::{Doctor, Examined, Severity};
use reinhardt_backends::{Backend, BackendResult, Keyspace, MemoryBackend, RedisBackend};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct SessionV1 {
    #[keyspace(key)]
    id: String,
}

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m", version = 2, migrates = SessionV1)]
struct Session {
    #[keyspace(key)]
    id: String,
    user: u64,
}

impl From<SessionV1> for Session {
    fn from(SessionV1 { id }: SessionV1) -> Self {
        Self { id, user: 0 }
    }
}

#[derive(Keyspace)]
#[keyspace(prefix = "teaser", ttl = "5m", value = String)]
struct Teaser {
    page: u64,
}

#[derive(Keyspace)]
#[keyspace(prefix = "hits", ttl = "1h", counter)]
struct Hits {
    route: String,
}

#[tokio::main]
async fn main() -> BackendResult<ExitCode> {
    let url = after("--redis").or_else(|| std::env::var("REDIS_URL").ok());
    match url {
        Some(url) => {
            let builder = RedisBackend::builder().url(&url);
            let backend = builder.namespace("doctored").build().await?;
            let code = examine(&backend).await;
            backend.clear().await?;
            backend.close().await;
            code
        }
        None => examine(&MemoryBackend::new()).await,
    }
}

async fn examine<B: Examined>(backend: &B) -> BackendResult<ExitCode> {
    make_faults(backend).await?;
    // On a server in production fewer commands a second may be wiser.
    let doctor = Doctor::new().sample_size(500).commands_per_second(2_000);
    let report = doctor.examine(backend).await?;
    match std::env::args().any(|word| word == "--json") {
        true => println!("{}", serde_json::json!(report)),
        false => println!("{report}"),
    }
    let at_least = match after("--fail-on").as_deref() {
        Some("note") => Severity::Note,
        Some("warning") => Severity::Warning,
        Some("fault") => Severity::Fault,
        _ => return Ok(ExitCode::SUCCESS),
    };
    Ok(report.exit_code(at_least))
}

/// Writes what programs write, and what they shouldn't.
async fn make_faults<B: Backend>(backend: &B) -> BackendResult<()> {
    for user in 0..400 {
        let id = format!("s{user}");
        Session { id, user }.save(backend).await?;
        let teaser = Teaser { page: user };
        teaser.set(backend, "read on".to_string()).await?;
    }
    let hour = Some(Duration::from_secs(3600));
    // A version of the program that is long gone has left a session behind.
    let id = "old".to_string();
    SessionV1 { id }.save(backend).await?;
    // A script of another team has no idea of lives,
    let by_hand = Teaser { page: 1_000 }.key();
    backend.set(&by_hand, "read on", None).await?;
    // nor of types,
    let route = "/".to_string();
    backend.set(&Hits { route }.key(), "many", hour).await?;
    // nor of keys,
    backend.set("hits:/:today", 7, hour).await?;
    // nor of this program.
    backend.set("report:2024", "..", None).await
}

fn after(word: &str) -> Option<String> {
    std::env::args().skip_while(|other| other != word).nth(1)
}
