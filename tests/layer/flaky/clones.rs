//! Clones share the rules and the record, on any number of threads, and layers go around them.

use std::sync::Arc;
use std::thread;

use futures::executor::block_on;
use reinhardt_backends::store::Store;
use reinhardt_backends_tests::Recording;

use super::*;

#[tokio::test]
async fn clones_share_rules_record_and_store() {
    let flaky = flaky();
    let clone = flaky.clone();
    let rule = clone.on(Op::Write).nth(2).fail(ErrorKind::Full);
    flaky.set("key", 1, None).await.unwrap();
    assert_eq!(told(clone.set("key", 2, None).await).0, ErrorKind::Full);
    assert_eq!(rule.applied(), 1);
    assert_eq!(flaky.count(Op::Write), 2);
    clone.down();
    assert!(flaky.is_down());
    flaky.up();
    assert_eq!(clone.get("key").await.unwrap(), Some(1));
}

#[test]
fn threads_share_one_count() {
    const THREADS: usize = 8;
    const CALLS: usize = 500;
    let flaky = flaky();
    let rule = flaky.on(Op::Increment).after(100).first(1000).lose_before();
    let failed: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let flaky = flaky.clone();
                scope.spawn(move || {
                    let call = |_: &usize| block_on(flaky.increment("hits", None)).is_err();
                    (0..CALLS).filter(call).count()
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!((failed, rule.applied()), (1000, 1000));
    assert_eq!(flaky.count(Op::Increment), THREADS * CALLS);
    let sum: Option<usize> = block_on(flaky.inner().get("hits")).unwrap();
    assert_eq!(sum, Some(THREADS * CALLS - 1000));
}

#[tokio::test]
async fn it_is_a_trait_object_and_takes_layers() {
    let flaky = flaky();
    flaky.on(Op::Write).lose_after();
    let layer = Recording::<true>::default();
    let backend: Arc<dyn Backend> = Arc::new(flaky.clone().layer(layer.clone()));
    assert!(backend.set("key", 1, None).await.is_err());
    assert_eq!(layer.take().len(), 1);
    let around: Flaky<Arc<dyn Backend>> = Flaky::new(backend);
    assert_eq!(around.get("key").await.unwrap(), Some(1));
}

#[tokio::test]
async fn it_is_the_store_inside_and_has_no_fast_path() {
    let flaky: Flaky<MemoryBackend> = Flaky::default();
    let (inside, outside) = (flaky.inner().info(), flaky.clone().info());
    assert_eq!(inside.instance, outside.instance);
    assert!(flaky.as_sync().is_none());
}
