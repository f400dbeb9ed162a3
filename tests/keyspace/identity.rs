//! An entry comes back under the key that it was asked for, or not at all.

use std::borrow::Cow;

use futures::TryStreamExt;
use reinhardt_backends::keyspace::Entry;
use reinhardt_backends::{Backend, BackendResult, ErrorKind, Keyspace, Life, MemoryBackend, Write};
use serde::{Deserialize, Serialize};

/// The id stands in the key alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "note", ttl = "1m", shared)]
struct Note {
    #[keyspace(key)]
    #[serde(skip)]
    id: String,
    text: String,
}

fn note(id: &str, text: &str) -> Note {
    Note {
        id: id.to_string(),
        text: text.to_string(),
    }
}

#[tokio::test]
async fn a_key_field_that_is_not_stored_comes_back_from_the_key() {
    let backend = MemoryBackend::new();
    for id in ["ann", "", "a:b {c} %", &"long".repeat(100)] {
        note(id, "one").save(&backend).await.unwrap();
        let read = Note::get(&backend, id).await.unwrap();
        assert_eq!(read, Some(note(id, "one")));
        for _ in 0..2 {
            let read = Note::get_shared(&backend, id).await.unwrap();
            assert_eq!(*read.unwrap(), note(id, "one"));
        }
        let updated = Note::update(&backend, id, |note| note.text = "two".to_string());
        assert_eq!(updated.await.unwrap(), Some(note(id, "two")));
        let many = Note::get_many(&backend, [id, "nobody"]).await.unwrap();
        assert_eq!(many, [Some(note(id, "two")), None]);
        let all: Vec<Note> = Note::scan(&backend).try_collect().await.unwrap();
        assert_eq!(all, [note(id, "two")]);
        let taken = Note::take(&backend, id).await.unwrap();
        assert_eq!(taken, Some(note(id, "two")));
    }
    note("ann", "one").save(&backend).await.unwrap();
    let stored = backend.get_stored(&Note::key("ann")).await.unwrap();
    let text = String::from_utf8_lossy(stored.as_ref().unwrap().as_bytes()).into_owned();
    assert!(!text.contains("ann"), "the id isn't stored twice");
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "part", ttl = "1m", codec = Postcard)]
struct Part<'a> {
    #[keyspace(key)]
    #[serde(skip)]
    shop: Cow<'a, str>,
    #[keyspace(key, tag)]
    number: u32,
    #[keyspace(key)]
    #[serde(skip_serializing, skip_deserializing)]
    color: Box<str>,
    stock: u64,
}

#[tokio::test]
async fn of_several_key_fields_those_are_filled_in_that_are_not_stored() {
    let backend = MemoryBackend::new();
    let part = || Part {
        shop: "süd:1".into(),
        number: 7,
        color: "red".into(),
        stock: 3,
    };
    part().save(&backend).await.unwrap();
    let read = Part::get(&backend, Cow::from("süd:1"), 7, "red").await;
    assert_eq!(read.unwrap(), Some(part()));
    // The number is stored, and compared.
    let stored = backend
        .get_stored(&part().entry_key())
        .await
        .unwrap()
        .unwrap();
    let other = Part::key(Cow::from("süd:1"), 8, "red");
    let bytes = Write::new(Life::Never);
    backend
        .write(&other, stored.as_bytes(), bytes)
        .await
        .unwrap();
    let read = Part::get(&backend, Cow::from("süd:1"), 8, "red").await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Decode);
}

/// The form that serde writes and reads in place of an entry. It holds no id.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Text {
    text: String,
}

macro_rules! lossy {
    ($name:ident, $($word:tt)*) => {
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
        #[keyspace(ttl = "1m", shared, $($word)*)]
        #[serde(from = "Text", into = "Text")]
        struct $name {
            #[keyspace(key)]
            id: String,
            text: String,
        }

        impl From<Text> for $name {
            fn from(text: Text) -> Self {
                let (id, text) = (String::new(), text.text);
                Self { id, text }
            }
        }

        impl From<$name> for Text {
            fn from(lossy: $name) -> Self {
                Self { text: lossy.text }
            }
        }

        impl $name {
            fn ann() -> Self {
                let (id, text) = ("ann".to_string(), "one".to_string());
                Self { id, text }
            }
        }
    };
}

lossy!(Lossy, prefix = "lossy");
lossy!(LossyJson, prefix = "lossy-json", codec = Json);
lossy!(LossyPostcard, prefix = "lossy-postcard", codec = Postcard);
lossy!(LossySliding, prefix = "lossy-sliding", sliding);
lossy!(Lenient, prefix = "lenient", on_decode_error = "miss");

fn is_refused<T: std::fmt::Debug>(read: BackendResult<T>) {
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Decode);
}

macro_rules! refuses {
    ($($test:ident: $name:ident)*) => {
        $(#[tokio::test]
        async fn $test() {
            let backend = MemoryBackend::new();
            $name::ann().save(&backend).await.unwrap();
            is_refused($name::get(&backend, "ann").await);
            is_refused($name::get_shared(&backend, "ann").await);
            is_refused($name::get_shared(&backend, "ann").await);
            is_refused($name::get_many(&backend, ["bob", "ann"]).await);
            is_refused($name::update(&backend, "ann", |_| panic!("it isn't Ann's")).await);
            is_refused($name::scan(&backend).try_next().await);
            assert!($name::exists(&backend, "ann").await.unwrap());
            is_refused($name::take(&backend, "ann").await);
            assert!(!$name::exists(&backend, "ann").await.unwrap());
        })*
    };
}

refuses! {
    an_entry_that_loses_its_key_is_refused: Lossy
    an_entry_that_loses_its_key_in_json_is_refused: LossyJson
    an_entry_that_loses_its_key_in_postcard_is_refused: LossyPostcard
    a_sliding_entry_that_loses_its_key_is_refused: LossySliding
}

#[tokio::test]
async fn an_entry_that_loses_its_key_is_a_miss_where_that_is_declared() {
    let backend = MemoryBackend::new();
    Lenient::ann().save(&backend).await.unwrap();
    assert_eq!(Lenient::get(&backend, "ann").await.unwrap(), None);
    assert_eq!(Lenient::get_shared(&backend, "ann").await.unwrap(), None);
    let many = Lenient::get_many(&backend, ["ann"]).await.unwrap();
    assert_eq!(many, [None]);
    let all: Vec<Lenient> = Lenient::scan(&backend).try_collect().await.unwrap();
    assert_eq!(all, []);
    assert_eq!(Lenient::take(&backend, "ann").await.unwrap(), None);
}

/// The older version of [`NoteV2`].
#[derive(Debug, Clone, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "moving-note", ttl = "1m")]
struct NoteV1 {
    #[keyspace(key)]
    #[serde(skip)]
    id: String,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "moving-note", version = 2, ttl = "1m", migrates = NoteV1)]
struct NoteV2 {
    #[keyspace(key, tag)]
    #[serde(skip)]
    id: String,
    lines: Vec<String>,
}

impl From<NoteV1> for NoteV2 {
    fn from(note: NoteV1) -> Self {
        // A conversion that knows the key depends on it.
        assert!(!note.id.is_empty(), "the older version is filled in first");
        let id = match note.text.as_str() {
            "renamed" => "another".to_string(),
            _ => note.id,
        };
        let lines = vec![note.text];
        Self { id, lines }
    }
}

#[tokio::test]
async fn a_migrated_entry_keeps_its_key_or_is_refused() {
    let backend = MemoryBackend::new();
    let older = |id: &str, text: &str| NoteV1 {
        id: id.to_string(),
        text: text.to_string(),
    };
    older("a:b", "one").save(&backend).await.unwrap();
    let expected = NoteV2 {
        id: "a:b".to_string(),
        lines: vec!["one".to_string()],
    };
    let read = NoteV2::get(&backend, "a:b").await.unwrap();
    assert_eq!(read.as_ref(), Some(&expected));
    let all: Vec<NoteV2> = NoteV2::scan(&backend).try_collect().await.unwrap();
    assert_eq!(all, [expected]);
    older("ann", "renamed").save(&backend).await.unwrap();
    is_refused(NoteV2::get(&backend, "ann").await);
    is_refused(NoteV2::get_many(&backend, ["ann"]).await);
}

/// Two keys whose segments run into each other if they are compared without the separators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "pair", ttl = "1m")]
struct Pair {
    #[keyspace(key)]
    a: String,
    #[keyspace(key)]
    b: String,
}

#[tokio::test]
async fn a_key_is_compared_segment_by_segment() {
    let texts = ["", "a", "ab", "b", "a:b", ":", "%", "%3A", "ü", "{a}"];
    let pairs = texts
        .iter()
        .flat_map(|a| texts.iter().map(move |b| (*a, *b)));
    let backend = MemoryBackend::new();
    let pair = |(a, b): (&str, &str)| Pair {
        a: a.to_string(),
        b: b.to_string(),
    };
    for stored in pairs.clone() {
        for (a, b) in pairs.clone() {
            let key = Pair::key(a, b);
            backend.set(&key, pair(stored), None).await.unwrap();
            match Pair::get(&backend, a, b).await {
                Ok(read) => assert_eq!(read, Some(pair((a, b)))),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Decode);
                    assert_ne!(stored, (a, b));
                }
            }
        }
    }
}

#[tokio::test]
async fn the_error_shows_neither_key_nor_value() {
    let backend = MemoryBackend::new();
    let secret = Pair {
        a: "topsecret".to_string(),
        b: "hidden".to_string(),
    };
    let key = Pair::key("asked", "for");
    backend.set(&key, secret, None).await.unwrap();
    let error = Pair::get(&backend, "asked", "for").await.unwrap_err();
    let text = format!("{error} {error:?}");
    for part in ["topsecret", "hidden", "asked"] {
        assert!(!text.contains(part), "{text}");
    }
}
