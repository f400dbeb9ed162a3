//! Structs among names that are trouble for generated code; the module is compiled with every lint
//! on.
#![deny(warnings, missing_docs, unused_qualifications, unreachable_pub)]
#![deny(
    unused_lifetimes,
    unused_results,
    single_use_lifetimes,
    unused_import_braces
)]
#![deny(clippy::all, clippy::pedantic)]

use std::time::Duration;

use futures::TryStreamExt;
use reinhardt_backends::keyspace::KeySegment;
use reinhardt_backends::{BackendError, BackendResult, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "colliding", ttl = "1m")]
struct Colliding {
    #[keyspace(key)]
    backend: u8,
    #[keyspace(key)]
    change: u8,
    #[keyspace(key)]
    key: u8,
    #[keyspace(key)]
    keys: u8,
    #[keyspace(key)]
    ttl: u8,
    #[keyspace(key)]
    value: u8,
    #[keyspace(key)]
    r#type: u8,
    #[keyspace(key)]
    __backend: u8,
    count: u32,
}

#[derive(Keyspace)]
#[keyspace(prefix = "colliding.value", ttl = "1m", value = String)]
struct CollidingValue {
    backend: u8,
    value: u8,
    ttl: u8,
    compute: u8,
    change: u8,
    r#fn: u8,
}

#[derive(Keyspace)]
#[keyspace(prefix = "colliding.counter", ttl = "1m", counter)]
struct CollidingCounter {
    backend: u8,
    delta: u8,
}

#[tokio::test]
async fn key_fields_are_called_what_parameters_are_called() {
    let backend = MemoryBackend::new();
    let entry = Colliding {
        backend: 1,
        change: 2,
        key: 3,
        keys: 4,
        ttl: 5,
        value: 6,
        r#type: 7,
        __backend: 8,
        count: 0,
    };
    entry.save(&backend).await.unwrap();
    assert_eq!(
        &*Colliding::key(1, 2, 3, 4, 5, 6, 7, 8),
        "colliding:1:2:3:4:5:6:7:8"
    );
    let updated = Colliding::update(&backend, 1, 2, 3, 4, 5, 6, 7, 8, |it| it.count += 1);
    assert_eq!(updated.await.unwrap().unwrap().count, 1);
    let many = Colliding::get_many(&backend, [(1, 2, 3, 4, 5, 6, 7, 8)]);
    assert!(many.await.unwrap()[0].is_some());
    let value = CollidingValue {
        backend: 1,
        value: 2,
        ttl: 3,
        compute: 4,
        change: 5,
        r#fn: 6,
    };
    let second = Duration::from_secs(1);
    value.set_for(&backend, "x", second).await.unwrap();
    assert_eq!(&*value.key(), "colliding.value:1:2:3:4:5:6");
    assert_eq!(CollidingValue::at(1, 2, 3, 4, 5, 6).key(), value.key());
    let counter = CollidingCounter {
        backend: 1,
        delta: 2,
    };
    assert_eq!(counter.increment_by(&backend, 3).await.unwrap(), 3);
}

#[derive(Debug, Serialize, Deserialize, Keyspace)]
#[keyspace(
    prefix = "colliding.more",
    ttl = "1m",
    sliding,
    jitter = "5%",
    on_decode_error = "miss"
)]
struct CollidingMore {
    #[keyspace(key)]
    leading: u8,
    #[keyspace(key, tag)]
    entries: u8,
    #[keyspace(key)]
    insert: u8,
    #[keyspace(key)]
    keys: u8,
    #[keyspace(key)]
    change: u8,
    #[keyspace(key)]
    __insert: u8,
    scan: u8,
}

#[derive(Debug, PartialEq, Keyspace)]
#[keyspace(prefix = "colliding.more.value", ttl = "1m", value = u8, codec = Postcard)]
struct CollidingMoreValue {
    leading: u8,
    entries: u8,
    insert: u8,
    keys: u8,
    change: u8,
    __value: u8,
}

#[derive(Debug, PartialEq, Keyspace)]
#[keyspace(prefix = "colliding.more.counter", ttl = "1m", counter)]
struct CollidingMoreCounter {
    #[keyspace(tag)]
    leading: u8,
    keys: u8,
    __value: u8,
}

#[tokio::test]
async fn key_fields_are_called_what_parameters_of_all_accessors_are_called() {
    let backend = MemoryBackend::new();
    let entry = || CollidingMore {
        leading: 1,
        entries: 2,
        insert: 3,
        keys: 4,
        change: 5,
        __insert: 6,
        scan: 0,
    };
    CollidingMore::save_many(&backend, [entry()]).await.unwrap();
    let changed =
        CollidingMore::update_or_insert_with(&backend, 1, 2, 3, 4, 5, 6, |it| it.scan += 1, entry);
    assert_eq!(changed.await.unwrap().scan, 1);
    let changed = CollidingMore::try_update(&backend, 1, 2, 3, 4, 5, 6, |it| {
        it.scan += 1;
        Ok::<_, BackendError>(())
    });
    assert_eq!(changed.await.unwrap().unwrap().scan, 2);
    let under = CollidingMore::scan_under(&backend, (1, 2));
    assert_eq!(under.try_collect::<Vec<_>>().await.unwrap().len(), 1);
    let cleared = CollidingMore::clear_under(&backend, 1);
    assert_eq!(cleared.await.unwrap(), 1);
    let removed = CollidingMore::delete_many(&backend, [(1, 2, 3, 4, 5, 6)]);
    assert_eq!(removed.await.unwrap(), 0);
}

#[tokio::test]
async fn key_fields_of_values_are_called_what_parameters_of_all_accessors_are_called() {
    let backend = MemoryBackend::new();
    let value = || CollidingMoreValue {
        leading: 1,
        entries: 2,
        insert: 3,
        keys: 4,
        change: 5,
        __value: 6,
    };
    let set = CollidingMoreValue::set_many(&backend, [(value(), 7)]);
    set.await.unwrap();
    let many = CollidingMoreValue::get_many(&backend, [value()]);
    assert_eq!(many.await.unwrap(), [Some(7)]);
    let all = CollidingMoreValue::scan(&backend);
    assert_eq!(all.try_collect::<Vec<_>>().await.unwrap(), [(value(), 7)]);
    let changed = value().try_update_or_insert_with(
        &backend,
        |it| {
            *it += 1;
            Ok::<_, BackendError>(())
        },
        || Ok(0),
    );
    assert_eq!(changed.await.unwrap(), 8);
    let removed = CollidingMoreValue::delete_many(&backend, [value()]);
    assert_eq!(removed.await.unwrap(), 1);
    let counter = || CollidingMoreCounter {
        leading: 1,
        keys: 2,
        __value: 3,
    };
    let _sum = counter().increment(&backend).await.unwrap();
    let all = CollidingMoreCounter::scan_under(&backend, 1);
    assert_eq!(all.try_collect::<Vec<_>>().await.unwrap(), [(counter(), 1)]);
}

#[test]
fn the_name_of_a_raw_field_is_without_its_mark() {
    assert_eq!(Colliding::INFO.key_fields[6], "type");
    assert_eq!(CollidingValue::INFO.key_fields[5], "fn");
}

#[no_implicit_prelude]
mod without_prelude {
    #[derive(::serde::Serialize, ::serde::Deserialize, ::reinhardt_backends::Keyspace)]
    #[keyspace(prefix = "bare", ttl = "1m")]
    pub(super) struct Bare {
        #[keyspace(key)]
        pub(super) id: u8,
    }

    #[derive(::reinhardt_backends::Keyspace)]
    #[keyspace(prefix = "bare.counter", ttl = never, counter)]
    pub(super) struct BareCounter<'a> {
        pub(super) id: &'a str,
    }

    #[derive(::reinhardt_backends::Keyspace)]
    #[keyspace(prefix = "bare.value", ttl = "1m", value = u8)]
    pub(super) struct BareValue;

    #[derive(::serde::Serialize, ::serde::Deserialize, ::reinhardt_backends::Keyspace)]
    #[keyspace(
        prefix = "bare",
        ttl = "1m",
        version = 2,
        migrates = Bare,
        codec = Json,
        sliding,
        jitter = "1%",
        on_decode_error = "miss"
    )]
    pub(super) struct BareV2 {
        #[keyspace(key, tag)]
        pub(super) id: u8,
        pub(super) region: Region,
    }

    impl ::std::convert::From<Bare> for BareV2 {
        fn from(bare: Bare) -> Self {
            Self {
                id: bare.id,
                region: Region::Europe,
            }
        }
    }

    #[derive(::reinhardt_backends::Keyspace)]
    #[keyspace(prefix = "bare.value", ttl = "1m", value = u16, version = 2, migrates = BareValue, codec = Postcard)]
    pub(super) struct BareValueV2;

    #[derive(
        ::serde::Serialize, ::serde::Deserialize, ::reinhardt_backends::keyspace::KeySegment,
    )]
    pub(super) enum Region {
        #[keyspace(rename = "eu")]
        Europe,
        America,
    }

    #[derive(::reinhardt_backends::keyspace::KeySegment)]
    pub(super) struct UserId(pub(super) u64);

    #[derive(::reinhardt_backends::keyspace::KeySegment)]
    #[keyspace(display)]
    pub(super) struct Port(u16);

    impl ::core::fmt::Display for Port {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            self.0.fmt(f)
        }
    }

    impl ::core::str::FromStr for Port {
        type Err = ::core::num::ParseIntError;

        fn from_str(text: &str) -> ::core::result::Result<Self, Self::Err> {
            ::core::result::Result::Ok(Self(text.parse()?))
        }
    }

    #[derive(::reinhardt_backends::Keyspace)]
    #[keyspace(prefix = "bare.segments", ttl = "1m", counter)]
    pub(super) struct BareSegments {
        pub(super) region: Region,
        pub(super) user: UserId,
        pub(super) port: Port,
    }

    pub(super) fn segments() -> BareSegments {
        BareSegments {
            region: Region::America,
            user: UserId(7),
            port: Port(80),
        }
    }
}

#[tokio::test]
async fn a_module_without_a_prelude() {
    use without_prelude::{Bare, BareCounter, BareV2, BareValue, BareValueV2, Region, segments};
    let backend = MemoryBackend::new();
    Bare { id: 7 }.save(&backend).await.unwrap();
    assert_eq!(Bare::get(&backend, 7).await.unwrap().unwrap().id, 7);
    assert_eq!(
        BareCounter { id: "x" }.increment(&backend).await.unwrap(),
        1
    );
    BareValue.set(&backend, 7).await.unwrap();
    assert_eq!(BareValueV2.get(&backend).await.unwrap(), Some(7));
    let migrated = BareV2::get(&backend, 7).await.unwrap().unwrap();
    assert!(matches!(migrated.region, Region::Europe));
    assert_eq!(segments().increment(&backend).await.unwrap(), 1);
    assert_eq!(&*segments().key(), "bare.segments:America:7:80");
    assert_eq!(BareCounter::at("x").get(&backend).await.unwrap(), 1);
    assert_eq!(BareValue::at().get(&backend).await.unwrap(), Some(7));
}

#[allow(dead_code, non_camel_case_types)]
mod shadowed {
    pub(super) struct Option;
    pub(super) struct Result;
    pub(super) struct Vec;
    pub(super) struct Box;
    pub(super) struct Key;
    pub(super) struct Duration;
    pub(super) struct B;
    pub(super) struct K0;
    pub(super) struct bool;
    pub(super) struct i64;
    pub(super) struct u64;
    pub(super) struct str;
    pub(super) trait Send {}
    pub(super) trait Sized {}
    pub(super) trait Future {}
    pub(super) trait Stream {}
    pub(super) trait FnMut {}
    pub(super) trait IntoIterator {}
    pub(super) trait Backend {}
    pub(super) trait Keyspace {}
    pub(super) trait From {}
    pub(super) trait Iterator {}
    pub(super) trait Borrow {}
    pub(super) trait KeySegment {}
    pub(super) trait Codec {}
    pub(super) struct Some;
    pub(super) struct None;
    pub(super) struct Json;
    pub(super) struct Cbor;
    pub(super) struct Leading;
    pub(super) struct Location;
    pub(super) struct Registration;
    pub(super) struct usize;
    pub(super) struct u8;
    pub(super) mod core {}
    pub(super) mod std {}
    pub(super) mod reinhardt_backends {}

    #[derive(Clone, ::serde::Serialize, ::serde::Deserialize)]
    pub(super) struct String(pub(super) ::core::primitive::u8);

    impl ::reinhardt_backends::keyspace::KeySegment for String {
        type Owned = Self;
        fn write(&self, segment: &mut ::reinhardt_backends::keyspace::SegmentWriter<'_>) {
            segment.display(self.0);
        }
        fn parse(text: &::core::primitive::str) -> ::core::option::Option<Self> {
            text.parse().ok().map(Self)
        }
    }

    #[derive(::reinhardt_backends::Keyspace)]
    #[keyspace(prefix = "shadowed.counter", ttl = "1m", counter)]
    pub(super) struct Counter {
        pub(super) id: String,
    }

    #[derive(::reinhardt_backends::Keyspace)]
    #[keyspace(prefix = "shadowed.value", ttl = "1m", value = String)]
    pub(super) struct Value<'a> {
        pub(super) id: &'a String,
    }

    #[derive(::reinhardt_backends::Keyspace)]
    #[keyspace(
        prefix = "shadowed.value",
        ttl = "1m",
        value = Number,
        version = 2,
        migrates = Value<'static>,
        codec = Json,
        sliding,
        jitter = "1%",
        on_decode_error = "miss"
    )]
    pub(super) struct ValueV2 {
        #[keyspace(tag)]
        pub(super) id: String,
    }

    #[derive(PartialEq, Debug, ::serde::Serialize, ::serde::Deserialize)]
    pub(super) struct Number(pub(super) ::core::primitive::u64);

    impl ::core::convert::From<String> for Number {
        fn from(text: String) -> Self {
            Self(text.0.into())
        }
    }

    #[derive(::reinhardt_backends::keyspace::KeySegment)]
    pub(super) struct Segment(pub(super) String);

    #[derive(::reinhardt_backends::keyspace::KeySegment)]
    pub(super) enum Region {
        None,
        #[keyspace(rename = "Option")]
        Some,
    }

    #[derive(::reinhardt_backends::Keyspace)]
    #[keyspace(prefix = "shadowed.segments", ttl = never, counter)]
    pub(super) struct Segments {
        pub(super) id: Segment,
        pub(super) region: Region,
    }
}

mod shadowed_entry {
    use super::shadowed::String;

    #[allow(dead_code)]
    mod names {
        pub(super) struct Option;
        pub(super) struct Vec;
        pub(super) struct B;
    }
    #[allow(unused_imports)]
    use names::{B, Vec};

    #[derive(serde::Serialize, serde::Deserialize, reinhardt_backends::Keyspace)]
    #[keyspace(prefix = "shadowed.entry", ttl = "1m")]
    pub(super) struct Entry {
        #[keyspace(key)]
        pub(super) id: String,
    }
}

#[tokio::test]
async fn types_of_the_user_are_called_what_types_of_std_are_called() {
    use shadowed::{Counter, Number, Region, Segment, Segments, String, Value, ValueV2};
    let backend = MemoryBackend::new();
    let counter = Counter::at(String(7));
    assert_eq!(counter.increment(&backend).await.unwrap(), 1);
    let value = Value { id: &String(7) };
    value.set(&backend, String(8)).await.unwrap();
    assert_eq!(value.get(&backend).await.unwrap().unwrap().0, 8);
    let newer = ValueV2 { id: String(7) };
    assert_eq!(newer.get(&backend).await.unwrap(), Some(Number(8)));
    let segments = Segments {
        id: Segment(String(7)),
        region: Region::Some,
    };
    assert_eq!(segments.increment(&backend).await.unwrap(), 1);
    assert_eq!(&*segments.key(), "shadowed.segments:7:Option");
    let cleared = Segments::clear_under(&backend, Segment(String(7)));
    assert_eq!(cleared.await.unwrap(), 1);
    let entry = shadowed_entry::Entry { id: String(9) };
    entry.save(&backend).await.unwrap();
    let got = shadowed_entry::Entry::get(&backend, String(9)).await;
    assert_eq!(got.unwrap().unwrap().id.0, 9);
}

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

mod codec_of_another_crate {
    use reinhardt_backends::Keyspace;

    /// As of a web framework.
    #[allow(dead_code)]
    pub(super) struct Json<T>(pub(super) T);

    #[derive(Keyspace)]
    #[keyspace(prefix = "web", ttl = "1m", value = Vec<u8>, codec = Json)]
    pub(super) struct Web;
}

#[tokio::test]
async fn a_codec_goes_by_its_name_whatever_else_has_it() {
    use reinhardt_backends::Backend;

    let backend = MemoryBackend::new();
    codec_of_another_crate::Web
        .set(&backend, vec![1, 2])
        .await
        .unwrap();
    assert_eq!(codec_of_another_crate::Web::INFO.codec, "json");
    assert_eq!(codec_of_another_crate::Json(7).0, 7);
    assert!(backend.exists("web:").await.unwrap());
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
