//! Gathers reads that are made at the same time into one command.
//!
//! Redis answers an `MGET` of a hundred keys in a fraction of the time of a hundred `GET`s, most of which goes into the reading and
//! writing of sockets on both sides. So once a few reads are under way, further ones wait in a queue while a batch is in
//! flight, and go out together when it comes back: nobody waits for company.
//!
//! Each read gets the answer that a `GET` of its own would have given. `MGET` answers nil for a key of a foreign type, so what
//! was nil is asked about once more; and what a batch can't say for sure, whatever happened to it, its readers ask
//! again for themselves, within their own time limits. Reading twice is harmless.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::{Value, cmd};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::connection::{Connection, Repeat};

/// This many reads at once go out by themselves: with fewer there is nothing to gather.
const ALONE: usize = 2;
/// How many batches are in flight at once: while one is on its way back the server has another to work on.
const BATCHES: usize = 2;
/// How many keys a batch names at most, so that none holds the server for long.
const BATCH: usize = 512;

#[derive(Default)]
pub(super) struct Gatherer {
    alone: AtomicUsize,
    /// Held to add a read or to take a batch, never across an `.await`.
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    reads: VecDeque<Read>,
    /// The tasks that send batches.
    senders: usize,
    /// When the last batch was taken, and which generation of senders is at work: one on a runtime that nobody drives
    /// any more never comes back, and is done without.
    last_taken: Option<Instant>,
    generation: usize,
}

/// A read that waits for its batch. Its caller is gone when `answer` is closed, and hears that it must ask for itself when
/// `answer` is dropped.
struct Read {
    key: Vec<u8>,
    answer: oneshot::Sender<Value>,
}

impl Read {
    fn tell(self, value: Value) {
        // An error says that the caller has gone meanwhile.
        let _ = self.answer.send(value);
    }
}

/// What a read does.
pub(super) enum Way<'a> {
    /// It goes out by itself.
    Alone(Alone<'a>),
    /// It waits for the answer of a batch.
    Gathered(oneshot::Receiver<Value>),
}

/// One of the few reads that go out by themselves, counted until it is dropped.
pub(super) struct Alone<'a>(&'a AtomicUsize);

impl Gatherer {
    /// Decides which way a read goes; `overdue` is the time after which a batch can't be under way any more.
    pub(super) fn enter(
        &self,
        connection: &Arc<Connection>,
        key: &[u8],
        overdue: Duration,
    ) -> Way<'_> {
        let alone = Alone(&self.alone);
        if self.alone.fetch_add(1, Ordering::Relaxed) < ALONE {
            return Way::Alone(alone);
        }
        // Without a runtime to send batches on, every read is alone.
        let Ok(runtime) = Handle::try_current() else {
            return Way::Alone(alone);
        };
        drop(alone);
        let (answer, gathered) = oneshot::channel();
        let key = key.to_vec();
        let mut queue = self.queue.lock();
        queue.reads.push_back(Read { key, answer });
        queue.forget_lost_senders(overdue);
        if queue.senders < BATCHES {
            queue.senders += 1;
            queue.last_taken = Some(Instant::now());
            let sender = Sender {
                connection: connection.clone(),
                generation: queue.generation,
            };
            drop(queue);
            runtime.spawn(sender.send());
        }
        Way::Gathered(gathered)
    }
}

impl Queue {
    fn forget_lost_senders(&mut self, overdue: Duration) {
        let is_overdue = |taken: Instant| taken.elapsed() > overdue;
        if self.senders == BATCHES && self.last_taken.is_some_and(is_overdue) {
            self.senders = 0;
            self.generation += 1;
        }
    }

    /// Takes the reads that go out together. Those whose callers have gone are left out.
    fn take(&mut self) -> Vec<Read> {
        self.last_taken = Some(Instant::now());
        let mut batch = Vec::with_capacity(self.reads.len().min(BATCH));
        while batch.len() < BATCH
            && let Some(read) = self.reads.pop_front()
        {
            if !read.answer.is_closed() {
                batch.push(read);
            }
        }
        batch
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Sends batches until nothing waits any more.
struct Sender {
    connection: Arc<Connection>,
    generation: usize,
}

impl Sender {
    async fn send(self) {
        while let Some(batch) = self.next_batch() {
            self.exchange(batch).await;
        }
    }

    fn next_batch(&self) -> Option<Vec<Read>> {
        let mut queue = self.connection.gatherer.queue.lock();
        if queue.generation != self.generation {
            return None;
        }
        let batch = queue.take();
        (!batch.is_empty()).then_some(batch)
    }

    /// Answers the reads of a batch, as far as the server says what a `GET` of each would have.
    async fn exchange(&self, batch: Vec<Read>) {
        let mut command = cmd("MGET");
        for read in &batch {
            command.arg(&read.key);
        }
        let values = match self.connection.command(&command, Repeat::Safely).await {
            Ok(Value::Array(values)) if values.len() == batch.len() => values,
            _ => return,
        };
        let mut nils = Vec::new();
        for (read, value) in batch.into_iter().zip(values) {
            match value {
                Value::Nil => nils.push(read),
                value => read.tell(value),
            }
        }
        if nils.is_empty() {
            return;
        }
        let mut command = cmd("EXISTS");
        for read in &nils {
            command.arg(&read.key);
        }
        let exist = self.connection.command(&command, Repeat::Safely).await;
        if matches!(exist, Ok(Value::Int(0))) {
            for read in nils {
                read.tell(Value::Nil);
            }
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut queue = self.connection.gatherer.queue.lock();
        if queue.generation != self.generation {
            return;
        }
        queue.senders -= 1;
        if queue.senders > 0 || queue.reads.is_empty() {
            return;
        }
        // Its runtime has ended, or a read came between its last look and now: who waits asks for himself.
        let waiting = std::mem::take(&mut queue.reads);
        drop(queue);
        drop(waiting);
    }
}
