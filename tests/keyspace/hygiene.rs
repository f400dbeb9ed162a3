//! Structs among names that are trouble for generated code; the module is compiled with every lint on.
#![deny(warnings, missing_docs, unused_qualifications, unreachable_pub)]
#![deny(clippy::all, clippy::pedantic)]

use std::time::Duration;

use reinhardt_backends::{Keyspace, MemoryBackend};
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
    let counter = CollidingCounter {
        backend: 1,
        delta: 2,
    };
    assert_eq!(counter.increment_by(&backend, 3).await.unwrap(), 3);
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
}

#[tokio::test]
async fn a_module_without_a_prelude() {
    use without_prelude::{Bare, BareCounter, BareValue};
    let backend = MemoryBackend::new();
    Bare { id: 7 }.save(&backend).await.unwrap();
    assert_eq!(Bare::get(&backend, 7).await.unwrap().unwrap().id, 7);
    assert_eq!(
        BareCounter { id: "x" }.increment(&backend).await.unwrap(),
        1
    );
    BareValue.set(&backend, 7).await.unwrap();
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
    pub(super) mod core {}
    pub(super) mod std {}
    pub(super) mod reinhardt_backends {}

    #[derive(Clone, ::serde::Serialize, ::serde::Deserialize)]
    pub(super) struct String(pub(super) u8);

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
    use shadowed::{Counter, String, Value};
    let backend = MemoryBackend::new();
    let counter = Counter { id: String(7) };
    assert_eq!(counter.increment(&backend).await.unwrap(), 1);
    let value = Value { id: &String(7) };
    value.set(&backend, String(8)).await.unwrap();
    assert_eq!(value.get(&backend).await.unwrap().unwrap().0, 8);
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
    assert_eq!(Local.increment(&MemoryBackend::new()).await.unwrap(), 1);
}
