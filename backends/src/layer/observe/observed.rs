//! A call while it is observed.

#[cfg(feature = "metrics")]
use std::time::Instant;

use super::labels::{CallEnd, CallLabels};
use crate::error::BackendError;
#[cfg(feature = "metrics")]
use crate::layer::Op;
use crate::layer::{Operation, Outcome};

/// A call that has begun. One that is dropped before its end is told as dropped.
pub(super) struct ObservedCall {
    has_ended: bool,
    #[cfg(feature = "metrics")]
    labels: CallLabels,
    /// The beginning of the call, if it is told to the crate `metrics`.
    #[cfg(feature = "metrics")]
    begun: Option<Instant>,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

/// The crates that are told of calls, and the name of the store.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Listeners {
    pub(super) system: Option<&'static str>,
    #[cfg(feature = "metrics")]
    pub(super) metrics: bool,
    #[cfg(feature = "tracing")]
    pub(super) tracing: bool,
}

impl Listeners {
    /// Says whether any crate is told.
    pub(super) fn listens(self) -> bool {
        #[cfg(feature = "metrics")]
        if self.metrics {
            return true;
        }
        #[cfg(feature = "tracing")]
        if self.tracing {
            return true;
        }
        false
    }
}

impl ObservedCall {
    pub(super) fn begin(told: Listeners, operation: Operation<'_>) -> Self {
        Self::of(told, CallLabels::new(told.system, operation))
    }

    pub(super) fn of(told: Listeners, labels: CallLabels) -> Self {
        Self {
            has_ended: false,
            #[cfg(feature = "metrics")]
            begun: told.metrics.then(Instant::now),
            #[cfg(feature = "tracing")]
            span: match told.tracing {
                true => super::trace::span(&labels),
                false => tracing::Span::none(),
            },
            #[cfg(feature = "metrics")]
            labels,
        }
    }

    /// Returns the span of the call.
    #[cfg(feature = "tracing")]
    pub(super) fn span(&self) -> tracing::Span {
        self.span.clone()
    }

    /// Does a part of the call's work within its span.
    pub(super) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        #[cfg(feature = "tracing")]
        let _within = self.span.enter();
        work()
    }

    /// Tells how a call has ended, or the stream of a scan.
    pub(super) fn end(mut self, answer: Result<Outcome, &BackendError>) {
        #[cfg(feature = "tracing")]
        if let Err(error) = answer {
            super::trace::failed(&self.span, error);
        }
        self.tell(match answer {
            Ok(outcome) => CallEnd::Answered(outcome),
            Err(error) => CallEnd::Failed(error.kind()),
        });
    }

    fn tell(&mut self, end: CallEnd) {
        self.has_ended = true;
        #[cfg(feature = "metrics")]
        if let Some(begun) = self.begun {
            match self.labels.op {
                Op::Scan => super::meter::scan(&self.labels, end),
                _ => super::meter::call(&self.labels, end, begun.elapsed()),
            }
        }
        #[cfg(feature = "tracing")]
        super::trace::ended(&self.span, end);
    }
}

impl Drop for ObservedCall {
    fn drop(&mut self) {
        if !self.has_ended {
            self.tell(CallEnd::Dropped);
        }
    }
}
