//! No answer reaches another caller, and a write whose answer is lost says so.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use reinhardt_backends::{Backend, ErrorKind, Expiry, Life};
use reinhardt_backends_tests::{Proxy, Server};

use super::{BRIEF, connect, eventually, impatient, recovered};

#[tokio::test]
async fn a_read_whose_answer_was_lost_is_sent_again() {
    let server = Server::on_tcp();
    let proxy = Proxy::start(server.port());
    let backend = Arc::new(connect(&proxy.url()).await);
    backend.set("k", 7, None).await.unwrap();
    proxy.hold_answers();
    let mut calls = Vec::new();
    for index in 0..4 {
        let backend = backend.clone();
        calls.push(tokio::spawn(async move {
            match index {
                0 => backend.get::<u8>("k").await.map(|value| value == Some(7)),
                1 => backend.exists("k").await,
                2 => backend
                    .ttl("k")
                    .await
                    .map(|expiry| expiry == Some(Expiry::Never)),
                _ => backend
                    .get_many::<u8>(&["k"])
                    .await
                    .map(|all| all == [Some(7)]),
            }
        }));
    }
    eventually(async || proxy.holds_answers()).await;
    assert!(calls.iter().all(|call| !call.is_finished()));
    proxy.cut();
    proxy.release();
    for call in calls {
        assert!(call.await.unwrap().unwrap());
    }
}

#[tokio::test]
async fn a_cut_cable_is_noticed() {
    let server = Server::on_tcp();
    let proxy = Proxy::start(server.port());
    let backend = impatient(&proxy.url()).await;
    connect(&server.url())
        .await
        .set("k", 1, None)
        .await
        .unwrap();
    recovered(&backend).await;
    proxy.black_hole();
    let error = backend.get::<u8>("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    // The bytes that the old connection swallowed never come back: only a new connection helps.
    proxy.release();
    recovered(&backend).await;
    eventually(async || backend.get::<u8>("k").await.ok() == Some(Some(1))).await;
    assert!(proxy.connections() > 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_answer_reaches_the_wrong_caller() {
    let server = Server::on_tcp();
    let proxy = Proxy::start(server.port());
    let backend = Arc::new(impatient(&proxy.url()).await);
    let names: Vec<String> = (0..64).map(|index| format!("k{index}")).collect();
    let patient = connect(&server.url()).await;
    for name in &names {
        patient.set(name, name, None).await.unwrap();
    }
    let stop = Instant::now() + BRIEF * 10;
    let readers = names.iter().cloned().map(|name| {
        let backend = backend.clone();
        tokio::spawn(async move {
            while Instant::now() < stop {
                let mut call = Box::pin(backend.get::<String>(&name));
                if fastrand::u8(..4) == 0 {
                    // Cancelled after it was sent.
                    let _ = futures::poll!(&mut call);
                    tokio::task::yield_now().await;
                    continue;
                }
                if let Ok(value) = call.await {
                    assert_eq!(value.as_deref(), Some(name.as_str()));
                }
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    while Instant::now() < stop {
        proxy.hold_answers();
        tokio::time::sleep(BRIEF * 2).await;
        proxy.release();
        tokio::time::sleep(BRIEF).await;
        proxy.cut();
        tokio::time::sleep(BRIEF).await;
    }
    join_all(readers).await.into_iter().for_each(Result::unwrap);
    for name in &names {
        eventually(async || match backend.get::<String>(name).await {
            Ok(value) => {
                assert_eq!(value.as_ref(), Some(name));
                true
            }
            Err(_) => false,
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cancelled_increment_leaves_no_immortal_counter() {
    let server = Server::start();
    let backend = Arc::new(connect(&server.url()).await);
    let hour = Some(Duration::from_secs(3600));
    let calls = (0..400u32).map(|index| {
        let backend = backend.clone();
        tokio::spawn(async move {
            let key = format!("hits:{}", index % 40);
            let call = backend.increment(&key, hour);
            tokio::pin!(call);
            for _ in 0..index % 7 {
                if futures::poll!(&mut call).is_ready() {
                    break;
                }
                tokio::time::sleep(Duration::from_micros(u64::from(index) % 150)).await;
            }
        })
    });
    join_all(calls.collect::<Vec<_>>()).await;
    // All commands that were sent have been executed once a later command has been answered.
    recovered(&backend).await;
    let mut counted = HashMap::new();
    for index in 0..40 {
        let key = format!("hits:{index}");
        if let Some((value, expiry)) = backend.get_with_ttl::<i64>(&key).await.unwrap() {
            assert!(matches!(expiry, Expiry::In(_)), "{key} never ends");
            assert!((1..=10).contains(&value));
            counted.insert(key, value);
        }
    }
    assert!(!counted.is_empty(), "some were sent");
}

#[tokio::test]
async fn a_life_that_is_carried_over_in_its_last_millisecond_still_ends() {
    let server = Server::start();
    let backend = connect(&server.url()).await;
    for round in 0..50 {
        let key = format!("k{round}");
        backend
            .set(&key, 0, Some(Duration::from_millis(3)))
            .await
            .unwrap();
        for value in 1.. {
            let Some(stored) = backend.get_stored(&key).await.unwrap() else {
                break;
            };
            if !backend
                .compare_and_set(&key, &stored, value, Life::Keep)
                .await
                .unwrap()
            {
                break;
            }
            assert_ne!(backend.ttl(&key).await.unwrap(), Some(Expiry::Never));
        }
        assert_ne!(backend.ttl(&key).await.unwrap(), Some(Expiry::Never));
    }
}

#[tokio::test]
async fn a_scan_goes_on_over_a_new_connection() {
    let server = Server::on_tcp();
    let proxy = Proxy::start(server.port());
    let backend = connect(&proxy.url()).await;
    let keys: Vec<String> = (0..5_000).map(|index| format!("k{index}")).collect();
    let entries: Vec<_> = keys.iter().map(|key| (key.as_str(), 1)).collect();
    backend.set_many(&entries, None).await.unwrap();
    let mut found = std::collections::BTreeSet::new();
    let mut scan = backend.scan("k");
    let mut seen = 0;
    while let Some(key) = futures::StreamExt::next(&mut scan).await {
        found.insert(key.unwrap());
        seen += 1;
        if seen == 1_500 {
            proxy.cut();
        }
    }
    assert_eq!(found.len(), keys.len());
    assert!(proxy.connections() > 1);
}
