//! The program that tests run as a second process: it does one thing on a server and is told what to do next.

use std::io::stdin;
use std::time::Duration;

use reinhardt_backends::lease::Lease;
use reinhardt_backends::{BackendError, Keyspace, RedisBackend};

/// As the tests have it.
#[derive(Keyspace)]
#[keyspace(prefix = "report", ttl = "1h", value = String, lease = "5s")]
struct Report<'a> {
    name: &'a str,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["hold", url, name, ttl] => hold(&connect(url).await, name, millis(ttl)).await,
        ["compute", url, name] => compute(&connect(url).await, name).await,
        _ => panic!("unknown arguments: {arguments:?}"),
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

/// Computes a report, when it is told so, and says what it got.
async fn compute(backend: &RedisBackend, name: &str) {
    let computed = Report { name }.get_or_set_with(backend, || async {
        println!("computing");
        let told = tokio::task::spawn_blocking(|| stdin().lines().next());
        let told = told.await.expect("a line").expect("a line");
        Ok::<_, BackendError>(told.expect("a line"))
    });
    println!("{}", computed.await.expect("an answer"));
}
