//! Tokens in place of a password, as ElastiCache and Azure issue them: each lives for minutes, and
//! the connections log in again before it ends.
//!
//! `cargo run --example credentials` says what the two sources return. With
//! `-- --redis redis://localhost:6379`, or `REDIS_URL`, it logs in on a server. A server without a
//! password takes the made-up tokens; for another one, set `REDIS_USER` and `REDIS_PASSWORD`.

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use reinhardt_backends::{Backend, BackendResult, Credentials, RedisBackend};

/// The life of a token. Tokens of ElastiCache live for 15 minutes, tokens of Entra for an hour or
/// more. Here it is a second, so that there is something to see.
const LIFE: Duration = Duration::from_secs(1);
/// The time for which a backend is called: some lives of a token.
const RUN: Duration = Duration::from_secs(3);

type Provided = Result<Credentials, Box<dyn Error + Send + Sync>>;

/// Stands in for the service that issues tokens, and counts them.
#[derive(Default)]
struct Issuer {
    issued: AtomicU32,
}

/// A token with the time at which it ends, as Entra returns it.
struct Token {
    text: String,
    expires_on: SystemTime,
}

impl Issuer {
    /// Stands in for a request to the service. It signs nothing.
    async fn issue(&self) -> io::Result<Token> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let number = 1 + self.issued.fetch_add(1, Ordering::Relaxed);
        let text = std::env::var("REDIS_PASSWORD").unwrap_or_else(|_| format!("token {number}"));
        let expires_on = SystemTime::now() + LIFE;
        Ok(Token { text, expires_on })
    }
}

/// ElastiCache with IAM: the user is the id of the user in ElastiCache. The token is the URL of a
/// request `connect` that the AWS SDK signs (`aws-sigv4`), without its scheme. All tokens live for
/// 15 minutes, and a connection lives for 12 hours unless it logs in again.
async fn elasticache(issuer: Arc<Issuer>) -> Provided {
    let token = issuer.issue().await?;
    Ok(Credentials::new(user(), token.text).valid_for(LIFE))
}

/// Azure with Entra: the user is the object id of the identity. The token comes from
/// `azure_identity`, for the scope `https://redis.azure.com/.default`, and says when it ends. The
/// SDK may return a token that it has issued before.
async fn entra(issuer: Arc<Issuer>) -> Provided {
    let token = issuer.issue().await?;
    let left = token.expires_on.duration_since(SystemTime::now())?;
    Ok(Credentials::new(user(), token.text).valid_for(left))
}

fn user() -> String {
    std::env::var("REDIS_USER").unwrap_or_else(|_| "default".to_string())
}

#[tokio::main]
async fn main() -> ExitCode {
    let url = match server_url() {
        Ok(url) => url,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(2);
        }
    };
    let outcome = match url {
        Some(url) => on_server(&url).await.map_err(Into::into),
        None => on_none().await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("credentials: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn on_none() -> Result<(), Box<dyn Error + Send + Sync>> {
    println!("Without a server. (`--redis URL` or REDIS_URL names one.)");
    let issuer = Arc::new(Issuer::default());
    // `Debug` doesn't show the token.
    println!("ElastiCache: {:?}", elasticache(issuer.clone()).await?);
    println!("Entra:       {:?}", entra(issuer).await?);
    Ok(())
}

async fn on_server(url: &str) -> BackendResult<()> {
    let issuer = Arc::new(Issuer::default());
    let of_closure = issuer.clone();
    let backend = RedisBackend::builder()
        .url(url)
        .credentials(move || elasticache(of_closure.clone()));
    call("ElastiCache", &backend.build().await?, &issuer).await?;

    let issuer = Arc::new(Issuer::default());
    let of_closure = issuer.clone();
    let backend = RedisBackend::builder()
        .url(url)
        .credentials(move || entra(of_closure.clone()));
    call("Entra", &backend.build().await?, &issuer).await
}

/// Calls a backend for some lives of a token.
async fn call(name: &str, backend: &RedisBackend, issuer: &Issuer) -> BackendResult<()> {
    let begun = Instant::now();
    let mut calls = 0;
    while begun.elapsed() < RUN {
        backend
            .set("credentials:example", calls, Some(LIFE))
            .await?;
        calls += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let issued = issuer.issued.load(Ordering::Relaxed);
    println!("{name}: {calls} calls over {RUN:?}, none failed, with {issued} tokens");
    backend.close().await;
    Ok(())
}

/// Returns the URL of the server from the arguments or the environment, or the usage of this
/// program.
fn server_url() -> Result<Option<String>, &'static str> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => Ok(std::env::var("REDIS_URL")
            .ok()
            .filter(|url| !url.is_empty())),
        [option, url] if option == "--redis" => Ok(Some(url.clone())),
        _ => Err(USAGE),
    }
}

const USAGE: &str = "\
usage: credentials [--redis URL]

Logs in on the server at URL (REDIS_URL unless given), which names no login: REDIS_USER and
REDIS_PASSWORD do, where made-up tokens don't.";
