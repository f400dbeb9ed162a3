//! A leader whose runtime nobody drives any more holds up no other caller.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, join_all};
use futures::{FutureExt, poll};
use reinhardt_backends::layer::Op;
use reinhardt_backends::testing::{Held, RecordedCall};
use reinhardt_backends::{Backend, BackendError, MemoryBackend};
use reinhardt_backends_tests::PosingBackend;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::{NEWS, PAGE, PATIENCE, PLAIN, Page, Source, Two, age, failure, flaky, lasting, until};

const MANY: usize = 1000;
/// A second and a half, and the time that a busy machine adds. It is less than the life of the
/// leases.
const SOON: Duration = Duration::from_secs(5);
/// The time for which a runtime stands still, or for which a computation runs, that no caller may
/// give up.
const LONG: Duration = Duration::from_secs(3);

/// Makes two tests of each function: on a memory store, and on a private server, each on a runtime
/// that is driven and with one that is driven for as long as the test says.
macro_rules! beside_a_runtime_that_stands_still {
    ($($test:ident)*) => {
        mod memory {
            $(#[test]
            fn $test() {
                super::beside(async || crate::Two::in_memory(), super::$test);
            })*
        }

        mod redis {
            $(#[test]
            fn $test() {
                super::beside(async || crate::Two::on_a_server().await, super::$test);
            })*
        }
    };
}

beside_a_runtime_that_stands_still! {
    a_refresh_that_stands_still_holds_up_nobody_who_misses
    a_refresh_that_has_not_begun_holds_up_nobody_who_misses
    a_refresh_that_stands_still_is_taken_over_by_a_later_hit
    a_leader_that_stands_still_holds_up_nobody
    a_plain_leader_that_stands_still_holds_up_nobody
    a_leader_whose_runtime_is_gone_holds_up_nobody
    a_leader_that_goes_with_its_runtime_holds_up_nobody
    a_leader_that_goes_with_its_runtime_holds_up_nobody_who_asks_by_another_backend
    a_follower_that_stands_still_holds_up_nobody_when_its_turn_comes
    a_follower_that_is_dropped_with_its_question_holds_up_nobody
    a_leader_that_was_passed_by_waits_for_the_next_one
    a_leader_whose_runtime_runs_is_waited_for
    a_leader_on_no_runtime_is_waited_for
}

fn beside(store: impl AsyncFnOnce() -> Two, test: fn(&Runtime, &Runtime, &Two)) {
    let home = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let still = Builder::new_current_thread().enable_all().build().unwrap();
    let two = home.block_on(store());
    test(&home, &still, &two);
}

/// Drives the runtime until one computation of the source has begun.
fn drive_until_begun(still: &Runtime, source: &Source) {
    still.block_on(until("it computes", async || source.begun() == 1));
}

fn drive_for(still: &Runtime, time: Duration) {
    still.block_on(async { tokio::time::sleep(time).await });
}

/// Returns the values of many readers, which have to get them soon.
fn soon<T: Send + 'static>(
    home: &Runtime,
    count: usize,
    read: impl Fn() -> BoxFuture<'static, T>,
) -> Vec<T> {
    home.block_on(async {
        let began = Instant::now();
        let readers: Vec<JoinHandle<T>> = (0..count).map(|_| tokio::spawn(read())).collect();
        let all = tokio::time::timeout(SOON, join_all(readers)).await;
        let all = all.expect("they wait for a runtime that nobody drives");
        println!("{count} were answered after {:?}", began.elapsed());
        all.into_iter().map(Result::unwrap).collect()
    })
}

fn news(source: &Arc<Source>, backend: &Arc<dyn Backend>) -> BoxFuture<'static, String> {
    let (source, backend) = (source.clone(), backend.clone());
    async move { source.news(&backend).await }.boxed()
}

fn page(source: &Arc<Source>, backend: &Arc<dyn Backend>) -> BoxFuture<'static, String> {
    let (source, backend) = (source.clone(), backend.clone());
    async move {
        let page = PAGE.get_or_set_with(&backend, || source.compute()).await;
        page.unwrap()
    }
    .boxed()
}

fn plain(source: &Arc<Source>, backend: &Arc<dyn Backend>) -> BoxFuture<'static, String> {
    let (source, backend) = (source.clone(), backend.clone());
    async move {
        let page = PLAIN.get_or_set_with(&backend, || source.compute()).await;
        page.unwrap()
    }
    .boxed()
}

/// Another computation's values can be told from the source's.
async fn another() -> Result<String, BackendError> {
    Ok("another's".to_string())
}

/// Leaves a refresh behind that a hit has begun on `still`, and the key empty, as at the end of the
/// old value.
fn leave_a_refresh(home: &Runtime, still: &Runtime, two: &Two, source: &Arc<Source>, begins: bool) {
    home.block_on(async {
        NEWS.set(&two.one, "old").await.unwrap();
        age(&two.one, NEWS).await;
    });
    assert_eq!(still.block_on(source.news(&two.one)), "old");
    if begins {
        drive_until_begun(still, source);
    }
    assert_eq!(source.begun(), usize::from(begins));
}

/// Removes the value, and not the lease.
fn end_the_value(home: &Runtime, two: &Two) {
    assert!(home.block_on(two.one.delete(&NEWS.key())).unwrap());
}

fn stored_news(home: &Runtime, two: &Two) -> Option<String> {
    home.block_on(NEWS.get(&two.other)).unwrap()
}

fn a_refresh_that_stands_still_holds_up_nobody_who_misses(
    home: &Runtime,
    still: &Runtime,
    two: &Two,
) {
    let handles = Arc::strong_count(&two.one);
    let (first, second) = (Source::closed(), Source::closed());
    second.begun.store(1, SeqCst);
    second.open_for(MANY);
    leave_a_refresh(home, still, two, &first, true);
    end_the_value(home, two);
    let all = soon(home, MANY, || news(&second, &two.one));
    assert!(all.iter().all(|news| news == "computed 1"), "once for all");
    assert_eq!(stored_news(home, two).unwrap(), "computed 1");
    // The leader goes on at last, and its value is too old.
    first.open_for(1);
    still.block_on(until("its task has ended", async || {
        Arc::strong_count(&two.one) == handles
    }));
    assert_eq!(stored_news(home, two).unwrap(), "computed 1");
}

fn a_refresh_that_has_not_begun_holds_up_nobody_who_misses(
    home: &Runtime,
    still: &Runtime,
    two: &Two,
) {
    let (first, second) = (Source::open(), Source::open());
    leave_a_refresh(home, still, two, &first, false);
    end_the_value(home, two);
    let all = soon(home, MANY, || news(&second, &two.one));
    assert!(all.iter().all(|news| news == "computed 0"), "once for all");
    assert_eq!(second.begun(), 1);
}

fn a_refresh_that_stands_still_is_taken_over_by_a_later_hit(
    home: &Runtime,
    still: &Runtime,
    two: &Two,
) {
    let (first, second) = (Source::closed(), Source::open());
    leave_a_refresh(home, still, two, &first, true);
    home.block_on(async {
        let began = Instant::now();
        until("a hit asks", async || {
            assert_eq!(second.news(&two.one).await, "old", "at once");
            began.elapsed() > Duration::from_millis(200)
        })
        .await;
        assert_eq!(second.begun(), 0, "the leader may be alive");
        tokio::time::sleep_until((began + Duration::from_millis(1300)).into()).await;
        assert_eq!(second.news(&two.one).await, "old");
        until("it is refreshed", async || {
            NEWS.get(&two.other).await.unwrap().unwrap() == "computed 0"
        })
        .await;
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    });
    assert_eq!(second.begun(), 1);
}

fn a_leader_that_stands_still_holds_up_nobody(home: &Runtime, still: &Runtime, two: &Two) {
    let (first, second) = (Source::closed(), Source::closed());
    second.begun.store(1, SeqCst);
    second.open_for(MANY);
    let leader = still.spawn(page(&first, &two.one));
    drive_until_begun(still, &first);
    let all = soon(home, MANY, || page(&second, &two.one));
    assert!(all.iter().all(|page| page == "computed 1"), "once for all");
    home.block_on(PAGE.set(&two.other, "newer")).unwrap();
    first.open_for(1);
    assert_eq!(still.block_on(leader).unwrap(), "newer");
    assert_eq!(home.block_on(PAGE.get(&two.one)).unwrap().unwrap(), "newer");
}

fn a_plain_leader_that_stands_still_holds_up_nobody(home: &Runtime, still: &Runtime, two: &Two) {
    let (first, second) = (Source::closed(), Source::closed());
    second.begun.store(1, SeqCst);
    second.open_for(MANY);
    let leader = still.spawn(plain(&first, &two.one));
    drive_until_begun(still, &first);
    let all = soon(home, MANY, || plain(&second, &two.one));
    assert!(all.iter().all(|page| page == "computed 1"), "once for all");
    first.open_for(1);
    assert_eq!(still.block_on(leader).unwrap(), "computed 1");
    let stored = home.block_on(PLAIN.get(&two.one));
    assert_eq!(stored.unwrap().unwrap(), "computed 1");
}

/// The future is kept by somebody who polls it no more, so that it isn't dropped with its runtime.
fn a_leader_whose_runtime_is_gone_holds_up_nobody(home: &Runtime, _still: &Runtime, two: &Two) {
    let (first, second) = (Source::closed(), Source::open());
    let gone = Builder::new_current_thread().enable_all().build().unwrap();
    let mut leader = page(&first, &two.one);
    gone.block_on(until("it computes", async || {
        assert!(poll!(&mut leader).is_pending());
        first.begun() == 1
    }));
    drop(gone);
    let all = soon(home, MANY, || page(&second, &two.one));
    assert!(all.iter().all(|page| page == "computed 0"), "once for all");
    assert_eq!(second.begun(), 1);
    drop(leader);
}

fn a_leader_that_goes_with_its_runtime_holds_up_nobody(
    home: &Runtime,
    _still: &Runtime,
    two: &Two,
) {
    let (first, second) = (Source::closed(), Source::open());
    let gone = Builder::new_current_thread().enable_all().build().unwrap();
    let _leader = gone.spawn(page(&first, &two.one));
    drive_until_begun(&gone, &first);
    drop(gone);
    let all = soon(home, MANY, || page(&second, &two.one));
    assert!(all.iter().all(|page| page == "computed 0"), "once for all");
}

/// A caller that waits for the lease isn't in the flight of its holder.
fn a_leader_that_goes_with_its_runtime_holds_up_nobody_who_asks_by_another_backend(
    home: &Runtime,
    _still: &Runtime,
    two: &Two,
) {
    let (first, second) = (Source::closed(), Source::open());
    let gone = Builder::new_current_thread().enable_all().build().unwrap();
    let _leader = gone.spawn(page(&first, &two.other));
    drive_until_begun(&gone, &first);
    let waiting = home.spawn(page(&second, &two.one));
    // The second caller has found the lease held, and waits.
    drive_for(home, Duration::from_millis(100));
    drop(gone);
    let waiting = home.block_on(async { tokio::time::timeout(SOON, waiting).await });
    assert_eq!(waiting.expect("the lease is noted").unwrap(), "computed 0");
}

fn a_follower_that_stands_still_holds_up_nobody_when_its_turn_comes(
    home: &Runtime,
    still: &Runtime,
    two: &Two,
) {
    let (leading, waiting, second) = (Source::closed(), Source::open(), Source::open());
    let (source, backend) = (leading.clone(), two.one.clone());
    let leader = home.spawn(async move {
        let compute = || async {
            source.compute().await?;
            Err::<String, _>(failure())
        };
        PAGE.get_or_set_with(&backend, compute).await
    });
    home.block_on(until("it computes", async || leading.begun() == 1));
    let follower = still.spawn(page(&waiting, &two.one));
    // The follower has looked, and waits.
    drive_for(still, Duration::from_millis(100));
    leading.open_for(1);
    assert!(home.block_on(leader).unwrap().is_err());
    let all = soon(home, MANY, || page(&second, &two.one));
    assert!(all.iter().all(|page| page == "computed 0"), "once for all");
    assert_eq!((waiting.begun(), second.begun()), (0, 1));
    // The follower finds the stored value.
    assert_eq!(still.block_on(follower).unwrap(), "computed 0");
    assert_eq!(waiting.begun(), 0);
}

fn a_follower_that_is_dropped_with_its_question_holds_up_nobody(
    home: &Runtime,
    still: &Runtime,
    two: &Two,
) {
    let (first, second) = (Source::closed(), Source::open());
    let _leader = still.spawn(page(&first, &two.one));
    drive_until_begun(still, &first);
    home.block_on(async {
        let asking = tokio::time::timeout(Duration::from_millis(300), page(&second, &two.one));
        assert!(asking.await.is_err());
    });
    let all = soon(home, 10, || page(&second, &two.one));
    assert!(all.iter().all(|page| page == "computed 0"), "once for all");
}

/// One that comes back before its lease is taken doesn't take it behind the next leader's back.
fn a_leader_that_was_passed_by_waits_for_the_next_one(home: &Runtime, still: &Runtime, two: &Two) {
    // Another process has the lease.
    let lease = "page@lease:1:2";
    home.block_on(two.one.set(lease, "its token", None))
        .unwrap();
    let (first, second) = (Source::open(), Source::closed());
    let early = still.spawn(page(&first, &two.one));
    drive_for(still, Duration::from_millis(100));
    let late = home.spawn(page(&second, &two.one));
    thread::sleep(Duration::from_millis(1500));
    assert!(home.block_on(two.one.delete(lease)).unwrap());
    home.block_on(until("it computes", async || second.begun() == 1));
    drive_for(still, Duration::from_millis(500));
    assert_eq!(first.begun(), 0);
    second.open_for(1);
    assert_eq!(home.block_on(late).unwrap(), "computed 0");
    assert_eq!(still.block_on(early).unwrap(), "computed 0");
    assert_eq!(first.begun(), 0);
}

fn a_leader_whose_runtime_runs_is_waited_for(home: &Runtime, still: &Runtime, two: &Two) {
    let (first, second) = (Source::closed(), Source::open());
    let leader = still.spawn(page(&first, &two.one));
    drive_until_begun(still, &first);
    let followers: Vec<_> = (0..10)
        .map(|_| home.spawn(page(&second, &two.one)))
        .collect();
    drive_for(still, LONG);
    first.open_for(1);
    assert_eq!(still.block_on(leader).unwrap(), "computed 0");
    for page in home.block_on(join_all(followers)) {
        assert_eq!(page.unwrap(), "computed 0");
    }
    assert_eq!(second.begun(), 0);
}

fn a_leader_on_no_runtime_is_waited_for(home: &Runtime, _still: &Runtime, two: &Two) {
    let (source, backend) = (Source::open(), two.one.clone());
    let (send, has_begun) = std::sync::mpsc::channel();
    let leader = thread::spawn(move || {
        let compute = || async {
            send.send(()).unwrap();
            thread::sleep(LONG);
            Ok::<_, BackendError>("slow".to_string())
        };
        let page = PLAIN.get_or_set_with(&*backend, compute);
        futures::executor::block_on(page).unwrap()
    });
    has_begun.recv_timeout(PATIENCE).unwrap();
    let all = soon(home, 10, || plain(&source, &two.one));
    assert!(all.iter().all(|page| page == "slow"));
    assert_eq!(leader.join().unwrap(), "slow");
    assert_eq!(source.begun(), 0);
}

#[test]
fn a_leader_whose_runtime_is_blocked_holds_up_nobody() {
    let two = Two::in_memory();
    let home = Builder::new_multi_thread().enable_all().build().unwrap();
    let backend = two.one.clone();
    let (send, has_begun) = std::sync::mpsc::channel();
    let (end, may_end) = std::sync::mpsc::channel::<()>();
    let leader = thread::spawn(move || {
        let blocked = Builder::new_current_thread().enable_all().build().unwrap();
        blocked.block_on(PAGE.get_or_set_with(&backend, || async {
            send.send(()).unwrap();
            may_end.recv().unwrap();
            Ok::<_, BackendError>("slow".to_string())
        }))
    });
    has_begun.recv_timeout(PATIENCE).unwrap();
    let source = Source::open();
    let all = soon(&home, 10, || page(&source, &two.one));
    assert!(all.iter().all(|page| page == "computed 0"));
    end.send(()).unwrap();
    assert_eq!(leader.join().unwrap().unwrap(), "computed 0");
}

/// Two leaders in a row, of which the second one's runtime isn't driven either.
#[test]
fn one_leader_after_the_other_is_passed_by() {
    let two = Two::in_memory();
    let runtimes = [0, 1].map(|_| Builder::new_current_thread().enable_all().build().unwrap());
    let sources = [0, 1].map(|_| Source::closed());
    for (runtime, source) in runtimes.iter().zip(&sources) {
        runtime.spawn(page(source, &two.one));
        drive_until_begun(runtime, source);
    }
    let home = Builder::new_multi_thread().enable_all().build().unwrap();
    let last = Source::open();
    let all = soon(&home, 10, || page(&last, &two.one));
    assert!(all.iter().all(|page| page == "computed 0"));
    assert_eq!(last.begun(), 1);
}

/// Returns a backend that gives the answer to the n-th call of this kind only when the test lets
/// it.
fn answering_late(op: Op, number: usize) -> (Arc<dyn Backend>, Held) {
    let store = flaky();
    let held = store.on(op).nth(number).hold_after();
    (lasting(store), held)
}

/// Has a reader passed by while it waits for an answer, and checks that it then waits for the next
/// leader.
fn passed_by_while_it_waits_for(
    op: Op,
    number: usize,
    read: fn(&Arc<Source>, &Arc<dyn Backend>) -> BoxFuture<'static, String>,
) {
    let (backend, held) = answering_late(op, number);
    let still = Builder::new_current_thread().enable_all().build().unwrap();
    let home = Builder::new_multi_thread().enable_all().build().unwrap();
    let (first, second) = (Source::open(), Source::closed());
    let mut early = read(&first, &backend);
    assert!(still.block_on(async { poll!(&mut early) }).is_pending());
    assert_eq!(first.begun(), 0, "it waits for the answer");
    let late = home.spawn(read(&second, &backend));
    home.block_on(until("it computes", async || second.begun() == 1));
    held.open();
    assert!(still.block_on(async { poll!(&mut early) }).is_pending());
    assert_eq!(first.begun(), 0, "it waits for who leads");
    second.open_for(1);
    assert_eq!(home.block_on(late).unwrap(), "computed 0");
    assert_eq!(still.block_on(early), "computed 0");
    assert_eq!(first.begun(), 0);
}

#[test]
fn who_is_passed_by_before_it_hears_of_its_lease_computes_nothing() {
    passed_by_while_it_waits_for(Op::Write, 1, page);
}

#[test]
fn who_is_passed_by_while_it_looks_once_more_computes_nothing() {
    passed_by_while_it_waits_for(Op::Read, 2, page);
}

#[test]
fn a_plain_leader_that_is_passed_by_while_it_looks_once_more_computes_nothing() {
    passed_by_while_it_waits_for(Op::Read, 2, plain);
}

/// The token that the passed-by leader wanted to put is not in the store, so no waiter need look
/// for it there.
#[test]
fn who_is_passed_by_while_another_process_leads_costs_those_who_wait_no_call() {
    const PAGE: Page = Page { site: 3, page: 1 };
    const LEASE: &str = "page@lease:3:1";
    let store = flaky();
    let writes = || {
        let is_write = |call: &&RecordedCall| **call == (Op::Write, LEASE);
        store.calls().iter().filter(is_write).count()
    };
    let looks = || store.count(Op::ReadMany);
    let memory = store.inner().clone();
    let still = Builder::new_current_thread().enable_all().build().unwrap();
    let home = Builder::new_multi_thread().enable_all().build().unwrap();
    home.block_on(memory.set(LEASE, "its token", None)).unwrap();
    let backend = store.clone();
    let early = still.spawn(async move { PAGE.get_or_set_with(&backend, another).await });
    still.block_on(until("it waits", async || looks() > 0));
    let backend = store.clone();
    let late = home.spawn(async move { PAGE.get_or_set_with(&backend, another).await });
    home.block_on(until("it has passed it by", async || writes() == 2));
    let before = looks();
    home.block_on(until("it waits", async || looks() >= before + 3));
    assert_eq!(writes(), 2, "one try each");
    home.block_on(PAGE.set(&memory, "theirs")).unwrap();
    assert_eq!(home.block_on(late).unwrap().unwrap(), "theirs");
    assert_eq!(still.block_on(early).unwrap().unwrap(), "theirs");
}

/// A backend that says nothing of this process, whose leases last as long as they are declared.
#[test]
fn the_lease_of_who_was_passed_by_goes_with_its_turn() {
    let memory = MemoryBackend::new();
    let backend = lasting(PosingBackend::in_another_process(memory.clone()));
    let still = Builder::new_current_thread().enable_all().build().unwrap();
    let home = Builder::new_multi_thread().enable_all().build().unwrap();
    let (first, second) = (Source::closed(), Source::open());
    let leader = still.spawn(page(&first, &backend));
    drive_until_begun(&still, &first);
    assert_eq!(soon(&home, 1, || page(&second, &backend)), ["computed 0"]);
    assert!(!home.block_on(memory.exists("page@lease:1:2")).unwrap());
    home.block_on(PAGE.delete(&backend)).unwrap();
    // The value that the first leader computes now is its caller's alone.
    first.open_for(1);
    still.block_on(leader).unwrap();
    assert!(!home.block_on(PAGE.exists(&backend)).unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_does_not_move_for_those_who_wait() {
    let backend = lasting(MemoryBackend::new());
    let (done, waits) = oneshot::channel();
    let compute = || async { Ok(waits.await.unwrap()) };
    let leader = PAGE.get_or_set_with(&backend, compute);
    let follower = PAGE.get_or_set_with(&backend, another);
    let before = tokio::time::Instant::now();
    thread::spawn(move || {
        thread::sleep(LONG / 2);
        done.send("computed".to_string())
    });
    let (leader, follower): (Result<_, BackendError>, _) = tokio::join!(leader, follower);
    assert_eq!(
        (leader.unwrap(), follower.unwrap()),
        ("computed".to_string(), "computed".to_string())
    );
    assert_eq!(tokio::time::Instant::now(), before);
}
