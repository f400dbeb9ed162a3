//! Leases have one owner at a time and numbers that grow, and leave nothing behind.

mod acquiring;
mod processes;
mod stalled_runtimes;
mod threads;
mod time;

use std::time::Duration;

use reinhardt_backends::Backend;
use reinhardt_backends::layer::Op;
use reinhardt_backends::lease::{Lease, LeaseGuard};
use reinhardt_backends::testing::{Flaky, Held};

const HOUR: Duration = Duration::from_secs(3600);
/// A time that no machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

fn lease<B: Backend + Clone + 'static>(backend: &B, ttl: Duration) -> Lease<B> {
    Lease::new(backend.clone(), "job", ttl).unwrap()
}

async fn acquire<B: Backend + Clone + 'static>(lease: &Lease<B>) -> LeaseGuard<B> {
    lease.acquire().await.unwrap().expect("nobody has it")
}

/// Returns a backend whose calls are all done, and of which so many are answered, and more as the
/// test lets them. A removal is always answered, as the background has nothing to do but remove.
fn answering<B: Backend>(inner: B, answers: usize) -> (Flaky<B>, Held) {
    let backend = Flaky::new(inner);
    backend.on(Op::Remove).pass();
    let held = backend.on_any().hold_after();
    held.release(answers);
    (backend, held)
}
