//! The layer that counts, times and traces calls.

mod labels;
#[cfg(feature = "metrics")]
mod meter;
pub mod names;
mod observed;
mod scan;
#[cfg(feature = "tracing")]
mod trace;

use super::answer::Answer;
use super::intercept::{Intercept, Next};
use super::operation::Operation;
use crate::backend::KeyStream;
use crate::backend::store::{Event, Observer};
use crate::error::BackendResult;

use self::labels::CallLabels;
use self::observed::{Listeners, ObservedCall};
use self::scan::ObservedScan;

/// A layer that tells of every call: to the crate `metrics` how many there were and how long they
/// took, to the crate `tracing` a span for each.
///
/// Every fact is told by the keyspace, the kind of the call and its outcome, all of which are
/// constants of the program. No part of a key and no value is told. The page
/// [observing](crate::guide::observing) has all names.
///
/// # Guarantees
///
/// * Every call is told once, those of the fast path and those that replicas answer too. A call
///   that was dropped before it was answered has the outcome `dropped`.
/// * A scan begins when its stream is polled first, and is told when the stream has ended, failed,
///   or was dropped before; without a time, as it takes as long as its reader.
/// * The keyspace is found by the beginning of the key among those that the program registers
///   ([`keyspaces`](crate::keyspaces())); of a call on several keys by the first. What isn't
///   registered is `_other`, a call without a key `_none`, a [lease](crate::lease) by name
///   `_lease`.
///
/// # Examples
///
/// ```
/// use reinhardt_backends::layer::Observe;
/// use reinhardt_backends::{Backend, MemoryBackend};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> reinhardt_backends::BackendResult<()> {
/// let backend = MemoryBackend::new().layer(Observe::new().with_tracing().with_metrics());
/// backend.set("user:7", "ann", None).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a layer does nothing unless a backend is wrapped in it"]
pub struct Observe(Listeners);

impl Observe {
    /// Makes a layer that tells nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells the crate `metrics` of each call and event (feature `metrics`): its global recorder,
    /// or the one that is installed for the thread.
    ///
    /// The recorder that is installed when this is called gets a description and a unit of each
    /// metric as well.
    #[cfg(feature = "metrics")]
    pub fn with_metrics(self) -> Self {
        meter::describe();
        let metrics = true;
        Self(Listeners { metrics, ..self.0 })
    }

    /// Makes a span of the crate `tracing` of each call, at the level `INFO`, and tells it of each
    /// event, at the level `WARN` or `DEBUG` (feature `tracing`). The target is
    /// `reinhardt_backends`.
    #[cfg(feature = "tracing")]
    pub fn with_tracing(self) -> Self {
        let tracing = true;
        Self(Listeners { tracing, ..self.0 })
    }

    /// Names the store, as `db.system.name` of OpenTelemetry: `redis`, or a name of one's own.
    /// Without it that label is missing, and spans are of the kind `internal` and not `client`.
    pub fn with_system(self, name: &'static str) -> Self {
        let system = Some(name);
        Self(Listeners { system, ..self.0 })
    }
}

impl Intercept for Observe {
    const FAST_PATH: bool = true;

    async fn call<T: Answer>(
        &self,
        operation: Operation<'_>,
        next: Next<'_, T>,
    ) -> BackendResult<T> {
        let call = ObservedCall::begin(self.0, operation);
        let answering = next.run();
        #[cfg(feature = "tracing")]
        let answering = tracing::Instrument::instrument(answering, call.span());
        let answer = answering.await;
        call.end(answer.as_ref().map(Answer::outcome));
        answer
    }

    fn call_now<T: Answer>(
        &self,
        operation: Operation<'_>,
        next: impl FnOnce() -> BackendResult<T>,
    ) -> BackendResult<T> {
        let call = ObservedCall::begin(self.0, operation);
        let answer = call.within(next);
        call.end(answer.as_ref().map(Answer::outcome));
        answer
    }

    fn keys<'a>(&'a self, operation: Operation<'_>, next: KeyStream<'a>) -> KeyStream<'a> {
        let labels = CallLabels::new(self.0.system, operation);
        Box::pin(ObservedScan::new(next, self.0, labels))
    }

    fn observer(&self) -> Option<&dyn Observer> {
        self.0.listens().then_some(self)
    }
}

impl Observer for Observe {
    fn on_event(&self, keyspace: &'static str, event: Event) {
        let Listeners { system, .. } = self.0;
        #[cfg(feature = "metrics")]
        if self.0.metrics {
            meter::event(system, keyspace, event);
        }
        #[cfg(feature = "tracing")]
        if self.0.tracing {
            trace::event(system, keyspace, event);
        }
    }
}
