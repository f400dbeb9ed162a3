//! One background task for an owner that may outlive runtimes.

use std::future::Future;
use std::sync::{Arc, PoisonError};

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{AbortHandle, Handle, Mutex};

/// Runs at most one task at a time, on the runtime that uses the owner.
///
/// When that runtime ends, the next call of [`ensure`](Self::ensure) starts the task on the one in
/// use then. When the owner is dropped the task ends.
#[derive(Debug, Default)]
pub(crate) struct Worker {
    running: Arc<AtomicBool>,
    task: Mutex<Option<AbortHandle>>,
}

impl Worker {
    /// Says whether the task runs. The task may end right after the answer. It may also end right
    /// after [`ensure`](Self::ensure) has started it, so a caller that skips `ensure` loses
    /// nothing.
    #[inline]
    pub(crate) fn is_running(&self) -> bool {
        self.running.load(Ordering::Relaxed)
    }

    /// Starts the task if it doesn't run and there is a runtime to run it on.
    #[cold]
    pub(crate) fn ensure<F>(&self, work: impl FnOnce() -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if self.is_running() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let last = {
            // Locked until the task is noted: of two tasks, of which one has ended at once with its
            // runtime, the later one is to be noted last. A panic can't leave anything half done.
            let mut noted = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            if self.running.swap(true, Ordering::AcqRel) {
                return;
            }
            let work = work();
            let running = Running(self.running.clone());
            let task = runtime.spawn(async move {
                let _running = running;
                work.await;
            });
            noted.replace(task.abort_handle())
        };
        drop(last);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.take() {
            task.abort();
        }
    }
}

/// Tells the end of the task, also when a runtime that ends drops it.
struct Running(Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    }

    #[test]
    fn without_a_runtime_nothing_starts() {
        let worker = Worker::default();
        worker.ensure(|| async { unreachable!() });
        assert!(!worker.running.load(Ordering::Relaxed));
    }

    #[test]
    fn a_task_is_started_once_and_again_when_its_runtime_has_ended() {
        let worker = Worker::default();
        for _ in 0..2 {
            let runtime = runtime();
            let _context = runtime.enter();
            worker.ensure(pending::<()>);
            worker.ensure(|| async { unreachable!("it runs already") });
            assert!(worker.running.load(Ordering::Relaxed));
            drop(_context);
            drop(runtime);
            assert!(!worker.running.load(Ordering::Relaxed));
        }
    }

    #[test]
    fn the_task_ends_with_its_owner() {
        let runtime = runtime();
        runtime.block_on(async {
            let worker = Worker::default();
            let running = worker.running.clone();
            worker.ensure(pending::<()>);
            tokio::task::yield_now().await;
            drop(worker);
            while running.load(Ordering::Relaxed) {
                tokio::task::yield_now().await;
            }
        });
    }
}
