//! What a call is refused for before anything is sent, by memory and by a server alike.

use std::sync::Arc;
use std::time::Duration;

use reinhardt_backends::lease::Lease;
use reinhardt_backends::session::SessionStore;
use reinhardt_backends::throttle::{Attempt, ClientAddress, Head, Quota, RequestKey, Throttle};
use reinhardt_backends::{Backend, Keyspace, Life, MemoryBackend};
use reinhardt_backends_tests::{Server, patient};
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};

use super::page::row;
use super::witness::Witness;
use super::{connect, recovered, shared};

const MINUTE: Duration = Duration::from_secs(60);

/// A value whose own code refuses to be encoded.
struct Unwilling;

impl Serialize for Unwilling {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("topsecret"))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "visitor", ttl = "5m")]
struct Visitor {
    #[keyspace(key, tag)]
    site: String,
    #[keyspace(key)]
    id: u32,
    name: String,
}

async fn is_refused_in_this_process<B: Backend + Clone + 'static>(backend: B) {
    let witness = Witness::of(backend.clone()).await;
    let empty = row!("a key is empty, or the tag in it is", InvalidKey, NotSent);
    let long = row!(".. bytes, the limit is ..", InvalidKey, NotSent);
    let key = "k".repeat(2_000);
    for (key, claim) in [("", empty), (key.as_str(), long)] {
        claim.check(&backend.set(key, "topsecret", None).await.unwrap_err());
        claim.check(&backend.increment(key, None).await.unwrap_err());
        claim.check(&backend.take::<u8>(key).await.unwrap_err());
    }
    let large = "topsecret".repeat(2 << 20);
    let over = row!(".. bytes, the limit is ..", TooLarge, NotSent);
    over.check(
        &backend
            .set("hiddenkey:set", &large, None)
            .await
            .unwrap_err(),
    );
    let zero = row!(
        "zero is neither \"now\" nor \"for ever\"",
        InvalidTtl,
        NotSent
    );
    let long = row!("more than 10,000 years", InvalidTtl, NotSent);
    for (ttl, claim) in [(Duration::ZERO, zero), (Duration::MAX, long)] {
        claim.check(
            &backend
                .set("hiddenkey:set", 8, Some(ttl))
                .await
                .unwrap_err(),
        );
        let expired = backend.expire("hiddenkey:expire", Life::In(ttl)).await;
        claim.check(&expired.unwrap_err());
        let counted = backend.increment("hiddenkey:increment", Some(ttl)).await;
        claim.check(&counted.unwrap_err());
    }
    // Of several entries the one at fault is named, and none is stored.
    let entries = [("hiddenkey:set_many", 8), ("", 8)];
    let error = backend.set_many(&entries, None).await.unwrap_err();
    assert_eq!(error.failed_indices(), [1]);
    empty.check(&error);

    let mut nested = serde_json::json!("topsecret");
    (0..300).for_each(|_| nested = serde_json::json!([nested]));
    let deep = backend.set("hiddenkey:set", &nested, None).await;
    row!("`..` isn't stored: ..", Encode, NotSent).check(&deep.unwrap_err());
    let unwilling = backend.set("hiddenkey:set", Unwilling, None).await;
    row!("`..` refused to be serialized", Encode, NotSent).check(&unwilling.unwrap_err());

    let quotas = [Quota::gcra(5, MINUTE)];
    let costly = Attempt::new(&quotas).with_cost(6);
    let error = backend.throttle("hiddenkey:throttle", costly).await;
    row!(
        "the cost is over the capacity of a quota, ..",
        TooLarge,
        NotSent
    )
    .check(&error.unwrap_err());
    let error = backend
        .throttle("hiddenkey:throttle", Attempt::new(&[]))
        .await;
    row!(
        "a throttle has from one to eight quotas",
        InvalidConfig,
        NotSent
    )
    .check(&error.unwrap_err());

    let nameless = Lease::new(backend.clone(), "", MINUTE).unwrap_err();
    row!("the name of a lease is empty", InvalidKey, NotSent).check(&nameless);
    let sessions: SessionStore<u8, B> = SessionStore::new(backend.clone());
    let nobody = sessions.create("", 1).await.unwrap_err();
    row!("the owner of a session is empty", InvalidKey, NotSent).check(&nobody);
    let somebody = "hiddenkey".repeat(200);
    let too_long = sessions.create(&somebody, 1).await.unwrap_err();
    row!(
        "the owner of a session has .. bytes, the limit is ..",
        InvalidKey,
        NotSent
    )
    .check(&too_long);
    witness.sees_no_change().await;

    // The entry goes under the key that it names, and `update` may not change that.
    let ann = Visitor {
        site: "hiddenkey".into(),
        id: 1,
        name: "topsecret".into(),
    };
    ann.save(&backend).await.unwrap();
    let moved = Visitor::update(&backend, "hiddenkey", 1, |visitor| visitor.id = 2).await;
    row!(
        "the key fields of an entry are not those that it was named by",
        InvalidKey,
        NotSent
    )
    .check(&moved.unwrap_err());
    let found = Visitor::get(&backend, "hiddenkey", 1).await.unwrap();
    assert_eq!(found.as_ref(), Some(&ann));
    assert!(!Visitor::exists(&backend, "hiddenkey", 2).await.unwrap());
    let all = Visitor::clear_under(&backend, "").await;
    row!("the tag of a key is empty", InvalidKey, NotSent).check(&all.unwrap_err());
    assert!(Visitor::exists(&backend, "hiddenkey", 1).await.unwrap());
}

#[tokio::test]
async fn calls_that_can_not_be_right() {
    is_refused_in_this_process(MemoryBackend::new()).await;
    let server = Server::start();
    is_refused_in_this_process(connect(&server.url()).await).await;
}

/// A server that takes no part of the address may not be told from one that lies.
#[tokio::test]
async fn a_request_without_the_address_of_its_peer() {
    let request = http::Request::new(());
    let error = ClientAddress::peer().key(&Head::of(&request)).unwrap_err();
    row!(
        "the server doesn't tell the peer's address as an extension of the request",
        InvalidConfig,
        NotSent
    )
    .check(&error);
}

/// The settings of everything that is made when a program starts.
#[test]
fn settings_that_can_not_be_right() {
    let odd = Throttle::new("Hidden key", [Quota::gcra(5, MINUTE)]).unwrap_err();
    assert_eq!(odd.kind(), reinhardt_backends::ErrorKind::InvalidConfig);
}

#[tokio::test]
async fn a_clear_of_a_server_that_others_use() {
    let server = Server::start();
    let backend = patient(&server.url())
        .namespace_none()
        .build()
        .await
        .unwrap();
    server.command("SET foreign 5");
    let all = row!(
        "without a namespace nothing says which keys to clear",
        Unsupported,
        NotSent
    );
    all.check(&backend.clear().await.unwrap_err());
    all.check(&backend.clear_prefix("").await.unwrap_err());
    assert!(backend.exists("foreign").await.unwrap());
}

#[tokio::test]
async fn a_backend_that_was_closed() {
    let server = Server::start();
    let witness = Witness::of(connect(&server.url()).await).await;
    let backend = connect(&server.url()).await;
    backend.close().await;
    let closed = row!("the backend was closed", Unavailable, NotSent);
    closed.check(&backend.connection().await.unwrap_err());
    witness.refuses(&shared(backend), &[closed]).await;
    witness.sees_no_change().await;
    // Memory has nothing to close.
    let memory: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    memory.close().await;
    recovered(&memory).await;
    memory.set_if_absent("k", 1, None).await.unwrap();
}
