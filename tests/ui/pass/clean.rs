//! Generated code trips no lint of a strict crate.
#![deny(warnings, missing_docs, unused_qualifications, unreachable_pub, rust_2018_idioms)]
#![deny(missing_debug_implementations, unused_lifetimes, unused_results)]
#![forbid(unsafe_code)]

use reinhardt_backends::Keyspace;
use serde::{Deserialize, Serialize};

/// An entry.
#[derive(Debug, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
pub struct Session {
    /// Its key.
    #[keyspace(key)]
    pub id: String,
    /// And more of it.
    #[keyspace(key)]
    pub user: u64,
}

/// A counter.
#[derive(Debug, Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter)]
pub struct Hits<'a> {
    /// Its key.
    pub route: &'a str,
}

/// A page.
#[derive(Debug, Keyspace)]
#[keyspace(prefix = "page", ttl = never, value = Vec<u8>)]
pub struct Page<'a> {
    /// Its key.
    pub path: &'a str,
}

mod inner {
    use reinhardt_backends::Keyspace;

    #[derive(Keyspace)]
    #[keyspace(prefix = "inner", ttl = "1m", counter)]
    pub(crate) struct Inner;

    #[derive(Keyspace)]
    #[keyspace(prefix = "private", ttl = "1m", value = u8)]
    struct Private {}

    pub(crate) fn keys() -> [String; 2] {
        [Inner.key().to_string(), Private {}.key().to_string()]
    }
}

fn main() {
    assert_eq!(inner::keys(), ["inner:", "private:"]);
}
