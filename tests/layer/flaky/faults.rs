//! What happens to a call, and the error that its caller gets.

use std::error::Error;
use std::io;
use std::time::Duration;

use futures::TryStreamExt;
use reinhardt_backends::store::{NewEntry, Store, Touch};
use reinhardt_backends::testing::RecordedCall;
use reinhardt_backends::throttle::{Attempt, Quota};
use reinhardt_backends::{Expiry, Life, RedisBackend, Stored, Write};

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_failure_before_the_effect_has_none_and_says_so() {
    let flaky = flaky();
    flaky.on(Op::Increment).fail(ErrorKind::Unavailable);
    let told = told(flaky.increment("hits", None).await);
    assert_eq!(told, (ErrorKind::Unavailable, false));
    assert!(!flaky.inner().exists("hits").await.unwrap());
}

#[tokio::test]
async fn an_error_of_the_test_reaches_the_caller_as_it_is() {
    let flaky = flaky();
    let error = BackendError::new(ErrorKind::Other, "odd")
        .with_failed_indices(vec![1])
        .with_outcome_unknown();
    flaky.on(Op::WriteMany).fail_with(error.clone());
    let failed = flaky.set_many(&[("a", 1), ("b", 2)], None).await;
    assert_eq!(format!("{:?}", failed.unwrap_err()), format!("{error:?}"));
}

#[tokio::test]
async fn a_lost_request_has_no_effect_and_a_lost_answer_has_one() {
    for (is_after, expected) in [(false, None), (true, Some(1))] {
        let flaky = flaky();
        let rule = flaky.on(Op::Increment);
        match is_after {
            true => rule.lose_after(),
            false => rule.lose_before(),
        };
        let told = told(flaky.increment("hits", None).await);
        assert_eq!(told, (ErrorKind::Unavailable, true), "the same to callers");
        assert_eq!(flaky.inner().get("hits").await.unwrap(), expected);
    }
}

#[tokio::test]
async fn the_errors_are_worded_as_those_of_redis() {
    let flaky = flaky();
    let rule = flaky.on_any().lose_after();
    let lost = flaky.set("key", 1, None).await.unwrap_err();
    assert_eq!(
        lost.to_string(),
        "backend unavailable: the connection to flaky:6379 was lost (outcome unknown)"
    );
    let cause = |error: &BackendError| {
        let cause = error.source().and_then(|cause| cause.downcast_ref());
        cause.map(io::Error::kind)
    };
    assert_eq!(cause(&lost), Some(io::ErrorKind::ConnectionAborted));
    rule.remove();
    for (kind, text) in [
        (
            ErrorKind::Unavailable,
            "backend unavailable: flaky:6379 refused the connection",
        ),
        (ErrorKind::Timeout, "timed out: no answer within 1s"),
        (ErrorKind::Denied, "denied: the server answered NOPERM"),
        (ErrorKind::Full, "no room: the server answered OOM"),
        (
            ErrorKind::Overflow,
            "counter overflow: the server answered OVERFLOW",
        ),
    ] {
        let rule = flaky.on_any().fail(kind);
        let error = flaky.set("key", 1, None).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (kind, text.to_string()));
        rule.remove();
    }
    flaky.down();
    let down = flaky.ping().await.unwrap_err();
    assert_eq!(cause(&down), Some(io::ErrorKind::ConnectionRefused));
}

#[tokio::test]
async fn a_store_that_is_down_fails_as_a_server_that_nobody_listens_for() {
    let redis = RedisBackend::connect_lazy("redis://127.0.0.1:1").unwrap();
    let flaky = flaky();
    flaky.down();
    let real = redis.set("key", 1, None).await.unwrap_err();
    let ours = flaky.set("key", 1, None).await.unwrap_err();
    let real_text = real.to_string().replace("127.0.0.1:1", "flaky:6379");
    assert_eq!(real_text, ours.to_string());
    assert_eq!(told::<()>(Err(real)), told::<()>(Err(ours)));
}

/// A call of each kind, by its kind.
async fn every_call(backend: &impl Store) -> Vec<(Op, bool, BackendError)> {
    let quotas = [Quota::gcra(5, MINUTE)];
    let attempt = Attempt::new(&quotas);
    let entries = [NewEntry {
        key: "key",
        value: b"1",
        life: Life::Never,
    }];
    let put = Write::new(Life::Never);
    macro_rules! failing {
        ($($op:ident, $is_read:literal, $call:expr;)*) => {
            vec![$((Op::$op, $is_read, $call.await.map(drop).unwrap_err())),*]
        };
    }
    failing! {
        Read, true, backend.read("key");
        Read, true, backend.read_value("key", Touch::Keep);
        Read, false, backend.read_value("key", Touch::Restart(MINUTE));
        Read, false, backend.read_value("key", Touch::Extend(MINUTE));
        ReadMany, true, backend.read_values(&["key"], Touch::Keep);
        ReadMany, false, backend.read_values(&["key"], Touch::Restart(MINUTE));
        ReadLife, true, backend.read_life("key");
        Write, false, backend.put("key", b"1", put);
        WriteMany, false, backend.put_many(&entries);
        Remove, false, backend.remove("key", None);
        RemoveMany, false, backend.remove_many(&["key"]);
        Clear, false, backend.remove_prefix("key");
        Take, false, backend.take_value("key");
        Increment, false, backend.add("key", 1, None);
        Expire, false, backend.set_life("key", Life::Never);
        Move, false, backend.move_entry("key", b"1", entries[0], None);
        Throttle, false, backend.throttle("limit", attempt);
        Throttle, false, backend.throttle("limit", attempt.peeking());
        Ping, true, backend.probe();
    }
}

/// As at the Redis backend, which sends a peek by the script that also counts.
#[tokio::test]
async fn the_outcome_of_all_but_reads_is_unknown_when_the_answer_is_lost() {
    let flaky = flaky();
    flaky.on_any().lose_after();
    for (op, is_read, error) in every_call(&flaky).await {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{op}");
        assert_eq!(error.outcome_unknown(), !is_read, "{op}");
    }
    assert_eq!(flaky.calls().len(), 19);
}

#[tokio::test]
async fn a_call_whose_request_is_lost_has_no_effect_of_any_kind() {
    let flaky = flaky();
    flaky.inner().set("key", 1, Some(MINUTE)).await.unwrap();
    flaky.on_any().lose_before();
    every_call(&flaky).await;
    let keys: Vec<_> = flaky.inner().scan("").try_collect().await.unwrap();
    assert_eq!(keys, ["key"]);
    let left = flaky.inner().get_with_ttl("key").await.unwrap();
    assert!(matches!(left, Some((1, Expiry::In(left))) if left <= MINUTE));
}

#[tokio::test]
async fn a_write_of_many_names_all_entries_as_failed() {
    let flaky = flaky();
    let entries = [("a", 1), ("b", 2), ("c", 3)];
    let failing = [
        flaky.on(Op::WriteMany).nth(1).fail(ErrorKind::Full),
        flaky.on(Op::WriteMany).nth(2).lose_before(),
        flaky.on(Op::WriteMany).nth(3).lose_after(),
    ];
    for rule in failing {
        let error = flaky.set_many(&entries, None).await.unwrap_err();
        assert_eq!(error.failed_indices(), [0, 1, 2]);
        assert_eq!(rule.applied(), 1);
    }
    flaky.down();
    let error = flaky.set_many(&entries, None).await.unwrap_err();
    assert_eq!(error.failed_indices(), [0, 1, 2]);
}

#[tokio::test]
async fn what_is_refused_before_it_is_sent_has_no_answer_to_lose() {
    let flaky = flaky();
    flaky.on_any().lose_after();
    let told = told(flaky.set("", 1, None).await);
    assert_eq!(told, (ErrorKind::InvalidKey, false));
}

#[tokio::test]
async fn an_answer_that_is_an_error_is_lost_too() {
    let flaky = flaky();
    flaky.set("text", "not a number", None).await.unwrap();
    flaky.on(Op::Increment).lose_after();
    let told = told(flaky.increment("text", None).await);
    assert_eq!(told, (ErrorKind::Unavailable, true));
}

#[tokio::test]
async fn a_hook_runs_before_the_effect_or_after_it() {
    let flaky = flaky();
    flaky.set("seen", 0, None).await.unwrap();
    for is_after in [false, true] {
        let inside = flaky.inner().clone();
        let look = move |call: RecordedCall| {
            let inside = inside.clone();
            async move {
                let stored: Option<Stored> = inside.get_stored(call.key()).await?;
                inside.set("seen", i64::from(stored.is_some()), None).await
            }
        };
        let rule = flaky.on(Op::Write).key("key");
        let rule = match is_after {
            true => rule.run_after(look),
            false => rule.run(look),
        };
        flaky.set("key", 1, None).await.unwrap();
        let seen: Option<i64> = flaky.get("seen").await.unwrap();
        assert_eq!(seen, Some(i64::from(is_after)));
        flaky.delete("key").await.unwrap();
        rule.remove();
    }
}

#[tokio::test]
async fn the_error_of_a_hook_is_the_answer() {
    let failure = || BackendError::new(ErrorKind::Other, "the hook fails");
    for is_after in [false, true] {
        let flaky = flaky();
        let rule = flaky.on(Op::Write);
        match is_after {
            true => rule.run_after(move |_| async move { Err(failure()) }),
            false => rule.run(move |_| async move { Err(failure()) }),
        };
        let told = told(flaky.set("key", 1, None).await);
        assert_eq!(told, (ErrorKind::Other, false));
        assert_eq!(flaky.inner().exists("key").await.unwrap(), is_after);
    }
}

/// The store dies at a call: the hook that takes it down runs under no lock.
#[tokio::test]
async fn a_hook_may_call_the_backend_and_take_it_down() {
    let flaky = flaky();
    let script = flaky.clone();
    flaky.on(Op::Write).nth(1).run(move |_| {
        let script = script.clone();
        async move {
            script.set("by the hook", 1, None).await?;
            script.down();
            Ok(())
        }
    });
    flaky.set("key", 1, None).await.unwrap();
    let told = told(flaky.get::<i64>("key").await);
    assert_eq!(told, (ErrorKind::Unavailable, false));
    assert!(flaky.inner().exists("by the hook").await.unwrap());
    flaky.clear_rules();
}
