//! The fast path of memory goes by `call_now`, if the layer says so.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

fn polled_once<T>(call: impl Future<Output = T>) -> Option<T> {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

#[test]
fn a_layer_with_a_fast_path_keeps_it() {
    let layer = Recording::<true>::default();
    let backend = MemoryBackend::new().layer(layer.clone());
    polled_once(ann().save(&backend)).unwrap().unwrap();
    polled_once(User::get(&backend, 7))
        .unwrap()
        .unwrap()
        .unwrap();
    polled_once(backend.increment("hits", None))
        .unwrap()
        .unwrap();
    let calls = layer.take();
    assert!(calls.iter().all(|call| call.is_fast), "{calls:?}");
    let key = "layered-user:7";
    let expected = [
        call(Op::Write, &[key]),
        call(Op::Read, &[key]),
        call(Op::Increment, &["hits"]),
    ];
    assert_eq!(seen(calls), expected);
}

#[test]
fn without_one_every_call_is_a_future() {
    let layer = Recording::<false>::default();
    let backend = MemoryBackend::new().layer(layer.clone());
    polled_once(ann().save(&backend)).unwrap().unwrap();
    polled_once(User::get(&backend, 7))
        .unwrap()
        .unwrap()
        .unwrap();
    let calls = layer.take();
    assert_eq!(calls.len(), 2);
    assert!(calls.iter().all(|call| !call.is_fast), "{calls:?}");
}

/// One layer without a fast path is enough to see all calls.
#[test]
fn a_layer_without_one_takes_it_from_the_layers_around_it() {
    let (inner, outer) = (Recording::<false>::default(), Recording::<true>::default());
    let backend = MemoryBackend::new()
        .layer(inner.clone())
        .layer(outer.clone());
    polled_once(ann().save(&backend)).unwrap().unwrap();
    for calls in [inner.take(), outer.take()] {
        assert_eq!(calls.len(), 1);
        assert!(!calls[0].is_fast);
    }
}

/// A value that was decoded is attached to the entry inside, and handed out by later reads.
#[tokio::test]
async fn decoded_values_are_shared_through_a_layer() {
    let memory = MemoryBackend::new();
    let backend = memory.clone().layer(Recording::<true>::default());
    ann().save(&backend).await.unwrap();
    let first = User::get_shared(&backend, 7).await.unwrap().unwrap();
    let again = User::get_shared(&backend, 7).await.unwrap().unwrap();
    let inside = User::get_shared(&memory, 7).await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&first, &again) && Arc::ptr_eq(&first, &inside));
}
