//! Values that are shared with all readers always say what the stored bytes say.

use std::sync::Arc;
use std::time::Duration;

use reinhardt_backends::{Backend, ErrorKind, Expiry, Keyspace};
use serde::{Deserialize, Serialize, Serializer};

use crate::{MINUTE, about, on_every_backend};

/// A value that loses something whenever it is encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "shared.lossy", ttl = "30m", shared)]
struct Lossy {
    #[keyspace(key)]
    id: String,
    #[serde(skip)]
    cached: u32,
    #[serde(serialize_with = "in_whole_degrees")]
    degrees: f64,
    nested: Option<Option<u8>>,
}

fn in_whole_degrees<S: Serializer>(degrees: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(degrees.round())
}

fn lossy(degrees: f64) -> Lossy {
    Lossy {
        id: "abc".to_string(),
        cached: 42,
        degrees,
        nested: Some(None),
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "sliding.shared", ttl = "30m", sliding, shared)]
struct Sliding {
    #[keyspace(key)]
    id: u32,
}

#[derive(Keyspace)]
#[keyspace(prefix = "either", ttl = "30m", value = Vec<u16>, shared)]
struct AsCbor {
    id: u32,
}

#[derive(Keyspace)]
#[keyspace(prefix = "either", ttl = "30m", value = Vec<u16>, codec = Json, shared)]
struct AsJson {
    id: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "shared.profile", ttl = "30m", shared)]
struct ProfileV1 {
    #[keyspace(key)]
    id: u32,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "shared.profile", ttl = "30m", version = 2, migrates = ProfileV1, shared)]
struct Profile {
    #[keyspace(key)]
    id: u32,
    names: Vec<String>,
}

impl From<ProfileV1> for Profile {
    fn from(old: ProfileV1) -> Self {
        Self {
            id: old.id,
            names: vec![old.name],
        }
    }
}

async fn a_shared_value_is_what_get_returns<B: Backend>(backend: Arc<B>) {
    lossy(1.75).save(&backend).await.unwrap();
    let expected = Lossy {
        cached: 0,
        degrees: 2.0,
        nested: None,
        ..lossy(0.0)
    };
    for _ in 0..3 {
        let shared = Lossy::get_shared(&backend, "abc").await.unwrap().unwrap();
        assert_eq!(*shared, expected);
        let got = Lossy::get(&backend, "abc").await.unwrap().unwrap();
        assert_eq!(got, expected);
    }
}

async fn a_shared_value_goes_with_its_entry<B: Backend>(backend: Arc<B>) {
    let degrees = async || {
        let shared = Lossy::get_shared(&backend, "abc").await.unwrap();
        shared.map(|shared| shared.degrees)
    };
    assert_eq!(degrees().await, None);
    lossy(1.0).save(&backend).await.unwrap();
    assert_eq!(degrees().await, Some(1.0));
    lossy(2.0).save(&backend).await.unwrap();
    assert_eq!(degrees().await, Some(2.0));
    let key = Lossy::key("abc");
    backend.set(&key, &lossy(3.0), None).await.unwrap();
    assert_eq!(degrees().await, Some(3.0));
    let updated = Lossy::update(&backend, "abc", |lossy| lossy.degrees = 4.0).await;
    assert!(updated.unwrap().is_some());
    assert_eq!(degrees().await, Some(4.0));
    backend.set(&key, "no lossy", None).await.unwrap();
    let error = Lossy::get_shared(&backend, "abc").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(Lossy::delete(&backend, "abc").await.unwrap());
    assert_eq!(degrees().await, None);
}

async fn a_shared_read_slides_too<B: Backend>(backend: Arc<B>) {
    let sliding = Sliding { id: 1 };
    let short = Duration::from_secs(20);
    for _ in 0..2 {
        sliding.save_for(&backend, short).await.unwrap();
        assert_eq!(
            Sliding::ttl(&backend, 1).await.unwrap().map(is_long),
            Some(false)
        );
        for _ in 0..2 {
            let shared = Sliding::get_shared(&backend, 1).await.unwrap();
            assert_eq!(shared.as_deref(), Some(&sliding));
        }
        assert!(about(Sliding::ttl(&backend, 1).await.unwrap(), 30 * MINUTE));
    }
}

fn is_long(expiry: Expiry) -> bool {
    matches!(expiry, Expiry::In(left) if left > MINUTE)
}

async fn what_another_codec_decoded_is_not_shared<B: Backend>(backend: Arc<B>) {
    AsJson { id: 1 }.set(&backend, vec![1, 2]).await.unwrap();
    let json = AsJson { id: 1 }.get_shared(&backend).await.unwrap();
    assert_eq!(json.as_deref(), Some(&vec![1, 2]));
    let cbor = AsCbor { id: 1 }.get_shared(&backend).await;
    assert_eq!(cbor.unwrap_err().kind(), ErrorKind::Decode);
}

async fn an_old_entry_is_shared_as_what_it_becomes<B: Backend>(backend: Arc<B>) {
    let old = ProfileV1 {
        id: 1,
        name: "Ada".to_string(),
    };
    old.save(&backend).await.unwrap();
    for _ in 0..2 {
        let shared = Profile::get_shared(&backend, 1).await.unwrap().unwrap();
        assert_eq!(shared.names, ["Ada"]);
        let shared = ProfileV1::get_shared(&backend, 1).await.unwrap().unwrap();
        assert_eq!(*shared, old);
    }
    let mut new = Profile::from(old);
    new.names.push("Lovelace".to_string());
    new.save(&backend).await.unwrap();
    let shared = Profile::get_shared(&backend, 1).await.unwrap().unwrap();
    assert_eq!(*shared, new);
    assert_eq!(ProfileV1::get_shared(&backend, 1).await.unwrap(), None);
}

/// Eight readers while one writes: no reader gets a value that is older than a write that had been
/// acknowledged.
async fn a_write_is_seen_by_the_next_shared_read<B: Backend + 'static>(backend: Arc<B>) {
    let written = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let order = std::sync::atomic::Ordering::SeqCst;
    lossy(0.0).save(&backend).await.unwrap();
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let (backend, written) = (backend.clone(), written.clone());
            tokio::spawn(async move {
                while written.load(order) < 300 {
                    let before = written.load(order);
                    let shared = Lossy::get_shared(&backend, "abc").await.unwrap().unwrap();
                    assert!(shared.degrees >= f64::from(before));
                }
            })
        })
        .collect();
    for degrees in 1..=300 {
        lossy(f64::from(degrees)).save(&backend).await.unwrap();
        written.store(degrees, order);
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

on_every_backend! {
    a_shared_value_is_what_get_returns
    a_shared_value_goes_with_its_entry
    a_shared_read_slides_too
    what_another_codec_decoded_is_not_shared
    an_old_entry_is_shared_as_what_it_becomes
    a_write_is_seen_by_the_next_shared_read
}
