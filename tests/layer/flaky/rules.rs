//! The calls that a rule is about, and those of them that it is applied to.

use super::*;

#[tokio::test]
async fn a_rule_without_numbers_is_applied_to_every_call() {
    let flaky = flaky();
    let rule = flaky.on(Op::Write).fail(ErrorKind::Full);
    assert_eq!(failed_writes(&flaky, 3).await, [true; 3]);
    assert_eq!(rule.applied(), 3);
    flaky.get::<i64>("key").await.unwrap();
}

#[tokio::test]
async fn the_nth_call_is_one_call_and_counts_from_one() {
    for (number, expected) in [
        (1, [true, false, false]),
        (3, [false, false, true]),
        (4, [false; 3]),
        (usize::MAX, [false; 3]),
        (0, [false; 3]),
    ] {
        let flaky = flaky();
        flaky.on(Op::Write).nth(number).fail(ErrorKind::Full);
        assert_eq!(failed_writes(&flaky, 3).await, expected, "{number}");
    }
}

#[tokio::test]
async fn the_first_calls_and_those_after_others() {
    let expected = [
        (0, usize::MAX, [true; 5]),
        (2, usize::MAX, [false, false, true, true, true]),
        (0, 2, [true, true, false, false, false]),
        (1, 2, [false, true, true, false, false]),
        (1, 0, [false; 5]),
        (usize::MAX, usize::MAX, [false; 5]),
    ];
    for (after, first, expected) in expected {
        for is_first_said_first in [false, true] {
            let flaky = flaky();
            let rule = flaky.on(Op::Write);
            let rule = match is_first_said_first {
                true => rule.first(first).after(after),
                false => rule.after(after).first(first),
            };
            rule.fail(ErrorKind::Full);
            let failed = failed_writes(&flaky, 5).await;
            assert_eq!(failed, expected, "{first} after {after}");
        }
    }
}

#[tokio::test]
async fn a_rule_is_about_one_key_or_those_under_a_prefix() {
    let flaky = flaky();
    flaky.on_any().key("user:7").fail(ErrorKind::Full);
    flaky.on_any().prefix("page:").fail(ErrorKind::Denied);
    for (key, expected) in [
        ("user:7", Some(ErrorKind::Full)),
        ("user:71", None),
        ("page:1", Some(ErrorKind::Denied)),
        ("page:", Some(ErrorKind::Denied)),
        ("page", None),
    ] {
        let kind = flaky.get::<i64>(key).await.err().map(|error| error.kind());
        assert_eq!(kind, expected, "{key}");
    }
    // One of several keys is enough, and a prefix is a key.
    let many = flaky.get_many::<i64>(&["other", "user:7"]).await;
    assert_eq!(told(many).0, ErrorKind::Full);
    let cleared = flaky.clear_prefix("page:1").await;
    assert_eq!(told(cleared).0, ErrorKind::Denied);
    flaky.ping().await.unwrap();
}

#[tokio::test]
async fn keys_of_a_keyspace_are_keys_of_rules() {
    let flaky = flaky();
    flaky
        .on(Op::Write)
        .key(crate::User::key(7))
        .fail(ErrorKind::Full);
    assert_eq!(told(crate::ann().save(&flaky).await).0, ErrorKind::Full);
}

#[tokio::test]
async fn of_several_rules_the_first_is_applied_and_all_count() {
    use ErrorKind::*;
    let flaky = flaky();
    let second = flaky.on(Op::Write).nth(2).fail(Full);
    let late = flaky.on(Op::Write).after(1).fail(Denied);
    let never = flaky.on_any().first(3).fail(Conflict);
    let mut kinds = Vec::new();
    for _ in 0..4 {
        kinds.push(told(flaky.set("key", 1, None).await).0);
    }
    assert_eq!(kinds, [Conflict, Full, Denied, Denied]);
    assert_eq!(second.applied(), 1);
    assert_eq!(late.applied(), 2);
    assert_eq!(never.applied(), 1);
}

#[tokio::test]
async fn a_rule_counts_from_when_it_was_added() {
    let flaky = flaky();
    assert_eq!(failed_writes(&flaky, 3).await, [false; 3]);
    flaky.on(Op::Write).nth(1).fail(ErrorKind::Full);
    assert_eq!(failed_writes(&flaky, 2).await, [true, false]);
}

#[tokio::test]
async fn a_rule_that_is_removed_is_applied_no_more() {
    let flaky = flaky();
    let first = flaky.on(Op::Write).fail(ErrorKind::Full);
    let second = flaky.on(Op::Write).fail(ErrorKind::Denied);
    first.remove();
    first.remove();
    assert_eq!(
        told(flaky.set("key", 1, None).await).0,
        ErrorKind::Denied,
        "the other one stays"
    );
    flaky.clear_rules();
    second.remove();
    flaky.set("key", 1, None).await.unwrap();
    assert_eq!((first.applied(), second.applied()), (0, 1));
}

/// A hook that goes with its rule may use the backend.
#[tokio::test]
async fn a_hook_is_dropped_under_no_lock() {
    struct Counts(Flaky<MemoryBackend>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.clear_calls();
        }
    }
    let (flaky, other) = (flaky(), flaky());
    for is_cleared in [false, true] {
        let counts = Counts(flaky.clone());
        let rule = flaky.on(Op::Write).run(move |_| {
            let _ = &counts;
            async { Ok(()) }
        });
        other.ping().await.unwrap();
        match is_cleared {
            true => flaky.clear_rules(),
            false => rule.remove(),
        }
    }
}

#[tokio::test]
async fn a_store_that_is_down_fails_at_once_and_keeps_what_it_has() {
    let flaky = flaky();
    flaky.set("key", 1, None).await.unwrap();
    let rule = flaky.on_any().nth(2).fail(ErrorKind::Full);
    flaky.down();
    assert!(flaky.is_down());
    for _ in 0..3 {
        let told = told(flaky.set("key", 2, None).await);
        assert_eq!(told, (ErrorKind::Unavailable, false));
    }
    flaky.up();
    assert!(!flaky.is_down());
    assert_eq!(flaky.get("key").await.unwrap(), Some(1));
    assert_eq!(rule.applied(), 0, "it counted no call meanwhile");
    assert_eq!(told(flaky.ping().await).0, ErrorKind::Full);
    assert_eq!(flaky.calls().len(), 6);
}
