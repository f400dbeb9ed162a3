//! A keyspace stores by the codec that it names, and no codec misreads the bytes of another one.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use proptest::prelude::*;
use reinhardt_backends::codec::{Cbor, Codec, Json, Postcard};
use reinhardt_backends::{Backend, BackendError, BackendResult, ErrorKind, Keyspace};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::on_every_backend;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "codec.json", ttl = "1m", codec = Json)]
struct AsJson {
    #[keyspace(key)]
    id: u32,
    name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "codec.postcard", ttl = "1m", codec = Postcard)]
struct AsPostcard {
    #[keyspace(key)]
    id: u32,
    name: Option<String>,
}

/// JSON, every byte of it turned around.
#[derive(Debug)]
struct Mirrored;

impl Codec for Mirrored {
    const NAME: &'static str = "mirrored";

    fn encode<T: Serialize + ?Sized>(value: &T) -> BackendResult<Vec<u8>> {
        let bytes = <Json as Codec>::encode(value)?;
        Ok(bytes.into_iter().map(|byte| !byte).collect())
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> BackendResult<T> {
        let bytes: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
        <Json as Codec>::decode(&bytes)
    }
}

#[derive(Keyspace)]
#[keyspace(prefix = "codec.own", ttl = "1m", value = Vec<String>, codec = Mirrored)]
struct AsMirrored {
    id: u32,
}

#[derive(Keyspace)]
#[keyspace(prefix = "codec.counter", ttl = "1m", counter)]
struct Counted {
    id: u32,
}

on_every_backend! {
    a_keyspace_stores_what_its_codec_writes
    the_raw_api_reads_and_writes_the_same_bytes
    a_codec_of_ones_own_is_named_by_its_path
    a_value_of_another_codec_is_a_decode_error
    counters_stay_decimal
}

async fn a_keyspace_stores_what_its_codec_writes(backend: Arc<dyn Backend>) {
    let entry = AsJson { id: 1, name: None };
    entry.save(&backend).await.unwrap();
    let stored = backend.get_stored("codec.json:1").await.unwrap().unwrap();
    assert_eq!(stored.as_bytes(), br#"{"id":1,"name":null}"#);
    assert_eq!(AsJson::get(&backend, 1).await.unwrap(), Some(entry));
    assert_eq!(AsJson::INFO.codec, "json");

    let name = Some("ann".to_string());
    let entry = AsPostcard { id: 1, name };
    entry.save(&backend).await.unwrap();
    let stored = backend
        .get_stored("codec.postcard:1")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.as_bytes(), b"\xfc\x01\x01\x03ann");
    let updated = AsPostcard::update(&backend, 1, |entry| entry.name = None)
        .await
        .unwrap();
    assert_eq!(AsPostcard::get(&backend, 1).await.unwrap(), updated);
}

async fn the_raw_api_reads_and_writes_the_same_bytes(backend: Arc<dyn Backend>) {
    let entry = AsJson { id: 1, name: None };
    backend
        .set(&AsJson::key(1), Json(&entry), None)
        .await
        .unwrap();
    assert_eq!(AsJson::get(&backend, 1).await.unwrap(), Some(entry.clone()));
    let read = backend.get::<Json<AsJson>>(&AsJson::key(1)).await.unwrap();
    assert_eq!(read, Some(Json(entry)));
    let entry = AsPostcard { id: 1, name: None };
    entry.save(&backend).await.unwrap();
    let read = backend
        .get::<Postcard<AsPostcard>>(&AsPostcard::key(1))
        .await;
    assert_eq!(read.unwrap(), Some(Postcard(entry)));
}

async fn a_codec_of_ones_own_is_named_by_its_path(backend: Arc<dyn Backend>) {
    let key = AsMirrored { id: 1 };
    key.set(&backend, vec!["a".to_string()]).await.unwrap();
    let stored = backend.get_stored(&key.key()).await.unwrap().unwrap();
    assert_eq!(stored.as_bytes()[0], !b'[');
    assert_eq!(key.get(&backend).await.unwrap().unwrap(), ["a"]);
    assert_eq!(AsMirrored::INFO.codec, "mirrored");
}

async fn a_value_of_another_codec_is_a_decode_error(backend: Arc<dyn Backend>) {
    let entry = AsJson { id: 1, name: None };
    backend.set(&AsJson::key(1), &entry, None).await.unwrap();
    let error = AsJson::get(&backend, 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(backend.exists(&AsJson::key(1)).await.unwrap());
}

async fn counters_stay_decimal(backend: Arc<dyn Backend>) {
    Counted { id: 1 }.increment_by(&backend, -7).await.unwrap();
    let stored = backend
        .get_stored("codec.counter:1")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.as_bytes(), b"-7");
    assert_eq!(
        backend.get::<Json<i64>>("codec.counter:1").await.unwrap(),
        Some(Json(-7))
    );
    let other = backend.get::<Postcard<i64>>("codec.counter:1").await;
    assert_eq!(other.unwrap_err().kind(), ErrorKind::Decode);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Anything {
    Nothing,
    Flag(bool),
    Number(i64),
    Ratio(f64),
    Text(String),
    Bytes(Vec<u8>),
    Pair {
        left: Box<Anything>,
        right: Option<u32>,
    },
    List(Vec<Anything>),
    Map(BTreeMap<String, u8>),
}

fn anything() -> impl Strategy<Value = Anything> {
    let text = prop_oneof![".{0,12}", "(rue|alse|ull) {0,20}", "[0-9-]{0,5}"];
    let leaf = prop_oneof![
        Just(Anything::Nothing),
        any::<bool>().prop_map(Anything::Flag),
        any::<i64>().prop_map(Anything::Number),
        (-1e9..1e9).prop_map(Anything::Ratio),
        text.prop_map(Anything::Text),
        any::<Vec<u8>>().prop_map(Anything::Bytes),
        prop::collection::btree_map(".{0,4}", any::<u8>(), 0..4).prop_map(Anything::Map),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            (inner.clone(), any::<Option<u32>>()).prop_map(|(left, right)| Anything::Pair {
                left: Box::new(left),
                right
            }),
            prop::collection::vec(inner, 0..4).prop_map(Anything::List),
        ]
    })
}

fn same<T: PartialEq + Debug>(read: BackendResult<T>, value: &T) {
    assert_eq!(read.as_ref().map_err(BackendError::kind), Ok(value));
}

/// Checks that each codec reads the bytes that it wrote, and that the other codecs say `Decode`.
fn reads_its_own_and_no_other<T>(value: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let cbor = Cbor::encode(value).unwrap();
    let json = <Json as Codec>::encode(value).unwrap();
    let postcard = <Postcard as Codec>::encode(value).unwrap();
    same(Cbor::decode(&cbor), value);
    same(<Json as Codec>::decode(&json), value);
    same(<Postcard as Codec>::decode(&postcard), value);
    for bytes in [&json, &postcard] {
        refused(Cbor::decode::<T>(bytes), value, bytes);
    }
    for bytes in [&cbor, &postcard] {
        refused(<Json as Codec>::decode::<T>(bytes), value, bytes);
    }
    for bytes in [&cbor, &json] {
        refused(<Postcard as Codec>::decode::<T>(bytes), value, bytes);
    }
}

/// Whole numbers are the same text in CBOR and in JSON; all else is an error.
#[track_caller]
fn refused<T: PartialEq + Debug>(read: BackendResult<T>, value: &T, bytes: &[u8]) {
    match read {
        Ok(read) => {
            assert_eq!(read, *value);
            assert!(
                bytes
                    .iter()
                    .all(|byte| byte.is_ascii_digit() || *byte == b'-')
            );
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::Decode),
    }
}

proptest! {
    #[test]
    fn no_codec_misreads_anothers_structs(value in anything()) {
        reads_its_own_and_no_other(&value);
        reads_its_own_and_no_other(&vec![value.clone()]);
        reads_its_own_and_no_other(&Some(value));
    }

    #[test]
    fn no_codec_misreads_anothers_scalars(
        flag: bool,
        number: i64,
        ratio in -1e300..1e300,
        text in prop_oneof![".{0,40}", "(rue|alse|ull) {0,20}", "[0-9-]{0,5}"],
        bytes: Vec<u8>,
        numbers: Vec<u32>,
        character: char,
    ) {
        reads_its_own_and_no_other(&flag);
        reads_its_own_and_no_other(&Some(flag));
        reads_its_own_and_no_other(&number);
        reads_its_own_and_no_other(&ratio);
        reads_its_own_and_no_other(&text);
        reads_its_own_and_no_other(&bytes);
        reads_its_own_and_no_other(&numbers);
        reads_its_own_and_no_other(&character);
        reads_its_own_and_no_other(&());
    }

    #[test]
    fn what_json_reads_of_a_cbor_text_is_never_a_word(text in "(rue|alse|ull) {0,20}") {
        let cbor = Cbor::encode(&text).unwrap();
        let read = <Json as Codec>::decode::<Option<bool>>(&cbor);
        prop_assert_eq!(read.unwrap_err().kind(), ErrorKind::Decode);
    }
}
