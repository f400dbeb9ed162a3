//! Caches that go on while their server is killed or stands still, and until it is back.

use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Instant;

use reinhardt_backends::layer::{Answer, Intercept, Next, Operation};
use reinhardt_backends::{BackendResult, KeyStream, RedisBackend};

use super::*;

/// The limit of a call.
const LIMIT: Duration = Duration::from_millis(500);
/// The time that a machine may take beyond a limit.
const MORE: Duration = Duration::from_millis(2500);

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
    let backend = builder.call_timeout(LIMIT).build().await.unwrap();
    std::mem::forget(backend.clone());
    backend
}

fn is_away(error: &BackendError) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_caller_waits_for_its_limit_and_the_others_for_nothing() {
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
        let begun = Instant::now();
        assert_eq!(price.get(&backend).await.unwrap(), None);
        assert!(begun.elapsed() < LIMIT + MORE, "{:?}", begun.elapsed());
        // Between two probes.
        let mut quick = 0;
        for _ in 0..1000 {
            let begun = Instant::now();
            assert_eq!(price.get(&backend).await.unwrap(), None);
            price.set(&backend, 6).await.unwrap();
            quick += u32::from(begun.elapsed() < Duration::from_millis(5));
        }
        assert!(quick > 950, "{quick} of 1000");
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
        let begun = Instant::now();
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
        assert!(begun.elapsed() < LIMIT + MORE, "{:?}", begun.elapsed());
    }
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

/// A history on a server that is killed, stands still and comes back, around removals.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_removed_is_served_again() {
    goes_on!(Price, "dead.history");
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
    let callers = (0..16).map(|caller| {
        let (backend, is_over) = (backend.clone(), is_over.clone());
        tokio::spawn(async move {
            let (mut removals, mut failures) = (0_u32, 0_u32);
            for round in 0.. {
                if is_over.load(SeqCst) {
                    break;
                }
                let price = Price {
                    article: caller * 100_000 + round,
                };
                let mut removed = 0;
                for number in 0..20 {
                    if number % 2 == 0 {
                        price.set(&backend, number).await.unwrap();
                    }
                    let compute = async || number;
                    let found = price.get_or_compute(&backend, compute).await.unwrap();
                    assert!(found >= removed, "{found} after {removed} was removed");
                    match price.delete(&backend).await {
                        Ok(_) => {
                            removed = number + 1;
                            removals += 1;
                            let found = price.get(&backend).await.unwrap();
                            assert_eq!(found, None, "{number} was removed");
                        }
                        Err(error) => {
                            assert!(is_away(&error), "{error}");
                            failures += 1;
                        }
                    }
                }
            }
            (removals, failures)
        })
    });
    let (mut removals, mut failures) = (0, 0);
    for caller in callers.collect::<Vec<_>>() {
        let (removed, failed) = caller.await.unwrap();
        (removals, failures) = (removals + removed, failures + failed);
    }
    breaking.join().unwrap();
    assert!(
        removals > 100 && failures > 10,
        "{removals} removals, {failures} failures"
    );
    let went_on = Price::INFO.went_on();
    assert!(went_on.reads > 0 && went_on.writes > 0, "{went_on:?}");
}
