//! No keyspace has the keys of leases, and no scan sees them.

use std::sync::Arc;

use futures::TryStreamExt;
use reinhardt_backends::{Backend, BackendError, ErrorKind, Keyspace, MemoryBackend, RedisBackend};

use crate::{NEWS, News, PAGE, Page};

#[derive(Keyspace)]
#[keyspace(prefix = "rate", ttl = "1h", value = u32, lease = "10s")]
struct RateV1 {
    #[keyspace(tag)]
    currency: String,
}

#[derive(Keyspace)]
#[keyspace(prefix = "rate", ttl = "1h", value = u64, lease = "10s", version = 2, migrates = RateV1)]
struct Rate {
    #[keyspace(tag)]
    currency: String,
}

fn euro() -> Rate {
    Rate {
        currency: "EUR".to_string(),
    }
}

const LEASES: [&str; 2] = ["rate@lease:{EUR}", "rate@2@lease:{EUR}"];

#[tokio::test]
async fn leases_are_seen_by_no_scan_and_counted_by_no_clear() {
    let backend = MemoryBackend::new();
    PAGE.set(&backend, "page").await.unwrap();
    for lease in ["page@lease:1:2", "page@lease:1:3"] {
        backend.set(lease, "token", None).await.unwrap();
    }
    let keys: Vec<Page> = Page::scan_keys(&backend).try_collect().await.unwrap();
    assert_eq!(keys, [PAGE]);
    let pages: Vec<(Page, String)> = Page::scan(&backend).try_collect().await.unwrap();
    assert_eq!(pages.len(), 1);
    let under: Vec<Page> = Page::scan_under(&backend, 1)
        .map_ok(|(page, _)| page)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(under, [PAGE]);
    assert_eq!(Page::delete_many(&backend, [PAGE, PAGE]).await.unwrap(), 1);
    assert!(!PAGE.delete(&backend).await.unwrap());
    assert!(!backend.exists("page@lease:1:2").await.unwrap());
    assert_eq!(Page::clear(&backend).await.unwrap(), 0);
    assert!(backend.is_empty());
}

#[tokio::test]
async fn a_version_has_leases_of_its_own_and_the_older_ones_are_void_too() {
    let backend = MemoryBackend::new();
    for void in 0..4 {
        for lease in LEASES {
            backend.set(lease, "token", None).await.unwrap();
        }
        match void {
            0 => assert!(!euro().delete(&backend).await.unwrap()),
            1 => euro().set(&backend, 1).await.unwrap(),
            2 => assert_eq!(euro().take(&backend).await.unwrap(), Some(1)),
            _ => assert_eq!(Rate::clear(&backend).await.unwrap(), 0),
        }
        for lease in LEASES {
            assert!(!backend.exists(lease).await.unwrap(), "{lease} {void}");
        }
    }
}

#[tokio::test]
async fn a_value_of_an_older_version_is_found_and_not_computed() {
    let backend = MemoryBackend::new();
    let old = RateV1 {
        currency: "EUR".to_string(),
    };
    old.set(&backend, 5).await.unwrap();
    let compute = || async { Ok::<_, BackendError>(7) };
    let rate = euro().get_or_set_with(&backend, compute).await;
    assert_eq!(rate.unwrap(), 5);
    // A computed value takes the place of older versions as well.
    assert!(euro().delete(&backend).await.unwrap());
    let rate = euro().get_or_set_with(&backend, compute).await;
    assert_eq!(rate.unwrap(), 7);
    assert_eq!(euro().get(&backend).await.unwrap(), Some(7));
}

#[tokio::test]
async fn the_keys_of_leases_are_within_the_limit_too() {
    #[derive(Keyspace)]
    #[keyspace(prefix = "long", ttl = "1h", value = u32, lease = "10s")]
    struct Long {
        name: String,
    }
    let backend = MemoryBackend::new();
    let compute = || async { Ok::<_, BackendError>(7) };
    let long = |length| Long {
        name: "x".repeat(length - "long:".len()),
    };
    let longest = long(1024 - "@lease".len());
    assert_eq!(longest.get_or_set_with(&backend, compute).await.unwrap(), 7);
    let too_long = long(1024 - "@lease".len() + 1);
    for error in [
        too_long.get_or_set_with(&backend, compute).await.err(),
        too_long.set(&backend, 1).await.err(),
        too_long.delete(&backend).await.err(),
    ] {
        assert_eq!(error.unwrap().kind(), ErrorKind::InvalidKey);
    }
}

#[tokio::test]
async fn every_backend_that_is_cloned_will_do() {
    async fn on<B: Backend + Clone + 'static>(backend: &B) {
        let compute = || async { Ok::<_, BackendError>("computed".to_string()) };
        let page = PAGE.get_or_set_with(backend, compute).await;
        assert_eq!(page.unwrap(), "computed");
        let news = NEWS.get_or_set_with(backend, compute).await;
        assert_eq!(news.unwrap(), "computed");
        assert_eq!(Page::clear(backend).await.unwrap(), 1);
        assert_eq!(News::clear(backend).await.unwrap(), 1);
    }
    let server = reinhardt_backends_tests::Server::start();
    let redis: RedisBackend = server.connect().await;
    on(&MemoryBackend::new()).await;
    on(&redis).await;
    on(&Arc::new(redis.clone())).await;
    let shared: Arc<dyn Backend> = Arc::new(redis);
    on(&shared).await;
}

/// The futures of generic callers cross threads, as those without the words do.
#[tokio::test]
async fn futures_are_send() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let backend = MemoryBackend::new();
    let compute = || async { Ok::<_, BackendError>("computed".to_string()) };
    let page = is_send(PAGE.get_or_set_with(&backend, compute)).await;
    let news = is_send(NEWS.get_or_set_with(&backend, compute)).await;
    assert_eq!(page.unwrap(), news.unwrap());
    is_send(PAGE.set(&backend, "new")).await.unwrap();
    is_send(PAGE.delete(&backend)).await.unwrap();
}

mod generic {
    use super::*;

    #[derive(Keyspace)]
    #[keyspace(prefix = "generic", ttl = "1h", value = u32, stale = "1h", lease = "3s")]
    struct Generic<'a, T: reinhardt_backends::keyspace::KeySegment> {
        kind: T,
        name: &'a str,
    }

    #[tokio::test]
    async fn a_generic_keyspace_is_computed_too() {
        let backend = MemoryBackend::new();
        let name = "local".to_string();
        let key = Generic {
            kind: 7u32,
            name: &name,
        };
        let compute = || async { Ok::<_, BackendError>(5) };
        assert_eq!(key.get_or_set_with(&backend, compute).await.unwrap(), 5);
        assert_eq!(
            <Generic<'static, u32> as Keyspace>::INFO.lease,
            Some(std::time::Duration::from_secs(3))
        );
    }
}
