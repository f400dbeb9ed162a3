//! The futures of accessors are `Send`, and borrow no more than they must.

use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use reinhardt_backends::{Backend, BackendError, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

use crate::{Membership, Page, RateCounter, Session, home, login, session};

#[tokio::test]
async fn every_future_is_send() {
    fn check<T: Send>(_: T) {}
    let backend: &dyn Backend = &MemoryBackend::new();
    let abc = session("abc");
    check(abc.save(backend));
    check(abc.save_for(backend, Duration::from_secs(1)));
    check(abc.save_if_absent(backend));
    check(abc.save_if_present(backend));
    check(Session::get(backend, "abc"));
    check(Session::get_many(backend, ["abc"]));
    check(Session::exists(backend, "abc"));
    check(Session::delete(backend, "abc"));
    check(Session::take(backend, "abc"));
    check(Session::ttl(backend, "abc"));
    check(Session::touch(backend, "abc"));
    check(Session::update(backend, "abc", |_| {}));
    check(Session::scan(backend));
    check(Session::clear(backend));
    check(Membership::get(backend, 1, "x"));
    check(home().set(backend, "x"));
    check(home().get(backend));
    check(home().update(backend, |_| {}));
    check(home().get_or_set_with(backend, || async { Ok::<_, BackendError>(String::new()) }));
    check(home().get_or_compute(backend, async || String::new()));
    check(login().increment(backend));
    check(login().increment_by(backend, 1));
    check(login().hit(backend));
    check(login().get(backend));
    check(login().ttl(backend));
    check(login().reset(backend));
}

#[tokio::test]
async fn entries_and_values_need_not_be_send() {
    #[derive(Serialize, Deserialize, Keyspace)]
    #[keyspace(prefix = "local", ttl = "1m")]
    struct Local {
        #[keyspace(key)]
        id: u8,
        #[serde(skip)]
        seen: PhantomData<Rc<()>>,
    }
    fn check<T: Send>(_: T) {}
    let backend = MemoryBackend::new();
    let seen = PhantomData;
    check(Local { id: 1, seen }.save(&backend));
    check(Local::get(&backend, 1));
    check(Local::take(&backend, 1));
    check(Local::get_many(&backend, [1]));
    check(Local::scan(&backend));
    Local { id: 1, seen }.save(&backend).await.unwrap();
    let updated = Local::update(&backend, 1, |local| local.seen = PhantomData);
    assert!(updated.await.unwrap().is_some());
}

#[tokio::test]
async fn closures_need_not_be_send() {
    let backend = MemoryBackend::new();
    session("abc").save(&backend).await.unwrap();
    let calls = Rc::new(Cell::new(0));
    let seen = calls.clone();
    Session::update(&backend, "abc", move |_| seen.set(seen.get() + 1))
        .await
        .unwrap();
    let seen = calls.clone();
    let compute = move || async move {
        seen.set(seen.get() + 1);
        Ok::<_, BackendError>(String::new())
    };
    home().get_or_set_with(&backend, compute).await.unwrap();
    assert_eq!(calls.get(), 2);
}

#[tokio::test]
async fn a_future_outlives_the_counter_and_the_text_in_it() {
    let backend = MemoryBackend::new();
    let hits = {
        let route = String::from("/login");
        let counter = RateCounter {
            route: &route,
            ..login()
        };
        counter.increment(&backend)
    };
    assert_eq!(hits.await.unwrap(), 1);
}

#[tokio::test]
async fn futures_of_temporaries_are_joined() {
    let backend = MemoryBackend::new();
    let (first, second) = tokio::join!(
        RateCounter {
            route: &String::from("/a"),
            ..login()
        }
        .increment(&backend),
        home().get(&backend),
    );
    assert_eq!((first.unwrap(), second.unwrap()), (1, None));
    let all = join_all((0..10).map(|_| login().increment(&backend))).await;
    assert_eq!(all.into_iter().map(Result::unwrap).max(), Some(10));
}

#[tokio::test]
async fn a_save_outlives_the_entry() {
    let backend = MemoryBackend::new();
    let saved = session("abc").save(&backend);
    saved.await.unwrap();
    assert!(Session::exists(&backend, "abc").await.unwrap());
}

#[tokio::test]
async fn accessors_are_called_in_tasks() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let tasks = (0..8).map(|_| {
        let backend = backend.clone();
        tokio::spawn(async move {
            let route = String::from("/login");
            let counter = RateCounter {
                route: &route,
                ..login()
            };
            counter.increment(&backend).await
        })
    });
    for task in join_all(tasks).await {
        task.unwrap().unwrap();
    }
    assert_eq!(login().get(&backend).await.unwrap(), 8);
}

#[tokio::test]
async fn a_future_itself_is_spawned_where_the_backend_lives_long_enough() {
    let backend: &'static MemoryBackend = Box::leak(Box::default());
    let task = tokio::spawn(
        Page {
            locale: "en",
            path: &String::from("/x"),
        }
        .set(backend, "x"),
    );
    task.await.unwrap().unwrap();
}
