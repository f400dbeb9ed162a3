//! A call while it is observed.

#[cfg(feature = "metrics")]
use std::time::Instant;

use super::keyspaces::of_key;
use super::labels::{CallEnd, CallLabels};
use crate::error::BackendResult;
use crate::layer::{Answer, Operation};

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

/// Those that are told of calls, and the name of the store.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    pub(super) system: Option<&'static str>,
    #[cfg(feature = "metrics")]
    pub(super) metrics: bool,
    #[cfg(feature = "tracing")]
    pub(super) tracing: bool,
}

impl ObservedCall {
    pub(super) fn begin(told: Told, operation: Operation<'_>) -> Self {
        let labels = CallLabels {
            system: told.system,
            op: operation.op(),
            keyspace: of_key(operation.key()),
        };
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

    /// Makes a call that is answered at once, within its span.
    pub(super) fn run_now<T>(&self, next: impl FnOnce() -> BackendResult<T>) -> BackendResult<T> {
        #[cfg(feature = "tracing")]
        let _within = self.span.enter();
        next()
    }

    pub(super) fn end<T: Answer>(mut self, answer: &BackendResult<T>) {
        #[cfg(feature = "tracing")]
        if let Err(error) = answer {
            super::trace::failed(&self.span, error);
        }
        self.tell(match answer {
            Ok(answer) => CallEnd::Answered(answer.outcome()),
            Err(error) => CallEnd::Failed(error.kind()),
        });
    }

    /// Tells that a stream of keys was made.
    pub(super) fn end_scan(mut self) {
        self.has_ended = true;
        #[cfg(feature = "metrics")]
        if self.begun.is_some() {
            super::meter::scan(&self.labels);
        }
    }

    fn tell(&mut self, end: CallEnd) {
        self.has_ended = true;
        #[cfg(feature = "metrics")]
        if let Some(begun) = self.begun {
            super::meter::call(&self.labels, end, begun.elapsed());
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
