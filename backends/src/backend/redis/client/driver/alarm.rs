//! The alarm that wakes a driver.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Instant;

use tokio::sync::futures::OwnedNotified;

use crate::time::deadline::Deadlines;

/// Wakes the driver at a time.
pub(super) struct Alarm {
    time: Instant,
    passed: Pin<Box<OwnedNotified>>,
}

impl Alarm {
    pub(super) fn at(time: Instant, deadlines: &Deadlines) -> Self {
        Self {
            time,
            passed: Box::pin(deadlines.at(time)),
        }
    }

    /// Says whether the alarm wakes the driver at this time, or before it.
    pub(super) fn is_before(&self, time: Instant) -> bool {
        self.time <= time
    }

    /// Says whether the time has come; the driver is woken then.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> bool {
        self.passed.as_mut().poll(context).is_ready()
    }
}
