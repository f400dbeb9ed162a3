//! Settings of a session store that can't be right are refused.

use std::time::Duration;

use reinhardt_backends::session::SessionStore;
use reinhardt_backends::store::MAX_TTL;
use reinhardt_backends::{ErrorKind, MemoryBackend};

const MINUTE: Duration = Duration::from_secs(60);

fn refused(idle: Duration, absolute: Duration) -> Option<ErrorKind> {
    let builder = SessionStore::<(), _>::builder(MemoryBackend::new());
    let built = builder.idle(idle).absolute(absolute).build();
    built.err().map(|error| error.kind())
}

#[test]
fn an_impossible_life_is_refused() {
    let over = MAX_TTL + Duration::from_nanos(1);
    for (idle, absolute) in [
        (Duration::ZERO, MINUTE),
        (MINUTE, Duration::ZERO),
        (MINUTE, over),
        (over, MAX_TTL),
        (Duration::MAX, Duration::MAX),
    ] {
        assert_eq!(refused(idle, absolute), Some(ErrorKind::InvalidTtl));
    }
    assert_eq!(refused(MAX_TTL, MAX_TTL), None);
    assert_eq!(refused(Duration::from_nanos(1), MINUTE), None);
}

#[test]
fn an_absolute_life_shorter_than_the_idle_one_is_refused() {
    let less = MINUTE - Duration::from_millis(1);
    assert_eq!(refused(MINUTE, less), Some(ErrorKind::InvalidConfig));
    assert_eq!(refused(MINUTE, MINUTE), None);
}

#[test]
fn a_prefix_that_could_leave_its_keyspace_is_refused() {
    let built = |prefix| {
        let builder = SessionStore::<(), _>::builder(MemoryBackend::new());
        builder
            .prefix(prefix)
            .build()
            .map(drop)
            .map_err(|error| error.kind())
    };
    let long = "a23456789_123456789_123456789_123456789_123456789_123456789_12345";
    for prefix in ["", "A", "1", "a:b", "a*", "a b", "é", "a{", "-a", long] {
        assert_eq!(built(prefix), Err(ErrorKind::InvalidConfig), "{prefix}");
    }
    for prefix in ["a", "admin-sessions.v2", &long[..64]] {
        assert_eq!(built(prefix), Ok(()), "{prefix}");
    }
}

#[tokio::test]
async fn two_prefixes_are_two_stores() {
    let backend = MemoryBackend::new();
    let staff = SessionStore::builder(&backend)
        .prefix("staff")
        .build()
        .unwrap();
    let guests = SessionStore::<u8, _>::new(&backend);
    let session = staff.create("ann", 1u8).await.unwrap();
    assert!(guests.load(session.id()).await.unwrap().is_none());
    assert_eq!(guests.delete_all("ann").await.unwrap(), 0);
    assert!(staff.load(session.id()).await.unwrap().is_some());
}

#[tokio::test]
async fn the_longest_life_ends_at_the_last_end_there_is() {
    let builder = SessionStore::builder(MemoryBackend::new());
    let sessions = builder.idle(MAX_TTL).absolute(MAX_TTL).build().unwrap();
    let session = sessions.create("ann", 1u8).await.unwrap();
    assert!(sessions.load(session.id()).await.unwrap().is_some());
    assert!(sessions.touch(session.id()).await.unwrap());
}
