//! A doctor sends few commands a second, and changes nothing.

use std::time::{Duration, Instant};

use reinhardt_backends::doctor::Doctor;
use reinhardt_backends::{Backend, MemoryBackend};
use reinhardt_backends_tests::Server;

use super::{Teaser, fill, row};

/// Returns a field of `INFO`.
fn told(server: &Server, field: &str) -> u64 {
    let info = server.command("INFO");
    let mut lines = info.lines();
    let value = lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn commands_are_spread_over_time() {
    let server = Server::start();
    let backend = server.connect().await;
    for page in 0..40 {
        Teaser { page }.set(&backend, String::new()).await.unwrap();
    }
    let before = told(&server, "total_commands_processed");
    let start = Instant::now();
    Doctor::new()
        .commands_per_second(100)
        .examine(&backend)
        .await
        .unwrap();
    let time = start.elapsed();
    // Scripts count for more than one.
    let sent = told(&server, "total_commands_processed") - before;
    assert!(sent > 60, "{sent}");
    // 40 reads and some 30 questions about rights.
    assert!(time > Duration::from_millis(600), "{time:?}");
}

#[tokio::test]
async fn nothing_is_changed() {
    let server = Server::start();
    let backend = server.connect().await;
    fill(&backend).await;
    let before = told(&server, "rdb_changes_since_last_save");
    Doctor::new().examine(&backend).await.unwrap();
    assert_eq!(told(&server, "rdb_changes_since_last_save"), before);
}

/// A doctor with the smallest numbers still ends, and says what it looked at.
#[tokio::test]
async fn the_smallest_settings_are_taken() {
    let backend = MemoryBackend::new();
    fill(&backend).await;
    let doctor = Doctor::new().keys(0).entries(0).commands_per_second(0);
    let report = doctor.examine(&backend).await.unwrap();
    assert_eq!(report.keys.walked, 0);
    assert!(!report.keys.is_whole);
    assert_eq!(row(&report, "teaser").read, 0);
}

#[tokio::test]
async fn a_million_keys_in_memory_are_walked_over() {
    let backend = MemoryBackend::new();
    for page in 0..1_000_000_u64 {
        backend.set(&Teaser { page }.key(), "", None).await.unwrap();
    }
    let report = Doctor::new()
        .keys(u64::MAX)
        .examine(&backend)
        .await
        .unwrap();
    let teaser = row(&report, "teaser");
    assert_eq!((teaser.entries, teaser.read), (1_000_000, 200));
}
