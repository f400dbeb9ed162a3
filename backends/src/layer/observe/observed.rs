//! A call while it is observed.

#[cfg(feature = "metrics")]
use std::time::Instant;

use super::Observe;
use super::keyspaces::of_key;
use super::names::{DROPPED, FAILED, of_error, of_outcome};
use crate::error::{BackendResult, ErrorKind};
use crate::layer::{Answer, Op, Operation, Outcome};

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

/// The labels of a call that are known when it begins.
pub(super) struct CallLabels {
    pub(super) system: Option<&'static str>,
    pub(super) op: Op,
    pub(super) keyspace: &'static str,
}

/// The end of a call.
#[derive(Clone, Copy)]
pub(super) enum CallEnd {
    Answered(Outcome),
    Failed(ErrorKind),
    /// The caller left before there was an answer.
    Dropped,
}

impl ObservedCall {
    pub(super) fn begin(observe: &Observe, operation: Operation<'_>) -> Self {
        let labels = CallLabels {
            system: observe.system,
            op: operation.op(),
            keyspace: of_key(operation.key()),
        };
        Self {
            has_ended: false,
            #[cfg(feature = "metrics")]
            begun: observe.metrics.then(Instant::now),
            #[cfg(feature = "tracing")]
            span: match observe.tracing {
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

impl CallEnd {
    /// Returns the outcome as a label.
    pub(super) fn outcome(self) -> &'static str {
        match self {
            Self::Answered(outcome) => of_outcome(outcome),
            Self::Failed(_) => FAILED,
            Self::Dropped => DROPPED,
        }
    }

    /// Returns the kind of the error as a label.
    pub(super) fn error(self) -> Option<&'static str> {
        match self {
            Self::Failed(kind) => Some(of_error(kind)),
            Self::Answered(_) | Self::Dropped => None,
        }
    }
}
