//! No bad computation, and no full memory, harms other callers beyond a bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use reinhardt_backends::layer::Op;
use reinhardt_backends::testing::{Flaky, RecordedCall};
use reinhardt_backends::{Backend, BackendError, BackendResult, Eviction, Keyspace, MemoryBackend};
use reinhardt_backends_tests::PosingBackend;

use crate::{NEWS, PAGE, Source, Two, age, failure, flaky, on_every_store, until};

on_every_store! {
    a_computation_that_hangs_keeps_others_out_for_ten_leases_at_most
}

/// A page under a lease so short that the time of ten leases is soon over.
#[derive(Debug, Clone, Copy, PartialEq, Keyspace)]
#[keyspace(prefix = "hung", ttl = "5m", value = String, lease = "1s")]
struct Hung {
    page: u32,
}

async fn a_computation_that_hangs_keeps_others_out_for_ten_leases_at_most(two: Two) {
    let hung = Hung { page: 2 };
    let (source, backend) = (Source::closed(), two.one.clone());
    let stuck = source.clone();
    let leader = tokio::spawn(async move {
        let compute = || async { stuck.compute().await };
        hung.get_or_set_with(&backend, compute).await
    });
    until("it computes", async || source.begun() == 1).await;
    let compute = || async { Ok::<_, BackendError>("another's".to_string()) };
    let other = hung.get_or_set_with(&two.other, compute).await;
    assert_eq!(other.unwrap(), "another's");
    source.open_for(1);
    // The stored value counts, and not the one that the leader has computed.
    assert_eq!(leader.await.unwrap().unwrap(), "another's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_stays_in_a_full_memory_that_evicts() {
    let builder = MemoryBackend::builder().max_entries(1000);
    let memory = builder.eviction(Eviction::S3Fifo).build();
    let backend: Arc<dyn Backend> = Arc::new(memory.clone());
    let mut written = 0;
    let mut write = async |count| {
        for _ in 0..count {
            written += 1;
            let key = format!("other:{written}");
            memory.set(&key, written, None).await.unwrap();
        }
    };
    write(2000).await;
    let source = Source::closed();
    let page = source.page(&backend);
    until("it computes", async || source.begun() == 1).await;
    write(20_000).await;
    assert!(memory.exists("page@lease:1:2").await.unwrap());
    source.open_for(1);
    page.await.unwrap();
    assert_eq!(PAGE.get(&backend).await.unwrap().unwrap(), "computed 0");
}

/// Reads old news for a second, and says how often.
async fn hits(backend: &Arc<dyn Backend>, compute: impl Fn() -> BackendResult<String>) -> usize {
    let (began, mut hits) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(1) {
        let computed = compute();
        let news = NEWS.get_or_set_with(backend, move || async { computed });
        assert_eq!(news.await.unwrap(), "old");
        hits += 1;
        tokio::task::yield_now().await;
    }
    hits
}

/// Returns how often a lease of news was asked for.
fn attempts(backend: &Flaky<MemoryBackend>) -> usize {
    let is_attempt =
        |call: &&RecordedCall| call.op == Op::Write && call.key().starts_with("news@lease");
    backend.calls().iter().filter(is_attempt).count()
}

#[tokio::test]
async fn hits_on_an_old_value_that_does_not_refresh_try_now_and_then() {
    let first = flaky();
    let backend: Arc<dyn Backend> = Arc::new(first.clone());
    NEWS.set(first.inner(), "old").await.unwrap();
    age(first.inner(), NEWS).await;
    // At half of 100 ms, 200 ms, 400 ms and so on at the earliest.
    let most = 6;
    assert!(hits(&backend, || Err(failure())).await > 10 * most);
    let failed = attempts(&first);
    assert!((1..=most).contains(&failed), "{failed} of the source");

    let second = flaky();
    let backend: Arc<dyn Backend> = Arc::new(second.clone());
    NEWS.set(second.inner(), "old").await.unwrap();
    age(second.inner(), NEWS).await;
    let other = second
        .inner()
        .set("news@lease:1:2", "another process", None);
    other.await.unwrap();
    assert!(hits(&backend, || Ok("unheard".to_string())).await > 10 * most);
    let lost = attempts(&second);
    assert!((1..=most).contains(&lost), "{lost} for the lease");
}

#[tokio::test]
async fn a_refresh_keeps_nobody_waiting_at_a_store_that_came_to_its_address() {
    // The address of this backend is all that tells it from another backend.
    let mut slot = Box::new(PosingBackend::in_another_process(MemoryBackend::new()));
    NEWS.set(&*slot, "old").await.unwrap();
    age(&*slot, NEWS).await;
    let has_begun = Arc::new(AtomicBool::new(false));
    let begun = has_begun.clone();
    let hanging = NEWS.get_or_set_with(&*slot, move || async move {
        begun.store(true, SeqCst);
        std::future::pending::<Result<String, BackendError>>().await
    });
    assert_eq!(hanging.await.unwrap(), "old");
    until("it is refreshed", async || has_begun.load(SeqCst)).await;
    *slot = PosingBackend::in_another_process(MemoryBackend::new());
    let compute = || async { Ok::<_, BackendError>("its own".to_string()) };
    let news = NEWS.get_or_set_with(&*slot, compute);
    let news = tokio::time::timeout(crate::PATIENCE, news).await;
    assert_eq!(news.expect("it waits for nobody").unwrap(), "its own");
}
