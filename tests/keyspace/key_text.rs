//! Each key has a text of its own, which can be parsed back and means nothing to any other program.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::str::FromStr;

use proptest::prelude::*;
use reinhardt_backends::keyspace::{Entry, Key, KeySegment};
use reinhardt_backends::{ErrorKind, Keyspace, MemoryBackend};
use uuid::Uuid;

use crate::{Membership, Page, RateCounter, Session, member, session};

#[derive(Keyspace)]
#[keyspace(prefix = "triple", ttl = "1m", counter)]
struct Triple {
    first: String,
    number: i64,
    last: String,
}

fn triple(first: &str, number: i64, last: &str) -> Key {
    let (first, last) = (first.to_string(), last.to_string());
    Triple {
        first,
        number,
        last,
    }
    .key()
}

/// Text over all of Unicode, with many of the characters that mean something somewhere.
fn text() -> impl Strategy<Value = String> {
    let special = prop::sample::select(
        ":%*?[]{}\\^!~/@#25aA \t\n\0\u{7f}\u{85}\u{a0}\u{2028}\u{3000}"
            .chars()
            .collect::<Vec<_>>(),
    );
    let letter = prop_oneof![3 => special, 1 => any::<char>()];
    prop::collection::vec(letter, 0..8).prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn a_composite_key_is_parsed_back(first in text(), number: i64, last in text()) {
        let key = triple(&first, number, &last);
        prop_assert_eq!(Triple::parse_key(&key), Some((first, number, last)));
    }

    #[test]
    fn different_keys_have_different_text(a in text(), b in text(), c in text(), d in text()) {
        let same = (&a, &b) == (&c, &d);
        prop_assert_eq!(triple(&a, 1, &b) == triple(&c, 1, &d), same);
        prop_assert_eq!(triple(&a, 1, &b) == triple(&format!("{a}:1"), 1, &b), false);
    }

    #[test]
    fn only_separators_are_raw(first in text(), last in text()) {
        let key = triple(&first, 7, &last);
        let segments: Vec<&str> = key.split(':').collect();
        prop_assert_eq!(segments.len(), 4, "{}", key);
        for segment in segments {
            assert_harmless(segment);
        }
    }

    #[test]
    fn text_that_is_parsed_is_the_text_of_that_key(text in "triple:[a%:0-9A-F+-]{0,12}") {
        if let Some((first, number, last)) = Triple::parse_key(&text) {
            let key = triple(&first, number, &last);
            prop_assert_eq!(&*key, text.as_str());
        }
    }
}

/// Checks that no character stands there raw that separates, globs, groups or is not seen, and that
/// `%` stands only before two upper-case digits.
fn assert_harmless(segment: &str) {
    let raw = segment.find(|c: char| "*?[]{}\\".contains(c) || c.is_whitespace() || c.is_control());
    assert_eq!(raw, None, "{segment:?}");
    for escape in segment.split('%').skip(1) {
        let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte);
        let digits = escape.as_bytes().iter().take(2);
        assert_eq!(
            digits.filter(|byte| is_digit(byte)).count(),
            2,
            "{segment:?}"
        );
    }
}

#[test]
fn every_character_is_parsed_back_and_harmless() {
    for char in '\0'..=char::MAX {
        let text = char.to_string();
        let key = Session::key(&text);
        assert_harmless(&key["session:".len()..]);
        assert_eq!(Session::parse_key(&key), Some(text), "{key}");
    }
}

#[test]
fn no_two_short_composite_keys_share_a_text() {
    let letters = ["", ":", "%", "%3A", "a", "a:", ":a", "::"];
    let mut seen = HashMap::new();
    for first in letters {
        for last in letters {
            let before = seen.insert(triple(first, 1, last).to_string(), (first, last));
            assert_eq!(before, None);
        }
    }
}

#[test]
fn an_entry_and_its_arguments_name_the_same_key() {
    assert_eq!(session("a b").entry_key(), Session::key("a b"));
    assert_eq!(member(3, ":").entry_key(), Membership::key(3, ":"));
    assert_eq!(&*Membership::key(3, ":"), "membership:3:%3A");
}

#[test]
fn a_key_of_a_borrowing_struct_is_parsed_to_owned_fields() {
    let page = Page {
        locale: "en",
        path: "/a:b",
    };
    let owned: Option<(String, String)> = Page::parse_key(&page.key());
    assert_eq!(owned, Some(("en".to_string(), "/a:b".to_string())));
}

#[test]
fn an_ip_address_is_one_segment() {
    let client: IpAddr = "2001:db8::1".parse().unwrap();
    let counter = RateCounter {
        route: "/login",
        client,
    };
    assert_eq!(&*counter.key(), "rate:/login:2001%3Adb8%3A%3A1");
    assert_eq!(
        RateCounter::parse_key(&counter.key()),
        Some(("/login".to_string(), client))
    );
}

#[derive(Debug, Clone, PartialEq, KeySegment)]
struct Name(String);

#[derive(Debug, Clone, Copy, PartialEq, KeySegment)]
enum Region {
    #[keyspace(rename = "eu:west")]
    Europe,
    America,
}

/// A type that is written by its `Display` text.
#[derive(Debug, Clone, Copy, PartialEq, KeySegment)]
#[keyspace(display)]
struct Version {
    major: u16,
    minor: u16,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Version {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (major, minor) = text.split_once('.').ok_or(())?;
        let number = |text: &str| text.parse().map_err(drop);
        Ok(Self {
            major: number(major)?,
            minor: number(minor)?,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Keyspace)]
#[keyspace(prefix = "odd.segments", ttl = "1m", value = u8)]
struct OddSegments {
    #[keyspace(tag)]
    peer: SocketAddr,
    id: Uuid,
    name: Name,
    region: Region,
    version: Version,
    letter: char,
    flag: bool,
}

fn peer() -> impl Strategy<Value = SocketAddr> {
    let v6 = (any::<u128>(), any::<u16>(), any::<u32>(), any::<u32>());
    let v6 = v6.prop_map(|(ip, port, flowinfo, scope)| {
        SocketAddr::V6(SocketAddrV6::new(ip.into(), port, flowinfo, scope))
    });
    prop_oneof![
        (any::<u32>(), any::<u16>())
            .prop_map(|(ip, port)| SocketAddr::from((Ipv4Addr::from(ip), port))),
        v6,
    ]
}

fn odd_segments() -> impl Strategy<Value = OddSegments> {
    let region = prop_oneof![Just(Region::Europe), Just(Region::America)];
    let version = (any::<u16>(), any::<u16>()).prop_map(|(major, minor)| Version { major, minor });
    let scalars = (any::<char>(), any::<bool>());
    (peer(), any::<u128>(), text(), region, version, scalars).prop_map(
        |(peer, id, name, region, version, (letter, flag))| OddSegments {
            peer,
            id: Uuid::from_u128(id),
            name: Name(name),
            region,
            version,
            letter,
            flag,
        },
    )
}

proptest! {
    #[test]
    fn segments_of_every_type_are_parsed_back(one in odd_segments(), other in odd_segments()) {
        let key = one.key();
        let (peer, id, name, region, version, letter, flag) = OddSegments::parse_key(&key).unwrap();
        let read = OddSegments { peer, id, name, region, version, letter, flag };
        prop_assert_eq!(&read, &one, "{}", key);
        prop_assert_eq!(key == other.key(), one == other);
    }

    #[test]
    fn addresses_that_differ_in_anything_have_different_keys(one in peer(), other in peer()) {
        let of = |peer| OddSegments {
            peer,
            id: Uuid::nil(),
            name: Name(String::new()),
            region: Region::Europe,
            version: Version { major: 0, minor: 0 },
            letter: 'x',
            flag: true,
        };
        prop_assert_eq!(of(one).key() == of(other).key(), one == other);
    }
}

#[test]
fn an_address_has_its_flow_information_in_its_key() {
    let address = |flowinfo| SocketAddrV6::new(Ipv6Addr::LOCALHOST, 80, flowinfo, 0);
    let text = |flowinfo| {
        Key::build(&Triple::INFO, |key| {
            key.field(&address(flowinfo));
        })
    };
    assert_eq!(&*text(0), "triple:%5B%3A%3A1%5D%3A80");
    assert_eq!(&*text(5), "triple:%5B%3A%3A1%5D%3A80/5");
}

#[test]
fn a_variant_is_written_as_it_is_named() {
    let text = |region: Region| {
        Key::build(&Triple::INFO, |key| {
            key.field(&region);
        })
    };
    assert_eq!(&*text(Region::Europe), "triple:eu%3Awest");
    assert_eq!(&*text(Region::America), "triple:America");
    assert_eq!(<Region as KeySegment>::parse("Europe"), None);
}

#[tokio::test]
async fn a_key_over_the_limit_is_refused_and_one_at_the_limit_is_not() {
    let backend = MemoryBackend::new();
    let longest = "x".repeat(1024 - "session:".len());
    session(&longest).save(&backend).await.unwrap();
    assert!(Session::exists(&backend, &longest).await.unwrap());
    let refused = session(&format!("{longest}x")).save(&backend).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidKey);
    let refused = Session::get(&backend, ":".repeat(400)).await;
    assert_eq!(
        refused.unwrap_err().kind(),
        ErrorKind::InvalidKey,
        "escapes count"
    );
}
