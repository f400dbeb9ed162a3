//! Atomic changes of entries.

use std::time::Duration;

use futures::future::join_all;
use reinhardt_backends::{ErrorKind, Expiry, MemoryBackend};
use tokio::time::{advance, timeout};

use crate::{Membership, Session, member, session};

#[tokio::test]
async fn an_update_returns_what_it_stored() {
    let backend = MemoryBackend::new();
    session("abc").save(&backend).await.unwrap();
    let updated = Session::update(&backend, "abc", |session| {
        session.roles.push("staff".to_string());
    });
    let updated = updated.await.unwrap().unwrap();
    assert_eq!(updated.roles, ["admin", "staff"]);
    assert_eq!(Session::get(&backend, "abc").await.unwrap(), Some(updated));
}

#[tokio::test(start_paused = true)]
async fn an_update_keeps_what_is_left_of_the_life() {
    let backend = MemoryBackend::new();
    session("abc").save(&backend).await.unwrap();
    advance(Duration::from_secs(10 * 60)).await;
    Session::update(&backend, "abc", |session| session.roles.clear())
        .await
        .unwrap();
    assert_eq!(
        Session::ttl(&backend, "abc").await.unwrap(),
        Some(Expiry::In(Duration::from_secs(20 * 60)))
    );
}

#[tokio::test]
async fn an_update_of_nothing_is_none_and_stores_nothing() {
    let backend = MemoryBackend::new();
    let updated = Session::update(&backend, "abc", |_| panic!("there is nothing to change"));
    assert_eq!(updated.await.unwrap(), None);
    assert!(!Session::exists(&backend, "abc").await.unwrap());
}

#[tokio::test]
async fn an_update_that_changes_a_key_field_is_refused_and_stores_nothing() {
    let backend = MemoryBackend::new();
    member(3, "x").save(&backend).await.unwrap();
    let refused = Membership::update(&backend, 3, "x", |member| {
        member.admin = true;
        member.org = 4;
    });
    assert_eq!(refused.await.unwrap_err().kind(), ErrorKind::InvalidKey);
    assert_eq!(
        Membership::get(&backend, 3, "x").await.unwrap(),
        Some(member(3, "x"))
    );
    assert_eq!(Membership::get(&backend, 4, "x").await.unwrap(), None);
}

#[tokio::test]
async fn an_update_that_meets_another_writer_runs_again() {
    let backend = MemoryBackend::new();
    session("abc").save(&backend).await.unwrap();
    let mut runs = 0;
    let updated = Session::update(&backend, "abc", |session| {
        runs += 1;
        if runs == 1 {
            let other = Session {
                id: "abc".to_string(),
                roles: vec!["other".to_string()],
            };
            futures::executor::block_on(other.save(&backend)).unwrap();
        }
        session.roles.push("staff".to_string());
    });
    let updated = updated.await.unwrap().unwrap();
    assert_eq!(updated.roles, ["other", "staff"]);
    assert_eq!(runs, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn no_update_is_lost_under_eight_threads() {
    let backend = MemoryBackend::new();
    session("abc").save(&backend).await.unwrap();
    let writers = (0..8).map(|writer| {
        let backend = backend.clone();
        tokio::spawn(async move {
            for round in 0..50 {
                let role = format!("{writer}/{round}");
                Session::update(&backend, "abc", |session| session.roles.push(role.clone()))
                    .await
                    .unwrap();
            }
        })
    });
    let all = timeout(Duration::from_secs(60), join_all(writers)).await;
    for writer in all.expect("eight writers get on") {
        writer.unwrap();
    }
    let mut roles = Session::get(&backend, "abc").await.unwrap().unwrap().roles;
    roles.sort();
    roles.dedup();
    assert_eq!(roles.len(), 1 + 8 * 50);
}
