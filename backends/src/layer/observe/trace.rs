//! Calls as spans of the crate `tracing`, and events as its events.

use tracing::field::{Empty, display};
use tracing::{Span, debug, info_span, warn};

use super::labels::{CallEnd, CallLabels};
use super::names::{ERROR, OUTCOME};
use crate::backend::store::Event;
use crate::error::BackendError;

/// Makes the span of a call. Its fields `otel.*` are for the crate tracing-opentelemetry.
pub(super) fn span(call: &CallLabels) -> Span {
    info_span!(
        target: "reinhardt_backends",
        "store_call",
        otel.name = %format_args!("{} {}", call.op, call.keyspace),
        otel.kind = if call.system.is_some() { "client" } else { "internal" },
        otel.status_code = Empty,
        db.system.name = call.system,
        db.operation.name = call.op.name(),
        db.collection.name = call.keyspace,
        reinhardt.outcome = Empty,
        "error.type" = Empty,
    )
}

/// Tells of an error within the span: its text holds no key and no value.
pub(super) fn failed(span: &Span, error: &BackendError) {
    if span.is_none() {
        return;
    }
    let kind = error.kind().name();
    let error = display(error);
    span.in_scope(|| {
        warn!(target: "reinhardt_backends", { "error.type" = kind, error }, "a call failed");
    });
}

pub(super) fn ended(span: &Span, end: CallEnd) {
    span.record(OUTCOME, end.outcome());
    if let Some(error) = end.error() {
        span.record(ERROR, error);
        span.record("otel.status_code", "ERROR");
    }
}

/// Tells of an event: of one that somebody should look at by the level `WARN`.
pub(super) fn event(system: Option<&'static str>, keyspace: &'static str, event: Event) {
    macro_rules! tell {
        ($level:ident) => {
            $level!(
                target: "reinhardt_backends",
                {
                    db.system.name = system,
                    db.collection.name = keyspace,
                    reinhardt.event = event.name(),
                    reinhardt.event.count = event.count(),
                    reinhardt.event.duration = event.time().map(|time| time.as_secs_f64()),
                    reinhardt.quota = event.quota().map(display),
                },
                "an event of the store"
            )
        };
    }
    match event {
        Event::DecodeError
        | Event::GaveUp
        | Event::ComputeFailed(_)
        | Event::ComputeDropped(_)
        | Event::StoreAway
        | Event::StoreBack(_)
        | Event::LeaseLost => tell!(warn),
        _ => tell!(debug),
    }
}
