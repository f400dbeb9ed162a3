//! The spans of calls.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use ::tracing::field::{Field, Visit};
use ::tracing::span::{Attributes, Id, Record};
use ::tracing::{Event, Subscriber};
use futures::{FutureExt, StreamExt};
use reinhardt_backends::layer::{Answer, Intercept, Next, Observe, Operation};
use reinhardt_backends::testing::Flaky;
use reinhardt_backends::{BackendResult, KeyStream};
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

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::new();
        event.record(&mut Read(&mut fields));
        fields.insert("level".to_string(), event.metadata().level().to_string());
        if let Some(span) = context.event_span(event) {
            let name = span.extensions().get::<Fields>().unwrap()["otel.name"].clone();
            fields.insert("span".to_string(), name);
        }
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

#[test]
fn an_event_has_its_level_and_its_fields() {
    let (_, events) = told(async {
        let backend = MemoryBackend::new().layer(Observe::new().with_tracing());
        backend.set("S3cret", "S3cret", None).await.unwrap();
        backend.get::<u8>("S3cret").await.unwrap_err();
        let login = Login {
            client: "S3cret".to_string(),
        };
        for _ in 0..3 {
            let _ = login.check(&backend).await.unwrap();
        }
    });
    let decode_error = fields(&[
        ("level", "WARN"),
        ("message", "an event of the store"),
        ("db.collection.name", "_other"),
        ("reinhardt.event", "decode_error"),
        ("reinhardt.event.count", "1"),
    ]);
    let refused = fields(&[
        ("level", "DEBUG"),
        ("message", "an event of the store"),
        ("db.collection.name", "layered-login"),
        ("reinhardt.event", "refused"),
        ("reinhardt.event.count", "1"),
        ("reinhardt.quota", "2/min"),
    ]);
    assert_eq!(events, [decode_error, refused]);
}

#[test]
fn a_call_whose_caller_left_is_a_span_with_that_outcome() {
    let (spans, _) = told(async {
        let flaky = Flaky::new(MemoryBackend::new());
        flaky.on(Op::Read).hang();
        let backend = flaky.layer(Observe::new().with_tracing());
        let call = backend.get::<String>("S3cret").now_or_never();
        assert!(call.is_none());
    });
    assert_eq!(spans[0]["reinhardt.outcome"], "dropped");
}

/// A layer further in is within the span, on the fast path and off it.
#[test]
fn what_a_call_does_is_within_its_span() {
    struct Logs<const FAST_PATH: bool>;

    impl<const FAST_PATH: bool> Intercept for Logs<FAST_PATH> {
        const FAST_PATH: bool = FAST_PATH;

        async fn call<T: Answer>(&self, _: Operation<'_>, next: Next<'_, T>) -> BackendResult<T> {
            let answer = next.run().await;
            ::tracing::info!("inside");
            answer
        }

        fn call_now<T: Answer>(
            &self,
            _: Operation<'_>,
            next: impl FnOnce() -> BackendResult<T>,
        ) -> BackendResult<T> {
            ::tracing::info!("inside");
            next()
        }

        fn keys<'a>(&'a self, _: Operation<'_>, next: KeyStream<'a>) -> KeyStream<'a> {
            ::tracing::info!("outside");
            Box::pin(next.inspect(|_| ::tracing::info!("inside")))
        }
    }

    async fn calls(backend: &impl Backend) {
        backend.set("S3cret", 7, None).await.unwrap();
        assert_eq!(backend.scan("").count().await, 1);
    }

    let (_, events) = told(async {
        let observe = Observe::new().with_tracing();
        calls(
            &MemoryBackend::new()
                .layer(Logs::<true>)
                .layer(observe.clone()),
        )
        .await;
        calls(&MemoryBackend::new().layer(Logs::<false>).layer(observe)).await;
    });
    let inside = |event: &&Fields| event["message"] == "inside";
    let inside: Vec<&Fields> = events.iter().filter(inside).collect();
    let spans: Vec<&str> = inside.iter().map(|event| &*event["span"]).collect();
    assert_eq!(spans, ["write _other", "scan _none"].repeat(2));
}
