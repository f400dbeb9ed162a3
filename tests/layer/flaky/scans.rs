//! Rules about scans: the error is an item of the stream.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use tokio::time::{Instant, timeout};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Returns a backend with three users.
async fn users() -> Flaky<MemoryBackend> {
    let flaky = flaky();
    for id in 1..=3 {
        let key = format!("user:{id}");
        flaky.inner().set(&key, id, None).await.unwrap();
    }
    flaky
}

/// Returns the number of keys that came, and the kind of the error that did.
async fn scan(flaky: &Flaky<MemoryBackend>) -> (usize, Option<ErrorKind>) {
    let all: Vec<_> = flaky.scan("user:").collect().await;
    let keys = all.iter().filter(|item| item.is_ok()).count();
    let mut errors = all.into_iter().filter_map(Result::err);
    let error = errors.next().map(|error| {
        assert!(!error.outcome_unknown(), "it only reads");
        error.kind()
    });
    assert!(errors.next().is_none());
    (keys, error)
}

#[tokio::test]
async fn a_scan_without_rules_is_that_of_the_backend_inside() {
    let flaky = users().await;
    flaky.on(Op::Scan).prefix("page:").fail(ErrorKind::Full);
    assert_eq!(scan(&flaky).await, (3, None));
    assert_eq!(flaky.calls(), [(Op::Scan, "user:")]);
}

#[tokio::test]
async fn a_scan_that_fails_yields_an_error_and_ends() {
    let flaky = users().await;
    flaky.on(Op::Scan).nth(1).fail(ErrorKind::Denied);
    flaky.on(Op::Scan).nth(2).lose_before();
    assert_eq!(scan(&flaky).await, (0, Some(ErrorKind::Denied)));
    assert_eq!(scan(&flaky).await, (0, Some(ErrorKind::Unavailable)));
    assert_eq!(scan(&flaky).await, (3, None));
    flaky.down();
    assert_eq!(scan(&flaky).await, (0, Some(ErrorKind::Unavailable)));
}

#[tokio::test]
async fn a_scan_whose_end_is_lost_yields_the_keys_and_an_error() {
    let flaky = users().await;
    flaky.on(Op::Scan).lose_after();
    assert_eq!(scan(&flaky).await, (3, Some(ErrorKind::Unavailable)));
    let collected = flaky.scan("user:").try_collect::<Vec<_>>().await;
    assert_eq!(told(collected).0, ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_scan_is_delayed_and_times_out() {
    let flaky = users().await;
    flaky.on(Op::Scan).nth(1).delay(SECOND);
    flaky.on(Op::Scan).nth(2).delay_after(SECOND);
    flaky.on(Op::Scan).nth(3).time_out_before(SECOND);
    for expected in [(3, None), (3, None), (0, Some(ErrorKind::Timeout))] {
        let before = Instant::now();
        assert_eq!(scan(&flaky).await, expected);
        assert_eq!(Instant::now() - before, SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_hangs_never_ends() {
    let flaky = users().await;
    flaky.on(Op::Scan).nth(1).hang();
    flaky.on(Op::Scan).nth(2).hang_after();
    for expected in [0, 3] {
        let mut keys = flaky.scan("user:");
        let mut count = 0;
        while let Ok(Some(_)) = timeout(SECOND, keys.next()).await {
            count += 1;
        }
        assert_eq!(count, expected);
        assert!(timeout(SECOND, keys.next()).await.is_err());
    }
}

/// The calls that the accessors of a keyspace make of it.
#[tokio::test]
async fn a_scan_of_a_keyspace_fails_with_it() {
    let flaky = flaky();
    crate::ann().save(&flaky).await.unwrap();
    flaky.on(Op::Scan).fail(ErrorKind::Unavailable);
    let users = crate::User::scan(&flaky).try_collect::<Vec<_>>().await;
    assert_eq!(told(users).0, ErrorKind::Unavailable);
}
