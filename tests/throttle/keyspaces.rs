//! A keyspace of throttles is checked, peeked at and reset, on memory and on Redis.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use futures::future::join_all;
use reinhardt_backends::keyspace::{Kind, Throttled};
use reinhardt_backends::throttle::Quota;
use reinhardt_backends::{Backend, ErrorKind, Keyspace, Life, RedisBackend, keyspaces};
use reinhardt_backends_tests::{Server, on_every_backend};

/// Tries to log in.
#[derive(Debug, PartialEq, Keyspace)]
#[keyspace(prefix = "login", limit = "5/min", burst = 10)]
struct LoginAttempts {
    client: IpAddr,
}

#[derive(Keyspace)]
#[keyspace(prefix = "api", limit = ["3/h", "5/day"], window = "fixed")]
struct Calls<'a> {
    tenant: &'a str,
    user: u64,
}

#[derive(Keyspace)]
#[keyspace(
    prefix = "search",
    limit = "100 / 10s",
    window = "sliding",
    version = 2
)]
struct Searches;

/// As many hours as there are types.
#[derive(Keyspace)]
#[keyspace(prefix = "of", limit = "2/day")]
struct Of<T> {
    what: T,
}

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

on_every_backend! {
    a_hundred_concurrent_calls_get_no_more_than_the_limit
    a_throttle_is_peeked_at_and_reset
}

#[test]
fn the_text_of_a_limit_is_read_when_it_is_compiled() {
    let minute = Duration::from_secs(60);
    assert_eq!(
        LoginAttempts::QUOTAS,
        [Quota::gcra(5, minute).with_burst(10)]
    );
    let [hour, day] = Calls::QUOTAS else {
        panic!("two limits");
    };
    assert_eq!(*hour, Quota::fixed_window(3, 60 * minute));
    assert_eq!(*day, Quota::fixed_window(5, 1440 * minute));
    assert_eq!(
        Searches::QUOTAS,
        [Quota::sliding_window(100, Duration::from_secs(10))]
    );
    assert_eq!(Of::<u8>::QUOTAS, [Quota::gcra(2, 1440 * minute)]);
}

#[test]
fn a_throttle_is_listed_with_its_limits() {
    let all = keyspaces();
    let login = all.iter().find(|info| info.prefix == "login").unwrap();
    assert_eq!(
        (login.kind, login.value),
        (Kind::Throttle, "5/min, burst 10")
    );
    assert_eq!(login.life, Life::In(Duration::from_secs(120)));
    assert_eq!(Calls::INFO.value, "3/h and 5/day, fixed window");
    assert_eq!(&*LoginAttempts { client: CLIENT }.key(), "login:127.0.0.1");
    assert_eq!(&*Searches.key(), "search@2:");
    let key = Calls {
        tenant: "a:b",
        user: 7,
    }
    .key();
    assert_eq!(Calls::parse_key(&key), Some(("a:b".to_string(), 7)));
}

async fn a_hundred_concurrent_calls_get_no_more_than_the_limit(backend: Arc<dyn Backend>) {
    let calls = (0..100).map(|_| {
        let backend = backend.clone();
        tokio::spawn(async move {
            let calls = Calls {
                tenant: "t",
                user: 7,
            };
            let checked = calls.check(&backend);
            checked.await.unwrap().allowed
        })
    });
    let allowed = join_all(calls).await;
    let allowed = allowed
        .into_iter()
        .filter(|allowed| *allowed.as_ref().unwrap());
    assert_eq!(allowed.count(), 3);
    let calls = Calls {
        tenant: "t",
        user: 8,
    };
    let decision = calls.check_n(&backend, 3).await.unwrap();
    assert!(decision.allowed);
    let decision = calls.check(&backend).await.unwrap();
    assert_eq!(
        (decision.allowed, decision.quota, decision.limit),
        (false, 0, 3)
    );
}

async fn a_throttle_is_peeked_at_and_reset(backend: Arc<dyn Backend>) {
    let login = LoginAttempts { client: CLIENT };
    assert_eq!(login.peek(&backend).await.unwrap().remaining, 10);
    assert!(login.peek_n(&backend, 10).await.unwrap().allowed);
    assert_eq!(login.check_n(&backend, 9).await.unwrap().remaining, 1);
    assert!(!login.peek_n(&backend, 2).await.unwrap().allowed);
    assert_eq!(login.peek(&backend).await.unwrap().remaining, 1);
    let error = login.check_n(&backend, 11).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let keys: Vec<LoginAttempts> = LoginAttempts::scan_keys(&backend)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(keys, [LoginAttempts { client: CLIENT }]);
    assert!(login.reset(&backend).await.unwrap());
    assert!(!login.reset(&backend).await.unwrap());
    let all = [1, 2].map(|user| Calls { tenant: "t", user });
    for calls in &all {
        assert!(calls.check(&backend).await.unwrap().allowed);
    }
    assert_eq!(Calls::reset_many(&backend, &all).await.unwrap(), 2);
    assert!(all[0].check(&backend).await.unwrap().allowed);
    assert_eq!(Calls::clear_under(&backend, "t").await.unwrap(), 1);
    assert!(Searches.check(&backend).await.unwrap().allowed);
    assert_eq!(Searches::clear(&backend).await.unwrap(), 1);
    assert!(Of { what: 1_u8 }.check(&backend).await.unwrap().allowed);
}

#[tokio::test]
async fn a_throttle_on_redis_is_one_script() {
    let server = Server::start();
    let backend = RedisBackend::new(&server.url()).await.unwrap();
    let login = LoginAttempts { client: CLIENT };
    let _ = login.check(&backend).await.unwrap();
    let calls = || {
        let stats = server.command("INFO commandstats");
        let evals = stats
            .lines()
            .find(|line| line.starts_with("cmdstat_evalsha:"))
            .unwrap();
        let calls = evals.split(['=', ',']).nth(1).unwrap();
        calls.parse::<u64>().unwrap()
    };
    let before = calls();
    for _ in 0..10 {
        let _ = login.check(&backend).await.unwrap();
    }
    assert_eq!(calls() - before, 10);
    let left = backend.ttl(&login.key()).await.unwrap();
    assert!(left.is_some());
}
