//! The whole job in one file: typed sessions and rate counters, and the raw API under them.
//!
//! `cargo run --example quickstart` runs it in memory; `-- --redis redis://localhost:6379`, or
//! `REDIS_URL`, on a server. A URL that begins with `rediss://` takes `--features tls`, and
//! `SSL_CERT_FILE` where the server's authority isn't one of the system's.

use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use reinhardt_backends::{Backend, BackendResult, Expiry, Keyspace, MemoryBackend, RedisBackend};
use serde::{Deserialize, Serialize};

/// An entry: the struct is the value, the marked field its key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
    user_id: u64,
    roles: Vec<String>,
}

/// A counter: every field is part of the key.
#[derive(Keyspace)]
#[keyspace(prefix = "rate", ttl = "60s", counter)]
struct RateCounter<'a> {
    route: &'a str,
    client: IpAddr,
}

const LIMIT: i64 = 3;

#[tokio::main]
async fn main() -> ExitCode {
    let url = match server_url() {
        Ok(url) => url,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(2);
        }
    };
    match run(url).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            if error.is_transient() {
                eprintln!("{HELP}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(url: Option<String>) -> BackendResult<()> {
    let backend: Arc<dyn Backend> = match url {
        None => {
            println!(
                "On memory, in this process. (`--redis URL` or REDIS_URL moves it to a server.)"
            );
            Arc::new(MemoryBackend::new())
        }
        Some(url) => {
            let builder = RedisBackend::builder().url(&url).namespace("quickstart");
            let backend = builder.build().await?;
            println!("On a Redis server, in the namespace \"quickstart\".");
            Arc::new(backend)
        }
    };
    backend.clear().await?;
    sessions(&backend).await?;
    limits(&backend).await?;
    life(&backend).await?;
    raw(&backend).await?;
    backend.clear().await
}

async fn sessions(backend: &Arc<dyn Backend>) -> BackendResult<()> {
    println!("\nSessions");
    let session = Session {
        id: "abc".to_string(),
        user_id: 7,
        roles: vec!["admin".to_string()],
    };
    session.save(backend).await?;
    println!("  saved under \"{}\"", Session::key("abc"));

    let read = Session::get(backend, "abc").await?;
    println!(
        "  read back: the same one: {}",
        read.as_ref() == Some(&session)
    );

    let changed = Session::update(backend, "abc", |session| session.roles.push("staff".into()));
    let roles = changed.await?.map(|session| session.roles);
    println!(
        "  updated in one atomic step: roles are {}",
        roles.unwrap_or_default().join(", ")
    );

    let gone = Session::delete(backend, "abc").await?;
    println!("  deleted at logout: {gone}");

    let saved = session.save_if_present(backend).await?;
    println!("  a late save can't bring it back: saved: {saved}");
    Ok(())
}

async fn limits(backend: &Arc<dyn Backend>) -> BackendResult<()> {
    println!("\nA limit of {LIMIT} logins a minute");
    let client = IpAddr::from([203, 0, 113, 9]);
    for attempt in 1..=4 {
        let counter = RateCounter {
            route: "/login",
            client,
        };
        let hits = counter.increment(backend).await?;
        let answer = if hits <= LIMIT { "allowed" } else { "refused" };
        println!("  attempt {attempt}: {answer}");
    }
    let window = RateCounter {
        route: "/login",
        client,
    }
    .ttl(backend)
    .await?;
    if let Some(Expiry::In(left)) = window {
        println!(
            "  the window closes by itself in {} s",
            left.as_secs_f64().ceil()
        );
    }
    Ok(())
}

async fn life(backend: &Arc<dyn Backend>) -> BackendResult<()> {
    println!("\nLife, to the millisecond");
    let session = Session {
        id: "brief".to_string(),
        user_id: 8,
        roles: Vec::new(),
    };
    session
        .save_for(backend, Duration::from_millis(200))
        .await?;
    println!(
        "  saved for 200 ms: there: {}",
        Session::exists(backend, "brief").await?
    );
    tokio::time::sleep(Duration::from_millis(250)).await;
    println!(
        "  250 ms later:     there: {}",
        Session::exists(backend, "brief").await?
    );
    Ok(())
}

async fn raw(backend: &Arc<dyn Backend>) -> BackendResult<()> {
    println!("\nThe raw API under it");
    let minute = Some(Duration::from_secs(60));
    backend.set("greeting", "hello", minute).await?;
    let greeting = backend.get::<String>("greeting").await?;
    println!("  set, then get: {}", greeting.unwrap_or_default());
    let mine = backend
        .set_if_absent("lock:report", "worker 1", minute)
        .await?;
    let yours = backend
        .set_if_absent("lock:report", "worker 2", minute)
        .await?;
    println!("  set_if_absent has one winner: {mine}, {yours}");
    let calls = backend.increment("api:calls", minute).await?;
    println!("  increment: {calls}");
    Ok(())
}

/// Returns the URL of the server from the arguments or the environment, or the usage of this
/// program.
fn server_url() -> Result<Option<String>, &'static str> {
    let mut arguments = std::env::args().skip(1);
    match (
        arguments.next().as_deref(),
        arguments.next(),
        arguments.next(),
    ) {
        (None, ..) => Ok(std::env::var("REDIS_URL")
            .ok()
            .filter(|url| !url.is_empty())),
        (Some("--redis"), Some(url), None) => Ok(Some(url)),
        _ => Err(USAGE),
    }
}

const HELP: &str = "Is a server running there? `redis-server` starts one on redis://localhost:6379. \
    Without `--redis` and REDIS_URL this program runs on memory.";

const USAGE: &str = "\
usage: quickstart [--redis URL]

Runs on memory, or on the server at URL (REDIS_URL unless given), in the namespace \"quickstart\".";
