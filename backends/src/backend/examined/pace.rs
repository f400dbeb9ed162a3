//! A bound on the commands that are sent in a second.

use std::time::{Duration, Instant};

use crate::time::sleep::sleep;

/// The time that is not worth a sleep, and by which commands may come early.
const SLACK: Duration = Duration::from_millis(10);

/// Spreads commands over time.
#[derive(Debug)]
pub struct Pace {
    /// The time from one command to the next.
    interval: Duration,
    /// The time of the next command.
    due: Instant,
}

impl Pace {
    /// Lets so many commands through in a second; one at least.
    pub(crate) fn new(commands_per_second: u32) -> Self {
        Self {
            interval: Duration::from_secs(1) / commands_per_second.max(1),
            due: Instant::now(),
        }
    }

    /// Lets commands through as they come, for a store in this process.
    pub(crate) fn unbounded() -> Self {
        Self {
            interval: Duration::ZERO,
            due: Instant::now(),
        }
    }

    /// Waits until the next command may be sent. Commands that a slow server has held up are not
    /// made up for.
    pub(crate) async fn turn(&mut self) {
        let now = Instant::now();
        let ahead = self.due.saturating_duration_since(now);
        if ahead > SLACK {
            sleep(ahead).await;
        }
        self.due = self.due.max(now) + self.interval;
    }
}
