//! Types may be called what types of std and codecs are called, and a module may have no prelude.

use reinhardt_backends::{Keyspace, MemoryBackend};

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
        on_decode_error = "miss",
        on_unavailable = "miss"
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
        on_decode_error = "miss",
        on_unavailable = "miss"
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
