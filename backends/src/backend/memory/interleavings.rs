//! Models of a store in memory whose entries end, and of the hand-over of its sweeper between
//! runtimes.
//!
//! The store itself is looked at, over doubles of its locks, and time is a thread that sets the
//! clock forward. `tokio`'s tasks and runtimes are doubles as well. What the crate `thread_local`
//! counts is not: all threads of a model are one.

#![allow(clippy::unwrap_used)]

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use shuttle::thread;

use super::shards::Shards;
use super::worker::Worker;
use crate::backend::life::Life;
use crate::backend::store::Touch;
use crate::backend::{Condition, Write};
use crate::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use crate::sync::{Handle, advance, begin};

const KEY: &str = "key";
const BRIEF: u64 = 10;

fn life(millis: u64) -> Life {
    Life::In(Duration::from_millis(millis))
}

/// A store with an entry that ends when time passes.
fn store() -> Arc<Shards> {
    begin();
    let store = Arc::new(Shards::default());
    assert!(store.write(KEY, b"old", Write::new(life(BRIEF))).unwrap());
    store
}

fn is_there(store: &Shards) -> bool {
    store.get(KEY).unwrap().is_some()
}

/// An entry that somebody has found absent stays so, whatever calls were under way.
pub fn an_entry_that_has_ended_does_not_come_back() {
    let calls: [fn(&Arc<Shards>); 5] = [
        |store| assert!(store.expire(KEY, Life::Never).is_ok()),
        |store| drop(store.touch(KEY, Duration::from_millis(1)).unwrap()),
        |store| drop(store.renew(KEY, Duration::from_millis(99)).unwrap()),
        |store| {
            let options = Write::new(Life::Never).when(Condition::Present);
            assert!(store.write(KEY, b"new", options).is_ok());
        },
        |store| {
            let options = Write::new(Life::Never).when(Condition::Equals(b"old"));
            assert!(store.write(KEY, b"new", options).is_ok());
        },
    ];
    for call in calls {
        let store = store();
        let of_call = store.clone();
        let calling = thread::spawn(move || call(&of_call));
        let ticking = thread::spawn(|| advance(BRIEF));
        let was_there = is_there(&store);
        calling.join().unwrap();
        ticking.join().unwrap();
        assert!(was_there || !is_there(&store));
    }
}

/// A read finds one of two entries of which the second has taken the first one's place in time.
pub fn an_entry_that_is_replaced_in_time_is_never_missed() {
    let reads: [fn(&Arc<Shards>) -> bool; 4] = [
        |store| is_there(store),
        |store| store.read(KEY).unwrap().is_some(),
        |store| store.expiry(KEY).unwrap().is_some(),
        |store| store.read_value(KEY, Touch::Keep).unwrap().is_some(),
    ];
    for read in reads {
        let store = store();
        let end = store.clock.now().after(Duration::from_millis(BRIEF));
        let (of_write, of_read) = (store.clone(), store.clone());
        let writing = thread::spawn(move || {
            of_write
                .write(KEY, b"new", Write::new(Life::Never))
                .unwrap();
            of_write.clock.now() < end
        });
        let reading = thread::spawn(move || read(&of_read));
        advance(BRIEF);
        let (in_time, found) = (writing.join().unwrap(), reading.join().unwrap());
        assert!(found || !in_time);
    }
}

/// At most one task sweeps at a time, and calls on a runtime that lasts bring one there at last.
pub fn a_sweeper_is_handed_over_between_runtimes() {
    begin();
    let worker = Arc::new(Worker::default());
    let running = Arc::new(AtomicUsize::new(0));
    let on_lasting = Arc::new(AtomicUsize::new(0));
    let (ending, lasting) = (Handle::new(), Handle::new());
    let (of_first, first_runs, first_runtime) = (worker.clone(), running.clone(), ending.clone());
    let first = thread::spawn(move || {
        first_runtime.enter();
        of_first.ensure(|| sweep(first_runs));
    });
    let (of_second, second_runtime) = (worker.clone(), lasting.clone());
    let (second_runs, second_is_on) = (running.clone(), on_lasting.clone());
    let second = thread::spawn(move || {
        second_runtime.enter();
        while second_is_on.load(SeqCst) == 0 {
            let (runs, is_on) = (second_runs.clone(), second_is_on.clone());
            of_second.ensure(|| async move {
                is_on.store(1, SeqCst);
                sweep(runs).await;
            });
            thread::yield_now();
        }
    });
    ending.end();
    first.join().unwrap();
    second.join().unwrap();
    assert!(worker.is_running());
    lasting.end();
}

/// The task ends with its owner, also where one that came later was noted earlier.
pub fn no_sweeper_outlives_its_owner() {
    begin();
    let worker = Arc::new(Worker::default());
    let running = Arc::new(AtomicUsize::new(0));
    let (ending, lasting) = (Handle::new(), Handle::new());
    let (of_first, of_second) = (worker.clone(), worker.clone());
    let (first_runs, second_runs) = (running.clone(), running.clone());
    let (first_runtime, second_runtime) = (ending.clone(), lasting.clone());
    let first = thread::spawn(move || {
        first_runtime.enter();
        of_first.ensure(|| sweep(first_runs));
    });
    let second = thread::spawn(move || {
        second_runtime.enter();
        of_second.ensure(|| sweep(second_runs));
    });
    ending.end();
    first.join().unwrap();
    second.join().unwrap();
    drop(worker);
    while running.load(SeqCst) > 0 {
        thread::yield_now();
    }
}

/// Counts the tasks that run.
async fn sweep(running: Arc<AtomicUsize>) {
    let one = One(running);
    assert_eq!(one.0.fetch_add(1, SeqCst), 0, "two tasks at one time");
    pending::<()>().await;
}

struct One(Arc<AtomicUsize>);

impl Drop for One {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}
