//! The metrics of calls: their names and labels, of which none has a part of a key or a value.

use std::collections::BTreeSet;
use std::future::Future;

use futures::{FutureExt, StreamExt};

use ::metrics::SharedString;
use metrics_util::CompositeKey;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use reinhardt_backends::layer::{Observe, names};
use reinhardt_backends::testing::Flaky;
use reinhardt_backends::{BackendError, BackendResult, ErrorKind};

use super::events::{Optional, Page};
use super::*;

/// The page for users: its table has the names of all metrics and labels.
const PAGE: &str = include_str!("../../backends/docs/observing.md");

/// Returns the names in the first column of a section's table.
pub(super) fn table_of(section: &str) -> Vec<&'static str> {
    let (_, section) = PAGE.split_once(section).unwrap();
    let section = section.split("\n# ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let firsts = rows.map(|row| row.split('|').nth(1).unwrap());
    firsts
        .flat_map(|names| names.split('`').skip(1).step_by(2))
        .collect()
}

/// Returns the row of a name in the table of names.
pub(super) fn row_of(name: &str) -> &'static str {
    let begin = format!("| `{name}`");
    let mut rows = PAGE.lines().filter(|line| line.starts_with(&begin));
    rows.next().unwrap()
}

/// A metric: its name, its labels in order, and its value (of a histogram the number of records).
type Told = (String, Vec<(String, String)>, usize);

/// Makes calls, and returns the metrics that they told.
fn told(calls: impl Future<Output = ()>) -> Vec<Told> {
    let told = snapshot(calls).into_iter().map(|(key, _, _, value)| {
        let (_, key): (_, ::metrics::Key) = CompositeKey::into_parts(key);
        let labels = key.labels();
        let labels = labels.map(|label| (label.key().to_string(), label.value().to_string()));
        let mut labels: Vec<_> = labels.collect();
        labels.sort();
        let value = match value {
            DebugValue::Counter(count) => count as usize,
            DebugValue::Histogram(records) => records.len(),
            DebugValue::Gauge(_) => panic!("there are no gauges"),
        };
        (key.name().to_string(), labels, value)
    });
    told.collect()
}

type Snapshot = Vec<(
    CompositeKey,
    Option<::metrics::Unit>,
    Option<SharedString>,
    DebugValue,
)>;

/// Makes calls, and returns the metrics that they told with their units and descriptions.
fn snapshot(calls: impl Future<Output = ()>) -> Snapshot {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    ::metrics::with_local_recorder(&recorder, || runtime.block_on(calls));
    snapshotter.snapshot().into_vec()
}

fn observed() -> impl Backend + Clone {
    MemoryBackend::new().layer(Observe::new().with_metrics().with_system("memory"))
}

/// Returns the value of a metric with these labels and no others.
fn value(told: &[Told], name: &str, labels: &[(&str, &str)]) -> usize {
    let mut labels: Vec<_> = labels
        .iter()
        .map(|(label, value)| (label.to_string(), value.to_string()))
        .collect();
    labels.sort();
    let same = told
        .iter()
        .filter(|told| told.0 == name && told.1 == labels);
    same.map(|told| told.2).sum()
}

fn durations(told: &[Told], keyspace: &str, op: &str, outcome: &str) -> usize {
    let labels = [
        (names::SYSTEM, "memory"),
        (names::KEYSPACE, keyspace),
        (names::OPERATION, op),
        (names::OUTCOME, outcome),
    ];
    value(told, names::DURATION, &labels)
}

#[test]
fn a_call_is_told_by_keyspace_operation_and_outcome() {
    let told = told(async {
        let backend = observed();
        for _ in 0..2 {
            assert_eq!(User::get(&backend, 7).await.unwrap(), None);
        }
        ann().save(&backend).await.unwrap();
        User::get(&backend, 7).await.unwrap().unwrap();
        backend.increment("hits", None).await.unwrap();
        let login = Login {
            client: "ann".to_string(),
        };
        for _ in 0..3 {
            let _ = login.check(&backend).await.unwrap();
        }
    });
    assert_eq!(durations(&told, "layered-user", "read", "miss"), 2);
    assert_eq!(durations(&told, "layered-user", "read", "hit"), 1);
    assert_eq!(durations(&told, "layered-user", "write", "done"), 1);
    assert_eq!(durations(&told, "_other", "increment", "done"), 1);
    assert_eq!(durations(&told, "layered-login", "throttle", "allowed"), 2);
    assert_eq!(durations(&told, "layered-login", "throttle", "refused"), 1);
}

#[test]
fn entries_are_counted_also_where_one_call_asks_for_many() {
    let told = told(async {
        let backend = observed();
        ann().save(&backend).await.unwrap();
        User::get_many(&backend, [7, 8, 9]).await.unwrap();
        User::get(&backend, 7).await.unwrap();
        backend.exists("layered-user:7").await.unwrap();
    });
    let entries = |outcome| {
        let labels = [
            (names::SYSTEM, "memory"),
            (names::KEYSPACE, "layered-user"),
            (names::OUTCOME, outcome),
        ];
        value(&told, names::ENTRIES, &labels)
    };
    assert_eq!((entries("hit"), entries("miss")), (2, 2));
}

#[test]
fn an_error_is_told_by_its_kind() {
    let told = told(async {
        let error = observed().set("", "nothing", None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey);
    });
    let labels = [
        (names::SYSTEM, "memory"),
        (names::KEYSPACE, "_none"),
        (names::OPERATION, "write"),
        (names::OUTCOME, "error"),
        (names::ERROR, "invalid_key"),
    ];
    assert_eq!(value(&told, names::DURATION, &labels), 1);
}

#[test]
fn a_call_whose_caller_left_is_told_as_dropped() {
    let told = told(async {
        let observe = Observe::new().with_metrics().with_system("memory");
        let flaky = Flaky::new(MemoryBackend::new());
        flaky.on(Op::Read).hang();
        let backend = flaky.layer(observe);
        let call = backend.get::<String>("layered-user:7").now_or_never();
        assert!(call.is_none());
    });
    assert_eq!(durations(&told, "layered-user", "read", "dropped"), 1);
}

#[test]
fn a_scan_is_told_by_its_end() {
    let told = told(async {
        let flaky = Flaky::new(MemoryBackend::new());
        let observe = Observe::new().with_metrics().with_system("memory");
        let backend = flaky.clone().layer(observe);
        ann().save(&backend).await.unwrap();
        drop(backend.scan("layered-user:"));
        assert_eq!(backend.scan("layered-user:").count().await, 1);
        drop(backend.scan("layered-user:").next().await);
        flaky.on(Op::Scan).fail(ErrorKind::Unavailable);
        assert!(backend.scan("layered-user:").next().await.unwrap().is_err());
    });
    let scans = |outcome, error: Option<&str>| {
        let mut labels = vec![
            (names::SYSTEM, "memory"),
            (names::KEYSPACE, "layered-user"),
            (names::OUTCOME, outcome),
        ];
        labels.extend(error.map(|error| (names::ERROR, error)));
        value(&told, names::SCANS, &labels)
    };
    assert_eq!(scans("done", None), 1);
    assert_eq!(scans("dropped", None), 1);
    assert_eq!(scans("error", Some("unavailable")), 1);
}

#[test]
fn a_call_is_told_once_whether_it_is_fast_or_not() {
    for is_fast in [true, false] {
        let told = told(async {
            let observe = Observe::new().with_metrics().with_tracing();
            match is_fast {
                true => all_calls(&MemoryBackend::new().layer(observe))
                    .await
                    .unwrap(),
                false => {
                    let flaky = Flaky::new(MemoryBackend::new());
                    all_calls(&flaky.clone().layer(observe)).await.unwrap();
                    assert_eq!(flaky.calls().len(), CALLS + 1, "all and the scan");
                }
            }
        });
        let calls = told.iter().filter(|told| told.0 == names::DURATION);
        assert_eq!(calls.map(|told| told.2).sum::<usize>(), CALLS);
    }
}

/// The number of calls that [`all_calls`] makes, but for the scan.
const CALLS: usize = 16;

/// Makes every kind of call, with secrets in keys and values.
async fn all_calls(backend: &(impl Backend + Clone)) -> BackendResult<()> {
    const KEY: &str = "layered-user:S3cret";
    backend.set(KEY, "S3cret", None).await?;
    backend.get::<String>(KEY).await?;
    backend.get::<String>("layered-user:S3cret2").await?;
    backend.get_many::<String>(&[KEY, "S3cret:other"]).await?;
    backend.exists(KEY).await?;
    backend.set_many(&[(KEY, "S3cret")], None).await?;
    backend.set_if_absent(KEY, "S3cret", None).await?;
    backend.increment("S3cret-hits", None).await?;
    backend.expire(KEY, reinhardt_backends::Life::Never).await?;
    backend.take::<String>(KEY).await?;
    backend.delete(KEY).await?;
    backend.delete_many(&[KEY]).await?;
    assert_eq!(backend.scan("S3cret").count().await, 1);
    backend.clear_prefix("S3cret").await?;
    backend.ping().await?;
    let wrong: Result<Option<u8>, BackendError> = async {
        backend.set(KEY, "S3cret", None).await?;
        backend.increment(KEY, None).await?;
        Ok(None)
    }
    .await;
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::WrongType);
    Ok(())
}

/// Has events that calls don't show, each kind of label among them, with secrets in keys and
/// values.
async fn events(backend: &(impl Backend + Clone)) {
    backend.set("S3cret", "S3cret", None).await.unwrap();
    assert!(backend.get::<u8>("S3cret").await.is_err());
    let page = Page { id: 7 };
    let text = page.get_or_set_with(backend, async || Ok("S3cret".to_string()));
    let text: BackendResult<String> = text.await;
    assert_eq!(text.unwrap(), "S3cret");
    let login = Login {
        client: "S3cret".to_string(),
    };
    for _ in 0..3 {
        let _ = login.check(backend).await.unwrap();
    }
}

/// Makes every kind of call, and has events, on a backend of its own.
async fn everything() {
    let backend = observed();
    all_calls(&backend).await.unwrap();
    events(&backend).await;
}

#[test]
fn events_are_counted_and_timed_by_keyspace() {
    let told = told(async { events(&observed()).await });
    let system = (names::SYSTEM, "memory");
    let event = |keyspace, event| [system, (names::KEYSPACE, keyspace), (names::EVENT, event)];
    let decode_error = event("_other", "decode_error");
    assert_eq!(value(&told, names::EVENTS, &decode_error), 1);
    let computed = event("event.page", "computed");
    assert_eq!(value(&told, names::EVENTS, &computed), 1);
    assert_eq!(value(&told, names::EVENT_DURATION, &computed), 1);
    let [system, keyspace, refused] = event("layered-login", "refused");
    let refused = [system, keyspace, refused, (names::QUOTA, "2/min")];
    assert_eq!(value(&told, names::EVENTS, &refused), 1);
    assert_eq!(value(&told, names::EVENT_DURATION, &decode_error), 0);
}

#[test]
fn entries_that_went_on_are_counted_each() {
    let told = told(async {
        let flaky = Flaky::new(MemoryBackend::new());
        let backend = flaky.clone().layer(Observe::new().with_metrics());
        flaky.down();
        let none = Optional::get_many(&backend, [7, 8, 9].map(|id| Optional { id })).await;
        assert_eq!(none.unwrap(), [None, None, None]);
    });
    let labels = [
        (names::KEYSPACE, "event.optional"),
        (names::EVENT, "reads_went_on"),
    ];
    assert_eq!(value(&told, names::EVENTS, &labels), 3);
}

#[test]
fn every_metric_has_a_unit_and_a_description() {
    let told = snapshot(everything());
    for (key, unit, description, _) in &told {
        assert!(unit.is_some() && description.is_some(), "{key:?}");
    }
}

#[test]
fn no_label_has_a_part_of_a_key_or_a_value() {
    let told = told(everything());
    assert!(told.len() > 10);
    for (name, labels, _) in told {
        for (label, value) in labels {
            assert!(!value.contains("S3cret"), "{name}: {label}={value}");
        }
    }
}

#[test]
fn the_page_has_every_name_and_no_other() {
    let named: BTreeSet<&str> = table_of("# Names").into_iter().collect();
    let told = told(everything());
    let mut used: BTreeSet<&str> = told.iter().map(|(name, ..)| &**name).collect();
    let labels = told.iter().flat_map(|(_, labels, _)| labels);
    used.extend(labels.map(|(label, _)| &**label));
    assert_eq!(named, used);
}
