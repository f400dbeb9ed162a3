//! The keyspaces of the tests. In those without `inspect` the keys and values are words that no
//! page may have.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use reinhardt_backends::codec::{Cbor, Codec};
use reinhardt_backends::{Backend, BackendError, BackendResult, ErrorKind, Keyspace, Life, Write};
use serde::de::DeserializeOwned;
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

#[derive(Debug, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "hidden", ttl = "1d")]
pub(crate) struct HiddenV1 {
    #[keyspace(key)]
    pub(crate) id: String,
}

/// It may be looked at, and the version before it may not.
#[derive(Debug, Serialize, Deserialize, Keyspace)]
#[keyspace(
    prefix = "hidden",
    ttl = "1d",
    version = 2,
    migrates = HiddenV1,
    inspect
)]
pub(crate) struct Hidden {
    #[keyspace(key)]
    pub(crate) id: String,
}

impl From<HiddenV1> for Hidden {
    fn from(HiddenV1 { id }: HiddenV1) -> Self {
        Self { id }
    }
}

/// Two keyspaces that share their keys by mistake, of which one may be looked at.
#[derive(Debug, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "shared", ttl = "1d", inspect)]
pub(crate) struct SharedShown {
    #[keyspace(key)]
    pub(crate) id: String,
}

#[derive(Debug, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "shared", ttl = "1d")]
pub(crate) struct SharedHidden {
    #[keyspace(key)]
    pub(crate) id: String,
}

/// A keyspace whose keys the types of a generic one have, too.
#[derive(Debug, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "generic", ttl = "1d", inspect)]
pub(crate) struct Plain {
    #[keyspace(key)]
    pub(crate) id: String,
}

#[derive(Debug, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "generic", ttl = "1d")]
pub(crate) struct Generic<T> {
    #[keyspace(key)]
    pub(crate) id: String,
    pub(crate) value: T,
}

/// A value whose codec puts the bytes into its errors.
#[derive(Debug, Keyspace)]
#[keyspace(prefix = "loud", ttl = never, value = u8, codec = LoudCodec, inspect)]
pub(crate) struct Loud {
    pub(crate) id: u32,
}

pub(crate) struct LoudCodec;

impl Codec for LoudCodec {
    const NAME: &'static str = "loud";

    fn encode<T: Serialize + ?Sized>(value: &T) -> BackendResult<Vec<u8>> {
        Cbor::encode(value)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> BackendResult<T> {
        let message = String::from_utf8_lossy(bytes).into_owned();
        Err(BackendError::new(ErrorKind::Decode, message))
    }
}

/// A value whose code waits until the test lets it go.
#[derive(Debug, Keyspace)]
#[keyspace(prefix = "slow", ttl = never, value = Waits, inspect)]
pub(crate) struct Slow {
    pub(crate) id: u32,
}

#[derive(Debug, Serialize)]
pub(crate) struct Waits(u8);

/// The number of values that wait, and the largest number that did.
static SLOW: AtomicUsize = AtomicUsize::new(0);
pub(crate) static MOST_SLOW: AtomicUsize = AtomicUsize::new(0);
pub(crate) static LET_GO: AtomicBool = AtomicBool::new(false);

impl<'de> Deserialize<'de> for Waits {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        MOST_SLOW.fetch_max(SLOW.fetch_add(1, SeqCst) + 1, SeqCst);
        while !LET_GO.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        SLOW.fetch_sub(1, SeqCst);
        u8::deserialize(deserializer).map(Waits)
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
