//! The queue between the callers of a connection and its driver.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;

use parking_lot::Mutex;

use super::connection_end::ConnectionEnd;
use super::in_flight::InFlight;
use crate::sync::Notify;

/// The most bytes that wait in the queue: later callers wait for room. One request may go beyond. A
/// large request would otherwise wait for an empty queue, and small requests never leave the queue
/// empty.
pub(super) const QUEUE_BYTES: usize = 8 * 1024 * 1024;
/// The most requests that wait in the queue, those of callers that were dropped included.
const QUEUE_REQUESTS: usize = 16 * 1024;

/// The requests for the driver, and its notes for the callers.
pub(super) struct Inbox {
    /// Held to add a request, to take all, or to look at the end; wakers are called after it.
    pub(super) queue: Mutex<Queue>,
    /// Wakes callers that wait for room in the queue.
    pub(super) room: Notify,
    /// Set when the connection has ended, or takes no further requests.
    pub(super) is_draining: AtomicBool,
    /// The number of times that something has come from the server.
    pub(super) activity: AtomicU64,
}

#[derive(Default)]
pub(super) struct Queue {
    pub(super) requests: VecDeque<Arc<InFlight>>,
    pub(super) bytes: usize,
    /// Set while the driver sleeps.
    pub(super) driver: Option<Waker>,
    pub(super) end: Option<ConnectionEnd>,
    /// Set when another connection takes over: nothing is sent any more, and the requests that can
    /// go by the other connection are handed back.
    pub(super) is_handed_back: bool,
    /// Set to have the reads handed back that wait behind a write, until the driver has seen it.
    pub(super) wants_reads: bool,
}

impl Queue {
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= QUEUE_BYTES || self.requests.len() >= QUEUE_REQUESTS
    }

    /// Returns the reads that may go by another connection than writes.
    pub(super) fn reads(&self) -> Vec<Arc<InFlight>> {
        let requests = self.requests.iter();
        let reads = requests.filter(|request| request.is_plain_read());
        reads.cloned().collect()
    }
}

/// The outcome of a push into the queue.
pub(super) enum Pushed {
    Yes,
    NoRoom,
    Ended,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            queue: Mutex::default(),
            room: Notify::new(),
            is_draining: AtomicBool::new(false),
            activity: AtomicU64::new(0),
        }
    }

    pub(super) fn push(&self, request: &Arc<InFlight>) -> Pushed {
        let driver = {
            let mut queue = self.queue.lock();
            if queue.end.is_some() || queue.is_handed_back {
                return Pushed::Ended;
            }
            if queue.is_full() {
                return Pushed::NoRoom;
            }
            queue.bytes += request.length();
            queue.requests.push_back(request.clone());
            queue.driver.take()
        };
        if let Some(driver) = driver {
            driver.wake();
        }
        Pushed::Yes
    }

    /// Hands everything back that is unsent or harmless to repeat: another connection takes over.
    pub(super) fn hand_back(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
        self.tell(|queue| queue.is_handed_back = true);
        self.room.notify_waiters();
    }

    /// Hands the reads back that wait behind a write: another connection is there for them.
    pub(super) fn hand_back_reads(&self) {
        self.tell(|queue| queue.wants_reads = true);
    }

    /// Ends the connection, with all requests that wait.
    pub(super) fn end(&self, end: ConnectionEnd) {
        self.is_draining.store(true, Ordering::Relaxed);
        let requests = self.tell(|queue| {
            queue.end.get_or_insert(end);
            std::mem::take(&mut queue.requests)
        });
        requests.iter().for_each(|request| request.lose());
        self.room.notify_waiters();
    }

    /// Changes the queue and wakes the driver.
    fn tell<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let (changed, driver) = {
            let mut queue = self.queue.lock();
            (change(&mut queue), queue.driver.take())
        };
        if let Some(driver) = driver {
            driver.wake();
        }
        changed
    }
}
