//! `at` names a value, a counter or a throttle where a struct literal can't stand.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};

use crate::{Page, RateCounter};

/// Tries to log in.
#[derive(Debug, PartialEq, Keyspace)]
#[keyspace(prefix = "at.login", limit = "5/min")]
struct LoginAttempts {
    client: IpAddr,
}

/// Keys that own their text.
#[derive(Debug, PartialEq, Keyspace)]
#[keyspace(prefix = "at.report", ttl = "1m", value = String)]
struct Report {
    region: String,
    tenant: Box<str>,
    user: Arc<str>,
    year: u16,
}

/// Keys that borrow or own their text.
#[derive(Debug, PartialEq, Keyspace)]
#[keyspace(prefix = "at.cow", ttl = "1m", value = u8)]
struct Either<'a> {
    name: Cow<'a, str>,
}

#[derive(Debug, PartialEq, Keyspace)]
#[keyspace(prefix = "at.visits", ttl = never, counter)]
struct Visits;

#[derive(Debug, PartialEq, Keyspace)]
#[keyspace(prefix = "at.by", ttl = "1m", counter)]
struct By<K: Clone, const SHARD: usize> {
    key: K,
}

const HOME: Page<'static> = Page::at("en", "/");

#[tokio::test]
async fn a_key_stands_in_a_condition() -> BackendResult<()> {
    let backend = MemoryBackend::new();
    if !Page::at("en", "/").set_if_absent(&backend, "hi").await? {
        panic!("nothing was there");
    }
    while RateCounter::at("/", [127, 0, 0, 1].into())
        .increment(&backend)
        .await?
        < 3
    {}
    match Page::at("en", "/").get(&backend).await? {
        Some(html) => assert_eq!(html, "hi"),
        None => panic!("it was stored"),
    }
    assert!(HOME.exists(&backend).await?);
    Ok(())
}

#[test]
fn a_parameter_is_what_its_field_is() {
    let path = "/about".to_string();
    // A reference to a `String` becomes a `&str`, a literal the number, and `into` the address.
    assert_eq!(&*Page::at("en", &path).key(), "page:en:/about");
    let client = [127, 0, 0, 1];
    let attempts = LoginAttempts::at(client.into());
    assert_eq!(&*attempts.key(), "at.login:127.0.0.1");
    assert_eq!(Either::at("x".into()).name, "x");
    assert_eq!(Visits::at(), Visits);
}

#[test]
fn owned_text_is_taken_from_a_str() {
    let of_str = Report::at("eu", "acme", "ann", 2026);
    let region = "eu".to_string();
    let of_owned = Report::at(
        region.clone(),
        Box::<str>::from("acme"),
        Arc::<str>::from("ann"),
        2026,
    );
    assert_eq!(of_str, of_owned);
    assert_eq!(Report::at(&region, "acme", "ann", 1).year, 1);
    assert_eq!(&*of_str.key(), "at.report:eu:acme:ann:2026");
}

#[test]
fn a_key_of_any_type() {
    let by = By::<_, 3>::at(7_u8);
    assert_eq!(by, By { key: 7 });
    fn borrowed<'a>(locale: &'a str, path: &'a str) -> Page<'a> {
        Page::at(locale, path)
    }
    assert_eq!(borrowed("en", "/").key(), HOME.key());
}

mod elsewhere {
    use reinhardt_backends::Keyspace;

    /// Only this module makes such keys.
    #[derive(Keyspace)]
    #[keyspace(prefix = "at.kept", ttl = "1m", counter)]
    pub(crate) struct Kept {
        id: u64,
    }

    impl Kept {
        pub(crate) fn even(id: u64) -> Option<Self> {
            id.is_multiple_of(2).then(|| Self::at(id))
        }
    }

    /// Everybody here makes such keys.
    #[derive(Keyspace)]
    #[keyspace(prefix = "at.open", ttl = "1m", counter)]
    pub(super) struct Open {
        pub id: u64,
        pub(crate) user: u64,
    }
}

/// That others can't call `Kept::at` is a test in `ui`.
#[test]
fn a_constructor_is_where_the_literal_is() {
    assert!(elsewhere::Kept::even(3).is_none());
    assert_eq!(&*elsewhere::Kept::even(2).unwrap().key(), "at.kept:2");
    assert_eq!(&*elsewhere::Open::at(1, 2).key(), "at.open:1:2");
}
