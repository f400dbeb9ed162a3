//! Structs with parameters of their own.

use std::borrow::Cow;
use std::marker::PhantomData;

use reinhardt_backends::keyspace::{KeySegment, SegmentWriter};
use reinhardt_backends::{BackendError, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "cached", ttl = "1m")]
struct Cached<T> {
    #[keyspace(key)]
    id: String,
    value: T,
}

#[derive(Keyspace)]
#[keyspace(prefix = "by", ttl = "1m", counter)]
struct By<K: Clone, const SHARD: usize> {
    key: K,
}

#[derive(Keyspace)]
#[keyspace(prefix = "of", ttl = "1m", value = Vec<V>)]
struct Of<'a, O: ?Sized + 'static, V>
where
    V: Serialize + for<'de> Deserialize<'de> + 'static,
{
    owner: &'a O,
    kind: Kind<V>,
}

/// A segment without text.
struct Kind<V>(PhantomData<V>);

impl<V> KeySegment for Kind<V> {
    type Owned = Self;

    fn write(&self, _: &mut SegmentWriter<'_>) {}

    fn parse(text: &str) -> Option<Self> {
        text.is_empty().then_some(Self(PhantomData))
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "note", ttl = "1m")]
struct Note<'a> {
    #[keyspace(key)]
    id: Cow<'a, str>,
    text: Cow<'a, str>,
}

#[tokio::test]
async fn an_entry_with_a_type_parameter() {
    let backend = MemoryBackend::new();
    let cached = Cached {
        id: "a".to_string(),
        value: 7_u8,
    };
    cached.save(&backend).await.unwrap();
    let got = Cached::<u8>::get(&backend, "a").await.unwrap();
    assert_eq!(got, Some(cached));
    let updated = Cached::<u8>::update(&backend, "a", |cached| cached.value += 1);
    assert_eq!(updated.await.unwrap().unwrap().value, 8);
}

#[tokio::test]
async fn a_counter_with_a_parameter_in_its_key() {
    let backend = MemoryBackend::new();
    let by: By<u16, 3> = By { key: 9 };
    assert_eq!(by.increment(&backend).await.unwrap(), 1);
    assert_eq!(&*by.key(), "by:9");
    assert_eq!(By::<u16, 3>::parse_key("by:9"), Some(9));
}

#[tokio::test]
async fn a_value_with_a_type_parameter() {
    let backend = MemoryBackend::new();
    let of: Of<'_, str, u8> = Of {
        owner: &String::from("me"),
        kind: Kind(PhantomData),
    };
    of.set(&backend, vec![7]).await.unwrap();
    let updated = of.update(&backend, |values| values.push(8));
    assert_eq!(updated.await.unwrap(), Some(vec![7, 8]));
    assert_eq!(&*of.key(), "of:me:");
}

#[tokio::test]
async fn an_entry_that_may_borrow() {
    let backend = MemoryBackend::new();
    let text = String::from("hello");
    let note = Note {
        id: Cow::Borrowed("a"),
        text: Cow::Borrowed(&text),
    };
    note.save(&backend).await.unwrap();
    let id: Cow<'_, str> = Cow::Borrowed("a");
    let got: Note<'static> = Note::get(&backend, &id).await.unwrap().unwrap();
    assert_eq!(got, note);
}

#[tokio::test]
async fn a_segment_of_the_users_own() {
    #[derive(Debug, PartialEq)]
    struct UserId(u64);
    impl KeySegment for UserId {
        type Owned = Self;
        fn write(&self, segment: &mut SegmentWriter<'_>) {
            segment.display(self.0);
        }
        fn parse(text: &str) -> Option<Self> {
            text.parse().ok().map(Self)
        }
    }
    #[derive(Keyspace)]
    #[keyspace(prefix = "profile", ttl = "1m", value = String)]
    struct Profile {
        user: UserId,
    }
    let backend = MemoryBackend::new();
    let profile = Profile { user: UserId(7) };
    let made = profile.get_or_set_with(&backend, || async { Ok::<_, BackendError>(String::new()) });
    made.await.unwrap();
    assert_eq!(Profile::parse_key("profile:7"), Some(UserId(7)));
}
