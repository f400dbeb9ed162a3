//! A user of `reinhardt-backends` that knows it as `store` only, and has every lint on that a user
//! may have.
#![deny(
    warnings,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    rust_2018_idioms
)]
#![deny(missing_debug_implementations, unnameable_types, single_use_lifetimes)]
#![deny(
    unused_lifetimes,
    unused_results,
    unused_import_braces,
    unused_extern_crates
)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery)]

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
pub use store;
use store::Keyspace;
use store::keyspace::KeySegment;

/// An entry as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m", crate = store)]
pub struct SessionV1 {
    /// Names the entry.
    #[keyspace(key, tag)]
    pub id: UserId,
}

/// The present version of the entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m", version = 2, migrates = SessionV1, codec = Json)]
#[keyspace(
    sliding,
    jitter = "10%",
    on_decode_error = "miss",
    on_unavailable = "miss"
)]
#[keyspace(crate = store)]
pub struct Session {
    /// Names the entry.
    #[keyspace(key, tag)]
    pub id: UserId,
    /// A field that the older version didn't have.
    pub region: Region,
}

impl From<SessionV1> for Session {
    fn from(older: SessionV1) -> Self {
        Self {
            id: older.id,
            region: Region::Europe,
        }
    }
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq, Keyspace)]
#[keyspace(prefix = "page", ttl = never, value = String, codec = Postcard, crate = ::store)]
pub struct Page<'a> {
    /// Where.
    pub region: Region,
    /// Which.
    pub path: &'a str,
}

/// A counter.
#[derive(Debug, Clone, PartialEq, Eq, Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter, crate = store)]
pub struct Hits {
    /// Where.
    pub region: Region,
    /// At what size.
    pub size: Size,
}

/// A newtype in keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, KeySegment)]
#[keyspace(crate = store)]
pub struct UserId(pub u64);

/// An enumeration in keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, KeySegment)]
#[keyspace(crate = store)]
pub enum Region {
    /// There.
    #[keyspace(rename = "eu")]
    Europe,
    /// Here.
    #[keyspace(rename = "us")]
    America,
}

/// A type in keys that is written as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, KeySegment)]
#[keyspace(display, crate = store)]
pub struct Size {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl FromStr for Size {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        let (width, height) = text.split_once('x').unwrap_or((text, ""));
        Ok(Self {
            width: width.parse()?,
            height: height.parse()?,
        })
    }
}

/// Declares a keyspace of each kind, and a part of their keys, in crates that need not know
/// `reinhardt-backends`.
#[macro_export]
macro_rules! keyspaces {
    ($prefix:literal, $ttl:expr, $id:ident($inner:ty), $older:ident, $value:ident: $ty:ty as $codec:ty, $counter:ident) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, $crate::store::keyspace::KeySegment)]
        #[keyspace(crate = $crate::store)]
        struct $id($inner);

        #[derive($crate::store::Keyspace)]
        #[keyspace(prefix = $prefix, ttl = $ttl, value = $ty, crate = $crate::store)]
        struct $older {
            id: $id,
        }

        #[derive($crate::store::Keyspace)]
        #[keyspace(prefix = $prefix, ttl = $ttl, value = $ty, codec = $codec, crate = $crate::store)]
        #[keyspace(version = 2, migrates = $older)]
        struct $value {
            #[keyspace(tag)]
            id: $id,
        }

        #[derive($crate::store::Keyspace)]
        #[keyspace(prefix = $prefix, ttl = $ttl, counter, version = 3, crate = $crate::store)]
        struct $counter {
            id: $id,
        }
    };
}
