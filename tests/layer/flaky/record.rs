//! The record of calls.

use super::*;

#[tokio::test]
async fn calls_are_recorded_in_order_with_their_keys() {
    let flaky = flaky();
    flaky.set("user:7", "ann", None).await.unwrap();
    flaky
        .get_many::<String>(&["user:7", "user:8"])
        .await
        .unwrap();
    flaky.clear_prefix("user:").await.unwrap();
    flaky.ping().await.unwrap();
    let calls = flaky.calls();
    assert_eq!(calls[0], (Op::Write, "user:7"));
    assert_eq!(calls[1].op, Op::ReadMany);
    assert_eq!(calls[1].keys, ["user:7", "user:8"]);
    assert_eq!(calls[1].key(), "user:7");
    assert_eq!(calls[2], (Op::Clear, "user:"));
    assert_eq!((calls[3].op, calls[3].key()), (Op::Ping, ""));
    assert_eq!(calls.len(), 4);
    assert_ne!(calls[1], (Op::ReadMany, "user:7"), "it names two keys");
    assert_ne!(calls[3], (Op::Ping, ""), "it names no key");
}

#[tokio::test]
async fn calls_that_fail_are_recorded_and_those_of_the_backend_inside_are_not() {
    let flaky = flaky();
    flaky.on(Op::Read).fail(ErrorKind::Denied);
    flaky.get::<i64>("key").await.unwrap_err();
    flaky.set("", 1, None).await.unwrap_err();
    flaky.inner().set("key", 1, None).await.unwrap();
    assert_eq!(flaky.calls(), [(Op::Read, "key"), (Op::Write, "")]);
}

#[tokio::test]
async fn a_call_that_is_never_polled_is_neither_recorded_nor_counted() {
    let flaky = flaky();
    let rule = flaky.on_any().nth(1).fail(ErrorKind::Full);
    drop(flaky.set("key", 1, None));
    drop(flaky.scan("key"));
    assert!(flaky.calls().is_empty());
    assert_eq!(rule.applied(), 0);
}

#[tokio::test]
async fn the_record_begins_anew() {
    let flaky = flaky();
    flaky.on(Op::Write).nth(2).fail(ErrorKind::Full);
    assert_eq!(failed_writes(&flaky, 1).await, [false]);
    assert_eq!(flaky.take_calls(), [(Op::Write, "key")]);
    assert_eq!(flaky.count(Op::Write), 0);
    assert_eq!(failed_writes(&flaky, 1).await, [true], "rules go on");
    flaky.clear_calls();
    assert!(flaky.calls().is_empty());
}

#[tokio::test]
async fn typed_calls_are_recorded_by_their_steps() {
    let flaky = flaky();
    crate::ann().save(&flaky).await.unwrap();
    crate::User::get(&flaky, 7).await.unwrap();
    let login = crate::Login {
        client: "ann".to_string(),
    };
    assert!(login.check(&flaky).await.unwrap().allowed);
    let key = "layered-user:7";
    let expected = [
        (Op::Write, key),
        (Op::Read, key),
        (Op::Throttle, "layered-login:ann"),
    ];
    assert_eq!(flaky.calls(), expected);
}

#[tokio::test]
async fn debug_shows_the_seed_and_the_rules_but_no_keys_of_calls() {
    let flaky = Flaky::seeded(MemoryBackend::new(), 4711);
    let secret = BackendError::new(ErrorKind::Other, "said by the test");
    flaky.on(Op::Write).key("user:7").nth(2).lose_after();
    flaky.on_any().fail_with(secret);
    flaky.set("of a call", 1, None).await.unwrap_err();
    let shown = format!("{flaky:?}");
    for part in ["seed: 4711", "user:7", "lose", "calls: 1", "MemoryBackend"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    for part in ["of a call", "said by"] {
        assert!(!shown.contains(part), "{part}: {shown}");
    }
}
