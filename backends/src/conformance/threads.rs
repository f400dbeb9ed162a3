//! Real threads for clauses about races, and calls that are given up.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Barrier};
use std::task::Poll;
use std::thread;

use futures_util::future::join_all;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// Runs `work` on `count` threads at once, each with a runtime of its own, and returns their
/// results.
///
/// Waits without blocking: the runtime of the caller may drive the backend's connection.
pub(super) async fn on_threads<B, T, F, W>(backend: &Arc<B>, count: usize, work: W) -> Vec<T>
where
    B: Send + Sync + 'static,
    T: Send + 'static,
    F: Future<Output = T>,
    W: Fn(Arc<B>, usize) -> F + Send + Sync + 'static,
{
    let work = Arc::new(work);
    let start = Arc::new(Barrier::new(count));
    let thread = |index| {
        let (work, start, backend) = (work.clone(), start.clone(), backend.clone());
        let (send, receive) = oneshot::channel();
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime can be built");
            start.wait();
            let _ = send.send(runtime.block_on(work(backend, index)));
        });
        receive
    };
    let results = join_all((0..count).map(thread)).await;
    let result = |result: Result<T, _>| result.expect("no thread of a clause panics");
    results.into_iter().map(result).collect()
}

/// Polls a call up to `polls` times, with other tasks in between, and drops it.
pub(super) async fn give_up_after<T>(polls: usize, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    for _ in 0..polls {
        let polled = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}
