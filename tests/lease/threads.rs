//! Of many owners on threads of their own two are never inside.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use reinhardt_backends::{Backend, MemoryBackend};
use reinhardt_backends_tests::Server;

use crate::{HOUR, PATIENCE, lease};

const THREADS: usize = 8;
const EACH: usize = 25;

/// The state that the lease protects.
#[derive(Default)]
struct Inside {
    owners: AtomicUsize,
    numbers: Mutex<Vec<u64>>,
}

impl Inside {
    fn check(&self) {
        let numbers = self.numbers.lock().unwrap();
        assert_eq!(numbers.len(), THREADS * EACH);
        assert!(numbers.is_sorted_by(|a, b| a < b), "in the order of grants");
    }
}

/// Takes the lease many times. Some of the guards are released, the others dropped.
async fn work<B: Backend + Clone + 'static>(backend: B, inside: &Inside) {
    let lease = lease(&backend, HOUR);
    for round in 0..EACH {
        let guard = lease.acquire_within(PATIENCE).await.unwrap();
        let guard = guard.expect("everybody gets a turn");
        assert_eq!(inside.owners.fetch_add(1, SeqCst), 0, "two are inside");
        inside.numbers.lock().unwrap().push(guard.fencing_number());
        tokio::task::yield_now().await;
        assert_eq!(inside.owners.fetch_sub(1, SeqCst), 1, "two are inside");
        if round % 2 == 0 {
            assert!(guard.release().await.unwrap());
        }
    }
    // The guard that was dropped last is released before the runtime ends.
    let last = lease.acquire_within(PATIENCE).await.unwrap();
    assert!(last.unwrap().release().await.unwrap());
}

fn on_threads(inside: &Inside, work: impl AsyncFn(&Inside) + Sync) {
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                runtime.unwrap().block_on(work(inside));
            });
        }
    });
}

#[test]
fn two_are_never_inside_in_memory() {
    let (backend, inside) = (MemoryBackend::new(), Inside::default());
    on_threads(&inside, async |inside| work(backend.clone(), inside).await);
    inside.check();
}

#[test]
fn two_are_never_inside_on_a_server() {
    let (server, inside) = (Server::start(), Inside::default());
    on_threads(&inside, async |inside| {
        work(server.connect().await, inside).await;
    });
    inside.check();
}
