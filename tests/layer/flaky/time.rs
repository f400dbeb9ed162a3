//! Delays, limits and calls that are never answered, in paused time.

use std::time::Duration;

use futures::FutureExt;
use tokio::time::{Instant, advance, timeout};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_delayed_call_has_its_effect_after_the_delay() {
    let flaky = flaky();
    flaky.on(Op::Write).delay(SECOND);
    let mut call = Box::pin(flaky.set("key", 1, None));
    assert!((&mut call).now_or_never().is_none());
    advance(SECOND / 2).await;
    assert!((&mut call).now_or_never().is_none());
    assert!(!flaky.inner().exists("key").await.unwrap());
    let before = Instant::now();
    call.await.unwrap();
    assert_eq!(Instant::now() - before, SECOND / 2);
    assert!(flaky.inner().exists("key").await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_delayed_answer_comes_after_the_effect() {
    let flaky = flaky();
    flaky.on(Op::Write).delay_after(SECOND);
    let mut call = Box::pin(flaky.set("key", 1, None));
    assert!((&mut call).now_or_never().is_none());
    assert!(flaky.inner().exists("key").await.unwrap());
    let before = Instant::now();
    call.await.unwrap();
    assert_eq!(Instant::now() - before, SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_while_it_is_delayed_has_no_effect() {
    let flaky = flaky();
    flaky.on(Op::Increment).first(1).delay(SECOND);
    let dropped = timeout(SECOND / 2, flaky.increment("hits", None)).await;
    assert!(dropped.is_err());
    advance(2 * SECOND).await;
    assert!(!flaky.inner().exists("hits").await.unwrap());
    assert_eq!(flaky.increment("hits", None).await.unwrap(), 1);
    assert_eq!(flaky.count(Op::Increment), 2, "it was recorded");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_is_never_answered() {
    for is_after in [false, true] {
        let flaky = flaky();
        let rule = flaky.on(Op::Write);
        match is_after {
            true => rule.hang_after(),
            false => rule.hang(),
        };
        let day = Duration::from_secs(24 * 3600);
        let answered = timeout(day, flaky.set("key", 1, None)).await;
        assert!(answered.is_err());
        assert_eq!(flaky.inner().exists("key").await.unwrap(), is_after);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_times_out_when_the_limit_has_passed() {
    for is_after in [false, true] {
        let flaky = flaky();
        let rule = flaky.on_any();
        match is_after {
            true => rule.time_out_after(SECOND),
            false => rule.time_out_before(SECOND),
        };
        let before = Instant::now();
        let error = flaky.set("key", 1, None).await.unwrap_err();
        assert_eq!(Instant::now() - before, SECOND);
        assert_eq!(
            error.to_string(),
            "timed out: no answer within 1s (outcome unknown)"
        );
        assert_eq!(flaky.inner().exists("key").await.unwrap(), is_after);
        let told = told(flaky.get::<i64>("key").await);
        assert_eq!(told, (ErrorKind::Timeout, false));
    }
}

#[tokio::test(start_paused = true)]
async fn no_time_is_too_long_and_none_too_short() {
    let flaky = flaky();
    flaky.on(Op::Write).nth(1).delay(Duration::MAX);
    flaky.on(Op::Write).nth(2).delay(Duration::ZERO);
    let year = Duration::from_secs(365 * 24 * 3600);
    let waits = timeout(year, flaky.set("key", 1, None)).await;
    assert!(waits.is_err());
    flaky.set("key", 1, None).await.unwrap();
}

/// Without a runtime there is no clock of tokio's.
#[test]
fn a_call_on_no_runtime_is_delayed_in_real_time() {
    let flaky = flaky();
    flaky.on(Op::Write).delay(Duration::from_millis(20));
    let before = std::time::Instant::now();
    futures::executor::block_on(flaky.set("key", 1, None)).unwrap();
    assert!(before.elapsed() >= Duration::from_millis(20));
    flaky.on(Op::Read).nth(1).delay(Duration::MAX);
    assert!(flaky.get::<i64>("key").now_or_never().is_none());
}
