//! Waiting for a future on a plain thread, also within another wait of the same thread.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Waits for a future.
///
/// `futures::executor::block_on` refuses to wait within a wait, as code that a call runs has to.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    if let Poll::Ready(output) = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        return output;
    }
    let bell = Arc::new(Bell {
        rings: AtomicBool::new(true),
        thread: thread::current(),
    });
    let waker = Waker::from(bell.clone());
    loop {
        // A wait within may have taken the token of this one's `unpark`, but not the flag.
        if !bell.rings.swap(false, Ordering::SeqCst) {
            thread::park();
            continue;
        }
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
    }
}

/// Gives way to other tasks, or threads, so many times.
pub(super) async fn give_way(times: u32) {
    for _ in 0..times {
        let mut has_given_way = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut has_given_way, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            thread::yield_now();
            Poll::Pending
        })
        .await;
    }
}

struct Bell {
    rings: AtomicBool,
    thread: Thread,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rings.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}
