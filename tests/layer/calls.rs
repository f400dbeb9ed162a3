//! Every call goes through a layer, once, with its keys and what its answer says.

use futures::StreamExt;
use reinhardt_backends::layer::Outcome;
use reinhardt_backends::store::{NewEntry, Store};
use reinhardt_backends::{ErrorKind, Life};

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

async fn each_call_goes_through_once<const FAST_PATH: bool>() {
    let layer = Recording::<FAST_PATH>::default();
    let backend = MemoryBackend::new().layer(layer.clone());
    let mut all = Vec::new();
    let mut check = |op: Op, keys: &[&str], outcome: Option<Outcome>| {
        let calls = layer.take();
        assert_eq!(calls.len(), 1, "{op}: {calls:?}");
        assert_eq!(calls[0].op, op);
        assert_eq!(calls[0].keys, keys);
        assert_eq!(calls[0].outcome, outcome.map(Ok), "{op}");
        all.push(op);
    };
    let user = "user:7";

    assert_eq!(backend.get::<String>(user).await.unwrap(), None);
    check(Op::Read, &[user], Some(Outcome::Miss));
    backend.set(user, "ann", None).await.unwrap();
    check(Op::Write, &[user], Some(Outcome::Done));
    assert!(!backend.set_if_absent(user, "bob", None).await.unwrap());
    check(Op::Write, &[user], Some(Outcome::NotDone));
    backend.get::<String>(user).await.unwrap().unwrap();
    check(Op::Read, &[user], Some(Outcome::Hit));
    backend.get_with_ttl::<String>(user).await.unwrap().unwrap();
    check(Op::Read, &[user], Some(Outcome::Hit));
    backend.get_stored(user).await.unwrap().unwrap();
    check(Op::Read, &[user], Some(Outcome::Hit));
    let many = backend.get_many::<String>(&[user, "user:8"]).await.unwrap();
    assert_eq!(many, [Some("ann".to_string()), None]);
    let found = Outcome::Found { hits: 1, misses: 1 };
    check(Op::ReadMany, &[user, "user:8"], Some(found));
    assert!(backend.exists(user).await.unwrap());
    check(Op::ReadLife, &[user], Some(Outcome::Hit));
    backend.ttl("user:8").await.unwrap();
    check(Op::ReadLife, &["user:8"], Some(Outcome::Miss));
    assert!(backend.expire(user, Life::In(MINUTE)).await.unwrap());
    check(Op::Expire, &[user], Some(Outcome::Done));
    assert!(!backend.expire("user:8", Life::In(MINUTE)).await.unwrap());
    check(Op::Expire, &["user:8"], Some(Outcome::NotDone));
    let two = [("user:8", "bob"), ("user:9", "cal")];
    backend.set_many(&two, None).await.unwrap();
    check(Op::WriteMany, &["user:8", "user:9"], Some(Outcome::Done));
    assert!(backend.delete("user:9").await.unwrap());
    check(Op::Remove, &["user:9"], Some(Outcome::Done));
    assert!(!backend.delete("user:9").await.unwrap());
    check(Op::Remove, &["user:9"], Some(Outcome::NotDone));
    let removed = backend.delete_many(&["user:8", "user:9"]).await.unwrap();
    assert_eq!(removed, 1);
    check(
        Op::RemoveMany,
        &["user:8", "user:9"],
        Some(Outcome::Removed(1)),
    );
    backend.increment("hits", None).await.unwrap();
    check(Op::Increment, &["hits"], Some(Outcome::Done));
    backend.increment_by("hits", 2, None).await.unwrap();
    check(Op::Increment, &["hits"], Some(Outcome::Done));
    let ann = backend.get_stored(user).await.unwrap().unwrap();
    check(Op::Read, &[user], Some(Outcome::Hit));
    let to = NewEntry {
        key: "user:1",
        value: ann.as_bytes(),
        life: Life::Never,
    };
    let moved = backend.move_entry(user, ann.as_bytes(), to, None).await;
    assert!(moved.unwrap());
    check(Op::Move, &[user, "user:1"], Some(Outcome::Done));
    backend.take::<String>("user:1").await.unwrap().unwrap();
    check(Op::Take, &["user:1"], Some(Outcome::Hit));
    assert_eq!(backend.scan("hi").count().await, 1);
    check(Op::Scan, &["hi"], None);
    assert_eq!(backend.clear_prefix("hi").await.unwrap(), 1);
    check(Op::Clear, &["hi"], Some(Outcome::Removed(1)));
    backend.ping().await.unwrap();
    check(Op::Ping, &[], Some(Outcome::Done));
    let login = Login {
        client: "ann".to_string(),
    };
    for outcome in [Outcome::Allowed, Outcome::Allowed, Outcome::Refused] {
        let decision = login.check(&backend).await.unwrap();
        assert_eq!(decision.allowed, outcome == Outcome::Allowed);
        check(Op::Throttle, &["layered-login:ann"], Some(outcome));
    }

    for &op in Op::ALL {
        assert!(all.contains(&op), "{op} was not called");
    }
}

#[tokio::test]
async fn each_call_goes_through_a_layer_once() {
    each_call_goes_through_once::<false>().await;
}

#[tokio::test]
async fn each_call_goes_through_a_layer_with_a_fast_path_once() {
    each_call_goes_through_once::<true>().await;
}

#[tokio::test]
async fn errors_are_seen() {
    let layer = Recording::<false>::default();
    let backend = MemoryBackend::new().layer(layer.clone());
    let error = backend.set("", "nothing", None).await.unwrap_err();
    let seen = layer.take().pop().unwrap().outcome;
    assert_eq!(seen, Some(Err(error.kind())));
    assert_eq!(error.kind(), ErrorKind::InvalidKey);
}

#[tokio::test]
async fn accessors_go_through_a_layer() {
    let layer = Recording::<false>::default();
    let backend = MemoryBackend::new().layer(layer.clone());
    ann().save(&backend).await.unwrap();
    let read = User::get(&backend, 7).await.unwrap();
    assert_eq!(read, Some(ann()));
    let key = "layered-user:7";
    let expected = [call(Op::Write, &[key]), call(Op::Read, &[key])];
    assert_eq!(seen(layer.take()), expected);
}

#[test]
fn no_debug_shows_a_key() {
    use reinhardt_backends::layer::{Answer, Intercept, Next, Operation};
    use reinhardt_backends::{BackendResult, KeyStream};

    struct Show;

    impl Intercept for Show {
        async fn call<T: Answer>(
            &self,
            operation: Operation<'_>,
            next: Next<'_, T>,
        ) -> BackendResult<T> {
            for shown in [format!("{operation:?}"), format!("{next:?}")] {
                assert!(!shown.contains("S3cret"), "{shown}");
            }
            next.run().await
        }

        fn keys<'a>(&'a self, _: Operation<'_>, next: KeyStream<'a>) -> KeyStream<'a> {
            next
        }
    }

    let backend = MemoryBackend::new().layer(Show);
    futures::executor::block_on(backend.set("S3cret", "S3cret", None)).unwrap();
}

#[tokio::test]
async fn a_call_that_is_not_run_has_no_effect() {
    use reinhardt_backends::layer::{Answer, Intercept, Next, Operation};
    use reinhardt_backends::{BackendError, BackendResult, KeyStream};

    struct ReadOnly;

    impl Intercept for ReadOnly {
        async fn call<T: Answer>(
            &self,
            operation: Operation<'_>,
            next: Next<'_, T>,
        ) -> BackendResult<T> {
            match operation.op() {
                Op::Read | Op::ReadMany | Op::ReadLife => next.run().await,
                op => Err(BackendError::new(
                    ErrorKind::Denied,
                    format!("no {op} here"),
                )),
            }
        }

        fn keys<'a>(&'a self, _: Operation<'_>, next: KeyStream<'a>) -> KeyStream<'a> {
            next
        }
    }

    let memory = MemoryBackend::new();
    memory.set("user:7", "ann", None).await.unwrap();
    let backend = memory.clone().layer(ReadOnly);
    for written in [
        backend.set("user:7", "bob", None).await.map(drop),
        backend.delete("user:7").await.map(drop),
        backend.take::<String>("user:7").await.map(drop),
        backend.increment("hits", None).await.map(drop),
        backend.clear().await,
    ] {
        assert_eq!(written.unwrap_err().kind(), ErrorKind::Denied);
    }
    assert_eq!(
        memory.get::<String>("user:7").await.unwrap().as_deref(),
        Some("ann")
    );
    assert!(!memory.exists("hits").await.unwrap());
}
