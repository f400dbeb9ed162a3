//! The program that tests run in a process beside their own: it does one thing on a server, and
//! reads lines that tell it what to do next.

use std::io::stdin;
use std::process::exit;
use std::time::Duration;

use fork::{Fork, fork, waitpid};
use reinhardt_backends::lease::Lease;
use reinhardt_backends::{Backend, BackendError, ErrorKind, Keyspace, RedisBackend};
use tokio::runtime::{Builder, Runtime};

/// The same keyspace as in the tests.
#[derive(Keyspace)]
#[keyspace(prefix = "report", ttl = "1h", value = String, lease = "5s")]
struct Report<'a> {
    name: &'a str,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = runtime();
    match arguments[..] {
        ["hold", url, name, ttl] => {
            runtime.block_on(async { hold(&connect(url).await, name, millis(ttl)).await });
        }
        ["compute", url, name] => {
            runtime.block_on(async { compute(&connect(url).await, name).await });
        }
        ["from-env"] => runtime.block_on(from_env()),
        ["fork", url, silent] => fork_and_count(&runtime, url, silent),
        _ => panic!("unknown arguments: {arguments:?}"),
    }
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let builder = builder.worker_threads(1).enable_all();
    builder.build().expect("threads")
}

/// Stores an entry on the server that the environment names, or says why not.
async fn from_env() {
    match RedisBackend::from_env().await {
        Ok(backend) => {
            backend.set("k", 1, None).await.expect("an answer");
            println!("stored");
        }
        Err(error) => println!("{:?} {error} {error:?}", error.kind()),
    }
}

/// Says whether two calls in a row end by the limit of their attempts to connect. Before the second
/// attempt there is a pause.
async fn fails_to_connect_twice(silent: &str) -> bool {
    let builder = RedisBackend::builder().url(silent);
    let builder = builder.connect_timeout(Duration::from_millis(50));
    let builder = builder.call_timeout(Duration::from_secs(20));
    let backend = builder.build_lazy().expect("a URL");
    for _ in 0..2 {
        let error = backend.ping().await.expect_err("it is silent");
        let is_of_attempt = error.to_string().contains("no connection to");
        if error.kind() != ErrorKind::Timeout || !is_of_attempt {
            return false;
        }
    }
    true
}

/// Counts, forks, has the child count and ask a server that is silent, and counts again.
fn fork_and_count(parent: &Runtime, url: &str, silent: &str) {
    let builder = RedisBackend::builder().url(url);
    let builder = builder.call_timeout(Duration::from_secs(30));
    let backend = builder.build_lazy().expect("a URL");
    let counted = parent.block_on(backend.increment("hits", None));
    assert_eq!(counted.expect("an answer"), 1);
    assert!(parent.block_on(fails_to_connect_twice(silent)));
    match fork().expect("a child") {
        Fork::Child => {
            let counted = runtime().block_on(backend.increment("hits", None));
            let has_failed = runtime().block_on(fails_to_connect_twice(silent));
            let counted = counted.unwrap_or(99) as i32;
            exit(if has_failed { counted } else { 98 });
        }
        Fork::Parent(child) => {
            let status = waitpid(child).expect("the child ends");
            // The code is the second byte of a status.
            let of_child = status >> 8;
            let counted = parent.block_on(backend.increment("hits", None));
            let counted = counted.expect("an answer");
            println!("child: {of_child}, parent: {counted}");
        }
    }
}

async fn connect(url: &str) -> RedisBackend {
    let builder = RedisBackend::builder().url(url);
    let builder = builder.call_timeout(Duration::from_secs(30));
    builder.build().await.expect("the server answers")
}

fn millis(text: &str) -> Duration {
    Duration::from_millis(text.parse().expect("a number of milliseconds"))
}

/// Acquires a lease, says its number, and does with it what it is told.
async fn hold(backend: &RedisBackend, name: &str, ttl: Duration) {
    let lease = Lease::new(backend.clone(), name, ttl).expect("a name");
    let patience = Duration::from_secs(60);
    let guard = lease.acquire_within(patience).await.expect("an answer");
    let mut guard = guard.expect("it is free");
    println!("{}", guard.fencing_number());
    for line in stdin().lines().map_while(Result::ok) {
        match line.as_str() {
            "number" => println!("{}", guard.fencing_number()),
            "is_held" => println!("{}", guard.is_held()),
            "renew" => println!("{:?}", guard.renew().await.expect("an answer")),
            "release" => {
                println!("{}", guard.release().await.expect("an answer"));
                return;
            }
            _ => panic!("unknown order: {line}"),
        }
    }
}

/// Computes a report when it is told to, and prints the value that it got.
async fn compute(backend: &RedisBackend, name: &str) {
    let computed = Report { name }.get_or_set_with(backend, || async {
        println!("computing");
        let told = tokio::task::spawn_blocking(|| stdin().lines().next());
        let told = told.await.expect("a line").expect("a line");
        Ok::<_, BackendError>(told.expect("a line"))
    });
    println!("{}", computed.await.expect("an answer"));
}
