//! Many entries are read, written and removed at once, on every backend.

use std::sync::Arc;

use futures::TryStreamExt;
use reinhardt_backends::{Backend, ErrorKind, Keyspace, RedisBackend};
use reinhardt_backends_tests::Server;
use serde::{Deserialize, Serialize};

use crate::{MINUTE, about, on_every_backend};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "device", ttl = "30m")]
struct Device {
    #[keyspace(key)]
    user: u32,
    #[keyspace(key)]
    id: String,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Keyspace)]
#[keyspace(prefix = "flag", ttl = "5m", value = bool)]
struct Flag {
    area: String,
    number: u32,
}

#[derive(Debug, Keyspace)]
#[keyspace(prefix = "page-visits", ttl = "5m", counter)]
struct Visits<'a> {
    site: &'a str,
    page: u32,
}

fn device(user: u32, id: &str) -> Device {
    Device {
        user,
        id: id.to_string(),
        name: "phone".to_string(),
    }
}

fn flag(number: u32) -> Flag {
    let area = "beta".to_string();
    Flag { area, number }
}

on_every_backend! {
    many_entries_are_saved_read_and_removed
    many_values_are_set_read_and_removed
    many_counters_are_read_and_reset
    a_thousand_entries_and_more_go_at_once
    one_bad_entry_stops_all_and_is_named
    a_scan_of_values_yields_typed_keys_and_values
    a_scan_of_counters_yields_their_sums
    foreign_text_is_an_error_that_does_not_show_it_and_the_scan_goes_on
}

async fn many_entries_are_saved_read_and_removed(backend: Arc<dyn Backend>) {
    let devices = vec![device(1, "a"), device(1, "b"), device(2, "a")];
    Device::save_many(&backend, &devices).await.unwrap();
    let found = Device::get_many(&backend, [(1, "b"), (9, "x"), (1, "a")])
        .await
        .unwrap();
    assert_eq!(found, [Some(device(1, "b")), None, Some(device(1, "a"))]);
    assert!(about(
        Device::ttl(&backend, 2, "a").await.unwrap(),
        30 * MINUTE
    ));
    assert_eq!(
        Device::delete_many(&backend, [(1, "a"), (1, "a"), (9, "x")])
            .await
            .unwrap(),
        1
    );
    assert_eq!(Device::clear_under(&backend, 1).await.unwrap(), 1);
    assert!(Device::exists(&backend, 2, "a").await.unwrap());
}

async fn many_values_are_set_read_and_removed(backend: Arc<dyn Backend>) {
    Flag::set_many(&backend, [(flag(1), true), (flag(2), false)])
        .await
        .unwrap();
    Flag::set_many(&backend, [(&flag(3), &true)]).await.unwrap();
    let found = Flag::get_many(&backend, &[flag(2), flag(9), flag(3)])
        .await
        .unwrap();
    assert_eq!(found, [Some(false), None, Some(true)]);
    assert!(about(flag(1).ttl(&backend).await.unwrap(), 5 * MINUTE));
    assert_eq!(
        Flag::delete_many(&backend, [flag(1), flag(9)])
            .await
            .unwrap(),
        1
    );
    assert!(!flag(1).exists(&backend).await.unwrap());
}

async fn many_counters_are_read_and_reset(backend: Arc<dyn Backend>) {
    let visits = |page| Visits { site: "a", page };
    visits(1).increment_by(&backend, 5).await.unwrap();
    visits(2).increment(&backend).await.unwrap();
    let sums = Visits::get_many(&backend, [visits(2), visits(9), visits(1)])
        .await
        .unwrap();
    assert_eq!(sums, [1, 0, 5]);
    assert_eq!(
        Visits::reset_many(&backend, [visits(1), visits(9)])
            .await
            .unwrap(),
        1
    );
    assert_eq!(visits(1).get(&backend).await.unwrap(), 0);
}

async fn a_thousand_entries_and_more_go_at_once(backend: Arc<dyn Backend>) {
    let ids: Vec<String> = (0..2500).map(|id| id.to_string()).collect();
    let devices = ids.iter().map(|id| device(1, id));
    Device::save_many(&backend, devices).await.unwrap();
    let found = Device::get_many(&backend, ids.iter().map(|id| (1, id)))
        .await
        .unwrap();
    assert!(
        found
            .iter()
            .zip(&ids)
            .all(|(found, id)| *found == Some(device(1, id)))
    );
    assert_eq!(
        Device::scan(&backend)
            .try_collect::<Vec<_>>()
            .await
            .unwrap()
            .len(),
        2500
    );
    let removed = Device::delete_many(&backend, ids.iter().map(|id| (1, id)));
    assert_eq!(removed.await.unwrap(), 2500);
}

async fn one_bad_entry_stops_all_and_is_named(backend: Arc<dyn Backend>) {
    let long = "x".repeat(2000);
    let saved = Device::save_many(&backend, [device(1, "a"), device(1, &long)]).await;
    let error = saved.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidKey);
    assert_eq!(error.failed_indices(), [1]);
    assert!(!Device::exists(&backend, 1, "a").await.unwrap());
}

async fn a_scan_of_values_yields_typed_keys_and_values(backend: Arc<dyn Backend>) {
    flag(1).set(&backend, true).await.unwrap();
    let all: Vec<(Flag, bool)> = Flag::scan(&backend).try_collect().await.unwrap();
    assert_eq!(all, [(flag(1), true)]);
    let keys: Vec<Flag> = Flag::scan_keys(&backend).try_collect().await.unwrap();
    assert_eq!(keys, [flag(1)]);
    let under: Vec<(Flag, bool)> = Flag::scan_under(&backend, "beta")
        .try_collect()
        .await
        .unwrap();
    assert_eq!(under.len(), 1);
    let under: Vec<(Flag, bool)> = Flag::scan_under(&backend, "bet")
        .try_collect()
        .await
        .unwrap();
    assert_eq!(under, []);
}

async fn a_scan_of_counters_yields_their_sums(backend: Arc<dyn Backend>) {
    Visits {
        site: "a:b",
        page: 7,
    }
    .increment_by(&backend, -3)
    .await
    .unwrap();
    let all: Vec<((String, u32), i64)> = Visits::scan(&backend).try_collect().await.unwrap();
    assert_eq!(all, [(("a:b".to_string(), 7), -3)]);
    let keys: Vec<(String, u32)> = Visits::scan_keys(&backend).try_collect().await.unwrap();
    assert_eq!(keys, [("a:b".to_string(), 7)]);
    assert_eq!(Visits::clear_under(&backend, "a:b").await.unwrap(), 1);
}

async fn foreign_text_is_an_error_that_does_not_show_it_and_the_scan_goes_on(
    backend: Arc<dyn Backend>,
) {
    device(1, "a").save(&backend).await.unwrap();
    backend.set("device:1:a:b", 1, None).await.unwrap();
    backend.set("device:one:a\n", 1, None).await.unwrap();
    let mut stream = Device::scan(&backend);
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    loop {
        match stream.try_next().await {
            Ok(Some(entry)) => entries.push(entry),
            Ok(None) => break,
            Err(error) => errors.push(error.to_string()),
        }
    }
    assert_eq!(entries, [device(1, "a")]);
    let expected = "invalid key: a text under the prefix of `Device` is none of its keys";
    assert_eq!(errors, [expected; 2]);
}

#[tokio::test]
async fn what_goes_together_goes_in_one_command() {
    let server = Server::start();
    let backend = RedisBackend::new(&server.url()).await.unwrap();
    let ids: Vec<String> = (0..100).map(|id| id.to_string()).collect();
    let keys = || ids.iter().map(|id| (1, id));
    let devices = || ids.iter().map(|id| device(1, id));
    Device::save_many(&backend, devices()).await.unwrap();
    assert_eq!(Device::get_many(&backend, keys()).await.unwrap().len(), 100);
    assert_eq!(Device::delete_many(&backend, keys()).await.unwrap(), 100);
    assert_eq!(calls(&server, "mget"), 1);
    assert_eq!(calls(&server, "unlink"), 1);
    assert_eq!(calls(&server, "get"), 0);
}

/// Returns the number of times that the server has run a command.
fn calls(server: &Server, command: &str) -> u64 {
    let statistics = server.command("INFO commandstats");
    let start = format!("cmdstat_{command}:calls=");
    let line = statistics
        .split("\r\n")
        .find_map(|line| line.strip_prefix(&start));
    let number = line.and_then(|line| line.split(',').next());
    number.map_or(0, |number| number.parse().unwrap())
}
