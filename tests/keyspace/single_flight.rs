//! Of all callers of `get_or_set_with` that miss at the same time one computes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures::future::join_all;
use futures::{FutureExt, poll};
use reinhardt_backends::keyspace::{Key, Valued};
use reinhardt_backends::{Backend, BackendError, ErrorKind, Expiry, MemoryBackend, cache};
use tokio::time::{sleep, timeout};

use crate::home;

const DEADLINE: Duration = Duration::from_secs(3600);

/// A page that takes a second to make and counts how often it was made.
#[derive(Default)]
struct Renderer(AtomicUsize);

impl Renderer {
    async fn render(&self) -> Result<String, BackendError> {
        sleep(Duration::from_secs(1)).await;
        Ok(format!("page {}", self.0.fetch_add(1, SeqCst)))
    }

    fn renderings(&self) -> usize {
        self.0.load(SeqCst)
    }
}

fn failure() -> BackendError {
    BackendError::new(ErrorKind::Other, "no template")
}

#[tokio::test(start_paused = true)]
async fn a_hit_computes_nothing() {
    let backend = MemoryBackend::new();
    home().set(&backend, "there").await.unwrap();
    let renderer = Renderer::default();
    let page = home().get_or_set_with(&backend, || renderer.render()).await;
    assert_eq!(page.unwrap(), "there");
    assert_eq!(renderer.renderings(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_computed_value_is_stored_for_the_declared_time() {
    let backend = MemoryBackend::new();
    let renderer = Renderer::default();
    let page = home().get_or_set_with(&backend, || renderer.render()).await;
    assert_eq!(page.unwrap(), "page 0");
    assert_eq!(home().get(&backend).await.unwrap().unwrap(), "page 0");
    assert_eq!(
        home().ttl(&backend).await.unwrap(),
        Some(Expiry::In(Duration::from_secs(5 * 60)))
    );
}

#[tokio::test(start_paused = true)]
async fn a_thousand_misses_compute_once() {
    let backend = MemoryBackend::new();
    let renderer = Arc::new(Renderer::default());
    let tasks = (0..1000).map(|_| {
        let (backend, renderer) = (backend.clone(), renderer.clone());
        tokio::spawn(async move { home().get_or_set_with(&backend, || renderer.render()).await })
    });
    let pages = timeout(DEADLINE, join_all(tasks)).await.unwrap();
    for page in pages {
        assert_eq!(page.unwrap().unwrap(), "page 0");
    }
    assert_eq!(renderer.renderings(), 1);
}

#[tokio::test(start_paused = true)]
async fn different_keys_compute_at_the_same_time() {
    let backend = MemoryBackend::new();
    let renderer = Renderer::default();
    let other = crate::Page {
        locale: "de",
        ..home()
    };
    let started = tokio::time::Instant::now();
    let (first, second) = tokio::join!(
        home().get_or_set_with(&backend, || renderer.render()),
        other.get_or_set_with(&backend, || renderer.render()),
    );
    assert_ne!(first.unwrap(), second.unwrap());
    assert_eq!(started.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn two_stores_compute_separately() {
    let (first, second) = (MemoryBackend::new(), MemoryBackend::new());
    let renderer = Renderer::default();
    let (first, second) = tokio::join!(
        home().get_or_set_with(&first, || renderer.render()),
        home().get_or_set_with(&second, || renderer.render()),
    );
    assert_ne!(first.unwrap(), second.unwrap());
    assert_eq!(renderer.renderings(), 2);
}

#[tokio::test(start_paused = true)]
async fn clones_and_arcs_are_one_store() {
    let backend = MemoryBackend::new();
    let clone = backend.clone();
    let shared: Arc<dyn Backend> = Arc::new(backend.clone());
    let borrowed: &dyn Backend = &backend;
    let renderer = Renderer::default();
    let pages = tokio::join!(
        home().get_or_set_with(&backend, || renderer.render()),
        home().get_or_set_with(&clone, || renderer.render()),
        home().get_or_set_with(&shared, || renderer.render()),
        home().get_or_set_with(borrowed, || renderer.render()),
    );
    assert_eq!(renderer.renderings(), 1);
    for page in [pages.0, pages.1, pages.2, pages.3] {
        assert_eq!(page.unwrap(), "page 0");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_leader_wakes_one_waiter() {
    let backend = MemoryBackend::new();
    let renderer = Renderer::default();
    let fail = || async {
        sleep(Duration::from_secs(1)).await;
        Err(failure())
    };
    let (leader, waiter, another) = tokio::join!(
        home().get_or_set_with(&backend, fail),
        home().get_or_set_with(&backend, || renderer.render()),
        home().get_or_set_with(&backend, || renderer.render()),
    );
    assert_eq!(leader.unwrap_err().kind(), ErrorKind::Other);
    assert_eq!(waiter.unwrap(), "page 0");
    assert_eq!(another.unwrap(), "page 0");
    assert_eq!(renderer.renderings(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_leader_wakes_one_waiter() {
    let backend = MemoryBackend::new();
    let renderer = Renderer::default();
    let mut leader = Box::pin(home().get_or_set_with(&backend, || async {
        std::future::pending::<()>().await;
        Err::<String, _>(failure())
    }));
    assert!(poll!(&mut leader).is_pending());
    let mut waiter = Box::pin(home().get_or_set_with(&backend, || renderer.render()));
    let mut another = Box::pin(home().get_or_set_with(&backend, || renderer.render()));
    assert!(poll!(&mut waiter).is_pending());
    assert!(poll!(&mut another).is_pending());
    drop(leader);
    let (waiter, another) = timeout(DEADLINE, async { tokio::join!(waiter, another) })
        .await
        .unwrap();
    assert_eq!(waiter.unwrap(), "page 0");
    assert_eq!(another.unwrap(), "page 0");
    assert_eq!(renderer.renderings(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_leader_wakes_one_waiter() {
    let backend = MemoryBackend::new();
    let renderer = Renderer::default();
    let leader = home().get_or_set_with(&backend, || async {
        sleep(Duration::from_secs(1)).await;
        if true {
            panic!("the leader panics");
        }
        Err::<String, _>(failure())
    });
    let leader = std::panic::AssertUnwindSafe(leader).catch_unwind();
    let (leader, waiter) = timeout(DEADLINE, async {
        tokio::join!(
            leader,
            home().get_or_set_with(&backend, || renderer.render())
        )
    })
    .await
    .unwrap();
    assert!(leader.is_err());
    assert_eq!(waiter.unwrap(), "page 0");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_waiter_holds_up_nobody() {
    let backend = MemoryBackend::new();
    let renderer = Renderer::default();
    let mut leader = Box::pin(home().get_or_set_with(&backend, || renderer.render()));
    let mut dropped = Box::pin(home().get_or_set_with(&backend, || renderer.render()));
    let mut waiter = Box::pin(home().get_or_set_with(&backend, || renderer.render()));
    assert!(poll!(&mut leader).is_pending());
    assert!(poll!(&mut dropped).is_pending());
    assert!(poll!(&mut waiter).is_pending());
    drop(dropped);
    let (leader, waiter) = timeout(DEADLINE, async { tokio::join!(leader, waiter) })
        .await
        .unwrap();
    assert_eq!(leader.unwrap(), "page 0");
    assert_eq!(waiter.unwrap(), "page 0");
}

#[tokio::test(start_paused = true)]
async fn a_value_that_was_set_meanwhile_is_returned_and_not_overwritten() {
    let backend = MemoryBackend::new();
    let compute = || async {
        home().set(&backend, "theirs").await?;
        Ok::<_, BackendError>("mine".to_string())
    };
    let page = home().get_or_set_with(&backend, compute).await;
    assert_eq!(page.unwrap(), "theirs");
    assert_eq!(home().get(&backend).await.unwrap().unwrap(), "theirs");
}

#[tokio::test(start_paused = true)]
async fn who_misses_after_the_value_has_gone_computes_anew() {
    let backend = MemoryBackend::new();
    let renderer = Renderer::default();
    let first = home().get_or_set_with(&backend, || renderer.render()).await;
    assert_eq!(first.unwrap(), "page 0");
    home().delete(&backend).await.unwrap();
    let second = home().get_or_set_with(&backend, || renderer.render()).await;
    assert_eq!(second.unwrap(), "page 1");
}

#[tokio::test(start_paused = true)]
async fn who_misses_while_a_waiter_has_yet_to_wake_computes_anew() {
    let backend = MemoryBackend::new();
    let renderer = Renderer::default();
    let mut leader = Box::pin(home().get_or_set_with(&backend, || renderer.render()));
    let mut waiter = Box::pin(home().get_or_set_with(&backend, || renderer.render()));
    assert!(poll!(&mut leader).is_pending());
    assert!(poll!(&mut waiter).is_pending());
    assert_eq!(leader.await.unwrap(), "page 0");
    home().delete(&backend).await.unwrap();
    let late = home().get_or_set_with(&backend, || renderer.render());
    let late = timeout(DEADLINE, late).await.unwrap();
    assert_eq!(late.unwrap(), "page 1");
    assert_eq!(waiter.await.unwrap(), "page 0");
}

/// The one asks while a value is computed that isn't for it, the other when that is done, and the
/// store has kept nothing.
#[tokio::test(start_paused = true)]
async fn who_asks_in_between_and_who_asks_later_do_not_compute_at_the_same_time() {
    let backend = MemoryBackend::builder().max_entries(1).build();
    backend.set("other", 1, None).await.unwrap();
    let renderer = Renderer::default();
    let ask = || {
        home()
            .get_or_set_with(&backend, || renderer.render())
            .boxed()
    };
    let mut first = ask();
    assert!(poll!(&mut first).is_pending());
    let mut between = ask();
    assert!(poll!(&mut between).is_pending());
    assert_eq!(first.await.unwrap(), "page 0");
    let mut later = ask();
    assert!(poll!(&mut later).is_pending());
    assert!(poll!(&mut between).is_pending());
    assert_eq!(between.await.unwrap(), "page 1");
    assert_eq!(later.await.unwrap(), "page 1");
}

#[tokio::test(start_paused = true)]
async fn a_failure_stores_nothing_and_is_the_callers_own_type() {
    #[derive(Debug)]
    enum Failure {
        Template,
        Backend,
    }
    impl From<BackendError> for Failure {
        fn from(_: BackendError) -> Self {
            Self::Backend
        }
    }
    let backend = MemoryBackend::new();
    let failed = home().get_or_set_with(&backend, || async { Err(Failure::Template) });
    assert!(matches!(failed.await, Err(Failure::Template)));
    assert!(!home().exists(&backend).await.unwrap());
    backend.set(&home().key(), 7, None).await.unwrap();
    let failed = home().get_or_set_with(&backend, || async { Err(Failure::Template) });
    assert!(matches!(failed.await, Err(Failure::Backend)));
}

#[tokio::test(start_paused = true)]
async fn a_closure_that_can_not_fail_needs_no_result() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let renderer = Renderer::default();
    let pages = tokio::join!(
        home().get_or_compute(&backend, || async { renderer.render().await.unwrap() }),
        home().get_or_compute(&backend, async || renderer.render().await.unwrap()),
        home().get_or_set_with(&backend, || renderer.render()),
    );
    for page in [pages.0, pages.1, pages.2] {
        assert_eq!(page.unwrap(), "page 0");
    }
    assert_eq!(renderer.renderings(), 1);
    assert_eq!(home().get(&backend).await.unwrap().unwrap(), "page 0");
}

#[tokio::test(start_paused = true)]
async fn a_backend_fails_where_a_closure_can_not() {
    let backend = MemoryBackend::new();
    backend.set(&home().key(), 7, None).await.unwrap();
    let failed = home().get_or_compute(&backend, async || unreachable!());
    assert_eq!(failed.await.unwrap_err().kind(), ErrorKind::Decode);
}

#[tokio::test(start_paused = true)]
async fn generic_code_computes_what_can_not_fail() {
    async fn fill<K: Valued<Value = String>>(backend: &dyn Backend, key: Key) -> String {
        let page = cache::single_flight::get_or_compute::<K, _, _, _>(backend, key, async || {
            "x".to_string()
        });
        page.await.unwrap()
    }
    let backend = MemoryBackend::new();
    assert_eq!(fill::<crate::Page<'_>>(&backend, home().key()).await, "x");
}
