//! The text of keys: every one is different, can be parsed back, and means nothing to anybody else.

use std::collections::HashMap;
use std::net::IpAddr;

use proptest::prelude::*;
use reinhardt_backends::Keyspace;
use reinhardt_backends::keyspace::{Entry, Key};

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

/// Nothing raw that separates, globs, groups or is not seen; `%` only before two upper-case digits.
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
