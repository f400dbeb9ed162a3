//! Clauses 21 to 24, and 42: values.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::time::Duration;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize, Serializer};

use super::{HOUR, Harness};
use crate::backend::{Backend, Expiry, Life, Write};
use crate::codec::{Decode, Encode};
use crate::error::ErrorKind;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Plain {
    Unit,
    Newtype(Option<u8>),
    Tuple(i8, String),
    Struct { bytes: Vec<u8>, none: Option<()> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Internal {
    Unit,
    Struct {
        bytes: Vec<u8>,
        map: BTreeMap<String, f64>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "content")]
enum Adjacent {
    Unit,
    Newtype(Vec<u8>),
    Tuple(u8, u8),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Bytes(Vec<u8>),
    Text(String),
    Struct { bytes: Vec<u8> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Flattened<T> {
    id: u8,
    #[serde(flatten)]
    inner: T,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Newtype<T>(T);

/// Clause 21: odd values round-trip; stored null is not absence.
pub async fn odd_values_round_trip<H: Harness>(harness: &H) {
    let backend = &harness.backend().await;
    same(backend, None::<u8>).await;
    same(backend, Some(7u8)).await;
    same(backend, ()).await;
    same(backend, Unit).await;
    same(backend, true).await;
    same(backend, '\u{10ffff}').await;
    for text in ["", "5", "-", "-5", "null", "\0", "ü\r\n"] {
        same(backend, text.to_string()).await;
    }
    same(backend, Vec::<u8>::new()).await;
    same(backend, Vec::<String>::new()).await;
    same(backend, vec![0u8, 24, 45, 48, 255]).await;
    same(backend, vec![None, Some(vec![1u8])]).await;
    same(backend, [1u8, 2, 3]).await;
    same(backend, (1u8, -1i64, "x".to_string())).await;
    same(backend, u64::MAX).await;
    same(backend, i64::MIN).await;
    same(backend, i128::MIN).await;
    same(backend, i128::MAX).await;
    same(backend, u128::MAX).await;
    same(backend, i128::from(i64::MIN) - 1).await;
    same(backend, f64::INFINITY).await;
    same(backend, f64::MIN_POSITIVE).await;
    same(backend, f32::MAX).await;
    same(backend, 1.5f32).await;
    same(backend, 5.0f64).await;
    same(
        backend,
        BTreeMap::from([(-1i32, "a".to_string()), (i32::MAX, String::new())]),
    )
    .await;
    same(backend, HashMap::from([((1u8, true), vec![0.5f32])])).await;
    same(backend, BTreeMap::from([(Some('x'), ()), (None, ())])).await;
    same(backend, Duration::new(3, 7)).await;
    same(backend, Newtype(Newtype(-3i8))).await;
    same(backend, Newtype(vec![1u8, 2])).await;
    for value in [
        Plain::Unit,
        Plain::Newtype(None),
        Plain::Newtype(Some(1)),
        Plain::Tuple(-1, "x".to_string()),
        Plain::Struct {
            bytes: vec![1, 200],
            none: None,
        },
    ] {
        same(backend, value).await;
    }
    let bytes = vec![b'5', 0, 255];
    let inner = Internal::Struct {
        bytes: bytes.clone(),
        map: BTreeMap::from([("x".to_string(), -0.5)]),
    };
    same(backend, Internal::Unit).await;
    same(backend, inner.clone()).await;
    same(backend, Adjacent::Unit).await;
    same(backend, Adjacent::Newtype(bytes.clone())).await;
    same(backend, Adjacent::Tuple(1, 2)).await;
    same(backend, Untagged::Bytes(bytes.clone())).await;
    same(backend, Untagged::Text("5".to_string())).await;
    same(
        backend,
        Untagged::Struct {
            bytes: bytes.clone(),
        },
    )
    .await;
    same(backend, Flattened { id: 1, inner }).await;
    let inner = HashMap::from([("more".to_string(), bytes)]);
    same(backend, Flattened { id: 2, inner }).await;

    backend.set("nan", f64::NAN, None).await.unwrap();
    assert!(backend.get::<f64>("nan").await.unwrap().unwrap().is_nan());
    backend.set("zero", -0.0f64, None).await.unwrap();
    assert!(
        backend
            .get::<f64>("zero")
            .await
            .unwrap()
            .unwrap()
            .is_sign_negative()
    );

    backend.set("null", None::<String>, None).await.unwrap();
    assert!(backend.exists("null").await.unwrap());
    assert_eq!(
        backend.get::<Option<String>>("null").await.unwrap(),
        Some(None)
    );
    assert!(!backend.set_if_absent("null", 1, None).await.unwrap());
    assert_eq!(
        backend
            .get_many::<Option<String>>(&["null", "no"])
            .await
            .unwrap(),
        [Some(None), None]
    );
}

async fn same<T>(backend: &impl Backend, value: T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    backend.set("value", &value, None).await.unwrap();
    let read = backend.get::<T>("value").await;
    assert_eq!(read.unwrap(), Some(value));
}

/// Clause 22: bytes cost their length.
pub async fn bytes_cost_their_length<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    for length in [0, 1, 23, 24, 255, 256, 65_535, 65_536, 200_000] {
        backend
            .set("bytes", vec![200u8; length], None)
            .await
            .unwrap();
        let stored = backend.get_stored("bytes").await.unwrap().unwrap();
        let overhead = stored.as_bytes().len() - length;
        assert!(overhead <= 11, "{overhead} bytes more than {length}");
        assert_eq!(
            backend.get::<Vec<u8>>("bytes").await.unwrap(),
            Some(vec![200; length])
        );
    }
}

/// Clause 23: hostile bytes are a `Decode` error, allocate little, and stay (`take` aside).
pub async fn hostile_bytes_are_a_decode_error<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    let mut hostile: Vec<Vec<u8>> = Vec::new();
    for text in [
        "05",
        "-0",
        "+5",
        "5x",
        "-",
        "",
        "99999999999999999999",
        "5 ",
        "\u{1c}",
    ] {
        hostile.push(text.as_bytes().to_vec());
    }
    hostile.push(b"\x81\x61".to_vec());
    hostile.push(b"\x81\x61ab".to_vec());
    hostile.push(b"\xff".to_vec());
    hostile.push(vec![0x81; 100_000]);
    for header in [0x5b, 0x7b, 0x9b, 0xbb] {
        hostile.push([&[header][..], &[0x7f; 8], &[1; 4]].concat());
    }
    for bytes in hostile {
        backend
            .write("key", &bytes, Write::new(Life::In(HOUR)))
            .await
            .unwrap();
        for error in [
            backend.get::<Vec<String>>("key").await.unwrap_err(),
            backend.get::<u64>("key").await.unwrap_err(),
            backend.get::<IgnoredAny>("key").await.unwrap_err(),
            backend
                .get_with_ttl::<Vec<String>>("key")
                .await
                .unwrap_err(),
            backend.get_many::<Vec<String>>(&["key"]).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Decode);
        }
        let stored = backend.get_stored("key").await.unwrap().unwrap();
        assert_eq!(stored.as_bytes(), bytes);
        let error = backend.take::<Vec<String>>("key").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(!backend.exists("key").await.unwrap());
    }
}

/// Refuses to be serialized, after a part of it was.
struct Refuses;

impl Serialize for Refuses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq;
        let mut seq = serializer.serialize_seq(None)?;
        seq.serialize_element("part")?;
        Err(serde::ser::Error::custom("refused"))
    }
}

/// Clause 24: a value that fails to encode stores nothing.
pub async fn a_value_that_fails_to_encode_stores_nothing<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    backend.set("there", 1, Some(HOUR)).await.unwrap();
    let stored = backend.get_stored("there").await.unwrap().unwrap();
    let values: [(&str, Result<u8, Refuses>); 2] = [("not there", Ok(1)), ("there", Err(Refuses))];
    let values = values.map(|(key, value)| (key, Maybe(value)));
    let many = backend.set_many(&values, None).await.unwrap_err();
    assert_eq!(many.failed_indices(), [1]);
    for error in [
        backend.set("there", Refuses, None).await.unwrap_err(),
        backend.set("not there", Refuses, None).await.unwrap_err(),
        backend
            .set_if_absent("not there", Refuses, None)
            .await
            .unwrap_err(),
        backend
            .set_if_present("there", Refuses, None)
            .await
            .unwrap_err(),
        backend
            .compare_and_set("there", &stored, Refuses, Life::Keep)
            .await
            .unwrap_err(),
        many,
    ] {
        assert_eq!(error.kind(), ErrorKind::Encode);
        assert!(!error.outcome_unknown());
    }
    assert_eq!(backend.get::<i64>("there").await.unwrap(), Some(1));
    assert!(!backend.exists("not there").await.unwrap());
}

struct Maybe(Result<u8, Refuses>);

impl Serialize for Maybe {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Ok(value) => value.serialize(serializer),
            Err(refuses) => refuses.serialize(serializer),
        }
    }
}

/// Nested as deep as a test likes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Nested {
    below: Option<Box<Nested>>,
}

impl Nested {
    fn of(levels: usize) -> Self {
        let innermost = Self { below: None };
        (1..levels).fold(innermost, |below, _| Self {
            below: Some(Box::new(below)),
        })
    }
}

/// Fields that a client names, beside one of the service's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct EnumForm {
    user: String,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Scores {
    game: u64,
    #[serde(flatten)]
    by_player: BTreeMap<u16, u8>,
}

/// Clause 42: a value that is stored is read back, or it is refused with `Encode` and the old value
/// stays.
pub async fn what_is_stored_can_be_read<H: Harness>(harness: &H) {
    let backend = harness.backend().await;
    let levels = [
        1, 2, 100, 126, 127, 128, 254, 255, 256, 257, 258, 1000, 10_000,
    ];
    let stored = levels.map(async |levels| is_stored(&backend, Nested::of(levels)).await);
    for (levels, stored) in levels.iter().zip(stored) {
        assert_eq!(stored.await, *levels <= 256, "{levels} levels");
    }
    let form = |key: &str| EnumForm {
        user: "ann".to_string(),
        rest: BTreeMap::from([(key.to_string(), 1)]),
    };
    assert!(is_stored(&backend, form("age")).await);
    assert!(!is_stored(&backend, form("user")).await);
    let by_player = BTreeMap::from([(0, 1), (1000, 2)]);
    assert!(is_stored(&backend, Scores { game: 7, by_player }).await);
    #[cfg(feature = "json")]
    {
        use crate::codec::Json;
        assert!(is_stored(&backend, Json(Nested::of(127))).await);
        assert!(!is_stored(&backend, Json(Nested::of(128))).await);
        assert!(is_stored(&backend, Json(1.5)).await);
        assert!(!is_stored(&backend, Json(f64::NAN)).await);
    }
    #[cfg(feature = "postcard")]
    {
        use crate::codec::Postcard;
        assert!(is_stored(&backend, Postcard(Nested::of(64))).await);
        assert!(!is_stored(&backend, Postcard(Nested::of(65))).await);
        assert!(is_stored(&backend, Postcard(Plan::Free)).await);
        assert!(!is_stored(&backend, Postcard(Plan::Team)).await);
    }
}

/// Written by the number of a variant, `Team` would come back as `Company`.
#[cfg(feature = "postcard")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Plan {
    Free,
    #[serde(skip)]
    #[expect(dead_code, reason = "nobody reads or writes it")]
    Internal,
    Team,
    Company,
}

/// Says whether a value was stored, by every way to write one.
async fn is_stored<B: Backend, V>(backend: &B, value: V) -> bool
where
    V: Encode + Decode + Clone + PartialEq + Debug + Send + Sync,
{
    let ttl = Some(HOUR);
    backend.set("key", "before", ttl).await.unwrap();
    let before = backend.get_stored("key").await.unwrap().unwrap();
    let error = match backend.set("key", value.clone(), None).await {
        Ok(()) => {
            let read = backend.get::<V>("key").await;
            assert_eq!(read.unwrap().as_ref(), Some(&value));
            return true;
        }
        Err(error) => error,
    };
    let many = backend.set_many(&[("key", value.clone())], None).await;
    let swapped = backend.compare_and_set("key", &before, value.clone(), Life::Never);
    for error in [
        error,
        many.unwrap_err(),
        swapped.await.unwrap_err(),
        backend
            .set_if_present("key", value.clone(), None)
            .await
            .unwrap_err(),
        backend
            .set_if_absent("other", value.clone(), None)
            .await
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Encode);
    }
    assert_eq!(backend.get_stored("key").await.unwrap(), Some(before));
    let left = backend.ttl("key").await.unwrap();
    assert!(matches!(left, Some(Expiry::In(left)) if left <= HOUR));
    assert!(!backend.exists("other").await.unwrap());
    false
}
