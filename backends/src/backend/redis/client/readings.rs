//! Readings of the facts that servers tell about each other: one reading at a time for all
//! runtimes, with pauses between them.

use std::future::Future;
use std::pin::pin;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::{Handle, Id};
use tokio::sync::watch;

use crate::error::{BackendError, BackendResult, ErrorKind};
use crate::time::deadline::{Deadlines, deadlines};

/// The time from the beginning of one reading to that of the next; it doubles up to the longest as
/// long as readings bring nothing new.
const APART: Duration = Duration::from_millis(50);
const LONGEST_APART: Duration = Duration::from_millis(400);
/// A reading on another runtime, which may not be driven any more, is waited for so long.
const STILL: Duration = Duration::from_millis(500);

/// A reading that is under way, for the callers that wait for it.
pub(super) struct ReadingUnderWay {
    outcome: ReadingOutcome,
    until: Instant,
}

type ReadingOutcome = watch::Receiver<Option<BackendResult<()>>>;

/// The readings of one thing.
#[derive(Default)]
pub(super) struct Readings(Arc<Mutex<ReadingsState>>);

#[derive(Default)]
struct ReadingsState {
    last: Option<TopologyReading>,
    /// The number of readings in a row that brought nothing new.
    in_vain: u32,
    /// The number of readings that were begun.
    count: u64,
}

struct TopologyReading {
    outcome: ReadingOutcome,
    runtime: Id,
    /// The process that began the reading. A child of `fork` never gets its result.
    process: u32,
    begun: Instant,
    /// The time at which the reading must have ended.
    overdue: Instant,
}

impl ReadingsState {
    fn apart(&self) -> Duration {
        (APART * (1 << self.in_vain.min(3))).min(LONGEST_APART)
    }
}

impl TopologyReading {
    /// Returns the time until which callers wait for the reading; `None` if it has ended.
    fn awaited_until(&self, asker: Id) -> Option<Instant> {
        let has_ended = self.outcome.borrow().is_some() || self.outcome.has_changed().is_err();
        let until = match self.runtime == asker {
            true => self.overdue,
            false => self.begun + STILL,
        };
        (self.process == process::id() && !has_ended && Instant::now() < until).then_some(until)
    }
}

impl Readings {
    /// Begins a reading on the present runtime, unless one is under way. `read` takes `limit` at
    /// most, and says whether the reading has brought something new.
    pub(super) fn begin<F>(
        &self,
        limit: Duration,
        read: impl FnOnce(&'static Deadlines) -> F + Send + 'static,
    ) -> BackendResult<ReadingUnderWay>
    where
        F: Future<Output = BackendResult<bool>> + Send + 'static,
    {
        let deadlines = deadlines()?;
        let runtime = Handle::try_current().map_err(|_| {
            let message = "there is no tokio runtime to ask the servers on";
            BackendError::new(ErrorKind::Other, message)
        })?;
        let now = Instant::now();
        let mut state = self.0.lock();
        let last = state.last.as_ref();
        if let Some((last, until)) =
            last.and_then(|last| Some((last, last.awaited_until(runtime.id())?)))
        {
            let outcome = last.outcome.clone();
            return Ok(ReadingUnderWay { outcome, until });
        }
        let earliest = last.map(|last| last.begun + state.apart());
        let begun = earliest.map_or(now, |earliest| earliest.max(now));
        let (tell, outcome) = watch::channel(None);
        let overdue = begun + limit * 2;
        state.last = Some(TopologyReading {
            outcome: outcome.clone(),
            runtime: runtime.id(),
            process: process::id(),
            begun,
            overdue,
        });
        state.count += 1;
        drop(state);
        let state = self.0.clone();
        runtime.spawn(async move {
            deadlines.sleep(begun - now).await;
            let read = read(deadlines).await;
            {
                let mut state = state.lock();
                state.in_vain = match read {
                    Ok(true) => 0,
                    Ok(false) | Err(_) => state.in_vain.saturating_add(1),
                };
            }
            let _ = tell.send(Some(read.map(drop)));
        });
        Ok(ReadingUnderWay {
            outcome,
            until: overdue,
        })
    }

    /// Says whether the last reading began longer ago than this, or there was none.
    pub(super) fn are_older_than(&self, age: Duration) -> bool {
        let state = self.0.lock();
        let last = state.last.as_ref();
        last.is_none_or(|last| last.begun + age < Instant::now())
    }

    /// Returns the number of readings that were begun.
    pub(super) fn count(&self) -> u64 {
        self.0.lock().count
    }

    /// Waits for the reading that `begin` begins, or that is under way.
    ///
    /// # Errors
    ///
    /// The error of the reading.
    pub(super) async fn finish(
        begin: impl Fn() -> BackendResult<ReadingUnderWay>,
    ) -> BackendResult<()> {
        let deadlines = deadlines()?;
        loop {
            let ReadingUnderWay { mut outcome, until } = begin()?;
            let left = until.saturating_duration_since(Instant::now());
            let ended = pin!(outcome.wait_for(Option::is_some));
            if let Some(Ok(outcome)) = deadlines.within(left, ended).await {
                return outcome.clone().unwrap_or(Ok(()));
            }
            // The runtime of the reading has ended, or isn't driven: this runtime reads.
        }
    }
}
