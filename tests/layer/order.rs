//! The order of layers, the backends that take one, and what stays that of the store inside.

use std::sync::Mutex;

use reinhardt_backends::layer::{Answer, Intercept, Next, Operation};
use reinhardt_backends::store::Store;
use reinhardt_backends::{BackendResult, KeyStream};

use super::*;

type Log = Arc<Mutex<Vec<&'static str>>>;

/// Writes down when a call comes and when its answer does.
struct Named {
    comes: &'static str,
    goes: &'static str,
    log: Log,
}

impl Intercept for Named {
    async fn call<T: Answer>(&self, _: Operation<'_>, next: Next<'_, T>) -> BackendResult<T> {
        self.log.lock().unwrap().push(self.comes);
        let answer = next.run().await;
        self.log.lock().unwrap().push(self.goes);
        answer
    }

    fn keys<'a>(&'a self, _: Operation<'_>, next: KeyStream<'a>) -> KeyStream<'a> {
        next
    }
}

#[tokio::test]
async fn the_layer_that_is_added_last_is_outermost() {
    let log = Log::default();
    let named = |comes, goes| Named {
        comes,
        goes,
        log: log.clone(),
    };
    let backend = MemoryBackend::new()
        .layer(named("into a", "out of a"))
        .layer(named("into b", "out of b"));
    backend.set("user:7", "ann", None).await.unwrap();
    let expected = ["into b", "into a", "out of a", "out of b"];
    assert_eq!(*log.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_trait_object_takes_a_layer_and_a_layered_backend_is_one() {
    let layer = Recording::<true>::default();
    let shared: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let layered: Arc<dyn Backend> = Arc::new(shared.clone().layer(layer.clone()));
    let again: Box<dyn Backend> = Box::new(layered.layer(Recording::<true>::default()));
    ann().save(&*again).await.unwrap();
    assert_eq!(User::get(&*shared, 7).await.unwrap(), Some(ann()));
    assert_eq!(layer.take().len(), 1);
}

/// A flight knows its store by the identity: handles with and without a layer share it.
#[tokio::test]
async fn the_limits_and_the_identity_are_those_of_the_store_inside() {
    let memory = MemoryBackend::builder().value_limit(10).build();
    let layered = memory.clone().layer(Recording::<true>::default());
    let twice = layered.clone().layer(Recording::<false>::default());
    for info in [layered.info(), layered.clone().info(), twice.info()] {
        assert_eq!(info.instance, memory.info().instance);
        assert_eq!(info.limits.value, 10);
    }
}

#[tokio::test]
async fn clones_share_the_layer() {
    let layer = Recording::<true>::default();
    let backend = MemoryBackend::new().layer(layer.clone());
    backend.clone().set("user:7", "ann", None).await.unwrap();
    backend.set("user:8", "bob", None).await.unwrap();
    assert_eq!(layer.take().len(), 2);
}
