//! Leases have one owner at a time and numbers that grow, and leave nothing behind.

mod acquiring;
mod processes;
mod stalled_runtimes;
mod threads;
mod time;

use std::sync::Arc;
use std::time::Duration;

use reinhardt_backends::Backend;
use reinhardt_backends::lease::{Lease, LeaseGuard};
use reinhardt_backends_tests::ScriptedBackend;
use tokio::sync::Semaphore;

const HOUR: Duration = Duration::from_secs(3600);
/// A time that no machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

fn lease<B: Backend + Clone + 'static>(backend: &B, ttl: Duration) -> Lease<B> {
    Lease::new(backend.clone(), "job", ttl).unwrap()
}

async fn acquire<B: Backend + Clone + 'static>(lease: &Lease<B>) -> LeaseGuard<B> {
    lease.acquire().await.unwrap().expect("nobody has it")
}

/// Returns a backend whose calls are all done, and of which so many are answered as the semaphore
/// has permits. A removal is always answered, as the background has nothing to do but remove.
fn answering<B>(inner: B, answers: usize) -> (ScriptedBackend<B>, Arc<Semaphore>) {
    let answers = Arc::new(Semaphore::new(answers));
    let gate = answers.clone();
    let backend = ScriptedBackend::new(inner).after(move |name, _| {
        let gate = gate.clone();
        async move {
            if name != "remove" {
                gate.acquire().await.unwrap().forget();
            }
            Ok(())
        }
    });
    (backend, answers)
}
