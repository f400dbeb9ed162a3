//! A spawned computation outlives its callers.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use futures::{FutureExt, poll};
use reinhardt_backends::keyspace::{Key, Valued};
use reinhardt_backends::{Backend, BackendError, ErrorKind, Keyspace, MemoryBackend, cache};
use reinhardt_backends_tests::PosingBackend;
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

use crate::{
    NEWS, News, PAGE, PATIENCE, PLAIN, Page, Plain, Source, Two, age, failure, lasting,
    on_every_store, until,
};

const MANY: usize = 50;

on_every_store! {
    a_value_without_words_is_stored_although_everybody_has_left
    a_leased_value_is_stored_although_everybody_has_left
    a_stale_value_is_stored_although_everybody_has_left
    what_was_deleted_meanwhile_stays_deleted
    callers_in_another_process_wait_for_the_task
}

/// Gets a value of the keyspace `K`. A task computes the value where that is needed.
fn get<K>(
    source: &Arc<Source>,
    backend: &Arc<dyn Backend>,
    key: Key,
) -> BoxFuture<'static, Result<String, BackendError>>
where
    K: Valued<Value = String> + 'static,
{
    let (source, backend) = (source.clone(), backend.clone());
    let compute = || async move { source.compute().await };
    async move { cache::get_or_set_spawned::<K, _, _, _, _>(&backend, key, compute).await }.boxed()
}

async fn a_value_without_words_is_stored_although_everybody_has_left(two: Two) {
    everybody_leaves::<Plain>(&two, PLAIN.key()).await;
}

async fn a_leased_value_is_stored_although_everybody_has_left(two: Two) {
    everybody_leaves::<Page>(&two, PAGE.key()).await;
}

async fn a_stale_value_is_stored_although_everybody_has_left(two: Two) {
    everybody_leaves::<News>(&two, NEWS.key()).await;
}

async fn everybody_leaves<K: Valued<Value = String> + 'static>(two: &Two, key: Key) {
    let source = Source::closed();
    let first = get::<K>(&source, &two.one, key.clone());
    let first = tokio::spawn(timeout(Duration::from_millis(300), first));
    until("it computes", async || source.begun() == 1).await;
    let callers = (0..MANY).map(|_| {
        let call = get::<K>(&source, &two.one, key.clone());
        tokio::spawn(timeout(Duration::from_millis(20), call))
    });
    for left in join_all(callers).await {
        assert!(left.unwrap().is_err(), "nobody waits for so long");
    }
    assert!(first.await.unwrap().is_err());
    assert_eq!(two.one.get_stored(&key).await.unwrap(), None);

    let waiting = get::<K>(&source, &two.one, key.clone());
    let waiting = tokio::spawn(waiting);
    source.open_for(1);
    until("it is stored", async || {
        two.other.exists(&key).await.unwrap()
    })
    .await;
    let waited = timeout(PATIENCE, waiting).await.unwrap();
    assert_eq!(waited.unwrap().unwrap(), "computed 0");
    let hit = get::<K>(&source, &two.other, key.clone()).await;
    assert_eq!(hit.unwrap(), "computed 0");
    assert_eq!(source.begun(), 1);
}

async fn what_was_deleted_meanwhile_stays_deleted(two: Two) {
    let source = Source::closed();
    let mut left = get::<Page>(&source, &two.one, PAGE.key());
    until("it computes", async || {
        assert!(poll!(&mut left).is_pending());
        source.begun() == 1
    })
    .await;
    drop(left);
    assert!(!PAGE.delete(&two.other).await.unwrap());
    source.open_for(2);
    // A caller that comes after the task computes the present value of the source.
    let after = get::<Page>(&source, &two.one, PAGE.key());
    let after = timeout(PATIENCE, after).await.unwrap();
    assert!(["computed 0", "computed 1"].contains(&after.unwrap().as_str()));
    let is_older = async || {
        let stored = PAGE.get(&two.other).await.unwrap();
        stored.as_deref() == Some("computed 0")
    };
    if two._cluster.is_none() {
        assert!(!is_older().await, "older than the deletion");
    }
    // On a cluster the lease and the value are on two nodes. So the value is written before its
    // lease is found to be gone, and is seen until it is taken back.
    until("nothing is older than the deletion", async || {
        !is_older().await
    })
    .await;
}

async fn callers_in_another_process_wait_for_the_task(two: Two) {
    let source = Source::closed();
    let mut left = get::<Page>(&source, &two.one, PAGE.key());
    until("it computes", async || {
        assert!(poll!(&mut left).is_pending());
        source.begun() == 1
    })
    .await;
    drop(left);
    let elsewhere = tokio::spawn(get::<Page>(&source, &two.other, PAGE.key()));
    source.open_for(1);
    let waited = timeout(PATIENCE, elsewhere).await.unwrap();
    assert_eq!(waited.unwrap().unwrap(), "computed 0");
    assert_eq!(source.begun(), 1);
}

/// A source that takes almost two and a half seconds.
async fn slowly(begun: Arc<AtomicUsize>) -> Result<String, BackendError> {
    begun.fetch_add(1, SeqCst);
    sleep(Duration::from_millis(2450)).await;
    Ok("computed".to_string())
}

/// Has a caller come every tenth of a second, for ten seconds, each with a second of patience;
/// returns how many got the value.
async fn impatient<F>(call: impl Fn() -> F) -> usize
where
    F: Future<Output = Result<String, BackendError>> + Send + 'static,
{
    let mut callers = Vec::new();
    for _ in 0..100 {
        callers.push(tokio::spawn(timeout(Duration::from_secs(1), call())));
        sleep(Duration::from_millis(100)).await;
    }
    let answers = join_all(callers).await;
    let answers = answers.into_iter().map(Result::unwrap);
    answers.filter(|answer| answer.is_ok()).count()
}

/// The figures of the documentation.
#[tokio::test(start_paused = true)]
async fn callers_whose_patience_is_shorter_than_the_computation_get_it_once_it_is_done() {
    let backend = lasting(MemoryBackend::new());
    let begun = Arc::<AtomicUsize>::default();
    let answers = impatient(|| {
        let (backend, begun) = (backend.clone(), begun.clone());
        async move { PLAIN.get_or_set_with(&backend, || slowly(begun)).await }
    });
    assert_eq!((answers.await, begun.swap(0, SeqCst)), (0, 100));

    macro_rules! spawned {
        ($($keyspace:expr),*) => {$(
            let answers = impatient(|| {
                let (backend, begun) = (backend.clone(), begun.clone());
                async move {
                    $keyspace.get_or_set_spawned(&backend, || slowly(begun)).await
                }
            });
            assert_eq!((answers.await, begun.swap(0, SeqCst)), (85, 1));
        )*};
    }
    spawned!(PLAIN, PAGE, NEWS);
}

#[tokio::test(start_paused = true)]
async fn who_left_while_it_waited_computes_nothing() {
    let backend = lasting(MemoryBackend::new());
    let source = Source::open();
    let failing = {
        let backend = backend.clone();
        let compute = || async {
            sleep(Duration::from_secs(2)).await;
            Err(failure())
        };
        async move { PLAIN.get_or_set_spawned(&backend, compute).await }
    };
    let failing = tokio::spawn(failing);
    sleep(Duration::from_secs(1)).await;
    let calls = (0..MANY).map(|_| {
        let call = get::<Plain>(&source, &backend, PLAIN.key());
        timeout(Duration::from_millis(500), call)
    });
    assert!(join_all(calls).await.iter().all(Result::is_err));
    assert_eq!(failing.await.unwrap().unwrap_err().kind(), ErrorKind::Other);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(source.begun(), 0);
    assert!(!PLAIN.exists(&backend).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_after_its_caller_has_left_wakes_one_waiter() {
    for leave in [false, true] {
        let backend = lasting(MemoryBackend::new());
        let source = Source::open();
        let compute = || async {
            sleep(Duration::from_secs(2)).await;
            Err(failure())
        };
        let mut failing = Box::pin(PAGE.get_or_set_spawned(&backend, compute));
        assert!(poll!(&mut failing).is_pending());
        let waiting = (0..MANY).map(|_| tokio::spawn(get::<Page>(&source, &backend, PAGE.key())));
        let waiting: Vec<_> = waiting.collect();
        sleep(Duration::from_secs(1)).await;
        match leave {
            true => drop(failing),
            false => assert_eq!(failing.await.unwrap_err().kind(), ErrorKind::Other),
        }
        let waited = timeout(PATIENCE, join_all(waiting)).await.unwrap();
        for value in waited {
            assert_eq!(value.unwrap().unwrap(), "computed 0");
        }
        assert_eq!(source.begun(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_its_own_callers_and_wakes_one_waiter() {
    let backend = lasting(MemoryBackend::new());
    let source = Source::open();
    let compute = || async {
        sleep(Duration::from_secs(1)).await;
        if true {
            panic!("the closure panics");
        }
        Err::<String, _>(failure())
    };
    let panicking = PLAIN.get_or_set_spawned(&backend, compute);
    let panicking = std::panic::AssertUnwindSafe(panicking).catch_unwind();
    let waiting = async {
        sleep(Duration::from_millis(500)).await;
        get::<Plain>(&source, &backend, PLAIN.key()).await
    };
    let both = async { tokio::join!(panicking, waiting) };
    let (panicked, waited) = timeout(PATIENCE, both).await.unwrap();
    let panic = panicked.unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"the closure panics"));
    assert_eq!(waited.unwrap(), "computed 0");
}

#[tokio::test(start_paused = true)]
async fn an_old_value_is_served_at_once_and_refreshed() {
    let backend = lasting(MemoryBackend::new());
    let source = Source::closed();
    NEWS.set(&backend, "old").await.unwrap();
    age(&backend, NEWS).await;
    let old = get::<News>(&source, &backend, NEWS.key()).await;
    assert_eq!(old.unwrap(), "old");
    source.open_for(1);
    until("it is refreshed", async || {
        NEWS.get(&backend).await.unwrap().unwrap() == "computed 0"
    })
    .await;
}

#[derive(Keyspace)]
#[keyspace(prefix = "hung", ttl = "1m", value = String, lease = "50ms")]
struct Hung;

/// In real time, as leases go by it.
#[tokio::test]
async fn a_task_that_hangs_is_waited_for_as_long_as_ten_leases() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let hangs = Hung.get_or_set_spawned(&backend, std::future::pending::<Result<_, BackendError>>);
    assert!(timeout(Duration::from_millis(20), hangs).await.is_err());
    let computes = || async { Ok::<_, BackendError>("there".to_string()) };
    let waits = Hung.get_or_set_spawned(&backend, computes);
    assert_eq!(timeout(PATIENCE, waits).await.unwrap().unwrap(), "there");
    assert_eq!(Hung.get(&backend).await.unwrap().as_deref(), Some("there"));
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_task_that_goes_with_its_runtime_is_an_error_and_holds_up_nobody() {
    let backend = lasting(MemoryBackend::new());
    let (first, second) = (Source::closed(), Source::open());
    let (home, gone) = (runtime(), runtime());
    let mut leading = get::<Page>(&first, &backend, PAGE.key());
    gone.block_on(until("it computes", async || {
        assert!(poll!(&mut leading).is_pending());
        first.begun() == 1
    }));
    drop(gone);
    home.block_on(async {
        let error = timeout(PATIENCE, leading).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let next = get::<Page>(&second, &backend, PAGE.key());
        assert_eq!(
            timeout(PATIENCE, next).await.unwrap().unwrap(),
            "computed 0"
        );
    });
}

#[test]
fn without_a_runtime_the_caller_computes() {
    let backend = lasting(MemoryBackend::new());
    let source = Source::closed();
    computes_itself::<Plain>(&source, &backend, &PLAIN.key());
    computes_itself::<Page>(&source, &backend, &PAGE.key());
    computes_itself::<News>(&source, &backend, &NEWS.key());
    assert_eq!(source.begun(), 6, "each that left had begun one");
}

fn computes_itself<K>(source: &Arc<Source>, backend: &Arc<dyn Backend>, key: &Key)
where
    K: Valued<Value = String> + 'static,
{
    let left = get::<K>(source, backend, key.clone()).now_or_never();
    assert!(left.is_none(), "it waits for the source");
    assert!(
        backend
            .get_stored(key)
            .now_or_never()
            .unwrap()
            .unwrap()
            .is_none()
    );
    source.open_for(1);
    let next = get::<K>(source, backend, key.clone()).now_or_never();
    assert!(next.expect("nobody leads").is_ok());
}

/// The task would lead in a flight of an address that is nobody's once the caller has left.
#[tokio::test]
async fn on_a_backend_whose_clones_are_other_stores_the_caller_computes() {
    let remote = PosingBackend::in_another_process(MemoryBackend::new());
    let source = Source::closed();
    let call = || {
        let source = source.clone();
        PLAIN.get_or_set_spawned(&remote, || async move { source.compute().await })
    };
    let mut left = Box::pin(call());
    assert!(poll!(&mut left).is_pending());
    drop(left);
    source.open_for(1);
    let all = join_all((0..MANY).map(|_| call())).await;
    assert!(
        all.iter()
            .all(|value| value.as_ref().unwrap() == "computed 1")
    );
}

/// A value that stays on its thread.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Local(u8, PhantomData<*const ()>);

#[derive(Keyspace)]
#[keyspace(prefix = "local", ttl = "5m", value = Local)]
struct LocalAt {
    page: u32,
}

#[tokio::test]
async fn a_value_that_is_not_send_has_the_other_accessors() {
    let backend = MemoryBackend::new();
    let compute = async || Ok::<_, BackendError>(Local(7, PhantomData));
    let local = LocalAt { page: 1 }.get_or_set_with(&backend, compute).await;
    assert_eq!(local.unwrap(), Local(7, PhantomData));
}
