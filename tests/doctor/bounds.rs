//! A doctor sends few commands a second, and changes nothing.

use std::time::Instant;

use reinhardt_backends::doctor::Doctor;
use reinhardt_backends::{Backend, MemoryBackend};
use reinhardt_backends_tests::Server;

use super::{Teaser, fill, populate, row};

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
    let report = Doctor::new()
        .commands_per_second(100)
        .examine(&backend)
        .await
        .unwrap();
    let time = start.elapsed();
    assert_eq!(row(&report, "teaser").sampled, 40);
    let sent = told(&server, "total_commands_processed") - before;
    assert!(sent > 100, "{sent}");
    // A few at once: what `INFO` counts of this test, the greeting, and the slack of the pace.
    assert!(
        sent as f64 <= 100.0 * time.as_secs_f64() + 15.0,
        "{sent} in {time:?}"
    );
}

#[tokio::test]
async fn a_million_names_on_a_server_are_walked_over() {
    let server = Server::start();
    populate(&server, 1_000_000);
    let backend = server.connect().await;
    let doctor = Doctor::new()
        .max_keys(u64::MAX)
        .commands_per_second(100_000);
    let report = doctor.examine(&backend).await.unwrap();
    assert_eq!(row(&report, "teaser").entries, 1_000_000, "{report}");
    assert!(report.is_whole);
}

#[tokio::test]
async fn nothing_is_changed() {
    let server = Server::start();
    let backend = server.connect().await;
    fill(&backend).await;
    let before = told(&server, "rdb_changes_since_last_save");
    let report = Doctor::new().examine(&backend).await.unwrap();
    assert!(row(&report, "teaser").sampled > 0);
    assert_eq!(told(&server, "rdb_changes_since_last_save"), before);
}

/// A doctor with the smallest numbers still ends, and says what it looked at.
#[tokio::test]
async fn the_smallest_settings_are_taken() {
    let backend = MemoryBackend::new();
    fill(&backend).await;
    let doctor = Doctor::new()
        .max_keys(0)
        .sample_size(0)
        .commands_per_second(0);
    let report = doctor.examine(&backend).await.unwrap();
    assert!(!report.is_whole);
    assert_eq!(row(&report, "teaser").sampled, 0);
}

#[tokio::test]
async fn a_million_keys_in_memory_are_walked_over() {
    let backend = MemoryBackend::new();
    for page in 0..1_000_000_u64 {
        backend.set(&Teaser { page }.key(), "", None).await.unwrap();
    }
    let report = Doctor::new()
        .max_keys(u64::MAX)
        .examine(&backend)
        .await
        .unwrap();
    let teaser = row(&report, "teaser");
    assert_eq!((teaser.entries, teaser.sampled), (1_000_000, 200));
}

/// Other tasks of the thread go on while values are decoded.
#[tokio::test]
async fn the_sample_of_a_store_in_memory_gives_way() {
    let backend = MemoryBackend::new();
    for page in 0..100 {
        Teaser { page }
            .set(&backend, "x".repeat(1_000))
            .await
            .unwrap();
    }
    let examining = Doctor::new();
    let mut examining = std::pin::pin!(examining.examine(&backend));
    let mut polls = 0;
    let report = std::future::poll_fn(|context| {
        polls += 1;
        examining.as_mut().poll(context)
    });
    assert_eq!(row(&report.await.unwrap(), "teaser").sampled, 100);
    assert!(polls > 100, "{polls}");
}
