//! Leases: one owner at a time, numbers that grow, and nothing left behind.

mod acquiring;
mod processes;
mod stalled_runtimes;
mod threads;
mod time;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use reinhardt_backends::lease::{Lease, LeaseGuard};
use reinhardt_backends::store::Store;
use reinhardt_backends::{
    Backend, BackendError, BackendResult, Counted, ErrorKind, Expiry, KeyStream, Life, Stored,
    Write,
};
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

/// A backend whose callers never get the answer to the call at one position, although the call is
/// done.
#[derive(Clone)]
struct Stalling<B> {
    inner: B,
    /// The number of answers that are given.
    answers: Arc<Semaphore>,
    /// The number of writes that fail before a write is made.
    failures: Arc<AtomicUsize>,
}

impl<B> Stalling<B> {
    fn after(inner: B, answers: usize) -> Self {
        let answers = Arc::new(Semaphore::new(answers));
        Self {
            inner,
            answers,
            failures: Arc::default(),
        }
    }

    async fn answer<T>(&self, answer: T) -> T {
        self.answers.acquire().await.unwrap().forget();
        answer
    }
}

#[async_trait]
impl<B: Backend> Store for Stalling<B> {
    async fn read(&self, key: &str) -> BackendResult<Option<(Stored, Expiry)>> {
        self.answer(self.inner.read(key).await).await
    }

    async fn put(&self, key: &str, value: &[u8], options: Write<'_>) -> BackendResult<bool> {
        let fails = |left: usize| left.checked_sub(1);
        if (self.failures.fetch_update(SeqCst, SeqCst, fails)).is_ok() {
            return Err(BackendError::new(ErrorKind::Unavailable, "not now"));
        }
        self.answer(self.inner.put(key, value, options).await).await
    }

    /// Answers always, as the background has nothing to do but remove.
    async fn remove(&self, key: &str, expected: Option<&[u8]>) -> BackendResult<bool> {
        self.inner.remove(key, expected).await
    }

    async fn add(&self, key: &str, delta: i64, ttl: Option<Duration>) -> BackendResult<Counted> {
        self.answer(self.inner.add(key, delta, ttl).await).await
    }

    async fn set_life(&self, key: &str, life: Life) -> BackendResult<bool> {
        self.answer(self.inner.set_life(key, life).await).await
    }

    fn keys<'a>(&'a self, prefix: &str) -> KeyStream<'a> {
        self.inner.keys(prefix)
    }
}
