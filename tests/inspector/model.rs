//! The keyspaces of the tests. In those without `inspect` the keys and values are words that no
//! page may have.

use std::collections::BTreeMap;
use std::time::Duration;

use reinhardt_backends::{Backend, Keyspace, Life, Write};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "cart", ttl = "2h", codec = Json, version = 2, inspect)]
pub(crate) struct Cart {
    #[keyspace(key, tag)]
    pub(crate) shop: String,
    #[keyspace(key)]
    pub(crate) number: u32,
    pub(crate) items: Vec<Item>,
    pub(crate) state: State,
    pub(crate) notes: BTreeMap<String, Option<bool>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) price: f64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum State {
    Open,
    Paid { by: String },
}

/// What people may not look at.
#[derive(Debug, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "secret", ttl = "30m")]
pub(crate) struct Secret {
    #[keyspace(key)]
    pub(crate) id: String,
    pub(crate) word: String,
}

#[derive(Debug, Keyspace)]
#[keyspace(prefix = "hits", ttl = "60s", counter, inspect)]
pub(crate) struct Hits<'a> {
    pub(crate) route: &'a str,
}

#[derive(Debug, Keyspace)]
#[keyspace(prefix = "login", limit = ["5/min", "100/day"], inspect)]
pub(crate) struct Login<'a> {
    pub(crate) user: &'a str,
}

#[derive(Debug, Keyspace)]
#[keyspace(
    prefix = "page",
    ttl = "5m",
    value = String,
    lease = "10s",
    inspect
)]
pub(crate) struct Page {
    pub(crate) path: String,
}

#[derive(Debug, Keyspace)]
#[keyspace(prefix = "deep", ttl = never, value = Deep, inspect)]
pub(crate) struct Deepest;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Deep(pub(crate) Vec<Deep>);

/// A value whose code panics when it is decoded.
#[derive(Debug, Keyspace)]
#[keyspace(prefix = "panics", ttl = never, value = Panics, inspect)]
pub(crate) struct Panicking;

#[derive(Debug, Serialize)]
pub(crate) struct Panics(u8);

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("this type is never decoded")
    }
}

#[derive(Debug, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "note", ttl = "1d", inspect)]
pub(crate) struct NoteV1 {
    #[keyspace(key)]
    pub(crate) id: u32,
    pub(crate) text: String,
}

#[derive(Debug, Serialize, Deserialize, Keyspace)]
#[keyspace(
    prefix = "note",
    ttl = "1d",
    version = 2,
    migrates = NoteV1,
    inspect
)]
pub(crate) struct Note {
    #[keyspace(key)]
    pub(crate) id: u32,
    pub(crate) lines: Vec<String>,
}

impl From<NoteV1> for Note {
    fn from(older: NoteV1) -> Self {
        Self {
            id: older.id,
            lines: vec![older.text],
        }
    }
}

/// The words of keys and values that no page may have.
pub(crate) const SECRETS: [&str; 4] = ["K3Y0FS3CRET", "V4LUE0FS3CRET", "UND3CLAR3D", "UND3CV4LUE"];

pub(crate) fn cart(shop: &str, number: u32) -> Cart {
    Cart {
        shop: shop.to_string(),
        number,
        items: vec![Item {
            name: "apple".to_string(),
            price: 1.5,
        }],
        state: State::Paid {
            by: "card".to_string(),
        },
        notes: BTreeMap::from([("gift".to_string(), Some(true))]),
    }
}

/// Stores an entry of each keyspace, and one that nobody declares.
pub(crate) async fn fill<B: Backend>(backend: &B) {
    cart("north", 7).save(backend).await.unwrap();
    let secret = Secret {
        id: SECRETS[0].to_string(),
        word: SECRETS[1].to_string(),
    };
    secret.save(backend).await.unwrap();
    backend.set(SECRETS[2], SECRETS[3], None).await.unwrap();
    for _ in 0..3 {
        Hits { route: "/home" }.increment(backend).await.unwrap();
        let _ = Login { user: "ann" }.check(backend).await.unwrap();
    }
    let path = "/a:b".to_string();
    Page { path }.set(backend, "<h1>Hello</h1>").await.unwrap();
}

/// Stores bytes as they are.
pub(crate) async fn put<B: Backend>(backend: &B, key: &str, bytes: &[u8]) {
    let life = Life::In(Duration::from_secs(600));
    assert!(backend.write(key, bytes, Write::new(life)).await.unwrap());
}
