//! In a full memory store the token's place becomes the value's, and without a place nothing is
//! computed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use reinhardt_backends::layer::Op;
use reinhardt_backends::testing::Flaky;
use reinhardt_backends::{
    Backend, BackendError, BackendResult, ErrorKind, Eviction, MemoryBackend,
};

use crate::{NEWS, PAGE, age, lasting, until};

/// A store for so many entries that others have filled up to so many places.
async fn filled(most: usize, places: usize, eviction: Eviction) -> MemoryBackend {
    let builder = MemoryBackend::builder().max_entries(most);
    let backend = builder.eviction(eviction).build();
    for index in places..most {
        let key = format!("stranger:{index}");
        backend.set(&key, "value", None).await.unwrap();
    }
    backend
}

async fn computed(backend: &Arc<dyn Backend>, count: &AtomicUsize) -> BackendResult<String> {
    let compute = || async {
        count.fetch_add(1, SeqCst);
        Ok::<_, BackendError>("computed".to_string())
    };
    PAGE.get_or_set_with(backend, compute).await
}

#[tokio::test]
async fn one_place_is_enough_for_the_token_and_then_the_value() {
    for most in [1, 3, 2_048] {
        let memory = filled(most, 1, Eviction::Off).await;
        let (backend, count) = (lasting(memory.clone()), AtomicUsize::new(0));
        for _ in 0..2 {
            assert_eq!(computed(&backend, &count).await.unwrap(), "computed");
        }
        assert_eq!(count.load(SeqCst), 1, "it is stored");
        assert_eq!(memory.stats().entries, most);
        // Again and again in the same place.
        assert!(PAGE.delete(&backend).await.unwrap());
        assert_eq!(computed(&backend, &count).await.unwrap(), "computed");
        assert_eq!(count.load(SeqCst), 2);
    }
}

#[tokio::test]
async fn without_a_place_nothing_is_computed() {
    for most in [1, 3, 2_048] {
        let memory = filled(most, 0, Eviction::Off).await;
        let (backend, count) = (lasting(memory.clone()), AtomicUsize::new(0));
        let error = computed(&backend, &count).await.unwrap_err();
        assert_eq!((error.kind(), count.load(SeqCst)), (ErrorKind::Full, 0));
        assert_eq!(memory.stats().entries, most);
    }
}

#[tokio::test]
async fn a_value_that_is_computed_evicts_one_entry_and_not_two() {
    let memory = filled(100, 0, Eviction::S3Fifo).await;
    let (backend, count) = (lasting(memory.clone()), AtomicUsize::new(0));
    computed(&backend, &count).await.unwrap();
    let stats = memory.stats();
    assert_eq!((stats.entries, stats.evicted), (100, 1));
}

#[tokio::test]
async fn a_refresh_needs_one_place_and_gives_it_back() {
    for eviction in [Eviction::Off, Eviction::S3Fifo] {
        let memory = filled(3, 2, eviction).await;
        let backend = lasting(memory.clone());
        NEWS.set(&backend, "old").await.unwrap();
        age(&memory, NEWS).await;
        let compute = || async { Ok::<_, BackendError>("new".to_string()) };
        assert_eq!(
            NEWS.get_or_set_with(&backend, compute).await.unwrap(),
            "old"
        );
        until("it is refreshed", async || {
            NEWS.get(&backend).await.unwrap().as_deref() == Some("new")
        })
        .await;
        let stats = memory.stats();
        assert_eq!((stats.entries, stats.evicted), (2, 0));
    }
}

#[tokio::test]
async fn an_old_value_stays_where_a_refresh_finds_no_place() {
    let memory = filled(2, 1, Eviction::Off).await;
    let flaky = Flaky::new(memory.clone());
    let backend = lasting(flaky.clone());
    NEWS.set(&memory, "old").await.unwrap();
    age(&memory, NEWS).await;
    let count = Arc::new(AtomicUsize::new(0));
    let computing = count.clone();
    let compute = move || async move {
        computing.fetch_add(1, SeqCst);
        Ok::<_, BackendError>("new".to_string())
    };
    let news = NEWS.get_or_set_with(&backend, compute).await;
    assert_eq!(news.unwrap(), "old");
    until("it was tried", async || flaky.count(Op::Write) > 0).await;
    assert_eq!(NEWS.get(&backend).await.unwrap().as_deref(), Some("old"));
    assert_eq!((count.load(SeqCst), memory.stats().entries), (0, 2));
}
