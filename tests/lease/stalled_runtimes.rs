//! A release in the background whose runtime nobody drives any more keeps no other owner out.

use std::time::Duration;

use futures::FutureExt;
use reinhardt_backends::lease::Lease;
use reinhardt_backends::testing::Flaky;
use reinhardt_backends::{Backend, MemoryBackend};
use reinhardt_backends_tests::PosingBackend;
use tokio::runtime::{Builder, Runtime};

use crate::{HOUR, PATIENCE, acquire, answering, lease};

const KEY: &str = "lease@name:job";

/// Makes three tests of each function: on a memory store, on a memory store that is called as if it
/// was elsewhere, and on a server.
macro_rules! beside_a_runtime_that_stands_still {
    ($($test:ident)*) => {
        mod memory {
            $(#[test]
            fn $test() {
                let (home, still) = super::runtimes();
                super::$test(&home, still, ::reinhardt_backends::MemoryBackend::new());
            })*
        }

        mod elsewhere {
            $(#[test]
            fn $test() {
                let (home, still) = super::runtimes();
                let memory = ::reinhardt_backends::MemoryBackend::new();
                let backend = ::reinhardt_backends_tests::PosingBackend::in_another_process(memory);
                super::$test(&home, still, backend);
            })*
        }

        mod redis {
            $(#[test]
            fn $test() {
                let server = ::reinhardt_backends_tests::Server::start();
                let (home, still) = super::runtimes();
                let backend = home.block_on(server.connect());
                super::$test(&home, still, backend);
            })*
        }
    };
}

beside_a_runtime_that_stands_still! {
    a_dropped_guard_keeps_nobody_out
    a_dropped_guard_whose_runtime_is_gone_keeps_nobody_out
    a_guard_that_goes_with_its_runtime_keeps_nobody_out
    a_dropped_try_keeps_nobody_out
    one_release_after_the_other_keeps_nobody_out
    the_lease_of_another_owner_stays
}

/// Returns a runtime that is driven, and one that is driven for as long as the test says.
fn runtimes() -> (Runtime, Runtime) {
    let home = Builder::new_multi_thread().enable_all().build();
    let still = Builder::new_current_thread().enable_all().build();
    (home.unwrap(), still.unwrap())
}

fn drop_on<T>(still: &Runtime, what: T) {
    still.block_on(async { drop(what) });
}

fn a_dropped_guard_keeps_nobody_out<B: Backend + Clone + 'static>(
    home: &Runtime,
    still: Runtime,
    backend: B,
) {
    let lease = lease(&backend, HOUR);
    let first = home.block_on(acquire(&lease));
    let number = first.fencing_number();
    drop_on(&still, first);
    let mut next = home.block_on(acquire(&lease));
    assert!(next.fencing_number() > number);
    // The release of the first guard is sent at last, and finds a lease that isn't its own.
    still.block_on(tokio::task::yield_now());
    home.block_on(backend.ping()).unwrap();
    assert!(home.block_on(lease.acquire()).unwrap().is_none());
    assert_eq!(
        home.block_on(next.renew()).unwrap(),
        reinhardt_backends::lease::Renewal::Held
    );
}

fn a_dropped_guard_whose_runtime_is_gone_keeps_nobody_out<B: Backend + Clone + 'static>(
    home: &Runtime,
    still: Runtime,
    backend: B,
) {
    let lease = lease(&backend, HOUR);
    let guard = home.block_on(acquire(&lease));
    drop_on(&still, guard);
    drop(still);
    let next = home.block_on(acquire(&lease));
    assert!(next.is_held());
}

fn a_guard_that_goes_with_its_runtime_keeps_nobody_out<B: Backend + Clone + 'static>(
    home: &Runtime,
    still: Runtime,
    backend: B,
) {
    let lease = lease(&backend, HOUR);
    let guard = home.block_on(acquire(&lease));
    still.spawn(async move {
        let _guard = guard;
        std::future::pending::<()>().await;
    });
    still.block_on(tokio::task::yield_now());
    drop(still);
    let next = home.block_on(acquire(&lease));
    assert!(next.is_held());
}

/// The first call has been done, and isn't answered.
fn a_dropped_try_keeps_nobody_out<B: Backend + Clone + 'static>(
    home: &Runtime,
    still: Runtime,
    backend: B,
) {
    let (stalling, _) = answering(backend.clone(), 0);
    let stalled = lease(&stalling, HOUR);
    still.block_on(async {
        let mut attempt = Box::pin(stalled.acquire());
        while !backend.exists(KEY).await.unwrap() {
            assert!((&mut attempt).now_or_never().is_none());
        }
        drop(attempt);
    });
    let next = home.block_on(acquire(&lease(&backend, HOUR)));
    assert!(next.is_held());
}

fn one_release_after_the_other_keeps_nobody_out<B: Backend + Clone + 'static>(
    home: &Runtime,
    still: Runtime,
    backend: B,
) {
    let lease = lease(&backend, HOUR);
    for _ in 0..5 {
        let guard = home.block_on(acquire(&lease));
        drop_on(&still, guard);
    }
    let mut waiting = home.block_on(lease.acquire_within(PATIENCE)).unwrap();
    assert!(waiting.take().is_some());
}

fn the_lease_of_another_owner_stays<B: Backend + Clone + 'static>(
    home: &Runtime,
    still: Runtime,
    backend: B,
) {
    let lease = lease(&backend, HOUR);
    let first = home.block_on(acquire(&lease));
    home.block_on(backend.delete(KEY)).unwrap();
    let second = home.block_on(acquire(&lease));
    drop_on(&still, first);
    assert!(home.block_on(lease.acquire()).unwrap().is_none());
    assert!(home.block_on(second.release()).unwrap());
}

#[test]
fn a_release_whose_lease_has_ended_by_itself_costs_nobody_a_call() {
    let (home, still) = runtimes();
    let calls = Flaky::new(MemoryBackend::new());
    let backend = PosingBackend::in_another_process(calls.clone());
    let moment = Duration::from_millis(20);
    let ending = Lease::new(backend.clone(), "ending", moment).unwrap();
    let guard = home.block_on(acquire(&ending));
    drop_on(&still, guard);
    drop(still);
    // By now it has ended for the store, and for those who know of the release.
    std::thread::sleep(moment);
    let lease = Lease::new(backend.clone(), "ending", HOUR).unwrap();
    let next = home.block_on(acquire(&lease));
    calls.clear_calls();
    assert!(home.block_on(lease.acquire()).unwrap().is_none());
    assert_eq!(calls.calls().len(), 1, "the write that is refused");
    drop_on(&home, next);
}
