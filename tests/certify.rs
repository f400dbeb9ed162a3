//! Asks the server of a URL for every clause of the contract that can be asked without breaking it,
//! and prints the table.
//!
//! ```text
//! cargo run -p reinhardt-backends-tests --bin certify -- redis://127.0.0.1:6379
//! ```
//!
//! The clauses write in namespaces of their own, `certify-..`, which they empty again. The exit
//! code is 1 if a clause isn't kept.

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use reinhardt_backends::conformance::{Harness, clauses};
use reinhardt_backends::{Backend, RedisBackend};
use tokio::runtime::Runtime;

/// The URL that was given.
static URL: OnceLock<String> = OnceLock::new();
static NAMESPACES: AtomicU64 = AtomicU64::new(0);

#[derive(Default)]
struct AtUrl;

impl Harness for AtUrl {
    type Backend = RedisBackend;

    async fn backend(&self) -> RedisBackend {
        let number = NAMESPACES.fetch_add(1, Ordering::Relaxed);
        let builder = RedisBackend::builder().url(URL.get().expect("it was given"));
        let builder = builder.namespace(&format!("certify-{}-{number}", std::process::id()));
        builder.build().await.expect("the server answers")
    }
}

fn main() -> ExitCode {
    let Some(url) = std::env::args().nth(1) else {
        eprintln!("usage: certify URL");
        return ExitCode::from(2);
    };
    let url = URL.get_or_init(|| url);
    let runtime = Runtime::new().expect("a runtime can be built");
    let server = match runtime.block_on(RedisBackend::new(url)) {
        Ok(backend) => backend,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    for node in server.status().nodes {
        let version = node.version.unwrap_or_default();
        println!(
            "{} {version} {}",
            node.address,
            node.mode.unwrap_or_default()
        );
    }
    println!("\n| clause | kept | time |\n|---|---|---|");
    let all = clauses::<AtUrl>();
    let count = all.len();
    let mut kept = 0;
    for clause in all {
        let start = Instant::now();
        let name = clause.name;
        // On a thread of its own: a clause has a runtime of its own.
        let asked = thread::spawn(move || catch_unwind(|| clause.ask()));
        let is_kept = matches!(asked.join(), Ok(Ok(())));
        kept += usize::from(is_kept);
        let answer = if is_kept { "yes" } else { "**no**" };
        println!(
            "| `{name}` | {answer} | {:.1} s |",
            start.elapsed().as_secs_f64()
        );
    }
    println!("\n{kept} of {count} clauses; those of a server that breaks can't be asked here");
    runtime.block_on(empty(&server));
    match kept == count {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Empties the namespaces of the clauses.
async fn empty(server: &RedisBackend) {
    for number in 0..NAMESPACES.load(Ordering::Relaxed) {
        let builder = RedisBackend::builder().url(URL.get().expect("it was given"));
        let builder = builder.namespace(&format!("certify-{}-{number}", std::process::id()));
        if let Ok(backend) = builder.build().await {
            if let Err(error) = backend.clear().await {
                eprintln!("namespace {number} isn't empty: {error}");
            }
            backend.close().await;
        }
    }
    server.close().await;
}
