//! The spans of calls.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use ::tracing::field::{Field, Visit};
use ::tracing::span::{Attributes, Id, Record};
use ::tracing::{Event, Subscriber};
use reinhardt_backends::layer::Observe;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use super::*;

type Fields = BTreeMap<String, String>;

/// Keeps the fields of spans that were closed, and of events.
#[derive(Clone, Default)]
struct Keep(Arc<Mutex<(Vec<Fields>, Vec<Fields>)>>);

struct Read<'a>(&'a mut Fields);

impl Visit for Read<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0
            .insert(field.name().to_string(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_string(), value.to_string());
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Keep {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::new();
        attributes.record(&mut Read(&mut fields));
        context.span(id).unwrap().extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let mut extensions = span.extensions_mut();
        values.record(&mut Read(extensions.get_mut().unwrap()));
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::new();
        event.record(&mut Read(&mut fields));
        self.0.lock().unwrap().1.push(fields);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).unwrap();
        let fields = span.extensions_mut().remove().unwrap();
        self.0.lock().unwrap().0.push(fields);
    }
}

/// Makes calls on the present thread, and returns the fields of their spans and of events.
fn told(calls: impl Future<Output = ()>) -> (Vec<Fields>, Vec<Fields>) {
    let keep = Keep::default();
    let subscriber = tracing_subscriber::registry().with(keep.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    ::tracing::subscriber::with_default(subscriber, || runtime.block_on(calls));
    std::mem::take(&mut keep.0.lock().unwrap())
}

fn fields(pairs: &[(&str, &str)]) -> Fields {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

#[test]
fn each_call_is_a_span_with_its_outcome() {
    let (spans, events) = told(async {
        let observe = Observe::new().with_tracing().with_system("redis");
        let backend = MemoryBackend::new().layer(observe);
        ann().save(&backend).await.unwrap();
        backend.delete("S3cret").await.unwrap();
    });
    let save = fields(&[
        ("otel.name", "write layered-user"),
        ("otel.kind", "client"),
        ("db.system.name", "redis"),
        ("db.operation.name", "write"),
        ("db.collection.name", "layered-user"),
        ("reinhardt.outcome", "done"),
    ]);
    let delete = fields(&[
        ("otel.name", "remove _other"),
        ("otel.kind", "client"),
        ("db.system.name", "redis"),
        ("db.operation.name", "remove"),
        ("db.collection.name", "_other"),
        ("reinhardt.outcome", "not_done"),
    ]);
    assert_eq!(spans, [save, delete]);
    assert!(events.is_empty(), "{events:?}");
}

#[test]
fn a_call_that_failed_says_why() {
    let (spans, events) = told(async {
        let backend = MemoryBackend::new().layer(Observe::new().with_tracing());
        backend.set("S3cret", "S3cret", None).await.unwrap();
        backend.increment("S3cret", None).await.unwrap_err();
    });
    let failed = &spans[1];
    assert_eq!(failed["reinhardt.outcome"], "error");
    assert_eq!(failed["error.type"], "wrong_type");
    assert_eq!(failed["otel.status_code"], "ERROR");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["error.type"], "wrong_type");
    for (name, value) in spans.iter().chain(&events).flatten() {
        assert!(!value.contains("S3cret"), "{name}={value}");
    }
}

#[test]
fn without_tracing_there_is_no_span() {
    let (spans, _) = told(async {
        let backend = MemoryBackend::new().layer(Observe::new().with_metrics());
        ann().save(&backend).await.unwrap();
    });
    assert!(spans.is_empty());
}
