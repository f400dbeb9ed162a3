//! A bound on the commands that are sent in a second.

// Without a backend there is nobody to be spared.
#![cfg_attr(
    not(any(feature = "memory", feature = "redis-backend")),
    allow(dead_code)
)]

use std::time::{Duration, Instant};

use tokio::task::yield_now;

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

    /// Waits until the next command may be sent, and lets other tasks run. Commands that a slow
    /// server has held up are not made up for.
    pub(crate) async fn turn(&mut self) {
        self.turns(1).await;
    }

    /// Waits for a command that is as much work as so many others.
    pub(crate) async fn turns(&mut self, work: u32) {
        let now = Instant::now();
        let ahead = self.due.saturating_duration_since(now);
        match ahead > SLACK {
            true => sleep(ahead).await,
            false => yield_now().await,
        }
        self.due = self.due.max(now) + self.interval * work;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn commands_come_no_faster_than_they_may() {
        let start = Instant::now();
        let mut pace = Pace::new(1_000);
        for _ in 0..100 {
            pace.turn().await;
        }
        pace.turns(100).await;
        pace.turn().await;
        // The last one waits for the two hundred before it.
        assert!(start.elapsed() >= Duration::from_millis(200) - 2 * SLACK);
    }
}
