//! Calls that wait until the test lets them go on, and calls that rules leave alone.

use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use tokio::time::timeout;

use super::*;

#[tokio::test]
async fn a_held_call_has_its_effect_when_it_is_released() {
    for is_after in [false, true] {
        let flaky = flaky();
        let rule = flaky.on(Op::Write).nth(1);
        let held = match is_after {
            true => rule.hold_after(),
            false => rule.hold(),
        };
        let mut call = Box::pin(flaky.set("key", 1, None));
        assert!((&mut call).now_or_never().is_none());
        held.reached(1).await;
        assert_eq!(flaky.inner().exists("key").await.unwrap(), is_after);
        held.release(1);
        call.await.unwrap();
        assert!(flaky.inner().exists("key").await.unwrap());
        assert_eq!(held.rule().applied(), 1);
    }
}

#[tokio::test]
async fn a_held_call_that_is_dropped_has_no_effect_and_takes_no_place() {
    let flaky = flaky();
    let held = flaky.on(Op::Increment).hold();
    let mut dropped = Box::pin(flaky.increment("hits", None));
    assert!((&mut dropped).now_or_never().is_none());
    drop(dropped);
    held.release(1);
    assert_eq!(flaky.increment("hits", None).await.unwrap(), 1);
    held.reached(2).await;
    let waits = flaky.increment("hits", None).now_or_never();
    assert!(waits.is_none(), "one call was released");
}

#[tokio::test]
async fn calls_are_released_in_their_order() {
    let flaky = flaky();
    let held = flaky.on(Op::Write).hold();
    let calls = (1..=3).map(|value| {
        let flaky = flaky.clone();
        tokio::spawn(async move { flaky.set("key", value, None).await })
    });
    let calls: Vec<_> = calls.collect();
    for value in 1..=3 {
        held.reached(3).await;
        held.release(1);
        while flaky.inner().get("key").await.unwrap() != Some(value) {
            tokio::task::yield_now().await;
        }
    }
    for ended in join_all(calls).await {
        ended.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_open_rule_holds_nobody_any_more() {
    let flaky = flaky();
    let held = flaky.on(Op::Write).hold();
    let mut call = Box::pin(flaky.set("key", 1, None));
    assert!((&mut call).now_or_never().is_none());
    held.open();
    held.open();
    call.await.unwrap();
    flaky.set("key", 2, None).await.unwrap();
    // Whatever is released then is no matter, however much it is.
    held.release(usize::MAX);
    held.release(usize::MAX);
}

#[tokio::test(start_paused = true)]
async fn removing_the_rule_lets_nobody_go_on_who_waits() {
    let flaky = flaky();
    let held = flaky.on(Op::Write).hold();
    let mut call = Box::pin(flaky.set("key", 1, None));
    assert!((&mut call).now_or_never().is_none());
    held.rule().remove();
    flaky.set("other", 1, None).await.unwrap();
    assert!(timeout(Duration::from_secs(1), &mut call).await.is_err());
    held.release(1);
    call.await.unwrap();
}

#[tokio::test]
async fn a_call_that_passes_meets_no_later_rule() {
    let flaky = flaky();
    let earlier = flaky.on(Op::Write).nth(1).fail(ErrorKind::Denied);
    let passes = flaky.on(Op::Write).first(2).pass();
    let later = flaky.on_any().fail(ErrorKind::Full);
    assert_eq!(failed_writes(&flaky, 3).await, [true, false, true]);
    let applied = [earlier, passes, later].map(|rule| rule.applied());
    assert_eq!(applied, [1, 1, 1]);
}
