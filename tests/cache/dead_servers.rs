//! Caches that go on while their server is killed or stands still, and until it is back.

use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Instant;

use reinhardt_backends::layer::{Answer, Intercept, Next, Operation};
use reinhardt_backends::{BackendResult, KeyStream, ReadFrom, RedisBackend};

use super::*;

/// The limit of a call.
const LIMIT: Duration = Duration::from_millis(500);

/// Counts the calls that are under way.
#[derive(Debug, Clone, Default)]
struct Counting {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    all: Arc<AtomicUsize>,
}

impl Intercept for Counting {
    async fn call<T: Answer>(&self, _: Operation<'_>, next: Next<'_, T>) -> BackendResult<T> {
        let now = self.now.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(now, SeqCst);
        self.all.fetch_add(1, SeqCst);
        let answer = next.run().await;
        self.now.fetch_sub(1, SeqCst);
        answer
    }

    fn keys<'a>(&'a self, _: Operation<'_>, next: KeyStream<'a>) -> KeyStream<'a> {
        next
    }
}

async fn connect(server: &Server) -> RedisBackend {
    let builder = RedisBackend::builder().url(&server.url());
    builder.call_timeout(LIMIT).build().await.unwrap()
}

fn is_away(error: &BackendError) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_on_without_a_server_and_with_it_again() {
    goes_on!(Price, "dead.first");
    for is_killed in [true, false] {
        let mut server = Server::start();
        let backend = connect(&server).await;
        let price = Price { article: 7 };
        price.set(&backend, 5).await.unwrap();
        match is_killed {
            true => server.kill(),
            false => server.pause(),
        }
        assert_eq!(price.get(&backend).await.unwrap(), None);
        price.set(&backend, 6).await.unwrap();
        let computed = price.get_or_compute(&backend, async || 9).await.unwrap();
        assert_eq!(computed, 9);
        assert!(is_away(&price.delete(&backend).await.unwrap_err()));
        assert!(is_away(
            &price.set_if_absent(&backend, 6).await.unwrap_err()
        ));
        match is_killed {
            true => server.restart(),
            false => server.resume(),
        }
        if !is_killed {
            until("the value from before is read again", async || {
                price.get(&backend).await.unwrap() == Some(5)
            })
            .await;
        }
        until("it is stored again", async || {
            price.set(&backend, 8).await.unwrap();
            price.get(&backend).await.unwrap() == Some(8)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_keys_of_other_nodes_of_a_cluster_are_read_and_written() {
    goes_on!(Price, "dead.node");
    let cluster = Cluster::of_primaries(3, &["--cluster-require-full-coverage", "no"]);
    let builder = RedisBackend::builder().url(&cluster.url_of_all());
    let backend = builder.call_timeout(LIMIT * 2).build().await.unwrap();
    let is_on_dead = |price: &Price| {
        let slot = cluster.slot_of(&format!("reinhardt:{}", price.key()));
        cluster.owner_of(slot) == 0
    };
    let all = (0..60).map(|article| Price { article });
    let (dead, live): (Vec<Price>, Vec<Price>) = all.partition(is_on_dead);
    for price in &live {
        price.set(&backend, 5).await.unwrap();
    }
    cluster.kill(0);
    let is_over = Arc::new(AtomicBool::new(false));
    let askers: Vec<_> = dead
        .iter()
        .take(8)
        .map(|price| {
            let (backend, is_over, price) = (backend.clone(), is_over.clone(), *price);
            tokio::spawn(async move {
                let mut asked = 0;
                while !is_over.load(SeqCst) {
                    assert_eq!(price.get(&backend).await.unwrap(), None);
                    price.set(&backend, 6).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    asked += 1;
                }
                asked
            })
        })
        .collect();
    let end = Instant::now() + LIMIT * 6;
    let mut number = 5;
    while Instant::now() < end {
        for price in &live {
            assert_eq!(price.get(&backend).await.unwrap(), Some(number));
        }
        // With keys of the dead node among them none is read, and the others aren't away for that.
        let mixed = [live[0], dead[0], live[1]];
        let none = Price::get_many(&backend, mixed).await.unwrap();
        assert_eq!(none, [None; 3]);
        number += 1;
        let entries = live.iter().map(|price| (*price, number));
        Price::set_many(&backend, entries).await.unwrap();
        let mixed = mixed.map(|price| (price, number));
        Price::set_many(&backend, mixed).await.unwrap();
    }
    is_over.store(true, SeqCst);
    for asker in askers {
        assert!(asker.await.unwrap() > 0);
    }
    assert!(number > 6, "{number}");
}

/// Threads with runtimes of their own, as a server has them.
#[test]
fn one_caller_at_a_time_asks_a_server_that_stands_still() {
    goes_on!(Price, "dead.probes");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = Server::start();
    let counting = Counting::default();
    let backend = runtime.block_on(connect(&server)).layer(counting.clone());
    let price = Price { article: 7 };
    server.pause();
    assert_eq!(runtime.block_on(price.get(&backend)).unwrap(), None);
    counting.most.store(0, SeqCst);
    counting.all.store(0, SeqCst);
    let begun = Instant::now();
    let is_over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (backend, is_over) = (backend.clone(), is_over.clone());
            thread::spawn(move || {
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = runtime.enable_all().build().unwrap();
                let mut answered = 0_u32;
                while !is_over.load(SeqCst) {
                    runtime.block_on(async {
                        assert_eq!(price.get(&backend).await.unwrap(), None);
                        price.set(&backend, 5).await.unwrap();
                    });
                    answered += 1;
                    thread::sleep(Duration::from_micros(100));
                }
                answered
            })
        })
        .collect();
    thread::sleep(Duration::from_secs(3));
    is_over.store(true, SeqCst);
    let answered: u32 = callers
        .into_iter()
        .map(|caller| caller.join().unwrap())
        .sum();
    assert_eq!(counting.most.load(SeqCst), 1, "one at a time");
    // Each of them waits for its limit.
    let at_most = begun.elapsed().as_millis() / LIMIT.as_millis() + 1;
    let asked = counting.all.load(SeqCst) as u128;
    assert!(
        (1..=at_most).contains(&asked),
        "{asked} in {:?}",
        begun.elapsed()
    );
    assert!(answered > 1000, "{answered} calls");
    server.resume();
    runtime.block_on(until("it is asked again", async || {
        price.set(&backend, 6).await.unwrap();
        price.get(&backend).await.unwrap() == Some(6)
    }));
}

/// A dead primary doesn't take away the replica that reads are from.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_is_read_while_the_primary_stands_still() {
    goes_on!(Price, "dead.primary");
    let primary = Server::on_tcp_with(&["--repl-diskless-sync-delay", "0"]);
    let port = primary.port().to_string();
    let follows = ["--replicaof", "127.0.0.1", &port];
    let replica = Server::on_tcp_with(&follows);
    until("the replica follows", async || {
        primary.command("INFO replication").contains("state=online")
    })
    .await;
    let builder = RedisBackend::builder().url(&primary.url());
    let backend = builder.call_timeout(LIMIT * 2).build().await.unwrap();
    let handle = backend.reading_from(ReadFrom::Replica);
    let price = Price { article: 7 };
    price.set(&handle, 5).await.unwrap();
    until("the replica has it", async || {
        replica.command("DBSIZE").contains(":1")
    })
    .await;
    until("the replica is read from", async || {
        assert_eq!(price.get(&handle).await.unwrap(), Some(5));
        replica
            .command("INFO commandstats")
            .contains("cmdstat_get:")
    })
    .await;
    primary.pause();
    let missing = Price { article: 8 };
    let begun = Instant::now();
    assert_eq!(
        missing.get_or_compute(&handle, async || 9).await.unwrap(),
        9
    );
    assert!(begun.elapsed() < LIMIT * 4, "once: {:?}", begun.elapsed());
    for _ in 0..200 {
        missing.set(&handle, 6).await.unwrap();
        assert_eq!(
            missing.get_or_compute(&handle, async || 9).await.unwrap(),
            9
        );
        assert_eq!(price.get(&handle).await.unwrap(), Some(5));
    }
    primary.resume();
}

/// A history on a server that is killed, stands still and comes back. Almost all of what was lost
/// is lost with the server or comes in its order here; `lost_writes` has a store where it comes
/// late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_removed_is_served_again() {
    let server = Server::start();
    let backend = connect(&server).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let until_over = is_over.clone();
    let breaking = thread::spawn(move || {
        let mut server = server;
        for round in 0..12 {
            thread::sleep(Duration::from_millis(fastrand::u64(50..200)));
            if round % 2 == 0 {
                server.pause();
                thread::sleep(Duration::from_millis(fastrand::u64(100..1200)));
                server.resume();
            } else {
                server.kill();
                thread::sleep(Duration::from_millis(fastrand::u64(1..300)));
                server.restart();
            }
        }
        until_over.store(true, SeqCst);
        server
    });
    let (removals, failures) = removal_history::run(backend, is_over, async || ()).await;
    drop(breaking.join().unwrap());
    assert!(
        removals > 100 && failures > 10,
        "{removals} removals, {failures} failures"
    );
}
