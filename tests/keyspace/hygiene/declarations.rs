//! Keyspaces may be declared in functions and by macros, with parameters and documentation of every
//! kind.

use reinhardt_backends::keyspace::KeySegment;
use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

#[tokio::test]
async fn a_struct_inside_of_a_function() {
    #[derive(Keyspace)]
    #[keyspace(prefix = "local", ttl = "1m", counter)]
    struct Local;

    #[derive(Debug, PartialEq, Serialize, Deserialize, Keyspace)]
    #[keyspace(prefix = "local.entry", ttl = "1m", sliding, codec = Json)]
    struct LocalEntry {
        #[keyspace(key)]
        id: LocalId,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize, KeySegment)]
    struct LocalId(u8);

    let backend = MemoryBackend::new();
    assert_eq!(Local.increment(&backend).await.unwrap(), 1);
    let entry = LocalEntry { id: LocalId(7) };
    entry.save(&backend).await.unwrap();
    let got = LocalEntry::get(&backend, LocalId(7)).await.unwrap();
    assert_eq!(got, Some(entry));
    let registered = reinhardt_backends::keyspaces();
    assert!(registered.iter().any(|it| it.prefix == "local.entry"));
}

#[derive(Keyspace)]
#[keyspace(prefix = "parameters", ttl = "1m", value = [T; N], sliding, jitter = "5%", codec = Json)]
struct Parameters<'a, K: 'static, T, const N: usize>
where
    [T; N]: Serialize + serde::de::DeserializeOwned,
{
    key: &'a K,
    shape: Shape<T>,
}

struct Shape<T>(std::marker::PhantomData<fn() -> T>);

impl<T> KeySegment for Shape<T> {
    type Owned = Self;

    fn write(&self, _segment: &mut reinhardt_backends::keyspace::SegmentWriter<'_>) {}

    fn parse(text: &str) -> Option<Self> {
        text.is_empty().then_some(Self(std::marker::PhantomData))
    }
}

#[derive(Clone, KeySegment)]
struct Wrapped<T>(T);

#[tokio::test]
async fn parameters_of_all_kinds_with_all_words() {
    let backend = MemoryBackend::new();
    let key = Wrapped(7_u8);
    let parameters = Parameters::<_, u8, 3>::at(&key, Shape(std::marker::PhantomData));
    parameters.set(&backend, [1, 2, 3]).await.unwrap();
    assert_eq!(parameters.get(&backend).await.unwrap(), Some([1, 2, 3]));
    let cleared = Parameters::<Wrapped<u8>, u8, 3>::clear_under(&backend, &key);
    assert_eq!(cleared.await.unwrap(), 1);
}

macro_rules! keyspaces_of {
    ($($name:ident $older:ident $field:ident: $ty:ty = $value:ty, $codec:ty, $prefix:literal $version:literal;)*) => {
        $(#[derive(Keyspace)]
        #[keyspace(prefix = $prefix, ttl = "1m", value = $value)]
        struct $older {
            $field: $ty,
        }

        #[derive(Keyspace)]
        #[keyspace(prefix = $prefix, ttl = "1m", value = $value, version = $version, migrates = $older, codec = $codec)]
        struct $name {
            #[keyspace(tag)]
            $field: $ty,
        })*
    };
}

keyspaces_of! {
    MadeV2 Made id: String = Vec<u8>, Json, "made" 2;
    MadeRaw3 MadeRaw r#type: u8 = u64, reinhardt_backends::codec::Postcard, "made.raw" 3;
}

#[tokio::test]
async fn a_macro_passes_all_words_on() -> BackendResult<()> {
    let backend = MemoryBackend::new();
    let id = || "x".to_string();
    Made { id: id() }.set(&backend, vec![7]).await?;
    assert_eq!(MadeV2::at("x").get(&backend).await?, Some(vec![7]));
    assert_eq!(MadeV2::INFO.codec, "json");
    MadeRaw { r#type: 1 }.set(&backend, 2).await?;
    assert_eq!(MadeRaw3::at(1).get(&backend).await?, Some(2));
    Ok(())
}

/// Odd docs: "quotes", `{braces}`, <b>, \\, \" and #.
#[doc = r##"Raw "#" text"##]
#[derive(Keyspace)]
#[keyspace(prefix = "odd.docs", ttl = "1m", counter)]
struct OddDocs {
    /// `*/ /* ü \u{0}`
    id: u8,
}

#[test]
fn odd_characters_in_docs() {
    assert_eq!(&*OddDocs { id: 7 }.key(), "odd.docs:7");
}
