//! A scan yields the entries of its keyspace alone, and a clear removes these.

use futures::{StreamExt, TryStreamExt};
use reinhardt_backends::{Backend, ErrorKind, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

use crate::{Session, session};

#[derive(Debug, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session.old", ttl = "30m")]
struct Neighbour {
    #[keyspace(key)]
    id: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "sessions", ttl = "30m")]
struct Longer {
    #[keyspace(key)]
    id: String,
}

async fn save_neighbours(backend: &MemoryBackend) {
    let id = "abc".to_string();
    Neighbour { id: id.clone() }.save(backend).await.unwrap();
    Longer { id }.save(backend).await.unwrap();
}

#[tokio::test]
async fn a_scan_yields_the_entries_and_nothing_of_its_neighbours() {
    let backend = MemoryBackend::new();
    save_neighbours(&backend).await;
    for id in ["a", "b:c", "", "ü*"] {
        session(id).save(&backend).await.unwrap();
    }
    let entries = Session::scan(&backend).try_collect::<Vec<_>>().await;
    let mut ids: Vec<String> = entries.unwrap().into_iter().map(|it| it.id).collect();
    ids.sort();
    assert_eq!(ids, ["", "a", "b:c", "ü*"]);
}

#[tokio::test]
async fn a_scan_is_read_with_next() {
    let backend = MemoryBackend::new();
    session("abc").save(&backend).await.unwrap();
    let mut entries = Session::scan(&backend);
    let mut count = 0;
    while let Some(entry) = entries.next().await {
        assert_eq!(entry.unwrap(), session("abc"));
        count += 1;
    }
    assert_eq!(count, 1);
}

#[tokio::test]
async fn a_scan_takes_more_than_one_batch() {
    let backend = MemoryBackend::new();
    for id in 0..1000 {
        session(&id.to_string()).save(&backend).await.unwrap();
    }
    let entries = Session::scan(&backend).try_collect::<Vec<_>>().await;
    assert_eq!(entries.unwrap().len(), 1000);
}

#[tokio::test]
async fn foreign_text_and_foreign_bytes_are_error_items_and_the_stream_goes_on() {
    let backend = MemoryBackend::new();
    session("abc").save(&backend).await.unwrap();
    session("def").save(&backend).await.unwrap();
    backend
        .set("session:%zz", session("x"), None)
        .await
        .unwrap();
    backend
        .set("session:a:b", session("x"), None)
        .await
        .unwrap();
    backend
        .set("session:ghi", "no session", None)
        .await
        .unwrap();
    let items: Vec<_> = Session::scan(&backend).collect().await;
    let errors = items.iter().filter_map(|item| item.as_ref().err());
    let mut errors: Vec<ErrorKind> = errors.map(|error| error.kind()).collect();
    errors.sort_by_key(|kind| format!("{kind:?}"));
    assert_eq!(
        errors,
        [
            ErrorKind::Decode,
            ErrorKind::InvalidKey,
            ErrorKind::InvalidKey
        ]
    );
    assert_eq!(items.len(), 5);
}

#[tokio::test]
async fn clear_leaves_neighbours_and_says_how_many() {
    let backend = MemoryBackend::new();
    save_neighbours(&backend).await;
    backend.set("session", 1, None).await.unwrap();
    for id in ["a", "b", "c"] {
        session(id).save(&backend).await.unwrap();
    }
    assert_eq!(Session::clear(&backend).await.unwrap(), 3);
    assert_eq!(Session::clear(&backend).await.unwrap(), 0);
    assert!(Neighbour::exists(&backend, "abc").await.unwrap());
    assert!(Longer::exists(&backend, "abc").await.unwrap());
    assert!(backend.exists("session").await.unwrap());
}
