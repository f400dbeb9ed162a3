//! The doubles: those of `shuttle`, time that a test sets forward, and runtimes that it ends.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, Pending, pending};
use std::ops::{Deref, Sub};
use std::pin::Pin;
use std::sync::atomic::AtomicU64 as StdAtomicU64;
use std::sync::{Arc, Mutex as StdMutex};
use std::task::{Context, Poll};
use std::time::Duration;

use shuttle::sync::atomic::{AtomicU64, Ordering::SeqCst};
pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic};
pub(crate) use shuttle_dashmap::DashMap;

/// A value that is made anew in each execution: what `shuttle` knows of its locks ends with it.
pub(crate) struct LazyLock<T: 'static> {
    make: fn() -> T,
    /// The value of the latest execution on each thread. Executions of several tests go on side by
    /// side, each on a thread of its own.
    made: StdMutex<BTreeMap<u64, (u64, &'static T)>>,
}

thread_local! {
    /// The number of this thread.
    static THREAD: u64 = THREADS.fetch_add(1, SeqCst);
    /// The number of the execution on this thread.
    static EXECUTION: Cell<u64> = const { Cell::new(0) };
}

static THREADS: StdAtomicU64 = StdAtomicU64::new(0);

/// To be called first in each execution.
pub(crate) fn begin() {
    EXECUTION.set(EXECUTION.get() + 1);
}

impl<T> LazyLock<T> {
    pub(crate) const fn new(make: fn() -> T) -> Self {
        Self {
            make,
            made: StdMutex::new(BTreeMap::new()),
        }
    }
}

impl<T> Deref for LazyLock<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let (thread, execution) = (THREAD.with(|number| *number), EXECUTION.get());
        let mut made = self.made.lock().expect("nobody panics under it");
        match made.get(&thread) {
            Some((of, value)) if *of == execution => value,
            _ => {
                // Small, and a few thousand of them.
                let value = Box::leak(Box::new((self.make)()));
                made.insert(thread, (execution, value));
                value
            }
        }
    }
}

/// The time, in milliseconds since the execution began.
static NOW: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(0));

/// Lets time pass.
pub(crate) fn advance(millis: u64) {
    NOW.fetch_add(millis, SeqCst);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(u64);

impl Instant {
    pub(crate) fn now() -> Self {
        Self(NOW.load(SeqCst))
    }

    pub(crate) fn checked_duration_since(self, earlier: Self) -> Option<Duration> {
        let millis = self.0.checked_sub(earlier.0)?;
        Some(Duration::from_millis(millis))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0 - earlier.0)
    }
}

/// A pause that never ends: whoever waits is woken by something else, or the test has found one
/// that isn't.
pub(crate) struct Delay(Pending<()>);

impl Delay {
    pub(crate) fn new(_: Duration) -> Self {
        Self(pending())
    }

    pub(crate) fn reset(&mut self, _: Duration) {}
}

impl Future for Delay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(context)
    }
}

/// One of tokio's, each of whose calls is one step that others can come before.
#[derive(Debug)]
pub(crate) struct Stepwise<T>(T);

pub(crate) type Notify = Stepwise<tokio::sync::Notify>;
pub(crate) type Semaphore = Stepwise<tokio::sync::Semaphore>;

impl Notify {
    pub(crate) fn new() -> Self {
        Self(tokio::sync::Notify::new())
    }
}

impl Semaphore {
    pub(crate) const MAX_PERMITS: usize = tokio::sync::Semaphore::MAX_PERMITS;

    pub(crate) fn new(permits: usize) -> Self {
        Self(tokio::sync::Semaphore::new(permits))
    }
}

impl<T> Deref for Stepwise<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // The scheduler chooses at each look at an atomic.
        let _ = Instant::now();
        &self.0
    }
}

/// A runtime that a test makes and ends.
#[derive(Debug, Clone)]
pub(crate) struct Handle(Arc<Mutex<Option<Vec<AbortHandle>>>>);

shuttle::thread_local! {
    static CURRENT: RefCell<Option<Handle>> = RefCell::new(None);
}

impl Handle {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(Vec::new()))))
    }

    /// Makes this the runtime that the present thread is on.
    pub(crate) fn enter(&self) {
        CURRENT.with(|current| current.replace(Some(self.clone())));
    }

    /// Ends the runtime with all of its tasks; those that are spawned later end at once.
    pub(crate) fn end(&self) {
        let tasks = self.0.lock().expect("nobody panics under it").take();
        tasks.iter().flatten().for_each(AbortHandle::abort);
    }

    pub(crate) fn try_current() -> Result<Self, NoRuntime> {
        let current = CURRENT.with(|current| current.borrow().clone());
        current.ok_or(NoRuntime)
    }

    pub(crate) fn spawn<F>(&self, work: F) -> Task
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let task = shuttle::future::spawn(work);
        let handle = AbortHandle(Arc::new(task.abort_handle()));
        let mut tasks = self.0.lock().expect("nobody panics under it");
        match &mut *tasks {
            Some(tasks) => tasks.push(handle.clone()),
            None => handle.abort(),
        }
        Task(handle)
    }
}

/// The present thread is on no runtime.
pub(crate) struct NoRuntime;

#[derive(Debug, Clone)]
pub(crate) struct AbortHandle(Arc<shuttle::future::AbortHandle>);

impl AbortHandle {
    pub(crate) fn abort(&self) {
        self.0.abort();
    }
}

pub(crate) struct Task(AbortHandle);

impl Task {
    pub(crate) fn abort_handle(&self) -> AbortHandle {
        self.0.clone()
    }
}
