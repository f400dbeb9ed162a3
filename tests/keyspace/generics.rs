//! Keyspaces may have parameters of their own, and constants in their prefix.

use std::borrow::Cow;
use std::marker::PhantomData;

use reinhardt_backends::keyspace::{KeySegment, SegmentWriter};
use reinhardt_backends::{BackendError, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

/// The name that tells the types of a generic keyspace apart.
trait Named {
    const NAME: &'static str;
}

impl Named for u8 {
    const NAME: &'static str = "u8";
}

impl Named for u16 {
    const NAME: &'static str = "u16";
}

impl Named for str {
    const NAME: &'static str = "str";
}

struct Shard<const SHARD: usize>;

impl Named for Shard<3> {
    const NAME: &'static str = "3";
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = ["cached", T::NAME], ttl = "1m")]
struct Cached<T: Named> {
    #[keyspace(key)]
    id: String,
    value: T,
}

#[derive(Keyspace)]
#[keyspace(prefix = ["by", K::NAME, <Shard<SHARD> as Named>::NAME], ttl = "1m", counter, version = 2)]
struct By<K: Clone + Named, const SHARD: usize>
where
    Shard<SHARD>: Named,
{
    key: K,
}

#[derive(Keyspace)]
#[keyspace(prefix = ["of", <O as Named>::NAME, "by", V::NAME], ttl = "1m", value = Vec<V>)]
struct Of<'a, O: Named + ?Sized + 'static, V>
where
    V: Named + Serialize + for<'de> Deserialize<'de> + 'static,
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
    assert_eq!(&*by.key(), "by.u16.3@2:9");
    assert_eq!(By::<u16, 3>::parse_key("by.u16.3@2:9"), Some(9));
    assert_eq!(By::<u8, 3>::parse_key("by.u16.3@2:9"), None);
    assert_eq!(By::<u16, 3>::INFO.prefix, "by.u16.3");
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
    assert_eq!(&*of.key(), "of.str.by.u8:me:");
}

#[tokio::test]
async fn two_types_of_one_generic_keyspace_have_their_own_keys() {
    let backend = MemoryBackend::new();
    let cached = Cached {
        id: "a".to_string(),
        value: 7_u8,
    };
    cached.save(&backend).await.unwrap();
    assert_eq!(Cached::<u16>::get(&backend, "a").await.unwrap(), None);
    assert_eq!(&*Cached::<u16>::key("a"), "cached.u16:a");
    assert_eq!(Cached::<u16>::clear(&backend).await.unwrap(), 0);
    assert_eq!(Cached::<u8>::clear(&backend).await.unwrap(), 1);
}

const REGION: &str = "eu-1";

#[tokio::test]
async fn a_prefix_of_constants_without_parameters() {
    #[derive(Keyspace)]
    #[keyspace(prefix = ["visits", REGION, "by", Self::DAY], ttl = "1m", counter)]
    struct Visits;

    impl Visits {
        const DAY: &'static str = "day";
    }

    #[derive(Keyspace)]
    #[keyspace(prefix = ["one", "two.three"], ttl = "1m", counter)]
    struct Texts;

    let backend = MemoryBackend::new();
    assert_eq!(Visits.increment(&backend).await.unwrap(), 1);
    assert_eq!(&*Visits.key(), "visits.eu-1.by.day:");
    let listed = reinhardt_backends::keyspaces();
    let mut prefixes = listed.iter().map(|info| info.prefix);
    assert!(prefixes.any(|prefix| prefix == "visits.eu-1.by.day"));
    assert_eq!(&*Texts.key(), "one.two.three:");
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
