//! Generated code trips no lint of a strict crate.
#![deny(
    warnings,
    missing_docs,
    unused_qualifications,
    unreachable_pub,
    rust_2018_idioms
)]
#![deny(
    missing_debug_implementations,
    unused_lifetimes,
    unused_results,
    unused_import_braces
)]
#![deny(
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unnameable_types
)]
#![deny(
    let_underscore_drop,
    macro_use_extern_crate,
    meta_variable_misuse,
    redundant_lifetimes
)]
#![deny(
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    non_ascii_idents
)]
#![forbid(unsafe_code)]

use std::time::Duration;

use reinhardt_backends::Keyspace;
use reinhardt_backends::keyspace::KeySegment;
use serde::{Deserialize, Serialize};

/// An entry.
#[derive(Debug, Serialize, Deserialize, Keyspace)]
#[keyspace(
    prefix = "session",
    ttl = "30m",
    sliding,
    jitter = "10%",
    on_decode_error = "miss",
    on_unavailable = "miss"
)]
pub struct Session {
    /// Its key.
    #[keyspace(key, tag)]
    pub id: String,
    /// And more of it.
    #[keyspace(key)]
    pub user: u64,
}

/// An entry of a newer version.
#[derive(Debug, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m", version = 2, migrates = Session, codec = Json)]
pub struct SessionV2 {
    /// Its key: `"quotes"`, {braces}, <b>, \, `, # and [a link that is none].
    #[keyspace(key, tag)]
    pub id: String,
    /// And more of it.
    #[keyspace(key)]
    pub user: u64,
    /// "\"# \u{0} ü */ /*
    pub name: Option<String>,
}

impl From<Session> for SessionV2 {
    fn from(Session { id, user }: Session) -> Self {
        Self {
            id,
            user,
            name: None,
        }
    }
}

/// A counter.
#[derive(Debug, Keyspace)]
#[keyspace(prefix = "hits", ttl = "1m", counter)]
pub struct Hits<'a> {
    /// Its key.
    pub route: &'a str,
}

/// The window of a counter.
pub const WINDOW: Duration = Duration::from_secs(60);

/// A counter of an owned key.
#[derive(Debug, Keyspace)]
#[keyspace(prefix = "owned.hits", ttl = WINDOW, counter, version = 3, crate = ::reinhardt_backends)]
pub struct OwnedHits {
    /// Where.
    #[keyspace(tag)]
    pub region: Region,
    /// Who.
    pub user: UserId,
    /// At what size.
    pub size: Size,
}

/// A page.
#[derive(Debug, Keyspace)]
#[keyspace(prefix = "page", ttl = never, value = Vec<u8>)]
pub struct Page<'a> {
    /// Its key.
    pub path: &'a str,
}

/// A keyspace that is computed once across processes.
#[derive(Debug, Clone, Copy, Keyspace)]
#[keyspace(prefix = "leased", ttl = never, value = u64, lease = "10s")]
pub struct Leased<'a> {
    /// A part of the key.
    pub path: &'a str,
}

/// A keyspace whose old values are served.
#[derive(Debug, Clone, Copy, Keyspace)]
#[keyspace(prefix = "stale", ttl = "1m", value = Vec<u8>, lease = WINDOW, stale = WINDOW)]
pub struct Stale<'a> {
    /// A part of the key.
    pub path: &'a str,
}

/// A page of a newer version.
#[derive(Debug, Keyspace)]
#[keyspace(prefix = "page", ttl = "1h", value = Html, version = 2, migrates = Page<'static>, codec = Postcard)]
pub struct PageV2 {
    /// Its key.
    pub path: String,
}

/// What a page holds.
#[derive(Debug, Serialize, Deserialize)]
pub struct Html(pub Vec<u8>);

impl From<Vec<u8>> for Html {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// A value of any type under a key of any type.
#[derive(Debug, Keyspace)]
#[keyspace(prefix = "generic", ttl = "1m", value = [T; N], sliding, jitter = "90%", codec = reinhardt_backends::codec::Cbor)]
pub struct Generic<K, T, const N: usize>
where
    T: Clone + Serialize + serde::de::DeserializeOwned,
    [T; N]: Serialize + serde::de::DeserializeOwned,
{
    /// Its key.
    pub key: K,
    /// What it holds.
    pub holds: Marker<T>,
}

/// Names a type in a key.
#[derive(Debug, Default)]
pub struct Marker<T>(pub std::marker::PhantomData<T>);

impl<T> KeySegment for Marker<T> {
    type Owned = Self;

    fn write(&self, _segment: &mut reinhardt_backends::keyspace::SegmentWriter<'_>) {}

    fn parse(text: &str) -> Option<Self> {
        text.is_empty().then_some(Self(std::marker::PhantomData))
    }
}

/// Who.
#[derive(Debug, Clone, Copy, KeySegment)]
pub struct UserId(u64);

/// Who, by name.
#[derive(Debug, Clone, KeySegment)]
pub struct Named<T> {
    /// The name.
    pub name: T,
}

/// Where.
#[derive(Debug, Clone, Copy, KeySegment)]
pub enum Region {
    /// There.
    #[keyspace(rename = "eu")]
    Europe,
    /// Here.
    r#America,
}

/// How large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, KeySegment)]
#[keyspace(display, crate = reinhardt_backends)]
pub struct Size {
    width: u32,
    height: u32,
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl std::str::FromStr for Size {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (width, height) = text.split_once('x').unwrap_or((text, "0"));
        Ok(Self {
            width: width.parse()?,
            height: height.parse()?,
        })
    }
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

/// A public module with a private keyspace.
pub mod public {
    use reinhardt_backends::Keyspace;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize, Keyspace)]
    #[keyspace(prefix = "hidden", ttl = never, codec = Json)]
    struct Hidden {
        #[keyspace(key)]
        id: u8,
    }

    #[derive(Keyspace)]
    #[keyspace(prefix = "hidden.value", ttl = "1m", value = Content)]
    struct HiddenValue {
        id: u8,
        part: super::Named<String>,
    }

    #[derive(Clone, Serialize, Deserialize)]
    struct Content(u8);

    /// Names what others can't.
    #[must_use]
    pub fn keys() -> [String; 2] {
        let part = super::Named {
            name: "x".to_string(),
        };
        let value = HiddenValue { id: 7, part };
        let _content = Content(value.id);
        [Hidden::key(7).to_string(), value.key().to_string()]
    }
}

fn of_a_function() -> String {
    let id = 7;

    #[derive(Keyspace)]
    #[keyspace(prefix = "local", ttl = "1m", value = String, sliding)]
    struct Local {
        id: u8,
    }

    Local { id }.key().to_string()
}

fn main() {
    assert_eq!(inner::keys(), ["inner:", "private:"]);
    assert_eq!(public::keys(), ["hidden:7", "hidden.value:7:x"]);
    assert_eq!(of_a_function(), "local:7");
    let hits = OwnedHits {
        region: Region::Europe,
        user: UserId(7),
        size: Size {
            width: 2,
            height: 1,
        },
    };
    assert_eq!(&*hits.key(), "owned.hits@3:{eu}:7:2x1");
    let _america = Region::America;
    let generic = Generic::<_, u8, 3> {
        key: 7_u8,
        holds: Marker::default(),
    };
    assert_eq!(&*generic.key(), "generic:7:");
}
