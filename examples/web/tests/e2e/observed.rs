//! The metrics and traces of the service.

use std::collections::BTreeSet;

use reinhardt_backends::store::Event;
use reinhardt_backends_tests::Server;
use serde_json::Value;

use crate::service::Service;
use crate::visitor::Visitor;

const DASHBOARD: &str = include_str!("../../dashboard.json");

async fn log_in_and_look_around(service: &Service) {
    let visitor = Visitor::new(service.url());
    visitor.try_log_in("ann", "wrong").await;
    visitor.log_in("ann", "apple pie").await;
    visitor.get("/counter").await;
    visitor.get("/reports/north").await;
}

async fn metrics(service: &Service) -> String {
    Visitor::new(service.url()).get("/metrics").await.html
}

/// Returns the lines of a metric that have all of these labels.
fn lines<'m>(metrics: &'m str, name: &str, labels: &[(&str, &str)]) -> Vec<&'m str> {
    let labels: Vec<String> = labels
        .iter()
        .map(|(label, value)| format!("{label}=\"{value}\""))
        .collect();
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with(&format!("{name}{{")));
    let lines = lines.filter(|line| labels.iter().all(|label| line.contains(label)));
    lines.collect()
}

#[tokio::test]
async fn metrics_tell_what_a_visit_costs_by_keyspace() {
    let service = Service::start(None, &[]).await;
    log_in_and_look_around(&service).await;
    let metrics = metrics(&service).await;
    for (keyspace, operation, outcome) in [
        ("login", "throttle", "allowed"),
        ("login-session", "read", "hit"),
        ("report", "write", "done"),
    ] {
        let labels = [
            ("db_system_name", "memory"),
            ("db_collection_name", keyspace),
            ("db_operation_name", operation),
            ("reinhardt_outcome", outcome),
        ];
        let lines = lines(&metrics, "db_client_operation_duration_count", &labels);
        assert!(
            !lines.is_empty(),
            "{keyspace} {operation} {outcome}: {metrics}"
        );
    }
    assert!(!metrics.contains("ann"), "{metrics}");
}

#[tokio::test]
async fn an_outage_of_the_store_is_seen_in_the_metrics() {
    let server = Server::start();
    let service = Service::start(Some(&server.url()), &[]).await;
    server.pause();
    Visitor::new(service.url())
        .try_log_in("ann", "apple pie")
        .await;
    server.resume();
    let metrics = metrics(&service).await;
    let labels = [
        ("db_system_name", "redis"),
        ("reinhardt_outcome", "error"),
        ("error_type", "timeout"),
    ];
    let lines = lines(&metrics, "db_client_operation_duration_count", &labels);
    assert!(!lines.is_empty(), "{metrics}");
}

#[tokio::test]
async fn every_metric_of_the_dashboard_is_served() {
    let service = Service::start(None, &[]).await;
    log_in_and_look_around(&service).await;
    let guesser = Visitor::new(service.url());
    for _ in 0..6 {
        guesser.try_log_in("bob", "wrong").await;
    }
    let metrics = metrics(&service).await;
    let mut served: BTreeSet<&str> = BTreeSet::new();
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (name, labels) = line.split_once(['{', ' ']).unwrap_or((line, ""));
        served.insert(name);
        served.extend(
            labels
                .split(['{', ','])
                .filter_map(|label| Some(label.split_once('=')?.0)),
        );
    }
    // There is a label for errors once there is one.
    served.insert("error_type");
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    let mut named = 0;
    for expression in targets.map(|target| target["expr"].as_str().unwrap()) {
        let events = expression.split("reinhardt_event=").skip(1);
        let events = events.map(|rest| rest.split('"').nth(1).unwrap());
        for event in events.flat_map(|events| events.split('|')) {
            assert!(Event::NAMES.contains(&event), "{event}");
        }
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let ours = ["db_", "reinhardt_", "error_"];
        for word in words.filter(|word| ours.iter().any(|begin| word.starts_with(begin))) {
            assert!(served.contains(word), "no {word} in\n{metrics}");
            named += 1;
        }
    }
    assert!(named > 10);
}

#[tokio::test]
async fn traces_are_lines_of_the_log_if_they_are_wanted() {
    let service = Service::start(None, &[("TRACES", "true")]).await;
    log_in_and_look_around(&service).await;
    let log = service.log();
    let calls = log
        .lines()
        .filter(|line| line.contains("store_call") && line.contains("close"));
    assert!(calls.count() > 3, "{log}");
    assert!(!log.contains("apple pie"), "{log}");

    let service = Service::start(None, &[]).await;
    log_in_and_look_around(&service).await;
    let log = service.log();
    assert!(!log.lines().any(|line| line.contains("close")), "{log}");
}
