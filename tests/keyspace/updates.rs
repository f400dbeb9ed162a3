//! No update is lost under contention, and an update that is refused stores nothing.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use reinhardt_backends::{Backend, BackendError, ErrorKind, Expiry, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};
use tokio::time::{advance, timeout};

use crate::{MINUTE, Membership, Session, about, member, on_every_backend, session};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "account", ttl = "30m")]
struct Account {
    #[keyspace(key)]
    id: u32,
    balance: i64,
}

#[derive(Keyspace)]
#[keyspace(prefix = "tally", ttl = "30m", value = Vec<u32>)]
struct Tally {
    name: String,
}

/// The error of a withdrawal.
#[derive(Debug)]
enum Refused {
    TooPoor,
    Backend(BackendError),
}

impl From<BackendError> for Refused {
    fn from(error: BackendError) -> Self {
        Self::Backend(error)
    }
}

fn withdraw(amount: i64) -> impl FnMut(&mut Account) -> Result<(), Refused> {
    move |account| {
        account.balance -= amount;
        if account.balance < 0 {
            return Err(Refused::TooPoor);
        }
        Ok(())
    }
}

on_every_backend! {
    sixteen_tasks_lose_no_update
    an_error_of_the_closure_stores_nothing
    what_is_missing_is_inserted_and_what_is_there_is_changed
    inserts_race_and_none_is_lost
    an_inserted_entry_has_the_key_that_it_was_named_by
    an_update_gives_up_with_the_count_of_tries
}

async fn sixteen_tasks_lose_no_update(backend: Arc<dyn Backend>) {
    Account { id: 1, balance: 0 }.save(&backend).await.unwrap();
    let tasks = (0..16).map(|_| {
        let backend = backend.clone();
        tokio::spawn(async move {
            for _ in 0..500 {
                let updated = Account::update(&backend, 1, |account| account.balance += 1).await;
                assert!(updated.unwrap().is_some());
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    let account = Account::get(&backend, 1).await.unwrap().unwrap();
    assert_eq!(account.balance, 16 * 500);
}

async fn an_error_of_the_closure_stores_nothing(backend: Arc<dyn Backend>) {
    let account = Account { id: 1, balance: 10 };
    account.save(&backend).await.unwrap();
    let refused = Account::try_update(&backend, 1, withdraw(11)).await;
    assert!(matches!(refused, Err(Refused::TooPoor)));
    assert_eq!(Account::get(&backend, 1).await.unwrap(), Some(account));
    let done = Account::try_update(&backend, 1, withdraw(4)).await.unwrap();
    assert_eq!(done, Some(Account { id: 1, balance: 6 }));
    assert!(matches!(
        Account::try_update(&backend, 2, withdraw(4)).await,
        Ok(None)
    ));
    let insert = || Err(Refused::TooPoor);
    let refused = Account::try_update_or_insert_with(&backend, 2, withdraw(4), insert).await;
    assert!(matches!(refused, Err(Refused::TooPoor)));
    assert!(!Account::exists(&backend, 2).await.unwrap());
    let long = Tally {
        name: "x".repeat(2000),
    };
    let refused = long.try_update(&backend, |_| Ok::<_, Refused>(())).await;
    assert!(
        matches!(refused, Err(Refused::Backend(error)) if error.kind() == ErrorKind::InvalidKey)
    );
}

async fn what_is_missing_is_inserted_and_what_is_there_is_changed(backend: Arc<dyn Backend>) {
    let tally = Tally {
        name: "a".to_string(),
    };
    let stored = tally
        .update_or_insert_with(&backend, |list| list.push(2), || vec![1])
        .await;
    assert_eq!(stored.unwrap(), [1]);
    assert!(about(tally.ttl(&backend).await.unwrap(), 30 * MINUTE));
    tally
        .set_for(&backend, [1].as_slice(), 5 * MINUTE)
        .await
        .unwrap();
    let stored = tally
        .update_or_insert_with(&backend, |list| list.push(2), || vec![1])
        .await;
    assert_eq!(stored.unwrap(), [1, 2]);
    assert_eq!(tally.get(&backend).await.unwrap().unwrap(), [1, 2]);
    assert!(about(tally.ttl(&backend).await.unwrap(), 5 * MINUTE));
}

async fn inserts_race_and_none_is_lost(backend: Arc<dyn Backend>) {
    let tasks = (0..16).map(|task| {
        let backend = backend.clone();
        tokio::spawn(async move {
            let tally = Tally {
                name: "a".to_string(),
            };
            let change = |list: &mut Vec<u32>| list.push(task);
            tally
                .update_or_insert_with(&backend, change, || vec![task])
                .await
                .unwrap();
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    let mut all = Tally {
        name: "a".to_string(),
    }
    .get(&backend)
    .await
    .unwrap()
    .unwrap();
    all.sort();
    assert_eq!(all, (0..16).collect::<Vec<_>>());
}

async fn an_inserted_entry_has_the_key_that_it_was_named_by(backend: Arc<dyn Backend>) {
    let other = || Account { id: 2, balance: 0 };
    let refused = Account::update_or_insert_with(&backend, 1, |_| {}, other).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidKey);
    assert!(!Account::exists(&backend, 1).await.unwrap());
    assert!(!Account::exists(&backend, 2).await.unwrap());
}

async fn an_update_gives_up_with_the_count_of_tries(backend: Arc<dyn Backend>) {
    Account { id: 1, balance: 0 }.save(&backend).await.unwrap();
    let mut tries = 0;
    let handle = tokio::runtime::Handle::current();
    let refused = Account::update(&backend, 1, |account| {
        tries += 1;
        let other = Account {
            id: 1,
            balance: tries,
        };
        let saved = tokio::task::block_in_place(|| handle.block_on(other.save(&backend)));
        saved.unwrap();
        account.balance = -1;
    });
    let error = refused.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(
        error.to_string().contains(&format!("after {tries} tries")),
        "{error}"
    );
    assert!(tries > 1);
}

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
